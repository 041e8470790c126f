"""How LaSAFT is trained and measured, for use in recipes.

Axes: B mixtures, S targets of a mixture, C = 2 channels, N samples, T frames, F bins, E numbers of a query.

Source: Choi et al., "LaSAFT-Net v2", JAES 70(9), 2022, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.models.losses import si_sdr

QUIET_ENERGY = 1e-12


class StemsBatch(Protocol):
    """Stereo mixtures ``[B, 2, N]``, and S targets of each with their labels and queries."""

    @property
    def mixture(self) -> Tensor:
        """Mixtures ``[B, 2, N]``."""
        ...

    @property
    def references(self) -> Tensor:
        """Targets ``[B, S, 2, N]``; zeros where one is absent."""
        ...

    @property
    def labels(self) -> Sequence[Sequence[str]]:
        """Labels of the targets of each mixture."""
        ...

    @property
    def queries(self) -> Tensor:
        """Recordings of what the targets sound like, ``[B, S, 2, N]``."""
        ...


class SpectrogramSeparator(Protocol):
    """A network that can be trained here: it turns a stereo spectrogram ``[B, 4, T, F]`` into that of one stem."""

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, 2, N]`` into ``[B, 4, T, F]``."""
        ...

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Transform ``[B, 4, T, F]`` back into ``[B, 2, length]``."""
        ...

    def estimate(self, spectrogram: Tensor, queries: Tensor) -> Tensor:
        """Estimate the spectrograms of the stems that queries ``[B, E]`` stand for."""
        ...

    def embed_labels(self, labels: list[str]) -> Tensor:
        """Turn B labels into queries ``[B, E]``."""
        ...

    def embed_waveforms(self, waveforms: Tensor) -> Tensor:
        """Turn recordings ``[B, 2, N]`` into queries ``[B, E]``."""
        ...


Querying = Callable[[SpectrogramSeparator, StemsBatch], Tensor]


def by_label(model: SpectrogramSeparator, batch: StemsBatch) -> Tensor:
    """Ask for the targets by their labels: queries ``[B * S, E]``."""
    return model.embed_labels([label for row in batch.labels for label in row])


def by_recording(model: SpectrogramSeparator, batch: StemsBatch) -> Tensor:
    """Ask for the targets by the recordings in the batch: queries ``[B * S, E]``."""
    return model.embed_waveforms(batch.queries.flatten(0, 1))


@dataclass(frozen=True)
class ByClass:
    """Ask for the targets by one vector for each label, as `class_queries` measures them."""

    queries: Mapping[str, Tensor]

    def __call__(self, model: SpectrogramSeparator, batch: StemsBatch) -> Tensor:
        """Return queries ``[B * S, E]``."""
        del model
        names = [label for row in batch.labels for label in row]
        return torch.stack([self.queries[name].to(batch.mixture.device) for name in names])


def class_queries(model: nn.Module, windows: Iterable[StemsBatch]) -> dict[str, Tensor]:
    """Return the mean query vector ``[E]`` of each label over all of its windows that are not silent.

    Args:
        model: takes recordings as queries; left in the mode that it is in.
        windows: of the training songs, as `SongWindows` cuts them.

    Raises:
        RecipeError: if no window sounds.
    """
    separator = cast(SpectrogramSeparator, model)
    total: dict[str, Tensor] = {}
    count: dict[str, int] = {}
    with torch.no_grad():
        for batch in windows:
            sounds = _energy(batch.references).flatten() > 0
            names = [label for row in batch.labels for label in row]
            kept = [name for name, sounding in zip(names, sounds.tolist(), strict=True) if sounding]
            if not kept:
                continue
            vectors = separator.embed_waveforms(batch.references.flatten(0, 1)[sounds])
            for name, vector in zip(kept, vectors, strict=True):
                total[name] = total.get(name, 0) + vector.double()
                count[name] = count.get(name, 0) + 1
    if not total:
        raise RecipeError("no window sounds: give windows of songs that are not silent")
    return {name: (value / count[name]).float() for name, value in total.items()}


@dataclass(frozen=True)
class LasaftStep:
    """Loss and scores of a network on batches of stems.

    Args:
        querying: how the targets are asked for while training: `by_label` or `by_recording`.
        scoring: how they are asked for when it is measured; None asks as in training.
    """

    querying: Querying = by_label
    scoring: Querying | None = None

    def loss(self, model: nn.Module, batch: StemsBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the mean squared error of the spectrograms, over all their elements, and that of silence beside it.

        "loss/relative" is the error as a fraction of the energy of the targets.
        """
        separator = cast(SpectrogramSeparator, model)
        estimates = self._estimate(separator, batch, self.querying)
        with torch.no_grad():
            references = separator.analyze(batch.references.flatten(0, 1))
        loss = nn.functional.mse_loss(estimates.float(), references)
        energy = references.square().mean()
        return loss, {"loss/relative": (loss.detach() / energy.clamp_min(QUIET_ENERGY))}

    def score(self, model: nn.Module, batch: StemsBatch) -> dict[str, list[float]]:
        """Return what is validated: error of the waveforms, SI-SDR, its improvement, levels where a target is silent.

        "loss" is the mean absolute error of each mixture's targets, and "si_sdr" has one number per target, over both
        channels, in dB; "si_sdr_improvement/LABEL" is over the mixture; "false_output" is the level of outputs whose
        target is silent, relative to the mixture, in dB.
        """
        separator = cast(SpectrogramSeparator, model)
        references, n_samples = batch.references, batch.mixture.shape[-1]
        spectrograms = self._estimate(separator, batch, self.scoring or self.querying)
        estimates = separator.synthesize(spectrograms.float(), n_samples).unflatten(0, references.shape[:2])
        values = si_sdr(estimate=estimates.flatten(2), reference=references.flatten(2))
        better = values - si_sdr(estimate=batch.mixture.flatten(1)[:, None], reference=references.flatten(2))
        scores = {
            "loss": (estimates - references).abs().mean(dim=(1, 2, 3)).tolist(),
            "si_sdr": values.flatten().tolist(),
            "si_sdr_improvement": better.flatten().tolist(),
        }
        for row, names in zip(better.tolist(), batch.labels, strict=True):
            for value, name in zip(row, names, strict=True):
                scores.setdefault(f"si_sdr_improvement/{name}", []).append(value)
        silent = _energy(references) == 0
        level = (_energy(estimates) + QUIET_ENERGY) / (_energy(batch.mixture)[:, None] + QUIET_ENERGY)
        scores["false_output"] = (10 * torch.log10(level))[silent].tolist()
        return scores

    def _estimate(self, model: SpectrogramSeparator, batch: StemsBatch, querying: Querying) -> Tensor:
        """Return the spectrograms of all targets, ``[B * S, 4, T, F]``."""
        n_targets = batch.references.shape[1]
        spectrogram = model.analyze(batch.mixture).repeat_interleave(n_targets, dim=0)
        return model.estimate(spectrogram, querying(model, batch))


def _energy(signals: Tensor) -> Tensor:
    return signals.float().square().sum(dim=(-2, -1))
