"""How an episode is drawn from a data set of multitracks.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, sections 3 and 4.
"""

from __future__ import annotations

import numpy as np

from unbraid.datasets.dice import Dice
from unbraid.datasets.episode_draws import Chunk, EpisodeDraw, EpisodeSettings, Example, Target, read_sum
from unbraid.datasets.multitracks import Ensembles, Instrument, Multitrack

MAX_REDRAWS = 20
FEWEST_INSTRUMENTS = 2


class EpisodeDrawer:
    """Draws one episode: the mixture, then its targets, then their positive and negative examples."""

    def __init__(self, dice: Dice, dataset: Ensembles, settings: EpisodeSettings) -> None:
        self.dice, self.dataset, self.settings = dice, dataset, settings
        self.examples: list[Example] = []
        self.clean: dict[int, list[int]] = {}  # examples in which one instrument of the mixture plays alone
        self.volume_db = dice.between(*settings.volume_db)

    def draw(self, n_targets: int) -> EpisodeDraw | None:
        """Draw an episode of up to so many targets; None where the tracks at hand give none."""
        multitrack = self.dataset.draw(self.dice, apart=self.dice.chance(self.settings.p_apart))
        mixture = self._mixture(multitrack)
        if mixture is None:
            return None
        order = [place for place in mixture if multitrack.instruments[place].label in self.settings.targets]
        asked: list[tuple[Instrument, int | None, list[int]]] = []
        while order and len(asked) < n_targets:
            place = order.pop(self.dice.integer(len(order)))
            if self.dice.chance(self.settings.p_absent):
                asked.extend(self._absent(multitrack, mixture))
            else:
                asked.extend(self._present(multitrack, mixture, place))
        if not asked:
            return None
        places = {place: index for index, place in enumerate(mixture)}
        targets = tuple(
            Target(
                instrument.label,
                None if place is None else places[place],
                tuple(positive),
                self._negative(multitrack, mixture, place),
            )
            for instrument, place, positive in asked
        )
        return EpisodeDraw(tuple(mixture.values()), targets, tuple(self.examples), self.volume_db)

    def _mixture(self, multitrack: Multitrack) -> dict[int, Chunk] | None:
        """Draw a chunk in which at least two instruments sound; return the chunks of these by place."""
        n_samples = self.settings.n_samples
        longest = max(instrument.n_samples for instrument in multitrack.instruments)
        for _ in range(MAX_REDRAWS):
            start = self.dice.integer(max(longest - n_samples, 0) + 1)
            found = {}
            for place, instrument in enumerate(multitrack.instruments):
                begin = start if multitrack.aligned else instrument.draw_start(self.dice, n_samples)
                if self._sounds(instrument, begin):
                    found[place] = _chunk(instrument, begin)
            labels = {multitrack.instruments[place].label for place in found}
            if len(found) >= FEWEST_INSTRUMENTS and labels & set(self.settings.targets):
                return found
        return None

    def _present(
        self, multitrack: Multitrack, mixture: dict[int, Chunk], place: int
    ) -> list[tuple[Instrument, int | None, list[int]]]:
        """Ask for an instrument of the mixture, with its examples; an empty list where it has none."""
        instrument, avoided = multitrack.instruments[place], mixture[place]
        alone = [one.label for one in multitrack.instruments].count(instrument.label) == 1
        if alone and self.dice.chance(self.settings.p_other_track):
            other = self.dataset.draw_other(self.dice, instrument.label, instrument.track)
            positive = [] if other is None else self._positive(other, None, None)
            if positive:
                return [(instrument, place, positive)]
        positive = self._positive(instrument, avoided, multitrack, place=place)
        return [(instrument, place, positive)] if positive else []

    def _absent(
        self, multitrack: Multitrack, mixture: dict[int, Chunk]
    ) -> list[tuple[Instrument, int | None, list[int]]]:
        """Ask for an instrument that is silent in the chunk, or for one of another multitrack and another class."""
        targets, dice = self.settings.targets, self.dice
        silent = [
            instrument
            for place, instrument in enumerate(multitrack.instruments)
            if multitrack.aligned and place not in mixture and instrument.label in targets
        ]
        if silent and dice.chance(0.5):
            chosen = silent[dice.integer(len(silent))]
            positive = self._positive(chosen, next(iter(mixture.values())), multitrack)
            return [(chosen, None, positive)] if positive else []
        here = {multitrack.instruments[place].label for place in mixture}
        other = self.dataset.draw(dice, apart=False)
        choices = [one for one in other.instruments if one.label in targets and one.label not in here]
        if not choices:
            return []
        chosen = choices[dice.integer(len(choices))]
        positive = self._positive(chosen, None, other)
        return [(chosen, None, positive)] if positive else []

    def _positive(
        self, instrument: Instrument, avoided: Chunk | None, multitrack: Multitrack | None, *, place: int | None = None
    ) -> list[int]:
        """Draw the examples of a target; an empty list where it does not sound long enough.

        ``place`` is set where the instrument is one of the mixture, so that its examples serve others as negative ones.
        """
        fewest, most = self.settings.n_positive
        starts = [self._start(instrument, avoided) for _ in range(fewest + self.dice.integer(most - fewest + 1))]
        known = [start for start in starts if start is not None]
        if len(known) < len(starts):
            return []
        companions = self._companions(instrument, multitrack, known)
        first = len(self.examples)
        for index, (start, companion) in enumerate(zip(known, companions, strict=True), start=first):
            self._add(instrument, start, companion)
            if place is not None and companion is None:
                self.clean.setdefault(place, []).append(index)
        return list(range(first, len(self.examples)))

    def _negative(self, multitrack: Multitrack, mixture: dict[int, Chunk], place: int | None) -> tuple[int, ...]:
        """Draw negative examples, each of one other instrument; those that there are already are taken first."""
        fewest, most = self.settings.n_negative
        others = [one for one in mixture if one != place]
        if most == 0 or self.dice.chance(self.settings.p_without_negative):
            return ()
        chosen: list[int] = []
        for _ in range(fewest + self.dice.integer(most - fewest + 1)):
            other = others[self.dice.integer(len(others))]
            ready = [index for index in self.clean.get(other, []) if index not in chosen]
            if ready:
                chosen.append(ready[self.dice.integer(len(ready))])
                continue
            start = self._start(multitrack.instruments[other], mixture[other])
            if start is not None:
                self.clean.setdefault(other, []).append(len(self.examples))
                chosen.append(len(self.examples))
                self._add(multitrack.instruments[other], start, None)
        return tuple(chosen)

    def _add(self, instrument: Instrument, start: int, companion: Chunk | None) -> None:
        gain_db = self.volume_db + self.dice.between(*self.settings.example_gain_db)
        self.examples.append(Example(_chunk(instrument, start), companion, gain_db))

    def _start(self, instrument: Instrument, avoided: Chunk | None) -> int | None:
        """Draw where an example begins: it sounds, and does not overlap the chunk that is avoided."""
        n_samples = self.settings.n_samples
        for _ in range(MAX_REDRAWS):
            start = instrument.draw_start(self.dice, n_samples)
            apart = avoided is None or abs(start - avoided.start) >= n_samples
            if apart and self._sounds(instrument, start):
                return start
        return None

    def _companions(
        self, instrument: Instrument, multitrack: Multitrack | None, starts: list[int]
    ) -> list[Chunk | None]:
        """Draw who plays along in each example, such that no other instrument plays in all of them."""
        alone: list[Chunk | None] = [None] * len(starts)
        if multitrack is None or len(starts) == 1 or self.settings.p_mixed == 0:
            return alone
        others = [one for one in multitrack.instruments if one.sources != instrument.sources]
        for _ in range(MAX_REDRAWS):
            companions = [
                self._companion(others, multitrack, start) if self.dice.chance(self.settings.p_mixed) else None
                for start in starts
            ]
            if None in companions or len({one.sources for one in companions if one is not None}) > 1:
                return companions
        return alone

    def _companion(self, others: list[Instrument], multitrack: Multitrack, start: int) -> Chunk | None:
        if not others:
            return None
        other = others[self.dice.integer(len(others))]
        begin = start if multitrack.aligned else other.draw_start(self.dice, self.settings.n_samples)
        return _chunk(other, begin) if self._sounds(other, begin) else None

    def _sounds(self, instrument: Instrument, start: int) -> bool:
        samples = read_sum(instrument.sources, start, self.settings.n_samples, gain_db=instrument.gain_db)
        return float(np.dot(samples, samples)) > len(samples) * 10 ** (self.settings.floor_db / 10)


def _chunk(instrument: Instrument, start: int) -> Chunk:
    return Chunk(tuple(source.name for source in instrument.sources), start, instrument.gain_db)
