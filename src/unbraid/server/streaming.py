"""Sound over HTTP: ranges of a WAV file that may still be growing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from unbraid.server.documents import HeldSound
from unbraid.server.refusals import Conflict, NotFinal, error_document
from unbraid.server.sounds import SoundFolder

_PIECE = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def wav_response(request: Request, sound: HeldSound, *, etag: str) -> Response:
    """Answer with a sound as WAV, or with the part of it that the request names, as far as it is final.

    Raises:
        Conflict: if all of it is asked for, and it is not complete.
    """
    held = sound.held
    header = held.sound.wav_header
    total = len(header) + held.sound.n_samples * held.sound.frame_bytes
    ready = len(header) + held.n_final * held.sound.frame_bytes
    headers = {"accept-ranges": "bytes", "etag": f'"{etag}"', "cache-control": "private, no-cache"}
    if ready == total and _is_known(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    span = _range_of(request, total, etag)
    if span is None and ready < total:
        raise Conflict("the sound is not complete yet: ask for a range, or wait until it is")
    start, stop = (0, total) if span is None else (span[0], min(span[1], ready))
    if start >= stop:
        refusal = NotFinal(f"the sound has {ready} of {total} bytes by now, and the range begins behind them")
        return JSONResponse(error_document(refusal), refusal.status, {"content-range": f"bytes */{total}"})
    headers["content-length"] = str(stop - start)
    if span is not None:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{total}"
    status = 200 if span is None else 206
    return StreamingResponse(_bytes(held, header, start, stop), status, headers, media_type="audio/wav")


def _is_known(named: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` names this version, among others perhaps."""
    return any(one.strip().removeprefix("W/") in {f'"{etag}"', "*"} for one in named.split(","))


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


def _bytes(held: SoundFolder, header: bytes, start: int, stop: int) -> Iterator[bytes]:
    """Return pieces of the file that the header and the samples make; the samples are opened at once."""
    samples = held.open() if stop > len(header) else io.BytesIO()
    return _pieces(samples, header, start, stop)


def _pieces(samples: BinaryIO, header: bytes, start: int, stop: int) -> Iterator[bytes]:
    with samples:
        yield header[start:stop]
        samples.seek(max(0, start - len(header)))
        left = stop - max(start, len(header))
        while left > 0 and (piece := samples.read(min(left, _PIECE))):
            yield piece
            left -= len(piece)
