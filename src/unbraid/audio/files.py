"""Recordings in and out of files.

Reading streams blocks of float32 at the file's own rate; writing streams them back. Nothing is rescaled, clipped or
cropped on the way.

Axes: C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.containers import ContainerSource
from unbraid.audio.encoding import MAX_CHANNELS, MAX_RATE, MIN_RATE, Encoding, output_encoding
from unbraid.audio.headers import Family, family_of, missing_bytes
from unbraid.audio.signal import Audio
from unbraid.audio.sndfile import SoundFileSource
from unbraid.audio.writing import AudioWriter, WrittenFile, write_audio
from unbraid.errors import AudioReadError

__all__ = [
    "AudioReader",
    "AudioWriter",
    "Encoding",
    "WrittenFile",
    "open_audio",
    "output_encoding",
    "read_audio",
    "write_audio",
]


class Source(Protocol):
    """A decoder of one recording."""

    sample_rate: int
    n_channels: int
    n_samples: int
    encoding: Encoding

    def seek(self, sample: int) -> None:
        """Go to a sample; the next read begins there, exactly."""

    def read(self, n_samples: int) -> npt.NDArray[np.float32]:
        """Decode the next ``[C, n]`` samples; fewer than asked for only at the end."""

    def close(self) -> None:
        """Close the file."""


class AudioReader:
    """A recording that is open for reading; made by :func:`open_audio`, and closed by ``with`` or :meth:`close`.

    Attributes:
        path: as given.
        sample_rate: in hertz.
        n_channels: C, 1 to 8.
        n_samples: N, exact: this many samples come out of :meth:`blocks`.
        encoding: what outputs default to: WAV of the input's own depth. 8-bit input counts as 16-bit; 32-bit integers,
            64-bit floats and everything lossy as float, because a decoded MP3 has no depth and may exceed full scale.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self.sample_rate = source.sample_rate
        self.n_channels = source.n_channels
        self.n_samples = source.n_samples
        self.encoding = source.encoding
        self._source = source
        self._turn = 0
        self._closed = False

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    def blocks(self, block_samples: int = 65_536, *, start: int = 0, stop: int | None = None) -> Iterator[Tensor]:
        """Decode the recording, or the samples from ``start`` up to ``stop``, in blocks.

        Only one such iteration can be under way; a new one starts at its own ``start`` and ends the former.

        Args:
            block_samples: length of every block but the last.
            start: first sample.
            stop: sample after the last one; None or beyond the end: to the end.

        Yields:
            contiguous float32 ``[C, n]``, full scale 1.0; each is a tensor of its own.

        Raises:
            AudioReadError: if the file turns out to be damaged or shorter than it says, or if a sample is NaN or
                infinite (the message says at which second); if the reader is closed or has begun another iteration.
        """
        if block_samples <= 0 or start < 0:
            raise AudioReadError(
                f"{self.path}: got block_samples {block_samples} and start {start}: use 1 or more, and 0 or more"
            )
        self._turn += 1
        return self._read_blocks(block_samples, start, min(self.n_samples, self.n_samples if stop is None else stop))

    def _read_blocks(self, block_samples: int, start: int, stop: int) -> Iterator[Tensor]:
        turn, position = self._turn, start
        self._check_open(turn)
        if start < stop:
            self._source.seek(start)
        while position < stop:
            self._check_open(turn)
            wanted = min(block_samples, stop - position)
            block = torch.from_numpy(self._source.read(wanted))
            if block.shape[1] < wanted:
                at, whole = (position + block.shape[1]) / self.sample_rate, self.duration
                raise AudioReadError(
                    f"{self.path}: the sound breaks off at {at:.2f} s of {whole:.2f} s: get a complete copy of the file"
                )
            if not math.isfinite(float(block.sum())):
                self._check_finite(block, position)
            position += wanted
            yield block

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        self._closed = True
        self._source.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self, turn: int) -> None:
        if self._closed:
            raise AudioReadError(f"{self.path}: this reader is closed: open the file again")
        if turn != self._turn:
            raise AudioReadError(f"{self.path}: another iteration has begun: open the file once for each")

    def _check_finite(self, block: Tensor, position: int) -> None:
        bad = (~torch.isfinite(block)).any(0).nonzero()
        if len(bad):
            second = (position + int(bad[0])) / self.sample_rate
            raise AudioReadError(
                f"{self.path}: the sample at {second:.3f} s is not a finite number: repair or export the file again"
            )


def open_audio(path: str | os.PathLike[str], *, track: int = 0) -> AudioReader:
    """Open a recording for reading as a stream.

    WAV (8 bits to 64-bit float, extensible, RF64), AIFF, FLAC, OGG Vorbis and Opus, MP3; with the extra
    ``unbraid[video]`` also the sound tracks of M4A, MP4, MKV, WebM and ``.stem.mp4``. The content decides, not the
    ending of the name. Opening finds the exact length: where a file does not tell it (containers, MP3 without a tag),
    it is decoded once for that, at some 500 to 1000 times its own speed.

    Args:
        path: the file.
        track: which sound track of a container, counted from 0; in ``.stem.mp4`` files 0 is the mixture.

    Raises:
        AudioReadError: if the file is missing, unreadable, empty, a folder, damaged, cut off, of an unknown format,
            without sound, or outside of 1 to 8 channels and 8 to 192 kHz. One line: the file, what is wrong, the cure.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "tone.wav")
        ...     _ = write_audio(file, Audio(torch.zeros(2, 4000), 8000), encoding=Encoding("wav", "24"))
        ...     with open_audio(file) as reader:
        ...         reader.sample_rate, reader.n_channels, reader.n_samples, reader.encoding.depth
        (8000, 2, 4000, '24')
    """
    path = Path(path)
    family = _examine(path)
    try:
        source: Source = ContainerSource(path, track=track) if family.is_container else SoundFileSource(path, family)
    except OSError as error:
        raise AudioReadError(_unreadable(path, error)) from error
    try:
        if track and not family.is_container:
            raise AudioReadError(f"{path}: there is no sound track {track}: a {family.value} file has only track 0")
        _check_limits(path, source)
    except AudioReadError:
        source.close()
        raise
    return AudioReader(path, source)


def read_audio(path: str | os.PathLike[str], *, start: float = 0.0, stop: float | None = None, track: int = 0) -> Audio:
    """Read a recording, or a part of it, into memory.

    Args:
        path: the file; see :func:`open_audio` for what can be read.
        start: in seconds, rounded to a sample.
        stop: in seconds; None or beyond the end: to the end.
        track: which sound track of a container.

    Raises:
        AudioReadError: as in :func:`open_audio`, and if the part is empty or begins behind the end.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "tone.wav")
        ...     _ = write_audio(file, Audio(torch.zeros(1, 8000), 8000), encoding=Encoding("wav", "16"))
        ...     read_audio(file, start=0.25, stop=0.75).samples.shape
        torch.Size([1, 4000])
    """
    with open_audio(path, track=track) as reader:
        first = round(start * reader.sample_rate) if math.isfinite(start) else -1
        last = reader.n_samples
        if stop is not None and stop < reader.duration:
            last = round(stop * reader.sample_rate)
        if not 0 <= first < last:
            end = "the end" if stop is None else f"{stop} s"
            raise AudioReadError(
                f"{reader.path}: nothing between {start} s and {end}: the file is {reader.duration:.3f} s long"
            )
        samples = torch.empty(reader.n_channels, last - first)
        position = 0
        for block in reader.blocks(start=first, stop=last):
            samples[:, position : position + block.shape[1]] = block
            position += block.shape[1]
    return Audio(samples, reader.sample_rate)


def _examine(path: Path) -> Family:
    """Refuse what is no complete file, and tell its family."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioReadError(f"{path}: this is a folder: name the recordings in it")
        if not stat.S_ISREG(mode):
            raise AudioReadError(f"{path}: not a regular file: save the sound to a file first")
        with path.open("rb") as file:
            head = file.read(16)
            if not head:
                raise AudioReadError(f"{path}: the file is empty: get a complete copy of it")
            family = family_of(head)
            if missing_bytes(file, family):
                raise AudioReadError(f"{path}: the file is cut off, its end is missing: get a complete copy of it")
    except (OSError, ValueError) as error:
        raise AudioReadError(_unreadable(path, error)) from error
    return family


def _unreadable(path: Path, error: OSError | ValueError) -> str:
    name = str(path).replace("\0", "\\0").replace("\n", "\\n")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{name}: there is no such file: check the path"
    if isinstance(error, PermissionError):
        return f"{name}: no permission to read the file: change its permissions"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{name}: the file cannot be opened ({reason}): check the path"


def _check_limits(path: Path, source: Source) -> None:
    if source.n_samples <= 0:
        raise AudioReadError(f"{path}: the file holds no samples: record or export it again")
    if not 1 <= source.n_channels <= MAX_CHANNELS:
        raise AudioReadError(f"{path}: {source.n_channels} channels: mix it down to {MAX_CHANNELS} or fewer")
    if not MIN_RATE <= source.sample_rate <= MAX_RATE:
        raise AudioReadError(
            f"{path}: {source.sample_rate} Hz: resample it to a rate between {MIN_RATE} and {MAX_RATE} Hz"
        )
