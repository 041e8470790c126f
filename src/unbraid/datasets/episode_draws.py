"""What is random in an episode, as plain values, and the settings that it is drawn with.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.datasets.track import Samples, Source
from unbraid.errors import DatasetError
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES


@dataclass(frozen=True)
class EpisodeSettings:
    """How episodes are drawn; the defaults are those of the paper.

    Args:
        sample_rate: of all sources, in hertz.
        n_samples: length of mixtures and examples.
        n_positive: fewest and most examples of a target.
        n_negative: fewest and most examples of what it is not, each of one other instrument of the mixture.
        n_targets: most targets of one mixture; 1 as published.
        targets: the classes that are asked for; others sound in mixtures, so that they can be left for a test.
        p_mixed: probability that another instrument plays along in an example (0.5 in the published multi-source
            mode). The target is the only instrument that all of its examples share.
        p_absent: probability that a target is replaced by an instrument that does not sound.
        p_apart: probability that instruments of one class are kept apart; else they are summed, as published.
        p_other_track: probability that all examples of a target are of another track.
        p_without_negative: probability that a target has no negative examples.
        volume_db: range of a random gain of a mixture and its examples.
        example_gain_db: range of a random gain of each example.
        floor_db: instruments below this level (RMS, in dBFS) are silent.

    Raises:
        DatasetError: if a probability is not in 0..1, a range is reversed, or a size is not positive.
    """

    sample_rate: int = 22050
    n_samples: int = 66150
    n_positive: tuple[int, int] = (5, 5)
    n_negative: tuple[int, int] = (0, 0)
    n_targets: int = 1
    targets: tuple[str, ...] = INSTRUMENT_CLASSES
    p_mixed: float = 0.0
    p_absent: float = 0.0
    p_apart: float = 0.0
    p_other_track: float = 0.0
    p_without_negative: float = 0.0
    volume_db: tuple[float, float] = (0.0, 0.0)
    example_gain_db: tuple[float, float] = (0.0, 0.0)
    floor_db: float = -60.0

    def __post_init__(self) -> None:
        for name in ("p_mixed", "p_absent", "p_apart", "p_other_track", "p_without_negative"):
            if not 0 <= getattr(self, name) <= 1:
                raise DatasetError(f"episode settings: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        if min(self.sample_rate, self.n_samples, self.n_positive[0], self.n_targets) < 1 or self.n_negative[0] < 0:
            raise DatasetError("episode settings: sizes, the rate, n_positive and n_targets must be positive")
        for name in ("n_positive", "n_negative", "volume_db", "example_gain_db"):
            if getattr(self, name)[0] > getattr(self, name)[1]:
                raise DatasetError(f"episode settings: {name} is (lowest, highest), not {getattr(self, name)}")


@dataclass(frozen=True)
class Chunk:
    """A passage of one instrument: the names of its sources, the first sample, a gain."""

    sources: tuple[str, ...]
    start: int
    gain_db: float = 0.0


@dataclass(frozen=True)
class Example:
    """A passage of an instrument, and of another one that plays along."""

    chunk: Chunk
    companion: Chunk | None = None
    gain_db: float = 0.0


@dataclass(frozen=True)
class Target:
    """What is asked for: a class, its place among the instruments of the mixture (None: absent), its examples.

    ``positive`` and ``negative`` are places among the examples of the episode.
    """

    label: str
    place: int | None
    positive: tuple[int, ...]
    negative: tuple[int, ...]


@dataclass(frozen=True)
class EpisodeDraw:
    """All random numbers of one mixture, its targets, and the examples that they share."""

    instruments: tuple[Chunk, ...]
    targets: tuple[Target, ...]
    examples: tuple[Example, ...]
    volume_db: float = 0.0


def read_sum(sources: Sequence[Source], start: int, n_samples: int, *, gain_db: float = 0.0) -> Samples:
    """Return the sum ``[n_samples]`` of sources that run on one clock; there are zeros after the end of each."""
    total = np.zeros(n_samples, dtype=np.float32)
    for source in sources:
        stop = min(start + n_samples, source.n_samples)
        if stop > start:
            total[: stop - start] += source.read(start, stop)
    return total * np.float32(10 ** (gain_db / 20)) if gain_db else total
