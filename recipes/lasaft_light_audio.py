"""lasaft-light-16 told by a recording instead of a label: what a query net adds to it, on one CPU core.

    UNBRAID_QUERY=other UNBRAID_MINUTES=16 unbraid train recipes/lasaft_light_audio.py

All but the query net begins with the weights of lasaft-light-16, which were trained with labels, and goes on training.
UNBRAID_QUERY says what the network is asked with: "self" (default), the clean target itself as published; "other",
another passage of the same stem, what a user has; or "both", either as often. It is validated with other passages in
any case. The learning rate follows the clock, UNBRAID_MINUTES, or the steps, UNBRAID_STEPS. Packs are those of
lasaft_light.
"""

import os
from dataclasses import replace
from pathlib import Path

from unbraid.datasets.pack import read_pack
from unbraid.datasets.stem_mixing import StemTrainingSet
from unbraid.datasets.track import SourcePool
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.lasaft_step import LasaftStep, by_recording
from unbraid.training.recipe import Validation, load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine
from unbraid.zoo import load_model

LIGHT = load_recipe(Path(__file__).with_name("lasaft_light.py"))
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
MINUTES = float(os.environ.get("UNBRAID_MINUTES", "16"))
STEPS = os.environ.get("UNBRAID_STEPS")
P_OTHER = {"self": 0.0, "both": 0.5, "other": 1.0}[os.environ.get("UNBRAID_QUERY", "self")]
LENGTH = Decay(cosine, steps=int(STEPS), hold=0.3) if STEPS else Decay(cosine, minutes=MINUTES, hold=0.3)
CONFIG = PRESETS["lasaft-light-16-audio"]
STEP = LasaftStep(by_recording, relative=True, presence_weight=0.1)


def model() -> Lasaft:
    """Return a network that has learned to listen to labels, with a query net that has learned nothing."""
    network, labeled = Lasaft(CONFIG), load_model("lasaft-light-16")
    network.network.load_state_dict(labeled.network.state_dict())
    return network


def batches(p_other: float = P_OTHER) -> StemTrainingSet:
    """Return the mixtures of lasaft_light, with recordings to ask with."""
    full = LIGHT.batches()
    return replace(full, settings=replace(full.settings, p_other=p_other))


def validation() -> dict[str, list[object]]:
    """Return 48 mixtures of held-out songs, the same in every epoch."""
    packs = sorted(index.parent for index in PACKS.glob("*/index.json"))
    _, held_out = SourcePool(source for pack in packs for source in read_pack(pack)).split(0.1)
    asked = replace(batches(1.0), pool=held_out, seed=1)
    return {"held-out": [asked[index] for index in range(48)]}


recipe = replace(
    LIGHT,
    model=model,
    batches=batches,
    loss=STEP.loss,
    schedule=Schedule(peak=2e-3, warmup_steps=50, decay=LENGTH),
    validation=Validation(validation, STEP.score),
)
