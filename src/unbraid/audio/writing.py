"""Write recordings: a file appears whole, under its name, or not at all.

Axes: C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import errno
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from unbraid.audio.encoding import OGG_ORDER, Encoding, check_holds
from unbraid.audio.signal import Audio
from unbraid.audio.wav import WavSink
from unbraid.errors import AudioWriteError

_SUBTYPES = {
    ("flac", "16"): "PCM_16",
    ("flac", "24"): "PCM_24",
    ("ogg", "-"): "VORBIS",
    ("mp3", "-"): "MPEG_LAYER_III",
}
_ENCODE_BLOCK = 4096  # libsndfile's Vorbis encoder keeps a block on the stack: large ones overflow it
_WRITE_BLOCK = 1 << 16
_LOSSY_COMPRESSION = 0.2  # of 0 to 1: Vorbis quality 8, MP3 V2, about 200 kbit/s for stereo music
_DEFAULT_CURE = "choose another folder or name"
_CURES = {
    errno.ENOSPC: "free some space or choose another disk",
    errno.EDQUOT: "free some space or choose another disk",
    errno.EFBIG: "choose a disk that takes larger files",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of its path is a file, choose another folder",
    errno.EEXIST: "a part of its path is a file, choose another folder",
    errno.EISDIR: "this is a folder, choose another name",
}


@dataclass(frozen=True)
class WrittenFile:
    """What came of one output.

    Args:
        path: of the file that exists now; ends in ``.wav`` where the asked-for format could not hold the level.
        encoding: of that file.
        n_samples: in each channel.
        peak: largest magnitude; full scale is 1.0.
        warning: one line for the user, or None.
    """

    path: Path
    encoding: Encoding
    n_samples: int
    peak: float
    warning: str | None = None


class AudioWriter:
    """Write a recording block by block; channels in the order of WAV files.

    The blocks are kept as float WAV under a temporary name in the same folder. :meth:`close` turns that into the final
    format and renames it; leaving ``with`` by an exception removes it. A float WAV needs no second pass. What would
    exceed full scale in an integer format becomes a float WAV, with a warning, instead of being clipped.

    Args:
        path: of the file to be; the folder is made where it is missing, a file of that name is replaced at the end.
        sample_rate: in hertz.
        n_channels: C.
        encoding: the format to write.
        insist: raise, instead of writing a float WAV, when the samples exceed full scale in an integer format.

    Raises:
        AudioWriteError: before anything is written, if the format cannot hold the rate or the channels, or the file
            cannot be made; from the methods, if the disk is full, a sample is not finite, or the level does not fit
            and ``insist`` is set. The message is one line and names the file and the cure; nothing is left behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with AudioWriter(
        ...         Path(folder, "a.flac"), sample_rate=8000, n_channels=1, encoding=Encoding("flac", "16")
        ...     ) as writer:
        ...         writer.write(torch.full((1, 100), 0.5))
        ...         written = writer.close()
        >>> written.path.name, written.n_samples, written.peak
        ('a.flac', 100, 0.5)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sample_rate: int,
        n_channels: int,
        encoding: Encoding,
        insist: bool = False,
    ) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.encoding = encoding
        self._insist = insist
        self._low, self._high = 0.0, 0.0
        self._written: WrittenFile | None = None
        self._file: BinaryIO | None = None
        self._temporaries: list[Path] = []
        check_holds(self.path, encoding, sample_rate=sample_rate, n_channels=n_channels)
        with self._failing_cleanly():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._file = self._new_file()
            self._spool = WavSink(self._file, sample_rate=sample_rate, n_channels=n_channels, depth="float")

    def quantize(self, block: Tensor) -> Tensor:
        """Round ``[C, n]`` samples to the values that the format stores; the identity for float and lossy formats.

        No dither. Files made of quantized blocks hold exactly those values. So where the mixture has this depth too,
        ``residual = mixture - sum(quantized stems)`` lies on the grid, and the files add up to the mixture bit for
        bit. (In float32 this is exact at 24 bits while all partial sums stay below 2.0.)

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     with AudioWriter(
            ...         Path(folder, "a.wav"), sample_rate=8000, n_channels=1, encoding=Encoding("wav", "16")
            ...     ) as writer:
            ...         rounded = writer.quantize(torch.tensor([[0.1]]))
            ...         writer.write(rounded)
            >>> rounded * 32768
            tensor([[3277.]])
        """
        if not self.encoding.is_integer:
            return block
        return torch.round(block * self.encoding.full_scale) / self.encoding.full_scale

    def write(self, block: Tensor) -> None:
        """Append float32 ``[C, n]`` samples; the block is not modified."""
        if self._written is not None or self._file is None:
            raise AudioWriteError(f"{self.path}: this writer is closed: make a new one")
        with self._failing_cleanly():
            if block.ndim != 2 or block.shape[0] != self.n_channels:
                raise AudioWriteError(
                    f"{self.path}: a block must be [{self.n_channels}, samples], got shape {tuple(block.shape)}"
                )
            if block.shape[1] == 0:
                return
            block = block.detach().to("cpu", torch.float32)
            low, high = (float(value) for value in block.aminmax())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise AudioWriteError(
                    f"{self.path}: the block at {self._spool.n_samples / self.sample_rate:.3f} s holds values that "
                    "are not finite: try full precision, or another model"
                )
            self._low, self._high = min(self._low, low), max(self._high, high)
            if self._insist and not self._fits():
                cure = "allow a float WAV (leave --format and --depth out), or lower the level of the input"
                raise AudioWriteError(f"{self._too_loud()}: {cure}")
            self._spool.write(block)

    def close(self) -> WrittenFile:
        """Finish the file and give it its name; further calls return the same again."""
        if self._written is None:
            with self._failing_cleanly():
                self._written = self._finish()
        return self._written

    def discard(self) -> None:
        """Give up: remove what was written, unless the file is already complete."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # a full disk can refuse the flush; the file is removed anyway
                file.close()
        for temporary in self._temporaries:
            with suppress(OSError):
                temporary.unlink()
        self._temporaries.clear()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _finish(self) -> WrittenFile:
        if self._file is None:
            raise AudioWriteError(f"{self.path}: writing had failed: make a new writer")
        if self._spool.n_samples == 0:
            raise AudioWriteError(f"{self.path}: no samples to write: check the length of the input")
        self._spool.finish()
        path, encoding, warning = self.path, self.encoding, None
        peak = max(-self._low, self._high)
        if not self._fits():
            encoding = Encoding("wav", "float")
            path = self._float_path()
            warning = f"{self._too_loud()}: written as 32-bit float {path.name}"
        elif peak > 1.0 and encoding.depth == "-":
            warning = f"{self._too_loud()}: players may clip it"
        complete = self._temporaries[0]
        if encoding != Encoding("wav", "float"):
            complete = self._encoded()
        self._file.close()
        os.replace(complete, path)
        self._temporaries.remove(complete)
        self.discard()
        return WrittenFile(path, encoding, self._spool.n_samples, peak, warning)

    def _fits(self) -> bool:
        """Whether every sample so far can be stored without clipping."""
        if not self.encoding.is_integer:
            return True
        scale = self.encoding.full_scale
        return round(self._high * scale) < scale and round(self._low * scale) >= -scale

    def _too_loud(self) -> str:
        peak = 20 * math.log10(max(-self._low, self._high))
        return f"{self.path}: exceeds full scale (peak {peak:+.2f} dBFS)"

    def _new_file(self) -> BinaryIO:
        """Open a file beside the target, under a short name that nobody else has."""
        with suppress(FileNotFoundError):
            self.path.lstat()  # tells now, not at the end, if the name is too long
        temporary = self.path.parent / f".unbraid-{secrets.token_hex(6)}.part"
        file = temporary.open("x+b")
        self._temporaries.append(temporary)
        return file

    def _float_path(self) -> Path:
        """Name of the float WAV that stands in for a file that cannot hold the level."""
        if self.path.suffix.lower() == ".wav":
            return self.path
        if self.path.suffix.lower() == self.encoding.suffix:
            return self.path.with_suffix(".wav")
        return self.path.with_name(f"{self.path.name}.wav")

    def _encoded(self) -> Path:
        """Turn the spooled samples into the final format, in a second temporary file."""
        with self._new_file() as file:
            if self.encoding.container == "wav":
                sink = WavSink(
                    file, sample_rate=self.sample_rate, n_channels=self.n_channels, depth=self.encoding.depth
                )
                for block in self._spool.blocks():
                    sink.write(torch.round(block * self.encoding.full_scale).to(torch.int32))
                sink.finish()
            else:
                self._encode(file)
        return self._temporaries[-1]

    def _encode(self, file: BinaryIO) -> None:
        """Write FLAC, OGG or MP3 with libsndfile."""
        guarded = _GuardedFile(file)
        is_lossy = not self.encoding.is_integer
        try:
            with soundfile.SoundFile(
                guarded,
                "w",
                self.sample_rate,
                self.n_channels,
                subtype=_SUBTYPES[self.encoding.container, self.encoding.depth],
                format=self.encoding.container.upper(),
                compression_level=_LOSSY_COMPRESSION if is_lossy else None,
                bitrate_mode="VARIABLE" if self.encoding.container == "mp3" else None,
            ) as encoder:
                for block in self._spool.blocks(_ENCODE_BLOCK):
                    frames = (block if is_lossy else self._shifted(block)).numpy()
                    if self.encoding.container == "ogg" and self.n_channels in OGG_ORDER:
                        frames = frames[np.argsort(OGG_ORDER[self.n_channels])]
                    encoder.write(np.ascontiguousarray(frames.T))
                    guarded.check()
        except (soundfile.SoundFileError, AssertionError) as error:
            guarded.check()
            raise AudioWriteError(f"{self.path}: cannot be encoded ({error}): choose wav") from error
        guarded.check()

    def _shifted(self, block: Tensor) -> Tensor:
        """Integers in the upper bits of int32, which libsndfile stores without rounding them again."""
        scale = self.encoding.full_scale
        return torch.round(block * scale).to(torch.int32) * ((1 << 31) // scale)

    @contextmanager
    def _failing_cleanly(self) -> Iterator[None]:
        """Remove the temporary files on any failure, and tell what the system refused."""
        try:
            yield
        except BaseException as error:
            self.discard()
            if not isinstance(error, OSError | ValueError):
                raise
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            cure = _CURES.get(error.errno or 0, _DEFAULT_CURE) if isinstance(error, OSError) else _DEFAULT_CURE
            name = str(self.path).replace("\0", "\\0").replace("\n", "\\n")
            raise AudioWriteError(f"{name}: cannot be written ({reason.lower()}): {cure}") from error


class _GuardedFile:
    """Keeps the error that a write meets: libsndfile calls back from C, where exceptions are lost."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise what has gone wrong so far."""
        if self._error is not None:
            raise self._error

    def write(self, data: bytes) -> int:
        """Write, or keep the error; 0 bytes tell the library to stop."""
        if self._error is None:
            try:
                return self._file.write(data)
            except OSError as error:
                self._error = error
        return 0

    def read(self, size: int) -> bytes:
        """Read back, as writers of headers do."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek, or keep the error."""
        if self._error is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:  # a seek flushes what was written before it
                self._error = error
        return 0

    def tell(self) -> int:
        """Where the file is."""
        return 0 if self._error else self._file.tell()


def write_audio(path: str | os.PathLike[str], audio: Audio, *, encoding: Encoding, insist: bool = False) -> WrittenFile:
    """Write a recording that is in memory.

    Args:
        path: of the file to be.
        audio: what to write.
        encoding: the format.
        insist: see :class:`AudioWriter`.

    Raises:
        AudioWriteError: as :class:`AudioWriter` does.

    Example:
        >>> import tempfile
        >>> loud = Audio(torch.full((1, 100), 2.0), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_audio(Path(folder, "a.flac"), loud, encoding=Encoding("flac", "16"))
        >>> written.path.name, written.encoding.depth, written.warning is None
        ('a.wav', 'float', False)
    """
    with AudioWriter(
        path, sample_rate=audio.sample_rate, n_channels=audio.n_channels, encoding=encoding, insist=insist
    ) as writer:
        for start in range(0, audio.n_samples, _WRITE_BLOCK):
            writer.write(audio.samples[:, start : start + _WRITE_BLOCK])
        return writer.close()
