"""tuss-small with prompt dropout and absent prompts, at the steps and learning rate of tuss_small_plain."""

from dataclasses import replace
from pathlib import Path

from unbraid.training.recipe import load_recipe

SMALL = load_recipe(Path(__file__).with_name("tuss_small.py"))
PLAIN = load_recipe(Path(__file__).with_name("tuss_small_plain.py"))

recipe = replace(SMALL, schedule=PLAIN.schedule, validation=None, average=None)
