"""What a model that follows examples is asked about a track: the conditions, and the drawing of the questions.

Every question points at one sound, by its label or by recordings, and knows the true answer. Recordings of the track
itself never overlap with the part that is scored. A question that cannot be asked (no other track has such an
instrument, a passage in which it sounds was not found) is left out.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 4; the conditions beyond its Table 3
(another instrument, an absent one, noise, two of a kind) are additions of this project.

Axes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.datasets.dice import Dice
from unbraid.errors import SettingsError
from unbraid.evaluation.items import Reference
from unbraid.evaluation.tracks import MAX_REDRAWS, Part, StemTrack, TrackSource, dice_of, draw_start, sounds
from unbraid.guides.kinds import Examples, Guide, Label

P_COMPANION = 0.5
N_ABSENT = 2
N_KEPT = 3
NOISE_LEVEL = 0.1


class Kind(StrEnum):
    """How a sound is pointed at."""

    LABEL = "label"
    SAME_TRACK = "same track"
    OTHER_TRACK = "other tracks"
    NEGATIVES = "same track, with negatives"
    MULTI_SOURCE = "same track, multi-source"
    WRONG = "another instrument"
    PAIR = "two of a kind"
    PAIR_NEGATIVES = "two of a kind, with negatives"
    ABSENT = "absent instrument"
    ABSENT_LABEL = "absent label"
    NOISE = "noise"
    SILENCE = "silence"


def find_kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds of these names; all of them where there are no names.

    Raises:
        SettingsError: if there is no such kind.

    Example:
        >>> find_kinds(["two of a kind", "silence"])
        (<Kind.PAIR: 'two of a kind'>, <Kind.SILENCE: 'silence'>)
    """
    unknown = [name for name in names if name not in set(Kind)]
    if unknown:
        raise SettingsError(f"no condition is called {unknown[0]!r}: choose of {', '.join(Kind)}")
    return tuple(map(Kind, names)) or tuple(Kind)


@dataclass(frozen=True)
class Condition:
    """A kind of question, and how many examples it comes with.

    Example:
        >>> Condition(Kind.SAME_TRACK, 5).title
        'same track x5'
    """

    kind: Kind
    n_examples: int = 0

    @property
    def title(self) -> str:
        """What the condition is called in records and tables."""
        return f"{self.kind.value} x{self.n_examples}" if self.n_examples else self.kind.value


def all_conditions(counts: Sequence[int] = (1, 2, 3, 4, 5)) -> tuple[Condition, ...]:
    """Return every condition; those of Table 1 for each number of examples, the others for the largest."""
    most = max(counts)
    table = [Condition(kind, count) for kind in (Kind.SAME_TRACK, Kind.OTHER_TRACK) for count in counts]
    once = (Kind.NEGATIVES, Kind.MULTI_SOURCE, Kind.WRONG, Kind.PAIR, Kind.PAIR_NEGATIVES, Kind.ABSENT)
    rest = [Condition(kind, most) for kind in once if kind is not Kind.MULTI_SOURCE or most > 1]
    labels = (Condition(Kind.LABEL), Condition(Kind.ABSENT_LABEL))
    return (*labels, *table, *rest, Condition(Kind.NOISE, 1), Condition(Kind.SILENCE, 1))


@dataclass(frozen=True, eq=False)
class Question:
    """One sound asked for.

    Args:
        label: what the answer counts for in tables.
        guide: a label or examples.
        reference: the true answer; None where nothing should come out.
        other: a sound of the mixture that the answer is held against as well.
    """

    label: str
    guide: Guide
    reference: Reference | None
    other: Reference | None = None


Shelf = Mapping[str, Mapping[str, Sequence[Audio]]]
"""Recordings by label and track."""


def fill_shelf(tracks: Sequence[TrackSource], *, duration: float, seed: int) -> Shelf:
    """Cut a few passages of every label out of every track, to be examples for other tracks.

    Args:
        tracks: read one at a time.
        duration: of a passage, in seconds; a track that is shorter gives half of its length.
        seed: of the places.
    """
    shelf: dict[str, dict[str, list[Audio]]] = {}
    for source in tracks:
        track = source.read()
        (whole,) = track.parts(1)
        length = example_length(track, whole, duration)
        for label in track.labels:
            dice = dice_of("shelf", seed, source.name, label)
            samples = track.reference(label, whole).samples
            starts = [draw_start(samples, [whole], length, dice) for _ in range(N_KEPT)]
            kept = [
                Audio(samples[:, start : start + length].clone(), track.sample_rate)
                for start in starts
                if start is not None
            ]
            if kept:
                shelf.setdefault(label, {})[source.name] = kept
    return shelf


def example_length(track: StemTrack, part: Part, duration: float) -> int:
    """Return the length of an example in samples: the duration, at most half of the part that it is cut from."""
    return min(round(duration * track.sample_rate), (part.stop - part.start) // 2)


@dataclass(frozen=True, eq=False)
class Examiner:
    """Draws the questions about one part of a track.

    Args:
        track: the recording.
        scored: the part that is separated and scored.
        shelf: recordings of other tracks, and of this one, which are not used.
        duration: of an example, in seconds.
        seed: of all draws.
        name: of the track on the shelf.
    """

    track: StemTrack
    scored: Part
    shelf: Shelf
    duration: float
    seed: int
    name: str

    def questions(self, condition: Condition) -> tuple[Question, ...]:
        """Draw the questions of one condition; the same each time."""
        draw: dict[Kind, Callable[[int], Iterator[Question]]] = {
            Kind.LABEL: self._labels,
            Kind.SAME_TRACK: self._same_track,
            Kind.OTHER_TRACK: self._other_tracks,
            Kind.NEGATIVES: self._negatives,
            Kind.MULTI_SOURCE: self._multi_source,
            Kind.WRONG: self._wrong,
            Kind.PAIR: self._pairs,
            Kind.PAIR_NEGATIVES: self._pairs_with_negatives,
            Kind.ABSENT: self._absent,
            Kind.ABSENT_LABEL: self._absent_labels,
            Kind.NOISE: self._noise,
            Kind.SILENCE: self._silence,
        }
        return tuple(draw[condition.kind](condition.n_examples))

    @cached_property
    def present(self) -> tuple[str, ...]:
        """The labels that sound in the part that is scored."""
        return tuple(name for name in self.track.labels if sounds(self._answer(name).samples))

    @cached_property
    def rest(self) -> tuple[Part, ...]:
        """What examples of the track itself may be cut from."""
        around = (Part(0, self.scored.start), Part(self.scored.stop, self.track.n_samples))
        return tuple(part for part in around if part.stop > part.start)

    def _labels(self, count: int) -> Iterator[Question]:
        del count
        for label in self.present:
            yield Question(label, Label(label), self._answer(label))

    def _same_track(self, count: int) -> Iterator[Question]:
        for label in self.present:
            cut = self._cut(self._whole(label), count, self._dice("same", label))
            if cut:
                yield Question(label, Examples(cut), self._answer(label))

    def _other_tracks(self, count: int) -> Iterator[Question]:
        for label in self.present:
            cut = self._from_shelf(label, count, self._dice("other", label))
            if cut:
                yield Question(label, Examples(cut), self._answer(label))

    def _negatives(self, count: int) -> Iterator[Question]:
        for label in self.present:
            dice = self._dice("same", label)  # the examples that same_track gives, and more
            positive = self._cut(self._whole(label), count, dice)
            others = [name for name in self.present if name != label]
            negative = [
                one
                for _ in range(count if others else 0)
                for one in self._cut(self._whole(others[dice.integer(len(others))]), 1, dice)
            ]
            if positive and negative:
                yield Question(label, Examples(positive, negative), self._answer(label))

    def _multi_source(self, count: int) -> Iterator[Question]:
        for label in self.present:
            dice = self._dice("multi", label)
            others = [name for name in self.present if name != label]
            companions = draw_companions(others, count, dice)
            cut = self._cut(self._whole(label), count, dice, companions)
            if companions and cut:
                yield Question(label, Examples(cut), self._answer(label))

    def _wrong(self, count: int) -> Iterator[Question]:
        for label in self.present:
            dice = self._dice("wrong", label)
            others = [name for name in self.present if name != label]
            other = others[dice.integer(len(others))] if others else ""
            cut = self._cut(self._whole(other), count, dice) if other else []
            if cut:
                yield Question(label, Examples(cut), self._answer(label), self._answer(other))

    def _pairs(self, count: int) -> Iterator[Question]:
        for label, (first, second), (of_first, of_second) in self._soloists(count):
            yield Question(label, Examples(of_first), first, second)
            yield Question(label, Examples(of_second), second, first)

    def _pairs_with_negatives(self, count: int) -> Iterator[Question]:
        for label, (first, second), (of_first, of_second) in self._soloists(count):
            yield Question(label, Examples(of_first, of_second), first, second)
            yield Question(label, Examples(of_second, of_first), second, first)

    def _soloists(self, count: int) -> Iterator[tuple[str, list[Reference], list[list[Audio]]]]:
        """Find two stems of one class, and cut examples of each."""
        for label in self.present:
            pair = self.track.soloists(label, self.scored)[:2]
            cuts = [self._cut(self.track.stem(one.stems[0]), count, self._dice("pair", label)) for one in pair]
            if len(pair) == 2 and all(cuts):
                yield label, list(pair), cuts

    def _absent(self, count: int) -> Iterator[Question]:
        for label in self._missing("absent"):
            cut = self._from_shelf(label, count, self._dice("absent", label))
            if cut:
                yield Question(label, Examples(cut), None)

    def _absent_labels(self, count: int) -> Iterator[Question]:
        del count
        for label in self._missing("absent"):
            yield Question(label, Label(label), None)

    def _noise(self, count: int) -> Iterator[Question]:
        generator = self._dice("noise", "").generator
        noise = [NOISE_LEVEL * torch.randn(1, self._length, generator=generator) for _ in range(count)]
        yield Question("noise", Examples([Audio(one, self.track.sample_rate) for one in noise]), None)

    def _silence(self, count: int) -> Iterator[Question]:
        silence = Audio(torch.zeros(1, self._length), self.track.sample_rate)
        yield Question("silence", Examples([silence] * count), None)

    @property
    def _length(self) -> int:
        return example_length(self.track, self.rest[0] if self.rest else self.scored, self.duration)

    def _dice(self, *words: str) -> Dice:
        return dice_of(self.seed, self.name, self.scored, *words)

    def _answer(self, label: str) -> Reference:
        return self.track.reference(label, self.scored)

    def _whole(self, label: str) -> Tensor:
        return self.track.reference(label, Part(0, self.track.n_samples)).samples

    def _cut(self, samples: Tensor, count: int, dice: Dice, companions: Sequence[str] = ()) -> list[Audio]:
        """Cut passages that sound out of the rest of the track; none if they cannot be found."""
        if not self.rest:
            return []
        length = example_length(self.track, self.rest[0], self.duration)
        found = []
        for index in range(count):
            start = draw_start(samples, self.rest, length, dice)
            if start is None:
                return []
            passage = samples[:, start : start + length].clone()
            if companions and companions[index]:
                passage += self._whole(companions[index])[:, start : start + length]
            found.append(Audio(passage, self.track.sample_rate))
        return found

    def _from_shelf(self, label: str, count: int, dice: Dice) -> list[Audio]:
        """Take passages of as many other tracks as there are, and further ones of the same tracks after that."""
        tracks = [name for name in self.shelf.get(label, {}) if name != self.name]
        order = [tracks.pop(dice.integer(len(tracks))) for _ in range(len(tracks))]
        rounds = [[self.shelf[label][name][index] for name in order if index < len(self.shelf[label][name])]
                  for index in range(N_KEPT)]  # fmt: skip
        return [one for turn in rounds for one in turn][:count]

    def _missing(self, word: str) -> list[str]:
        """Draw labels that the track has not, of those that other tracks have."""
        absent = sorted(set(self.shelf) - set(self.track.labels))
        dice = self._dice(word, "")
        return [absent.pop(dice.integer(len(absent))) for _ in range(min(N_ABSENT, len(absent)))]


def draw_companions(others: Sequence[str], count: int, dice: Dice) -> tuple[str, ...]:
    """Draw what each example is mixed with: half of them with another instrument, "" where it stays alone.

    The target stays the only instrument that all examples have: one stays alone, or two companions differ. Nothing
    is returned where that cannot be, or where all stay alone, which would be no mixture.

    Args:
        others: the other instruments.
        count: of examples.
        dice: of the draw.
    """
    for _ in range(MAX_REDRAWS if others and count > 1 else 0):
        drawn = tuple(others[dice.integer(len(others))] if dice.chance(P_COMPANION) else "" for _ in range(count))
        if len(set(drawn)) > 1:
            return drawn
    return ()
