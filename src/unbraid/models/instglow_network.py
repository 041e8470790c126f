"""The prior of InstGlow: a flow that tells how likely a spectrogram is as the sound of one source, and draws such ones.

Source: Zhu, Darefsky, Jiang, Selitskiy, Duan, "Music source separation with generative flow", IEEE SPL 2022, sections
2.2 and 3.1. Sizes that the paper does not give are those of the published settings. Unlike the published training, the
first scales are those of a batch (`Prior.initialize`).

Features are linear magnitudes without any normalization, with rows of zeros above the highest bin: frequencies are the
channels of convolutions over time. Frames are squeezed into channels for all blocks.

Axes: B batch, F bins, C channels (bins and rows of zeros), T frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from unbraid.errors import ModelError
from unbraid.models.layers.flow import (
    ActNorm,
    AffineCoupling,
    GroupedMix,
    Moved,
    Wavenet,
    count_frames,
    squeeze,
    unsqueeze,
)

N_PROBED = 8  # squeezed frames of what a prior expects
HANN_ENERGY = 3 / 8  # of a window, for each of its samples
FAR = 10.0  # for who trained with recordings beyond full scale
LATENT_ERROR = 0.05  # a thousand times that of priors that ship


@dataclass(frozen=True)
class PriorConfig:
    """Everything that shapes a prior.

    Args:
        sample_rate: in hertz.
        n_fft: window and transform length in samples, even; the window is Hann's.
        hop_length: in samples, at most half of ``n_fft``.
        n_channels: C, at least F.
        n_squeeze: neighboring frames that are one inside.
        n_blocks: of the flow.
        n_split: channels of a group of the invertible convolution, even.
        n_hidden: features of the coupling network.
        kernel_size: of its convolutions, odd.
        dilation_base: their dilations are its powers.
        n_layers: of the coupling network.
        dropout: in it, while training.
        sigmoid_scale: scales of couplings come out of a sigmoid.

    Raises:
        ModelError: if values contradict each other.

    Example:
        >>> config = PriorConfig()
        >>> config.n_bins, config.n_channels, config.width
        (513, 514, 1028)
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 256
    n_channels: int = 514
    n_squeeze: int = 2
    n_blocks: int = 12
    n_split: int = 4
    n_hidden: int = 128
    kernel_size: int = 5
    dilation_base: int = 1
    n_layers: int = 4
    dropout: float = 0.05
    sigmoid_scale: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(field.default) is int and (type(value) is not int or value < 1):
                raise ModelError(f"{field.name} of a prior must be a whole number above 0, got {value!r}")
        if self.n_fft % 2 or self.hop_length > self.n_fft // 2:
            raise ModelError(f"n_fft must be even and at least 2 hops, got {self.n_fft} and {self.hop_length}")
        if self.n_channels < self.n_bins:
            raise ModelError(f"{self.n_channels} channels do not hold the {self.n_bins} bins of n_fft {self.n_fft}")
        if self.n_split % 2 or self.width % self.n_split:
            raise ModelError(f"n_split {self.n_split} must be even and divide the {self.width} channels inside")
        if self.kernel_size % 2 == 0 or not 0 <= self.dropout < 1:
            raise ModelError(f"kernel_size must be odd and dropout below 1, got {self.kernel_size}, {self.dropout}")

    @property
    def n_bins(self) -> int:
        """F."""
        return self.n_fft // 2 + 1

    @property
    def width(self) -> int:
        """Channels inside, of squeezed frames."""
        return self.n_channels * self.n_squeeze

    @property
    def front_end(self) -> tuple[int, int, int, int, int]:
        """What priors must have in common that hear one mixture together."""
        return self.sample_rate, self.n_fft, self.hop_length, self.n_channels, self.n_squeeze

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PriorConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON.

        Raises:
            ModelError: if it is something else.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ModelError(f"this is not the config of a prior of InstGlow: {error}") from error


class Latents(NamedTuple):
    """What a prior makes of features: latents ``[B, C, T]``, log-determinants ``[B]``, frames that count ``[B, 1, T]``.

    The mask is None where all frames count.
    """

    values: Tensor
    log_determinant: Tensor
    mask: Tensor | None


class Block(nn.Module):
    """One step of the flow: normalization, invertible convolution, coupling."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.norm = ActNorm(config.width)
        self.mix = GroupedMix(config.width, config.n_split)
        wavenet = Wavenet(
            config.n_hidden,
            kernel_size=config.kernel_size,
            dilation_base=config.dilation_base,
            n_layers=config.n_layers,
            dropout=config.dropout,
        )
        self.coupling = AffineCoupling(
            config.width, wavenet, n_hidden=config.n_hidden, sigmoid_scale=config.sigmoid_scale
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Moved:
        """Go one step from data to latents."""
        x, first = self.norm(x, mask)
        x, second = self.mix(x, mask)
        x, third = self.coupling(x, mask)
        return x, first + second + third

    def inverse(self, z: Tensor, mask: Tensor | None) -> Moved:
        """Go one step back."""
        z, first = self.coupling.inverse(z, mask)
        z, second = self.mix.inverse(z, mask)
        z, third = self.norm.inverse(z, mask)
        return z, first + second + third


class Prior(nn.Module):
    """The flow of one source.

    Example:
        >>> prior = Prior(PRIORS["debug"]).eval()
        >>> features = prior.features(torch.rand(1, 33, 11))
        >>> latents = prior(features)
        >>> latents.values.shape
        torch.Size([1, 34, 10])
        >>> torch.allclose(prior.inverse(latents.values)[0], features, atol=1e-5)
        True
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_blocks))

    def features(self, magnitude: Tensor) -> Tensor:
        """Return magnitudes ``[B, F, T]`` as features ``[B, C, T]``; frames that do not fill a squeezed one are cut.

        Raises:
            ModelError: if the number of bins is another, or no frame is left.
        """
        shape = self.config
        n_frames = magnitude.shape[-1] - magnitude.shape[-1] % shape.n_squeeze
        if magnitude.shape[-2] != shape.n_bins or not n_frames:
            raise ModelError(
                f"a prior of n_fft {shape.n_fft} takes [B, {shape.n_bins}, T] with {shape.n_squeeze} or more frames, "
                f"not {tuple(magnitude.shape)}"
            )
        return functional.pad(magnitude[..., :n_frames], (0, 0, 0, shape.n_channels - shape.n_bins))

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Latents:
        """Return the latents of features ``[B, C, T]``, of which the first ``lengths`` ``[B]`` frames count."""
        x, mask = self._squeeze(features, lengths)
        total = x.new_zeros(len(x))
        for block in self.blocks:
            x, one = block(x, mask)
            total = total + one
        return Latents(unsqueeze(x, self.config.n_squeeze), total, self._mask_of_frames(mask))

    def inverse(self, latents: Tensor, lengths: Tensor | None = None, *, recompute: bool = False) -> Moved:
        """Return the features that latents ``[B, C, T]`` stand for, and the log-determinants ``[B]`` of the way there.

        Features may be negative. With ``recompute``, gradients are computed with the memory of one block, and work of
        it done twice.
        """
        z, mask = self._squeeze(latents, lengths)
        total = z.new_zeros(len(z))
        for block in reversed(self.blocks):
            assert isinstance(block, Block)
            z, one = checkpoint(block.inverse, z, mask, use_reentrant=False) if recompute else block.inverse(z, mask)
            total = total + one
        return unsqueeze(z, self.config.n_squeeze), total

    @torch.no_grad()
    def initialize(self, features: Tensor, lengths: Tensor | None = None, *, variance_floor: float = 0.0) -> None:
        """Let every block begin with whitened channels of one batch; to be called once, before training.

        Channels whose variance is below ``variance_floor`` times the mean of all are scaled as if they had that.
        """
        x, mask = self._squeeze(features, lengths)
        for block in self.blocks:
            assert isinstance(block, Block)
            block.norm.initialize(x, mask, variance_floor=variance_floor)
            x, _ = block(x, mask)

    @torch.no_grad()
    def draw(self, n_frames: int, *, generator: torch.Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draw features ``[1, C, T]`` of the source, of at most ``n_frames``."""
        weight = next(self.parameters())
        shape = (1, self.config.n_channels, n_frames)
        latents = temperature * torch.randn(shape, generator=generator).to(weight.device)
        features: Tensor = self.inverse(latents)[0]
        return features

    def _squeeze(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        n_squeeze = self.config.n_squeeze
        if x.ndim != 3 or x.shape[1] != self.config.n_channels or x.shape[2] < n_squeeze:
            raise ModelError(
                f"a prior takes [B, {self.config.n_channels}, T] with {n_squeeze} or more frames, not {tuple(x.shape)}"
            )
        squeezed = squeeze(x, n_squeeze)
        if lengths is None:
            return squeezed, None
        ends = torch.arange(n_squeeze, x.shape[2] + 1, n_squeeze, device=x.device)  # a squeezed frame counts if all do
        mask = (ends <= lengths.to(x.device)[:, None, None]).to(x.dtype)
        return squeezed * mask, mask

    def _mask_of_frames(self, mask: Tensor | None) -> Tensor | None:
        return None if mask is None else mask.repeat_interleave(self.config.n_squeeze, dim=2)


@torch.no_grad()
def check_weights(prior: Prior, name: str) -> None:
    """Refuse weights that are numbers, but make no prior: one that would claim any song, or gives nothing back.

    Latents of zero stand for what a prior expects before it hears anything. Recordings within full scale have
    magnitudes whose root mean square is at most that of the window's energy, and a flow that works turns them into the
    same latents again.

    Args:
        prior: in evaluation mode.
        name: of its source, for messages.

    Raises:
        ModelError: if what it expects is far louder than any recording, or comes back as other latents.

    Example:
        >>> prior = Prior(PRIORS["debug"]).eval()
        >>> check_weights(prior, "bass")
        >>> _ = prior.blocks[0].norm.bias.data.fill_(1e6)
        >>> check_weights(prior, "bass")
        Traceback (most recent call last):
        unbraid.errors.ModelError: the prior of 'bass' is damaged: ...
    """
    shape, weight = prior.config, next(prior.parameters())
    silence = torch.zeros(1, shape.n_channels, N_PROBED * shape.n_squeeze, device=weight.device)
    expected: Tensor = prior.inverse(silence)[0]
    loudness = float(expected.square().mean().sqrt())
    error = float(prior(expected).values.abs().max())
    cure = "get its file again, or train it anew"
    if not math.isfinite(loudness):
        raise ModelError(f"the prior of {name!r} is damaged: it expects what is no finite number: {cure}")
    if loudness > FAR * math.sqrt(HANN_ENERGY * shape.n_fft):
        raise ModelError(f"the prior of {name!r} is damaged: it expects sounds far louder than any recording: {cure}")
    if not error <= LATENT_ERROR:
        raise ModelError(f"the prior of {name!r} is damaged: what it expects leads to other latents: {cure}")


def negative_log_likelihood(latents: Latents) -> Tensor:
    """Return the mean negative log-likelihood of a batch, in nats per channel and frame: what training makes small.

    Example:
        >>> zero = torch.zeros(1, 2, 4)
        >>> negative_log_likelihood(Latents(zero, torch.zeros(1), None))
        tensor(0.9189)
    """
    values, log_determinant, mask = latents
    n_values = values.shape[1] * count_frames(values, mask).sum()
    energy = 0.5 * values.square().sum()
    return (energy - log_determinant.sum()) / n_values + 0.5 * math.log(2 * math.pi)


PUBLISHED = PriorConfig()
SMALL = replace(PUBLISHED, n_blocks=8, n_hidden=64, kernel_size=3, dilation_base=2, n_layers=3)
DEBUG = replace(PUBLISHED, n_fft=64, hop_length=16, n_channels=34, n_blocks=2, n_hidden=8, n_layers=2)
PRIORS: dict[str, PriorConfig] = {"debug": DEBUG, "small": SMALL, "published": PUBLISHED}
