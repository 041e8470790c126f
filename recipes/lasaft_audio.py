"""LaSAFT told by a recording what to draw out: lasaft-audio, in the setting of lasaft_small.

    UNBRAID_QUERY=other unbraid train recipes/lasaft_audio.py --device cuda

UNBRAID_QUERY says what the network is asked with in training: "self" (default), the clean target itself as published;
"other", another passage of the same stem, cut free of silence: what a user has; or "both", either as often. It is
validated with other passages in any case.
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.datasets.stem_mixing import StemTrainingSet
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.lasaft_step import LasaftStep, by_recording
from unbraid.training.recipe import Validation, load_recipe
from unbraid.training.schedule import Schedule

SMALL = load_recipe(Path(__file__).with_name("lasaft_small.py"))
P_OTHER = {"self": 0.0, "both": 0.5, "other": 1.0}[os.environ.get("UNBRAID_QUERY", "self")]
CONFIG = PRESETS["lasaft-audio"]
STEP = LasaftStep(by_recording)


def batches(p_other: float = P_OTHER) -> StemTrainingSet:
    """Return the mixtures of lasaft-small, with recordings to ask with."""
    full = SMALL.batches()
    return replace(full, settings=replace(full.settings, p_other=p_other))


def validation() -> dict[str, list[object]]:
    """Return 64 batches of held-out songs, the same in every epoch."""
    asked = replace(batches(1.0), pool=SMALL.validation.datasets()["songs"].pool, seed=1)
    return {"held-out": [asked[index] for index in range(64)]}


recipe = replace(
    SMALL,
    model=partial(Lasaft, CONFIG),
    batches=batches,
    loss=STEP.loss,
    schedule=Schedule(peak=1e-3, warmup_steps=0),
    validation=Validation(validation, STEP.score),
)
