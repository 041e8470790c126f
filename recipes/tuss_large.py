"""tuss-large as published: tuss_medium.py with the larger network, half the batch, and a larger epsilon.

unbraid train recipes/tuss_large.py --processes 4 --device cuda
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import AdamW, load_recipe

MEDIUM = load_recipe(Path(__file__).with_name("tuss_medium.py"))

recipe = replace(
    MEDIUM,
    model=partial(Tuss, PRESETS["tuss-large"]),
    batches=lambda: replace(MEDIUM.batches(), batch_size=2),
    optimizer=AdamW(eps=1e-4),
)
