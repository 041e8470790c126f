"""The data base: sessions, files, takes and jobs, in SQLite with a write-ahead log.

Whatever was answered to a client has been committed before, so that it survives the end of the process at any point.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unbraid.errors import SettingsError
from unbraid.server.records import FileRow, JobRow, SessionRow, TakeRow
from unbraid.server.refusals import NotFound

VERSION = 1
_SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, page TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
    served REAL NOT NULL
) STRICT;
CREATE TABLE files (
    id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, name TEXT NOT NULL,
    kind TEXT, state TEXT NOT NULL, error TEXT, created REAL NOT NULL, size_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, sample_rate INTEGER, n_channels INTEGER, n_samples INTEGER,
    depth TEXT, attempts INTEGER NOT NULL
) STRICT;
CREATE TABLE takes (
    id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    song TEXT NOT NULL REFERENCES files, title TEXT NOT NULL, parent TEXT, created REAL NOT NULL,
    targets TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL
) STRICT;
CREATE TABLE take_files (
    take TEXT NOT NULL REFERENCES takes ON DELETE CASCADE, file TEXT NOT NULL REFERENCES files, UNIQUE (take, file)
) STRICT;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, take TEXT NOT NULL REFERENCES takes ON DELETE CASCADE,
    session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, key TEXT NOT NULL, state TEXT NOT NULL, error TEXT,
    region_start REAL, region_stop REAL, created REAL NOT NULL, attempts INTEGER NOT NULL, cached INTEGER NOT NULL,
    result TEXT, stored_bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX files_of_session ON files (session);
CREATE INDEX takes_of_session ON takes (session);
CREATE INDEX jobs_of_take ON jobs (take);
CREATE INDEX jobs_of_session ON jobs (session);
CREATE INDEX jobs_by_key ON jobs (key);
CREATE INDEX jobs_by_state ON jobs (state);
"""
OPEN_STATES = ("waiting", "running")


class Store:
    """One connection, one lock: every method is one transaction.

    Args:
        path: of the data base; made if it is missing.

    Raises:
        SettingsError: if it is damaged, of another version, or held by another program.

    Example:
        >>> store = Store(Path(":memory:"))
        >>> store.add_session(SessionRow("0" * 32, title="Demo"))
        >>> store.session("0" * 32).title
        'Demo'
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._base.row_factory = sqlite3.Row
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute("PRAGMA foreign_keys = ON")
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            raise SettingsError(
                f"{path}: cannot be read ({error}): close what else uses it, or give another --data-dir"
            ) from error

    def _prepare(self, path: Path) -> None:
        self._base.executescript("BEGIN IMMEDIATE; COMMIT;")  # fails where another program holds it
        [found] = self._base.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise SettingsError(f"{path}: is damaged ({' '.join(found.split())}): give another --data-dir")
        [version] = self._base.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._base.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise SettingsError(f"{path}: is of version {version}, and this is {VERSION}: give another --data-dir")

    def close(self) -> None:
        """Close the data base."""
        with self._lock:
            self._base.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do several things at once, or none of them."""
        with self._lock:
            if self._base.in_transaction:
                yield self._base
                return
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # SQLite itself gives up some, such as those that find the disk full
                    self._base.execute("ROLLBACK")
                raise

    def _all(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def _one(self, what: str, query: str, *values: object) -> sqlite3.Row:
        rows = self._all(query, *values)
        if not rows:
            raise NotFound(f"there is no such {what}: it may have been removed, reload the page")
        return rows[0]

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        names, holes = ", ".join(values), ", ".join("?" * len(values))
        with self.transaction() as base:
            base.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", list(values.values()))

    def _update(self, table: str, row_id: str, values: dict[str, Any]) -> bool:
        assignments = ", ".join(f"{name} = ?" for name in values)
        with self.transaction() as base:
            done = base.execute(f"UPDATE {table} SET {assignments} WHERE id = ?", [*values.values(), row_id])
            return done.rowcount > 0

    # sessions

    def add_session(self, row: SessionRow) -> None:
        """Keep a new session."""
        self._insert("sessions", row.to_columns())

    def session(self, session_id: str) -> SessionRow:
        """Return a session.

        Raises:
            NotFound: if there is none of this id.
        """
        return SessionRow.from_columns(self._one("session", "SELECT * FROM sessions WHERE id = ?", session_id))

    def sessions(self) -> list[SessionRow]:
        """Return all sessions, the one used last first."""
        return [SessionRow.from_columns(row) for row in self._all("SELECT * FROM sessions ORDER BY used DESC, id")]

    def change_session(self, session_id: str, **values: Any) -> None:
        """Change columns of a session: title, page, used, served."""
        self._update("sessions", session_id, SessionRow.encode(values))

    def remove_session(self, session_id: str) -> None:
        """Remove a session with its files, takes and jobs."""
        with self.transaction() as base:
            for table, column in (("jobs", "session"), ("takes", "session"), ("files", "session"), ("sessions", "id")):
                base.execute(f"DELETE FROM {table} WHERE {column} = ?", [session_id])

    def unused_sessions(self, before: float) -> list[str]:
        """Return the sessions that nobody has used since."""
        return [row["id"] for row in self._all("SELECT id FROM sessions WHERE used < ?", before)]

    def stored_bytes(self, session_id: str) -> int:
        """Return what the files and results of a session take on the disk; a result that is shared counts once."""
        [files] = self._all("SELECT coalesce(sum(stored_bytes), 0) AS n FROM files WHERE session = ?", session_id)
        [results] = self._all(
            "SELECT coalesce(sum(n), 0) AS n FROM "
            "(SELECT max(stored_bytes) AS n FROM jobs WHERE session = ? GROUP BY key)",
            session_id,
        )
        return int(files["n"]) + int(results["n"])

    # files

    def add_file(self, row: FileRow) -> None:
        """Keep a new file."""
        self._insert("files", row.to_columns())

    def file(self, file_id: str) -> FileRow:
        """Return a file.

        Raises:
            NotFound: if there is none of this id.
        """
        return FileRow.from_columns(self._one("file", "SELECT * FROM files WHERE id = ?", file_id))

    def files(self, session_id: str) -> list[FileRow]:
        """Return the files of a session, in the order in which they came."""
        rows = self._all("SELECT * FROM files WHERE session = ? ORDER BY created, id", session_id)
        return [FileRow.from_columns(row) for row in rows]

    def files_in_state(self, state: str) -> list[FileRow]:
        """Return the files of all sessions that are in a state."""
        rows = self._all("SELECT * FROM files WHERE state = ? ORDER BY created, id", state)
        return [FileRow.from_columns(row) for row in rows]

    def file_ids(self) -> set[str]:
        """Return the ids of all files."""
        return {row["id"] for row in self._all("SELECT id FROM files")}

    def change_file(self, file_id: str, **values: Any) -> bool:
        """Change columns of a file; False if it is gone."""
        return self._update("files", file_id, values)

    def is_in_use(self, file_id: str) -> bool:
        """Whether a take needs a file."""
        return bool(self._all("SELECT 1 FROM take_files WHERE file = ? LIMIT 1", file_id))

    def remove_file(self, file_id: str) -> None:
        """Remove a file that no take uses."""
        with self.transaction() as base:
            base.execute("DELETE FROM files WHERE id = ?", [file_id])

    # takes

    def add_take(self, row: TakeRow, files: Sequence[str]) -> None:
        """Keep a new take, with the files that it needs."""
        with self.transaction() as base:
            self._insert("takes", row.to_columns())
            base.executemany(
                "INSERT OR IGNORE INTO take_files VALUES (?, ?)", [(row.id, one) for one in (row.song, *files)]
            )

    def take(self, take_id: str) -> TakeRow:
        """Return a take.

        Raises:
            NotFound: if there is none of this id.
        """
        return TakeRow.from_columns(self._one("take", "SELECT * FROM takes WHERE id = ?", take_id))

    def takes(self, session_id: str) -> list[TakeRow]:
        """Return the takes of a session, the first one first."""
        rows = self._all("SELECT * FROM takes WHERE session = ? ORDER BY created, id", session_id)
        return [TakeRow.from_columns(row) for row in rows]

    def files_of_take(self, take_id: str) -> list[FileRow]:
        """Return the files that a take needs, its song among them."""
        rows = self._all(
            "SELECT files.* FROM files JOIN take_files ON take_files.file = files.id WHERE take = ?", take_id
        )
        return [FileRow.from_columns(row) for row in rows]

    def change_take(self, take_id: str, *, title: str) -> None:
        """Give a take another title."""
        self._update("takes", take_id, {"title": title})

    def remove_take(self, take_id: str) -> None:
        """Remove a take and its jobs."""
        with self.transaction() as base:
            base.execute("DELETE FROM takes WHERE id = ?", [take_id])

    # jobs

    def add_job(self, row: JobRow) -> None:
        """Keep a new job."""
        self._insert("jobs", row.to_columns())

    def job(self, job_id: str) -> JobRow:
        """Return a job.

        Raises:
            NotFound: if there is none of this id.
        """
        return JobRow.from_columns(self._one("job", "SELECT * FROM jobs WHERE id = ?", job_id))

    def jobs(self, *, take: str | None = None, key: str | None = None, session: str | None = None) -> list[JobRow]:
        """Return the jobs of a take, of a key, or of a session, the first one first."""
        column, value = ("take", take) if take else ("key", key) if key else ("session", session)
        rows = self._all(f"SELECT * FROM jobs WHERE {column} = ? ORDER BY created, id", value)
        return [JobRow.from_columns(row) for row in rows]

    def open_jobs(self, session: str | None = None) -> list[JobRow]:
        """Return the jobs that wait or run: those of a session, or all; in the order in which they are due.

        Sessions that were served last come last; within one, regions come before whole songs.
        """
        rows = self._all(
            "SELECT jobs.* FROM jobs JOIN sessions ON sessions.id = jobs.session "
            "WHERE state IN ('waiting', 'running') AND (? IS NULL OR session = ?) "
            "ORDER BY sessions.served, region_start IS NULL, jobs.created, jobs.id",
            session,
            session,
        )
        return [JobRow.from_columns(row) for row in rows]

    def change_job(self, job_id: str, **values: Any) -> bool:
        """Change columns of a job; False if it is gone."""
        return self._update("jobs", job_id, JobRow.encode(values))

    def keys(self) -> set[str]:
        """Return the keys that jobs need."""
        return {row["key"] for row in self._all("SELECT DISTINCT key FROM jobs")}

    def count(self, table: str) -> dict[str, int]:
        """Count files or jobs by their state, or the rows of another table."""
        if table in {"files", "jobs"}:
            rows = self._all(f"SELECT state, count(*) AS n FROM {table} GROUP BY state")
            return {row["state"]: row["n"] for row in rows}
        [row] = self._all(f"SELECT count(*) AS n FROM {table}")
        return {"": row["n"]}


def now() -> float:
    """Return the time, in seconds since 1970."""
    return time.time()


def to_text(value: object) -> str:
    """Return JSON in its shortest, sorted form: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
