"""Routes of sessions, their events, and session files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from unbraid.delivery.names import file_name
from unbraid.server import archive
from unbraid.server.documents import session_document, session_summary
from unbraid.server.events import stream
from unbraid.server.folder import check_id, new_id, remove
from unbraid.server.limits import in_words
from unbraid.server.records import SessionRow
from unbraid.server.refusals import QuotaExceeded, TooLarge
from unbraid.server.schemas import NewSession, SessionChange, SessionDocument, SessionSummary
from unbraid.server.store import to_text
from unbraid.server.studio import Studio
from unbraid.server.uploads import Incoming
from unbraid.server.wiring import BINARY, ERRORS, CurrentStudio, files_of

router = APIRouter(prefix="/api/sessions", responses=ERRORS, tags=["sessions"])
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}
BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}}


def begin_session(studio: Studio, title: str) -> SessionRow:
    """Keep a new session.

    Raises:
        QuotaExceeded: if there are as many as there may be.
    """
    check_sessions(studio)
    row = SessionRow(new_id(), title=title)
    studio.store.add_session(row)
    return row


def check_sessions(studio: Studio) -> None:
    """Refuse one more session if there are as many as there may be.

    Raises:
        QuotaExceeded: which says so.
    """
    if studio.store.count("sessions")[""] >= studio.limits.sessions:
        raise QuotaExceeded(f"there are {studio.limits.sessions} sessions, which is the limit: remove some")


@router.post("", status_code=201)
def create_session(studio: CurrentStudio, body: NewSession) -> SessionDocument:
    """Begin a session."""
    return session_document(studio, begin_session(studio, body.title))


@router.get("")
def list_sessions(studio: CurrentStudio) -> list[SessionSummary]:
    """List all sessions, the one used last first."""
    return [session_summary(row) for row in studio.store.sessions()]


@router.post("/import", status_code=201, openapi_extra=BODY)
async def import_session(studio: CurrentStudio, request: Request) -> SessionDocument:
    """Open a session file, the body of the request, as a new session."""
    most = studio.limits.session_bytes
    too_large = TooLarge(f"the session file is larger than a session may be, {in_words(most)} (--quota)")
    incoming = Incoming(studio, most=most, too_large=too_large)
    try:
        await incoming.take(request)
        row = await run_in_threadpool(archive.read_session, studio, incoming.place)
        return await run_in_threadpool(session_document, studio, row)
    finally:
        await run_in_threadpool(remove, incoming.place)


@router.get("/{session}")
def get_session(studio: CurrentStudio, session: str) -> SessionDocument:
    """Return a session with all that is in it."""
    return session_document(studio, studio.session(check_id(session, "session")))


@router.patch("/{session}")
def change_session(studio: CurrentStudio, session: str, body: SessionChange) -> SessionSummary:
    """Change the title of a session, or what the page keeps in it."""
    studio.session(check_id(session, "session"))
    values = body.model_dump(exclude_none=True)
    if body.page is not None and len(to_text(body.page)) > studio.limits.page_bytes:
        raise TooLarge(f"the page may keep {in_words(studio.limits.page_bytes)} in a session")
    if values:
        studio.store.change_session(session, **values)
    row = studio.store.session(session)
    studio.tell_session(row)
    return session_summary(row)


@router.delete("/{session}", status_code=204)
def delete_session(studio: CurrentStudio, session: str) -> Response:
    """Remove a session, with all that only it uses."""
    studio.session(check_id(session, "session"))
    studio.remove_session(session)
    return Response(status_code=204)


@router.get("/{session}/events", response_class=StreamingResponse, responses=STREAM)
async def listen(studio: CurrentStudio, session: str) -> StreamingResponse:
    """Tell what changes in a session, as server-sent events."""
    await run_in_threadpool(studio.session, check_id(session, "session"))
    listener = studio.bus.listen(session)

    def snapshot() -> str:
        return session_document(studio, studio.store.session(session)).model_dump_json()

    lines = stream(studio.bus, session, listener, snapshot)
    return StreamingResponse(
        lines,
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        background=BackgroundTask(studio.bus.leave, session, listener),
    )


@router.get("/{session}/export", response_class=FileResponse, responses=files_of("application/zip"))
def export_session(studio: CurrentStudio, session: str, results: bool = True) -> FileResponse:
    """Return a session as one file that opens again on any server."""
    row = studio.session(check_id(session, "session"))
    path = archive.write_session(studio, row, with_results=results)
    return FileResponse(
        path,
        media_type="application/zip",
        filename=f"{file_name(row.title or 'session')}.unbraid-session",
        background=BackgroundTask(remove, path),
    )
