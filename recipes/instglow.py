"""A prior of InstGlow as published: for a GPU.

    unbraid train recipes/instglow.py --source guitar --data FOLDER

FOLDER holds recordings of the source alone, in any layout; or packs, of which the stems of the source are taken. The
paper trains for 1000 epochs; --steps chooses another length than the 100 000 steps here. The published code cuts clips
of 7 to 10 seconds (``SECONDS``), the paper speaks of 5. Unlike the published training, the first scales are those of a
large batch, and arithmetic is in 32 bits.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, and its published configuration.
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.solo_clips import Clip, ClipSettings, HeldOutClips, SoloClips, open_solos, split_clips
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.training.instglow_step import PriorStep
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Schedule, Staircase

SECONDS = (5.0, 5.0)
SETTINGS = ClipSettings(seconds=SECONDS)
STEP = PriorStep()
BATCH = 32


@cache
def clips(source: str, data: tuple[Path, ...]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return the clips to train with and those to validate with."""
    return split_clips(open_solos(data, source=source, settings=SETTINGS), SETTINGS)


def recipe(*, source: str, data: Sequence[Path] = ()) -> Recipe:
    """Return the training of the prior of one source; without data it can only be exported."""
    found = partial(clips, source, tuple(data))
    return Recipe(
        model=partial(Instglow, InstglowConfig(names=(source,), priors=(PRIORS["published"],))),
        batches=lambda: SoloClips(found()[0], SETTINGS, batch_size=BATCH),
        prepare=STEP.prepare,
        card={"source": source, "training_data": [path.name for path in data]},
        loss=STEP.loss,
        sample_rate=SETTINGS.sample_rate,
        steps=100_000,
        optimizer=AdamW(weight_decay=0.0),  # which is Adam
        schedule=Schedule(peak=1e-4, warmup_steps=0, staircase=Staircase(factor=0.3, steps=80_000)),
        clip=4.0,
        validation=Validation(lambda: {"clips": HeldOutClips(found()[1], SETTINGS)}, STEP.score),
        epoch_steps=1000,
        n_best=1,
        keep_every=None,
        precision="fp32",
        seed=1234,
        n_workers=2,
    )
