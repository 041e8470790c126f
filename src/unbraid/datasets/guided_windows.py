"""Mixtures that are asked for by mimicry and masks; batch k depends on the seed and k alone.

Axes: B mixtures, N samples, K mel bands, T frames.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.datasets.guided_draws import NORMAL_DB, Balance, GuidedDraw, GuidedSettings, Passage
from unbraid.datasets.guided_packs import Melody
from unbraid.datasets.track import Samples, Source
from unbraid.errors import DatasetError
from unbraid.guides.mask_draws import draw_mask, simulate_mask
from unbraid.guides.mask_grid import SAMPLE_RATE, hear_mel
from unbraid.guides.render import amplitude_entropy

MAX_REDRAWS = 50
SHORTEST_REST, LONGEST_REST = 0.15, 0.8  # of the window
FADE = 320  # samples: 20 ms around a rest
TILT_CENTER, TILT_RANGE = 1000.0, 4.0  # hertz; octaves to either side in which the color is tilted
TINY = 1e-10


class GuidedBatch(NamedTuple):
    """Mixtures and what points at their targets.

    ``mixture``, ``references`` and ``mimicry`` are ``[B, N]`` with a peak of 1 each, or zeros where the target rests
    all the time; ``positive`` and ``negative`` are masks ``[B, K, T]``; ``groups`` are those of the targets. A
    reference times its ``gain`` ``[B]`` is as loud as in the mixture.
    """

    mixture: Tensor
    references: Tensor
    mimicry: Tensor
    positive: Tensor
    negative: Tensor
    gain: Tensor
    groups: list[str]


@dataclass(frozen=True)
class GuidedSet:
    """Batches by their number, made when they are asked for.

    A target is a window of a stem of a track, all drawn uniformly. The background comes from other tracks.

    Args:
        melodies: the stems that can be targets.
        sources: what sounds in backgrounds.
        settings: how mixtures are drawn.
        batch_size: mixtures in a batch.
        seed: another one gives other batches.
        weights: how often a track is drawn, relative to others, by the beginning of its name; 1 where none fits.

    Raises:
        DatasetError: if there is no melody or nothing else to mix it with, something is at another rate, or two
            sources share a name.
    """

    melodies: Sequence[Melody]
    sources: Sequence[Source]
    settings: GuidedSettings = field(default_factory=GuidedSettings)
    batch_size: int = 36
    seed: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.melodies:
            raise DatasetError("there is no melody: build a pack of melodies first")
        if len({source.track for source in self.sources}) < 2:
            raise DatasetError("the background needs sources of at least two tracks: add recordings")
        for source in self._by_name.values():
            if source.sample_rate != SAMPLE_RATE:
                raise DatasetError(f"source {source.name}: it is at {source.sample_rate} Hz: pack it at {SAMPLE_RATE}")
        if len({source.name for source in self.sources}) < len(self.sources):
            raise DatasetError("two sources have the same name: give their packs different names")

    @cached_property
    def _by_name(self) -> dict[str, Source]:
        mine = [one for melody in self.melodies for one in (melody.source, melody.mimicry)]
        return {source.name: source for source in (*self.sources, *mine)}

    @cached_property
    def _tracks(self) -> dict[str, list[Melody]]:
        tracks: dict[str, list[Melody]] = {}
        for melody in self.melodies:
            tracks.setdefault(melody.source.track, []).append(melody)
        return tracks

    @cached_property
    def _cumulative(self) -> list[float]:
        fitting = [[start for start in self.weights if track.startswith(start)] for track in self._tracks]
        return list(accumulate(self.weights[max(starts, key=len)] if starts else 1.0 for starts in fitting))

    @cached_property
    def _labels(self) -> dict[str, list[Source]]:
        labels: dict[str, list[Source]] = {}
        for source in self.sources:
            labels.setdefault(source.prompt, []).append(source)
        return labels

    def draw(self, step: int) -> tuple[GuidedDraw, ...]:
        """Return the draws of one batch.

        Raises:
            DatasetError: if the sources hardly sound, so that no background is found.
        """
        state = np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        return tuple(self._draw_one(generator) for _ in range(self.batch_size))

    def __getitem__(self, step: int) -> GuidedBatch:
        """Return one batch."""
        return self.apply(self.draw(step))

    def apply(self, draws: Sequence[GuidedDraw]) -> GuidedBatch:
        """Make the batch that was drawn.

        Raises:
            DatasetError: if the draws are of other sources, or one cannot be read.
        """
        made = [self._mix(draw) for draw in draws]
        mixture, references, mimicry, background = (
            torch.from_numpy(np.stack([getattr(one, name) for one in made]))
            for name in ("mixture", "target", "mimicry", "background")
        )
        pairs = ((hear_mel(references), "positive"), (hear_mel(background), "negative"))
        positive, negative = (
            torch.stack([simulate_mask(mel, getattr(draw, side)) for mel, draw in zip(mels, draws, strict=True)])
            for mels, side in pairs
        )
        gain = torch.tensor([one.gain for one in made])
        return GuidedBatch(mixture, references, mimicry, positive, negative, gain, [draw.group for draw in draws])

    def _draw_one(self, generator: torch.Generator) -> GuidedDraw:
        settings, positive, negative = self.settings, draw_mask(generator), draw_mask(generator, negative=True)
        dice = Dice(torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator))))
        melodies = list(self._tracks.values())[dice.weighted(self._cumulative)]
        melody = melodies[dice.integer(len(melodies))]
        window = melody.windows[dice.integer(len(melody.windows))]
        imitation = window.imitations[dice.integer(len(window.imitations))]
        together = dice.chance(settings.p_same_song)
        background = self._draw_rest_of_song(melody, window.start) if together else ()
        n_samples, which = settings.n_samples, dice.uniform()
        rest: tuple[int, int] | None = None
        if which < settings.p_silent:
            rest = (0, n_samples)
        elif which < settings.p_silent + settings.p_rest:
            length = dice.between(SHORTEST_REST, LONGEST_REST)
            start = dice.between(-length / 2, 1 - length / 2)
            rest = (max(0, round(start * n_samples)), min(n_samples, round((start + length) * n_samples)))
        return GuidedDraw(
            target=Passage(melody.source.name, window.start),
            mimicry=Passage(melody.mimicry.name, imitation.start),
            group=melody.group,
            background=background or self._draw_background(dice, melody.source.track),
            snr_db=self._draw_snr(dice),
            rest=rest,
            shift=round(dice.between(-settings.max_shift, settings.max_shift) * SAMPLE_RATE),
            tilt_db=dice.between(-settings.max_tilt_db, settings.max_tilt_db),
            swell_db=dice.between(-settings.max_swell_db, settings.max_swell_db),
            positive=positive,
            negative=negative,
        )

    def _draw_snr(self, dice: Dice) -> float | None:
        if self.settings.balance is Balance.PEAKS:
            return None
        if self.settings.balance is Balance.UNIFORM:
            return dice.between(*self.settings.snr_db)
        mean, spread, least = NORMAL_DB
        normal = sqrt(-2 * log(1 - dice.uniform())) * np.cos(2 * pi * dice.uniform())
        return max(least, mean + spread * float(normal))

    def _draw_background(self, dice: Dice, track: str) -> tuple[Passage, ...]:
        """Draw passages of sources of as many tracks, none of which is the target's."""
        low, high = self.settings.n_background
        wanted = low + dice.integer(high - low + 1)
        labels, tracks = sorted(self._labels), {track}
        found: list[Passage] = []
        for _ in range(MAX_REDRAWS * wanted):
            choices = self._labels[labels[dice.integer(len(labels))]]
            source = choices[dice.integer(len(choices))]
            span = source.spans[dice.integer(len(source.spans))]
            start = span[0] + dice.integer(max(1, span[1] - span[0] - self.settings.n_samples))
            passage = Passage(source.name, start)
            if source.track in tracks or amplitude_entropy(self._read(passage)) <= self.settings.min_entropy:
                continue
            found.append(passage)
            tracks.add(source.track)
            if len(found) == wanted:
                break
        if not found:
            raise DatasetError(f"{MAX_REDRAWS * wanted} draws found no background: the sources are too quiet")
        return tuple(found)

    def _draw_rest_of_song(self, melody: Melody, start: int) -> tuple[Passage, ...]:
        """Return the other stems of a song from the same moment on; none where they are silent."""
        others = [one for one in self._songs[melody.source.track] if one.name != melody.source.name]
        passages = tuple(Passage(one.name, start) for one in others if start < one.n_samples)
        total = sum((self._read(one) for one in passages), np.zeros(1, np.float32))
        return passages if amplitude_entropy(total) > self.settings.min_entropy else ()

    @cached_property
    def _songs(self) -> dict[str, list[Source]]:
        songs: dict[str, list[Source]] = {melody.source.track: [] for melody in self.melodies}
        for source in self.sources:
            if source.track in songs:
                songs[source.track].append(source)
        return songs

    def _mix(self, draw: GuidedDraw) -> Mixed:
        target = to_peak(self._read(draw.target))
        background = to_peak(np.sum([self._read(one) for one in draw.background], axis=0))
        if draw.snr_db is not None:
            ratio = float(np.square(target).sum() / max(float(np.square(background).sum()), TINY))
            background = background * np.float32(sqrt(ratio) * 10 ** (-draw.snr_db / 20))
        mimicry = self._read(draw.mimicry)
        if draw.rest is not None:
            gate = rest_gate(len(target), *draw.rest)
            target, mimicry = target * gate, mimicry * gate
        mixture = target + background
        mimicry = recolor(shift(mimicry, draw.shift), tilt_db=draw.tilt_db, swell_db=draw.swell_db)
        gain = float(np.abs(target).max()) / max(float(np.abs(mixture).max()), TINY)
        return Mixed(to_peak(mixture), to_peak(target), to_peak(mimicry), to_peak(background), gain)

    def _read(self, passage: Passage) -> Samples:
        """Read a passage, with zeros beyond the end of the source."""
        if passage.source not in self._by_name:
            raise DatasetError(f"there is no source called {passage.source}: the draw was made from other data")
        source, n_samples = self._by_name[passage.source], self.settings.n_samples
        samples = source.read(passage.start, min(passage.start + n_samples, source.n_samples))
        return np.pad(samples, (0, n_samples - len(samples)))


class Mixed(NamedTuple):
    """The parts of one mixture ``[N]``, each with a peak of 1, and how loud the target is in it."""

    mixture: Samples
    target: Samples
    mimicry: Samples
    background: Samples
    gain: float


def to_peak(samples: Samples) -> Samples:
    """Bring samples ``[N]`` to a peak of 1; silence stays silent.

    Example:
        >>> to_peak(np.array([0.0, -0.5], np.float32)).tolist()
        [0.0, -1.0]
    """
    return samples / np.float32(np.abs(samples).max(initial=0.0) + TINY)


def rest_gate(n_samples: int, start: int, stop: int) -> Samples:
    """Return gains ``[N]``: 0 from start to stop, and fades of 20 ms around, where there is a side that sounds.

    Example:
        >>> rest_gate(5, 2, 5).tolist()[2:]
        [0.0, 0.0, 0.0]
    """
    at = np.arange(n_samples, dtype=np.float32)
    before, behind = (start - at) / FADE, (at - stop + 1) / FADE
    return np.clip(np.maximum(before, behind), 0, 1)


def shift(samples: Samples, n_late: int) -> Samples:
    """Return samples ``[N]`` so many later, or earlier if negative; zeros come in.

    Example:
        >>> shift(np.array([1.0, 2.0, 3.0], np.float32), 1).tolist()
        [0.0, 1.0, 2.0]
    """
    moved = np.zeros_like(samples)
    if n_late >= 0:
        moved[n_late:] = samples[: len(samples) - n_late]
    else:
        moved[:n_late] = samples[-n_late:]
    return moved


def recolor(samples: Samples, *, tilt_db: float, swell_db: float) -> Samples:
    """Tilt the spectrum of samples ``[N]`` at 16 kHz around 1 kHz, and let them grow over time.

    Args:
        samples: to change.
        tilt_db: in dB per octave, within four octaves around 1 kHz.
        swell_db: from the first to the last sample.

    Example:
        >>> print(recolor(np.ones(3, np.float32), tilt_db=0.0, swell_db=20.0).round(2))
        [0.32 1.   3.16]
    """
    if tilt_db:
        hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
        octaves = np.clip(np.log2(np.maximum(hertz, 1.0) / TILT_CENTER), -TILT_RANGE, TILT_RANGE)
        samples = np.fft.irfft(np.fft.rfft(samples) * 10 ** (tilt_db * octaves / 20), len(samples)).astype(np.float32)
    if swell_db:
        slope = np.linspace(-swell_db / 2, swell_db / 2, len(samples), dtype=np.float32)
        samples = samples * 10 ** (slope / np.float32(20))
    return samples
