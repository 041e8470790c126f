"""lasaft-large as published: twice the bins, four levels, longer queries; two million steps of four times four stems.

    unbraid train recipes/lasaft_large.py --processes 4 --device cuda

Normalization layers see the four mixtures of their own process.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Schedule

SMALL = load_recipe(Path(__file__).with_name("lasaft_small.py"))

recipe = replace(
    SMALL,
    model=partial(Lasaft, PRESETS["lasaft-large"]),
    batches=lambda: replace(SMALL.batches(), batch_size=4),
    steps=2_000_000,
    schedule=Schedule(peak=1e-4, warmup_steps=0),
    epoch_steps=16_000,
)
