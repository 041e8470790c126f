"""The network of LaSAFT: a U-Net on complex spectrograms, told by queries which source to draw out.

Axes: B batch, T frames, F bins, D features, E size of a query, L latent sources.
Spectrograms ``[B, 4, T, F]`` hold left real, right real, left imaginary, right imaginary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.errors import ModelError
from unbraid.models.layers.fast_lasaft import (
    FastConvolution,
    FastLasaft,
    FastTdf,
    FastTfc,
    modulate_rows,
)
from unbraid.models.layers.latent_attention import (
    Generator,
    HeavyLasaft,
    LasaftShape,
    LatentAttention,
    LightLasaft,
    SharedGenerator,
    modulate,
)
from unbraid.models.layers.query_net import QueryNetConfig
from unbraid.models.layers.tfc import ACTIVATIONS, Tdf, Tfc, bottleneck_size, make_activation

LABELS = ("vocals", "drums", "bass", "other")


@dataclass(frozen=True)
class LasaftConfig:
    """Everything that shapes a network.

    Args:
        labels: names that it has learned, each with a vector; empty with a query net.
        version: 1 (ICASSP 2021: all blocks are told the query) or 2 (JAES 2022: the decoder's only).
        light: LaSAFT on a bottleneck; only version 1 has the heavy one.
        n_frames: of a window in training, T.
        n_blocks: blocks of the U-Net: as many on the way down as up, and one between.
        n_features: of every convolution, D.
        n_layers: convolutions of a block.
        n_latent: latent sources, L.
        query_size: E.
        key_size: of queries and keys inside the attention.
        bottleneck_factor: bins of a level for each unit of its frequency bottlenecks.
        smallest_bottleneck: units that a bottleneck has at least.
        activation: ``"relu"`` or ``"leaky_relu"``.
        query_listening: version 2: the attention's query hears the frames.
        key_listening: version 2: the attention's keys hear the frames.
        query_net: makes queries from recordings; None for a network of labels.
        presence: estimate whether the target sounds.
        normalize: bring every window to the same level, and its estimates back, so that loudness does not matter. The
            published networks do not: their batch normalization takes the level away while they are trained, and
            leaves it in afterwards.

    Raises:
        ModelError: if values contradict each other.

    Example:
        >>> LasaftConfig(n_latent=32).segment * 44100
        130048.0
    """

    labels: tuple[str, ...] = LABELS
    version: int = 2
    light: bool = True
    sample_rate: int = 44100
    n_fft: int = 2048
    hop_length: int = 1024
    n_frames: int = 128
    n_blocks: int = 7
    n_features: int = 24
    n_layers: int = 5
    n_latent: int = 16
    query_size: int = 32
    key_size: int = 32
    bottleneck_factor: int = 16
    smallest_bottleneck: int = 16
    activation: str = "relu"
    query_listening: bool = True
    key_listening: bool = True
    query_net: QueryNetConfig | None = None
    presence: bool = False
    normalize: bool = False

    def __post_init__(self) -> None:
        numbers = [value for value in vars(self).values() if type(value) is int]
        if min(numbers) < 1:
            raise ModelError("every number of a LaSAFT config must be positive")
        if self.version not in (1, 2):
            raise ModelError(f"LaSAFT has versions 1 and 2, got {self.version}")
        if self.version == 2 and not self.light:
            raise ModelError("only version 1 of LaSAFT has heavy blocks: set light, or version 1")
        if self.version == 1 and (self.query_listening or self.key_listening or self.query_net):
            raise ModelError("version 1 of LaSAFT neither listens nor takes recordings: use version 2")
        if bool(self.labels) == bool(self.query_net) or len(set(self.labels)) < len(self.labels):
            raise ModelError("a LaSAFT config needs either labels, each once, or a query net")
        if self.activation not in ACTIVATIONS:
            raise ModelError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if self.n_blocks % 2 == 0 or self.n_blocks < 3:
            raise ModelError(f"n_blocks must be odd and at least 3, got {self.n_blocks}")
        step = 2**self.n_levels
        if self.n_fft % (2 * step) or self.n_frames % step:
            raise ModelError(f"{self.n_levels} levels need n_fft / 2 and n_frames to be multiples of {step}")
        if self.query_net and self.n_fft % (2 << len(self.query_net.n_features)):
            raise ModelError(f"{len(self.query_net.n_features)} convolutions cannot halve {self.n_fft // 2} bins each")
        if self.hop_length > self.n_fft // 2:
            raise ModelError(f"hop_length must be at most half of n_fft, got {self.hop_length} and {self.n_fft}")

    @property
    def n_levels(self) -> int:
        """How often time and frequency are halved."""
        return self.n_blocks // 2

    @property
    def segment(self) -> float:
        """Length of a window in training, in seconds."""
        return self.hop_length * (self.n_frames - 1) / self.sample_rate

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LasaftConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON.

        Raises:
            ModelError: if it is something else.
        """
        try:
            net = values.get("query_net")
            if net is not None:
                features, strides = (tuple(net[name]) for name in ("n_features", "time_strides"))
                net = QueryNetConfig(features, strides, net["n_hidden"])
            return cls(**{**values, "labels": tuple(values["labels"]), "query_net": net})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the config of a LaSAFT network: {error}") from error


class Block(nn.Module):
    """One block of the U-Net: convolutions, gates that depend on the query, and a transformation of frequency."""

    def __init__(self, convolutions: Tfc, transform: Tdf | LightLasaft | HeavyLasaft) -> None:
        super().__init__()
        self.convolutions = convolutions
        self.transform = transform

    def forward(self, x: Tensor, queries: Tensor, gates: Tensor | None = None) -> Tensor:
        """Map ``[B, D_in, T, F]`` and ``[B, E]`` to ``[B, D, T, F]``; without gates nothing is gated."""
        x = self.convolutions(x)
        if gates is not None:
            x = modulate(x, gates)
        y: Tensor = x + self.transform(x, queries)
        return y


class LasaftNetwork(nn.Module):
    """The U-Net, without the embedding that its queries come from.

    Example:
        >>> config = LasaftConfig(n_fft=64, hop_length=32, n_blocks=3, n_features=4, smallest_bottleneck=2)
        >>> LasaftNetwork(config)(torch.zeros(1, 4, 8, 33), torch.zeros(1, 32)).shape
        torch.Size([1, 4, 8, 33])
    """

    def __init__(self, config: LasaftConfig) -> None:
        super().__init__()
        self.config = config
        n_features, n_levels, n_bins = config.n_features, config.n_levels, config.n_fft // 2
        activation = make_activation(config.activation)
        between = [activation] if config.version == 2 else []
        norm = nn.BatchNorm2d
        self.first = nn.Sequential(nn.Conv2d(4, n_features, (1, 2)), norm(n_features), activation)
        self.encoders = nn.ModuleList(self._block(n_bins >> level, is_decoder=False) for level in range(n_levels))
        self.downs, self.ups = (
            nn.ModuleList(
                nn.Sequential(kind(n_features, n_features, 2, stride=2), norm(n_features), *between)
                for _ in range(n_levels)
            )
            for kind in (nn.Conv2d, nn.ConvTranspose2d)
        )
        self.middle = self._block(n_bins >> n_levels, is_decoder=False)
        self.decoders = nn.ModuleList(self._block(n_bins >> i, is_decoder=True) for i in reversed(range(n_levels)))
        self.last = nn.Conv2d(n_features, 4, (1, 2), padding=(0, 1))
        self.gates: SharedGenerator | nn.ModuleList = (
            SharedGenerator(config.query_size, n_features, n_levels)
            if config.version == 1
            else nn.ModuleList(Generator(config.query_size, n_features**2 + n_features) for _ in range(n_levels))
        )

    def forward(self, spectrogram: Tensor, queries: Tensor) -> Tensor:
        """Estimate the spectrogram of one target for each mixture.

        Args:
            spectrogram: ``[B, 4, T, F]``, T a multiple of ``2 ** n_levels``.
            queries: ``[B, E]``.

        Returns:
            ``[B, 4, T, F]``.
        """
        return self.go_up(self.go_down(spectrogram, queries), queries)

    def go_down(self, spectrogram: Tensor, queries: Tensor) -> list[Tensor]:
        """Return what the way up begins with, and before it what each level hands over, the finest first.

        Where windows are normalized, their levels ``[B, 1, 1, 1]`` come before all.
        """
        levels = []
        if self.config.normalize:
            levels.append(level_of(spectrogram))
            spectrogram = spectrogram / levels[0]
        x = self.first(spectrogram)
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            levels.append(encoder(x, queries))
            x = down(levels[-1])
        return [*levels, self.middle(x, queries)]

    def go_up(self, levels: Sequence[Tensor], queries: Tensor) -> Tensor:
        """Return the estimate ``[B, 4, T, F]`` of what `go_down` gave; in version 2, only this depends on queries."""
        gates: Iterable[Tensor] = (
            self.gates(queries)
            if isinstance(self.gates, SharedGenerator)
            else (generator(queries) for generator in self.gates)
        )
        scales, x = levels[: self.config.normalize], levels[-1]
        handed = reversed(levels[len(scales) : -1])
        for up, decoder, level, gate in zip(self.ups, self.decoders, handed, gates, strict=True):
            x = decoder(torch.cat([up(x), level], dim=1), queries, gate)
        y: Tensor = self.last(x)
        return y * scales[0] if scales else y

    def _block(self, n_bins: int, *, is_decoder: bool) -> Block:
        config, n_features = self.config, self.config.n_features
        n_inputs = 2 * n_features if is_decoder else n_features
        convolutions = Tfc(n_inputs, n_features, config.n_layers, config.activation)
        factor, smallest = config.bottleneck_factor, config.smallest_bottleneck
        n_hidden = bottleneck_size(n_bins if config.light else n_bins * config.n_latent, factor, smallest)
        if config.version == 2 and not is_decoder:
            return Block(convolutions, Tdf(n_features, n_bins, n_hidden, config.activation))
        shape = LasaftShape(
            n_features=n_features,
            n_bins=n_bins,
            n_hidden=n_hidden,
            n_latent=config.n_latent,
            query_size=config.query_size,
            key_size=config.key_size,
            activation=config.activation,
            query_listening=config.query_listening,
            key_listening=config.key_listening,
            norm_last=config.version == 1,
        )
        return Block(convolutions, LightLasaft(shape) if config.light else HeavyLasaft(shape))


def level_of(spectrogram: Tensor) -> Tensor:
    """Return the root mean square ``[B, 1, 1, 1]`` of each spectrogram; a little above zero for silence."""
    return spectrogram.float().square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-8)


def blocks_of(modules: Iterable[nn.Module]) -> list[Block]:
    """Return the blocks among modules."""
    return [module for module in modules if isinstance(module, Block)]


class FastNetwork:
    """What a network of version 2 does in inference on a processor, without gradients; see `layers.fast_lasaft`.

    All that several queries have in common is done once: the way down, the convolutions of the first block of the way
    up, and what the others hear of the way down.

    Args:
        network: in evaluation mode; when its weights change, make this anew.
        dtype: float32, or bfloat16 for speed.
    """

    def __init__(self, network: LasaftNetwork, dtype: torch.dtype) -> None:
        self.network, self.dtype = network, dtype
        self.first = FastConvolution(network.first, dtype)
        self.downs, self.ups = (
            [FastConvolution(one, dtype) for one in parts] for parts in (network.downs, network.ups)
        )
        self.encoders = [
            (FastTfc(block.convolutions, 1, dtype), FastTdf(block.transform, dtype))
            for block in blocks_of([*network.encoders, network.middle])
            if isinstance(block.transform, Tdf)
        ]
        self.decoders = [
            (FastTfc(block.convolutions, 2, dtype), FastLasaft(block.transform, dtype))
            for block in blocks_of(network.decoders)
            if isinstance(block.transform, LightLasaft)
        ]
        self.last = network.last.weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.last_bias = None if network.last.bias is None else network.last.bias.to(dtype)

    def __call__(self, spectrogram: Tensor, queries: Tensor) -> list[Tensor]:
        """Estimate ``[B, 4, T, F]`` for each of the queries ``[S, E]``."""
        if not self.network.config.normalize:
            return self._estimate(spectrogram, queries)
        level = level_of(spectrogram)
        return [estimate.mul_(level) for estimate in self._estimate(spectrogram / level, queries)]

    def _estimate(self, spectrogram: Tensor, queries: Tensor) -> list[Tensor]:
        x = self.first(spectrogram.to(self.dtype).contiguous(memory_format=torch.channels_last))
        levels = []
        for (convolutions, transform), down in zip(self.encoders, [*self.downs, None], strict=True):
            x = transform(convolutions.answer(convolutions.hear(x)))
            if down is not None:
                levels.append(x)
                x = down(x)
        start = self.decoders[0][0].answer(self._hear(0, x, levels.pop()))
        levels.reverse()
        if len(queries) > 1:  # what the way down tells all queries
            levels = [
                convolutions.hear_part(level, 1)
                for (convolutions, _), level in zip(self.decoders[1:], levels, strict=True)
            ]
        rows = queries[:, None].expand(-1, len(spectrogram), -1)
        return [self._go_up(start, levels, row, is_heard=len(queries) > 1) for row in rows]

    def _hear(self, index: int, x: Tensor, level: Tensor) -> Tensor:
        """Return what a block of the way up hears of both of its inputs."""
        return self.decoders[index][0].hear(torch.cat([self.ups[index](x), level], dim=1))

    def _go_up(self, start: Tensor, levels: Sequence[Tensor], queries: Tensor, *, is_heard: bool) -> Tensor:
        x = start
        for index, (convolutions, transform) in enumerate(self.decoders):
            if index and is_heard:
                heard = convolutions.hear_part(self.ups[index](x), 0).add_(levels[index - 1])
                x = convolutions.answer(heard)
            elif index:
                x = convolutions.answer(self._hear(index, x, levels[index - 1]))
            gates = self.network.gates[index](queries)  # type: ignore[index]
            x = transform(modulate_rows(x, gates), queries)
        return functional.conv2d(x, self.last, self.last_bias, padding=(0, 1)).float()


def initialize(module: nn.Module, *, version: int) -> None:
    """Draw every matrix anew, as published: Kaiming-normal in version 2, Xavier-normal in version 1."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter) if version == 1 else nn.init.kaiming_normal_(parameter)
    for part in module.modules():
        if isinstance(part, LatentAttention) and isinstance(part.key, nn.Parameter) and version == 2:
            nn.init.normal_(part.key, std=(2 / part.key.numel()) ** 0.5)  # published with leading axes
