"""What the headers of many files say, read in parallel and remembered.

A dataset of thousands of files opens in seconds: nothing is decoded, and what was read once is kept in the user's cache
folder by path, size and time of change, so that a changed file is read again, and files that are gone are forgotten
little by little. A damaged cache is made anew; where it cannot be written, everything works without it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, dataclass, field
from pathlib import Path

import soundfile

from unbraid.audio.container_ranges import sound_tracks
from unbraid.audio.files import open_audio
from unbraid.audio.headers import Family, family_of, missing_bytes, mp3_tag
from unbraid.datasets.public.dataset import Recording
from unbraid.errors import AudioReadError, DatasetError

_TABLE = "CREATE TABLE IF NOT EXISTS headers (path TEXT PRIMARY KEY, size INT, mtime_ns INT, streams TEXT)"
_INSERT = "INSERT OR REPLACE INTO headers VALUES (?, ?, ?, ?)"
UNKNOWN_LENGTH = 1 << 50  # libsndfile reports frames beyond this where the file does not tell
_THREADS = 16


@dataclass(frozen=True)
class Header:
    """What a file says of one of its audio streams: rate in hertz, length in samples, channels."""

    sample_rate: int
    n_samples: int
    n_channels: int


@dataclass(frozen=True)
class Survey:
    """Headers of files, one for each stream, and why the others cannot be read."""

    headers: Mapping[Path, tuple[Header, ...]] = field(default_factory=dict)
    broken: Mapping[Path, str] = field(default_factory=dict)


def cache_file() -> Path:
    """Return where headers are remembered: ``unbraid/headers.sqlite`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "unbraid" / "headers.sqlite"


def probe(path: Path, *, stream: int = 0) -> Header:
    """Read the header of one file; see `survey` for many.

    Raises:
        DatasetError: if it is missing, damaged, cut off, or has no such stream.
    """
    found = survey([path])
    if path in found.broken:
        raise DatasetError(found.broken[path])
    streams = found.headers[path]
    if not 0 <= stream < len(streams):
        raise DatasetError(f"{path}: there is no audio stream {stream}, only {len(streams)}: get a complete copy")
    return streams[stream]


def recordings_of(paths: Iterable[Path], *, dataset: str) -> dict[Path, Recording]:
    """Return every file (its first stream) as a recording.

    Args:
        paths: of files that the dataset needs.
        dataset: its name, for the advice in the error.

    Raises:
        DatasetError: if one of them cannot be read.
    """
    return {path: streams[0] for path, streams in streams_of(paths, dataset=dataset).items()}


def streams_of(paths: Iterable[Path], *, dataset: str) -> dict[Path, tuple[Recording, ...]]:
    """Return all audio streams of every file as recordings; see `recordings_of`."""
    found = survey(paths)
    for reason in found.broken.values():
        raise DatasetError(f"{reason}; `unbraid datasets check {dataset} ROOT` lists all that is damaged")
    return {path: recordings(path, headers) for path, headers in found.headers.items()}


def recordings(path: Path, headers: Sequence[Header]) -> tuple[Recording, ...]:
    """Return the streams of a file, whose headers are known, as recordings."""
    return tuple(
        Recording(path, header.sample_rate, header.n_samples, header.n_channels, stream=number)
        for number, header in enumerate(headers)
    )


def survey(paths: Iterable[Path]) -> Survey:
    """Read the headers of many files, those that are not remembered in parallel.

    Returns:
        Headers in the order of the paths, and the reasons why files cannot be read; nothing is raised for them.
    """
    wanted = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_THREADS) as pool:
        states = dict(zip(wanted, pool.map(state_of, wanted), strict=True))
        known = _remembered(states)
        unknown = [path for path in wanted if path not in known]
        results = dict(zip(unknown, pool.map(_read, unknown), strict=True))
    fresh = {path: streams for path, streams in results.items() if not isinstance(streams, str)}
    _remember({path: (state, fresh[path]) for path, state in states.items() if state and path in fresh})
    headers = {path: known.get(path) or fresh[path] for path in wanted if path in known or path in fresh}
    return Survey(headers, {path: reason for path, reason in results.items() if isinstance(reason, str)})


def state_of(path: Path) -> tuple[int, int] | None:
    """Return size and time of change of a file, in nanoseconds; None where it cannot be seen.

    The system's own time counts too, which nothing sets back: archives and copies restore the other one.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, max(found.st_mtime_ns, found.st_ctime_ns)


def _read(path: Path) -> tuple[Header, ...] | str:
    """Read one file; a reason where that fails."""
    try:
        streams = _read_streams(path)
    except (AudioReadError, DatasetError) as error:
        return str(error)
    except (soundfile.LibsndfileError, OSError, ValueError):
        if not path.exists():
            return f"{path}: there is no such file: get it again"
        return f"{path}: damaged or of an unknown format: get a complete copy of the file"
    if any(header.n_samples <= 0 for header in streams):
        return f"{path}: the file holds no samples: get a complete copy of the file"
    return streams


def _read_streams(path: Path) -> tuple[Header, ...]:
    with path.open("rb") as file:
        family = family_of(file.read(16))
        if missing_bytes(file, family):
            raise DatasetError(f"{path}: the file is cut off, its end is missing: get a complete copy of it")
        tells_length = family is not Family.OTHER or mp3_tag(file)[1] is not None
    if family.is_container:
        return tuple(Header(one.sample_rate, one.n_samples, one.n_channels) for one in sound_tracks(path))
    if tells_length:
        found = soundfile.info(path)
        if found.frames < UNKNOWN_LENGTH:
            return (Header(int(found.samplerate), int(found.frames), int(found.channels)),)
    with open_audio(path) as reader:  # decodes the file once, to count
        return (Header(reader.sample_rate, reader.n_samples, reader.n_channels),)


def _remembered(states: Mapping[Path, tuple[int, int] | None]) -> dict[Path, tuple[Header, ...]]:
    """Return what the cache knows of files that have not changed since."""
    if not cache_file().is_file():
        return {}
    found = {}
    try:
        with closing(_open()) as cache:
            for path, state in states.items():
                query = "SELECT streams FROM headers WHERE path = ? AND size = ? AND mtime_ns = ?"
                row = cache.execute(query, (_key(path), *state)).fetchone() if state else None
                if row is not None:
                    found[path] = tuple(Header(*(int(value) for value in stream)) for stream in json.loads(row[0]))
    except (sqlite3.OperationalError, OSError):  # no table yet, or locked for long
        return {}
    except (sqlite3.DatabaseError, ValueError, TypeError):
        _forget()
        return {}
    return found


def _remember(found: Mapping[Path, tuple[tuple[int, int], tuple[Header, ...]]]) -> None:
    if not found:
        return
    rows = [
        (_key(path), *state, json.dumps([astuple(header) for header in streams]))
        for path, (state, streams) in found.items()
    ]
    for _ in range(2):
        try:
            cache_file().parent.mkdir(parents=True, exist_ok=True)
            with closing(_open()) as cache, cache:
                cache.execute(_TABLE)
                _prune(cache, 2 * len(rows))
                cache.executemany(_INSERT, rows)
        except sqlite3.OperationalError:  # locked for long, or no place to write
            return
        except sqlite3.DatabaseError:
            _forget()
        except OSError:
            return
        else:
            return


def _prune(cache: sqlite3.Connection, count: int) -> None:
    """Look at some of the oldest rows: those whose file is gone are forgotten, the others become the youngest.

    As more of them are looked at than are added, what is gone does not pile up, and no call waits for the whole table.
    """
    oldest = cache.execute("SELECT * FROM headers ORDER BY rowid LIMIT ?", (count,)).fetchall()
    cache.executemany("DELETE FROM headers WHERE path = ?", [(row[0],) for row in oldest])
    cache.executemany(_INSERT, [row for row in oldest if os.path.exists(row[0])])


def _open() -> sqlite3.Connection:
    return sqlite3.connect(cache_file(), timeout=30)


def _forget() -> None:
    try:
        cache_file().unlink(missing_ok=True)
    except OSError:
        return


def _key(path: Path) -> str:
    return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
