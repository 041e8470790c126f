"""Everything behind the routes, put together once."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import unbraid
from unbraid.errors import UnbraidError
from unbraid.server import documents
from unbraid.server.analyses import Analyses
from unbraid.server.catalog import Catalog
from unbraid.server.events import Bus
from unbraid.server.folder import ORIGINAL, DataFolder, remove
from unbraid.server.jobs import Scheduler
from unbraid.server.lessons import Lessons
from unbraid.server.limits import GIGABYTE, Limits
from unbraid.server.records import FileRow, JobRow, SessionRow, TakeRow
from unbraid.server.refusals import Conflict, NotFound
from unbraid.server.shelf import ModelChoice
from unbraid.server.store import Store, now, to_text
from unbraid.server.teaching import lesson_of
from unbraid.server.worker import GivenFile, Order

_SWEEP_SECONDS = 600.0
_TOUCH_SECONDS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudioOptions:
    """What a server is started with.

    Args:
        data_dir: the data folder.
        devices: on which to compute, one process each.
        models: weights files to offer beside the models that ship.
        models_bytes: that the weights of the models in the memory of one process take.
        limits: of what clients may do.
    """

    data_dir: Path
    devices: tuple[str, ...] = ("cpu",)
    models: tuple[Path, ...] = ()
    models_bytes: int = 2 * GIGABYTE
    limits: Limits = field(default_factory=Limits)


class Studio:
    """The server without its routes; made by the thread that will close it.

    Raises:
        SettingsError: if the data folder cannot be used.
        ModelError: if a model cannot be offered.
    """

    def __init__(self, options: StudioOptions) -> None:
        self.options = options
        self.limits = options.limits
        self.catalog = Catalog(options.models)
        self.folder = DataFolder(options.data_dir)
        try:
            self.store = Store(self.folder.database)
        except UnbraidError:
            self.folder.close()
            raise
        self.bus = Bus(most=self.limits.streams)
        self.analyses = Analyses(self.store, self.folder, limits=self.limits, changed=self._file_changed)
        self.scheduler = Scheduler(
            self.store,
            self.folder,
            devices=options.devices,
            models_bytes=options.models_bytes,
            order=self._order,
            changed=self._jobs_changed,
        )
        self.lessons = Lessons(
            self.store, self.folder, lesson=lambda row: lesson_of(self, row), changed=self._file_changed
        )
        self._sweeper = threading.Event()

    def start(self) -> None:
        """Begin to work, with what had been left undone."""
        self.sweep()
        self.analyses.start()
        self.lessons.start()
        self.scheduler.start()
        threading.Thread(target=self._sweep_forever, daemon=True).start()

    def close(self) -> None:
        """Stop in good order; what was under way is done at the next start."""
        self._sweeper.set()
        self.bus.close()
        self.scheduler.close()
        self.analyses.close()
        self.lessons.close()
        self.store.close()
        self.folder.close()

    # sessions and what is in them

    def session(self, session_id: str) -> SessionRow:
        """Return a session that is being used.

        Raises:
            NotFound: if there is none.
        """
        row = self.store.session(session_id)
        if now() - row.used > _TOUCH_SECONDS:
            self.store.change_session(session_id, used=now())
        return row

    def remove_session(self, session_id: str) -> None:
        """Remove a session, with all that only it uses."""
        keys = [job.key for job in self.store.jobs(session=session_id)]
        files = [row.id for row in self.store.files(session_id)]
        self.store.remove_session(session_id)
        self.tell_gone(session_id, "session", session_id)
        self.scheduler.forget(keys)
        for file_id in files:
            remove(self.folder.file(file_id))
        self.remove_orphans()

    def remove_orphans(self) -> None:
        """Remove the results that no job needs, and files that no session has."""
        removed = []
        with self.store.transaction():  # nobody begins to need one in between
            needed, known = self.store.keys(), self.store.file_ids()
            results = [self.folder.result(key) for key in self.folder.results() if key not in needed]
            files = [self.folder.file(file_id) for file_id in self.folder.files() if file_id not in known]
            for place in (*results, *files):
                removed.append(self.folder.upload())
                place.rename(removed[-1])
        for place in removed:
            remove(place)

    def sweep(self) -> None:
        """Remove the sessions that nobody has used for long."""
        for session_id in self.store.unused_sessions(now() - self.limits.keep_days * 86400):
            if not self.bus.has_listeners(session_id):
                self.remove_session(session_id)
        self.remove_orphans()

    def _sweep_forever(self) -> None:
        while not self._sweeper.wait(_SWEEP_SECONDS):
            with suppress(Exception):
                self.sweep()

    # events

    def tell_file(self, row: FileRow) -> None:
        """Tell what a file is like now."""
        if self.bus.has_listeners(row.session):
            text = documents.file_document(self, row).model_dump_json()
            self.bus.publish(row.session, "file", row.id, text)

    def tell_take(self, take_id: str) -> None:
        """Tell what a take is like now."""
        row = self.store.take(take_id)
        if self.bus.has_listeners(row.session):
            self.bus.publish(row.session, "take", row.id, documents.take_document(self, row).model_dump_json())

    def tell_session(self, row: SessionRow) -> None:
        """Tell what a session is called now."""
        self.bus.publish(row.id, "session", row.id, documents.session_summary(row).model_dump_json())

    def tell_gone(self, session: str, kind: str, thing: str) -> None:
        """Tell that something has been removed."""
        self.bus.publish(session, "gone", thing, to_text({"kind": kind, "id": thing}))

    def _file_changed(self, file_id: str) -> None:
        with suppress(NotFound):
            row = self.store.file(file_id)
            self.tell_file(row)
            if row.state != "analyzing":
                self.scheduler.poke()

    def _jobs_changed(self, jobs: Sequence[JobRow]) -> None:
        for job in jobs:
            if self.bus.has_listeners(job.session):
                with suppress(NotFound):
                    text = documents.job_document(self, job).model_dump_json()
                    self.bus.publish(job.session, "job", job.id, text)

    # jobs

    def key_of(self, take: TakeRow, region: tuple[float, float] | None, files: dict[str, FileRow]) -> str:
        """Return what tells a computation from all others: its inputs by their content, and what is done to them."""
        song = self.store.file(take.song)
        named = to_text(take.targets)
        for word, row in files.items():
            named = named.replace(word, row.sha256)
        told = {
            "song": song.sha256,
            "targets": named,
            "model": self.catalog.offer(take.model).sha256,
            "settings": take.settings,
            "region": region,
            "version": unbraid.__version__,
        }
        return hashlib.sha256(to_text(told).encode()).hexdigest()

    def _order(self, job: JobRow, token: str, folder: Path) -> Order | None:
        """Put together what a worker needs; None while a file is still being looked at."""
        take = self.store.take(job.take)
        needed = self.store.files_of_take(take.id)
        for row in needed:
            if row.state == "failed":
                raise Conflict(row.error or f"{row.name} cannot be used")
        if any(row.state != "ready" for row in needed):
            return None
        song = documents.file_sound(self, next(row for row in needed if row.id == take.song))
        offer = self.catalog.offer(take.model)
        choice = ModelChoice.of(take.settings, offer.source, offer.sha256)
        return Order(
            token=token,
            folder=folder,
            song=song.folder,
            song_format=song.sound,
            files={row.id: self._given(row) for row in needed},
            targets=take.targets,
            model=choice,
            model_bytes=offer.chosen(choice).n_bytes,
            settings=take.settings,
            region=job.region,
        )

    def _given(self, row: FileRow) -> GivenFile:
        place = self.folder.file(row.id)
        if row.kind == "audio":
            return GivenFile(place, row.name, documents.file_sound(self, row).sound)
        return GivenFile(place / ORIGINAL, row.name, None)
