"""A small additive synthesizer: what a score sounds like on an instrument that is nobody's.

Axes: N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.guides.notes import Note

_PEAK = 0.25  # of a note of full velocity, about
_N_HARMONICS = 12
_SLOPE = 1.2  # harmonic k has the amplitude k ** -slope
_ATTACK, _RELEASE = 0.012, 0.06  # seconds
_DECAY, _SUSTAIN = 0.6, 0.5  # seconds, and the level that the note decays to
_TABLE = 4096  # points of one period
_HIGHEST = 0.45  # of the sample rate: no harmonic is higher

Samples = npt.NDArray[np.float32]


def render_tones(notes: Sequence[Note], *, sample_rate: int, n_samples: int | None = None) -> Tensor:
    """Play notes with a steady harmonic tone: a soft attack, a decay to half, a short release, no vibrato.

    Second 0 of the notes is sample 0. The level goes with the square of the velocity, so that 64 is 12 dB below 127;
    the notes of a chord add up, and nothing is limited. The same notes give the same samples.

    Args:
        notes: in any order.
        sample_rate: in hertz.
        n_samples: N; None ends with the release of the last note.

    Returns:
        float32 ``[N]``; a pitch above 0.45 times the rate is silent.

    Example:
        >>> render_tones([Note(0.5, 1.0, 69, 100)], sample_rate=16000).shape
        torch.Size([24960])
    """
    if n_samples is None:
        n_samples = round((max((note.stop for note in notes), default=-_RELEASE) + _RELEASE) * sample_rate)
    result = np.zeros(n_samples, np.float32)
    for note in notes:
        start = max(0, round(note.start * sample_rate))
        if start >= n_samples:
            continue
        held = max(1, round(note.duration * sample_rate))
        tone = _tone(note.hertz, held, n_samples - start, sample_rate)
        result[start : start + len(tone)] += np.float32(_PEAK * (note.velocity / 127) ** 2) * tone
    return torch.from_numpy(result)


def _tone(hertz: float, held: int, room: int, sample_rate: int) -> Samples:
    """Return one note of full level: as long as the key is held and its release, or as there is room."""
    n_harmonics = min(_N_HARMONICS, int(_HIGHEST * sample_rate / hertz))
    if n_harmonics == 0:
        return np.zeros(0, np.float32)
    release = round(_RELEASE * sample_rate)
    n_samples = min(held + release, room)
    phase = np.arange(n_samples) * (hertz / sample_rate * _TABLE) % _TABLE
    index = phase.astype(np.int32)
    between = (phase - index).astype(np.float32)
    table, slopes = _period(n_harmonics)
    tone: Samples = table[index] + between * slopes[index]
    tone *= _envelope(n_samples, held, release, sample_rate)
    return tone


@lru_cache(maxsize=_N_HARMONICS)
def _period(n_harmonics: int) -> tuple[Samples, Samples]:
    """Return one period, and the steps from each of its points to the next."""
    phase = 2 * np.pi * np.arange(_TABLE) / _TABLE
    period = sum(np.sin(k * phase) / k**_SLOPE for k in range(1, n_harmonics + 1))
    period = np.asarray(period / np.abs(period).max(), np.float32)
    return period, np.roll(period, -1) - period


def _envelope(n_samples: int, held: int, release: int, sample_rate: int) -> Samples:
    """Return the level of a note: up, down to what is sustained, and out when the key is let go."""
    at = np.arange(n_samples, dtype=np.float32)
    level: Samples = _SUSTAIN + (1 - _SUSTAIN) * np.exp(-at / np.float32(_DECAY * sample_rate))
    attack = max(1, round(_ATTACK * sample_rate))
    level[:attack] *= np.sin(np.pi / 2 * at[:attack] / attack) ** 2
    level[held:] *= np.cos(np.pi / 2 * (at[held:] - held) / release) ** 2
    return level
