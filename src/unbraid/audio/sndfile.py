"""Decode WAV, AIFF, FLAC, OGG and MP3 with libsndfile.

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from unbraid.audio.encoding import OGG_ORDER, Encoding
from unbraid.audio.headers import Family, mp3_tag
from unbraid.errors import AudioReadError

_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3")
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_SHORT = ("PCM_S8", "PCM_U8", "PCM_16", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")
_UNKNOWN_LENGTH = 1 << 50  # libsndfile reports frames beyond this where the file does not tell
_COUNT_BLOCK = 1 << 16


class SoundFileSource:
    """One sound file, opened for decoding.

    Args:
        path: an existing regular file.
        family: what its first bytes say.

    Raises:
        AudioReadError: if libsndfile cannot decode it.
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path, family: Family) -> None:
        self._path = path
        self._family = family
        self._raw: BinaryIO = path.open("rb", buffering=0)  # unbuffered: libsndfile shares its position
        self._file: Any = None
        try:
            self._file = self._open()
            self.sample_rate = int(self._file.samplerate)
            self.n_channels = int(self._file.channels)
            self.encoding = _encoding_of(self._file.subtype)
            # lossy decoders carry a state from frame to frame: after a seek the first samples are wrong or silent
            self._seeks = self._file.subtype not in _LOSSY and self._file.frames < _UNKNOWN_LENGTH
            self.n_samples = self._length()
        except BaseException:
            self.close()
            raise

    def seek(self, sample: int) -> None:
        """Go to a sample, counted from 0; the next read begins there, exactly. Lossy files are decoded up to it."""
        if self._seeks:
            with self._complaining():
                self._file.seek(sample)
            return
        self._file.close()
        self._file = self._open()
        while sample > 0 and (n_skipped := len(self._frames(min(sample, _COUNT_BLOCK)))):
            sample -= n_skipped

    def read(self, n_samples: int) -> npt.NDArray[np.float32]:
        """Decode the next ``[C, n]`` samples; n is smaller than asked for only at the end."""
        frames = self._frames(n_samples)
        if self._file.format == "OGG" and self.n_channels in OGG_ORDER:
            frames = frames[:, OGG_ORDER[self.n_channels]]
        return np.ascontiguousarray(frames.T)

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        if self._file is not None:
            self._file.close()
        self._raw.close()

    def _open(self) -> Any:
        """Open with libsndfile, through a file of unknown length where an MP3 does not tell its own."""
        source: Any = self._raw.fileno()
        if self._family is Family.OTHER and mp3_tag(self._raw)[1] is None:
            source = _Endless(self._raw)
        self._raw.seek(0)
        try:
            file = _SequentialFile(source, closefd=False)
        except soundfile.LibsndfileError as error:
            if self._family is Family.OTHER:
                cure = "use WAV, FLAC, OGG, MP3, AIFF, M4A, MP4, MKV or WebM"
                raise AudioReadError(f"{self._path}: not a recording in a format that is known: {cure}") from error
            raise AudioReadError(_damaged(self._path)) from error
        if file.format not in _FORMATS:
            name = file.format
            file.close()
            raise AudioReadError(f"{self._path}: format {name} is not supported: convert it to WAV or FLAC")
        return file

    def _length(self) -> int:
        """Number of samples, counted by decoding where the file does not tell, else checked at its far end."""
        n_samples = int(self._file.frames)
        if n_samples < _UNKNOWN_LENGTH:
            if self._seeks and n_samples:
                self._check_end(n_samples)
            return n_samples
        n_samples = 0
        while n_read := len(self._frames(_COUNT_BLOCK)):
            n_samples += n_read
        return n_samples

    def _check_end(self, n_samples: int) -> None:
        """Decode the last sample, then return to the first."""
        self.seek(n_samples - 1)
        if len(self._frames(1)) != 1:
            raise AudioReadError(_damaged(self._path))
        self.seek(0)

    def _frames(self, n_samples: int) -> npt.NDArray[np.float32]:
        """Decode the next frames ``[n, C]``, in the order of the file."""
        with self._complaining():
            frames: npt.NDArray[np.float32] = self._file.read(n_samples, dtype="float32", always_2d=True)
        return frames

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        """Tell of a decoder's complaint in our own words."""
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise AudioReadError(_damaged(self._path)) from error


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file whose reads do not seek.

    SoundFile.read seeks to where it already is after every block, which FLAC without a length refuses, and which makes
    the MP3 decoder complain. Saying that the file is not seekable prevents it; seek() works all the same.
    """

    def seekable(self) -> bool:
        """False, whatever the file is."""
        return False


class _Endless:
    """A file that does not tell how long it is.

    libsndfile guesses the length of an MP3 without a tag from its size and the bit rate of its first frame, and stops
    there, be it the middle of the song. Told that the size is endless it decodes to the last frame.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at_end = False

    def read(self, size: int) -> bytes:
        """Read from where the file really is."""
        self._at_end = False
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Seek, and remember a look at the end."""
        self._at_end = whence == os.SEEK_END
        self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the file is; far away where it ends."""
        return 1 << 62 if self._at_end else self._file.tell()

    def write(self, data: bytes) -> int:
        """Refuse: libsndfile wants the method to be there."""
        raise OSError("opened for reading")


def _damaged(path: Path) -> str:
    return f"{path}: damaged or cut off: get a complete copy of the file"


def _encoding_of(subtype: str) -> Encoding:
    """What outputs default to: the input's depth, in WAV."""
    if subtype in _SHORT:
        return Encoding("wav", "16")
    if subtype == "PCM_24":
        return Encoding("wav", "24")
    return Encoding("wav", "float")
