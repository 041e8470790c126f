"""The sounds of a trial as they are played: one length, one rate, one loudness, and an anchor.

Source: ITU-R BS.1534-3, "Method for the subjective assessment of intermediate quality level of audio systems", 2015,
sections 5 (anchors) and 6 (excerpts of about 10 seconds); loudness after ITU-R BS.1770-4.

Axes: C channels, N samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.files import read_audio
from unbraid.audio.loudness import loudness_lufs, peak_db
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError
from unbraid.listening.trials import MIXTURE, REFERENCE, TrialFiles

ANCHOR = "anchor"
ANCHOR_RATE = 7000  # hertz: half of it is the 3.5 kHz that the recommendation filters the low anchor to
LOUDNESS = -23.0  # LUFS
CEILING_DB = -1.0  # dBFS, of the loudest peak of a trial
LONGEST = 12.0  # seconds
FADE = 0.02  # seconds at both ends of an excerpt


@dataclass(frozen=True)
class Stimuli:
    """What is played in one trial; ``sounds`` has mixture, reference, anchor and the methods by name.

    ``loudness`` is what all of them were brought to, in LUFS; ``start`` is where the excerpt begins, in seconds.
    """

    name: str
    sounds: Mapping[str, Audio]
    loudness: float
    start: float


def make_stimuli(trial: TrialFiles, *, seconds: float = 10.0, loudness: float = LOUDNESS) -> Stimuli:
    """Read a trial, cut out where the reference is loudest, add the anchor, and match loudness.

    Where a peak would come above -1 dBFS, the whole trial is made quieter by as much, so that it stays matched. What
    is silent stays silent.

    Raises:
        DatasetError: if lengths or channels differ, or the reference is silent.
        AudioReadError: if a file cannot be read.
    """
    if not 1 <= seconds <= LONGEST:
        raise DatasetError(f"excerpts of {seconds} s are out of range: use 1 to {LONGEST:g}")
    read = {name: read_audio(path) for name, path in _files(trial).items()}
    reference = read[REFERENCE]
    rate = reference.sample_rate
    whole = {name: _fit(audio, reference, f"{trial.name}: {name}") for name, audio in read.items()}
    start, stop = loudest(whole[REFERENCE], n_samples=round(seconds * rate), step=rate // 10)
    sounds = {name: fade(samples[:, start:stop], rate) for name, samples in whole.items()}
    if not bool(sounds[REFERENCE].any()):
        raise DatasetError(
            f"{trial.name}: the reference is silent, nothing can be compared with it: take the trial out"
        )
    sounds[ANCHOR] = low_anchor(sounds[REFERENCE], rate)
    matched = {name: match(samples, rate, loudness) for name, samples in sounds.items()}
    excess = max(peak_db(samples) for samples in matched.values()) - CEILING_DB
    gain = 10 ** (-max(excess, 0.0) / 20)
    return Stimuli(
        trial.name,
        {name: Audio(samples * gain, rate) for name, samples in matched.items()},
        loudness - max(excess, 0.0),
        start / rate,
    )


def loudest(samples: Tensor, *, n_samples: int, step: int) -> tuple[int, int]:
    """Return where the ``n_samples`` of ``[C, N]`` with most energy begin and end, in steps.

    Example:
        >>> loudest(torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.0]]), n_samples=2, step=1)
        (2, 4)
    """
    if samples.shape[1] <= n_samples:
        return 0, samples.shape[1]
    energy = functional.pad(samples.double().square().sum(dim=0).cumsum(dim=0), (1, 0))
    starts = torch.arange(0, samples.shape[1] - n_samples + 1, step)
    start = int(starts[(energy[starts + n_samples] - energy[starts]).argmax()])
    return start, start + n_samples


def low_anchor(samples: Tensor, sample_rate: int) -> Tensor:
    """Return ``[C, N]`` samples without what is above 3.5 kHz."""
    low = resample(samples, source_rate=sample_rate, target_rate=ANCHOR_RATE)
    back = resample(low, source_rate=ANCHOR_RATE, target_rate=sample_rate)[:, : samples.shape[1]]
    return functional.pad(back, (0, samples.shape[1] - back.shape[1]))


def match(samples: Tensor, sample_rate: int, loudness: float) -> Tensor:
    """Bring ``[C, N]`` samples to a loudness in LUFS; what is too quiet to have one stays as it is."""
    found = loudness_lufs(samples, sample_rate)
    return samples if not math.isfinite(found) else samples * 10 ** ((loudness - found) / 20)


def fade(samples: Tensor, sample_rate: int) -> Tensor:
    """Return ``[C, N]`` samples that begin and end softly."""
    length = min(round(FADE * sample_rate), samples.shape[1] // 2)
    ramp = torch.sin(torch.linspace(0, math.pi / 2, length)) ** 2
    envelope = torch.ones(samples.shape[1])
    envelope[:length], envelope[samples.shape[1] - length :] = ramp, ramp.flip(0)
    return samples * envelope


def _files(trial: TrialFiles) -> dict[str, Path]:
    if ANCHOR in trial.methods:
        raise DatasetError(f"{trial.name}: {ANCHOR} is made here: give the file of this method another name")
    return {MIXTURE: trial.mixture, REFERENCE: trial.reference, **trial.methods}


def _fit(audio: Audio, reference: Audio, what: str) -> Tensor:
    """Return samples ``[C, N]`` at the reference's rate, as many channels and samples as it has."""
    samples = audio.samples
    if audio.sample_rate != reference.sample_rate:
        samples = resample(samples, source_rate=audio.sample_rate, target_rate=reference.sample_rate)
    if abs(samples.shape[1] - reference.n_samples) > reference.sample_rate // 100:
        raise DatasetError(
            f"{what} lasts {audio.duration:.2f} s and the reference {reference.duration:.2f} s: they must be equal"
        )
    samples = functional.pad(samples, (0, max(0, reference.n_samples - samples.shape[1])))[:, : reference.n_samples]
    if samples.shape[0] not in (1, reference.n_channels):
        raise DatasetError(
            f"{what} has {samples.shape[0]} channels and the reference {reference.n_channels}: mix it to as many"
        )
    return samples.expand(reference.n_channels, -1)
