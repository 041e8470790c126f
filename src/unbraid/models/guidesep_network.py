"""The network of GuideSep: two U-Nets of one shape, of which one hears the condition and tells the other at every step.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, sections 2.2 and 3.1.3. Where paper
and published weights differ, the weights count: features of the condition are added at the input of every block of
the other U-Net (none in front of its middle) and once more before the head.

Axes: B batch, D features, F bins, T frames, E size of the embedding of a noise level, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.errors import ModelError
from unbraid.models.diffusion import NoiseConfig
from unbraid.models.guidesep_presence import N_MASK, N_MELODY
from unbraid.models.layers.resnet import STEM_KERNELS, GlobalAttention, NoiseEmbedding, ResidualBlock, Stem

SKIP_SCALE = 2**-0.5
FIRST_MASK = -1.735  # before the sigmoid: 0.3 of the mixture, which explains most of a target before training
FULL_BAND_RATE = 44100  # Hz, of the mixtures that stems are drawn out of; the network hears less


@dataclass(frozen=True)
class TwinShape:
    """Sizes of a twin U-Net.

    Args:
        n_inputs: channels of the spectrogram that is worked on, and of the answer.
        n_conditions: channels of the condition.
        n_features: of the finest level.
        multipliers: features of each of the L levels below, in multiples of ``n_features``.
        attention: whether each of the L levels attends to all of its bins; the middle always does.
        n_blocks: gated residual blocks of each level, behind the one that enters it.
        n_groups: of the normalization.
        n_entry_groups: of that of the blocks that enter a level on the way down, where it is not ``n_groups``: the
            published mask prediction has 8 there at any size.
        n_heads: of attention.
        expansion: of the feed-forward behind attention.
        noisy: the network is told noise levels.
        noisy_condition: the U-Net of the condition is told them, too; otherwise it need not run for each.
        patch: bins and frames that are folded into channels before the first convolution, so that the finest level is
            coarser by this factor; 1 as published.
        stem_kernels: sizes of the three first convolutions, in bins and frames, or in patches.
        masked: a mask on the mixture is answered beside the spectrogram (diffusion only; ours).

    Raises:
        ModelError: if values contradict each other.

    Example:
        >>> TwinShape().step, TwinShape().widths
        (16, (128, 128, 256, 256, 256))
    """

    n_inputs: int = 2
    n_conditions: int = 5
    n_features: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    attention: tuple[bool, ...] = (False, False, True, True)
    n_blocks: int = 2
    n_groups: int = 8
    n_heads: int = 2
    expansion: int = 2
    noisy: bool = True
    noisy_condition: bool = True
    patch: int = 1
    n_entry_groups: int | None = None
    stem_kernels: tuple[int, ...] = STEM_KERNELS
    masked: bool = False

    def __post_init__(self) -> None:
        if len(self.stem_kernels) != 3 or any(kernel % 2 == 0 for kernel in self.stem_kernels):
            raise ModelError(f"a stem has three convolutions of odd sizes, not {self.stem_kernels}")
        if len(self.multipliers) != len(self.attention) or not self.multipliers:
            raise ModelError("a twin U-Net needs a multiplier and a choice of attention for each level")
        numbers = [*self.multipliers, *(value for value in vars(self).values() if type(value) is int)]
        if min(numbers) < 1:
            raise ModelError("every number of a twin U-Net must be positive")
        if self.n_features < 4 or any(width % self.n_groups for width in self.widths):
            raise ModelError(f"features {self.widths} must be at least 4, and multiples of {self.n_groups} groups")
        if any(width % (self.n_entry_groups or 1) for width in self.widths[1:]):
            raise ModelError(f"features {self.widths[1:]} must be multiples of {self.n_entry_groups} groups")
        if any(width % self.n_heads for width in self.widths):
            raise ModelError(f"features {self.widths} must be multiples of {self.n_heads} heads")
        if self.masked and not self.noisy:
            raise ModelError("a network that predicts masks needs no mask beside its answer")
        if self.noisy_condition and not self.noisy:
            raise ModelError("the condition's U-Net cannot be told noise levels that the network is not told")

    @property
    def widths(self) -> tuple[int, ...]:
        """Features of the finest level and of the L below."""
        return (self.n_features, *(self.n_features * factor for factor in self.multipliers))

    @property
    def step(self) -> int:
        """What F and T must be multiples of."""
        return int(self.patch * 2 ** len(self.multipliers))

    @property
    def n_outputs(self) -> int:
        """Channels of the network's answer: a spectrogram, and a mask where there is one."""
        return self.n_inputs + self.masked

    @property
    def noise_size(self) -> int:
        """E; 0 if the network is told no noise levels."""
        return 4 * self.n_features if self.noisy else 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TwinShape:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON."""
        kernels = tuple(values.get("stem_kernels", STEM_KERNELS))
        tuples = {name: tuple(values[name]) for name in ("multipliers", "attention")}
        return cls(**{**values, **tuples, "stem_kernels": kernels})


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
        n_evaluations: of the network for one draw, unless another number is asked for.
        presence: weights of what a mimicry and a positive mask tell of it (`guidesep_presence`); fitted, or empty.

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
    n_evaluations: int = 7
    presence: tuple[tuple[float, ...], ...] = ()

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
    def step(self) -> int:
        """Least number of samples of the full band that lasts a whole number of hops."""
        return self.hop_length * FULL_BAND_RATE // math.gcd(self.hop_length * FULL_BAND_RATE, self.sample_rate)

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
            presence = tuple(tuple(row) for row in values.get("presence", ()))
            if tuple(map(len, presence)) != (N_MELODY + 1, N_MASK + 1):
                presence = ()  # none, or fitted to what presence was judged by in older files
            network = TwinShape.from_dict(values["network"])
            return cls(**{**values, "network": network, "noise": noise, "presence": presence})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the config of a GuideSep network: {error}") from error


class Blocks(nn.Module):
    """The residual blocks of one level and its attention, on either way."""

    def __init__(
        self, shape: TwinShape, level: int, *, n_inputs: int, noise_size: int, n_entry_groups: int | None = None
    ) -> None:
        super().__init__()
        width = shape.widths[level + 1]

        def block(n_groups: int, *, gated: bool) -> ResidualBlock:
            return ResidualBlock(n_inputs, width, n_groups=n_groups, noise_size=noise_size, gated=gated)

        self.entry = block(n_entry_groups or shape.n_groups, gated=False)
        self.blocks = nn.ModuleList(block(shape.n_groups, gated=True) for _ in range(shape.n_blocks))
        self.attention: nn.Module = nn.Identity()
        if shape.attention[level]:
            self.attention = GlobalAttention(width, n_heads=shape.n_heads, expansion=shape.expansion)


class Down(Blocks):
    """A level on the way down: half of the bins and frames."""

    def __init__(self, shape: TwinShape, level: int, noise_size: int) -> None:
        before, width = shape.widths[level : level + 2]
        super().__init__(shape, level, n_inputs=width, noise_size=noise_size, n_entry_groups=shape.n_entry_groups)
        self.down = nn.Conv2d(4 * before, width, 1)

    def forward(self, features: Tensor, noise: Tensor | None, skips: list[Tensor]) -> Tensor:
        """Return features of half the size, and put those that the way up will want on ``skips``."""
        features = self.entry(self.down(functional.pixel_unshuffle(features, 2)), noise)
        for block in self.blocks:
            features = block(features, noise)
            skips.append(features)
        features = self.attention(features)
        skips.append(features)
        return features


class Up(Blocks):
    """A level on the way up: twice the bins and frames."""

    def __init__(self, shape: TwinShape, level: int, noise_size: int) -> None:
        before, width = shape.widths[level : level + 2]
        super().__init__(shape, level, n_inputs=2 * width, noise_size=noise_size)
        self.up = nn.Conv2d(width, 4 * before, 1)
        with torch.no_grad():  # begin without a checkerboard: neighbors get the same
            filters = nn.init.kaiming_uniform_(torch.empty(before, width, 1, 1))
            self.up.weight.copy_(filters.repeat_interleave(4, dim=0))
        nn.init.zeros_(cast(nn.Parameter, self.up.bias))

    def forward(self, features: Tensor, noise: Tensor | None, skips: list[Tensor]) -> Tensor:
        """Return features of twice the size; what `Down` left on ``skips`` last is taken first."""
        for block in (self.entry, *self.blocks):
            features = block(torch.cat([features, SKIP_SCALE * skips.pop()], dim=1), noise)
        return functional.pixel_shuffle(functional.silu(self.up(self.attention(features))), 2)


class Middle(nn.Module):
    """What lies below the coarsest level."""

    def __init__(self, shape: TwinShape, noise_size: int) -> None:
        super().__init__()
        width = shape.widths[-1]
        self.first = ResidualBlock(width, width, n_groups=shape.n_groups, noise_size=noise_size)
        self.attention = GlobalAttention(width, n_heads=shape.n_heads, expansion=shape.expansion)
        self.second = ResidualBlock(width, width, n_groups=shape.n_groups, noise_size=noise_size)

    def forward(self, features: Tensor, noise: Tensor | None) -> Tensor:
        """Transform ``[B, D, F, T]``."""
        features = self.attention(self.first(features, noise))
        drawn: Tensor = self.second(features, noise)
        return drawn


class Branch(nn.Module):
    """One of the twins, from its stem to where the head begins."""

    def __init__(self, shape: TwinShape, *, n_inputs: int, noise_size: int) -> None:
        super().__init__()
        n_levels = len(shape.multipliers)
        self.stem = Stem(n_inputs * shape.patch**2, shape.n_features, kernels=shape.stem_kernels)
        self.entry = ResidualBlock(
            shape.n_features, shape.n_features, n_groups=shape.n_groups, noise_size=noise_size, gated=True
        )
        self.downs = nn.ModuleList(Down(shape, level, noise_size) for level in range(n_levels))
        self.middle = Middle(shape, noise_size)
        self.ups = nn.ModuleList(Up(shape, level, noise_size) for level in reversed(range(n_levels)))

    def forward(self, stem: Tensor, noise: Tensor | None, added: Sequence[Tensor] = ()) -> list[Tensor]:
        """Run the U-Net on what its stem gave.

        Args:
            stem: ``[B, D, F, T]``.
            noise: embedding ``[B, E]``, None for a U-Net that is told no noise levels.
            added: the answer of the other twin, or nothing.

        Returns:
            What goes into each of the 2 L levels, and last what comes out, with ``added``.
        """
        features, skips, heard = self.entry(stem, noise), list[Tensor](), list[Tensor]()
        for place, block in enumerate((*self.downs, *self.ups)):
            if place == len(self.downs):
                features = self.middle(features, noise)
            features = features + added[place] if added else features
            heard.append(features)
            features = block(features, noise, skips)
        return [*heard, features + added[-1] if added else features]


class TwinUnet(nn.Module):
    """Both U-Nets and the head.

    Example:
        >>> shape = TwinShape(n_features=4, multipliers=(1, 2), attention=(False, True), n_blocks=1, n_groups=2)
        >>> network = TwinUnet(shape)
        >>> spectrogram, condition = torch.zeros(1, 2, 16, 8), torch.zeros(1, 5, 16, 8)
        >>> network(spectrogram, condition, noise=torch.zeros(1)).shape
        torch.Size([1, 2, 16, 8])
    """

    def __init__(self, shape: TwinShape) -> None:
        super().__init__()
        self.shape = shape
        size = shape.noise_size
        self.noise = NoiseEmbedding(size) if size else None
        self.score = Branch(shape, n_inputs=shape.n_inputs, noise_size=size)
        self.condition = Branch(shape, n_inputs=shape.n_conditions, noise_size=size if shape.noisy_condition else 0)
        self.head = ResidualBlock(
            shape.n_features, shape.n_features, n_groups=shape.n_groups, noise_size=size, gated=True
        )
        self.last = nn.Conv2d(shape.n_features, shape.n_outputs * shape.patch**2, 3, padding=1)
        self._initialize()

    @torch.no_grad()
    def _initialize(self) -> None:
        """Begin with an answer of zero, and with twins that are alike but for their stems."""
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast(nn.Parameter, self.last.bias))
        if self.shape.masked:
            cast(nn.Parameter, self.last.bias)[-(self.shape.patch**2) :] = FIRST_MASK
        twin = self.score.state_dict()
        own = self.condition.state_dict()
        self.condition.load_state_dict(
            {key: value if key.startswith("stem.") else twin[key] for key, value in own.items()}
        )

    def forward(self, spectrogram: Tensor, condition: Tensor | None, *, noise: Tensor | None = None) -> Tensor:
        """Answer for a spectrogram.

        Args:
            spectrogram: ``[B, n_inputs, F, T]``; F and T are multiples of ``shape.step``.
            condition: ``[B, n_conditions, F, T]``; None runs the one U-Net alone.
            noise: ``[B]``, as `diffusion.precondition` scales noise levels; None for a network that is told none.

        Returns:
            ``[B, n_outputs, F, T]``.
        """
        heard = [] if condition is None else self.hear(self.stem(condition), noise=noise)
        return self.answer(spectrogram, heard, noise=noise)

    def stem(self, condition: Tensor) -> Tensor:
        """Turn a condition ``[B, n_conditions, F, T]`` into features ``[B, D, F, T]``, which no noise level enters."""
        features: Tensor = self.condition.stem(functional.pixel_unshuffle(condition, self.shape.patch))
        return features

    def hear(self, stem: Tensor, *, noise: Tensor | None = None) -> list[Tensor]:
        """Run the U-Net of the condition at one noise level for each item; the answer is for `answer`."""
        heard: list[Tensor] = self.condition(stem, self._embed(noise) if self.shape.noisy_condition else None)
        return heard

    def answer(self, spectrogram: Tensor, heard: Sequence[Tensor], *, noise: Tensor | None = None) -> Tensor:
        """Answer for a spectrogram, given what `hear` heard, or nothing."""
        embedding = self._embed(noise)
        stem = self.score.stem(functional.pixel_unshuffle(spectrogram, self.shape.patch))
        features = self.head(self.score(stem, embedding, heard)[-1], embedding)
        return functional.pixel_shuffle(self.last(features), self.shape.patch)

    def _embed(self, noise: Tensor | None) -> Tensor | None:
        if self.noise is None:
            return None
        assert noise is not None
        embedding: Tensor = self.noise(noise)
        return embedding
