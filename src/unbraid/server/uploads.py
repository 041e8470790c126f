"""Bytes on their way in: straight to the disk, within the limits, and nothing is left of what breaks off."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from unbraid.server.folder import ORIGINAL, PAINT, new_id, remove
from unbraid.server.limits import in_words
from unbraid.server.records import FileRow
from unbraid.server.refusals import DiskFull, Invalid, QuotaExceeded, Stopping, TooLarge
from unbraid.server.studio import Studio

MAX_NAME = 200
_PIECE = 1 << 20


def shown_name(name: str) -> str:
    r"""Return what a file is called on the page: the last part of its path, without letters that do not print.

    Example:
        >>> shown_name("../../etc/pass\nwd"), shown_name("C:\\songs\\a.wav"), shown_name("..")
        ('passwd', 'a.wav', 'recording')
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    printed = "".join(letter for letter in last if letter.isprintable()).strip()[-MAX_NAME:]
    return printed if printed.strip(". ") else "recording"


class Incoming:
    """A body on its way to the disk.

    Args:
        studio: that it comes to.
        most: bytes that it may have.
        too_large: what is raised where there are more.
    """

    def __init__(self, studio: Studio, *, most: int, too_large: TooLarge | QuotaExceeded) -> None:
        self.place = studio.folder.upload()
        self.size = 0
        self._studio = studio
        self._most = most
        self._too_large = too_large
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all bytes."""
        return self._hash.hexdigest()

    def row(self, session_id: str, name: str) -> FileRow:
        """Return it as a file of a session."""
        return FileRow(new_id(), session_id, name, size_bytes=self.size, sha256=self.sha256)

    async def take(self, request: Request) -> None:
        """Store the body of a request.

        Raises:
            TooLarge: if it is larger than it may be, also if it says so before.
            DiskFull: if the disk is.
            Invalid: if it is empty, or breaks off.
            Stopping: if the server goes down meanwhile.
        """
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > self._most:
            raise self._too_large
        try:
            with self.place.open("xb") as file:
                async for piece in self._pieces(request):
                    await run_in_threadpool(self._store, file, piece)
        except ClientDisconnect as error:
            raise Invalid("the file broke off on its way: send it again") from error
        if self.size == 0:
            raise Invalid("the file is empty: send its bytes as the body of the request")

    def _store(self, file: BinaryIO, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._most:
            raise self._too_large
        if self._studio.folder.free_bytes() < self._studio.limits.free_bytes:
            raise DiskFull("the disk of the data folder is full: remove old sessions, or free some space")
        self._hash.update(piece)
        file.write(piece)

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body in pieces of about a megabyte."""
        held, size = [], 0
        async for piece in request.stream():
            if self._studio.bus.is_closed:
                raise Stopping("the server is going down: send the file again in a moment")
            held.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)


async def receive_file(studio: Studio, session_id: str, name: str, request: Request) -> FileRow:
    """Store the body of a request as a file of a session, and have it looked at.

    Raises:
        TooLarge: if it is larger than one file may be.
        QuotaExceeded: if the session holds too much already.
    """
    name = shown_name(name)
    room = await run_in_threadpool(check_room, studio, session_id)
    async with arriving(studio, name, request, room=room) as incoming:
        return await run_in_threadpool(keep_upload, studio, incoming.row(session_id, name), incoming.place)


@asynccontextmanager
async def arriving(studio: Studio, name: str, request: Request, *, room: int) -> AsyncIterator[Incoming]:
    """Store the body of a request as long as the block lasts; what has been kept by then stays.

    Raises:
        TooLarge: if it is larger than one file may be.
        QuotaExceeded: if it takes more than ``room`` bytes.
    """
    limits = studio.limits
    too_large: TooLarge | QuotaExceeded = TooLarge(
        f"{name} is larger than the limit of {in_words(limits.upload_bytes)} (--max-upload): "
        "send it as FLAC, or in parts"
    )
    if room < limits.upload_bytes:
        too_large = _no_room(name, studio)
    incoming = Incoming(studio, most=min(limits.upload_bytes, room), too_large=too_large)
    try:
        await incoming.take(request)
        yield incoming
    finally:
        await run_in_threadpool(remove, incoming.place)


async def receive_paint(studio: Studio, row: FileRow, request: Request) -> None:
    """Keep the body of a request as the paint on a song, in place of what was kept before.

    Raises:
        TooLarge: if it is larger than paint may be.
        QuotaExceeded: if the session has no room for it.
    """
    most = studio.limits.paint_bytes
    room = await run_in_threadpool(check_room, studio, row.session, n_new=0)
    too_large: TooLarge | QuotaExceeded = TooLarge(
        f"the paint takes more than {in_words(most)}: clear what is not needed, or paint the rest in a take of its own"
    )
    if room < most:
        too_large = _no_room("the paint", studio)
    incoming = Incoming(studio, most=min(room, most), too_large=too_large)
    try:
        await incoming.take(request)
        await run_in_threadpool(_keep_paint, studio, row.id, incoming)
    finally:
        await run_in_threadpool(remove, incoming.place)


def _keep_paint(studio: Studio, file_id: str, incoming: Incoming) -> None:
    place = studio.folder.file(file_id) / PAINT
    with studio.store.transaction():
        row = studio.store.file(file_id)
        before = place.stat().st_size if place.exists() else 0
        incoming.place.replace(place)
        studio.store.change_file(file_id, stored_bytes=row.stored_bytes + incoming.size - before)


def check_room(studio: Studio, session_id: str, *, n_new: int = 1) -> int:
    """Return how many bytes a session may still hold, if so many files come to it.

    Raises:
        NotFound: if there is no such session.
        QuotaExceeded: if it has as many files as it may, or no room.
    """
    studio.session(session_id)
    files = studio.store.files(session_id)
    if len(files) + n_new > studio.limits.session_files:
        raise QuotaExceeded(f"this session has {len(files)} files, which is the limit: remove some, or begin another")
    room = studio.limits.session_bytes - studio.store.stored_bytes(session_id)
    if room <= 0:
        raise _no_room("the file", studio)
    return room


def _no_room(name: str, studio: Studio) -> QuotaExceeded:
    most = in_words(studio.limits.session_bytes)
    return QuotaExceeded(
        f"{name} does not fit into this session, which may hold {most} (--quota): remove takes or files"
    )


def keep_upload(studio: Studio, row: FileRow, place: Path) -> FileRow:
    """Keep a file if there is still room for it, whatever else has come in meanwhile.

    Raises:
        QuotaExceeded: if the session holds too much by now.
    """
    with studio.store.transaction():
        if row.size_bytes > check_room(studio, row.session):
            raise _no_room(row.name, studio)
        return keep_file(studio, row, place)


def keep_file(studio: Studio, row: FileRow, place: Path) -> FileRow:
    """Give bytes that have arrived their place, and have them looked at."""
    final = studio.folder.file(row.id)
    with studio.store.transaction():
        studio.store.add_file(row)
        final.mkdir(mode=0o700)
        place.rename(final / ORIGINAL)
        studio.store.change_file(row.id, stored_bytes=row.size_bytes)
    studio.tell_file(row)
    studio.analyses.submit(row.id)
    return studio.store.file(row.id)
