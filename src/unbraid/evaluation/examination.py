"""An examination: units that are examined one after the other or on several processes, into one file of records.

A run that was killed goes on: passes that the file holds are not made again.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from unbraid.datasets.parallel import open_pool
from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.records import RecordFile

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Unit:
    """One piece of an examination: a track, with all that is asked about it; nothing is read before it is examined."""

    name: str
    examine: Callable[[Sequence[Contestant], RecordFile], Evaluation]


class Enter(Protocol):
    """Loads the models; hashable, and can be sent to another process."""

    def enter(self) -> list[Contestant]:
        """Return who takes part."""
        ...

    def __hash__(self) -> int:
        """Tell it from others."""
        ...


class Examination(ABC):
    """What is asked about which tracks; hashable, and can be sent to another process."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called."""

    @property
    def score(self) -> str:
        """The score that its plots show and its cases are ranked by."""
        return "si_sdr"

    @abstractmethod
    def units(self) -> list[Unit]:
        """Find what is examined, always in the same order.

        Raises:
            DatasetError: if there is nothing, or not what is needed.
        """

    @abstractmethod
    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Write the results as Markdown: file name to page.

        Args:
            evaluation: of this run; at least one record.
            records: the file, with what other runs have left there.
        """

    def records(self, path: Path) -> RecordFile:
        """Open the file that the records go to."""
        return RecordFile(path)

    def summary(self, evaluation: Evaluation) -> str:
        """Return what is worth a look at once."""
        del evaluation
        return ""

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return published values of a target, by the name of their row."""
        del item_set, mode, target
        return {}


@dataclass(frozen=True)
class Run:
    """What a run has found: its units, and the results of each in their order."""

    units: tuple[Unit, ...]
    by_unit: tuple[Evaluation, ...]

    @property
    def evaluation(self) -> Evaluation:
        """All of it."""
        return Evaluation(
            tuple(record for one in self.by_unit for record in one.records),
            tuple(skipped for one in self.by_unit for skipped in one.skipped),
        )


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """Remove a folder, and those above it, that a failure would leave behind new and empty.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as root:
        ...     try:
        ...         with no_empty_folder(Path(root, "a", "b")):
        ...             Path(root, "a", "b").mkdir(parents=True)
        ...             raise ValueError
        ...     except ValueError:
        ...         print(list(Path(root).iterdir()))
        []
    """
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    except BaseException:
        with suppress(OSError):  # where one is in use, all above it are
            for one in new:
                one.rmdir()
        raise


def run_examination(
    examination: Examination,
    entrants: Enter,
    path: Path,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Run:
    """Examine all units.

    Args:
        examination: what is asked.
        entrants: who is asked.
        path: of the file of records; what it holds already is not asked again.
        processes: how many units at a time; with more than one every process loads the models for itself, and the
            processor's threads are divided among them.
        progress: called with the fraction of units that are done, 0..1.

    Returns:
        The records of exactly these units and models.

    Raises:
        SettingsError: if ``processes`` is below 1.
        DatasetError: if a unit cannot be read, or a process was killed.
    """
    if processes < 1:
        raise SettingsError(f"cannot work with {processes} processes: ask for 1 or more")
    report = progress or (lambda fraction: None)
    units = examination.units()
    records = examination.records(path)  # drops what a killed run left half-written, before others open the file
    n_processes = min(processes, len(units))
    if n_processes > 1:
        return Run(tuple(units), _share(examination, entrants, path, len(units), n_processes, report))
    contestants = entrants.enter()
    found = []
    for number, unit in enumerate(units, start=1):
        found.append(unit.examine(contestants, records))
        report(number / len(units))
    return Run(tuple(units), tuple(found))


def _share(
    examination: Examination, entrants: Enter, path: Path, n_units: int, n_processes: int, report: Progress
) -> tuple[Evaluation, ...]:
    """Examine all units on several processes."""
    work = functools.partial(_examine, examination, entrants, path, max(1, torch.get_num_threads() // n_processes))
    with open_pool(n_processes) as pool:
        waiting = [pool.submit(work, index) for index in range(n_units)]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                report(done / n_units)
        except BrokenProcessPool as error:
            raise DatasetError(
                "a process was killed: free some memory or ask for fewer --processes; the same call goes on"
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return tuple(future.result() for future in waiting)


def _examine(examination: Examination, entrants: Enter, path: Path, n_threads: int, index: int) -> Evaluation:
    """Examine one unit in a process of its own."""
    units, contestants, records = _desk(examination, entrants, path, n_threads)
    return units[index].examine(contestants, records)


@functools.cache
def _desk(
    examination: Examination, entrants: Enter, path: Path, n_threads: int
) -> tuple[list[Unit], list[Contestant], RecordFile]:
    """Prepare a process, once."""
    torch.set_num_threads(n_threads)
    return examination.units(), entrants.enter(), examination.records(path)
