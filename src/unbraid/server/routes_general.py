"""Routes about the server itself: health, numbers, limits, models."""

from __future__ import annotations

from dataclasses import asdict
from importlib import util

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

import unbraid
from unbraid.audio.encoding import DEPTHS
from unbraid.guides import mask_grid
from unbraid.guides.kinds import COUNTED_TASKS, TASKS
from unbraid.guides.mask_canvas import MAX_COLUMNS
from unbraid.server import tiles
from unbraid.server.demo import demo_song
from unbraid.server.labels import library_labels
from unbraid.server.metrics import metrics_text
from unbraid.server.schemas import AboutDocument, HealthDocument, LabelDocument, ModelDocument
from unbraid.server.wiring import ERRORS, CurrentStudio

router = APIRouter(responses=ERRORS, tags=["server"])


@router.get("/health")
def health(studio: CurrentStudio) -> HealthDocument:
    """Tell whether the server is well."""
    alive = studio.scheduler.alive
    return HealthDocument(
        status="ok" if all(alive.values()) else "degraded", version=unbraid.__version__, workers=alive
    )


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(studio: CurrentStudio) -> PlainTextResponse:
    """Return numbers in the text form of Prometheus."""
    return PlainTextResponse(metrics_text(studio), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/about")
def about(studio: CurrentStudio) -> AboutDocument:
    """Return what a page needs to know of the server."""
    counted = {f"{name}=N": [repeated, *rest] for name, (repeated, rest) in COUNTED_TASKS.items()}
    return AboutDocument(
        version=unbraid.__version__,
        devices=list(studio.options.devices),
        limits=asdict(studio.limits),
        formats={name: [depth for depth in depths if depth != "-"] for name, depths in DEPTHS.items()},
        stem_mp4=util.find_spec("av") is not None,
        demo=demo_song() is not None,
        tasks={**{name: list(prompts) for name, prompts in TASKS.items()}, **counted},
        mask={
            "n_bands": mask_grid.N_BANDS,
            "frames_per_second": mask_grid.FRAMES_PER_SECOND,
            "top_hz": mask_grid.TOP_HZ,
            "max_columns": MAX_COLUMNS,
        },
        peaks={
            "samples_per_bin": tiles.PEAK_SAMPLES,
            "factor": tiles.FACTOR,
            "bins_per_tile": tiles.PEAK_TILE,
            "levels": tiles.N_LEVELS,
        },
        spectrogram={
            "frames_per_second": tiles.FRAMES_PER_SECOND,
            "factor": tiles.FACTOR,
            "frames_per_tile": tiles.MEL_TILE,
            "levels": tiles.N_LEVELS,
            "n_bands": tiles.N_BANDS,
            "mels_per_band": tiles.MEL_STEP,
            "range_db": tiles.RANGE_DB,
        },
    )


@router.get("/api/models")
def models(studio: CurrentStudio) -> list[ModelDocument]:
    """List the models."""
    return [
        ModelDocument(
            name=offer.name,
            summary=offer.summary,
            guides=list(offer.guides),
            vocabulary=list(offer.vocabulary),
            licence=offer.licence,
            training_data=offer.training_data,
            sample_rate=offer.separator.sample_rate,
            segment=offer.separator.segment,
            n_parameters=offer.n_parameters,
            draws=offer.draws,
            takes_negatives=offer.takes_negatives,
            listens=offer.listens,
            model_sha256=offer.model_sha256,
            priors=list(offer.priors),
            searches=list(offer.searches),
        )
        for offer in studio.catalog.offers()
    ]


@router.get("/api/labels")
def labels() -> list[LabelDocument]:
    """List the taught labels in the library of whoever runs the server."""
    return [LabelDocument(**vars(facts)) for facts in library_labels()]
