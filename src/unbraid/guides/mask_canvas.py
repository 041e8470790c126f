"""The picture of a song that masks are painted on: its mel spectrogram in tints of blue, which no mask is.

Paint is green where the sound is and red where it is not, so blue counts as unpainted even where an editor has dropped
what the file says about itself.

Axes: K mel bands, W columns, N samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.files import AudioReader, open_audio
from unbraid.audio.resample import StreamResampler
from unbraid.errors import GuideError
from unbraid.guides.mask_grid import (
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    N_BANDS,
    SAMPLE_RATE,
    frames_of,
    hear_mel,
)

VERSION = 1
ROWS_PER_BAND = 4
N_ROWS = N_BANDS * ROWS_PER_BAND
MAX_COLUMNS = 32_000
RANGE_DB = 60.0

_DARK = np.array([6.0, 8.0, 40.0])
_BRIGHT = np.array([170.0, 205.0, 255.0])
_BEND = np.array([1.6, 1.3, 0.8])  # blue rises first
_TICK, _TICK_EDGE = (200, 215, 255), (0, 0, 40)
_TICK_ROWS = {1: 6, 10: 16, 60: 32}  # height of the ticks by what they count, in seconds
_TICK_COLUMNS = 8  # ticks that would be closer than so many columns are left out
_BLOCK_FRAMES = 1024
_TINY, _SILENT = 1e-10, 1e-6


@dataclass(frozen=True)
class CanvasNote:
    """What a canvas says about itself: which song it shows, and how.

    ``sha256`` is the hash of the song's file; ``frames_per_column`` is above 1 for songs of more than eight minutes.
    """

    duration: float
    n_samples: int
    sample_rate: int
    sha256: str
    n_columns: int
    n_rows: int
    frames_per_column: int

    def to_text(self) -> str:
        """Return the note as one line of JSON, with the version of its form and of the grid."""
        grid = {"n_bands": N_BANDS, "frames_per_second": FRAMES_PER_SECOND, "top_hz": SAMPLE_RATE // 2}
        return json.dumps({"version": VERSION, **grid, **asdict(self)})

    @classmethod
    def from_text(cls, text: str) -> CanvasNote:
        """Read what ``to_text`` wrote.

        Raises:
            GuideError: if it is something else, or of another version.

        Example:
            >>> note = CanvasNote(2.0, 88200, 44100, "", 126, 320, 1)
            >>> CanvasNote.from_text(note.to_text()) == note
            True
        """
        try:
            values = json.loads(text)
            if values["version"] != VERSION:
                raise GuideError(f"was made by another version ({values['version']}): make it anew with unbraid mask")
            note = cls(**{name: kind(values[name]) for name, kind in _NOTE_TYPES.items()})
        except (ValueError, TypeError, KeyError) as error:
            raise GuideError("has a damaged note about its song: make it anew with unbraid mask") from error
        if note.duration <= 0 or min(note.n_columns, note.n_rows, note.frames_per_column) < 1:
            raise GuideError("has a damaged note about its song: make it anew with unbraid mask")
        return note


_NOTE_TYPES = {
    "duration": float,
    "n_samples": int,
    "sample_rate": int,
    "sha256": str,
    "n_columns": int,
    "n_rows": int,
    "frames_per_column": int,
}


def frames_per_column(n_frames: int) -> int:
    """Return how many frames share a column, so that the canvas of a long song is not too wide for editors.

    Example:
        >>> frames_per_column(20_000), frames_per_column(40_000)
        (1, 2)
    """
    return -(-n_frames // MAX_COLUMNS)


def draw_canvas(
    song: Path, *, progress: Callable[[float], None] | None = None
) -> tuple[npt.NDArray[np.uint8], CanvasNote]:
    """Draw the canvas of a song of any length and format, in bounded memory.

    Args:
        song: its file.
        progress: is told what share of the song is done, 0..1.

    Returns:
        pixels ``[rows, W, 3]``, low frequencies at the bottom, and what they show.

    Raises:
        AudioReadError: if the song cannot be read.
    """
    with open_audio(song) as reader:
        n_frames = frames_of(reader.duration)
        per_column = frames_per_column(n_frames)
        loudness = _loudest(reader, n_frames, per_column, progress)
        note = CanvasNote(
            duration=reader.duration,
            n_samples=reader.n_samples,
            sample_rate=reader.sample_rate,
            sha256=hash_of(song),
            n_columns=loudness.shape[1],
            n_rows=N_ROWS,
            frames_per_column=per_column,
        )
    return _paint_canvas(loudness, per_column), note


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hear_frames(reader: AudioReader) -> Iterator[Tensor]:
    """Yield the mel spectrogram of a recording, mixed down to one channel, in pieces ``[K, n]``, in magnitudes."""
    resampler = StreamResampler(reader.sample_rate, SAMPLE_RATE, 1)
    n_left = reader.n_samples
    held = torch.zeros(0)
    step = _BLOCK_FRAMES * HOP_LENGTH
    is_first = True
    for block in reader.blocks():
        n_left -= block.shape[1]
        mono = block.mean(dim=0, keepdim=True)
        held = torch.cat([held, resampler.process(mono, last=n_left == 0)[0]])
        while len(held) >= step + 2 * HOP_LENGTH:  # a frame hears less than a hop beyond its center
            piece = hear_mel(held[: step + HOP_LENGTH])
            yield piece[:, 0 if is_first else 1 : -1]
            held = held[step:]
            is_first = False
    if not len(held):  # less than a sample at the lower rate
        held = torch.zeros(1)
    yield hear_mel(held)[:, 0 if is_first else 1 :]


def _loudest(reader: AudioReader, n_frames: int, per_column: int, progress: Callable[[float], None] | None) -> Tensor:
    """Return the loudest frame of each column: ``[K, W]``, in dB below the loudest of all."""
    columns = torch.zeros(N_BANDS, -(-n_frames // per_column))
    start = 0
    for piece in hear_frames(reader):
        first = start // per_column
        whole = functional.pad(piece, (start % per_column, -(start + piece.shape[1]) % per_column))
        found = whole.unflatten(1, (-1, per_column)).amax(dim=2)[:, : columns.shape[1] - first]
        place = columns[:, first : first + found.shape[1]]
        torch.maximum(place, found, out=place)
        start += piece.shape[1]
        if progress is not None:
            progress(min(1.0, start / n_frames))
    return 20 * ((columns + _TINY) / columns.max().clamp_min(_SILENT)).log10()


def _paint_canvas(loudness: Tensor, per_column: int) -> npt.NDArray[np.uint8]:
    """Turn levels in dB into tints of blue, with ticks below that count seconds."""
    levels = (1 + loudness / RANGE_DB).clamp(0, 1)
    shades = np.round(255 * levels.numpy()).astype(np.uint8)
    tints = np.round(_DARK + (_BRIGHT - _DARK) * np.linspace(0, 1, 256)[:, None] ** _BEND).astype(np.uint8)
    pixels: npt.NDArray[np.uint8] = tints[np.repeat(shades[::-1], ROWS_PER_BAND, axis=0)]
    n_columns = pixels.shape[1]
    columns_per_second = FRAMES_PER_SECOND / per_column
    for seconds, n_rows in _TICK_ROWS.items():
        if seconds * columns_per_second >= _TICK_COLUMNS:
            at = np.arange(seconds, n_columns / columns_per_second, seconds) * columns_per_second
            middle = np.round(at).astype(int)
            for shift, tint in ((-1, _TICK_EDGE), (1, _TICK_EDGE), (0, _TICK)):
                pixels[-n_rows:, np.minimum(middle + shift, n_columns - 1)] = tint
    return pixels
