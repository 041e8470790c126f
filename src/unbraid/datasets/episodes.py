"""Episodes of few-shot separation: mixtures, targets, and examples of them; batch k depends on the seed and k alone.

The defaults are those of the paper. Several targets of one mixture (whose examples are each other's negative ones, so
that each is embedded once), absent targets, instruments of one class kept apart, examples from other tracks and gains
are additions of this project.

Axes: M mixtures, B targets of all of them, E examples of all of them, N samples.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.datasets.episode_drawing import EpisodeDrawer
from unbraid.datasets.episode_draws import Chunk, EpisodeDraw, EpisodeSettings, Example, read_sum
from unbraid.datasets.multitracks import Ensembles
from unbraid.datasets.track import Samples, Source
from unbraid.errors import DatasetError

MAX_EPISODES = 200


class EpisodeBatch(NamedTuple):
    """B targets of M mixtures, and E examples that they share.

    ``mixture`` is ``[M, N]``, ``owner`` ``[B]`` the mixture of each target, ``references`` ``[B, N]`` what is to be
    heard (zeros where the target is absent), ``labels`` the B classes, ``examples`` ``[E, N]``. ``positive`` and
    ``negative`` ``[B, E]`` are the weights with which a target's examples make its mean: rows add up to 1, or to 0
    where there are none.
    """

    mixture: Tensor
    owner: Tensor
    references: Tensor
    labels: list[str]
    examples: Tensor
    positive: Tensor
    negative: Tensor


@dataclass(frozen=True)
class EpisodeSet:
    """Batches by their number, made when they are asked for.

    Args:
        datasets: of multitracks, by name.
        settings: how episodes are drawn.
        batch_size: targets in a batch.
        seed: another one gives other batches.
        weights: how often a data set is drawn, relative to others; 1 where nothing is said, as published.

    Raises:
        DatasetError: if there is no data set, a weight is not positive, a data set has no target or is at another
            rate, or two sources share a name.
    """

    datasets: Mapping[str, Ensembles]
    settings: EpisodeSettings = field(default_factory=EpisodeSettings)
    batch_size: int = 16
    seed: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.datasets:
            raise DatasetError("there is no data set: give at least one")
        if any(weight <= 0 for weight in self.weights.values()):
            raise DatasetError(f"weights of data sets are {dict(self.weights)}: give positive ones")
        for name, dataset in self.datasets.items():
            labels = {source.prompt for source in dataset.sources}
            if not labels & set(self.settings.targets):
                raise DatasetError(f"data set {name}: it has no class that may be a target: add recordings")
            rate = self.settings.sample_rate
            other = [source for source in dataset.sources if source.sample_rate != rate]
            if other:
                raise DatasetError(f"source {other[0].name}: it is at {other[0].sample_rate} Hz: pack it at {rate} Hz")
        if len(self._sources) < sum(len(dataset.sources) for dataset in self.datasets.values()):
            raise DatasetError("two sources have the same name: give their packs different names")

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {source.name: source for dataset in self.datasets.values() for source in dataset.sources}

    def draw(self, step: int) -> tuple[EpisodeDraw, ...]:
        """Return the draws of one batch.

        Raises:
            DatasetError: if the data sets hardly sound, so that no episode is found.
        """
        state = np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0]
        dice = Dice(torch.Generator().manual_seed(int(state >> np.uint64(1))))
        names = sorted(self.datasets)
        cumulative = list(accumulate(self.weights.get(name, 1.0) for name in names))
        episodes: list[EpisodeDraw] = []
        missing, tries = self.batch_size, 0
        while missing > 0:
            dataset = self.datasets[names[dice.weighted(cumulative)]]
            episode = EpisodeDrawer(dice, dataset, self.settings).draw(min(missing, self.settings.n_targets))
            tries += 1
            if episode is not None:
                episodes.append(episode)
                missing -= len(episode.targets)
            elif tries > MAX_EPISODES:
                raise DatasetError(f"{tries} draws found too few episodes: the tracks are too short or too quiet")
        return tuple(episodes)

    def __getitem__(self, step: int) -> EpisodeBatch:
        """Return one batch."""
        return self.apply(self.draw(step))

    def apply(self, draws: tuple[EpisodeDraw, ...]) -> EpisodeBatch:
        """Make the batch that was drawn.

        Raises:
            DatasetError: if the draws are of other data sets, or a source cannot be read.
        """
        mixtures: list[Samples] = []
        references: list[Samples] = []
        examples: list[Samples] = []
        labels: list[str] = []
        owner: list[int] = []
        n_targets, n_examples = sum(len(draw.targets) for draw in draws), sum(len(draw.examples) for draw in draws)
        positive, negative = torch.zeros(n_targets, n_examples), torch.zeros(n_targets, n_examples)
        for number, draw in enumerate(draws):
            volume = np.float32(10 ** (draw.volume_db / 20))
            parts = [self._read(chunk) * volume for chunk in draw.instruments]
            mixtures.append(np.sum(parts, axis=0))
            for target in draw.targets:
                row, first = len(labels), len(examples)
                labels.append(target.label)
                owner.append(number)
                references.append(np.zeros_like(parts[0]) if target.place is None else parts[target.place])
                for table, chosen in ((positive, target.positive), (negative, target.negative)):
                    for index in chosen:
                        table[row, first + index] += 1 / len(chosen)
            examples.extend(self._read_example(example) for example in draw.examples)
        return EpisodeBatch(
            torch.from_numpy(np.stack(mixtures)),
            torch.tensor(owner),
            torch.from_numpy(np.stack(references)),
            labels,
            torch.from_numpy(np.stack(examples)),
            positive,
            negative,
        )

    def _read_example(self, example: Example) -> Samples:
        samples = self._read(example.chunk)
        if example.companion is not None:
            samples = samples + self._read(example.companion)
        return samples * np.float32(10 ** (example.gain_db / 20))

    def _read(self, chunk: Chunk) -> Samples:
        try:
            sources = [self._sources[name] for name in chunk.sources]
        except KeyError as error:
            raise DatasetError(f"there is no source called {error}: the draw was made from other data") from None
        return read_sum(sources, chunk.start, self.settings.n_samples, gain_db=chunk.gain_db)
