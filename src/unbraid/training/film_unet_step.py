"""How the FiLM U-Net is trained and measured, by examples or by classes, for use in recipes.

Axes: M mixtures, B targets of all of them, X examples, N samples, F bins, T frames, E size of a query.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from unbraid.models.losses import cosine_loss, magnitude_loss, si_sdr

QUIET_ENERGY = 1e-12


class TargetBatch(Protocol):
    """B targets of M mixtures ``[M, N]``, and the examples that they share; see `datasets.episodes.EpisodeBatch`."""

    @property
    def mixture(self) -> Tensor:
        """Mixtures ``[M, N]``."""
        ...

    @property
    def owner(self) -> Tensor:
        """Number of the mixture of each target, ``[B]``."""
        ...

    @property
    def references(self) -> Tensor:
        """Targets ``[B, N]``; zeros where one is absent."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """Classes of the targets."""
        ...

    @property
    def examples(self) -> Tensor:
        """Examples ``[X, N]``."""
        ...

    @property
    def positive(self) -> Tensor:
        """Weights ``[B, X]`` of the examples of each target; rows add up to 1."""
        ...

    @property
    def negative(self) -> Tensor:
        """Weights ``[B, X]`` of the examples of what each target is not; rows of zeros where there are none."""
        ...


class QueriedSeparator(Protocol):
    """A network that can be trained here."""

    def embed_examples(self, recordings: Tensor) -> Tensor:
        """Turn recordings ``[X, N]`` into embeddings ``[X, E]``."""
        ...

    def combine(self, positive: Tensor, negative: Tensor | None = None) -> Tensor:
        """Turn mean embeddings ``[B, E]`` into queries ``[B, E]``."""
        ...

    def embed_classes(self, names: Sequence[str]) -> Tensor:
        """Turn B classes into queries ``[B, E]``."""
        ...

    def separate_windows(self, mixture: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Separate ``[B, N]``, each by its query; return estimates and their compressed magnitudes ``[B, F, T]``."""
        ...

    def compress(self, signal: Tensor) -> Tensor:
        """Return compressed magnitudes ``[B, F, T]``."""
        ...


class SdrLoss(Protocol):
    """A loss of waveforms that leaves silent references out: signals ``[B, N]`` to losses ``[B]``."""

    def __call__(self, *, estimate: Tensor, reference: Tensor) -> Tensor:
        """Compare signals of the same shape."""
        ...


Querying = Callable[[QueriedSeparator, TargetBatch], Tensor]


def by_examples(model: QueriedSeparator, batch: TargetBatch) -> Tensor:
    """Ask for the targets by their examples, each of which is embedded once: queries ``[B, E]``."""
    embeddings = model.embed_examples(batch.examples)
    negative = batch.negative @ embeddings if bool(batch.negative.any()) else None
    return model.combine(batch.positive @ embeddings, negative)


def by_class(model: QueriedSeparator, batch: TargetBatch) -> Tensor:
    """Ask for the targets by their classes: queries ``[B, E]``."""
    return model.embed_classes(batch.labels)


@dataclass(frozen=True)
class FilmUnetStep:
    """Loss and scores of a network on targets of mixtures.

    Args:
        querying: how the targets are asked for: `by_examples` or `by_class`.
        sdr_loss: of waveforms, such as `cosine_loss` or `negative_sdr_loss`.
        magnitude_weight: of the error of compressed magnitudes.
        silent_weight: of that error where the target is absent.
    """

    querying: Querying = by_examples
    sdr_loss: SdrLoss = cosine_loss
    magnitude_weight: float = 1.0
    silent_weight: float = 1.0

    def loss(self, model: nn.Module, batch: TargetBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the mean over all targets of the loss of waveforms plus that of magnitudes, and both."""
        _, waveform, magnitude = self._compare(model, batch)
        numbers: dict[str, Tensor | float] = {
            "loss/waveform": waveform.mean().detach(),
            "loss/magnitude": magnitude.mean().detach(),
        }
        return (waveform + magnitude).mean(), numbers

    def score(self, model: nn.Module, batch: TargetBatch) -> dict[str, list[float]]:
        """Return what is validated: loss, SI-SDR, its improvement, levels of outputs whose target is absent.

        "loss" has one number per target; "si_sdr" too, in dB; "si_sdr_improvement/CLASS" is over the mixture;
        "false_output" is the level of outputs whose target is absent, relative to the mixture, in dB.
        """
        estimates, waveform, magnitude = self._compare(model, batch)
        mixture, references = batch.mixture[batch.owner], batch.references
        sounds = _energy(references) > 0
        values = si_sdr(estimate=estimates, reference=references)
        better = (values - si_sdr(estimate=mixture, reference=references))[sounds].tolist()
        scores = {
            "loss": (waveform + magnitude).tolist(),
            "si_sdr": values[sounds].tolist(),
            "si_sdr_improvement": better,
        }
        named = [name for name, sounding in zip(batch.labels, sounds.tolist(), strict=True) if sounding]
        for value, name in zip(better, named, strict=True):
            scores.setdefault(f"si_sdr_improvement/{name}", []).append(value)
        level = (_energy(estimates) + QUIET_ENERGY) / (_energy(mixture) + QUIET_ENERGY)
        scores["false_output"] = (10 * torch.log10(level))[~sounds].tolist()
        return scores

    def _compare(self, model: nn.Module, batch: TargetBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return estimates ``[B, N]``, losses of waveforms ``[B]``, and weighted losses of magnitudes ``[B]``."""
        separator = cast(QueriedSeparator, model)
        query = self.querying(separator, batch)
        estimates, compressed = separator.separate_windows(batch.mixture[batch.owner], query)
        waveform = self.sdr_loss(estimate=estimates, reference=batch.references)
        with torch.no_grad():
            wanted = separator.compress(batch.references)
            weight = torch.where(_energy(batch.references) > 0, 1.0, self.silent_weight) * self.magnitude_weight
        return estimates, waveform, weight * magnitude_loss(estimate=compressed, reference=wanted)


def _energy(signals: Tensor) -> Tensor:
    return signals.float().square().sum(dim=-1)
