"""guidesep as published: batches of 36 windows of 4.08 s, 300 000 steps.

    unbraid train recipes/guidesep.py --device cuda --processes 2

Packs are made by recipes/packs/make_mimicry_packs.py and looked for in the folder UNBRAID_PACKS (default `packs`):
those whose names end in "train" are trained with, those in "valid" validated. UNBRAID_AVERAGE=0.999 keeps a moving
average of the weights, which the published run did not. The published run had the stems of Slakh2100 as targets, those
of MoisesDB as backgrounds, and half precision; with D processes, batches are to be of 36 / D windows (UNBRAID_BATCH).

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025.
"""

import os
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.guided_draws import GuidedSettings
from unbraid.datasets.guided_packs import Melody, read_melodies
from unbraid.datasets.guided_windows import GuidedSet
from unbraid.datasets.track import Source
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.training.guidesep_step import GuidesepStep
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Schedule

CONFIG = PRESETS["guidesep"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
AVERAGE = os.environ.get("UNBRAID_AVERAGE")
BATCH = int(os.environ.get("UNBRAID_BATCH", "36"))
N_VALIDATION, VALIDATION_BATCH = 4, 8
STEP = GuidesepStep()
SETTINGS = GuidedSettings()


@cache
def melodies(kind: str) -> tuple[list[Melody], list[Source]]:
    """Return the targets and all sources of the packs whose names end so."""
    found: tuple[list[Melody], list[Source]] = ([], [])
    for index in sorted(PACKS.glob(f"*_{kind}/index.json")):
        for side, more in zip(found, read_melodies(index.parent), strict=True):
            side.extend(more)
    return found


def batches(settings: GuidedSettings, batch_size: int = BATCH) -> GuidedSet:
    """Return the training data."""
    return GuidedSet(*melodies("train"), settings, batch_size=batch_size, seed=42)


def validation(settings: GuidedSettings) -> dict[str, list[object]]:
    """Return the same held-out mixtures in every epoch."""
    mixtures = GuidedSet(*melodies("valid"), settings, batch_size=VALIDATION_BATCH, seed=1)
    return {"windows": [mixtures[index] for index in range(N_VALIDATION)]}


recipe = Recipe(
    model=partial(Guidesep, CONFIG),
    batches=partial(batches, SETTINGS),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=300_000,
    optimizer=AdamW(weight_decay=0.0, betas=(0.9, 0.99)),  # which is Adam
    schedule=Schedule(peak=1e-4, warmup_steps=0),
    clip=1.0,
    average=float(AVERAGE) if AVERAGE else None,
    validation=Validation(partial(validation, SETTINGS), STEP.score),
    epoch_steps=2350,
    n_best=3,
    keep_every=None,
    precision="bf16",
    n_workers=8,
)
