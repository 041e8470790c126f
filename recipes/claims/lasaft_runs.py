"""The runs of the claims about LaSAFT: small networks, equal data and equal steps.

Windows are brought to one level for all of them: as published, networks this small answer with silence for longer than
these runs last.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from claim_data import SAMPLE_RATE, stems

from unbraid.datasets.song_windows import SongWindows
from unbraid.datasets.stem_mixing import StemSettings, StemTrainingSet
from unbraid.models.lasaft import PRESETS, Lasaft, LasaftConfig
from unbraid.models.layers.query_net import QueryNetConfig
from unbraid.training.lasaft_step import LasaftStep, by_label, by_recording, class_queries
from unbraid.training.recipe import AdamW, Recipe
from unbraid.training.schedule import Decay, Schedule, cosine

BASE = replace(
    PRESETS["lasaft-small"],
    sample_rate=SAMPLE_RATE,
    n_fft=1024,
    hop_length=512,
    n_frames=64,
    n_features=16,
    n_layers=2,
    n_latent=8,
    normalize=True,
)
DEAF = replace(BASE, query_listening=False, key_listening=False)
NET = QueryNetConfig((16, 16, 32, 32), (2, 1, 1, 2), 64)


@dataclass(frozen=True)
class Variant:
    """A network and, if it takes recordings, how often the one it is trained with is another passage."""

    config: LasaftConfig
    p_other: float | None = None


VARIANTS: dict[str, Variant] = {
    "lasaft query-key": Variant(BASE),
    "lasaft baseline": Variant(DEAF),
    "lasaft v1": Variant(replace(DEAF, version=1, light=False, n_latent=6)),
    "lasaft +query": Variant(replace(DEAF, query_listening=True)),
    "lasaft +key": Variant(replace(DEAF, key_listening=True)),
    "audio, deaf, self": Variant(replace(DEAF, labels=(), query_net=NET), 0.0),
    "audio, query-key, self": Variant(replace(BASE, labels=(), query_net=NET), 0.0),
    "audio, query-key, other": Variant(replace(BASE, labels=(), query_net=NET), 1.0),
}


def _build(config: LasaftConfig) -> Lasaft:
    return Lasaft(config).to(memory_format=torch.channels_last)


def lasaft_recipe(variant: Variant, *, packs: Path, seed: int, steps: int) -> Recipe:
    """Return the run of a variant: the published loss and sampling; batches are the same for all variants of a seed.

    Version 1 normalizes its labels over the batch, so that one mixture at a time is too few.
    """
    config = variant.config
    settings = StemSettings(
        sample_rate=SAMPLE_RATE, n_samples=round(config.segment * SAMPLE_RATE), p_other=variant.p_other or 0.0
    )
    step = LasaftStep(by_label if variant.p_other is None else by_recording, relative=True)
    return Recipe(
        model=partial(_build, config),
        batches=lambda: StemTrainingSet(stems(packs), settings, batch_size=2, seed=seed),
        loss=step.loss,
        sample_rate=SAMPLE_RATE,
        steps=steps,
        optimizer=AdamW(weight_decay=0.0),
        schedule=Schedule(peak=5e-3, warmup_steps=50, decay=Decay(cosine, steps=steps, hold=0.3)),
        epoch_steps=10 * steps,
        keep_every=None,
        seed=seed,
        n_workers=0,
        log_steps=25,
    )


def teach_classes(model: Lasaft, packs: Path) -> None:
    """Teach the labels as the paper does: the mean query of all stems of the training songs (one window of each)."""
    settings = StemSettings(sample_rate=SAMPLE_RATE, n_samples=round(3.0 * SAMPLE_RATE))
    windows = SongWindows(stems(packs), settings, trim=0, per_song=1)
    for label, query in class_queries(model, windows).items():
        model.teach(label, query)
