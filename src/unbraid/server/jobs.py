"""The queue: which job runs where, what has become of it, and what happens when a process dies.

Jobs with the same key are one computation; whoever asks for it second shares it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbraid.errors import UnbraidError
from unbraid.server import worker
from unbraid.server.folder import DataFolder, new_id, remove
from unbraid.server.processes import begin, stop
from unbraid.server.records import JobRow
from unbraid.server.store import Store, now
from unbraid.server.turns import is_urgent

MAX_ATTEMPTS = 3
WHOLE_SONGS = 4  # that a worker takes at a time, of as many sessions, in turns
LONG_SECONDS = 1200.0  # of a song; one place is kept for shorter ones
TRUSTED_SECONDS = 60.0  # that a job must get through before it shares a process again, once one has ended under it
_log = logging.getLogger(__name__)
_POISON = (
    f"the process that separates ended {MAX_ATTEMPTS} times while it worked on this, perhaps because there was not "
    "enough memory: choose a region, or a smaller model"
)


@dataclass(eq=False)
class Live:
    """A separation under way.

    Args:
        key: of the computation.
        token: by which its worker knows it.
        session: of the job that began it.
        order: what the worker was told.
        n_samples: that there will be.
        n_suspect: of them, which it must get through alone, as a process has ended under it.
        names: of its stems, as soon as they are known.
        n_final: samples that are there.
        is_cancelled: whether the worker was told to stop it.
    """

    key: str
    token: str
    session: str
    order: worker.Order
    n_samples: int
    n_suspect: int = 0
    names: tuple[str, ...] = ()
    n_final: int = 0
    is_cancelled: bool = False

    @property
    def progress(self) -> float:
        """Fraction done."""
        return min(1.0, self.n_final / self.n_samples)

    @property
    def folder(self) -> Path:
        """Where the stems grow."""
        return self.order.folder

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before whole songs."""
        return is_urgent(self.order.region)

    @property
    def is_long(self) -> bool:
        """Whether it will take long, as songs go."""
        return self.n_samples > LONG_SECONDS * self.order.song_format.sample_rate

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ended a process."""
        return self.n_final < self.n_suspect


@dataclass(eq=False)
class _Station:
    """A worker process: it takes one short region, and a whole song of each of some sessions, at a time.

    Args:
        device: that it computes on.
        process: None while it is started.
        connection: to it.
        running: what it separates, by token.
        begun: when it was started.
        stepping: token of what had its turn last.
        n_models: in its memory.
        models_bytes: of their weights.
        is_kept: whether a song waits for models to go, so that none behind it begins.
    """

    device: str
    process: Any = None
    connection: Any = None
    running: dict[str, Live] = field(default_factory=dict)
    begun: float = 0.0
    stepping: str | None = None
    n_models: int = 0
    models_bytes: int = 0
    is_kept: bool = False

    def has_room(self, job: JobRow) -> bool:
        """Whether a job may begin; one under which a process has ended shares it with no other of its kind."""
        same = self._equals(is_urgent(job.region))
        if self.process is None or not same:
            return self.process is not None
        if is_urgent(job.region) or self.is_kept or job.attempts or any(live.is_suspect for live in same):
            return False
        return len(same) < WHOLE_SONGS and all(live.session != job.session for live in same)

    def admits(self, live: Live, *, models_bytes: int) -> bool:
        """Whether a separation may begin, now that its song and model are known; short regions always may.

        Of those that take turns, the models must have room beside each other, and long songs leave one place free.
        """
        same = self._equals(False)
        if live.is_urgent or not same:
            return True
        models = {one.order.model: one.order.model_bytes for one in (*self.running.values(), live)}
        self.is_kept = sum(models.values()) > models_bytes
        n_long = sum(one.is_long for one in same)
        return not self.is_kept and not (live.is_long and n_long >= WHOLE_SONGS - 1)

    def _equals(self, urgent: bool) -> list[Live]:
        return [live for live in self.running.values() if live.is_urgent == urgent]


class Scheduler:
    """Hands jobs to worker processes, one for each device.

    Args:
        store: where jobs are kept.
        folder: where results go.
        devices: ``cpu``, ``cuda:0``, ….
        models_bytes: of the weights that a worker may hold.
        order: makes the order for a job, or returns None while its files are not ready; may raise an UnbraidError.
        changed: called with jobs that have changed, after that has been stored.
    """

    def __init__(
        self,
        store: Store,
        folder: DataFolder,
        *,
        devices: Sequence[str],
        models_bytes: int,
        order: Callable[[JobRow, str, Path], worker.Order | None],
        changed: Callable[[Sequence[JobRow]], None],
    ) -> None:
        self._store = store
        self._folder = folder
        self._models_bytes = models_bytes
        self._order = order
        self._changed = changed
        self._lock = threading.RLock()
        self._stations = [_Station(device) for device in devices]
        self._live: dict[str, Live] = {}
        self._is_closed = False
        self.n_restarts = 0

    def start(self) -> None:
        """Begin, with what had been left undone."""
        for job in self._store.open_jobs():
            if job.state == "running":
                self._store.change_job(job.id, state="waiting")
        for station in self._stations:
            self._open(station)
        self.poke()

    def close(self) -> None:
        """Stop all work; what runs will be run again."""
        with self._lock:
            self._is_closed = True
            for live in self._live.values():
                for job in self._sharing(live.key):
                    self._store.change_job(job.id, state="waiting", attempts=max(0, job.attempts - 1))
            self._live.clear()
            stations = [(one.process, one.connection) for one in self._stations if one.process is not None]
            for one in self._stations:
                one.process = None
        for process, connection in stations:
            stop(process, connection)

    def live(self, key: str) -> Live | None:
        """Return what is under way for a key."""
        return self._live.get(key)

    @property
    def alive(self) -> dict[str, bool]:
        """Whether the process of each device runs."""
        with self._lock:
            return {one.device: one.process is not None and one.process.is_alive() for one in self._stations}

    @property
    def models(self) -> dict[str, tuple[int, int]]:
        """How many models lie in the memory of each device's process, and what their weights take."""
        return {one.device: (one.n_models, one.models_bytes) for one in self._stations}

    def cancel(self, job_id: str) -> JobRow:
        """Cancel a job that waits or runs; the computation goes on if others share it."""
        with self._lock:
            job = self._store.job(job_id)
            if job.state not in {"waiting", "running"}:
                return job
            self._store.change_job(job_id, state="cancelled")
            self._drop_if_alone(job.key)
            job = self._store.job(job_id)
        self._changed([job])
        self.poke()
        return job

    def forget(self, keys: Sequence[str]) -> None:
        """Stop computations that nobody waits for any more, their jobs having been removed."""
        with self._lock:
            for key in keys:
                self._drop_if_alone(key)
        self.poke()

    def _drop_if_alone(self, key: str) -> None:
        live = self._live.get(key)
        if live is None or self._sharing(key):
            return
        live.is_cancelled = True
        for station in self._stations:
            if live.token in station.running and station.connection is not None:
                _say(station, ("cancel", live.token))

    def _sharing(self, key: str) -> list[JobRow]:
        return [job for job in self._store.jobs(key=key) if job.state in {"waiting", "running"}]

    def poke(self) -> None:
        """Hand out what can be handed out."""
        changed: list[JobRow] = []
        with self._lock:
            if self._is_closed:
                return
            for station in self._stations:
                station.is_kept = False
            for job in self._store.open_jobs():
                if job.state == "waiting" or job.key not in self._live:
                    changed += self._try_begin(job)
        if changed:
            self._changed(changed)

    def _try_begin(self, job: JobRow) -> list[JobRow]:
        """Answer a job from what is there, share what is under way, or begin it; return what has changed."""
        live = self._live.get(job.key)
        if live is not None:
            if live.is_cancelled:
                return []
            self._store.change_job(job.id, state="running")
            return [self._store.job(job.id)]
        result = self._result(job.key)
        if result is not None:
            return self._settle(job, result, cached=1)
        stations = sorted((one for one in self._stations if one.has_room(job)), key=lambda one: len(one.running))
        if not stations:
            return []
        if job.attempts >= MAX_ATTEMPTS:
            return self._fail([job], _POISON)
        return self._begin(job, stations)

    def _begin(self, job: JobRow, stations: Sequence[_Station]) -> list[JobRow]:
        token, folder = new_id(), self._folder.work()
        try:
            order = self._order(job, token, folder)
        except (UnbraidError, OSError) as error:
            remove(folder)
            return self._fail([job], str(error))
        live = None if order is None else _live_of(job, order)
        station = next((one for one in stations if live and one.admits(live, models_bytes=self._models_bytes)), None)
        if live is None or station is None:
            remove(folder)
            return []
        self._live[job.key] = live
        station.running[token] = live
        self._store.change_job(job.id, state="running", attempts=job.attempts + 1)
        self._store.change_session(job.session, served=now())
        _say(station, ("run", order))
        return [self._store.job(job.id)]

    def _result(self, key: str) -> dict[str, Any] | None:
        """Return the description of a finished result, if there is one."""
        try:
            found: dict[str, Any] = json.loads((self._folder.result(key) / worker.RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found

    def _settle(self, job: JobRow, result: dict[str, Any], *, cached: int) -> list[JobRow]:
        self._store.change_job(
            job.id, state="done", error=None, result=result, cached=cached, stored_bytes=result["stored_bytes"]
        )
        return [self._store.job(job.id)]

    def _fail(self, jobs: Sequence[JobRow], message: str) -> list[JobRow]:
        for job in jobs:
            self._store.change_job(job.id, state="failed", error=message)
        return [self._store.job(job.id) for job in jobs]

    # workers

    def _open(self, station: _Station) -> None:
        station.process, station.connection = begin(worker.main, station.device, self._models_bytes)
        station.begun, station.stepping = time.monotonic(), None
        station.n_models, station.models_bytes = 0, 0
        threading.Thread(target=self._hear, args=(station, station.process, station.connection), daemon=True).start()

    def _hear(self, station: _Station, process: Any, connection: Any) -> None:
        """Hear what a worker says until it ends; start another one then."""
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                break
            try:
                self._note(station, *message)
            except Exception:
                if not self._is_closed:
                    _log.exception("a message of the worker for %s could not be followed", station.device)
        self._bury(station, process)

    def _note(self, station: _Station, word: str, token: str, *values: Any) -> None:
        if word == "step":
            station.stepping = token
            return
        if word == "models":
            station.n_models, station.models_bytes = values
            return
        changed: list[JobRow] = []
        with self._lock:
            live = station.running.get(token)
            if live is None or self._is_closed:
                return
            was_suspect = live.is_suspect
            if word == "began":
                live.names = tuple(values[0])
            elif word == "progress":
                live.n_final = values[0]
            else:
                changed = self._end(station, live, word, values)
            if word in {"began", "progress"}:
                changed = self._sharing(live.key)
        self._changed(changed)
        if word in {"done", "failed", "cancelled"} or was_suspect != live.is_suspect:
            self.poke()

    def _end(self, station: _Station, live: Live, word: str, values: Sequence[Any]) -> list[JobRow]:
        """Keep or remove what a worker has made."""
        try:
            return self._store_end(live, word, values)
        finally:  # also where the data base refuses: the place is free, and the job is handed out again
            del station.running[live.token]
            self._live.pop(live.key, None)
            remove(live.folder)

    def _store_end(self, live: Live, word: str, values: Sequence[Any]) -> list[JobRow]:
        jobs, changed = self._sharing(live.key), []
        if word == "done" and jobs:
            place = self._folder.result(live.key)
            remove(place)
            live.folder.rename(place)
            for job in jobs:
                changed += self._settle(job, values[0], cached=0)
            return changed
        remove(live.folder)  # first, for what follows may need the room
        if word == "failed":
            changed = self._fail(jobs, values[1])
        elif word == "cancelled":
            for job in jobs:  # asked for again while it was being stopped
                self._store.change_job(job.id, state="waiting")
            changed = [self._store.job(job.id) for job in jobs]
        return changed

    def _bury(self, station: _Station, process: Any) -> None:
        """Put the jobs of a worker that has died back into the queue, and start another one.

        Only that which had its turn when the process ended has used up an attempt.
        """
        changed: list[JobRow] = []
        with self._lock:
            if self._is_closed or station.process is not process:
                return
            _log.warning("the worker for %s has ended (%s) and is started again", station.device, process.exitcode)
            self.n_restarts += 1
            for live in station.running.values():
                self._live.pop(live.key, None)
                remove(live.folder)
                is_innocent = station.stepping in station.running and station.stepping != live.token
                for job in self._sharing(live.key):
                    self._store.change_job(job.id, state="waiting", attempts=max(0, job.attempts - is_innocent))
                    changed.append(self._store.job(job.id))
            station.running.clear()
            stop(process, station.connection)
            is_quick = time.monotonic() - station.begun < 1.0
            station.process = None
        self._changed(changed)
        time.sleep(1.0 if is_quick else 0.0)
        with self._lock:
            if self._is_closed:
                return
            self._open(station)
        self.poke()


def _live_of(job: JobRow, order: worker.Order) -> Live:
    rate, n_samples = order.song_format.sample_rate, order.song_format.n_samples
    if order.region is not None:
        n_samples = round((order.region[1] - order.region[0]) * rate)
    n_suspect = min(n_samples, round(TRUSTED_SECONDS * rate)) if job.attempts else 0
    return Live(job.key, order.token, job.session, order, max(1, n_samples), n_suspect)


def _say(station: _Station, message: tuple[Any, ...]) -> None:
    try:
        station.connection.send(message)
    except OSError:
        _log.warning("the worker for %s does not listen", station.device)  # its end will be heard
