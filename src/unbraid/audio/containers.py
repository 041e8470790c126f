"""Decode the sound tracks of M4A, MP4, MKV, WebM and their like with PyAV (the extra ``unbraid[video]``).

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unbraid.audio.encoding import Encoding
from unbraid.errors import AudioReadError

Frames = npt.NDArray[np.float32]


class ContainerSource:
    """One sound track of a container, opened for decoding.

    The length is found by decoding the track once: what a container says about it is rounded, or includes the
    encoder's delay and padding. Both are taken off where the container tells them (edit lists, Opus pre-skip,
    ``iTunSMPB``).

    Args:
        path: an existing regular file.
        track: which of its sound tracks, counted from 0; in ``.stem.mp4`` files 0 is the mixture.

    Raises:
        AudioReadError: if PyAV is not installed, there is no such track, or it cannot be decoded.
    """

    def __init__(self, path: Path, *, track: int = 0) -> None:
        try:
            import av
        except ImportError as error:
            raise AudioReadError(f"{path}: this format needs PyAV: pip install 'unbraid[video]'") from error
        self._av = av
        self._path = path
        self._track = track
        self._container: Any = None
        self._decoded: Iterator[Frames] = iter(())
        self._left: Frames = np.zeros((1, 0), np.float32)
        self._start: int | None = None
        self._end = 0
        self.sample_rate = 0
        self.n_channels = 0
        self.encoding = Encoding("wav", "float")
        try:
            self.n_samples = self._survey()
        finally:
            self.close()

    def seek(self, sample: int) -> None:
        """Go to a sample, counted from 0, by decoding up to it: containers seek to packets, not to samples."""
        self._rewind()
        while sample > 0:
            skipped = self.read(min(sample, 1 << 16)).shape[1]
            if skipped == 0:
                return
            sample -= skipped

    def read(self, n_samples: int) -> Frames:
        """Decode the next ``[C, n]`` samples; n is smaller than asked for only at the end."""
        pieces, missing = [self._left], n_samples - self._left.shape[1]
        while missing > 0:
            piece = next(self._decoded, None)
            if piece is None:
                break
            pieces.append(piece)
            missing -= piece.shape[1]
        joined = np.concatenate(pieces, axis=1)
        self._left = joined[:, n_samples:]
        return np.ascontiguousarray(joined[:, :n_samples])

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        self._decoded = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def _rewind(self) -> None:
        """Start over with a fresh decoder: one that has been flushed does not always start clean."""
        self.close()
        try:
            self._container = self._av.open(str(self._path))
        except (self._av.FFmpegError, ValueError) as error:
            raise AudioReadError(f"{self._path}: damaged or of an unknown format: get a complete copy") from error
        tracks = self._container.streams.audio
        if not tracks:
            raise AudioReadError(f"{self._path}: there is no sound track in this file: choose one with sound")
        if not 0 <= self._track < len(tracks):
            raise AudioReadError(f"{self._path}: there is no sound track {self._track}: use 0 to {len(tracks) - 1}")
        self._stream = tracks[self._track]
        self._left = np.zeros((self.n_channels, 0), np.float32)
        self._start, self._end = None, 0
        self._decoded = self._decode()

    def _decode(self) -> Iterator[Frames]:
        """Yield decoded blocks ``[C, n]``; the first sets the rate and the channels of the track."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size and packet.pts is not None:
                    self._end = max(self._end, packet.pts + (packet.duration or 0))
                for frame in packet.decode():
                    if self._start is None:
                        self._start = frame.pts
                    yield self._checked(frame)
        except self._av.FFmpegError as error:
            raise AudioReadError(f"{self._path}: damaged or cut off: get a complete copy of the file") from error

    def _checked(self, frame: Any) -> Frames:
        """Turn a frame into float32 ``[C, n]`` and hold it to the rate and channels of the first."""
        n_channels = len(frame.layout.channels)
        if self.sample_rate == 0:
            self.sample_rate, self.n_channels = frame.sample_rate, n_channels
            self.encoding = _encoding_of(frame.format.name, self._stream.codec_context.name)
            self._left = np.zeros((n_channels, 0), np.float32)
        if (frame.sample_rate, n_channels) != (self.sample_rate, self.n_channels):
            raise AudioReadError(f"{self._path}: rate or channels change within the track: convert it to WAV first")
        return _floats(frame.to_ndarray(), n_channels)

    def _survey(self) -> int:
        """Decode the whole track once: rate, channels, and the exact number of samples."""
        self._rewind()
        n_decoded: int = sum(piece.shape[1] for piece in self._decoded)
        declared: int | None = _itunes_length(self._container.metadata | self._stream.metadata)
        if declared is None and self._end and self._stream.time_base * self.sample_rate == 1:
            declared = self._end - (self._start or 0)
        return n_decoded if declared is None else max(0, min(n_decoded, declared))


def _floats(samples: npt.NDArray[Any], n_channels: int) -> Frames:
    """Scale what a decoder gives, planar ``[C, n]`` or interleaved ``[1, n * C]``, to full scale 1.0."""
    if samples.shape[0] != n_channels:
        samples = samples.reshape(-1, n_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if samples.dtype.kind == "i":
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)


def _encoding_of(sample_format: str, codec: str) -> Encoding:
    """What outputs default to: the depth of a lossless track, float for a lossy one."""
    if codec not in ("alac", "flac") and not codec.startswith("pcm_"):
        return Encoding("wav", "float")
    if sample_format.startswith(("s16", "u8")):
        return Encoding("wav", "16")
    return Encoding("wav", "24" if codec in ("alac", "flac", "pcm_s24le", "pcm_s24be") else "float")


def _itunes_length(metadata: dict[str, str]) -> int | None:
    """Number of samples that iTunes noted beside the delay and padding, or None."""
    words = re.split(r"\s+", metadata.get("iTunSMPB", "").strip())
    return int(words[3], 16) if len(words) > 3 and re.fullmatch(r"[0-9A-Fa-f]{16}", words[3]) else None
