"""tuss-medium as published, on the public datasets as they lie on disk: 375 000 steps of two times four mixtures.

    UNBRAID_DATASETS=/data unbraid train recipes/tuss_public.py --processes 2 --device cuda

UNBRAID_DATASETS (default `datasets`) holds one folder for each dataset, named as in docs/data.md: vctk, wsj0, librivox,
fsd50k, wham-noise, demand, musdb18-hq, moisesdb and fma-medium to train with (those that are there), and vctk-demand,
musdb18-hq, dnr, whamr-anechoic and fuss to validate with. Recordings are decoded whenever they are drawn.
UNBRAID_PRESET=tuss-debug tries it with the smallest network.
Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025.
"""

import os
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.public.prompted_items import tuss_validation
from unbraid.datasets.public.training_sources import roots_in, tuss_sources
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Recipe, Validation
from unbraid.training.schedule import Plateau, Schedule
from unbraid.training.tuss_step import TussStep

CONFIG = PRESETS[os.environ.get("UNBRAID_PRESET", "tuss-medium")]
DATASETS = Path(os.environ.get("UNBRAID_DATASETS", "datasets"))
MIXTURES = MixSettings(sample_rate=CONFIG.sample_rate, duration=CONFIG.segment)
STEP = TussStep()


@cache
def pool() -> SourcePool:
    """Return the sources to train with; every item of a prompt is drawn equally often."""
    return SourcePool(tuss_sources(roots_in(DATASETS)))


def validation() -> dict[str, object]:
    """Return the validation sets of the five tasks, of equal weight, each item cut to the length of a mixture."""
    return tuss_validation(roots_in(DATASETS), sample_rate=CONFIG.sample_rate, duration=CONFIG.segment)


recipe = Recipe(
    model=partial(Tuss, CONFIG),
    batches=lambda: TrainingSet(pool(), MIXTURES, batch_size=4, seed=20240618),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=375_000,
    schedule=Schedule(peak=1e-3, warmup_steps=10_000, plateau=Plateau(factor=0.5, patience=5, keep_epochs=75)),
    validation=Validation(validation, STEP.score),
    epoch_steps=2500,
    n_workers=8,
)
