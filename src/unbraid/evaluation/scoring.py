"""One question to a model, and the scores of one answer: what all protocols are made of.

Axes: S stems, C channels, N samples.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.evaluation import metrics
from unbraid.evaluation.items import Reference
from unbraid.evaluation.records import SourceScore, finite
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.guides.kinds import Target
from unbraid.models.separator import Separator
from unbraid.separation import separate
from unbraid.settings import Settings


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model returned: names of the outputs, their samples ``[S, C, N]``, presence, and the time it took."""

    names: tuple[str, ...]
    stems: Tensor
    presence: tuple[float | None, ...]
    seconds: float


def ask(
    model: Separator | ReferenceModel,
    mixture: Audio,
    targets: Sequence[Target],
    *,
    settings: Settings,
    truth: Sequence[Tensor | None] = (),
) -> Answer:
    """Separate a mixture, through the door that everyone uses; the outputs come in the order of the targets.

    Args:
        model: a separator, or a floor or ceiling in its place.
        mixture: ``[C, N]``.
        targets: what is asked for.
        settings: of a separator.
        truth: the true sound ``[C, N]`` of each target, None where it is not there; no separator sees it.

    Raises:
        GuideError: if the model does not understand a target.
        SettingsError: if a floor or ceiling is asked without the truth.
    """
    started = time.perf_counter()
    heard = Audio(mixture.samples.clone(), mixture.sample_rate)
    if isinstance(model, ReferenceModel):
        stems, presence = model.answer(heard, targets, truth), {}
    else:
        separation = separate(heard, list(targets), model=model, settings=settings)
        stems, presence = separation.stems, separation.presence
    seconds = time.perf_counter() - started
    names = tuple(stems)
    samples = torch.stack([stems[name].samples for name in names])
    return Answer(names, samples, tuple(presence.get(name) for name in names), seconds)


def score_output(answer: Answer, index: int, reference: Reference, mixture: Tensor) -> SourceScore:
    """Score one output against one reference; channels are scored alone and averaged."""
    estimate, truth = answer.stems[index], reference.samples
    return SourceScore(
        stems=reference.stems,
        estimate=answer.names[index],
        si_sdr=finite(float(metrics.si_sdr(estimate=estimate, reference=truth).nanmean())),
        si_sdr_mixture=finite(float(metrics.si_sdr(estimate=mixture, reference=truth).nanmean())),
        snr=finite(float(metrics.snr(estimate=estimate, reference=truth).nanmean())),
        sdr=finite(float(metrics.sdr(estimate=estimate, reference=truth))),
        level_db=level_db(estimate, mixture),
        presence=answer.presence[index],
    )


def score_absent(answer: Answer, index: int, mixture: Tensor) -> SourceScore:
    """Score one output whose target does not sound: only its level and presence say something."""
    return SourceScore(
        stems=(), estimate=answer.names[index], si_sdr=None, si_sdr_mixture=None, snr=None, sdr=None,
        level_db=level_db(answer.stems[index], mixture), presence=answer.presence[index],
    )  # fmt: skip


def level_db(estimate: Tensor, mixture: Tensor) -> float | None:
    """Return the energy of an estimate relative to the mixture, over all channels; None where the mixture is silent."""
    return finite(float(metrics.false_output_db(estimate=estimate.flatten(), mixture=mixture.flatten())))


def improvement(score: SourceScore) -> float | None:
    """Return how far SI-SDR is above that of the mixture; None where it is undefined."""
    if score.si_sdr is None or score.si_sdr_mixture is None:
        return None
    return score.si_sdr - score.si_sdr_mixture
