"""A U-Net of strided convolutions, for any size.

Source: Jansson et al., "Singing voice separation with deep U-Net convolutional networks", ISMIR 2017; Meseguer-Brocal
and Peeters, "Conditioned-U-Net", ISMIR 2019. There 512 of 513 bins are used; here every transposed convolution is given
the size of the connection that it meets, so that nothing is dropped.

Axes: B batch, D features, F bins, T frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from torch import Tensor, cat, channels_last, is_autocast_enabled, nn
from torch.nn import functional

from unbraid.models.layers.folding import Fold, folds

ACTIVATIONS = ("leaky_relu", "relu")
SLOPE = 0.2
DROPPED = (1, 2, 3)  # the second to the fourth block of the decoder
NARROW = 16  # features of an output up to which phases are faster in float32


@dataclass(frozen=True)
class UnetShape:
    """What shapes a U-Net.

    Args:
        n_inputs: features of the input.
        n_outputs: features of the output.
        n_features: of each level, from the first to the bottleneck; each halves both axes.
        kernel_size: of all convolutions, odd.
        activation: of the decoder: ``"leaky_relu"`` as in the encoder, or ``"relu"``.
        dropout: probability in the second to the fourth block of the decoder.

    Raises:
        ValueError: if a value is out of range.
    """

    n_inputs: int
    n_outputs: int
    n_features: tuple[int, ...]
    kernel_size: int = 5
    activation: str = "leaky_relu"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if not self.n_features or min(self.n_inputs, self.n_outputs, *self.n_features) < 1:
            raise ValueError("a U-Net needs at least one level, and features in each")
        if self.kernel_size % 2 == 0 or not 0 <= self.dropout < 1:
            raise ValueError(f"kernel_size must be odd and dropout in [0, 1), got {self.kernel_size}, {self.dropout}")


class Down(nn.Module):
    """Convolution of stride 2, batch norm, leaky ReLU."""

    def __init__(self, n_inputs: int, n_outputs: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_outputs, kernel_size, stride=2, padding=kernel_size // 2)
        self.norm = nn.BatchNorm2d(n_outputs)
        self.fold = Fold()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, D_in, F, T]`` to ``[B, D, ceil(F / 2), ceil(T / 2)]``."""
        if folds(self):
            x = functional.conv2d(x, *self.fold(self.conv, self.norm), stride=2, padding=self.conv.padding[0])
        else:
            x = self.norm(self.conv(x))
        return functional.leaky_relu(x, SLOPE, inplace=True)


class Up(nn.Module):
    """Transposed convolution of stride 2, and in all blocks but the last batch norm, activation, dropout.

    In inference, the parts that its input is joined from are heard one by one, and what is heard is added up: what the
    way down tells is the same for all that is drawn out. On a processor, where it is faster, each phase of the output
    has a convolution of its own (`phases`).
    """

    def __init__(self, n_inputs: int, n_outputs: int, shape: UnetShape, *, is_last: bool, dropout: float) -> None:
        super().__init__()
        size = shape.kernel_size
        self.conv = nn.ConvTranspose2d(n_inputs, n_outputs, size, stride=2, padding=size // 2)
        self.norm = None if is_last else nn.BatchNorm2d(n_outputs)
        self.slope = 0.0 if shape.activation == "relu" else SLOPE
        self.dropout = nn.Dropout2d(dropout) if dropout else None
        self.fold, self.fold_phases = Fold(), Fold(phases)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Map ``[B, D_in, F, T]`` to ``[B, D, *size]``, twice as large, or one less."""
        conv = self.conv
        x = self._transpose(x, conv.weight, conv.bias, size)
        if self.norm is None:
            return x
        x = functional.leaky_relu(self.norm(x), self.slope, inplace=True)
        return x if self.dropout is None else self.dropout(x)

    def hear(self, x: Tensor, size: Sequence[int], *, first: int = 0) -> Tensor:
        """Return what is heard of some features of the input, from `first` on; for inference.

        Args:
            x: ``[B, D_x, F, T]``.
            size: of the block's output.
            first: index among the features of the whole input; those that come first bring the bias with them.

        Returns:
            ``[B, D, *size]``, or the four phases of it ``[B, 4 D, F, T]``.
        """
        here = slice(first, first + x.shape[1])
        if self._has_phases(x):
            weight, bias = self.fold_phases(self.conv, self.norm)
            weight = weight[:, here].contiguous(memory_format=channels_last)
            return functional.conv2d(x, weight, None if first else bias, padding=weight.shape[-1] // 2)
        weight, bias = self.fold(self.conv, self.norm)
        return self._transpose(x, weight[here], None if first else bias, size)

    def finish(self, heard: Tensor, size: Sequence[int]) -> Tensor:
        """Make the output ``[B, D, *size]`` of the sum of all that was heard, which is used up; for inference."""
        if self.norm is not None:
            heard = functional.leaky_relu(heard, self.slope, inplace=True)
        return heard if heard.shape[1] == self.conv.out_channels else join_phases(heard, size)

    def _has_phases(self, x: Tensor) -> bool:
        place = x.device.type
        return place == "cpu" and (self.conv.out_channels <= NARROW or is_autocast_enabled(place))

    def _transpose(self, x: Tensor, weight: Tensor, bias: Tensor | None, size: Sequence[int]) -> Tensor:
        extra = [wanted - (2 * given - 1) for wanted, given in zip(size, x.shape[-2:], strict=True)]
        padding = self.conv.padding
        return functional.conv_transpose2d(x, weight, bias, stride=2, padding=padding, output_padding=extra)  # type: ignore[arg-type]


def phases(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a transposed convolution of stride 2 into a plain one that gives the four phases of its output.

    Args:
        weight: ``[D_in, D, K, K]``, K odd, padded by half of it.
        bias: ``[D]``.

    Returns:
        Weight ``[4 D, D_in, k, k]``, k about half of K, and bias ``[4 D]``: first the even bins of even frames, then
        even bins of odd frames, odd bins of even frames, odd bins of odd frames.

    Example:
        >>> from torch import zeros
        >>> x, weight, bias = zeros(1, 3, 4, 6).normal_(), zeros(3, 2, 5, 5).normal_(), zeros(2).normal_()
        >>> y = functional.conv_transpose2d(x, weight, bias, stride=2, padding=2)  # [1, 2, 7, 11]
        >>> z = join_phases(functional.conv2d(x, *phases(weight, bias), padding=1), y.shape[-2:])
        >>> bool((y - z).abs().max() < 1e-4)
        True
    """
    n_inputs, n_outputs, size, _ = weight.shape
    half = size // 2
    reach = (half + 1) // 2
    found = weight.new_zeros(2, 2, n_outputs, n_inputs, 2 * reach + 1, 2 * reach + 1)
    steps = [((tap - half) % 2, tap) for tap in range(size)]
    taps = [(phase, reach + (phase + half - tap) // 2, tap) for phase, tap in steps]  # phase, where it listens
    for (row, down, i), (column, across, j) in product(taps, taps):
        found[row, column, :, :, down, across] = weight[:, :, i, j].T
    return found.flatten(0, 2).contiguous(memory_format=channels_last), bias.repeat(4)


def join_phases(x: Tensor, size: Sequence[int]) -> Tensor:
    """Lay the four phases ``[B, 4 D, F, T]`` into each other: ``[B, D, *size]``, twice as large, or one less."""
    parts = x.chunk(4, dim=1)
    y = x.new_empty(len(x), parts[0].shape[1], *size).contiguous(memory_format=channels_last)
    for part, (row, column) in zip(parts, product((0, 1), (0, 1)), strict=True):
        place = y[:, :, row::2, column::2]
        place.copy_(part[:, :, : place.shape[2], : place.shape[3]])
    return y


class Unet(nn.Module):
    """Encoder and decoder, which meet at the bottleneck and at every level above.

    Example:
        >>> import torch
        >>> unet = Unet(UnetShape(n_inputs=2, n_outputs=3, n_features=(4, 6)))
        >>> bottleneck, levels = unet.encode(torch.zeros(1, 2, 17, 10))
        >>> bottleneck.shape, unet.decode(bottleneck, levels, size=(17, 10)).shape
        (torch.Size([1, 6, 5, 3]), torch.Size([1, 3, 17, 10]))
    """

    def __init__(self, shape: UnetShape) -> None:
        super().__init__()
        down = (shape.n_inputs, *shape.n_features)
        self.enc = nn.ModuleList(Down(n_in, n_out, shape.kernel_size) for n_in, n_out in pairwise(down))
        up = (*reversed(shape.n_features[:-1]), shape.n_outputs)
        n_inputs = (shape.n_features[-1], *(2 * n for n in up[:-1]))
        self.dec = nn.ModuleList(
            Up(n_in, n_out, shape, is_last=i == len(up) - 1, dropout=shape.dropout if i in DROPPED else 0.0)
            for i, (n_in, n_out) in enumerate(zip(n_inputs, up, strict=True))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck of ``[B, D_in, F, T]``, and the output of every level above it."""
        levels = []
        for block in self.enc:
            x = block(x)
            levels.append(x)
        return x, levels[:-1]

    def decode(self, bottleneck: Tensor, levels: Sequence[Tensor], *, size: Sequence[int]) -> Tensor:
        """Return ``[B, D_out, F, T]`` of the size ``(F, T)`` that was encoded."""
        x = bottleneck
        for i, (block, wanted) in enumerate(zip(self.dec, _sizes(levels, size), strict=True)):
            x = block(x if i == 0 else cat([x, levels[-i]], dim=1), wanted)
        return x

    def decode_each(
        self, bottlenecks: Iterable[Tensor], levels: Sequence[Tensor], *, size: Sequence[int]
    ) -> Iterator[Tensor]:
        """Decode several bottlenecks that meet the same levels; in inference, the levels are heard once for all."""
        if not folds(self):
            yield from (self.decode(bottleneck, levels, size=size) for bottleneck in bottlenecks)
            return
        sizes = _sizes(levels, size)
        blocks = [block for block in self.dec if isinstance(block, Up)]
        heard = [
            block.hear(level, wanted, first=level.shape[1])
            for block, level, wanted in zip(blocks[1:], reversed(levels), sizes[1:], strict=True)
        ]
        for x in bottlenecks:
            for i, (block, wanted) in enumerate(zip(blocks, sizes, strict=True)):
                drawn = block.hear(x, wanted)
                x = block.finish(drawn.add_(heard[i - 1]) if i else drawn, wanted)  # noqa: PLW2901
            yield x


def _sizes(levels: Sequence[Tensor], size: Sequence[int]) -> list[Sequence[int]]:
    """Return the sizes of the outputs of the way up."""
    return [*(level.shape[-2:] for level in reversed(levels)), size]
