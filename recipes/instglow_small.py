"""A small prior of InstGlow, the size that ships: minutes on one CPU core.

    unbraid train recipes/instglow_small.py --source guitar --data FOLDER

Beyond the published training, batches hold short parts of the clips, at gains of their own, for in a mixture a source
may be louder or quieter than in its recordings; the learning rate is higher and falls to zero with the steps (--steps,
or UNBRAID_STEPS), and the weights that count are a moving average.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.solo_clips import Clip, ClipSettings, HeldOutClips, SoloClips, open_solos, split_clips
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.training.instglow_step import PriorStep
from unbraid.training.recipe import Recipe, Validation, load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine

BASE = load_recipe(Path(__file__).with_name("instglow.py"), settings={"source": "none"})
STEPS = int(os.environ.get("UNBRAID_STEPS", "4000"))
SETTINGS = ClipSettings(shortest=1.5, crop=1.5, gain_db=(-6.0, 3.0))
STEP = PriorStep(n_batches=32)


@cache
def clips(source: str, data: tuple[Path, ...]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return the clips to train with and those to validate with."""
    return split_clips(open_solos(data, source=source, settings=SETTINGS), SETTINGS)


def recipe(*, source: str, data: Sequence[Path] = ()) -> Recipe:
    """Return the training of the prior of one source; without data it can only be exported."""
    found = partial(clips, source, tuple(data))
    return replace(
        BASE,
        model=partial(Instglow, InstglowConfig(names=(source,), priors=(PRIORS["small"],))),
        batches=lambda: SoloClips(found()[0], SETTINGS, batch_size=8),
        prepare=STEP.prepare,
        card={"source": source, "training_data": [path.name for path in data]},
        steps=STEPS,
        schedule=Schedule(peak=1e-3, warmup_steps=100, decay=Decay(cosine, steps=STEPS, hold=0.2)),
        average=0.998,
        validation=Validation(lambda: {"clips": HeldOutClips(found()[1], SETTINGS)}, STEP.score),
        epoch_steps=500,
        n_workers=0,
    )
