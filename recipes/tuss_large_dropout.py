"""Fine-tune tuss-large with prompt dropout, so that single prompts work: 26 epochs, as published.

    unbraid train recipes/tuss_large.py ...
    unbraid train recipes/tuss_large_dropout.py --processes 4 --device cuda

It starts from the mean of the best epochs of the run in the folder UNBRAID_START (default `runs/tuss_large`).
"""

import os
from dataclasses import replace
from pathlib import Path

from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.averaging import mean_weights
from unbraid.training.checkpoints import best_files
from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Schedule

LARGE = load_recipe(Path(__file__).with_name("tuss_large.py"))
START = Path(os.environ.get("UNBRAID_START", "runs/tuss_large"))


def model() -> Tuss:
    """Return the network to start from."""
    network = Tuss(PRESETS["tuss-large"])
    network.load_state_dict(mean_weights(best_files(START)))
    return network


def batches() -> object:
    """Return the mixtures of tuss-large, of which a quarter loses prompts."""
    full = LARGE.batches()
    return replace(full, settings=replace(full.settings, p_dropout=0.25))


recipe = replace(
    LARGE, model=model, batches=batches, steps=26 * LARGE.epoch_steps, schedule=Schedule(peak=1.25e-4, warmup_steps=0)
)
