"""few-shot as published: five examples of the target, sixteen targets in a step, of recorded, rendered and mixed songs.

    unbraid train recipes/few_shot.py --device cuda

Packs are made by recipes/packs/make_multitrack_packs.py and looked for in the folder UNBRAID_PACKS (default `packs`);
what their names begin with (real, synth, solo) says which of the three data sets they are part of, and each is drawn
equally often. Of every data set 5 % of the tracks are held out. As published, training ends when it no longer improves:
after 20 epochs of 1000 steps without a better one, or after 200 in any case. The best one is kept.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022.
"""

import os
from collections import defaultdict
from functools import cache, partial
from pathlib import Path

from unbraid.datasets.episode_draws import EpisodeSettings
from unbraid.datasets.episodes import EpisodeSet
from unbraid.datasets.multitracks import Ensembles, Solos, Songs
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import Source, is_held_out
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.training.film_unet_step import FilmUnetStep
from unbraid.training.recipe import AdamW, Recipe, Validation
from unbraid.training.schedule import Schedule
from unbraid.training.stopping import Patience

CONFIG = PRESETS["few-shot"]
PACKS = Path(os.environ.get("UNBRAID_PACKS", "packs"))
N_VALIDATION = 16
STEP = FilmUnetStep()
EPISODES = EpisodeSettings()


@cache
def datasets(*, held_out: bool) -> dict[str, Ensembles]:
    """Return the data sets to train with, or what is held out of those that are large enough."""
    kinds: dict[str, list[Source]] = defaultdict(list)
    for index in sorted(PACKS.glob("*/index.json")):
        kinds[index.parent.name.split("_")[0]].extend(read_pack(index.parent))
    found: dict[str, Ensembles] = {}
    for kind, sources in kinds.items():
        mine = [one for one in sources if (not one.train_only and is_held_out(one.track, 0.05)) == held_out]
        if mine:
            found[kind] = Solos(mine) if kind == "solo" else Songs(mine)
    return found


def batches(settings: EpisodeSettings, seed: int = 7) -> EpisodeSet:
    """Return the training data."""
    return EpisodeSet(datasets(held_out=False), settings, seed=seed)


def validation(settings: EpisodeSettings) -> dict[str, list[object]]:
    """Return batches of each held-out data set, the same in every epoch."""
    sets = {name: EpisodeSet({name: one}, settings, seed=1) for name, one in datasets(held_out=True).items()}
    return {name: [one[index] for index in range(N_VALIDATION)] for name, one in sets.items()}


recipe = Recipe(
    model=partial(FilmUnet, CONFIG),
    batches=partial(batches, EPISODES),
    loss=STEP.loss,
    sample_rate=CONFIG.sample_rate,
    steps=200 * 1000,
    optimizer=AdamW(weight_decay=0.0),  # which is Adam
    schedule=Schedule(peak=1e-3, warmup_steps=0),
    clip=float("inf"),
    validation=Validation(partial(validation, EPISODES), STEP.score),
    patience=Patience(epochs=20),
    epoch_steps=1000,
    n_best=1,
    keep_every=None,
    precision="fp32",
)
