"""few-shot with five positive and five negative examples, as published; everything else as in few_shot.py.

One target in ten has no negative examples, so that the network serves without them too; this is an addition.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.datasets.episode_draws import EpisodeSettings
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.training.recipe import Validation, load_recipe

BASE = load_recipe(Path(__file__).with_name("few_shot.py"))
EPISODES = EpisodeSettings(n_negative=(5, 5), p_without_negative=0.1)

assert BASE.validation is not None
recipe = replace(
    BASE,
    model=partial(FilmUnet, PRESETS["few-shot-negatives"]),
    batches=partial(BASE.batches.func, EPISODES),
    validation=Validation(partial(BASE.validation.datasets.func, EPISODES), BASE.validation.score),
)
