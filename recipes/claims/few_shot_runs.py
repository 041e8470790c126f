"""The runs of the claims about few-shot separation: small networks, equal data and equal steps."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from claim_data import SAMPLE_RATE, STEMS, ensembles

from unbraid.datasets.episode_draws import EpisodeSettings
from unbraid.datasets.episodes import EpisodeSet
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.layers.example_encoder import EncoderShape
from unbraid.training.film_unet_step import FilmUnetStep, by_class, by_examples
from unbraid.training.recipe import AdamW, Recipe
from unbraid.training.schedule import Decay, Schedule, cosine

WIDTHS = (8, 16, 32, 48, 64, 96)
SEGMENT = 2.0
N_SAMPLES = round(SEGMENT * SAMPLE_RATE)
SHOT = replace(
    PRESETS["few-shot"],
    encoder=EncoderShape(embedding_size=128, n_features=(16, 16, 16, 16)),
    n_features=WIDTHS,
    segment=SEGMENT,
)
CLASSES = replace(PRESETS["film-unet-classes"], n_features=WIDTHS, segment=SEGMENT)
UNSEEN = tuple(name for name in INSTRUMENT_CLASSES if name not in STEMS)


@dataclass(frozen=True)
class Variant:
    """A network, and what its episodes are like."""

    config: FilmUnetConfig
    settings: EpisodeSettings


def _shots(count: int, targets: tuple[str, ...] = INSTRUMENT_CLASSES) -> Variant:
    return Variant(replace(SHOT, n_shot=count), EpisodeSettings(n_positive=(count, count), targets=targets))


VARIANTS: dict[str, Variant] = {
    "classes": Variant(CLASSES, EpisodeSettings(n_positive=(1, 1))),
    **{f"{count}-shot": _shots(count) for count in (1, 2, 3, 4, 5)},
    "unseen, classes": Variant(CLASSES, EpisodeSettings(n_positive=(1, 1), targets=UNSEEN)),
    "unseen, 1-shot": _shots(1, UNSEEN),
    "unseen, 5-shot": _shots(5, UNSEEN),
    "5-shot, multi-source": Variant(SHOT, EpisodeSettings(p_mixed=0.5)),
    "5-shot, negatives": Variant(replace(SHOT, negatives=True), EpisodeSettings(n_negative=(5, 5))),
}


def few_shot_recipe(variant: Variant, *, packs: Path, seed: int, steps: int) -> Recipe:
    """Return the run of a variant: the published losses and sampling."""
    settings = replace(variant.settings, n_samples=N_SAMPLES)
    return Recipe(
        model=partial(FilmUnet, variant.config),
        batches=lambda: EpisodeSet(ensembles(packs), settings, batch_size=8, seed=seed),
        loss=FilmUnetStep(by_class if variant.config.classes else by_examples).loss,
        sample_rate=SAMPLE_RATE,
        steps=steps,
        optimizer=AdamW(weight_decay=0.0),
        schedule=Schedule(peak=2e-3, warmup_steps=30, decay=Decay(cosine, steps=steps, hold=0.3)),
        epoch_steps=10 * steps,
        keep_every=None,
        seed=seed,
        n_workers=0,
        log_steps=25,
    )
