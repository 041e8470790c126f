"""Routes of sounds: to be heard, and to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from unbraid.server import tiles
from unbraid.server.documents import HeldSound, find_sound, sound_document
from unbraid.server.refusals import Invalid, NotFinal, NotFound
from unbraid.server.schemas import ErrorDocument, SoundDocument
from unbraid.server.streaming import wav_response
from unbraid.server.wiring import BINARY, ERRORS, CurrentStudio, files_of

router = APIRouter(prefix="/api/sounds", responses=ERRORS, tags=["sounds"])
MAX_SAMPLES = 1 << 22  # of one answer, in each channel
_FINAL = "private, max-age=31536000, immutable"
_BYTES = files_of("application/octet-stream")
_NOT_FINAL: dict[int | str, dict[str, Any]] = {416: {"model": ErrorDocument}}
_WAV: dict[int | str, dict[str, Any]] = {
    **files_of("audio/wav"),
    206: {"description": "A range.", "content": {"audio/wav": BINARY}},
    304: {"description": "It has not changed."},
    **_NOT_FINAL,
}


@router.get("/{sound}")
def get_sound(studio: CurrentStudio, sound: str) -> SoundDocument:
    """Describe a sound, and tell how much of it is final."""
    return sound_document(sound, find_sound(studio, sound))


@router.get("/{sound}/audio", response_class=Response, responses=_WAV)
def get_audio(studio: CurrentStudio, sound: str, request: Request) -> Response:
    """Return a sound as WAV; takes ranges, also while it grows."""
    return wav_response(request, find_sound(studio, sound), etag=sound)


@router.get("/{sound}/samples", response_class=Response, responses={**_BYTES, **_NOT_FINAL})
def get_samples(
    studio: CurrentStudio, sound: str, start: int = Query(ge=0, lt=1 << 48), stop: int = Query(gt=0, lt=1 << 48)
) -> Response:
    """Return samples as float32, little-endian, channels interleaved; fewer than asked for where not all are final."""
    if not start < stop <= start + MAX_SAMPLES:
        raise Invalid(f"samples {start} to {stop}: ask for 1 to {MAX_SAMPLES} at a time")
    found = find_sound(studio, sound)
    held = found.held
    if start >= held.n_final:
        raise NotFinal(f"there are {held.n_final} samples by now")
    audio = held.read(start, stop)
    data = np.ascontiguousarray(audio.samples.numpy().T).astype("<f4").tobytes()
    return _answer(data, is_final=stop <= held.n_final or found.is_complete)


@router.get("/{sound}/peaks/{level}/{tile}", response_class=Response, responses=_BYTES)
def get_peaks(studio: CurrentStudio, sound: str, level: int, tile: int) -> Response:
    """Return a tile of the waveform: int16 pairs of lowest and highest sample, for each bin and channel."""
    return _tile(find_sound(studio, sound), "peaks", level, tile)


@router.get("/{sound}/spectrogram/{level}/{tile}", response_class=Response, responses=_BYTES)
def get_spectrogram(studio: CurrentStudio, sound: str, level: int, tile: int) -> Response:
    """Return a tile of the spectrogram: a byte for each band of each frame."""
    return _tile(find_sound(studio, sound), "mel", level, tile)


def _tile(sound: HeldSound, name: str, level: int, tile: int) -> Response:
    n_channels = sound.held.sound.n_channels
    data = tiles.read_tile(sound.held.folder, name, level, tile, n_channels=n_channels)
    if not data:
        raise NotFound("there is no such tile, or not yet")
    is_full = len(data) == tiles.tile_records(name) * tiles.record_bytes(name, n_channels=n_channels)
    return _answer(data, is_final=is_full or sound.is_complete)


def _answer(data: bytes, *, is_final: bool) -> Response:
    headers = {"cache-control": _FINAL if is_final else "no-store"}
    return Response(data, media_type="application/octet-stream", headers=headers)
