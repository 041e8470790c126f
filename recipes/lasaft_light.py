"""lasaft-light-16, the one that ships: composed music and the stems of a few open songs, under an hour on one CPU core.

    UNBRAID_MINUTES=40 unbraid train recipes/lasaft_light.py

Packs are made by recipes/packs/make_stereo_packs.py and looked for in the folder UNBRAID_PACKS (default `packs`). What
differs from the published training is there because data and time are short: fewer and narrower convolutions (16
features fill the processor's vectors, 20 leave a third of them empty), windows brought to one level, of half the
length, one at a time, of which two stems are asked for, at drawn levels, at times from one song, exchanged channels,
absent stems with an estimate of presence, errors in relation to the mixture's energy, a learning rate that warms up and
decays, and a moving average. Without the level, 100 seconds of training on one core end 3 dB further below the mixture.
"""

import os
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.pack import read_pack
from unbraid.datasets.song_windows import SongWindows
from unbraid.datasets.stem_mixing import StemSettings, StemTrainingSet
from unbraid.datasets.track import SourcePool
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.lasaft_step import LasaftStep
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Decay, Schedule, cosine

CONFIG = PRESETS["lasaft-light-16"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
MINUTES = float(os.environ.get("UNBRAID_MINUTES", "40"))
MIXTURES = StemSettings(
    sample_rate=CONFIG.sample_rate,
    n_samples=63 * CONFIG.hop_length,  # 64 frames
    n_targets=2,
    p_absent=0.3,
    p_coherent=0.5,
    level_db=-25.0,
    gain_db=(-6.0, 4.0),
    p_swap=0.5,
)
REAL_SONGS = {"stereo_recordings/multitrack": 4.0, "stereo_recordings/singing": 4.0}  # few beside composed ones
STEP = LasaftStep(relative=True, presence_weight=0.1)


@cache
def pools() -> tuple[SourcePool, SourcePool]:
    """Return the sources to train with and those to validate with."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    return SourcePool((source for pack in packs for source in read_pack(pack)), weights=REAL_SONGS).split(0.1)


def validation() -> dict[str, list[object]]:
    """Return one window of every held-out song that has at least three stems."""
    layout = replace(MIXTURES, n_samples=2 * MIXTURES.n_samples + 1024)
    windows = SongWindows(pools()[1], layout, per_song=1, min_labels=3)
    return {"songs": list(windows)}


recipe = Recipe(
    model=partial(Lasaft, CONFIG),
    batches=lambda: StemTrainingSet(pools()[0], MIXTURES, batch_size=1, seed=7),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    optimizer=AdamW(weight_decay=0.0),
    schedule=Schedule(peak=5e-3, warmup_steps=50, decay=Decay(cosine, minutes=MINUTES, hold=0.3)),
    average=0.998,
    validation=Validation(validation, STEP.score),
    epoch_steps=1000,
    keep_every=None,
    log_steps=100,
)
