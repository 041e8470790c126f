"""few-shot-small, the model that ships: up to three examples of the target and of what it is not, on one CPU core.

    UNBRAID_PACKS=packs UNBRAID_MINUTES=40 unbraid train recipes/few_shot_small.py

Beyond the paper, several targets of a mixture share their examples, some targets do not sound at all, instruments of
one class may be different targets, examples may be of another track or have another instrument in them, and levels
vary. The learning rate follows the clock: UNBRAID_MINUTES (default 40).
"""

import os
from dataclasses import replace
from pathlib import Path

import torch

from unbraid.datasets.episode_draws import EpisodeSettings
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.training.film_unet_step import FilmUnetStep
from unbraid.training.recipe import AdamW, Validation, load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine

BASE = load_recipe(Path(__file__).with_name("few_shot.py"))
CONFIG = PRESETS["few-shot-small"]
MINUTES = float(os.environ.get("UNBRAID_MINUTES", "40"))
EPISODES = EpisodeSettings(
    n_positive=(1, 3),
    n_negative=(1, 3),
    n_targets=4,
    p_mixed=0.15,
    p_absent=0.12,
    p_apart=0.5,
    p_other_track=0.1,
    p_without_negative=0.3,
    volume_db=(-12.0, 3.0),
    example_gain_db=(-6.0, 6.0),
)
WEIGHTS = {"real": 0.5, "synth": 1.5}  # there are few recorded songs
SIMPLE = replace(EPISODES, p_mixed=0.0, p_other_track=0.0, n_positive=(3, 3), n_negative=(3, 3))
STEP = FilmUnetStep()


def model() -> FilmUnet:
    """Return the network with its weights laid out as convolutions on a CPU like them."""
    return FilmUnet(CONFIG).to(memory_format=torch.channels_last)


def batches() -> object:
    """Return the training data, eight targets in a batch."""
    return replace(BASE.batches.func(EPISODES), batch_size=8, weights=WEIGHTS)


def validation() -> dict[str, list[object]]:
    """Return a few batches of each held-out data set."""
    return {name: found[:4] for name, found in BASE.validation.datasets.func(SIMPLE).items()}


recipe = replace(
    BASE,
    model=model,
    batches=batches,
    loss=STEP.loss,
    steps=None,
    optimizer=AdamW(weight_decay=1e-2),
    schedule=Schedule(peak=1.5e-3, warmup_steps=100, decay=Decay(cosine, minutes=MINUTES, hold=0.2)),
    clip=5.0,
    average=0.999,
    validation=Validation(validation, STEP.score),
    patience=None,
    epoch_steps=250,
    n_best=3,
    precision="bf16",
    n_workers=0,
    log_steps=25,
)
