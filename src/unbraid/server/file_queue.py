"""Files that something is done with in the background: those of one state, a few at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

from unbraid.server.store import Store

MAX_ATTEMPTS = 3  # of a file that the server does not survive


class FileQueue(ABC):
    """Takes files in turn; what does it is in the subclasses.

    Args:
        store: where files are kept.
        state: of the files that wait, from which a new start takes up its work.
        at_once: how many at a time.
    """

    def __init__(self, store: Store, *, state: str, at_once: int) -> None:
        self._store = store
        self._state = state
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=state)
        self._is_closed = False

    def start(self) -> None:
        """Take up what was not done."""
        for row in self._store.files_in_state(self._state):
            self.submit(row.id)

    def submit(self, file_id: str) -> None:
        """Take a file when its turn comes."""
        self._pool.submit(self._run, file_id)

    def close(self) -> None:
        """Stop at once; the next start takes it up again."""
        self._is_closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @abstractmethod
    def _run(self, file_id: str) -> None: ...
