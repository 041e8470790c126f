"""What each part of LaSAFT is worth: one variant of another recipe, everything else as it is there.

    UNBRAID_VARIANT=query unbraid train recipes/lasaft_ablation.py --out runs/query

UNBRAID_VARIANT is one of: both, query, key, none (what listens), v1 (the blocks of 2021), latent-4 to latent-64 (latent
sources), fft-512 to fft-4096 (with a hop of half of it). UNBRAID_BASE is the recipe to vary: lasaft_small (default) or
lasaft_light, for a CPU; with UNBRAID_STEPS the rate decays over so many steps, so that short runs compare. All are
validated on the same windows. As published, the variants of lasaft_small that listen less train at 1e-3.
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.datasets.stem_mixing import StemTrainingSet
from unbraid.models.lasaft import Lasaft
from unbraid.models.lasaft_network import LasaftConfig
from unbraid.training.recipe import load_recipe
from unbraid.training.schedule import Decay, cosine

NAME = os.environ.get("UNBRAID_BASE", "lasaft_small")
STEPS = int(os.environ.get("UNBRAID_STEPS", "0"))
VARIANT = os.environ.get("UNBRAID_VARIANT", "both")
BASE = load_recipe(Path(__file__).with_name(f"{NAME}.py"))
FULL = BASE.model().config
DEAF = replace(FULL, query_listening=False, key_listening=False)
VARIANTS: dict[str, LasaftConfig] = {
    "both": FULL,
    "query": replace(DEAF, query_listening=True),
    "key": replace(DEAF, key_listening=True),
    "none": DEAF,
    "v1": replace(DEAF, version=1, light=False, n_latent=6, activation="relu"),
    **{f"latent-{size}": replace(FULL, n_latent=size) for size in (4, 8, 16, 32, 64)},
    **{f"fft-{size}": replace(FULL, n_fft=size, hop_length=size // 2) for size in (512, 1024, 2048, 4096)},
}
CONFIG = VARIANTS[VARIANT]
RATE = 1e-3 if NAME == "lasaft_small" and VARIANT in ("query", "key", "none", "v1") else BASE.schedule.peak


def batches() -> StemTrainingSet:
    """Return the mixtures of the other recipe, of as many frames."""
    full = BASE.batches()
    n_frames = full.settings.n_samples // FULL.hop_length
    return replace(full, settings=replace(full.settings, n_samples=n_frames * CONFIG.hop_length))


recipe = replace(
    BASE,
    model=partial(Lasaft, CONFIG),
    batches=batches,
    schedule=replace(BASE.schedule, peak=RATE, decay=Decay(cosine, steps=STEPS) if STEPS else BASE.schedule.decay),
)
