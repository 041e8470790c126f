"""What each part of few-shot is worth, at a small scale: one variant, with the steps and data of all others.

    UNBRAID_VARIANT=5-shot UNBRAID_STEPS=1000 unbraid train recipes/few_shot_claims.py --out runs/5-shot

UNBRAID_VARIANT is one of: 1-shot to 5-shot, classes (the baseline), negatives, mixed (multi-source examples). With
UNBRAID_HELD_OUT=1 vocals, drums and bass are never targets in training. UNBRAID_STEPS and UNBRAID_SEED hold for all.
The networks have the sizes of few-shot-small, and four targets of a mixture share their examples. All classes are
measured at the end: with examples of the same track, with other instruments in them, and of another track.
"""

import os
from dataclasses import replace
from pathlib import Path

import torch

from unbraid.datasets.episode_draws import EpisodeSettings
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.training.film_unet_step import FilmUnetStep, by_class, by_examples
from unbraid.training.recipe import AdamW, Validation, load_recipe
from unbraid.training.schedule import Decay, Schedule, cosine

BASE = load_recipe(Path(__file__).with_name("few_shot.py"))
VARIANT = os.environ.get("UNBRAID_VARIANT", "5-shot")
STEPS = int(os.environ.get("UNBRAID_STEPS", "1000"))
SEED = int(os.environ.get("UNBRAID_SEED", "1"))
HELD_OUT = ("vocals", "drums", "bass") if os.environ.get("UNBRAID_HELD_OUT") == "1" else ()
SMALL = replace(PRESETS["few-shot-small"], negatives=False, presence=False)
PLAIN = EpisodeSettings(n_targets=4, targets=tuple(one for one in INSTRUMENT_CLASSES if one not in HELD_OUT))
VARIANTS: dict[str, tuple[FilmUnetConfig, EpisodeSettings]] = {
    **{f"{n}-shot": (replace(SMALL, n_shot=n), replace(PLAIN, n_positive=(n, n))) for n in range(1, 6)},
    "classes": (replace(SMALL, encoder=None, classes=INSTRUMENT_CLASSES), replace(PLAIN, n_positive=(1, 1))),
    "negatives": (replace(SMALL, negatives=True), replace(PLAIN, n_negative=(5, 5), p_without_negative=0.1)),
    "mixed": (SMALL, replace(PLAIN, p_mixed=0.5)),
}
CONFIG, EPISODES = VARIANTS[VARIANT]
STEP = FilmUnetStep(by_class if VARIANT == "classes" else by_examples)


EVERY = replace(EPISODES, targets=INSTRUMENT_CLASSES, p_mixed=0.0)
MEASURED = {"same": EVERY, "mixed": replace(EVERY, p_mixed=0.5), "other": replace(EVERY, p_other_track=1.0)}


def validation() -> dict[str, list[object]]:
    """Return a few batches of each held-out data set, of all classes, with three kinds of examples."""
    return {
        f"{name}-{kind}": found[:6]
        for kind, episodes in MEASURED.items()
        for name, found in BASE.validation.datasets.func(episodes).items()
    }


recipe = replace(
    BASE,
    model=lambda: FilmUnet(CONFIG).to(memory_format=torch.channels_last),
    batches=lambda: replace(BASE.batches.func(EPISODES, SEED), batch_size=8),
    loss=STEP.loss,
    steps=STEPS,
    optimizer=AdamW(weight_decay=0.0),
    schedule=Schedule(peak=1.5e-3, warmup_steps=min(100, STEPS // 10), decay=Decay(cosine, steps=STEPS)),
    validation=Validation(validation, STEP.score),
    patience=None,
    epoch_steps=STEPS,
    precision="bf16",
    seed=SEED,
    n_workers=0,
)
