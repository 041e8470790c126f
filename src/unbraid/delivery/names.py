"""What the files of a separation are called."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

from unbraid.errors import GuideError, SettingsError

FIELDS = ("track", "stem")
MAX_NAME_BYTES = 200  # of a stem; file systems take 255, with what is added to it
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_DEVICES = frozenset(["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))])


@dataclass(frozen=True)
class NameTemplate:
    """The path of a stem below the output folder, without the suffix that tells the format.

    Args:
        text: a relative path with ``/`` between its parts, ``{stem}`` somewhere, and ``{track}`` where it is wanted.

    Raises:
        SettingsError: if a field is unknown or formatted, ``{stem}`` is missing, or the path leaves the output folder.

    Example:
        >>> template = NameTemplate("{track}/{stem}")
        >>> str(template.stem("Caf\u00e9: live", "vocals")), str(template.manifest("Caf\u00e9: live"))
        ('Café_ live/vocals', 'Café_ live/manifest.json')
    """

    text: str = "{track}/{stem}"

    def __post_init__(self) -> None:
        problem = _problem_of(self.text)
        if problem:
            raise SettingsError(f"name template {self.text!r} {problem}")

    def stem(self, track: str, stem: str) -> PurePosixPath:
        """Path of a stem. Where the track's name has folders in it, so has the path."""
        return _fill(self.text, track=track, stem=stem)

    def manifest(self, track: str) -> PurePosixPath:
        """Path of the track's manifest: in the folder that holds all its stems, under a name of its own if shared."""
        *folders, _ = self.text.split("/")
        above_stems = [folder for index, folder in enumerate(folders) if "{stem}" not in "/".join(folders[: index + 1])]
        own = any("{track}" in folder for folder in above_stems)
        name = "manifest.json" if own else "{track}.manifest.json"
        return _fill("/".join([*above_stems, name]), track=track, stem="")


def file_name(name: str) -> str:
    """Make one part of a path of any name: letters of every script stay, what a file system refuses becomes ``_``.

    Example:
        >>> file_name("AC/DC: live?"), file_name(".."), file_name("音楽"), file_name("con")
        ('AC_DC_ live_', '_', '音楽', '_con')
    """
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).strip().rstrip(". ")
    if name.startswith(".") or name.partition(".")[0].casefold() in _DEVICES:
        name = f"_{name.lstrip('.')}"
    return name or "_"


def free_name(name: str, taken: Collection[str]) -> str:
    """Make a file's name that none of some others is, also where the file system does not tell A from a.

    Example:
        >>> free_name("lead.wav", []), free_name("LEAD.wav", ["lead.wav", "lead-2.wav"])
        ('lead.wav', 'LEAD-3.wav')
    """
    path, known = PurePath(file_name(name)), {one.casefold() for one in taken}
    number, free = 2, path.name
    while free.casefold() in known:
        free, number = f"{path.stem}-{number}{path.suffix}", number + 1
    return free


def check_distinct(stems: Iterable[tuple[str, PurePosixPath]]) -> None:
    """Refuse names that end up in one file, also where the file system does not tell A from a, and too long ones.

    Raises:
        GuideError: that names the two, or the one.
    """
    seen: dict[str, str] = {}
    for name, path in stems:
        if len(file_name(name).encode()) > MAX_NAME_BYTES:
            raise GuideError(f"the name {name[:40]!r}... is too long for a file: give the target a shorter one")
        other = seen.setdefault(str(path).casefold(), name)
        if other != name:
            raise GuideError(
                f"{other!r} and {name!r} would be written to one file, {path}: give the target another name"
            )


def _problem_of(text: str) -> str | None:
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        return f"cannot be understood ({error}): write '{{track}}/{{stem}}'"
    fields = [field for _, field, _, _ in pieces if field is not None]
    literal = "".join(piece for piece, *_ in pieces)
    unknown = next((field for field in fields if field not in FIELDS), None)
    problems = (
        (unknown is not None, f"has the unknown field {{{unknown}}}: use {{track}} and {{stem}}"),
        (any(spec or kind for _, _, spec, kind in pieces), "formats a field: use {track} and {stem} as they are"),
        ("stem" not in fields, "has no {stem}, so that all stems would be one file: add it"),
        (
            _FORBIDDEN.search(literal.replace("/", "")) or "{" in literal or "}" in literal,
            "has a character that file names cannot hold: leave it out",
        ),
        (
            any(not part.strip(". ") for part in text.split("/")),
            "is not a path inside the output folder: begin with a name, and leave out '.', '..' and '//'",
        ),
    )
    return next((message for is_wrong, message in problems if is_wrong), None)


def _fill(text: str, *, track: str, stem: str) -> PurePosixPath:
    """Put names into a template, and each part of the path into a form that file systems take."""
    folders = [file_name(part) for part in track.split("/") if part.strip(". ")] or ["_"]
    filled = text.replace("{track}", "/".join(folders)).replace("{stem}", file_name(stem))
    return PurePosixPath(*(file_name(part) for part in filled.split("/")))
