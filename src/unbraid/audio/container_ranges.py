"""Pieces of the sound tracks of MP4 files and their like, without decoding what lies before (extra ``unbraid[video]``).

`unbraid.audio.containers` decodes a track from its beginning, which is exact for whatever a container holds. A data set
of many songs wants a few seconds of each: here the container seeks, and the decoder starts a little earlier so that it
has settled. Time stamps tell where samples lie; where they do not count samples, the track is decoded from its start.

Axes: C channels, n samples of a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unbraid.audio.containers import ContainerSource
from unbraid.errors import AudioReadError

_SETTLING = 8192  # samples: some frames of any codec
_END = 4  # seconds before the end whose packets are looked at


@dataclass(frozen=True)
class SoundTrack:
    """What a container says of one of its sound tracks: its rate in hertz, its length in samples, its channels."""

    sample_rate: int
    n_samples: int
    n_channels: int


def sound_tracks(path: Path) -> tuple[SoundTrack, ...]:
    """List the sound tracks of a container; of each, only the last packets are looked at, and nothing is decoded.

    Raises:
        AudioReadError: if PyAV is not installed, or the file is damaged or has no sound track.
    """
    with _opened(path) as container:
        streams = list(container.streams.audio)
        if not streams:
            raise AudioReadError(f"{path}: there is no sound track in this file: choose one with sound")
        ends = _ends(container, streams)
        found: list[SoundTrack] = []
        for stream, end in zip(streams, ends, strict=True):
            rate = int(stream.codec_context.sample_rate)
            if _counts_samples(stream) and end:
                n_samples = end - (stream.start_time or 0)
            else:
                n_samples = ContainerSource(path, track=len(found)).n_samples
            found.append(SoundTrack(rate, n_samples, len(stream.codec_context.layout.channels)))
    return tuple(found)


def read_range(path: Path, start: int, stop: int, *, track: int = 0) -> npt.NDArray[np.float32]:
    """Decode the samples of a sound track from start up to stop.

    Codecs that fill bands with noise (AAC with perceptual noise substitution) do so differently in every run of the
    decoder; all else equals what :func:`unbraid.audio.files.open_audio` reads.

    Args:
        path: the container.
        start: first sample.
        stop: sample after the last one.
        track: which sound track, counted from 0.

    Returns:
        ``[C, n]``; fewer than asked for only at the end of the track.

    Raises:
        AudioReadError: if PyAV is not installed, there is no such track, or the file is damaged.
    """
    with _opened(path) as container:
        streams = list(container.streams.audio)
        if not 0 <= track < len(streams):
            raise AudioReadError(f"{path}: there is no sound track {track}: it has {len(streams)}")
        if _counts_samples(streams[track]):
            pieces = _decode(container, streams[track], start, stop)
            if pieces is not None:
                return pieces
    source = ContainerSource(path, track=track)
    try:
        source.seek(start)
        return source.read(stop - start)
    finally:
        source.close()


def _decode(container: Any, stream: Any, start: int, stop: int) -> npt.NDArray[np.float32] | None:
    """Decode a range; None where the frames are not floats or do not say where they lie."""
    origin, end = stream.start_time or 0, 0
    if start > _SETTLING:  # else the packets before time zero, which encoders begin with, are needed
        container.seek(origin + start - _SETTLING, stream=stream, backward=True, any_frame=False)
    samples: npt.NDArray[np.float32] | None = None
    reached = start
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0) - origin)
        for frame in packet.decode():
            if frame.pts is None or frame.format.name not in ("fltp", "flt"):
                return None
            begin = frame.pts - origin
            if samples is None:
                if begin > start:
                    return None
                samples = np.zeros((len(frame.layout.channels), stop - start), np.float32)
            first, last = max(begin, start), min(begin + frame.samples, stop, end)
            if first < last:
                decoded = frame.to_ndarray()
                if len(decoded) != len(samples):
                    decoded = decoded.reshape(-1, len(samples)).T
                samples[:, first - start : last - start] = decoded[:, first - begin : last - begin]
                reached = max(reached, last)
        if reached == stop:
            break
    return None if samples is None else samples[:, : reached - start]


def _ends(container: Any, streams: list[Any]) -> list[int]:
    """Return where the last packet of each stream ends, in its own units; 0 where that is not told."""
    ends = [0] * len(streams)
    if container.duration:
        container.seek(max(0, container.duration - _END * 1_000_000))
    order = {stream.index: number for number, stream in enumerate(streams)}
    for packet in container.demux(streams):
        if packet.size and packet.pts is not None:
            number = order[packet.stream.index]
            ends[number] = max(ends[number], packet.pts + (packet.duration or 0))
    return ends


def _counts_samples(stream: Any) -> bool:
    rate = stream.codec_context.sample_rate
    return bool(rate and stream.time_base and stream.time_base * rate == 1)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import av
    except ImportError as error:
        raise AudioReadError(f"{path}: this format needs PyAV: pip install 'unbraid[video]'") from error
    try:
        with av.open(str(path)) as container:
            yield container
    except OSError as error:  # av.FFmpegError is one of these
        raise AudioReadError(f"{path}: damaged or of an unknown format: get a complete copy ({error})") from error
    except av.FFmpegError as error:
        raise AudioReadError(f"{path}: damaged or of an unknown format: get a complete copy ({error})") from error
