"""Server-sent events: what changes in a session, told to whoever listens.

Only the latest state of each thing is kept for a listener, so that a slow one costs no memory and misses nothing that
matters; after a broken connection a new one begins with a snapshot.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

from unbraid.server.refusals import QuotaExceeded, Stopping

HEARTBEAT_SECONDS = 15.0
_PACE_SECONDS = 0.05


class Listener:
    """One connection: the events that wait for it, the latest of each thing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], str] = {}
        self._news = asyncio.Event()
        self.is_closed = False

    def tell(self, event: str, thing: str, text: str) -> None:
        """Let an event wait; from any thread."""
        with self._lock:
            self._waiting.pop((event, thing), None)
            self._waiting[event, thing] = text
        self._wake()

    def close(self) -> None:
        """Say goodbye after what waits; from any thread."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self) -> list[tuple[str, str]]:
        """Return what waits, in order; nothing after a while in which nothing happened."""
        try:
            await asyncio.wait_for(self._news.wait(), HEARTBEAT_SECONDS)
        except TimeoutError:
            return []
        self._news.clear()
        with self._lock:
            taken = [(event, text) for (event, _), text in self._waiting.items()]
            self._waiting.clear()
        return taken


class Bus:
    """All listeners, by the session that they listen to; ``is_closed`` once the server goes down.

    Args:
        most: listeners of one session.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Listener]] = {}
        self.is_closed = False

    @property
    def n_listeners(self) -> int:
        """How many listen."""
        with self._lock:
            return sum(map(len, self._listeners.values()))

    def has_listeners(self, session: str) -> bool:
        """Whether anybody listens to a session."""
        return session in self._listeners

    def publish(self, session: str, event: str, thing: str, text: str) -> None:
        """Tell all listeners of a session what a thing is like now; from any thread.

        Args:
            session: id.
            event: ``file``, ``take``, ``job``, ``session`` or ``gone``.
            thing: id of what has changed.
            text: JSON on one line.
        """
        with self._lock:
            listeners = list(self._listeners.get(session, ()))
        for listener in listeners:
            listener.tell(event, thing, text)

    def listen(self, session: str) -> Listener:
        """Begin to listen; before the snapshot is taken, so that nothing falls in between.

        Raises:
            QuotaExceeded: if too many do.
            Stopping: if the server is going down.
        """
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            if self.is_closed:
                raise Stopping("the server is going down: try again in a moment")
            own = self._listeners.setdefault(session, [])
            if len(own) >= self._most:
                raise QuotaExceeded(f"{self._most} windows listen to this session already: close one")
            own.append(listener)
        return listener

    def leave(self, session: str, listener: Listener) -> None:
        """Stop listening."""
        with self._lock:
            own = self._listeners.get(session, [])
            if listener in own:
                own.remove(listener)
            if not own:
                self._listeners.pop(session, None)

    def close(self) -> None:
        """Say goodbye to everybody; from any thread."""
        with self._lock:
            self.is_closed = True
            listeners = [one for own in self._listeners.values() for one in own]
        for listener in listeners:
            listener.close()


async def stream(bus: Bus, session: str, listener: Listener, snapshot: Callable[[], str]) -> AsyncIterator[str]:
    """Yield the lines of a connection until either side ends it."""
    try:
        yield f"retry: 1000\n{_lines('snapshot', await asyncio.to_thread(snapshot))}"
        while not listener.is_closed:
            news = await listener.take()
            yield "".join(_lines(event, text) for event, text in news) or ": still here\n\n"
            await asyncio.sleep(_PACE_SECONDS)
        yield _lines("bye", "{}")
    finally:
        bus.leave(session, listener)


def _lines(event: str, text: str) -> str:
    return f"event: {event}\ndata: {text}\n\n"
