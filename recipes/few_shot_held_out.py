"""few-shot that never sees vocals, drums or bass as targets, only in mixtures: how well does it separate them?

UNBRAID_BASE=few_shot_classes holds the same classes out of the baseline.
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.guides.vocabulary import INSTRUMENT_CLASSES
from unbraid.training.recipe import Validation, load_recipe

BASE = load_recipe(Path(__file__).with_name(f"{os.environ.get('UNBRAID_BASE', 'few_shot')}.py"))
HELD_OUT = ("vocals", "drums", "bass")
SEEN = tuple(label for label in INSTRUMENT_CLASSES if label not in HELD_OUT)
(EPISODES,) = BASE.batches.args

assert BASE.validation is not None
recipe = replace(
    BASE,
    batches=partial(BASE.batches.func, replace(EPISODES, targets=SEEN)),
    validation=Validation(
        partial(BASE.validation.datasets.func, replace(EPISODES, targets=SEEN)), BASE.validation.score
    ),
)
