"""Sounds on the disk of the server: samples that can be read while they are still being written, and their tiles.

Samples lie interleaved and without a header in one file, to which is only ever appended; its length tells how much is
final.

Axes: C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.audio.wav import WavSink
from unbraid.server.tiles import PeakWriter, SpectrogramWriter, level_bytes

SAMPLES = "samples"
DEPTHS: dict[str, np.dtype[Any]] = {"16": np.dtype("<i2"), "float": np.dtype("<f4")}
_BLOCK = 1 << 16
_FULL_SCALE = 32768


@dataclass(frozen=True)
class SoundFormat:
    """What one must know of a sound to read it.

    Args:
        sample_rate: in hertz.
        n_channels: C.
        n_samples: N, once all are there.
        depth: ``"16"`` or ``"float"``, of the samples on the disk.
    """

    sample_rate: int
    n_channels: int
    n_samples: int
    depth: str = "float"

    @property
    def frame_bytes(self) -> int:
        """Size of the samples of one instant."""
        return self.n_channels * DEPTHS[self.depth].itemsize

    @property
    def stored_bytes(self) -> int:
        """What it takes on the disk, about, with its waveform and its spectrogram.

        Example:
            >>> SoundFormat(8000, 1, 80_000, "16").stored_bytes
            521667
        """
        tiles = level_bytes(self.n_samples, sample_rate=self.sample_rate, n_channels=self.n_channels)
        return self.n_samples * self.frame_bytes + tiles

    @property
    def wav_header(self) -> bytes:
        """What makes the samples, once they are all there, a WAV file.

        Example:
            >>> SoundFormat(8000, 1, 4, "16").wav_header[:4]
            b'RIFF'
        """
        buffer = io.BytesIO()
        sink = WavSink(buffer, sample_rate=self.sample_rate, n_channels=self.n_channels, depth=self.depth)
        length = buffer.tell()
        sink.n_samples = self.n_samples
        sink.finish()
        return buffer.getvalue()[:length]


class SoundWriter:
    """Write a sound, its waveform and its spectrogram, block by block.

    Args:
        folder: made if it is missing.
        sound: its format; ``n_samples`` is not looked at.

    Raises:
        OSError: from any method, if the disk refuses.

    Example:
        >>> import tempfile
        >>> sound = SoundFormat(8000, 1, 600)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with SoundWriter(Path(folder, "tone"), sound) as writer:
        ...         writer.write(torch.full((1, 600), 0.5))
        ...     held = SoundFolder(Path(folder, "tone"), sound)
        ...     held.n_final, float(held.read(0, 600).samples.max())
        (600, 0.5)
    """

    def __init__(self, folder: Path, sound: SoundFormat) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.n_samples = 0
        self.peak = 0.0
        self._sound = sound
        self._file: BinaryIO = (folder / SAMPLES).open("wb")
        self._peaks = PeakWriter(folder)
        self._spectrogram = SpectrogramWriter(folder, sample_rate=sound.sample_rate)

    def write(self, block: Tensor) -> None:
        """Append float32 ``[C, n]``; what is stored with 16 bits must come from them."""
        if not block.shape[1]:
            return
        self._peaks.push(block)
        self._spectrogram.push(block)
        frames = block.T.contiguous()
        if self._sound.depth == "16":
            frames = (frames * _FULL_SCALE).round()
        self._file.write(frames.numpy().astype(DEPTHS[self._sound.depth]).tobytes())
        self._file.flush()
        self.n_samples += block.shape[1]
        self.peak = max(self.peak, float(block.abs().max()))

    def finish(self) -> None:
        """Complete the tiles, and close the files."""
        self._peaks.finish()
        self._spectrogram.finish()
        self._file.close()

    def __enter__(self) -> SoundWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()

    def close(self) -> None:
        """Give up; what was written stays."""
        self._peaks.close()
        self._spectrogram.close()
        self._file.close()


@dataclass(frozen=True)
class SoundFolder:
    """A sound to read from, complete or not."""

    folder: Path
    sound: SoundFormat

    @property
    def n_final(self) -> int:
        """How many samples are there."""
        path = self.folder / SAMPLES
        written = path.stat().st_size // self.sound.frame_bytes if path.exists() else 0
        return min(written, self.sound.n_samples)

    def read_bytes(self, start: int, stop: int) -> bytes:
        """Return samples as they are stored, from one sample to before another, as far as they are final."""
        stop = min(stop, self.n_final)
        if not 0 <= start < stop:
            return b""
        with self.open() as file:
            file.seek(start * self.sound.frame_bytes)
            return file.read((stop - start) * self.sound.frame_bytes)

    def open(self) -> BinaryIO:
        """Open the samples, which can then be read to the end although the sound is moved, or removed, meanwhile.

        Raises:
            FileNotFoundError: if there are none yet.
        """
        return (self.folder / SAMPLES).open("rb")

    def read(self, start: int, stop: int) -> Audio:
        """Return samples as sound, ``[C, n]``."""
        stored = np.frombuffer(self.read_bytes(start, stop), DEPTHS[self.sound.depth])
        frames = stored.reshape(-1, self.sound.n_channels).astype(np.float32)
        if self.sound.depth == "16":
            frames /= np.float32(_FULL_SCALE)
        return Audio(torch.from_numpy(np.ascontiguousarray(frames.T)), self.sound.sample_rate)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Tensor]:
        """Yield blocks ``[C, n]`` from one sample to before another."""
        stop = self.sound.n_samples if stop is None else stop
        for first in range(start, stop, _BLOCK):
            yield self.read(first, min(first + _BLOCK, stop)).samples
