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


class UNet(Protocol):
    """The two ways of a network between spectrograms."""

    def go_down(self, spectrogram: Tensor, queries: Tensor) -> list[Tensor]:
        """Return what each level hands over, each ``[B, ...]``."""
        ...

    def go_up(self, levels: Sequence[Tensor], queries: Tensor) -> Tensor:
        """Return estimates ``[B, 4, T, F]``."""
        ...


class NetworkConfig(Protocol):
    """What must be known of a network to train it."""

    @property
    def version(self) -> int:
        """From 2 on, only the way up depends on queries."""
        ...


class SpectrogramSeparator(Protocol):
    """A network that can be trained here: it turns a stereo spectrogram ``[B, 4, T, F]`` into that of one stem."""

    @property
    def config(self) -> NetworkConfig:
        """What shapes it."""
        ...

    @property
    def network(self) -> UNet:
        """From spectrograms and queries to spectrograms."""
        ...

    @property
    def presence(self) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        """Logits ``[B]`` of presence from the spectrograms of mixture and estimate, and queries; None without."""
        ...

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, 2, N]`` into ``[B, 4, T, F]``."""
        ...

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Transform ``[B, 4, T, F]`` back into ``[B, 2, length]``."""
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
        relative: relate the error of each mixture to its energy, so that loud ones do not outweigh the others; as
            published it is the plain mean.
        presence_weight: weight of the binary cross entropy of presence; 0 leaves it out, as published.
    """

    querying: Querying = by_label
    scoring: Querying | None = None
    relative: bool = False
    presence_weight: float = 0.0

    def loss(self, model: nn.Module, batch: StemsBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the mean squared error of the spectrograms, and its parts.

        "loss/relative" is the error of each mixture as a fraction of its energy.

        Raises:
            RecipeError: if presence is to be trained and the network does not estimate it.
        """
        separator = cast(SpectrogramSeparator, model)
        mixture, queries, estimate = self._estimate(separator, batch, self.querying)
        with torch.no_grad():
            references = separator.analyze(batch.references.flatten(0, 1))
        errors = (estimate.float() - references).square().mean(dim=(1, 2, 3))
        relative = (errors / mixture.square().mean(dim=(1, 2, 3)).clamp_min(QUIET_ENERGY)).mean()
        total = relative if self.relative else errors.mean()
        numbers: dict[str, Tensor | float] = {"loss/relative": relative.detach()}
        if self.presence_weight > 0:
            if separator.presence is None:
                raise RecipeError(
                    "presence_weight is set, but the network has no presence: build it with presence=True"
                )
            sounds = (_energy(batch.references) > 0).flatten().float()
            logits = separator.presence(mixture, estimate, queries)
            presence = nn.functional.binary_cross_entropy_with_logits(logits, sounds)
            numbers["loss/presence"] = presence.detach()
            total = total + self.presence_weight * presence
        return total, numbers

    def score(self, model: nn.Module, batch: StemsBatch) -> dict[str, list[float]]:
        """Return what is validated: error of waveforms, SI-SDR, its improvement, outputs of silent targets, presence.

        "loss" is the mean absolute error of each mixture's targets, and "si_sdr" has one number per target, over both
        channels, in dB; "si_sdr_improvement/LABEL" is over the mixture; "false_output" is the level of outputs whose
        target is silent, relative to the mixture, in dB; "presence" is 1 where the network is right about whether a
        target sounds, and 0 where it is not.
        """
        separator = cast(SpectrogramSeparator, model)
        references, n_samples = batch.references, batch.mixture.shape[-1]
        mixture, queries, estimate = self._estimate(separator, batch, self.scoring or self.querying)
        waveforms = separator.synthesize(estimate.float(), n_samples).unflatten(0, references.shape[:2])
        values = si_sdr(estimate=waveforms.flatten(2), reference=references.flatten(2))
        better = values - si_sdr(estimate=batch.mixture.flatten(1)[:, None], reference=references.flatten(2))
        scores = {
            "loss": (waveforms - references).abs().mean(dim=(1, 2, 3)).tolist(),
            "si_sdr": values.flatten().tolist(),
            "si_sdr_improvement": better.flatten().tolist(),
        }
        for row, names in zip(better.tolist(), batch.labels, strict=True):
            for value, name in zip(row, names, strict=True):
                scores.setdefault(f"si_sdr_improvement/{name}", []).append(value)
        sounds = _energy(references) > 0
        level = (_energy(waveforms) + QUIET_ENERGY) / (_energy(batch.mixture)[:, None] + QUIET_ENERGY)
        scores["false_output"] = (10 * torch.log10(level))[~sounds].tolist()
        if separator.presence is not None:
            right = (separator.presence(mixture, estimate, queries) > 0) == sounds.flatten()
            scores["presence"] = right.float().tolist()
        return scores

    def _estimate(
        self, model: SpectrogramSeparator, batch: StemsBatch, querying: Querying
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return spectrograms of mixtures ``[B * S, 4, T, F]``, queries, and estimated spectrograms of all targets.

        The way down is walked once for all targets of a mixture where it does not depend on what is asked for.
        """
        n_targets = batch.references.shape[1]
        spectrogram = model.analyze(batch.mixture)
        mixture = spectrogram.repeat_interleave(n_targets, dim=0)
        queries = querying(model, batch)
        if model.config.version == 1:
            return mixture, queries, model.network.go_up(model.network.go_down(mixture, queries), queries)
        levels = model.network.go_down(spectrogram, queries[::n_targets])
        return mixture, queries, model.network.go_up([one.repeat_interleave(n_targets, 0) for one in levels], queries)


def _energy(signals: Tensor) -> Tensor:
    return signals.float().square().sum(dim=(-2, -1))
