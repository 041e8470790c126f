"""Where everything lies in the data folder; the only place where ids become paths."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from unbraid.errors import SettingsError
from unbraid.server.refusals import NotFound

ORIGINAL = "original"
PAINT = "paint"
_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{64}")
_SOUND = re.compile(r"([0-9a-f]{32})(?:-([0-9]{1,3}))?")


def new_id() -> str:
    """Return an id that nobody can guess: 128 random bits."""
    return secrets.token_hex(16)


def check_id(text: str, what: str) -> str:
    """Return an id as it is.

    Raises:
        NotFound: if this is none, whatever it is.

    Example:
        >>> check_id("0" * 32, "file") == "0" * 32
        True
    """
    if _ID.fullmatch(text) is None:
        raise NotFound(f"there is no such {what}: ids are 32 letters of 0-9 and a-f")
    return text


def split_sound(text: str) -> tuple[str, int | None]:
    """Return the id of a file and None, or that of a job and the number of its stem.

    Raises:
        NotFound: if this is no id of a sound.

    Example:
        >>> split_sound("0" * 32 + "-2")[1]
        2
    """
    match = _SOUND.fullmatch(text)
    if match is None:
        raise NotFound("there is no such sound: its id is that of a file, or a job's with -0, -1, … behind it")
    return match[1], None if match[2] is None else int(match[2])


class DataFolder:
    """The files of the server; one server at a time.

    Args:
        root: made where it is missing, readable by its owner only.

    Raises:
        SettingsError: if it cannot be used, or another server uses it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: BinaryIO | None = None
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("files", "results", "work", "uploads"):
                (root / name).mkdir(exist_ok=True, mode=0o700)
            self._lock = (root / "lock").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise SettingsError(f"{root}: another studio uses this data folder: stop it, or give --data-dir") from error
        except OSError as error:
            self.close()
            raise SettingsError(f"{root}: cannot be used ({error.strerror}): give another --data-dir") from error
        for place in (root / "work", root / "uploads"):
            for left in place.iterdir():
                remove(left)

    @property
    def database(self) -> Path:
        """The data base."""
        return self.root / "studio.sqlite3"

    def file(self, file_id: str) -> Path:
        """Folder of an uploaded file: its bytes as they came, and what they were turned into."""
        return self.root / "files" / check_id(file_id, "file")

    def keep_original(self, file_id: str) -> None:
        """Remove what a file was turned into; what came from the client stays."""
        place = self.file(file_id)
        for made in place.iterdir() if place.is_dir() else ():
            if made.name not in {ORIGINAL, PAINT}:
                remove(made)

    def result(self, key: str) -> Path:
        """Folder of a finished separation."""
        if _KEY.fullmatch(key) is None:
            raise NotFound("there is no such result")
        return self.root / "results" / key

    def work(self) -> Path:
        """Return a new folder for a separation that is under way."""
        place = self.root / "work" / new_id()
        place.mkdir(mode=0o700)
        return place

    def upload(self) -> Path:
        """Return a new name for bytes that are coming in, or a file that is made to be sent."""
        return self.root / "uploads" / new_id()

    def results(self) -> Iterator[str]:
        """Yield the keys of all results."""
        for place in (self.root / "results").iterdir():
            if _KEY.fullmatch(place.name):
                yield place.name

    def files(self) -> Iterator[str]:
        """Yield the ids of all files that have a folder."""
        for place in (self.root / "files").iterdir():
            if _ID.fullmatch(place.name):
                yield place.name

    def free_bytes(self) -> int:
        """Return what is free on the disk."""
        return shutil.disk_usage(self.root).free

    def close(self) -> None:
        """Let another server use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def remove(place: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink()


def size_of(place: Path) -> int:
    """Return how many bytes lie in a folder.

    Example:
        >>> size_of(Path("/there/is/no/such/folder"))
        0
    """
    total = 0
    for here, _, names in os.walk(place):
        for name in names:
            with suppress(OSError):
                total += os.path.getsize(os.path.join(here, name))
    return total
