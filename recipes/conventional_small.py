"""The baseline of tuss-small: no prompts, four outputs in no order; same data, steps and size.

unbraid train recipes/conventional_small.py --resume
"""

import os
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Validation, load_recipe
from unbraid.training.tuss_step import TussStep, by_permutation

SMALL = load_recipe(Path(__file__).with_name("tuss_small.py"))
CONFIG = PRESETS["conventional-small-4"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
MIXTURES = MixSettings(CONFIG.sample_rate, CONFIG.segment, p_coherent=0.5, p_match_rates=0.6)
STEP = TussStep(matching=by_permutation)


@cache
def pools() -> tuple[SourcePool, SourcePool]:
    """Return the sources to train with and those to validate with."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    return SourcePool(source for pack in packs for source in read_pack(pack)).split(0.05)


def validation() -> dict[str, list[object]]:
    """Return 16 batches of held-out sources, the same in every epoch."""
    held_out = TrainingSet(pools()[1], MIXTURES, batch_size=4, seed=1)
    return {"held-out": [held_out[index] for index in range(16)]}


recipe = replace(
    SMALL,
    model=partial(Tuss, CONFIG),
    batches=lambda: TrainingSet(pools()[0], MIXTURES, batch_size=4, seed=7),
    loss=STEP.loss,
    validation=Validation(validation, STEP.score),
)
