"""How GuideSep and its mask-prediction twin are trained and measured, for use in recipes.

Axes: B mixtures, N samples, F bins, T frames, K mel bands, L noise levels.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, sections 3.2 and 3.3, and its
published training code, which counts where the two differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from unbraid.models.diffusion import NoiseConfig, denoising_loss, draw_sigmas
from unbraid.models.guidesep_conditions import DropoutRates, Dropped, Given, draw_dropped
from unbraid.models.losses import si_sdr

TINY = 1e-10
QUIET_ENERGY = 1e-12
LEVELS = (0.08, 0.2, 0.37, 0.69, 1.7)
"""Noise levels that are validated at: 10, 30, 50, 70 and 90 % of the published training levels lie below them."""


class MelodyBatch(Protocol):
    """Mixtures ``[B, N]`` and what points at their targets; see `datasets.guided_windows.GuidedBatch`."""

    @property
    def mixture(self) -> Tensor:
        """Mixtures ``[B, N]``."""
        ...

    @property
    def references(self) -> Tensor:
        """Targets ``[B, N]`` with a peak of 1; zeros where one is silent."""
        ...

    @property
    def mimicry(self) -> Tensor:
        """Imitations of the targets ``[B, N]``."""
        ...

    @property
    def positive(self) -> Tensor:
        """Masks ``[B, K, T]`` of the targets."""
        ...

    @property
    def negative(self) -> Tensor:
        """Masks ``[B, K, T]`` of all the rest."""
        ...

    @property
    def groups(self) -> Sequence[str]:
        """Groups of the targets."""
        ...


class GuidedConfig(Protocol):
    """What must be known of a network to train it."""

    @property
    def noise(self) -> NoiseConfig | None:
        """What noise it works with; None for mask prediction."""
        ...


class GuidedNetwork(Protocol):
    """A network that can be trained here: `models.guidesep.Guidesep`."""

    @property
    def config(self) -> GuidedConfig:
        """What shapes it."""
        ...

    def transform(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into complex ``[B, F, T]``."""
        ...

    def inverse(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `transform`."""
        ...

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into a compressed spectrogram ``[B, 2, F, T]``."""
        ...

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `analyze`."""
        ...

    def listen(
        self, mixture: Tensor, mimicry: Tensor | None, positive: Tensor | None, negative: Tensor | None
    ) -> Given:
        """Make what the network is told."""
        ...

    def channels(self, given: Given, like: Tensor, *, dropped: Dropped | None = None) -> Tensor:
        """Put what is given side by side."""
        ...

    def denoise(self, noisy: Tensor, condition: Tensor, sigma: Tensor) -> Tensor:
        """Denoise ``[B, 2, F, T]``."""
        ...

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Make the compressed spectrogram of the target out of noise."""
        ...

    def estimate_magnitude(self, magnitude: Tensor, condition: Tensor) -> Tensor:
        """Scale the magnitude of a mixture by the predicted mask."""
        ...


@dataclass(frozen=True)
class GuidesepStep:
    """Loss and scores of a diffusion model, or of mask prediction, on mixtures with guides.

    What is random (noise, noise levels, what is left out) comes from the generator of PyTorch, which checkpoints hold.

    Args:
        rates: how often each part of the condition is left out in training. Mask prediction always hears the mixture.
        per_item: mask prediction compares magnitudes that are divided by the largest of their own item; as published
            it is the largest of the whole batch, so that an item's weight depends on the others.
        levels: noise levels at which the diffusion model is validated.
    """

    rates: DropoutRates = field(default_factory=DropoutRates)
    per_item: bool = False
    levels: tuple[float, ...] = LEVELS

    def loss(self, model: nn.Module, batch: MelodyBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the mean loss of a batch: of denoising at drawn levels, or of magnitudes."""
        network, noise = cast(GuidedNetwork, model), cast(GuidedNetwork, model).config.noise
        generator, n_items = torch.default_generator, len(batch.mixture)
        rates = self.rates if noise is not None else replace(self.rates, mixture=0.0)
        dropped = draw_dropped(n_items, generator, rates=rates)
        if noise is None:
            return self._magnitude_losses(network, batch, dropped).mean(), {}
        sigma = draw_sigmas(n_items, noise, generator).to(batch.mixture.device)
        clean = network.analyze(batch.references)
        condition = network.channels(_listen(network, batch), clean, dropped=dropped)
        losses = self._denoising_losses(network, clean, condition, sigma, torch.randn_like(clean))
        return losses.mean(), {}

    def score(self, model: nn.Module, batch: MelodyBatch) -> dict[str, list[float]]:
        """Return what is validated, with the same noise in every epoch.

        "loss" has one number per mixture, with all guides: of denoising, the mean over fixed levels ("loss/SIGMA" are
        the parts), or of magnitudes. "si_sdr/full" and "si_sdr/mimicry" are of the estimates with all guides and with
        the mimicry alone, "improvement/..." over the mixture, both in dB, and "improvement/full/GROUP" of one group.
        "false_output" is the level of the answer for silent targets, relative to the mixture, in dB.
        """
        network = cast(GuidedNetwork, model)
        scores = self._validation_losses(network, batch)
        sounds = _energy(batch.references) > 0
        before = si_sdr(estimate=batch.mixture, reference=batch.references)
        for name, given in (("full", _listen(network, batch)), ("mimicry", _listen(network, batch, masks=False))):
            estimate = _separate(network, batch.mixture, given)
            values = si_sdr(estimate=estimate, reference=batch.references)
            better = (values - before)[sounds].tolist()
            scores |= {f"si_sdr/{name}": values[sounds].tolist(), f"improvement/{name}": better}
            if name == "full":
                named = [group for group, sounding in zip(batch.groups, sounds.tolist(), strict=True) if sounding]
                for value, group in zip(better, named, strict=True):
                    scores.setdefault(f"improvement/full/{group}", []).append(value)
                level = (_energy(estimate) + QUIET_ENERGY) / (_energy(batch.mixture) + QUIET_ENERGY)
                scores["false_output"] = (10 * torch.log10(level))[~sounds].tolist()
        return scores

    def _validation_losses(self, network: GuidedNetwork, batch: MelodyBatch) -> dict[str, list[float]]:
        if network.config.noise is None:
            return {"loss": self._magnitude_losses(network, batch, None).expand(len(batch.mixture)).tolist()}
        clean = network.analyze(batch.references)
        condition = network.channels(_listen(network, batch), clean)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).to(clean.device)
        found = {
            level: self._denoising_losses(network, clean, condition, clean.new_full((len(clean),), level), noise)
            for level in self.levels
        }
        parts = {f"loss/{level}": losses.tolist() for level, losses in found.items()}
        return {"loss": torch.stack(list(found.values())).mean(dim=0).tolist(), **parts}

    def _denoising_losses(
        self, network: GuidedNetwork, clean: Tensor, condition: Tensor, sigma: Tensor, noise: Tensor
    ) -> Tensor:
        """Return losses ``[B]`` of denoising clean spectrograms with noise of levels ``[B]``."""
        config = network.config.noise
        assert config is not None
        denoised = network.denoise(clean + sigma.view(-1, 1, 1, 1) * noise, condition, sigma)
        return denoising_loss(estimate=denoised.float(), reference=clean, sigma=sigma, data=config.data)

    def _magnitude_losses(self, network: GuidedNetwork, batch: MelodyBatch, dropped: Dropped | None) -> Tensor:
        """Return the loss of a batch, or one loss of each item, ``[B]``."""
        magnitude = network.transform(batch.mixture).abs()[:, None]
        condition = network.channels(_listen(network, batch), magnitude, dropped=dropped)
        estimate = network.estimate_magnitude(magnitude, condition).float()
        reference = network.transform(batch.references).abs()[:, None]
        axes = (1, 2, 3) if self.per_item else (0, 1, 2, 3)
        scaled = [one / (one.amax(dim=axes, keepdim=True) + TINY) for one in (estimate, reference)]
        return (scaled[0] - scaled[1]).square().mean(dim=(1, 2, 3))


def _listen(network: GuidedNetwork, batch: MelodyBatch, *, masks: bool = True) -> Given:
    positive, negative = (batch.positive, batch.negative) if masks else (None, None)
    return network.listen(batch.mixture, batch.mimicry, positive, negative)


def _separate(network: GuidedNetwork, mixture: Tensor, given: Given) -> Tensor:
    """Return targets ``[B, N]`` of any level; the noise is the same for the same number of mixtures."""
    n_samples = mixture.shape[-1]
    if network.config.noise is None:
        spectrogram = network.transform(mixture)
        magnitude = spectrogram.abs()[:, None]
        estimate = network.estimate_magnitude(magnitude, network.channels(given, magnitude))[:, 0].float()
        return network.inverse(torch.polar(estimate, spectrogram.angle()), n_samples)
    assert given.mixture is not None
    noise = torch.randn(given.mixture.shape, generator=torch.Generator().manual_seed(2)).to(mixture.device)
    return network.synthesize(network.sample(network.channels(given, noise), noise), n_samples)


def _energy(signals: Tensor) -> Tensor:
    return signals.float().square().sum(dim=-1)
