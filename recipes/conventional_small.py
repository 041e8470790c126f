"""The baseline of tuss-small: no prompts, four outputs in no order; data, steps and size of tuss_small_plain."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import load_recipe
from unbraid.training.tuss_step import TussStep, by_permutation

PLAIN = load_recipe(Path(__file__).with_name("tuss_small_plain.py"))
STEP = TussStep(matching=by_permutation)

recipe = replace(PLAIN, model=partial(Tuss, PRESETS["conventional-small-4"]), loss=STEP.loss)
