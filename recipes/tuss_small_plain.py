"""tuss-small as published, without dropout and absent prompts: what prompt dropout is measured against.

The learning rate follows the steps, so that runs of the three small recipes compare: UNBRAID_STEPS (default 4000).
"""

import os
from dataclasses import replace
from pathlib import Path

from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine
from unbraid.training.tuss_step import TussStep

SMALL = load_recipe(Path(__file__).with_name("tuss_small.py"))
STEPS = int(os.environ.get("UNBRAID_STEPS", "4000"))


def batches() -> object:
    """Return the mixtures of tuss-small, with a prompt for everything that sounds, and for nothing else."""
    full = SMALL.batches()
    return replace(full, settings=replace(full.settings, p_dropout=0.0, p_absent=0.0))


recipe = replace(
    SMALL,
    batches=batches,
    loss=TussStep().loss,
    schedule=Schedule(peak=1.5e-3, warmup_steps=100, decay=Decay(cosine, steps=STEPS, hold=0.3)),
    validation=None,
    average=None,
)
