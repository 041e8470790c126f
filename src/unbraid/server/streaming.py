"""Sound over HTTP: ranges of a WAV file that may still be growing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from unbraid.server.documents import HeldSound
from unbraid.server.refusals import Conflict, NotFinal

_PIECE = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def wav_response(request: Request, sound: HeldSound, *, etag: str) -> Response:
    """Answer with a sound as WAV, or with the part of it that the request names, as far as it is final.

    Raises:
        Conflict: if all of it is asked for, and it is not complete.
        NotFinal: if the range begins behind what is there.
    """
    held = sound.held
    header = held.sound.wav_header
    total = len(header) + held.sound.n_samples * held.sound.frame_bytes
    ready = len(header) + held.n_final * held.sound.frame_bytes
    headers = {"accept-ranges": "bytes", "etag": f'"{etag}"', "cache-control": "private, no-cache"}
    span = _range_of(request, total, etag)
    if span is None:
        if ready < total:
            raise Conflict("the sound is not complete yet: ask for a range, or wait until it is")
        if request.headers.get("if-none-match") == f'"{etag}"':
            return Response(status_code=304, headers=headers)
        headers["content-length"] = str(total)
        return StreamingResponse(_bytes(sound, header, 0, total), media_type="audio/wav", headers=headers)
    start, stop = span[0], min(span[1], ready)
    if start >= stop:
        raise NotFinal(f"the sound has {ready} of {total} bytes by now, and the range begins behind them")
    headers |= {"content-range": f"bytes {start}-{stop - 1}/{total}", "content-length": str(stop - start)}
    return StreamingResponse(_bytes(sound, header, start, stop), 206, headers, media_type="audio/wav")


def _range_of(request: Request, total: int, etag: str) -> tuple[int, int] | None:
    """Return the first byte, and the one behind the last, that a request names; None for all of them."""
    named = request.headers.get("range", "")
    match = _RANGE.fullmatch(named.strip())
    if match is None or not (match[1] or match[2]) or request.headers.get("if-range", f'"{etag}"') != f'"{etag}"':
        return None
    if not match[1]:
        return max(0, total - int(match[2])), total
    start, stop = int(match[1]), int(match[2]) + 1 if match[2] else total
    return None if match[2] and stop <= start else (start, min(stop, total))


def _bytes(sound: HeldSound, header: bytes, start: int, stop: int) -> Iterator[bytes]:
    """Yield bytes of the file that the header and the samples make."""
    if start < len(header):
        yield header[start:stop]
        start = len(header)
    frame = sound.held.sound.frame_bytes
    position, end = start - len(header), stop - len(header)
    while position < end:
        first = position // frame
        piece = sound.held.read_bytes(first, first + max(1, _PIECE // frame))
        part = piece[position - first * frame : end - first * frame]
        if not part:
            return
        yield part
        position += len(part)
