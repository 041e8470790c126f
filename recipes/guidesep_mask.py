"""The mask prediction that guidesep was compared with: the same network, mixtures and steps.

    unbraid train recipes/guidesep_mask.py --device cuda

Everything else is as in recipes/guidesep.py; the mixture is never left out.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.training.recipe import load_recipe

BASE = load_recipe(Path(__file__).with_name("guidesep.py"))
CONFIG = PRESETS["guidesep-mask"]

recipe = replace(BASE, model=partial(Guidesep, CONFIG))
