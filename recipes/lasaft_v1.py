"""LaSAFT of 2021 as published: every block is told the query, the frequency blocks are heavy, the rate drops.

    unbraid train recipes/lasaft_v1.py --device cuda

UNBRAID_PRESET chooses the network: lasaft-v1-small (default), lasaft-v1-large, lightsaft-v1-small, lightsaft-v1-large.
Every epoch is validated, so that the published patience ends the run 300 epochs after the last improvement of 0.05.
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Plateau, Schedule

SMALL = load_recipe(Path(__file__).with_name("lasaft_small.py"))
PRESET = os.environ.get("UNBRAID_PRESET", "lasaft-v1-small")

recipe = replace(
    SMALL,
    model=partial(Lasaft, PRESETS[PRESET]),
    schedule=Schedule(peak=1e-3, warmup_steps=0, plateau=Plateau(factor=0.5, patience=50, keep_epochs=-1)),
    epoch_steps=SMALL.epoch_steps // 10,
)
