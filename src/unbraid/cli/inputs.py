"""From the words on the command line to the files that they mean."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unbraid.cli.console import UsageError
from unbraid.errors import AudioReadError

SUFFIXES = frozenset({
    ".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf",
    ".m4a", ".m4b", ".aac", ".mp4", ".mka", ".mkv", ".mov", ".webm",
})  # fmt: skip


@dataclass(frozen=True)
class Input:
    """A file to separate and the name of its track: where it goes below the output folder."""

    path: Path
    track: str


def gather(words: Sequence[str], *, out: Path) -> tuple[list[Input], list[tuple[str, AudioReadError]]]:
    """Turn files, folders and globs into inputs, each file once, in the order given.

    A folder stands for every audio file below it, hidden ones and the output folder left out; its tracks keep the
    path below the folder. A file whose track name another one has too keeps its suffix in the name.

    Returns:
        The inputs, and what is wrong with the words that mean no file.

    Raises:
        UsageError: if two files would be written to one place, or a part of the output folder's path is a file.
    """
    _check_folder(out)
    found: dict[Path, str] = {}
    problems: list[tuple[str, AudioReadError]] = []
    for word in words:
        try:
            members = list(_members(word, out))
        except AudioReadError as error:
            problems.append((word, error))
            continue
        for path, track in members:
            if all(path.resolve() != known.resolve() for known in found):
                found[path] = track
    return _name_tracks(found), problems


def check_places(inputs: Sequence[Input], name_template: str) -> None:
    """Refuse files whose stems would be written over each other.

    Raises:
        UsageError: if the template leaves two tracks in one place, or only what file names cannot hold sets them apart.
    """
    from unbraid.delivery.names import NameTemplate

    template = NameTemplate(name_template)
    seen: dict[str, Path] = {}
    for one in inputs:
        place = template.stem(one.track, "STEM")
        other = seen.setdefault(str(place).casefold(), one.path)
        if other is not one.path:
            raise UsageError(
                f"{other} and {one.path} would be written to one place, {place}: "
                "put {track} into --name-template, or separate them in two calls with different -o"
            )


def _members(word: str, out: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that a word means, each with the path that names its track, suffix included."""
    given = Path(word)
    if word == "-":
        raise AudioReadError("-: sounds are not read from a pipe: save it to a file first")
    if os.path.isdir(word):  # Path.is_dir raises where a name is too long
        yield from _walk(given, out)
    elif not os.path.lexists(given) and glob.has_magic(word):
        matches = sorted(glob.glob(word, recursive=True))
        if not matches:
            raise AudioReadError(f"{word}: no file matches this pattern: check the folder and the spelling")
        for match in map(Path, matches):
            if match.is_dir():
                continue
            yield match, match.name
    else:
        yield given, given.name


def _walk(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    """Yield the audio files below a folder in the order of their names."""
    n_found = 0
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(here, name).resolve() != out.resolve()
        )
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                n_found += 1
                yield path, path.relative_to(folder).as_posix()
    if not n_found:
        raise AudioReadError(f"{folder}: no audio file in this folder: name another folder, or a file")


def _check_folder(out: Path) -> None:
    with suppress(OSError):  # a name that is too long is told with the file that would lie there
        place = next(place for place in (out, *out.absolute().parents) if place.exists())
        if not place.is_dir():
            raise UsageError(f"--out {out}: {place} is a file, not a folder: choose another output folder")


def _refuse(error: OSError) -> None:
    raise AudioReadError(f"{error.filename}: cannot list this folder ({error.strerror}): check its permissions")


def _name_tracks(found: dict[Path, str]) -> list[Input]:
    """Drop the suffix from the name of each track where that leaves the names different."""
    short = {path: Path(name).with_suffix("").as_posix() for path, name in found.items()}
    count = Counter(name.casefold() for name in short.values())
    inputs = [Input(path, short[path] if count[short[path].casefold()] == 1 else name) for path, name in found.items()]
    seen: dict[str, Path] = {}
    for one in inputs:
        other = seen.setdefault(one.track.casefold(), one.path)
        if other is not one.path:
            raise UsageError(
                f"{other} and {one.path} would be written to one place, {one.track}: "
                "separate them in two calls with different -o"
            )
    return inputs
