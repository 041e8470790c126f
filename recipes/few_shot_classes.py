"""The baseline of few-shot: the same U-Net and data, told a class instead of examples (one-hot)."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.training.film_unet_step import FilmUnetStep, by_class
from unbraid.training.recipe import Validation, load_recipe

BASE = load_recipe(Path(__file__).with_name("few_shot.py"))
STEP = FilmUnetStep(by_class)

assert BASE.validation is not None
recipe = replace(
    BASE,
    model=partial(FilmUnet, PRESETS["film-unet-classes"]),
    loss=STEP.loss,
    validation=Validation(BASE.validation.datasets, STEP.score),
)
