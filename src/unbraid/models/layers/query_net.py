"""The network that turns a recording into a query.

Source: Choi et al., "LaSAFT-Net", JAES 70(9), 2022, on audio queries; after Lee et al., "Audio query-based music source
separation", ISMIR 2019.

Axes: B batch, D features, T frames, F bins, E size of a query.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class QueryNetConfig:
    """What shapes the network.

    Args:
        n_features: of each convolution; every one halves the bins.
        time_strides: of each convolution.
        n_hidden: width of the recurrent layer.

    Raises:
        ValueError: if there is not one stride for each convolution.
    """

    n_features: tuple[int, ...] = (16, 16, 32, 32, 64, 64)
    time_strides: tuple[int, ...] = (2, 1, 1, 2, 1, 1)
    n_hidden: int = 128

    def __post_init__(self) -> None:
        if len(self.n_features) != len(self.time_strides) or not self.n_features:
            raise ValueError(f"{len(self.n_features)} convolutions need as many strides, got {len(self.time_strides)}")


class QueryNet(nn.Module):
    """Strided convolutions, a recurrent layer, and its mean over time.

    Args:
        config: the convolutions.
        n_features: D, of the first layer.
        n_bins: F, one less than the spectrogram has; a multiple of ``2 ** len(config.n_features)``.
        query_size: E.

    Example:
        >>> import torch
        >>> net = QueryNet(QueryNetConfig((4, 6), (2, 1), 10), n_features=8, n_bins=32, query_size=5)
        >>> net(torch.randn(2, 4, 9, 33)).shape
        torch.Size([2, 5])
    """

    def __init__(self, config: QueryNetConfig, *, n_features: int, n_bins: int, query_size: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, n_features, (1, 2))
        n_inputs = (n_features, *config.n_features)
        self.convs = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, stride=(stride, 2), padding=1)
            for n_in, n_out, stride in zip(n_inputs, config.n_features, config.time_strides, strict=False)
        )
        n_left = n_bins >> len(config.n_features)
        self.recurrent = nn.GRU(config.n_features[-1] * n_left, config.n_hidden, batch_first=True)
        self.last = nn.Linear(config.n_hidden, query_size)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map ``[B, 4, T, F + 1]`` to queries ``[B, E]``."""
        x = spectrogram
        for conv in (self.first, *self.convs):
            x = nn.functional.instance_norm(conv(x)).relu()
        frames, _ = self.recurrent(x.transpose(1, 2).flatten(2))  # [B, T, D * F] to [B, T, hidden]
        queries: Tensor = self.last(frames.mean(dim=1))
        return queries
