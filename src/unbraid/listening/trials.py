"""What listeners are asked about: a mixture, the true sound, and what several methods made of it.

A trial is a folder with ``mixture``, ``reference`` and one more audio file for each method, named for it; a folder of
such folders, at any depth, is a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import DatasetError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
MIXTURE, REFERENCE = "mixture", "reference"


@dataclass(frozen=True)
class TrialFiles:
    """The files of one question; ``methods`` has at least one."""

    name: str
    mixture: Path
    reference: Path
    methods: Mapping[str, Path]


def find_trials(places: Iterable[Path]) -> list[TrialFiles]:
    """Find the trials in folders, in the order of their names.

    Raises:
        DatasetError: if there is none, one lacks a file or holds two of one name, or methods differ between trials:
            every listener must hear all of them equally often.
    """
    trials: list[TrialFiles] = []
    for place in places:
        if not place.is_dir():
            raise DatasetError(f"{place}: is no folder: give one with trials")
        folders = [place, *sorted(path for path in place.rglob("*") if path.is_dir())]
        trials += [_read(folder, place) for folder in folders if _sounds(folder)]
    if not trials:
        raise DatasetError(
            f"{', '.join(map(str, places))}: holds no trial: a folder with mixture.wav, reference.wav and one file "
            "for each method"
        )
    for trial in trials[1:]:
        if trial.methods.keys() != trials[0].methods.keys():
            raise DatasetError(
                f"{trial.name} has the methods {_list(trial)}, and {trials[0].name} has {_list(trials[0])}: "
                "make all of them for every trial"
            )
    return trials


def _read(folder: Path, top: Path) -> TrialFiles:
    found: dict[str, Path] = {}
    for file in _sounds(folder):
        if file.stem in found:
            raise DatasetError(f"{folder}: {found[file.stem].name} and {file.name} have one name: keep one of them")
        found[file.stem] = file
    missing = [name for name in (MIXTURE, REFERENCE) if name not in found]
    if missing or len(found) < 3:
        what = " and ".join(missing) or "a file of a method"
        raise DatasetError(f"{folder}: is no trial, {what} is missing: add it, or take the folder out")
    name = top.resolve().name if folder == top else f"{top.resolve().name}/{folder.relative_to(top).as_posix()}"
    return TrialFiles(name, found.pop(MIXTURE), found.pop(REFERENCE), found)


def _sounds(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def _list(trial: TrialFiles) -> str:
    return ", ".join(trial.methods)
