"""Lazy reading: ranges of recordings, stems and mixtures, never more of a file than is asked for.

Axes: C channels, n samples of a range.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from unbraid.audio.container_ranges import read_range
from unbraid.audio.encoding import OGG_ORDER
from unbraid.audio.files import open_audio
from unbraid.audio.headers import Family, family_of, mp3_tag
from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.headers import UNKNOWN_LENGTH
from unbraid.errors import AudioReadError, DatasetError

Samples = npt.NDArray[np.float32]
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_SETTLING = 24_000  # samples: lossy decoders carry a state from frame to frame
_SLACK = 8192  # samples: what a container's header may promise too much


def read_recording(recording: Recording, start: int = 0, stop: int | None = None) -> Samples:
    """Read a range of a recording, with its gain.

    Args:
        recording: where the samples lie.
        start: first sample, counted from the beginning of the recording (which may be a piece of its file).
        stop: sample after the last one; None: to the end.

    Returns:
        float32 ``[C, n]`` at the recording's own rate.

    Raises:
        DatasetError: if the range lies outside of the recording, or the file cannot be read or is shorter than when it
            was indexed.
    """
    stop = recording.n_samples if stop is None else stop
    if not 0 <= start < stop <= recording.n_samples:
        raise DatasetError(f"{recording.path}: samples {start} to {stop} lie outside of its {recording.n_samples}")
    first = recording.start + start
    try:
        samples = _read(recording.path, first, first + stop - start, recording.stream)
    except (AudioReadError, soundfile.LibsndfileError, OSError) as error:
        raise DatasetError(f"{recording.path}: cannot be read ({error}): get a complete copy of the file") from error
    missing = stop - start - samples.shape[1]
    if missing:
        raise DatasetError(f"{recording.path}: it ends {missing} samples too early: get a complete copy of the file")
    if len(samples) != recording.n_channels:
        raise DatasetError(
            f"{recording.path}: {len(samples)} channels, {recording.n_channels} when it was indexed: index it again"
        )
    return samples if recording.gain == 1.0 else samples * np.float32(recording.gain)


def read_stem(stem: Stem, start: int, stop: int, *, n_channels: int | None = None) -> Samples:
    """Read a range of a stem: the sum of its recordings, silent after the end of each.

    Args:
        stem: of a track.
        start: first sample.
        stop: sample after the last one; it may lie behind the end.
        n_channels: mono is spread over so many; None takes those of the widest recording.

    Returns:
        float32 ``[C, stop - start]``.

    Raises:
        DatasetError: if the range is empty, channels do not fit, or a file cannot be read.
    """
    return _sum(stem.recordings, start, stop, n_channels or stem.n_channels)


def read_mixture(track: Track, start: int, stop: int, *, distributed: bool = False) -> Samples:
    """Read a range of the mixture: the sum of the stems, or the dataset's own file.

    Args:
        track: of a dataset; all its files have one rate.
        start: first sample.
        stop: sample after the last one; it may lie behind the end.
        distributed: take the mixture as the dataset has it.

    Returns:
        float32 ``[C, stop - start]``.

    Raises:
        DatasetError: if rates differ, the dataset has no mixture of its own and it is asked for, or as in `read_stem`.
    """
    _ = track.sample_rate
    if distributed:
        if track.mixture is None:
            raise DatasetError(f"track {track.name} has no mixture of its own: use the sum of its stems")
        return _sum((track.mixture,), start, stop, track.n_channels)
    everything = tuple(recording for stem in track.stems for recording in stem.recordings)
    return _sum(everything, start, stop, track.n_channels)


def _sum(recordings: tuple[Recording, ...], start: int, stop: int, n_channels: int) -> Samples:
    if not 0 <= start < stop:
        raise DatasetError(f"samples {start} to {stop} are no range: begin at 0 or later, and end behind the beginning")
    total = np.zeros((n_channels, stop - start), np.float32)
    for recording in recordings:
        last = min(stop, recording.n_samples)
        if start >= last:
            continue
        if recording.n_channels not in (1, n_channels):
            raise DatasetError(
                f"{recording.path}: {recording.n_channels} channels beside {n_channels}: bring the files to one number"
            )
        total[:, : last - start] += read_recording(recording, start, last)
    return total


def _read(path: Path, start: int, stop: int, stream: int) -> Samples:
    """Decode ``[C, n]`` from start to stop; fewer where the file ends."""
    with path.open("rb") as file:
        family = family_of(file.read(16))
        counted = family is not Family.OTHER or mp3_tag(file)[1] is not None
    if family.is_container:
        samples = read_range(path, start, stop, track=stream)
        missing = stop - start - samples.shape[1]  # a header may promise a frame too much
        return np.pad(samples, ((0, 0), (0, missing if missing <= _SLACK else 0)))
    if stream:
        raise AudioReadError(f"there is no audio stream {stream} in a {family.value} file")
    if not counted:
        return _read_exactly(path, start, stop)
    with soundfile.SoundFile(path) as sound:
        if sound.frames >= UNKNOWN_LENGTH or (family is Family.OGG and sound.channels in OGG_ORDER):
            return _read_exactly(path, start, stop)
        before = min(start, _SETTLING) if sound.subtype in _LOSSY else 0
        sound.seek(min(start - before, sound.frames))
        frames: Samples = sound.read(before + stop - start, dtype="float32", always_2d=True)[before:]
    return np.ascontiguousarray(frames.T)


def _read_exactly(path: Path, start: int, stop: int) -> Samples:
    """Decode from the beginning, where a file does not tell its length, or has its own order of channels."""
    with open_audio(path) as reader:
        blocks = list(reader.blocks(start=start, stop=stop))
        joined = torch.cat(blocks, dim=1) if blocks else torch.zeros(reader.n_channels, 0)
    return joined.numpy()
