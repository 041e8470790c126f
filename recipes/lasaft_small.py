"""lasaft-small as published: query and keys listen; 400 epochs of the training songs, eight stems in a step.

    unbraid train recipes/lasaft_small.py --device cuda

Packs of whole songs (``PackSettings(sample_rate=44100, channel=ChannelChoice.RANDOM, activity=None)``) are looked for
in the folder UNBRAID_PACKS (default `packs`); a seventh of the songs is held out. The published network was trained in
half precision, here it is bfloat16.

Source: Choi et al., "LaSAFT-Net", JAES 70(9), 2022, and its published configuration.
"""

import os
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.pack import read_pack
from unbraid.datasets.song_windows import SongWindows
from unbraid.datasets.stem_mixing import StemTrainingSet
from unbraid.datasets.track import SourcePool
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.lasaft_step import LasaftStep
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Schedule
from unbraid.training.stopping import Patience

CONFIG = PRESETS["lasaft-small"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
EPOCH_STEPS = 3230  # one epoch of 86 songs; the validation comes every ten
STEP = LasaftStep()


@cache
def pools() -> tuple[SourcePool, SourcePool]:
    """Return the sources to train with and those to validate with."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    return SourcePool(source for pack in packs for source in read_pack(pack)).split(0.14)


recipe = Recipe(
    model=partial(Lasaft, CONFIG),
    batches=lambda: StemTrainingSet(pools()[0], batch_size=8, seed=2021),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=400 * EPOCH_STEPS,
    optimizer=AdamW(weight_decay=0.0),  # which is Adam
    schedule=Schedule(peak=5e-4, warmup_steps=0),
    clip=float("inf"),
    validation=Validation(lambda: {"songs": SongWindows(pools()[1])}, STEP.score),
    patience=Patience(epochs=300, min_delta=0.05),  # of the validation: never over within 400 epochs
    epoch_steps=10 * EPOCH_STEPS,
    keep_every=None,
    seed=2021,
    n_workers=8,
)
