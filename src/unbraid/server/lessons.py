"""Sounds that are taught on the server: each lesson makes a taught label, one after the other, in a process of its own.

The process says ``("progress", fraction)``, and at the end ``("done", values)`` or ``("failed", message)``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from unbraid.audio.signal import Audio
from unbraid.errors import UnbraidError
from unbraid.guides.kinds import Examples
from unbraid.models.queries import save_query
from unbraid.server.file_queue import MAX_ATTEMPTS, FileQueue
from unbraid.server.folder import ORIGINAL, DataFolder, size_of
from unbraid.server.labels import keep_facts
from unbraid.server.processes import begin, messages
from unbraid.server.records import FileRow
from unbraid.server.refusals import NotFound
from unbraid.server.sounds import SoundFolder
from unbraid.server.store import Store
from unbraid.teaching import teach
from unbraid.zoo import load_model

_PATIENCE = 1800.0  # seconds without a word
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Passage:
    """Samples of a sound, from one to before another."""

    held: SoundFolder
    start: int
    stop: int

    def read(self) -> Audio:
        """Return them as sound."""
        return self.held.read(self.start, self.stop)


@dataclass(frozen=True)
class Lesson:
    """What is taught.

    Args:
        folder: of the file that will be the label.
        name: of the label.
        model: what `load_model` takes.
        device: to compute on.
        positive: recordings of the sound.
        negative: of what it is not.
    """

    folder: Path
    name: str
    model: str
    device: str
    positive: tuple[Passage, ...]
    negative: tuple[Passage, ...]


def main(connection: Connection, lesson: Lesson) -> None:
    """Teach one label; on the processor, one thread leaves the others to what is being separated."""
    torch.set_num_threads(1)
    told = -1

    def report(fraction: float) -> None:
        nonlocal told
        if int(100 * fraction) > told:
            told = int(100 * fraction)
            connection.send(("progress", fraction))

    try:
        model = load_model(lesson.model, device=lesson.device)
        examples = Examples([one.read() for one in lesson.positive], [one.read() for one in lesson.negative])
        path = lesson.folder / ORIGINAL
        save_query(teach(model, lesson.name, examples, progress=report), path)
        keep_facts(lesson.folder, path)
        content = path.read_bytes()
        digest, stored = hashlib.sha256(content).hexdigest(), size_of(lesson.folder)
        connection.send(("done", {"sha256": digest, "size_bytes": len(content), "stored_bytes": stored}))
    except UnbraidError as error:
        connection.send(("failed", str(error).replace(str(lesson.folder / ORIGINAL), lesson.name)))
    except (torch.OutOfMemoryError, MemoryError):
        connection.send(("failed", "there is not enough memory to teach this model: give shorter examples"))
    except OSError as error:
        connection.send(("failed", f"the label cannot be stored ({error.strerror}): free some space"))


class Lessons(FileQueue):
    """Teaches what waits to be taught, and stores what comes of it.

    Args:
        store: where files are kept; those that are being taught are in the state ``teaching``.
        folder: where they lie.
        lesson: puts together what a process needs for a file; may raise an UnbraidError.
        changed: called with the id of a file that has changed.
    """

    def __init__(
        self,
        store: Store,
        folder: DataFolder,
        *,
        lesson: Callable[[FileRow], Lesson],
        changed: Callable[[str], None],
    ) -> None:
        super().__init__(store, state="teaching", at_once=1)
        self._folder = folder
        self._lesson = lesson
        self._changed = changed
        self._progress: dict[str, float] = {}

    def progress(self, file_id: str) -> float:
        """Return the fraction done."""
        return self._progress.get(file_id, 0.0)

    def _run(self, file_id: str) -> None:
        try:
            if not self._is_closed and self._is_wanted(file_id):
                self._teach(self._store.file(file_id))
        except (UnbraidError, OSError) as error:
            self._fail(file_id, str(error))
        except Exception:
            if not self._is_closed and self._is_wanted(file_id):
                _log.exception("a label could not be taught")
                self._fail(file_id, "this label could not be taught: try again with other examples")
        finally:
            self._progress.pop(file_id, None)

    def _teach(self, row: FileRow) -> None:
        if row.attempts >= MAX_ATTEMPTS:
            self._fail(row.id, f"the server stopped {row.attempts} times while it was taught: give shorter examples")
            return
        lesson = self._lesson(row)
        self._store.change_file(row.id, attempts=row.attempts + 1)
        process, connection = begin(main, lesson)
        is_ended = False

        def stopped() -> bool:
            return self._is_closed or not self._is_wanted(row.id)

        for word, *values in messages(process, connection, patience=_PATIENCE, stopped=stopped):
            if word == "progress":
                self._progress[row.id] = values[0]
                self._changed(row.id)
                continue
            is_ended = True
            if word == "failed":
                self._fail(row.id, values[0])
            elif self._store.change_file(row.id, **values[0], state="ready", attempts=0):
                self._changed(row.id)
        if not is_ended and self._is_closed:
            self._store.change_file(row.id, attempts=row.attempts)  # it was nobody's fault
        elif not is_ended and self._is_wanted(row.id):
            self._fail(row.id, "the process that taught it ended, perhaps for want of memory: give shorter examples")

    def _is_wanted(self, file_id: str) -> bool:
        """Whether nobody has removed it, which is how a lesson is cancelled."""
        try:
            return self._store.file(file_id).state == self._state
        except NotFound:
            return False

    def _fail(self, file_id: str, message: str) -> None:
        if self._store.change_file(file_id, state="failed", error=message):
            self._changed(file_id)
