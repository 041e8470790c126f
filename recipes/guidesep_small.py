"""guidesep-small, the model that ships: on one CPU core, in less than an hour.

    UNBRAID_PACKS=packs UNBRAID_MINUTES=50 unbraid train recipes/guidesep_small.py

Beyond the paper, targets rest for a part of the window or for all of it, backgrounds may be the rest of the same song,
mimicry comes early or late and has another color and course, voices are targets too, and half of the imitations are
voices. The learning rate follows the clock, UNBRAID_MINUTES (default 50), or the steps, UNBRAID_STEPS, so that two
runs see the same.
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.audio.mel import mel_filter_bank
from unbraid.datasets.guided_draws import GuidedSettings
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.models.guidesep_network import GuidesepConfig
from unbraid.training.guidesep_step import GuidesepStep
from unbraid.training.recipe import Validation, load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine

BASE = load_recipe(Path(__file__).with_name("guidesep.py"))
CONFIG = PRESETS["guidesep-small"]
MINUTES = float(os.environ.get("UNBRAID_MINUTES", "50"))
STEPS = os.environ.get("UNBRAID_STEPS")
BATCH = 4
WEIGHTS = {"recorded_train": 2.0}
SETTINGS = GuidedSettings(
    n_background=(1, 5),
    p_same_song=0.3,
    p_rest=0.15,
    p_silent=0.05,
    max_shift=0.15,
    max_tilt_db=4.0,
    max_swell_db=8.0,
)
LENGTH = Decay(cosine, steps=int(STEPS), hold=0.2) if STEPS else Decay(cosine, minutes=MINUTES, hold=0.2)
STEP = GuidesepStep()


def model(config: GuidesepConfig) -> Guidesep:
    """Return a network that begins by spreading masks over the bins that their bands have."""
    network = Guidesep(config)
    bank = mel_filter_bank(sample_rate=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels, scale="htk")
    network.projection.begin_as_bands(bank)
    return network


def batches() -> object:
    """Return the training data."""
    return replace(BASE.batches.func(SETTINGS, batch_size=BATCH), weights=WEIGHTS)


def validation() -> dict[str, list[object]]:
    """Return held-out mixtures: half with backgrounds from other tracks, half of the same song."""
    plain = BASE.validation.datasets.func(GuidedSettings())["windows"]
    songs = BASE.validation.datasets.func(GuidedSettings(p_same_song=1.0))["windows"]
    return {"windows": plain[:2], "songs": songs[:2]}


recipe = replace(
    BASE,
    model=partial(model, CONFIG),
    batches=batches,
    loss=STEP.loss,
    steps=None,
    schedule=Schedule(peak=1e-3, warmup_steps=100, decay=LENGTH),
    average=0.998,
    validation=Validation(validation, STEP.score),
    epoch_steps=1000,
    n_workers=0,
    log_steps=50,
)
