"""A U-Net of strided convolutions, for any size.

Source: Jansson et al., "Singing voice separation with deep U-Net convolutional networks", ISMIR 2017; Meseguer-Brocal
and Peeters, "Conditioned-U-Net", ISMIR 2019. There 512 of 513 bins are used; here every transposed convolution is given
the size of the connection that it meets, so that nothing is dropped.

Axes: B batch, D features, F bins, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, cat, nn
from torch.nn import functional

from unbraid.models.layers.folding import Fold, folds

ACTIVATIONS = ("leaky_relu", "relu")
SLOPE = 0.2
DROPPED = (1, 2, 3)  # the second to the fourth block of the decoder


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
    """Transposed convolution of stride 2, and in all blocks but the last batch norm, activation, dropout."""

    def __init__(self, n_inputs: int, n_outputs: int, shape: UnetShape, *, is_last: bool, dropout: float) -> None:
        super().__init__()
        size = shape.kernel_size
        self.conv = nn.ConvTranspose2d(n_inputs, n_outputs, size, stride=2, padding=size // 2)
        self.norm = None if is_last else nn.BatchNorm2d(n_outputs)
        self.slope = 0.0 if shape.activation == "relu" else SLOPE
        self.dropout = nn.Dropout2d(dropout) if dropout else None
        self.fold = Fold()

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Map ``[B, D_in, F, T]`` to ``[B, D, *size]``, twice as large, or one less."""
        extra = [wanted - (2 * given - 1) for wanted, given in zip(size, x.shape[-2:], strict=True)]
        conv, norm = self.conv, self.norm
        folded = norm is not None and folds(self)
        weight, bias = self.fold(conv, norm) if norm is not None and folded else (conv.weight, conv.bias)
        x = functional.conv_transpose2d(x, weight, bias, stride=2, padding=conv.padding, output_padding=extra)  # type: ignore[arg-type]
        if norm is None:
            return x
        x = functional.leaky_relu(x if folded else norm(x), self.slope, inplace=True)
        return x if self.dropout is None else self.dropout(x)


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
        sizes = [level.shape[-2:] for level in reversed(levels)] + [size]
        for i, (block, wanted) in enumerate(zip(self.dec, sizes, strict=True)):
            x = block(x if i == 0 else cat([x, levels[-i]], dim=1), wanted)
        return x
