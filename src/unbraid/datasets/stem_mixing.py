"""Stereo mixtures of the stems of songs, each drawn first and then made; batch k depends on the seed and k alone.

Every stem comes from another track unless told otherwise, and the mixture is their sum. The defaults are those of the
paper; levels, absent targets, exchanged channels and stems of one song are additions of this project.

Axes: B mixtures of a batch, S targets of a mixture, C = 2 channels, N samples.

Source: Choi et al., "LaSAFT-Net v2", JAES 70(9), 2022, and its published training configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.datasets.track import Samples, Source, SourcePool
from unbraid.errors import DatasetError

LABELS = ("vocals", "drums", "bass", "other")
N_SAMPLES = 130048
MAX_REDRAWS = 20
TRIM_DB = -60.0


@dataclass(frozen=True)
class StemSettings:
    """How mixtures of stems are drawn; the defaults are the published ones.

    Args:
        sample_rate: of all recordings, in hertz.
        n_samples: length of the mixtures.
        labels: the stems of a mixture.
        n_targets: how many stems of each mixture are asked for, all different; 1 as published.
        p_absent: probability that some targets, at least one, do not sound; one stem always does.
        p_coherent: probability that all stems come from one song, at one time.
        level_db: RMS that every stem is brought to over the window, in dBFS; None leaves the level of the recording.
        gain_db: range of a random gain of each stem.
        volume_db: range of a random gain of the whole mixture.
        p_swap: probability that the two channels of a stem are exchanged.
        p_other: probability that the query of a target is another passage of the same track; else it is the clean
            target itself, as published.
        floor_db: passages below this level (dBFS) count as silent: they are not brought to `level_db`, and never
            are queries.

    Raises:
        DatasetError: if a probability is not in 0..1, a range is reversed, or a size is not positive.
    """

    sample_rate: int = 44100
    n_samples: int = N_SAMPLES
    labels: tuple[str, ...] = LABELS
    n_targets: int = 1
    p_absent: float = 0.0
    p_coherent: float = 0.0
    level_db: float | None = None
    gain_db: tuple[float, float] = (0.0, 0.0)
    volume_db: tuple[float, float] = (0.0, 0.0)
    p_swap: float = 0.0
    p_other: float = 0.0
    floor_db: float = -60.0

    def __post_init__(self) -> None:
        for name in ("p_absent", "p_coherent", "p_swap", "p_other"):
            if not 0 <= getattr(self, name) <= 1:
                raise DatasetError(f"stem settings: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        if self.p_absent > 0 and len(self.labels) < 2:
            raise DatasetError("stem settings: p_absent needs at least two labels")
        if self.sample_rate <= 0 or self.n_samples <= 0 or not 1 <= self.n_targets <= len(self.labels):
            raise DatasetError("stem settings: sample_rate, n_samples and n_targets must be positive, targets labels")
        if self.gain_db[0] > self.gain_db[1] or self.volume_db[0] > self.volume_db[1]:
            raise DatasetError("stem settings: gain_db and volume_db are (lowest, highest)")


@dataclass(frozen=True)
class PassageDraw:
    """A passage of one recording.

    ``start`` and ``n_samples`` count samples of the recording, ``offset`` samples of the mixture. ``place`` is where a
    recording of one channel stands, from 0 (left) to 1 (right); those of two stay as they are, or ``swapped``.
    """

    source: str
    start: int
    n_samples: int
    offset: int = 0
    gain_db: float = 0.0
    place: float = 0.5
    swapped: bool = False


@dataclass(frozen=True)
class StemMixDraw:
    """All random numbers of one mixture.

    ``stems`` has one passage per label, None where the stem does not sound; ``targets`` are places in it; ``queries``
    has one passage per target, None where the query is the target itself.
    """

    stems: tuple[PassageDraw | None, ...]
    targets: tuple[int, ...]
    queries: tuple[PassageDraw | None, ...]
    volume_db: float = 0.0


class StemBatch(NamedTuple):
    """Mixtures ``[B, 2, N]``, their targets ``[B, S, 2, N]`` with S labels each, and a query ``[B, S, 2, N]`` for each.

    Absent targets are zeros; their query is what would have sounded, or another passage of it.
    """

    mixture: Tensor
    references: Tensor
    labels: list[tuple[str, ...]]
    queries: Tensor


@dataclass(frozen=True)
class StemTrainingSet:
    """Batches by their number, made when they are asked for.

    A track's passages are drawn from where it sounds, if its pack says so, else from all of it.

    Args:
        pool: the sources, all at the rate of the settings; those of other prompts than the labels are left alone.
        settings: how mixtures are drawn.
        batch_size: mixtures in a batch.
        seed: another one gives other batches.

    Raises:
        DatasetError: if there is no source of a label, or one is at another rate.
    """

    pool: SourcePool
    settings: StemSettings = field(default_factory=StemSettings)
    batch_size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        missing = set(self.settings.labels) - self.pool.prompts
        if missing:
            raise DatasetError(f"there is no source of {', '.join(sorted(missing))}: add recordings")
        check_rates(self.pool, self.settings)

    def draw(self, step: int) -> tuple[StemMixDraw, ...]:
        """Return the draws of one batch."""
        state = np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0]
        dice = Dice(torch.Generator().manual_seed(int(state >> np.uint64(1))))
        return tuple(draw_stems(dice, self.pool, self.settings) for _ in range(self.batch_size))

    def __getitem__(self, step: int) -> StemBatch:
        """Return one batch."""
        items = [apply_stems(draw, self.pool, self.settings) for draw in self.draw(step)]
        return StemBatch(
            torch.stack([item.mixture for item in items]),
            torch.stack([item.references for item in items]),
            [item.labels for item in items],
            torch.stack([item.queries for item in items]),
        )


def check_rates(pool: SourcePool, settings: StemSettings) -> None:
    """Refuse sources of the labels that are at another rate.

    Raises:
        DatasetError: if there is one.
    """
    for source in pool.sources.values():
        if source.prompt in settings.labels and source.sample_rate != settings.sample_rate:
            raise DatasetError(
                f"source {source.name}: it is at {source.sample_rate} Hz: pack it at {settings.sample_rate} Hz"
            )


def draw_stems(dice: Dice, pool: SourcePool, settings: StemSettings) -> StemMixDraw:
    """Draw the passages of one mixture, its targets and their queries."""
    drawer = _Drawer(dice, pool, settings)
    stems: list[PassageDraw | None] = [*drawer.stems()]
    order = list(range(len(stems)))
    targets = tuple(order.pop(dice.integer(len(order))) for _ in range(settings.n_targets))
    queries: list[PassageDraw | None] = []
    for place in targets:
        passage = stems[place]
        assert passage is not None
        queries.append(drawer.other(passage) if dice.chance(settings.p_other) else None)
    if dice.chance(settings.p_absent):
        for index in range(1 + dice.integer(min(len(targets), len(stems) - 1))):
            queries[index] = queries[index] or stems[targets[index]]  # what would have sounded
            stems[targets[index]] = None
    return StemMixDraw(tuple(stems), targets, tuple(queries), dice.between(*settings.volume_db))


class _Drawer:
    """Draws passages."""

    def __init__(self, dice: Dice, pool: SourcePool, settings: StemSettings) -> None:
        self.dice, self.pool, self.settings = dice, pool, settings

    def stems(self) -> list[PassageDraw]:
        """Draw one passage per label; in a coherent mixture all are of the first one's song, where it has them."""
        labels = self.settings.labels
        if not self.dice.chance(self.settings.p_coherent):
            return [self.passage(label) for label in labels]
        first = self.dice.integer(len(labels))
        anchor = self.passage(labels[first])
        song = self.pool[anchor.source].track
        found = []
        for index, label in enumerate(labels):
            sources = self.pool.companions(song, label)
            there = [source for source in sources if source.n_samples >= anchor.start + anchor.n_samples]
            if index == first:
                found.append(anchor)
            elif there:
                source = there[self.dice.integer(len(there))]
                found.append(self._placed(source, anchor.start, anchor.n_samples, anchor.offset))
            else:
                found.append(self.passage(label))
        return found

    def passage(self, label: str) -> PassageDraw:
        """Draw a passage of a label: an item, then where in it."""
        item = self.pool.draw(self.dice, label)
        return self._within(item.source, item.start, item.stop)

    def other(self, passage: PassageDraw) -> PassageDraw | None:
        """Draw another passage of the same stem that sounds and does not overlap; None where the song has none."""
        source = self.pool[passage.source]
        stems = self.pool.companions(source.track, source.prompt)
        for _ in range(MAX_REDRAWS):
            chosen = stems[self.dice.integer(len(stems))]
            start, stop = chosen.spans[self.dice.integer(len(chosen.spans))]
            found = self._within(chosen, start, stop)
            apart = found.start >= passage.start + passage.n_samples or found.start + found.n_samples <= passage.start
            samples = read_stereo(chosen, found.start, found.start + found.n_samples)
            if (apart or chosen.name != source.name) and _level_db(samples) > self.settings.floor_db:
                return found
        return None

    def _within(self, source: Source, start: int, stop: int) -> PassageDraw:
        n_samples = min(self.settings.n_samples, stop - start)
        begin = start + self.dice.integer(stop - start - n_samples + 1)
        return self._placed(source, begin, n_samples, self.dice.integer(self.settings.n_samples - n_samples + 1))

    def _placed(self, source: Source, start: int, n_samples: int, offset: int) -> PassageDraw:
        gain_db = self.dice.between(*self.settings.gain_db)
        place = self.dice.uniform()
        return PassageDraw(
            source.name, start, n_samples, offset, gain_db, place, self.dice.chance(self.settings.p_swap)
        )


class StemMix(NamedTuple):
    """A mixture ``[2, N]``, its targets ``[S, 2, N]``, their labels, and their queries ``[S, 2, N]``."""

    mixture: Tensor
    references: Tensor
    labels: tuple[str, ...]
    queries: Tensor


def apply_stems(draw: StemMixDraw, pool: SourcePool, settings: StemSettings) -> StemMix:
    """Make the mixture that was drawn.

    Raises:
        DatasetError: if the draw was made from a pool with other sources, or one cannot be read.
    """
    gain = 10 ** (draw.volume_db / 20)
    stems = torch.stack([_window(passage, pool, settings) for passage in draw.stems]) * gain
    references = stems[list(draw.targets)]
    queries = references.clone()
    for index, passage in enumerate(draw.queries):
        if passage is not None:
            queries[index] = repeat_sound(_window(passage, pool, settings)) * gain
    labels = tuple(settings.labels[target] for target in draw.targets)
    return StemMix(stems.sum(dim=0), references, labels, queries)


def _window(passage: PassageDraw | None, pool: SourcePool, settings: StemSettings) -> Tensor:
    window = torch.zeros(2, settings.n_samples)
    if passage is None:
        return window
    samples = read_stereo(pool[passage.source], passage.start, passage.start + passage.n_samples, place=passage.place)
    if passage.swapped:
        samples = samples[::-1]
    level = _level_db(samples) if settings.level_db is not None else 0.0
    gain_db = passage.gain_db
    if settings.level_db is not None and level > settings.floor_db:
        gain_db += settings.level_db - level
    scaled = samples * np.float32(10 ** (gain_db / 20))
    window[:, passage.offset : passage.offset + passage.n_samples] = torch.from_numpy(scaled)
    return window


def read_stereo(source: Source, start: int, stop: int, *, place: float = 0.5) -> Samples:
    """Return samples from start to stop, ``[2, stop - start]``.

    Two channels come as they are; one channel is placed between left (0) and right (1) so that its power is the same
    everywhere; of more than two the first two are taken.
    """
    left = source.read(start, stop, 0)
    if source.n_channels > 1:
        return np.stack([left, source.read(start, stop, 1)])
    angle = place * pi / 2
    return np.stack([left * np.float32(cos(angle)), left * np.float32(sin(angle))])


def repeat_sound(samples: Tensor) -> Tensor:
    """Cut off silence at both ends of ``[C, N]`` and repeat what is left to the same length; all silence stays.

    Example:
        >>> repeat_sound(torch.tensor([[0.0, 1.0, 2.0, 0.0, 0.0]]))
        tensor([[1., 2., 1., 2., 1.]])
    """
    n_samples = samples.shape[-1]
    peaks = samples.abs().amax(dim=0)
    sounding = torch.nonzero(peaks > peaks.max() * 10 ** (TRIM_DB / 20))
    if len(sounding) == 0:
        return samples
    trimmed = samples[:, int(sounding[0]) : int(sounding[-1]) + 1]
    return trimmed.repeat(1, -(-n_samples // trimmed.shape[-1]))[:, :n_samples]


def _level_db(samples: Samples) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float32)))
    return 10 * float(np.log10(power + 1e-20))
