"""Multitracks to draw episodes from: songs whose stems are known by class, and solos that are mixed at random.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from unbraid.datasets.dice import Dice
from unbraid.datasets.track import Source
from unbraid.errors import DatasetError

MOST_SOLOS = 5


@dataclass(frozen=True)
class Instrument:
    """One instrument of a multitrack: the sum of its sources, with a gain.

    ``label`` is its class; ``sources`` run on one clock and are of one track.
    """

    label: str
    sources: tuple[Source, ...]
    gain_db: float = 0.0

    @property
    def track(self) -> str:
        """The recording that the instrument is of."""
        return self.sources[0].track

    @property
    def n_samples(self) -> int:
        """Length of the longest source, in samples."""
        return max(source.n_samples for source in self.sources)

    def draw_start(self, dice: Dice, n_samples: int) -> int:
        """Draw where a chunk begins (in samples), such that a moment in which a source sounds lies in it."""
        spans = [span for source in self.sources for span in source.spans]
        start, stop = spans[dice.weighted(list(accumulate(stop - start for start, stop in spans)))]
        moment = start + dice.integer(stop - start)
        return max(0, min(moment - dice.integer(n_samples), self.n_samples - n_samples))


@dataclass(frozen=True)
class Multitrack:
    """Instruments that sound together; ``aligned`` tells whether they run on one clock."""

    instruments: tuple[Instrument, ...]
    aligned: bool = True


class Ensembles(Protocol):
    """A data set of multitracks."""

    @property
    def sources(self) -> Sequence[Source]:
        """All sources."""
        ...

    def draw(self, dice: Dice, *, apart: bool) -> Multitrack:
        """Draw a multitrack; ``apart`` keeps its sources of one class apart instead of summing them."""
        ...

    def draw_other(self, dice: Dice, label: str, track: str) -> Instrument | None:
        """Draw an instrument of a class from another track; None where there is none."""
        ...


class Songs:
    """Songs: sources of one track on one clock, their prompts the classes.

    Args:
        sources: of all songs. A class that is not among the instrument classes is never a target.

    Raises:
        DatasetError: if no song has two classes.

    Example:
        >>> from unbraid.datasets.pack import read_pack
        >>> def open_songs(path):
        ...     return Songs(read_pack(path))
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources: Sequence[Source] = tuple(sources)
        self._by_track: dict[str, list[Source]] = defaultdict(list)
        for source in self.sources:
            self._by_track[source.track].append(source)
        self._tracks = [track for track, parts in self._by_track.items() if len({part.prompt for part in parts}) > 1]
        if not self._tracks:
            raise DatasetError("there is no song with stems of two classes: give songs, or use Solos")
        self._others = _by_label(self.sources)

    def draw(self, dice: Dice, *, apart: bool) -> Multitrack:
        """Draw a song, all of them equally often."""
        parts = self._by_track[self._tracks[dice.integer(len(self._tracks))]]
        if apart:
            return Multitrack(tuple(Instrument(part.prompt, (part,)) for part in parts))
        return Multitrack(_by_class(parts))

    def draw_other(self, dice: Dice, label: str, track: str) -> Instrument | None:
        """Draw an instrument of a class from another song; None where there is none."""
        return _draw_other(dice, self._others.get(label, []), track)


class Solos:
    """Solo recordings, mixed at random into multitracks of two up to five classes.

    Args:
        sources: the recordings, their prompts the classes, each at a comparable level.
        gain_db: range of the gain of each in a multitrack.

    Raises:
        DatasetError: if they are not of two classes.
    """

    def __init__(self, sources: Iterable[Source], *, gain_db: tuple[float, float] = (-6.0, 6.0)) -> None:
        self.sources: Sequence[Source] = tuple(sources)
        self.gain_db = gain_db
        self._others = _by_label(self.sources)
        if len(self._others) < 2:
            raise DatasetError("solos of two classes are needed to mix them: add recordings")

    def draw(self, dice: Dice, *, apart: bool) -> Multitrack:
        """Draw solos; apart, two may be of one class if they are of different tracks."""
        labels = sorted(self._others)
        n_solos = min(2 + dice.integer(MOST_SOLOS - 1), len(labels))
        chosen = [labels.pop(dice.integer(len(labels))) for _ in range(n_solos)]
        solos = [self._others[label][dice.integer(len(self._others[label]))] for label in chosen]
        if apart and n_solos < MOST_SOLOS:
            double = _draw_other(dice, self._others[chosen[0]], solos[0].track)
            solos.extend(double.sources if double is not None else ())
        instruments = tuple(Instrument(solo.prompt, (solo,), dice.between(*self.gain_db)) for solo in solos)
        return Multitrack(instruments, aligned=False)

    def draw_other(self, dice: Dice, label: str, track: str) -> Instrument | None:
        """Draw a solo of a class from another track; None where there is none."""
        return _draw_other(dice, self._others.get(label, []), track)


def _by_label(sources: Iterable[Source]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        found[source.prompt].append(source)
    return dict(found)


def _by_class(parts: Sequence[Source]) -> tuple[Instrument, ...]:
    return tuple(Instrument(label, tuple(sources)) for label, sources in _by_label(parts).items())


def _draw_other(dice: Dice, sources: Sequence[Source], track: str) -> Instrument | None:
    others = [source for source in sources if source.track != track]
    if not others:
        return None
    source = others[dice.integer(len(others))]
    return Instrument(source.prompt, (source,))
