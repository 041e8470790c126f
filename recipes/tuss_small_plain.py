"""tuss-small as published, without dropout and absent prompts: what prompt dropout is measured against.

unbraid train recipes/tuss_small_plain.py --resume
"""

from dataclasses import replace
from pathlib import Path

from unbraid.datasets.draws import MixSettings
from unbraid.training.recipe import load_recipe
from unbraid.training.tuss_step import TussStep

SMALL = load_recipe(Path(__file__).with_name("tuss_small.py"))
STEP = TussStep()


def plain(settings: MixSettings) -> MixSettings:
    """Ask for everything that sounds, and for nothing else."""
    return replace(settings, p_dropout=0.0, p_absent=0.0)


def batches() -> object:
    """Return the mixtures of tuss-small, with all their prompts."""
    full = SMALL.batches()
    return replace(full, settings=plain(full.settings))


recipe = replace(SMALL, batches=batches, loss=STEP.loss)
