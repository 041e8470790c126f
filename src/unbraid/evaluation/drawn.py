"""Items drawn from a pool of sources: mixtures as in training, of recordings that training has not seen."""

from __future__ import annotations

from functools import partial

from unbraid.datasets.draws import ChannelChoice, MixSettings
from unbraid.datasets.mixing import apply
from unbraid.datasets.prompt_chain import UNIFIED
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.evaluation.items import EvaluationItem, ItemSource, Reference

SAMPLE_RATE = 44100
DURATION = 6.0


def drawn_items(pool: SourcePool, *, count: int, seed: int) -> list[ItemSource]:
    """Draw mixtures of two to four prompts, after the published chain and gains.

    Item k depends on the pool, the seed and k alone, so that a larger count begins with the items of a smaller one.

    Args:
        pool: sources, of a split that no training has seen; prompts that it has no source of are not drawn.
        count: how many items.
        seed: another one gives other items.

    Raises:
        DatasetError: if the pool has too few prompts to mix.
    """
    groups = [name for name, rule in UNIFIED.groups.items() if pool.prompts & set(rule.parts)]
    chain = UNIFIED.only([name for name in UNIFIED.prompts if name in pool.prompts or name in groups])
    settings = MixSettings(sample_rate=SAMPLE_RATE, duration=DURATION, chain=chain, channel=ChannelChoice.FIRST)
    draws = TrainingSet(pool, settings, batch_size=1, seed=seed)
    names = [f"draw-{seed}-{step:05d}" for step in range(count)]
    return [ItemSource(name, partial(_read, draws, step, name)) for step, name in enumerate(names)]


def _read(draws: TrainingSet, step: int, name: str) -> EvaluationItem:
    """Make one item; its references say which recordings they were made of."""
    (draw,) = draws.draw(step)
    made = apply(draw, draws.pool)
    asked = [source for source in draw.sources if source.asked]
    references = tuple(
        Reference(source.prompt, samples[None], tuple(part.source for part in source.parts))
        for source, samples in zip(asked, made.references, strict=True)
    )
    return EvaluationItem(name, "drawn", draw.sample_rate, made.mixture[None], references)
