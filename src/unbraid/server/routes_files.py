"""Routes of uploaded files."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool

from unbraid.server.analysis import NOTES
from unbraid.server.demo import NAME, demo_song
from unbraid.server.documents import file_document, find_sound
from unbraid.server.folder import ORIGINAL, PAINT, check_id, new_id, remove
from unbraid.server.labels import library_label
from unbraid.server.records import FileRow
from unbraid.server.refusals import Conflict, NotFound
from unbraid.server.routes_sessions import BODY
from unbraid.server.schemas import FileDocument, FromLibrary, FromSound, NotesDocument
from unbraid.server.studio import Studio
from unbraid.server.uploads import check_room, keep_upload, receive_file, receive_paint, shown_name
from unbraid.server.wiring import ERRORS, CurrentStudio, files_of

router = APIRouter(prefix="/api", responses=ERRORS, tags=["files"])
_PAINT = files_of("application/octet-stream") | {204: {"description": "Nothing was painted on it yet."}}


@router.post("/sessions/{session}/files", status_code=201, openapi_extra=BODY)
async def upload_file(
    studio: CurrentStudio, session: str, request: Request, name: str = Query(max_length=1000)
) -> FileDocument:
    """Store the body of the request as a file; the answer comes while it is still being looked at."""
    row = await receive_file(studio, check_id(session, "session"), name, request)
    return await run_in_threadpool(file_document, studio, row)


@router.post("/sessions/{session}/demo", status_code=201)
def add_demo(studio: CurrentStudio, session: str) -> FileDocument:
    """Add the demo song to a session."""
    check_room(studio, check_id(session, "session"))
    song = demo_song()
    if song is None:
        raise NotFound("this installation comes without the demo song: upload a song of your own")
    return file_document(studio, _copy_in(studio, session, song, NAME))


def _copy_in(studio: Studio, session: str, source: Path, name: str) -> FileRow:
    place = studio.folder.upload()
    try:
        shutil.copyfile(source, place)
        return _keep(studio, session, place, name)
    finally:
        remove(place)


def _keep(studio: Studio, session: str, place: Path, name: str) -> FileRow:
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    row = FileRow(new_id(), session, shown_name(name), size_bytes=place.stat().st_size, sha256=digest)
    return keep_upload(studio, row, place)


@router.post("/sessions/{session}/files/from-library", status_code=201)
def file_from_library(studio: CurrentStudio, session: str, body: FromLibrary) -> FileDocument:
    """Make a file of a taught label of the library, which is then used as an uploaded one is."""
    check_room(studio, check_id(session, "session"))
    place = library_label(body.name, body.model_sha256)
    return file_document(studio, _copy_in(studio, session, place, place.name))


@router.post("/sessions/{session}/files/from-sound", status_code=201)
def file_from_sound(studio: CurrentStudio, session: str, body: FromSound) -> FileDocument:
    """Make a file of a sound of the session: of the residual, to take more out of it."""
    check_room(studio, check_id(session, "session"))
    sound = find_sound(studio, body.sound)
    if sound.session != session:
        raise NotFound("there is no such sound in this session")
    if not sound.is_complete:
        raise Conflict("the sound is not complete yet: wait until it is")
    place = studio.folder.upload()
    try:
        with place.open("xb") as file, sound.held.open() as samples:
            file.write(sound.held.sound.wav_header)
            shutil.copyfileobj(samples, file)
        return file_document(studio, _keep(studio, session, place, body.name or f"{sound.name}.wav"))
    finally:
        remove(place)


@router.get("/files/{file}")
def get_file(studio: CurrentStudio, file: str) -> FileDocument:
    """Return a file."""
    return file_document(studio, studio.store.file(check_id(file, "file")))


@router.delete("/files/{file}", status_code=204)
def delete_file(studio: CurrentStudio, file: str) -> Response:
    """Remove a file that no take uses."""
    row = studio.store.file(check_id(file, "file"))
    with studio.store.transaction():
        if studio.store.is_in_use(file):
            raise Conflict(f"{row.name} is used by a take: remove the take first")
        studio.store.remove_file(file)
    remove(studio.folder.file(file))
    studio.tell_gone(row.session, "file", file)
    return Response(status_code=204)


@router.get("/files/{file}/content", response_class=FileResponse, responses=files_of("application/octet-stream"))
def get_content(studio: CurrentStudio, file: str) -> FileResponse:
    """Return the bytes that were uploaded."""
    row = studio.store.file(check_id(file, "file"))
    if not row.size_bytes:  # a label that is being taught, or could not be
        raise Conflict(f"{row.name} is not there: {row.error or 'it is being taught, wait for it'}")
    return FileResponse(studio.folder.file(file) / ORIGINAL, media_type="application/octet-stream", filename=row.name)


@router.get("/files/{file}/notes")
def get_notes(studio: CurrentStudio, file: str) -> NotesDocument:
    """Return the tracks and notes of MIDI."""
    row = studio.store.file(check_id(file, "file"))
    if row.kind != "midi" or row.state != "ready":
        raise Conflict(f"{row.name} has no notes: only MIDI that has been read has")
    stored = (studio.folder.file(file) / NOTES).read_text(encoding="utf-8")
    return NotesDocument.model_validate(json.loads(stored))


@router.put("/files/{file}/paint", status_code=204, openapi_extra=BODY)
async def keep_paint(studio: CurrentStudio, file: str, request: Request) -> Response:
    """Keep the body of the request as what the page knows of the paint on a song."""
    row = await run_in_threadpool(studio.store.file, check_id(file, "file"))
    await receive_paint(studio, row, request)
    return Response(status_code=204)


@router.get("/files/{file}/paint", response_class=FileResponse, responses=_PAINT)
def get_paint(studio: CurrentStudio, file: str) -> Response:
    """Return what was kept of the paint on a song."""
    place = studio.folder.file(studio.store.file(check_id(file, "file")).id) / PAINT
    if not place.is_file():
        return Response(status_code=204)
    return Response(place.read_bytes(), media_type="application/octet-stream")  # whole: it may be replaced meanwhile
