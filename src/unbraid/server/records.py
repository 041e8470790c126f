"""Rows of the data base as values."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class _Row:
    """A row; the columns that ``as_json`` names hold JSON."""

    as_json: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def encode(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return values as they are stored."""
        return {
            name: json.dumps(value, allow_nan=False) if name in cls.as_json and value is not None else value
            for name, value in values.items()
        }

    def to_columns(self) -> dict[str, Any]:
        """Return all columns."""
        return self.encode({one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def from_columns(cls, row: sqlite3.Row) -> Self:
        """Build from what was stored."""
        values = {one.name: row[one.name] for one in fields(cls)}
        return cls(**{
            name: json.loads(value) if name in cls.as_json and value is not None else value
            for name, value in values.items()
        })  # fmt: skip


@dataclass(frozen=True)
class SessionRow(_Row):
    """A session; ``served`` is when its last job began, for fairness."""

    as_json: ClassVar[frozenset[str]] = frozenset({"page"})
    id: str
    title: str = ""
    page: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)
    served: float = 0.0


@dataclass(frozen=True)
class FileRow(_Row):
    """A file: ``depth`` is what stems of it are stored with by default."""

    id: str
    session: str
    name: str
    size_bytes: int
    sha256: str
    kind: str | None = None
    state: str = "analyzing"
    error: str | None = None
    created: float = field(default_factory=time.time)
    stored_bytes: int = 0
    sample_rate: int | None = None
    n_channels: int | None = None
    n_samples: int | None = None
    depth: str | None = None
    attempts: int = 0

    @property
    def duration(self) -> float | None:
        """Length in seconds, of sound."""
        return None if self.n_samples is None or not self.sample_rate else self.n_samples / self.sample_rate


@dataclass(frozen=True)
class TakeRow(_Row):
    """A take: what was asked for."""

    as_json: ClassVar[frozenset[str]] = frozenset({"targets", "settings"})
    id: str
    session: str
    song: str
    targets: list[Any]
    model: str
    settings: dict[str, Any]
    title: str = ""
    parent: str | None = None
    created: float = field(default_factory=time.time)


@dataclass(frozen=True)
class JobRow(_Row):
    """A job: one separation of a take; ``key`` tells what it computes, ``result`` what came of it."""

    as_json: ClassVar[frozenset[str]] = frozenset({"result"})
    id: str
    take: str
    session: str
    key: str
    state: str = "waiting"
    error: str | None = None
    region_start: float | None = None
    region_stop: float | None = None
    created: float = field(default_factory=time.time)
    attempts: int = 0
    cached: int = 0
    result: dict[str, Any] | None = None
    stored_bytes: int = 0

    @property
    def region(self) -> tuple[float, float] | None:
        """First and last second; None for the whole song."""
        if self.region_start is None or self.region_stop is None:
            return None
        return self.region_start, self.region_stop
