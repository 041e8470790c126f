"""The application: routes, errors, the page, and the studio behind them."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import unbraid
from unbraid.errors import UnbraidError
from unbraid.server import (
    routes_downloads,
    routes_files,
    routes_general,
    routes_lessons,
    routes_sessions,
    routes_sounds,
    routes_takes,
)
from unbraid.server.limits import in_words
from unbraid.server.refusals import Conflict, Invalid, error_document, status_of, storage_refusal
from unbraid.server.security import Door, Guard
from unbraid.server.studio import Studio

STATIC = Path(__file__).parent / "static"
_STREAMED = re.compile(  # their bodies go to the disk, and have limits there
    r"POST /api/(separate|sessions/import|sessions/[^/]*/files)|PUT /api/files/[^/]*/paint"
)
_MAKERS = 4  # downloads that are made at a time
_log = logging.getLogger(__name__)


def make_app(
    open_studio: Callable[[], Studio], *, door: Door, port: int = 0, ready: Callable[[], None] | None = None
) -> FastAPI:
    """Build the application.

    Args:
        open_studio: called when the server starts; the studio is closed when it stops.
        door: who is let in.
        port: on which it listens, for the name of the cookie.
        ready: called once the studio works.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio = await run_in_threadpool(open_studio)
        app.state.studio = studio
        app.state.makers = asyncio.Semaphore(_MAKERS)
        try:
            await run_in_threadpool(studio.start)
            if ready is not None:
                ready()
            yield
        finally:
            await run_in_threadpool(studio.close)

    app = FastAPI(
        title="Unbraid studio",
        version=unbraid.__version__,
        summary="Point at a sound, get that sound and the rest.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    for module in (
        routes_general,
        routes_sessions,
        routes_files,
        routes_lessons,
        routes_sounds,
        routes_takes,
        routes_downloads,
    ):
        app.include_router(module.router)
    if (STATIC / "index.html").is_file():
        app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    _answer_errors(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, door=door, cookie=f"unbraid-{port}")
    return app


def _answer_errors(app: FastAPI) -> None:
    """Answer every error in one form."""

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, UnbraidError)
        return JSONResponse(error_document(error), status_of(error))

    async def collide(request: Request, error: Exception) -> Response:
        document = error_document(Conflict("what this belongs to has just been removed: reload the page"))
        return JSONResponse(document, Conflict.status)

    async def misread(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
        return JSONResponse(error_document(Invalid(f"{where or 'the body'}: {first['msg']}")), 422)

    async def miss(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        if error.status_code == 400:  # FastAPI's word for a body that is no text
            return JSONResponse(error_document(Invalid("the body is no JSON in UTF-8: send it as such")), 422)
        kinds = {404: "NotFound", 405: "NotFound", 413: "TooLarge"}
        kind = kinds.get(error.status_code, "Invalid")
        told = "there is nothing here: /api/openapi.json lists what there is" if kind == "NotFound" else error.detail
        document = {"type": kind, "message": told}
        return JSONResponse({"error": document}, error.status_code, error.headers)

    async def fail(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        document = {"type": "InternalError", "message": "the server made a mistake: its log tells more"}
        return JSONResponse({"error": document}, 500)

    async def find_no_room(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError | sqlite3.OperationalError)
        _log.warning("%s %s: %s", request.method, request.url.path, error)
        refusal = storage_refusal(error)
        return JSONResponse(error_document(refusal), refusal.status)

    app.add_exception_handler(UnbraidError, refuse)
    app.add_exception_handler(sqlite3.IntegrityError, collide)
    app.add_exception_handler(sqlite3.OperationalError, find_no_room)
    app.add_exception_handler(OSError, find_no_room)
    app.add_exception_handler(RequestValidationError, misread)
    app.add_exception_handler(StarletteHTTPException, miss)
    app.add_exception_handler(Exception, fail)


class BodyLimit:
    """ASGI middleware: bodies that are read into memory may not be large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes in."""
        if scope["type"] != "http" or _STREAMED.fullmatch(f"{scope['method']} {scope['path']}"):
            await self._app(scope, receive, send)
            return
        most: int = scope["app"].state.studio.limits.body_bytes
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, f"the body is larger than {in_words(most)}: upload files as files")
            return message

        await self._app(scope, count, send)
