"""tuss-medium as published, on packs of the data sets of the paper: 375 000 steps of two times four mixtures.

    unbraid train recipes/tuss_medium.py --processes 2 --device cuda

Packs are made by the commands in docs/data.md and looked for in the folder UNBRAID_PACKS (default `packs`).
Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025.
"""

import os
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Recipe, Validation
from unbraid.training.schedule import Plateau, Schedule
from unbraid.training.tuss_step import TussStep

CONFIG = PRESETS["tuss-medium"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
MIXTURES = MixSettings(sample_rate=CONFIG.sample_rate, duration=CONFIG.segment)
STEP = TussStep()


@cache
def pools() -> tuple[SourcePool, SourcePool]:
    """Return the sources to train with and those to validate with."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    return SourcePool(source for pack in packs for source in read_pack(pack)).split(0.05)


def validation() -> dict[str, list[object]]:
    """Return 200 mixtures of held-out sources, the same in every epoch."""
    held_out = TrainingSet(pools()[1], MIXTURES, batch_size=4, seed=1)
    return {"held-out": [held_out[index] for index in range(50)]}


recipe = Recipe(
    model=partial(Tuss, CONFIG),
    batches=lambda: TrainingSet(pools()[0], MIXTURES, batch_size=4, seed=20240618),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=375_000,
    schedule=Schedule(peak=1e-3, warmup_steps=10_000, plateau=Plateau(factor=0.5, patience=5, keep_epochs=75)),
    validation=Validation(validation, STEP.score),
    epoch_steps=2500,
    n_workers=8,
)
