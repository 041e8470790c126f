"""MoisesDB: 240 songs, each stem of which is made of the tracks that it was recorded on.

Every song is a folder named by its identifier, with ``data.json`` and one folder per stem. The published data has no
split. The five folds of Watcharasupat et al. (the bandit separators), which TUSS was trained on, are read from
``splits.csv`` (columns ``song_id`` and ``split``, 1 to 5) where that lies beside the songs; without it songs are dealt
to five folds by a hash of their identifier. Folds 1 to 3 are ``train``, 4 ``validation``, 5 ``test``.

Source: Pereira et al., "MoisesDB: a dataset for source separation beyond 4-stems", ISMIR 2023.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    check_split,
    fault_of,
    find_base,
    folders,
    read_table,
    reason_of,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

NAME = "moisesdb"
TITLE = "MoisesDB"
SPLITS = ("all", "train", "validation", "test")
FOLDS = {"train": (1, 2, 3), "validation": (4,), "test": (5,)}
SIZE = 240
SAMPLE_RATE = 44_100
STEM_NAMES = (
    *("bass", "bowed_strings", "drums", "guitar", "other", "other_keys", "other_plucked", "percussion", "piano"),
    *("vocals", "wind"),
)

_CURE = "unpack moisesdb.zip again"


@dataclass(frozen=True)
class _Part:
    """One recorded track of a stem, as ``data.json`` tells."""

    stem: str
    kind: str
    file: Path
    bleeds: bool


def index(root: Path, split: str) -> list[Track]:
    """Return the songs of a split, by identifier; every recorded track is a stem, its group is that of MoisesDB.

    Labels are ``vocals/lead_male_singer``: the stem, and what the track holds.

    Raises:
        DatasetError: if there is no such split or song in it, or a file is missing or damaged.
    """
    check_split(split, SPLITS, title=TITLE)
    base = _base(root)
    folds = read_folds(base)
    songs = [song for song in _songs(base) if split == "all" or folds[song.name] in FOLDS[split]]
    if not songs:
        raise DatasetError(f"{TITLE}: there is no song of {split} in {base}: {_CURE}")
    parts = {song: _parts(song) for song in songs}
    found = recordings_of((part.file for members in parts.values() for part in members), dataset=NAME)
    return [_track(song, parts[song], found, _split_of(folds[song.name])) for song in songs]


def check(root: Path) -> list[Fault]:
    """Tell which songs and files are missing or damaged, and which tables cannot be read.

    Raises:
        DatasetError: if the root is not MoisesDB.
    """
    base = _base(root)
    songs, faults = _songs(base), []
    faults += size_fault(".", found=len(songs), expected=SIZE, what="songs", cure=_CURE)
    paths = []
    for song in songs:
        try:
            parts = _parts(song)
        except DatasetError as error:
            faults.append(fault_of(error, base, cure=_CURE))
            continue
        paths += [part.file for part in parts]
        strange = sorted({part.stem for part in parts} - set(STEM_NAMES))
        if strange:
            told = f"it names stems that MoisesDB does not have: {', '.join(strange)}"
            faults.append(Fault(relative(song / "data.json", base), told, _CURE))
    return faults + sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1, 2), cure=_CURE)


def read_folds(base: Path) -> dict[str, int]:
    """Return the fold, 1 to 5, of every song, from ``splits.csv`` where there is one.

    Raises:
        DatasetError: if the table cannot be read or lacks a song.
    """
    songs = [song.name for song in _songs(base)]
    table = base / "splits.csv"
    if not table.is_file():
        return {song: hash_fold(song) for song in songs}
    rows = {row["song_id"].strip(): row["split"].strip() for row in read_table(table, columns=("song_id", "split"))}
    folds = {}
    for song in songs:
        if rows.get(song) not in {"1", "2", "3", "4", "5"}:
            raise DatasetError(f"{table}: it gives song {song} no fold from 1 to 5: complete it, or remove it")
        folds[song] = int(rows[song])
    return folds


def hash_fold(song: str) -> int:
    """Deal a song to one of five folds by its identifier.

    Example:
        >>> [hash_fold(song) for song in ("a", "b", "c")]
        [5, 3, 1]
    """
    return hashlib.blake2b(song.encode(), digest_size=8).digest()[0] % 5 + 1


def _split_of(fold: int) -> str:
    return next(split for split, folds in FOLDS.items() if fold in folds)


def _base(root: Path) -> Path:
    inside = ("moisesdb_v0.1", "moisesdb/moisesdb_v0.1")
    return find_base(
        root, inside=inside, is_base=lambda folder: bool(_songs(folder)), title=TITLE, lack="no folder with a data.json"
    )


def _songs(base: Path) -> list[Path]:
    return [folder for folder in folders(base) if (folder / "data.json").is_file()]


def _parts(song: Path) -> list[_Part]:
    """Read the recorded tracks of a song in the order of its ``data.json``."""
    path = song / "data.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        parts = [
            _Part(
                str(stem["stemName"]),
                str(track.get("trackType") or ""),
                song / str(stem["stemName"]) / f"{track['id']}.{str(track.get('extension') or 'wav').lstrip('.')}",
                _bleeds(track.get("has_bleed")),
            )
            for stem in facts["stems"]
            for track in stem["tracks"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: {_CURE}") from error
    if not parts:
        raise DatasetError(f"{path}: it lists no stem: {_CURE}")
    return parts


def _bleeds(value: object) -> bool:
    """Tell what ``has_bleed`` says: no or yes, or what is heard too, as a list or a table of lists."""
    if isinstance(value, dict):
        return any(_bleeds(one) for one in value.values())
    if isinstance(value, list):
        return any(_bleeds(one) for one in value)
    return bool(value) and str(value).lower() not in ("no", "false")


def _facts(song: Path) -> Mapping[str, str]:
    facts = json.loads((song / "data.json").read_text(encoding="utf-8"))
    return {key: str(facts[key]) for key in ("song", "artist", "genre") if facts.get(key)}


def _track(song: Path, parts: list[_Part], found: Mapping[Path, Recording], split: str) -> Track:
    stems = tuple(
        Stem(
            f"{part.stem}/{part.file.stem}",
            f"{part.stem}/{part.kind}",
            (found[part.file],),
            bleeds=part.bleeds,
            group=part.stem,
        )
        for part in parts
    )
    return Track(song.name, NAME, split, stems, details=_facts(song))


MOISESDB = Dataset(
    name=NAME,
    title=TITLE,
    citation=(
        "Pereira, Araújo, Korzeniowski and Vogl, MoisesDB: a dataset for source separation beyond 4-stems, ISMIR 2023"
    ),
    licence="CC BY-NC-SA 4.0: not for commercial use",
    url="https://music.ai/research/",
    tree="""\
moisesdb_v0.1/               240 songs
  0b8c3d2e-…/                the identifier of a song
    data.json
    vocals/                  one folder per stem
      5f1c….wav              one file per recorded track
  splits.csv                 optional: song_id,split with folds 1 to 5
""",
    splits=SPLITS,
    index=index,
    check=check,
)
