"""From options to a server that listens, and stops in good order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from unbraid.errors import SettingsError
from unbraid.server.app import make_app
from unbraid.server.security import Door
from unbraid.server.studio import Studio, StudioOptions

STOP_SECONDS = 10
PORTS_TRIED = 20


def open_socket(host: str, port: int, *, is_fixed: bool) -> socket.socket:
    """Listen on a port, or on one of those behind it if it is taken and was not asked for.

    Raises:
        SettingsError: if that cannot be done.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, port + (1 if is_fixed else PORTS_TRIED)):
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, candidate))
        except (OSError, OverflowError) as error:
            listening.close()
            failure = error
            continue
        listening.listen(128)
        return listening
    reason = getattr(failure, "strerror", None) or failure
    raise SettingsError(f"cannot listen on {host} port {port} ({reason}): give another --port or --host")


class StudioServer(uvicorn.Server):
    """A server that says goodbye to those who listen to events before it waits for the last answers."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear Ctrl-C, or the wish of the system; a second one ends at once."""
        app = self.config.app
        studio: Studio | None = getattr(app.state, "studio", None) if isinstance(app, FastAPI) else None
        if studio is not None:
            studio.bus.close()
        super().handle_exit(sig, frame)


def serve(options: StudioOptions, door: Door, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve until stopped.

    Args:
        options: of the studio.
        door: who is let in.
        listening: from `open_socket`.
        ready: called once requests are answered.

    Raises:
        UnbraidError: if the studio cannot be opened.
    """
    studio = Studio(options)
    threading.Thread(target=studio.catalog.offers, daemon=True).start()  # so that the page need not wait for them
    app = make_app(lambda: studio, door=door, port=listening.getsockname()[1], ready=ready)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    StudioServer(config).run(sockets=[listening])
