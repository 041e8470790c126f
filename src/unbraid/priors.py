"""Priors of single sources, which InstGlow separates with: those that ship, and those of the user.

A prior is one weights file. What lies in the folder ``priors`` of the user's library is known by the name of its source
without anything else being told of it. Only headers are read here.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from safetensors import SafetensorError, safe_open

from unbraid.errors import ModelError
from unbraid.library import is_file_name, library

SUFFIX = ".safetensors"
KIND = "instglow"
RESIDUAL = "residual"  # among names of priors: what the others leave
WEIGHTS = Path(__file__).parent / "weights"
SHIPPED: dict[str, str] = {
    "vocals": "47e577f62e4b10e5beb3c39fe707ef7d160a0484e8fb132d7fea6736585489f5",
    "drums": "dde9d0b45decc3a17db5018af42171fae10acc92ce2e71c320d3d3d286c43bcb",
    "bass": "a1a6c6106f6de03c0d6a62e91365ae34193989cbeb2e672fe13bdc77a0445902",
    "other": "03f7f9d455febe797e2a9fbcba8ca226e83c5afc18243c1a76382554a6f154d3",
    "guitar": "e382f724456dd4c0a7fc6900615c8d596f28ce83d185b4dfda1a66c1b02eedfc",
    "piano": "079f3480d2b423f06939bd0997daf38940f60be0a8b8c306911457cf7468d201",
    "strings": "9ce5cd874045a54afebd9b7c9026684e495fa0617b28a82fb77c15670ec6f639",
}
"""SHA-256 of each prior that ships, by its source; it lies in the package as ``weights/prior-SOURCE.safetensors``."""


@dataclass(frozen=True)
class PriorFile:
    """What the header of a prior's file tells.

    Attributes:
        name: the source.
        path: where the file lies.
        ships: whether it came with the package.
        sample_rate: of what it hears, in hertz.
        n_parameters: its size.
        card: what is known of its training.
    """

    name: str
    path: Path
    ships: bool
    sample_rate: int
    n_parameters: int
    card: Mapping[str, Any]


def shipped_path(name: str) -> Path:
    """Return where a prior lies that ships."""
    return WEIGHTS / f"prior-{name}{SUFFIX}"


def folder_of_priors() -> Path:
    """Return the folder of the user's priors."""
    return library() / "priors"


def read_prior(path: Path) -> PriorFile:
    """Read the header of a prior's file.

    Raises:
        ModelError: if it is missing, damaged, something else, or holds several priors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file: check the path")
    if path.suffix != SUFFIX:
        raise ModelError(f"{path}: is no prior: give a {SUFFIX} file, as unbraid export writes them")
    try:
        with safe_open(path, "numpy") as file:
            header = dict(file.metadata() or {})
            n_parameters = sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
        if header.get("model") != KIND:
            what = f"is a {header['model']}" if "model" in header else "is no weights file of Unbraid"
            raise ModelError(f"{path}: {what}, not a prior: train one with recipes/instglow_small.py")
        config, card = json.loads(header["config"]), json.loads(header.get("card", "{}"))
        names, rate = tuple(map(str, config["names"])), int(config["priors"][0]["sample_rate"])
        known = dict(card)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(f"{path}: damaged file of a prior ({error}): get a complete copy of it") from error
    if len(names) != 1:
        raise ModelError(f"{path}: holds {len(names)} priors ({', '.join(names)}): use it as a model, with -m")
    if not names[0].strip() or "," in names[0] or names[0] == RESIDUAL:
        raise ModelError(f"{path}: no source can be asked for as {names[0]!r}: train it under another name")
    return PriorFile(names[0], path, path.parent == WEIGHTS, rate, n_parameters, known)


def known_priors() -> dict[str, PriorFile]:
    """Return all priors by their source; the user's own go before those that ship. Damaged files are passed over.

    Example:
        >>> all(prior.name == name for name, prior in known_priors().items())
        True
    """
    found = {name: read_prior(shipped_path(name)) for name in SHIPPED}
    for path in _files():
        try:
            prior = read_prior(path)
        except ModelError:
            continue
        found[prior.name] = prior
    return found


def state_of_priors() -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever a file in the user's folder comes, goes or is replaced: names, times and sizes."""
    states = []
    for path in _files():
        with suppress(OSError):  # it has just gone
            told = path.stat()
            states.append((path.name, told.st_mtime_ns, told.st_size))
    return tuple(states)


def damaged_priors() -> list[str]:
    """Say what is wrong with files in the user's folder that are no priors, one line each."""
    problems = []
    for path in _files():
        try:
            read_prior(path)
        except ModelError as error:
            problems.append(str(error))
    return problems


def find_prior(name_or_path: str | Path) -> PriorFile:
    """Return a prior that is given by its source, or as a file.

    Raises:
        ModelError: if there is none, or its file is damaged.

    Example:
        >>> find_prior("theremin from Mars")
        Traceback (most recent call last):
        unbraid.errors.ModelError: there is no prior of 'theremin from Mars': ...
    """
    word, path = str(name_or_path), Path(name_or_path)
    if isinstance(name_or_path, Path) or path.suffix == SUFFIX or len(path.parts) > 1:
        return read_prior(path)
    known = known_priors()
    if word in known:
        return known[word]
    own = folder_of_priors() / f"{word}{SUFFIX}"
    if is_file_name(word) and own.is_file():
        return read_prior(own)  # which says what is wrong with it
    parts = re.split(r"[\s;+&|]+", word)
    meant = [",".join(parts)] if set(parts) <= set(known) else []
    meant += difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    hint = f"did you mean {meant[0]!r}? " if meant else ""
    listed = f"there are {', '.join(known)}" if known else "there are none yet"
    raise ModelError(
        f"there is no prior of {word!r}: {hint}{listed}; train one from recordings of it with "
        f"recipes/instglow_small.py, or give a {SUFFIX} file"
    )


def find_priors(names_or_paths: Sequence[str | Path] | None) -> list[PriorFile]:
    """Return the priors that shall separate together; None is all that are known.

    ``"residual"`` among them is no prior, but a source without one: what the others leave. It is not returned.

    Raises:
        ModelError: if one is missing or damaged, two are of one source, or there are fewer than two sources.
    """
    words = names_or_paths or ()
    found = [find_prior(word) for word in words if word != RESIDUAL]
    if names_or_paths is None:
        found = list(known_priors().values())
    names = [prior.name for prior in found] + [RESIDUAL for word in words if word == RESIDUAL]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise ModelError(f"two priors are of {twice!r}: give one for each source")
    if names == [RESIDUAL]:
        raise ModelError("residual is what priors leave: name at least one of them beside it, such as vocals,residual")
    if not names:
        raise ModelError(
            "there are no priors to separate with: train them with recipes/instglow_small.py, and add them with "
            "unbraid priors add"
        )
    if len(names) == 1:
        raise ModelError(
            f"one prior alone ({names[0]}) would take the whole mixture for its own: give two or more, one for each "
            f"source that sounds, or {RESIDUAL} for what the others leave"
        )
    return found


def add_prior(path: Path) -> PriorFile:
    """Copy a prior's file to the user's folder, where it is known by the name of its source.

    Raises:
        ModelError: if the file is no prior, there is one of that source already, or it cannot be written.
    """
    prior = read_prior(path)
    if not is_file_name(prior.name):
        raise ModelError(f"{path}: {prior.name!r} cannot be a file name: train it under another name")
    same = [one for one in map(_read_or_none, _files()) if one is not None and one.name == prior.name]
    target = folder_of_priors() / f"{prior.name}{SUFFIX}"
    if same or target.exists():
        where = same[0].path if same else target
        raise ModelError(f"there is a prior of {prior.name!r} already ({where}): remove it first")
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, part)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ModelError(f"{target}: cannot be written ({error.strerror}): make room, or allow it") from error
    return read_prior(target)


def remove_prior(name: str) -> Path:
    """Remove the prior of a source from the user's folder, and return where it was.

    Raises:
        ModelError: if it is not there.
    """
    for prior in filter(None, map(_read_or_none, _files())):
        if prior.name == name:
            prior.path.unlink()
            return prior.path
    broken = folder_of_priors() / f"{name}{SUFFIX}"
    if is_file_name(name) and broken.is_file():
        broken.unlink()
        return broken
    why = "it ships with the package" if name in SHIPPED else f"unbraid priors lists what is in {folder_of_priors()}"
    raise ModelError(f"there is no prior of {name!r} to remove: {why}")


def _files() -> list[Path]:
    try:
        return sorted(path for path in folder_of_priors().glob(f"*{SUFFIX}") if not path.name.startswith("."))
    except OSError:
        return []


def _read_or_none(path: Path) -> PriorFile | None:
    try:
        return read_prior(path)
    except ModelError:
        return None
