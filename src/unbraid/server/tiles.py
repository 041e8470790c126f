"""Waveforms and spectrograms in tiles: computed once while the sound streams by, level by level of zoom.

Each level is one file of records of equal size, to which is only ever appended, so that a tile is a slice of it.

Axes: C channels, n samples of one block, B bins, K bands, T frames.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.mel import hz_to_mel
from unbraid.audio.resample import StreamResampler
from unbraid.audio.stft import Stft
from unbraid.guides.mask_grid import FRAMES_PER_SECOND as MASK_FRAMES_PER_SECOND
from unbraid.guides.mask_grid import N_BANDS as MASK_BANDS
from unbraid.guides.mask_grid import TOP_HZ

FACTOR = 4  # between two levels of zoom
N_LEVELS = 7
PEAK_SAMPLES = 256  # of one bin at level 0
PEAK_TILE = 1024  # bins
MEL_TILE = 256  # frames
N_BANDS = 216
FRAMES_PER_SECOND = 2 * MASK_FRAMES_PER_SECOND
RANGE_DB = 96.0
MEL_STEP = float(hz_to_mel(torch.tensor(TOP_HZ, dtype=torch.float64), scale="htk")) / (MASK_BANDS + 1) / 2

_RATE = 48_000
_HOP = round(_RATE / FRAMES_PER_SECOND)
_N_FFT = 2048
_MARGIN = -(-_N_FFT // 2 // _HOP)  # frames whose windows reach beyond a block
_BLOCK_FRAMES = 512

Records = npt.NDArray[Any]


class Pyramid:
    """Levels of zoom: what comes in is level 0, and each further level joins four records of the one below.

    Args:
        folder: where the files are.
        name: of the files: ``peaks`` makes ``peaks.0``, ``peaks.1``, ….
        join: joins records ``[B, j, …]``, j up to 4, into ``[B, …]``.
    """

    def __init__(self, folder: Path, name: str, join: Callable[[Records], Records]) -> None:
        self._join = join
        self._files: list[BinaryIO] = [(folder / f"{name}.{level}").open("wb") for level in range(N_LEVELS)]
        self._pending: list[Records | None] = [None] * N_LEVELS

    def push(self, records: Records) -> None:
        """Append records ``[B, …]`` to level 0, and what they complete to the levels above."""
        for level, file in enumerate(self._files):
            if not len(records):
                return
            file.write(np.ascontiguousarray(records).tobytes())
            file.flush()
            waiting = self._pending[level]
            joined = records if waiting is None else np.concatenate([waiting, records])
            n_whole = len(joined) // FACTOR
            self._pending[level] = joined[n_whole * FACTOR :].copy()
            records = self._join(joined[: n_whole * FACTOR].reshape(n_whole, FACTOR, *joined.shape[1:]))

    def finish(self) -> None:
        """Complete every level with what is left, and close the files."""
        records: Records | None = None
        for level, file in enumerate(self._files):
            waiting = self._pending[level]
            if records is not None:
                file.write(np.ascontiguousarray(records).tobytes())
                waiting = records if waiting is None else np.concatenate([waiting, records])
            records = None
            if waiting is not None and len(waiting):
                groups = [waiting[start : start + FACTOR] for start in range(0, len(waiting), FACTOR)]
                records = np.concatenate([self._join(group[None]) for group in groups])
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class PeakWriter:
    """The waveform of a sound: lowest and highest sample of every bin, int16 ``[B, C, 2]``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     peaks = PeakWriter(Path(folder))
        ...     peaks.push(torch.linspace(-1, 1, 600)[None])
        ...     peaks.finish()
        ...     np.frombuffer(read_tile(Path(folder), "peaks", 0, 0, n_channels=1), "<i2").reshape(-1, 2).shape
        (3, 2)
    """

    def __init__(self, folder: Path) -> None:
        self._pyramid = Pyramid(folder, "peaks", _join_peaks)
        self._left: Tensor | None = None

    def push(self, block: Tensor) -> None:
        """Append samples ``[C, n]``."""
        whole = block if self._left is None else torch.cat([self._left, block], dim=1)
        n_bins = whole.shape[1] // PEAK_SAMPLES
        self._left = whole[:, n_bins * PEAK_SAMPLES :].clone()
        if n_bins:
            self._pyramid.push(_peaks_of(whole[:, : n_bins * PEAK_SAMPLES].unflatten(1, (n_bins, PEAK_SAMPLES))))

    def finish(self) -> None:
        """Append the last, shorter bin, and complete all levels."""
        if self._left is not None and self._left.shape[1]:
            self._pyramid.push(_peaks_of(self._left[:, None]))
        self._pyramid.finish()

    def close(self) -> None:
        """Give up."""
        self._pyramid.close()


def _peaks_of(samples: Tensor) -> Records:
    """Turn ``[C, B, n]`` into ``[B, C, 2]``."""
    low, high = samples.aminmax(dim=2)
    pairs = torch.stack([low, high], dim=-1).permute(1, 0, 2)
    return (pairs.clamp(-1, 1) * 32767).round().to(torch.int16).numpy().astype("<i2")


def _join_peaks(records: Records) -> Records:
    return np.stack([records[..., 0].min(axis=1), records[..., 1].max(axis=1)], axis=-1)


class SpectrogramWriter:
    """The mel spectrogram of a sound: one byte for each band, ``[T, K]``; see `level_of`.

    Args:
        folder: where its files are.
        sample_rate: of the sound, in hertz.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     spectrogram = SpectrogramWriter(Path(folder), sample_rate=16000)
        ...     spectrogram.push(torch.zeros(2, 16000))
        ...     spectrogram.finish()
        ...     len(read_tile(Path(folder), "mel", 0, 0)) / N_BANDS
        126.0
    """

    def __init__(self, folder: Path, *, sample_rate: int) -> None:
        self._pyramid = Pyramid(folder, "mel", lambda frames: frames.max(axis=1))
        self._resampler = StreamResampler(sample_rate, _RATE, 1)
        self._samples = torch.zeros(_MARGIN * _HOP)  # begins so many samples before the next frame's center
        self._n_samples, self._n_frames = 0, 0
        self._stft = Stft(_N_FFT, _HOP, window="hann")
        self._bank = _bank()

    def push(self, block: Tensor) -> None:
        """Append samples ``[C, n]``."""
        self._take(self._resampler.process(block.mean(dim=0, keepdim=True)))
        while len(self._samples) >= (_BLOCK_FRAMES + 2 * _MARGIN) * _HOP:
            self._emit(_BLOCK_FRAMES)

    def finish(self) -> None:
        """Append the last frames, and complete all levels."""
        self._take(self._resampler.process(torch.zeros(1, 0), last=True))
        n_left = self._n_samples // _HOP + 1 - self._n_frames
        self._samples = torch.cat([self._samples, torch.zeros((2 * _MARGIN + 1) * _HOP)])
        while n_left > 0:
            n_frames = min(n_left, _BLOCK_FRAMES)
            self._emit(n_frames)
            n_left -= n_frames
        self._pyramid.finish()

    def close(self) -> None:
        """Give up."""
        self._pyramid.close()

    def _take(self, samples: Tensor) -> None:
        self._samples = torch.cat([self._samples, samples[0]])
        self._n_samples += samples.shape[1]

    def _emit(self, n_frames: int) -> None:
        window = self._samples[: (n_frames + 2 * _MARGIN) * _HOP]
        power = self._stft(window)[:, _MARGIN : _MARGIN + n_frames].abs().square()  # [F, T]
        self._pyramid.push(level_of((self._bank @ power).T))
        self._samples = self._samples[n_frames * _HOP :].clone()
        self._n_frames += n_frames


def level_of(power: Tensor) -> Records:
    """Turn the power of bands, 1 for a full-scale sine, into bytes: 0 is -96 dB or less, 255 is 0 dB or more.

    Example:
        >>> level_of(torch.tensor([0.0, 1e-4, 1.0]))
        array([  0, 149, 255], dtype=uint8)
    """
    decibels = 10 * power.clamp_min(1e-20).log10()
    return ((decibels / RANGE_DB + 1) * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def _bank() -> Tensor:
    """Return how bands ``[K, F]`` gather power: triangles, as wide as the bins lie apart where these lie farther."""
    mels = torch.arange(N_BANDS + 2, dtype=torch.float64) * MEL_STEP
    hertz = 700 * (10 ** (mels / 2595) - 1)
    bins = torch.linspace(0, _RATE / 2, _N_FFT // 2 + 1, dtype=torch.float64)
    apart = float(bins[1])
    below, above = (hertz.diff()[side].clamp_min(apart)[:, None] for side in (slice(0, -1), slice(1, None)))
    offset = bins - hertz[1:-1, None]
    weights = (1 - torch.where(offset < 0, -offset / below, offset / above)).clamp_min(0)
    return (weights / (_N_FFT / 4) ** 2).float()  # a full-scale sine has the magnitude n_fft / 4 through a Hann window


def record_bytes(name: str, *, n_channels: int = 1) -> int:
    """Return the size of one bin of ``peaks``, or one frame of ``mel``."""
    return 4 * n_channels if name == "peaks" else N_BANDS


def level_bytes(n_samples: int, *, sample_rate: int, n_channels: int) -> int:
    """Return what all levels of waveform and spectrogram take on the disk, about.

    Example:
        >>> level_bytes(48_000, sample_rate=48_000, n_channels=2)
        38000
    """
    bins, frames = n_samples / PEAK_SAMPLES, n_samples / sample_rate * FRAMES_PER_SECOND
    lowest = bins * record_bytes("peaks", n_channels=n_channels) + frames * record_bytes("mel")
    return round(lowest * FACTOR / (FACTOR - 1))


def tile_records(name: str) -> int:
    """Return how many bins or frames a tile has."""
    return PEAK_TILE if name == "peaks" else MEL_TILE


def read_tile(folder: Path, name: str, level: int, tile: int, *, n_channels: int = 1) -> bytes:
    """Read what there is of a tile; empty if there is nothing.

    Args:
        folder: of the sound.
        name: ``peaks`` or ``mel``.
        level: of zoom.
        tile: from 0.
        n_channels: of the sound, for peaks.
    """
    size = record_bytes(name, n_channels=n_channels)
    if not 0 <= level < N_LEVELS or not 0 <= tile < 1 << 32:
        return b""
    try:
        with (folder / f"{name}.{level}").open("rb") as file:
            file.seek(tile * tile_records(name) * size)
            data = file.read(tile_records(name) * size)
    except OSError:
        return b""
    return data[: len(data) // size * size]


def count_records(folder: Path, name: str, *, n_channels: int = 1) -> list[int]:
    """Return how many bins or frames each level has by now."""
    size = record_bytes(name, n_channels=n_channels)
    counts = []
    for level in range(N_LEVELS):
        path = folder / f"{name}.{level}"
        counts.append(path.stat().st_size // size if path.exists() else 0)
    return counts
