"""tuss-small, the model that ships: real recordings and composed music, two hours on two CPU cores.

Packs are made by the commands in docs/data.md and looked for in the folder UNBRAID_PACKS (default `packs`).
"""

import os
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Recipe, Validation
from unbraid.training.schedule import Decay, Schedule, cosine
from unbraid.training.tuss_step import TussStep

CONFIG = PRESETS["tuss-small"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
MINUTES = float(os.environ.get("UNBRAID_MINUTES", "100"))
MIXTURES = MixSettings(
    sample_rate=CONFIG.sample_rate,
    duration=CONFIG.segment,
    p_dropout=0.2,
    p_absent=0.3,
    p_coherent=0.5,
    p_match_rates=0.6,
)
REAL_VOICES = {"pack_recordings/multitrack": 6.0, "pack_recordings/singing": 6.0}  # few beside composed ones
STEP = TussStep(presence_weight=2.0, relative_silence=True)


@cache
def pools() -> tuple[SourcePool, SourcePool]:
    """Return the sources to train with and those to validate with."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    sources = [source for pack in packs for source in read_pack(pack)]
    return SourcePool(sources, weights=REAL_VOICES).split(0.1)


def validation() -> dict[str, list[object]]:
    """Return 16 batches of held-out sources, the same in every epoch."""
    held_out = TrainingSet(pools()[1], MIXTURES, batch_size=4, seed=1)
    return {"held-out": [held_out[index] for index in range(16)]}


recipe = Recipe(
    model=partial(Tuss, CONFIG),
    batches=lambda: TrainingSet(pools()[0], MIXTURES, batch_size=4, seed=7),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    schedule=Schedule(peak=1.5e-3, warmup_steps=300, decay=Decay(cosine, minutes=MINUTES, hold=0.3)),
    average=0.999,
    validation=Validation(validation, STEP.score),
    epoch_steps=500,
    keep_every=1,
    compile=os.environ.get("UNBRAID_COMPILE", "0") == "1",
    log_steps=50,
)
