"""The mask-prediction twin of guidesep-small: a network of the same size, the same mixtures and steps.

    UNBRAID_PACKS=packs UNBRAID_STEPS=3000 unbraid train recipes/guidesep_mask_small.py

UNBRAID_STEPS is the number of steps that guidesep-small was trained for; everything else is as in
recipes/guidesep_small.py. The mixture is never left out.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.guidesep import PRESETS
from unbraid.training.recipe import load_recipe

BASE = load_recipe(Path(__file__).with_name("guidesep_small.py"))
CONFIG = PRESETS["guidesep-mask-small"]

recipe = replace(BASE, model=partial(BASE.model.func, CONFIG))
