"""Packs of melodies: stems with their notes, and windows of them that somebody imitates.

Such a pack is an ordinary one (`datasets.pack`), whose folder also holds ``melodies.json``. It says which of its
sources are targets, what notes they play, where their windows begin, and where in another source of the pack (with the
prompt ``mimicry``) the imitations of each window lie. Sources that it does not name sound in mixtures only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import Source
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

MIMICRY = "mimicry"
FILE = "melodies.json"
FORMAT = "unbraid-melodies"
VERSION = 1


@dataclass(frozen=True)
class Imitation:
    """One mimicry of a window: the first of its samples in the source of the imitations, and how it was made.

    ``draw`` is the JSON of a `guides.mimicry_draws.MimicryDraw`; ``kind`` tells an instrument from a voice.
    """

    start: int
    kind: str
    draw: str


@dataclass(frozen=True)
class MelodyWindow:
    """Where a window of a stem begins, in samples, and its imitations."""

    start: int
    imitations: tuple[Imitation, ...]


@dataclass(frozen=True)
class MelodyEntry:
    """What is written of one stem: the names of two sources, its group and program, notes, and windows."""

    source: str
    mimicry: str
    group: str
    program: int
    notes: tuple[Note, ...]
    windows: tuple[MelodyWindow, ...]


@dataclass(frozen=True)
class Melody:
    """A stem that can be a target.

    Args:
        source: the stem.
        mimicry: holds its imitations, on no clock.
        group: such as "Piano", to average over.
        program: of General MIDI; -1 where there is none.
        notes: what it plays, in seconds.
        windows: at least one.
    """

    source: Source
    mimicry: Source
    group: str
    program: int
    notes: tuple[Note, ...]
    windows: tuple[MelodyWindow, ...]


def write_melodies(path: Path, entries: Iterable[MelodyEntry]) -> None:
    """Write ``melodies.json`` into a pack that was written before."""
    melodies = [asdict(entry) for entry in entries]
    (path / FILE).write_text(json.dumps({"format": FORMAT, "version": VERSION, "melodies": melodies}), encoding="utf-8")


def read_melodies(path: Path) -> tuple[list[Melody], list[Source]]:
    """Read a pack of melodies.

    Returns:
        Its targets, and all sources that sound in mixtures (targets too, imitations never).

    Raises:
        DatasetError: if it is no pack, has no melodies, or they do not fit its sources.
    """
    sources = {source.name: source for source in read_pack(path)}
    try:
        table = json.loads((path / FILE).read_text(encoding="utf-8"))
        if table["format"] != FORMAT or table["version"] != VERSION:
            raise DatasetError(f"{path}: {FILE} is not of version {VERSION}: build the pack again")
        found = [_read_melody(entry, sources, next(iter(sources)).split("/")[0]) for entry in table["melodies"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: its {FILE} cannot be used ({error!r}): build the pack again") from error
    return found, [source for source in sources.values() if source.prompt != MIMICRY]


def read_window(values: dict[str, Any]) -> MelodyWindow:
    """Build a window from what `dataclasses.asdict` gave, after a round trip through JSON."""
    return MelodyWindow(values["start"], tuple(Imitation(**one) for one in values["imitations"]))


def _read_melody(entry: dict[str, Any], sources: dict[str, Source], pack: str) -> Melody:
    windows = [read_window(window) for window in entry["windows"]]
    if not windows or not all(window.imitations for window in windows):
        raise ValueError(f"{entry['source']} has a window without an imitation, or none")
    return Melody(
        source=sources[f"{pack}/{entry['source']}"],
        mimicry=sources[f"{pack}/{entry['mimicry']}"],
        group=entry["group"],
        program=entry["program"],
        notes=tuple(Note(**note) for note in entry["notes"]),
        windows=tuple(windows),
    )
