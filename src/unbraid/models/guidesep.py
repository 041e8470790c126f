"""GuideSep: draws out of a mixture what a hummed or played melody, and masks painted on its mel spectrogram, point at.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025. A diffusion model makes the complex
spectrogram of the target, whose magnitudes are compressed, out of noise; its mask-prediction baseline with the same
network scales the magnitudes of the mixture. Where paper and published code differ, the code counts.

Axes: B batch, N samples, F bins, T frames, K mel bands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.audio.stft import Stft
from unbraid.errors import ModelError
from unbraid.models.diffusion import Multistep, NoiseConfig, Solver, denoise, karras_sigmas
from unbraid.models.guidesep_conditions import (
    MISSING,
    Dropped,
    Given,
    MelProjection,
    as_channels,
    as_complex,
    compress,
    expand,
    fill_missing,
)
from unbraid.models.guidesep_network import TwinShape, TwinUnet

TINY = 1e-10
PUBLISHED_SOLVER = Multistep(order=1)


@dataclass(frozen=True)
class GuidesepConfig:
    """Everything that shapes a network.

    Args:
        network: sizes of the twin U-Net.
        noise: what noise the diffusion model works with; None for mask prediction.
        hop_length: in samples, at most one more than half of ``n_fft``.
        n_frames: of a window in training, T.
        n_mels: bands of the painted masks, K.
        n_hidden: width of the layer that spreads masks over bins.
        exponent: of compressed magnitudes.
        scale: of compressed magnitudes.

    Raises:
        ModelError: if values contradict each other.

    Example:
        >>> config = GuidesepConfig()
        >>> config.n_bins, config.segment
        (256, 4.08)
    """

    network: TwinShape = field(default_factory=TwinShape)
    noise: NoiseConfig | None = field(default_factory=NoiseConfig)
    sample_rate: int = 16000
    n_fft: int = 510
    hop_length: int = 256
    n_frames: int = 256
    n_mels: int = 80
    n_hidden: int = 256
    exponent: float = 0.2
    scale: float = 0.6

    def __post_init__(self) -> None:
        if min(value for value in vars(self).values() if type(value) in (int, float)) <= 0 or self.exponent > 1:
            raise ModelError("every number of a GuideSep config must be positive, and the exponent at most 1")
        shape, step = self.network, self.network.step
        if self.n_fft % 2 or self.hop_length > self.n_fft // 2 + 1:
            raise ModelError(f"n_fft must be even and at least 2 hops less 2, got {self.n_fft} and {self.hop_length}")
        if self.n_bins % step or self.n_frames % step:
            raise ModelError(f"the network needs n_fft / 2 + 1 bins and n_frames to be multiples of {step}")
        wanted = (2, 5, True) if self.noise else (1, 3, False)
        if (shape.n_inputs, shape.n_conditions, shape.noisy) != wanted:
            raise ModelError(f"n_inputs, n_conditions and noisy of this network must be {wanted}")

    @property
    def n_bins(self) -> int:
        """F."""
        return self.n_fft // 2 + 1

    @property
    def segment(self) -> float:
        """Length of a window in training, in seconds."""
        return self.hop_length * (self.n_frames - 1) / self.sample_rate

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GuidesepConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON.

        Raises:
            ModelError: if it is something else.
        """
        try:
            noise = values["noise"] and NoiseConfig(**values["noise"])
            return cls(**{**values, "network": TwinShape.from_dict(values["network"]), "noise": noise})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the config of a GuideSep network: {error}") from error


class Guidesep(nn.Module):
    """The network with its transforms: windows of one channel at its own rate.

    Example:
        >>> model = Guidesep(PRESETS["guidesep-debug"]).eval()
        >>> mixture, hummed = torch.zeros(1, 4000), torch.zeros(1, 4000)
        >>> model.separate_window(mixture, hummed, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([1, 4000])
    """

    def __init__(self, config: GuidesepConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.segment = config.segment
        self.stft = Stft(config.n_fft, config.hop_length, window="hann", reflect=True)
        self.network = TwinUnet(config.network)
        self.projection = MelProjection(n_mels=config.n_mels, n_hidden=config.n_hidden, n_bins=config.n_bins)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.last.weight.device

    def transform(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into complex ``[B, F, T]``, unitary; T is the least that fits the network and holds N.

        Zeros at the end complete the last frames.
        """
        hop, step = self.config.hop_length, self.config.network.step
        n_frames = -(-(-(-waveform.shape[-1] // hop) + 1) // step) * step
        with torch.autocast(waveform.device.type, enabled=False):
            padded = functional.pad(waveform.float(), (0, hop * (n_frames - 1) - waveform.shape[-1]))
            spectrogram: Tensor = self.stft(padded) * self.config.n_fft**-0.5
        return spectrogram

    def inverse(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `transform`: ``[B, length]``."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            return self.stft.inverse(spectrogram * self.config.n_fft**0.5, length=length)

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into the network's compressed spectrogram ``[B, 2, F, T]``: real and imaginary part."""
        return as_channels(compress(self.transform(waveform), exponent=self.config.exponent, scale=self.config.scale))

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `analyze`: ``[B, length]``."""
        whole = expand(as_complex(spectrogram.float()), exponent=self.config.exponent, scale=self.config.scale)
        return self.inverse(whole, length)

    def listen(
        self, mixture: Tensor, mimicry: Tensor | None, positive: Tensor | None, negative: Tensor | None
    ) -> Given:
        """Make what the network is told from waveforms ``[B, N]`` and masks ``[B, K, T]``.

        Each waveform is brought to a peak of 1. A diffusion model hears compressed spectrograms, mask prediction
        the magnitude of the mimicry as it is.
        """
        if self.config.noise is None:
            heard = None if mimicry is None else self.transform(to_peak(mimicry)).abs()
            return Given(None, heard, positive, negative)
        heard = None if mimicry is None else as_complex(self.analyze(to_peak(mimicry))).abs()
        return Given(self.analyze(to_peak(mixture)), heard, positive, negative)

    def channels(self, given: Given, like: Tensor, *, dropped: Dropped | None = None) -> Tensor:
        """Put what is given side by side: ``[B, n_conditions, F, T]``.

        Args:
            given: what the user gives.
            like: any ``[B, ..., F, T]``.
            dropped: what each item of the batch goes without, in training.
        """
        n_items, n_bins, n_frames = len(like), *like.shape[-2:]

        def part(values: Tensor | None, without: Tensor | None, *, n_channels: int = 1) -> Tensor:
            if values is None:
                return like.new_full((n_items, n_channels, n_bins, n_frames), MISSING)
            return fill_missing(values, without).view(n_items, n_channels, n_bins, n_frames)

        def spread(mask: Tensor | None) -> Tensor | None:
            if mask is None:
                return None
            spread: Tensor = self.projection(functional.pad(mask, (0, n_frames - mask.shape[-1])))
            return spread

        parts = [
            part(given.mimicry, dropped.mimicry if dropped else None),
            part(spread(given.positive), dropped.positive if dropped else None),
            part(spread(given.negative), dropped.negative if dropped else None),
        ]
        if self.config.noise is not None:
            parts.insert(0, part(given.mixture, dropped.mixture if dropped else None, n_channels=2))
        return torch.cat(parts, dim=1)

    def denoise(self, noisy: Tensor, condition: Tensor, sigma: Tensor) -> Tensor:
        """Denoise spectrograms: the forward pass of training.

        Args:
            noisy: ``[B, 2, F, T]``.
            condition: what `channels` gave.
            sigma: noise levels ``[B]``.

        Returns:
            ``[B, 2, F, T]``, within -1 and 1.
        """
        return denoise(
            lambda scaled, told: self.network(scaled, condition, noise=told), noisy, sigma, data=self._noise.data
        )

    def estimate_magnitude(self, magnitude: Tensor, condition: Tensor) -> Tensor:
        """Scale the magnitude of a mixture by the predicted mask: the forward pass of training of mask prediction.

        Args:
            magnitude: ``[B, 1, F, T]``.
            condition: what `channels` gave.
        """
        mask: Tensor = self.network(magnitude, condition).sigmoid()
        return mask * magnitude

    def conditioned(self, condition: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a denoiser for one condition and one noise level at a time.

        The network of the condition runs once for each noise level, or once in all if it is told none.
        """
        stem = self.network.stem(condition)
        heard: dict[float, list[Tensor]] = {}

        def answer(scaled: Tensor, told: Tensor) -> Tensor:
            level = float(told[0]) if self.config.network.noisy_condition else 0.0
            if level not in heard:
                heard.clear()
                heard[level] = self.network.hear(stem, noise=told)
            return self.network.answer(scaled, heard[level], noise=told)

        return lambda noisy, sigma: denoise(answer, noisy, sigma, data=self._noise.data)

    def sample(
        self, condition: Tensor, noise: Tensor, *, n_steps: int = 8, solver: Solver = PUBLISHED_SOLVER
    ) -> Tensor:
        """Make the compressed spectrogram of the target out of noise.

        Args:
            condition: what `channels` gave, ``[B, 5, F, T]``.
            noise: standard normal ``[B, 2, F, T]``.
            n_steps: noise levels of the schedule, of which the last is where it ends: 8 as published are 7 evaluations.
            solver: of `diffusion`.

        Returns:
            ``[B, 2, F, T]``, within -1 and 1.
        """
        sigmas = karras_sigmas(n_steps, self._noise).to(noise.device)
        return solver(self.conditioned(condition), sigmas[0] * noise, sigmas).clamp(-1, 1)

    @torch.no_grad()
    def separate_window(
        self,
        mixture: Tensor,
        mimicry: Tensor | None = None,
        positive: Tensor | None = None,
        negative: Tensor | None = None,
        *,
        generator: torch.Generator,
        n_steps: int = 8,
        solver: Solver = PUBLISHED_SOLVER,
    ) -> Tensor:
        """Draw the target out of windows, whatever their level.

        Each is brought to a peak of 1, and its answer back to the level of the mixture. A diffusion model's answer is
        scaled to explain as much of the mixture as it can (`match_level`).

        Args:
            mixture: ``[B, N]`` at the network's rate.
            mimicry: of the same shape, or None.
            positive: mask in 0..1, ``[B, K, T]``, of what is the target, or None; frames are ``hop_length`` apart.
            negative: mask of what is not the target.
            generator: of the noise; the answer depends on it. Mask prediction does not read it.
            n_steps: see `sample`; not read by mask prediction.
            solver: likewise.

        Returns:
            ``[B, N]``.
        """
        n_samples = mixture.shape[-1]
        given = self.listen(mixture, mimicry, positive, negative)
        if self.config.noise is None:
            spectrogram = self.transform(to_peak(mixture))
            magnitude = spectrogram.abs()[:, None]
            estimate = self.estimate_magnitude(magnitude, self.channels(given, magnitude))[:, 0].float()
            drawn = self.inverse(torch.polar(estimate, spectrogram.angle()), n_samples)
            return drawn * mixture.abs().amax(dim=-1, keepdim=True)
        assert given.mixture is not None
        noise = torch.randn(given.mixture.shape, generator=generator, device=generator.device).to(self.device)
        found = self.sample(self.channels(given, noise), noise, n_steps=n_steps, solver=solver)
        return match_level(estimate=self.synthesize(found, n_samples), mixture=mixture)

    @property
    def _noise(self) -> NoiseConfig:
        if self.config.noise is None:
            raise ModelError("a network of mask prediction knows no noise: ask it for magnitudes")
        return self.config.noise


def to_peak(waveform: Tensor) -> Tensor:
    """Bring waveforms ``[..., N]`` to a peak of 1; silence stays silent.

    Example:
        >>> to_peak(torch.tensor([0.0, -0.5]))
        tensor([ 0., -1.])
    """
    return waveform / (waveform.abs().amax(dim=-1, keepdim=True) + TINY)


def match_level(*, estimate: Tensor, mixture: Tensor) -> Tensor:
    """Scale estimates ``[..., N]`` so that as little as possible of the mixture is left without them; never below zero.

    Example:
        >>> match_level(estimate=torch.tensor([4.0, 0.0]), mixture=torch.tensor([1.0, 3.0]))
        tensor([1., 0.])
    """
    common = (estimate * mixture).sum(dim=-1, keepdim=True)
    gain = common / estimate.square().sum(dim=-1, keepdim=True).clamp_min(TINY)
    return gain.clamp_min(0) * estimate


def magnitude_loss(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean squared error of magnitudes, each divided by its largest value in the whole batch: of mask prediction.

    Example:
        >>> magnitude_loss(estimate=torch.tensor([1.0, 2.0]), reference=torch.tensor([2.0, 4.0]))
        tensor(0.)
    """
    return functional.mse_loss(estimate / (estimate.max() + TINY), reference / (reference.max() + TINY))


def baseline(config: GuidesepConfig) -> GuidesepConfig:
    """Return the mask prediction of the same size."""
    shape = replace(config.network, n_inputs=1, n_conditions=3, noisy=False, noisy_condition=False)
    return replace(config, network=shape, noise=None)


PUBLISHED = GuidesepConfig()
SMALL = replace(
    PUBLISHED,
    network=TwinShape(
        n_features=32,
        multipliers=(2, 4, 4),
        attention=(False, True, True),
        n_blocks=1,
        n_heads=4,
        noisy_condition=False,
        patch=2,
    ),
)
DEBUG = replace(
    PUBLISHED,
    network=TwinShape(n_features=6, multipliers=(1, 1), attention=(False, True), n_blocks=1, n_groups=2),
    n_fft=62,
    hop_length=32,
    n_frames=32,
    n_hidden=8,
)
PRESETS: dict[str, GuidesepConfig] = {
    "guidesep-debug": DEBUG,
    "guidesep-mask-debug": baseline(DEBUG),
    "guidesep-small": SMALL,
    "guidesep-mask-small": baseline(SMALL),
    "guidesep": PUBLISHED,
    "guidesep-mask": baseline(PUBLISHED),
}
