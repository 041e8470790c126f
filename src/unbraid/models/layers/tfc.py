"""Time-frequency convolutions (TFC) and time-distributed fully connected layers on frequency (TDF).

Source: Choi et al., "Investigating U-Nets with various intermediate blocks for spectrogram-based singing voice
separation", ISMIR 2020; in the form of "LaSAFT-Net", JAES 70(9), 2022.

Axes: B batch, D features, T frames, F bins of a level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ACTIVATIONS = ("relu", "leaky_relu")


def make_activation(name: str) -> nn.Module:
    """Return the nonlinearity of a name: ``"relu"``, or ``"leaky_relu"`` with slope 0.01.

    Example:
        >>> make_activation("leaky_relu")(torch.tensor([-1.0, 2.0]))
        tensor([-0.0100,  2.0000])
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return nn.LeakyReLU(0.01) if name == "leaky_relu" else nn.ReLU()


def bottleneck_size(n_bins: int, factor: int, smallest: int) -> int:
    """Return the width of a frequency bottleneck: ``n_bins // factor``, but not below the smallest.

    Example:
        >>> bottleneck_size(1024, 16, 16), bottleneck_size(128, 16, 16)
        (64, 16)
    """
    return max(n_bins // factor, smallest)


class Tfc(nn.Module):
    """Densely connected 3x3 convolutions; each layer hears the block's input and all layers before it.

    Their input is ordered as the block's input, then the oldest to the newest layer (the published weights have the
    newest first). The output is that of the last layer.

    Args:
        n_inputs: features of the block's input.
        n_features: features of each layer.
        n_layers: number of layers.
        activation: see `make_activation`.

    Example:
        >>> Tfc(8, 4, 3, "relu")(torch.zeros(1, 8, 5, 16)).shape
        torch.Size([1, 4, 5, 16])
    """

    def __init__(self, n_inputs: int, n_features: int, n_layers: int, activation: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(n_inputs + layer * n_features, n_features, 3, padding=1) for layer in range(n_layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n_features) for _ in range(n_layers))
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, D_in, T, F]`` to ``[B, D, T, F]``."""
        heard = [x]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            heard.append(self.activation(norm(conv(torch.cat(heard, dim=1)))))
        return heard[-1]


class Tdf(nn.Module):
    """Two linear layers along frequency with a bottleneck, shared by all features and frames.

    Args:
        n_features: D.
        n_bins: F.
        n_hidden: width of the bottleneck.
        activation: see `make_activation`.

    Example:
        >>> Tdf(4, 64, 16, "relu")(torch.zeros(1, 4, 5, 64)).shape
        torch.Size([1, 4, 5, 64])
    """

    def __init__(self, n_features: int, n_bins: int, n_hidden: int, activation: str) -> None:
        super().__init__()
        self.narrow = nn.Linear(n_bins, n_hidden, bias=False)
        self.narrow_norm = nn.BatchNorm2d(n_features)
        self.widen = nn.Linear(n_hidden, n_bins, bias=False)
        self.widen_norm = nn.BatchNorm2d(n_features)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor, queries: Tensor | None = None) -> Tensor:
        """Map ``[B, D, T, F]`` to the same shape; what is asked for makes no difference."""
        del queries
        hidden = self.activation(self.narrow_norm(self.narrow(x)))
        y: Tensor = self.activation(self.widen_norm(self.widen(hidden)))
        return y
