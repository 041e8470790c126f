"""What has to be heard to be known of many stems, measured in parallel and remembered.

Like headers, measurements are kept in the user's cache folder by path, size and time of change of the files; a damaged
cache is made anew, and where it cannot be written everything works without it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from unbraid.datasets.public.dataset import Stem
from unbraid.datasets.public.headers import cache_file, state_of

Value = TypeVar("Value")

_TABLE = "CREATE TABLE IF NOT EXISTS measurements (key TEXT PRIMARY KEY, value TEXT)"
_THREADS = 4  # each holds a whole stem in memory
_CHUNK = 256


def measure(stems: Sequence[Stem], name: str, function: Callable[[Stem], Value]) -> list[Value]:
    """Measure stems; what was measured before is not measured again.

    Args:
        stems: to be measured.
        name: of what is measured, with all settings: another name is another measurement.
        function: measures one stem; returns what JSON can hold.

    Returns:
        One value for each stem, as JSON holds it: tuples come back as lists.

    Raises:
        DatasetError: whatever the function raises.
    """
    values: list[Value] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for first in range(0, len(stems), _CHUNK):
            some = stems[first : first + _CHUNK]
            keys = [_key(name, stem) for stem in some]
            known = _remembered(keys)
            unknown = {key: stem for key, stem in zip(keys, some, strict=True) if key not in known}
            heard = pool.map(function, unknown.values())
            fresh = {key: json.dumps(value) for key, value in zip(unknown, heard, strict=True)}
            _remember(fresh)
            values += [json.loads((known | fresh)[key]) for key in keys]
    return values


def _file() -> Path:
    return cache_file().with_name("measurements.sqlite")


def _key(name: str, stem: Stem) -> str:
    """Name a measurement of a stem as long as none of its files changes."""
    facts: list[object] = [name]
    for recording in stem.recordings:
        facts += [str(recording.path.absolute()), state_of(recording.path)]
        facts += [recording.start, recording.n_samples, recording.stream, recording.gain]
    return hashlib.blake2b(json.dumps(facts).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _remembered(keys: Iterable[str]) -> dict[str, str]:
    if not _file().is_file():
        return {}
    found = {}
    try:
        with closing(sqlite3.connect(_file(), timeout=30)) as cache:
            for key in keys:
                row = cache.execute("SELECT value FROM measurements WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    json.loads(row[0])
                    found[key] = str(row[0])
    except sqlite3.OperationalError:  # locked for long, or not readable
        return {}
    except (sqlite3.DatabaseError, ValueError, TypeError):
        _forget()
        return {}
    return found


def _remember(values: Mapping[str, str]) -> None:
    if not values:
        return
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(_file(), timeout=30)) as cache, cache:
            cache.execute(_TABLE)
            cache.executemany("INSERT OR REPLACE INTO measurements VALUES (?, ?)", list(values.items()))
    except (sqlite3.DatabaseError, OSError):  # no place to write: it is measured again the next time
        return


def _forget() -> None:
    try:
        _file().unlink(missing_ok=True)
    except OSError:
        return
