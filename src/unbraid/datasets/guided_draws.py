"""What is random in a mixture that is asked for by mimicry and masks, as plain values, and how it is drawn.

The defaults are those of the paper. Targets that rest, backgrounds from the target's own song, and mimicry that comes
early or late, swells or has another color are additions of this project; all are off by default.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1, and its published
training code, which counts where the two differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from unbraid.errors import DatasetError
from unbraid.guides.mask_draws import MaskDraw
from unbraid.guides.mask_grid import SAMPLE_RATE


class Balance(Enum):
    """How loud the target is beside the background."""

    UNIFORM = "between two levels (paper)"
    NORMAL = "around -2.5 dB, at least -5 dB (published code, with backgrounds of the same song)"
    PEAKS = "of the same peak (published training)"


NORMAL_DB = (-2.5, 1.5, -5.0)  # mean, spread, least


@dataclass(frozen=True)
class GuidedSettings:
    """How mixtures are drawn; their rate is that of the grid that masks are painted on.

    Args:
        n_samples: length of the mixtures.
        n_background: fewest and most recordings of the background: first a label is drawn, then one of its recordings.
        balance: how loud the target is.
        snr_db: range of the target's energy over that of the background, for `Balance.UNIFORM`.
        min_entropy: passages of the background whose amplitudes have less, in nats, are drawn again.
        p_same_song: probability that the background is the rest of the target's song.
        p_rest: probability that the target rests for a part of the window.
        p_silent: probability that it rests for all of it.
        max_shift: by how many seconds the mimicry is early or late at most.
        max_tilt_db: slope of the color of the mimicry at most, up or down, in dB per octave.
        max_swell_db: by how much the mimicry grows or fades over the window at most.

    Raises:
        DatasetError: if a probability is not in 0..1, a range is reversed, or a size is not positive.
    """

    n_samples: int = 65280
    n_background: tuple[int, int] = (3, 5)
    balance: Balance = Balance.UNIFORM
    snr_db: tuple[float, float] = (-5.0, 5.0)
    min_entropy: float = 2.0
    p_same_song: float = 0.0
    p_rest: float = 0.0
    p_silent: float = 0.0
    max_shift: float = 0.0
    max_tilt_db: float = 0.0
    max_swell_db: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p_same_song", "p_rest", "p_silent"):
            if not 0 <= getattr(self, name) <= 1:
                raise DatasetError(f"guided settings: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        if self.p_rest + self.p_silent > 1:
            raise DatasetError("guided settings: p_rest and p_silent add up to more than 1: lower one")
        for name in ("max_shift", "max_tilt_db", "max_swell_db", "min_entropy"):
            if not getattr(self, name) >= 0:
                raise DatasetError(f"guided settings: {name} is {getattr(self, name)}: give 0 or more")
        if self.n_samples <= 0 or not 1 <= self.n_background[0] <= self.n_background[1]:
            raise DatasetError("guided settings: n_samples and n_background must be positive, and the fewest first")
        if self.snr_db[0] > self.snr_db[1]:
            raise DatasetError("guided settings: snr_db is (lowest, highest)")

    @property
    def duration(self) -> float:
        """Length of the mixtures, in seconds."""
        return self.n_samples / SAMPLE_RATE


@dataclass(frozen=True)
class Passage:
    """A passage of a source, by its name and first sample; what lies beyond the end of the source is silent."""

    source: str
    start: int


@dataclass(frozen=True)
class GuidedDraw:
    """All random numbers of one mixture.

    Args:
        target: the passage that is asked for.
        mimicry: the passage that imitates it.
        group: of the target, such as "Piano".
        background: what else sounds.
        snr_db: energy of the target over that of the background; None brings both to the same peak.
        rest: first and last sample between which the target and its imitation are silent; None if they never are.
        shift: by how many samples the mimicry is late.
        tilt_db: slope of its color, in dB per octave.
        swell_db: by how much it grows over the window.
        positive: the mask that is painted on the target.
        negative: the mask that is painted on the background.
    """

    target: Passage
    mimicry: Passage
    group: str
    background: tuple[Passage, ...]
    snr_db: float | None
    rest: tuple[int, int] | None
    shift: int
    tilt_db: float
    swell_db: float
    positive: MaskDraw
    negative: MaskDraw
