"""How a target is pointed at in an examination: mimicry and masks made from the truth, with draws that never change.

Mimicry is played by another instrument, as in training, or sung. The melody itself, played exactly by a plain
synthesizer, is what late, flat, shifted and partial mimicry is compared with: it differs from that in one thing only.

Axes: N samples at 16 kHz, K mel bands, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from unbraid.evaluation.pointed_windows import DURATION, PointedWindow
from unbraid.evaluation.tracks import dice_of
from unbraid.guides.mask_draws import draw_mask, simulate_mask
from unbraid.guides.mask_grid import SAMPLE_RATE, hear_mel
from unbraid.guides.mimicry_draws import MimicryDraw, NoteDraw, crop_notes
from unbraid.guides.pseudo_masks import pseudo_masks
from unbraid.guides.render import Synthesizer, render_mimicry

FADE = 320  # samples: 20 ms


class Balance(StrEnum):
    """How loud the target is beside the rest."""

    PEAKS = "equal peaks"
    SONG = "balance of the song"


class Pointing(StrEnum):
    """What a model is given."""

    FULL = "full"
    MIMICRY = "mimicry"
    PSEUDO = "mimicry, pseudo-masks"
    POSITIVE = "positive mask"
    NEGATIVE = "negative mask"
    NONE = "no guide"
    SUNG = "sung mimicry"
    EXACT = "exact melody"
    LATE_50 = "50 ms late"
    LATE_150 = "150 ms late"
    LATE_400 = "400 ms late"
    FLAT_30 = "30 cents flat"
    FLAT_50 = "50 cents flat"
    OCTAVE_UP = "an octave higher"
    OCTAVE_DOWN = "an octave lower"
    HALF = "first half only"
    STRANGER = "a melody of another song"
    RESTING = "the target rests"


TABLE = (Pointing.FULL, Pointing.MIMICRY, Pointing.PSEUDO, Pointing.POSITIVE, Pointing.NEGATIVE, Pointing.NONE)
"""The rows of the paper's table, and two more."""
LATE = {Pointing.LATE_50: 0.05, Pointing.LATE_150: 0.15, Pointing.LATE_400: 0.4}
FLAT = {Pointing.FLAT_30: 0.3, Pointing.FLAT_50: 0.5}
OCTAVES = {Pointing.OCTAVE_UP: 1, Pointing.OCTAVE_DOWN: -1}
OFF = (*LATE, *FLAT, *OCTAVES, Pointing.HALF)
"""Mimicry that is off in one thing; compared with the exact melody."""
ABSENT = (Pointing.STRANGER, Pointing.RESTING)
"""Nothing should come out; played mimicry points at it."""


@dataclass(frozen=True, eq=False)
class Guides:
    """What a model is given: mimicry ``[N]``, masks ``[K, T]``; any may be missing."""

    mimicry: Tensor | None = None
    positive: Tensor | None = None
    negative: Tensor | None = None

    @property
    def parts(self) -> tuple[Tensor | None, ...]:
        """All three."""
        return self.mimicry, self.positive, self.negative


@dataclass(frozen=True, eq=False)
class Question:
    """A mixture ``[N]``, what points at the target, the truth, and what else is in the mixture.

    The truth is None where nothing should come out.
    """

    mixture: Tensor
    guides: Guides
    reference: Tensor | None
    rest: Tensor


def ask_about(window: PointedWindow, pointing: Pointing, balance: Balance, *, seed: int) -> Question | None:
    """Make the question of a window; None where it cannot be asked (nobody sang it, there is no other song).

    Args:
        window: where the target sounds.
        pointing: what is given.
        balance: how loud the target is.
        seed: of the masks; those of a window are the same for every pointing.
    """
    target, rest = (to_peak(one) if balance is Balance.PEAKS else one for one in (window.target, window.rest))
    mixture = target + rest
    guides = _guides(window, pointing, target, rest, seed=seed)
    if guides is None:
        return None
    if pointing is Pointing.RESTING:
        return Question(rest, guides, None, rest)
    if pointing is Pointing.STRANGER:
        return Question(mixture, guides, None, rest)
    return Question(mixture, guides, target, rest)


def _guides(window: PointedWindow, pointing: Pointing, target: Tensor, rest: Tensor, *, seed: int) -> Guides | None:
    mimicry = None
    if pointing not in (Pointing.POSITIVE, Pointing.NEGATIVE, Pointing.NONE):
        mimicry = _mimicry(window, pointing, seed=seed)
        if mimicry is None:
            return None
    if mimicry is not None and pointing is Pointing.PSEUDO:
        return Guides(mimicry, *pseudo_masks(hear_mel(mimicry), hear_mel(target + rest)))
    positive = negative = None
    if pointing in (Pointing.FULL, Pointing.POSITIVE):
        positive = _painted(target, window, seed=seed)
    if pointing in (Pointing.FULL, Pointing.NEGATIVE):
        negative = _painted(rest, window, seed=seed, negative=True)
    return Guides(mimicry, positive, negative)


def _mimicry(window: PointedWindow, pointing: Pointing, *, seed: int) -> Tensor | None:
    if pointing is Pointing.SUNG:
        return window.sung
    if pointing is Pointing.STRANGER:
        return window.stranger
    if pointing not in (Pointing.EXACT, *OFF):
        return window.played
    exact = exact_mimicry(window, seed=seed, flat=FLAT.get(pointing, 0.0), octave=OCTAVES.get(pointing, 0))
    return first_half(exact) if pointing is Pointing.HALF else delay(exact, LATE.get(pointing, 0.0))


def exact_mimicry(window: PointedWindow, *, seed: int, flat: float = 0.0, octave: int = 0) -> Tensor:
    """Play the melody of a window with a plain synthesizer: one note at a time, in tune and in time.

    Args:
        window: whose notes are played.
        seed: of the choice among the instruments that reach all of it, and an octave above and below; where there is
            none, among those that reach every pitch.
        flat: by how many semitones it is too low.
        octave: by how many octaves it is too high.

    Returns:
        ``[N]``, with a peak of 1.
    """
    melody = crop_notes(window.notes, start=window.start, duration=DURATION)
    low, high = min(note.pitch for note in melody) - 12, max(note.pitch for note in melody) + 12
    ranges = Synthesizer().ranges
    able = [index for index, (lowest, highest) in enumerate(ranges) if lowest <= low and high <= highest]
    wide = [index for index, (lowest, highest) in enumerate(ranges) if highest - lowest >= 127]
    choices = able or wide
    draw = MimicryDraw(
        notes=(NoteDraw(-flat, 0.0, 0.0, 0),) * len(melody),
        octave=octave,
        instrument=choices[dice_of("timbre", seed, window.name).integer(len(choices))],
        variant=0,
        monophony=True,
        strict=True,
        voice=None,
        seed=0,
    )
    played = render_mimicry(window.notes, draw, start=window.start, duration=DURATION, sample_rate=SAMPLE_RATE)
    return torch.from_numpy(played.copy())


def delay(samples: Tensor, seconds: float) -> Tensor:
    """Return samples ``[N]`` at 16 kHz so much later; zeros come in.

    Example:
        >>> delay(torch.tensor([1.0, 2.0, 3.0]), 1 / 16000)
        tensor([0., 1., 2.])
    """
    late = min(round(seconds * SAMPLE_RATE), len(samples))
    return torch.cat([samples.new_zeros(late), samples[: len(samples) - late]])


def first_half(samples: Tensor) -> Tensor:
    """Fade samples ``[N]`` out in the middle.

    Example:
        >>> float(first_half(torch.ones(4000))[1999]), float(first_half(torch.ones(4000))[2320])
        (1.0, 0.0)
    """
    places = torch.arange(len(samples))
    return samples * ((len(samples) // 2 + FADE - places) / FADE).clamp(0, 1)


def to_peak(samples: Tensor) -> Tensor:
    """Bring samples ``[N]`` to a peak of 1; silence stays silent.

    Example:
        >>> to_peak(torch.tensor([0.0, -0.5]))
        tensor([ 0., -1.])
    """
    return samples / samples.abs().max().clamp_min(torch.finfo(samples.dtype).tiny)


def _painted(sound: Tensor, window: PointedWindow, *, seed: int, negative: bool = False) -> Tensor:
    dice = dice_of("mask", seed, window.name, negative)
    return simulate_mask(hear_mel(sound), draw_mask(dice.generator, negative=negative))
