"""Uploaded files are looked at in the background, a few at a time, each in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from unbraid.server import analysis
from unbraid.server.file_queue import MAX_ATTEMPTS, FileQueue
from unbraid.server.folder import DataFolder
from unbraid.server.limits import Limits
from unbraid.server.processes import begin, messages
from unbraid.server.store import Store

_TOLD_STEPS = 50  # of progress, for one file
_log = logging.getLogger(__name__)


class Analyses(FileQueue):
    """Looks at files, and stores what they are.

    Args:
        store: where files are kept.
        folder: where they lie.
        limits: of the server.
        changed: called with the id of a file that has changed.
        at_once: how many are looked at at a time.
    """

    def __init__(
        self,
        store: Store,
        folder: DataFolder,
        *,
        limits: Limits,
        changed: Callable[[str], None],
        at_once: int = 2,
    ) -> None:
        super().__init__(store, state="analyzing", at_once=at_once)
        self._folder = folder
        self._limits = limits
        self._changed = changed

    def _run(self, file_id: str) -> None:
        try:
            if not self._is_closed:
                self._look(file_id)
        except Exception:
            if not self._is_closed and file_id in self._store.file_ids():  # it may have gone with its session
                _log.exception("a file could not be looked at")
                self._fail(file_id, "this file could not be looked at: try again, or convert it to WAV or FLAC first")

    def _look(self, file_id: str) -> None:
        if file_id not in self._store.file_ids():
            return
        row = self._store.file(file_id)
        if row.attempts >= MAX_ATTEMPTS:
            self._fail(file_id, f"{row.name}: the server stopped {row.attempts} times while it read this file")
            return
        self._store.change_file(file_id, attempts=row.attempts + 1)
        room = self._limits.session_bytes - self._store.stored_bytes(row.session)
        upload = analysis.Upload(self._folder.file(file_id), row.name, self._limits, room)
        process, connection = begin(analysis.main, upload)
        ended = False
        told = 0
        patience = 2.0 * self._limits.decode_seconds
        for word, *values in messages(process, connection, patience=patience, stopped=lambda: self._is_closed):
            if word == "opened":
                self._note(file_id, values[0])
            elif word == "progress":
                n_samples = self._store.file(file_id).n_samples or 1
                step = _TOLD_STEPS * values[0] // n_samples
                if step > told:
                    told = step
                    self._changed(file_id)
            elif word == "done":
                ended = True
                self._note(file_id, {**values[0], "state": "ready", "attempts": 0})
            else:
                ended = True
                self._fail(file_id, values[1])
        if not ended and self._is_closed:
            self._store.change_file(file_id, attempts=row.attempts)  # it was nobody's fault
        elif not ended:
            self._fail(
                file_id,
                f"{row.name}: reading it took more than {self._limits.decode_seconds} s or more memory than it may: "
                "convert it to WAV or FLAC first",
            )

    def _note(self, file_id: str, values: dict[str, Any]) -> None:
        if self._store.change_file(file_id, **values):
            self._changed(file_id)

    def _fail(self, file_id: str, message: str) -> None:
        self._folder.keep_original(file_id)
        self._note(file_id, {"state": "failed", "error": message})
