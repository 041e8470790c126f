"""Write ``.stem.mp4``: a mixture and four stems in one file, for players that know stems (extra ``unbraid[video]``).

The file is MP4 with five AAC tracks, the mixture first, and a box ``moov/udta/stem`` of JSON that names the stems
(Native Instruments, "Stem file format", 2015).

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from unbraid.audio.resample import StreamResampler
from unbraid.errors import AudioWriteError

N_STEMS = 4
RATE = 44_100
SILENT = "-"
_BITS_PER_SECOND = 256_000
_BLOCK = 1 << 15
_COLORS = ("#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_PLAIN = {  # what players do to the sum of the stems: nothing
    "compressor": {
        "enabled": False, "ratio": 3, "output_gain": 0.5, "release": 0.3, "attack": 0.003, "input_gain": 0.5,
        "threshold": 0, "hp_cutoff": 300, "dry_wet": 50,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}  # fmt: skip


def write_stem_mp4(
    path: Path, mixture: Iterable[Tensor], stems: Sequence[tuple[str, Iterable[Tensor]]], *, sample_rate: int
) -> None:
    """Write a mixture and up to four stems; fewer are filled up with silence.

    Args:
        path: of the file; written over if it is there.
        mixture: blocks ``[C, n]``, C 1 or 2.
        stems: name and blocks of each, as long as the mixture.
        sample_rate: of the blocks, in hertz; the file has 44.1 kHz.

    Raises:
        AudioWriteError: if PyAV is missing, there are more than four stems or two channels, or the encoder fails.
    """
    if len(stems) > N_STEMS:
        raise AudioWriteError(f"{path}: a stem file holds {N_STEMS} stems, not {len(stems)}: ask for fewer targets")
    try:
        import av
    except ImportError as error:
        raise AudioWriteError(f"{path}: stem files need PyAV: pip install 'unbraid[video]'") from error
    tracks = [_stereo(blocks, sample_rate, path) for blocks in (mixture, *(blocks for _, blocks in stems))]
    try:
        _encode(av, path, tracks)
    except (av.FFmpegError, OSError) as error:
        raise AudioWriteError(f"{path}: cannot be written ({error}): choose another format") from error
    names = [*(name for name, _ in stems), *[SILENT] * (N_STEMS - len(stems))]
    listed = [{"name": name, "color": color} for name, color in zip(names, _COLORS, strict=True)]
    _add_box(path, json.dumps({"version": 1, "mastering_dsp": _PLAIN, "stems": listed}).encode())


def _stereo(blocks: Iterable[Tensor], sample_rate: int, path: Path) -> Iterator[Tensor]:
    """Yield blocks ``[2, n]`` of one size, but for the last, at the rate of the file."""
    resampler = StreamResampler(sample_rate, RATE, 2)
    held = torch.zeros(2, 0)
    for block in blocks:
        if len(block) > 2:
            raise AudioWriteError(f"{path}: a stem file holds 2 channels, not {len(block)}: use wav or flac")
        held = torch.cat([held, resampler.process(block.expand(2, -1).contiguous())], dim=1)
        while held.shape[1] >= _BLOCK:
            yield held[:, :_BLOCK]
            held = held[:, _BLOCK:]
    held = torch.cat([held, resampler.process(torch.zeros(2, 0), last=True)], dim=1)
    yield from held.split(_BLOCK, dim=1)


def _encode(av: Any, path: Path, tracks: list[Iterator[Tensor]]) -> None:
    """Write all tracks side by side; those that are missing are silent."""
    with av.open(str(path), "w", format="mp4") as container:
        streams = [container.add_stream("aac", rate=RATE, layout="stereo") for _ in range(1 + N_STEMS)]
        for index, stream in enumerate(streams):
            stream.bit_rate = _BITS_PER_SECOND
            stream.disposition = int(index == 0)  # players that know no stems play the mixture
        position = 0
        for mixture in tracks[0]:
            parts = [mixture, *(next(track) for track in tracks[1:])]
            parts += [torch.zeros_like(mixture)] * (len(streams) - len(parts))
            for stream, part in zip(streams, parts, strict=True):
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part.numpy()), format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = RATE, position
                container.mux(stream.encode(frame))
            position += mixture.shape[1]
        for stream in streams:
            container.mux(stream.encode(None))


def _add_box(path: Path, content: bytes) -> None:
    """Put a box ``stem`` into ``moov/udta``; ``moov`` is the last box of the file, so that nothing else moves."""
    box = _box(b"stem", content)
    with path.open("r+b") as file:
        size_of_file = file.seek(0, os.SEEK_END)
        boxes = {kind: (at, size) for kind, at, size in _boxes(file, 0, size_of_file)}
        start, size = boxes.get(b"moov", (0, 0))
        if not size or start + size != size_of_file:
            raise AudioWriteError(f"{path}: the file is laid out in another way than expected: choose another format")
        file.seek(start)
        moov = io.BytesIO(file.read(size))
        children = [moov.getvalue()[at : at + length] for _, at, length in _boxes(moov, 8, size)]
        held = b"".join(child[8:] for child in children if child[4:8] == b"udta")
        others = b"".join(child for child in children if child[4:8] != b"udta")
        file.seek(start)
        file.write(_box(b"moov", others + _box(b"udta", held + box)))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, place and size of each box between two places."""
    while start + 8 <= stop:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            [size] = struct.unpack(">Q", file.read(8))
        size = stop - start if size == 0 else size
        if size < 8:
            return
        yield kind, start, size
        start += size
