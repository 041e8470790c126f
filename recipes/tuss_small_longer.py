"""tuss-small, trained further: from the weights UNBRAID_INITIAL (a name or a file), on new draws, to a new decay.

The rest is tuss_small.py: the same sources, mixtures, loss and validation.
"""

import os
from dataclasses import replace
from pathlib import Path

from unbraid.datasets.training_set import TrainingSet
from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine
from unbraid.zoo import load_model

MINUTES = float(os.environ.get("UNBRAID_MINUTES", "60"))
SEED = int(os.environ.get("UNBRAID_SEED", "8"))
INITIAL = os.environ.get("UNBRAID_INITIAL", "tuss-small")
BASE = load_recipe(Path(__file__).with_name("tuss_small.py"))


def _batches() -> TrainingSet:
    return replace(BASE.batches(), seed=SEED)


recipe = replace(
    BASE,
    model=lambda: load_model(INITIAL).train(),
    batches=_batches,
    schedule=Schedule(peak=1.2e-3, warmup_steps=100, decay=Decay(cosine, minutes=MINUTES, hold=0.4)),
)
