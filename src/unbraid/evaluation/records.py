"""What an evaluation found out: one line of JSON per item and prompt, in a file that a killed run can continue.

Each line carries all that made it, so that any number in a report can be traced and replayed.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unbraid.errors import DatasetError, SettingsError


@dataclass(frozen=True)
class SourceScore:
    """Scores of one reference; ratios in decibels, None where undefined.

    ``estimate`` names the output it was matched with, ``stems`` what it was summed from, ``level_db`` is the energy
    of the estimate relative to the mixture.
    """

    stems: tuple[str, ...]
    estimate: str
    si_sdr: float | None
    si_sdr_mixture: float | None
    snr: float | None
    sdr: float | None
    level_db: float | None
    presence: float | None


@dataclass(frozen=True)
class Record:
    """One prompt of one item, as one model answered it.

    ``key`` is the same for all records of one pass over one item, and ``block`` is how many there are; scores are
    means over the prompt's sources (one, but for repeated prompts). In the absent-prompt mode there is no reference:
    only ``level_db`` and ``presence`` are there. ``others`` has, where a protocol asks for it, the score of the same
    output against a source that is not the one asked for, in the order of ``sources``, and ``more`` the scores that
    only some protocols give, by their names.
    """

    key: str
    block: int
    protocol: str
    mode: str
    item_set: str
    item: str
    fingerprint: str
    prompt: str
    asked: tuple[str, ...]
    model: str
    weights: str
    settings: Mapping[str, Any]
    seed: int
    n_channels: int
    sample_rate: int
    duration: float
    seconds: float
    si_sdr: float | None
    si_sdr_improvement: float | None
    snr: float | None
    sdr: float | None
    level_db: float | None
    presence: float | None
    sources: tuple[SourceScore, ...]
    provenance: Mapping[str, Any]
    others: tuple[SourceScore, ...] = ()
    more: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the line, without its end."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Read a line back.

        Raises:
            ValueError: if this is not a record.
        """
        try:
            values = json.loads(line)
            sources, others = _scores(values["sources"]), _scores(values.get("others", ()))
            return cls(**{**values, "asked": tuple(values["asked"]), "sources": sources, "others": others})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a record: {error}") from error


@dataclass(frozen=True, eq=False)
class Heard:
    """What a record was made from: mixture, estimate and, where there is one, reference, ``[C, N]`` at one rate.

    Of several sources of one prompt it is the first.
    """

    record: Record
    mixture: Tensor
    estimate: Tensor
    reference: Tensor | None


class RecordFile:
    """The records of a run, appended pass by pass.

    What a killed run left half-written (a broken last line, an incomplete pass) is dropped when the file is opened;
    finished passes are kept and need not be repeated. Several processes may append to one file: passes stay whole.

    Args:
        path: a ``.jsonl`` file; it and its folder are made if missing.

    Raises:
        DatasetError: if the file holds something else.
        SettingsError: if its folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{path.parent}: cannot make this folder ({error.strerror}): give another") from error
        lines = self._read().decode("utf-8", errors="replace").split("\n")
        last = lines.pop()
        found = [self._parse(line, number) for number, line in enumerate(lines, start=1)]
        counts: dict[str, int] = {}
        for record in found:
            counts[record.key] = counts.get(record.key, 0) + 1
        self._passes: dict[str, list[Record]] = {}
        for record in found:
            if counts[record.key] == record.block:
                self._passes.setdefault(record.key, []).append(record)
        if last or len(self.records) < len(found):
            self._rewrite()

    @property
    def records(self) -> tuple[Record, ...]:
        """All finished records, oldest first."""
        return tuple(record for records in self._passes.values() for record in records)

    def find(self, key: str) -> tuple[Record, ...]:
        """Return the records of a finished pass, or nothing."""
        return tuple(self._passes.get(key, ()))

    def append(self, records: Sequence[Record], *, heard: Sequence[Heard] = ()) -> None:
        """Add all records of one pass.

        Args:
            records: of the pass.
            heard: the sounds behind them; a file of records keeps none.

        Raises:
            ValueError: if the pass is not complete.
        """
        if any(record.block != len(records) or record.key != records[0].key for record in records):
            raise ValueError("records are appended one complete pass at a time")
        if records and records[0].key in self._passes:
            raise ValueError(f"pass {records[0].key} is already in {self.path}")
        del heard
        text = "".join(record.to_json() + "\n" for record in records).encode("utf-8")
        with _locked(self.path) as file:
            os.write(file, text)
        self._passes.update({records[0].key: list(records)} if records else {})

    def _read(self) -> bytes:
        """Return what the file holds, while nobody is writing."""
        if not self.path.exists():
            return b""
        with _locked(self.path):
            return self.path.read_bytes()

    def _parse(self, line: str, number: int) -> Record:
        try:
            return Record.from_json(line)
        except ValueError as error:
            raise DatasetError(f"{self.path}, line {number}: {error}; move the file away or choose another") from error

    def _rewrite(self) -> None:
        temporary = self.path.with_name(self.path.name + ".part")
        temporary.write_text("".join(record.to_json() + "\n" for record in self.records), encoding="utf-8")
        temporary.replace(self.path)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file for appending while no other process has it open like that."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _scores(found: Sequence[Mapping[str, Any]]) -> tuple[SourceScore, ...]:
    return tuple(SourceScore(**{**one, "stems": tuple(one["stems"])}) for one in found)


def pass_key(**parts: object) -> str:
    """Return a name for one pass that changes with anything that could change its result."""
    text = json.dumps({**parts, "unbraid": version("unbraid")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def finite(value: float) -> float | None:
    """Return the value, or None for nan, which JSON cannot hold."""
    return None if math.isnan(value) else value


def mean_of(values: Sequence[float | None]) -> float | None:
    """Average what is defined; None if nothing is.

    Example:
        >>> mean_of([1.0, None, 3.0])
        2.0
    """
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


@functools.cache
def provenance() -> dict[str, Any]:
    """Say what this program and machine are: date, versions, commit of a checkout, processor, threads."""
    return {
        "date": date.today().isoformat(),
        "unbraid": version("unbraid"),
        "commit": _commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def processor_name() -> str:
    """Return the processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the checkout that this file belongs to; None for an installed package."""
    here = Path(__file__)
    questions = (["ls-files", "--error-unmatch", here.name], ["describe", "--always", "--dirty", "--abbrev=12"])
    answer = ""
    for question in questions:
        command = ["git", "-C", str(here.parent), *question]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None
    return answer
