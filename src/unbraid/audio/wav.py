"""Write WAV files of any length.

The header reserves room for the 64-bit sizes of RF64 (EBU Tech 3306), so that a file that outgrows 4 GiB becomes RF64
by a change of its header alone. There is no time stamp in it: equal samples make equal files.

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

RIFF_LIMIT = 0xFFFF_FFFF  # bytes: what a 32-bit RIFF size can say
_WIDTHS = {"16": 2, "24": 3, "float": 4}
_PCM, _IEEE_FLOAT = 1, 3


class WavSink:
    """Writes blocks into an open file.

    Args:
        file: empty, open for reading and writing bytes.
        sample_rate: in hertz.
        n_channels: C.
        depth: ``"16"``, ``"24"`` or ``"float"``.

    Raises:
        OSError: from any method, if the disk refuses.

    Example:
        >>> import io
        >>> sink = WavSink(io.BytesIO(), sample_rate=8000, n_channels=1, depth="float")
        >>> sink.write(torch.ones(1, 3))
        >>> sink.finish()
        >>> next(sink.blocks(2))
        tensor([[1., 1.]])
    """

    def __init__(self, file: BinaryIO, *, sample_rate: int, n_channels: int, depth: str) -> None:
        self.n_samples = 0
        self._file = file
        self._sample_rate = sample_rate
        self._n_channels = n_channels
        self._depth = depth
        self._frame_bytes = n_channels * _WIDTHS[depth]
        self._header_bytes = file.write(self._header())

    def write(self, block: Tensor) -> None:
        """Append ``[C, n]`` samples: float32, or for integer depths int32 that fits them."""
        self._file.write(_packed(block, self._depth))
        self.n_samples += block.shape[1]

    def finish(self) -> None:
        """Complete the header; the sizes are known now."""
        self._file.seek(0, os.SEEK_END)
        if self._frame_bytes * self.n_samples % 2:
            self._file.write(b"\0")
        self._file.seek(0)
        self._file.write(self._header())
        self._file.flush()

    def blocks(self, block_samples: int = 65_536) -> Iterator[Tensor]:
        """Read a finished float file back in blocks ``[C, n]``."""
        self._file.seek(self._header_bytes)
        for start in range(0, self.n_samples, block_samples):
            data = self._file.read(min(block_samples, self.n_samples - start) * self._frame_bytes)
            frames = np.frombuffer(data, "<f4").reshape(-1, self._n_channels)
            yield torch.from_numpy(np.array(frames.T, np.float32, order="C"))

    def _header(self) -> bytes:
        """The bytes before the samples; as long for RIFF as for RF64."""
        is_float = self._depth == "float"
        width = _WIDTHS[self._depth]
        layout = struct.pack(
            "<HHIIHH",
            _IEEE_FLOAT if is_float else _PCM,
            self._n_channels,
            self._sample_rate,
            self._sample_rate * self._frame_bytes,
            self._frame_bytes,
            8 * width,
        )
        data_bytes = self._frame_bytes * self.n_samples
        body = b"fmt " + struct.pack("<I", len(layout) + 2 * is_float) + layout + bytes(2 * is_float)
        if is_float:
            body += b"fact" + struct.pack("<II", 4, min(self.n_samples, RIFF_LIMIT))
        riff_bytes = 4 + 36 + len(body) + 8 + data_bytes + data_bytes % 2
        if riff_bytes > RIFF_LIMIT:
            sizes = struct.pack("<QQQI", riff_bytes, data_bytes, self.n_samples, 0)
            unsaid = b"\xff\xff\xff\xff"
            return b"RF64" + unsaid + b"WAVEds64" + struct.pack("<I", 28) + sizes + body + b"data" + unsaid
        room = b"JUNK" + struct.pack("<I", 28) + bytes(28)
        return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVE" + room + body + b"data" + struct.pack("<I", data_bytes)


def _packed(block: Tensor, depth: str) -> bytes:
    """Interleave ``[C, n]`` little-endian."""
    frames = np.ascontiguousarray(block.numpy().T)
    if depth == "float":
        return frames.astype("<f4", copy=False).tobytes()
    if depth == "16":
        return frames.astype("<i2").tobytes()
    return frames.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
