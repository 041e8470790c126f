"""How TUSS takes speech and effects out of public datasets: prompts, choices, pieces and bandwidths.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, and the data preparation that was published
with it. Not built here: the voice activity and DNSMOS scores by which LibriVox was filtered, which need networks of
others; `listed` takes their result.

Axes: N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import numpy as np

from unbraid.datasets.public import demand, dnr, fuss, librispeech, librivox, vctk, vctk_demand, wham, wham_noise, wsj0
from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.listing import read_lines
from unbraid.datasets.public.measurements import measure
from unbraid.datasets.public.reading import read_recording, read_stem
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError

PROMPTS: Mapping[str, Mapping[str, str]] = {
    **{dataset.name: fuss.PROMPT_OF for dataset in (fuss.FUSS, fuss.FUSS_REVERB)},
    **{
        wham.WhamVariant(*choice).name: wham.PROMPT_OF
        for choice in product(wham.PARTS, wham.RATES, wham.LENGTHS, wham.ROOMS)
    },
    "wham-noise": wham_noise.PROMPT_OF,
    "vctk-demand": vctk_demand.PROMPT_OF,
    "vctk": vctk.PROMPT_OF,
    "vctk-0.80": vctk.PROMPT_OF,
    "demand": demand.PROMPT_OF,
    "dnr": dnr.PROMPT_OF,
    "librispeech": librispeech.PROMPT_OF,
    "librivox": librivox.PROMPT_OF,
    "wsj0": wsj0.PROMPT_OF,
}
"""The prompt of every label, by dataset; clips of FSD50K have theirs from `fsd50k_prompt`."""

NO_EFFECTS = frozenset(("Human_voice", "Respiratory_sounds", "Human_group_actions", "Music"))
"""Classes of FSD50K that, with all below them, are no effects to TUSS."""

SHORT_EFFECT = 8.0  # seconds
WINDOW, STRIDE = 8.0, 4.0  # seconds
BAND_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_BAND_FLOOR_DB = -50.0
_BAND_SECONDS = 20.0
_N_FFT = 1024
_TRIM_FRAME = 0.02  # seconds


def fsd50k_prompt(track: Track) -> str | None:
    """Return what a clip of FSD50K is to TUSS: ``sfx``, ``sfx-mix`` or nothing.

    Clips with voices, breath, crowds or music are nothing. Of the others, those below 8 s with one label of the
    annotators are ``sfx``; longer ones are ``sfx-mix``; short ones with several labels are nothing.

    Raises:
        DatasetError: if the labels of the annotators are not known.
    """
    if NO_EFFECTS & set(str(track.details["labels"]).split(",")):
        return None
    collection = str(track.details["collection"])
    if not collection:
        raise DatasetError(f"clip {track.name} of FSD50K has no label of annotators: unpack FSD50K.metadata.zip")
    if track.duration >= SHORT_EFFECT:
        return "sfx-mix"
    return "sfx" if len(collection.split(",")) == 1 else None


def silent_stems(stems: Sequence[Stem]) -> list[bool]:
    """Tell of each stem whether all of its samples are zero; files are read once, and remembered."""
    return measure(stems, "silent", _is_silent)


def _is_silent(stem: Stem) -> bool:
    block = 1 << 20
    return not any(
        read_stem(stem, start, min(start + block, stem.n_samples)).any() for start in range(0, stem.n_samples, block)
    )


def sounding(tracks: Iterable[Track], *, n_stems: Sequence[int] = ()) -> list[Track]:
    """Take the silent stems out of tracks, and the tracks out that are left without any.

    The mixture of the dataset, which silence does not change, stays. FUSS is scored on 2 to 4 sources that sound.

    Args:
        tracks: of one dataset.
        n_stems: how many stems have to be left; empty: any number.
    """
    found = []
    tracks = list(tracks)
    silent = iter(silent_stems([stem for track in tracks for stem in track.stems]))
    for track in tracks:
        stems = tuple(stem for stem in track.stems if not next(silent))
        if stems and (not n_stems or len(stems) in n_stems):
            found.append(replace(track, stems=stems))
    return found


def first_of_each_size(
    tracks: Iterable[Track], *, n_tracks: int = 200, sizes: Sequence[int] = (2, 3, 4)
) -> list[Track]:
    """Return the first tracks with so many stems, for each number of stems: how FUSS validates.

    Silent stems do not count; tracks are read only until there are enough.
    """
    left = dict.fromkeys(sizes, n_tracks)
    found: dict[int, list[Track]] = {size: [] for size in sizes}
    remaining = iter(tracks)
    while any(left.values()) and (some := list(islice(remaining, n_tracks))):
        for track in sounding(some, n_stems=sizes):
            if left[len(track.stems)] > 0:
                left[len(track.stems)] -= 1
                found[len(track.stems)].append(track)
    return [track for size in sizes for track in found[size]]


def listed(tracks: Iterable[Track], path: Path) -> list[Track]:
    """Return the tracks whose names a text file lists, one a line.

    Raises:
        DatasetError: if it cannot be read, or lists none of them.
    """
    names = set(read_lines(path))
    found = [track for track in tracks if track.name in names]
    if not found:
        raise DatasetError(f"{path}: it lists no track of the dataset: write names such as those of its index")
    return found


def windows(n_samples: int, sample_rate: int) -> tuple[tuple[int, int], ...]:
    """Cut a long recording into windows of 8 s, 4 s apart, the last one at its end; shorter ones stay whole.

    Example:
        >>> windows(1700, 100)
        ((0, 800), (400, 1200), (800, 1600), (900, 1700))
    """
    size, stride = round(WINDOW * sample_rate), round(STRIDE * sample_rate)
    if n_samples <= size:
        return ((0, n_samples),)
    last = n_samples - size
    return tuple((start, start + size) for start in sorted({*range(0, last + 1, stride), last}))


def trimmed(recording: Recording, *, floor_db: float = -40.0, margin: float = 0.1) -> Recording:
    """Take off the silence at both ends, as VCTK 0.92 comes and VCTK 0.80 does not.

    Args:
        recording: of speech.
        floor_db: frames of 20 ms this far below the loudest one are silence.
        margin: seconds that are kept at both ends.

    Returns:
        The piece of the recording in which somebody speaks; a silent one stays as it is.
    """
    samples = read_recording(recording)[0]
    size = max(1, round(_TRIM_FRAME * recording.sample_rate))
    edges = np.arange(0, len(samples), size)
    powers = np.add.reduceat(samples.astype(np.float64) ** 2, edges) / np.diff(np.append(edges, len(samples)))
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (floor_db / 10)) if powers.max() > 0 else edges[:0]
    if not len(loud):
        return recording
    kept = round(margin * recording.sample_rate)
    start = max(0, int(loud[0]) * size - kept)
    stop = min(recording.n_samples, (int(loud[-1]) + 1) * size + kept)
    return replace(recording, start=recording.start + start, n_samples=stop - start)


def trimmed_stems(stems: Sequence[Stem]) -> list[Stem]:
    """Return stems of one recording each as `trimmed` leaves them; files are read once, and remembered."""
    pieces = measure(stems, "trimmed", _trimmed_piece)
    return [
        replace(stem, recordings=(replace(stem.recordings[0], start=start, n_samples=n_samples),))
        for stem, (start, n_samples) in zip(stems, pieces, strict=True)
    ]


def _trimmed_piece(stem: Stem) -> tuple[int, int]:
    piece = trimmed(stem.recordings[0])
    return piece.start, piece.n_samples


def band_rates(stems: Sequence[Stem]) -> list[int]:
    """Return the lowest usual rate that holds all that each stem has; files are read once, and remembered.

    Recordings of LibriVox are stored at 48 kHz, but many were narrower before.
    """
    return measure(stems, f"band {_BAND_FLOOR_DB} {_BAND_SECONDS}", _band_rate)


def _band_rate(stem: Stem) -> int:
    rate = stem.recordings[0].sample_rate
    samples = read_stem(stem, 0, min(stem.n_samples, round(_BAND_SECONDS * rate)))[0]
    return band_rate_of(samples, rate)


def band_rate_of(samples: Samples, sample_rate: int) -> int:
    """Return the lowest usual rate that holds all that a recording ``[N]`` has.

    The band ends at the highest frequency that at any time comes within 50 dB of the loudest one.

    Example:
        >>> tone = np.sin(2 * np.pi * 3000 / 48000 * np.arange(48000)).astype(np.float32)
        >>> band_rate_of(tone, 48000)
        8000
    """
    if len(samples) < _N_FFT:
        return sample_rate
    frames = np.lib.stride_tricks.sliding_window_view(samples, _N_FFT)[:: _N_FFT // 2]
    powers = np.square(np.abs(np.fft.rfft(frames * np.hanning(_N_FFT), axis=1))).max(axis=0)
    loud = np.flatnonzero(powers > powers.max() * 10 ** (_BAND_FLOOR_DB / 10))
    if not len(loud):
        return sample_rate
    edge = 2 * loud[-1] * sample_rate / _N_FFT
    slack = 4 * sample_rate / _N_FFT  # windows widen what they see by two bins
    wide_enough = [rate for rate in BAND_RATES if rate >= edge - slack and rate < sample_rate]
    return wide_enough[0] if wide_enough else sample_rate
