"""Backgrounds of unrelated stems, behind which GuideSep's targets are put: in training, and when people hum.

Source: Wen, Kim and Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1, and its published
configuration: the sum of three to five windows of MoisesDB, each of a kind of stem, then of a file, that is drawn
uniformly; windows whose amplitudes have an entropy of 2 nats or less are drawn again. (The paper says three to six.)

Axes: n samples of a window at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unbraid.datasets.dice import Dice
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.onset_windows import SECONDS, cut_window, first_channel
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError
from unbraid.guides.render import amplitude_entropy

LEAST_ENTROPY = 2.0
MAX_REDRAWS = 50


@dataclass(frozen=True)
class Backgrounds:
    """Draws backgrounds out of the stems of songs, each by its own dice.

    Args:
        tracks: of MoisesDB, or another dataset whose stems have groups.
        n_windows: fewest and most windows in a background.

    Raises:
        DatasetError: if there is no stem.
    """

    tracks: Sequence[Track]
    n_windows: tuple[int, int] = (3, 5)

    def __post_init__(self) -> None:
        if not self._groups:
            raise DatasetError("there is no stem to make backgrounds of: give tracks of MoisesDB")

    @cached_property
    def _groups(self) -> dict[str, list[tuple[Stem, int]]]:
        groups: dict[str, list[tuple[Stem, int]]] = {}
        for track in self.tracks:
            for stem in track.stems:
                groups.setdefault(stem.group or stem.label, []).append((stem, track.sample_rate))
        return groups

    def draw(self, dice: Dice) -> Samples:
        """Return a background ``[n]``, as loud as its stems are.

        Raises:
            DatasetError: if a file cannot be read, or nothing is loud enough.
        """
        low, high = self.n_windows
        total = self._draw_window(dice)
        for _ in range(low - 1 + dice.integer(high - low + 1)):
            total = total + self._draw_window(dice)
        return total

    def _draw_window(self, dice: Dice) -> Samples:
        names = sorted(self._groups)
        for _ in range(MAX_REDRAWS):
            stems = self._groups[names[dice.integer(len(names))]]
            stem, rate = stems[dice.integer(len(stems))]
            first = dice.integer(max(1, stem.n_samples - round(SECONDS * rate)))
            samples = cut_window(first_channel(stem), first, rate)
            if amplitude_entropy(samples) > LEAST_ENTROPY:
                return samples
        raise DatasetError(f"{MAX_REDRAWS} windows were too quiet for a background: check the dataset")
