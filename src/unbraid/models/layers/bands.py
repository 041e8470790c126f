"""Spectrogram bands to features and back: one small network per band.

Bands of equal width that lie side by side are computed together, as one batched matrix product.

Axes: B batch, T frames, F bins, K bands, D features, S outputs, b bins of a band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn


def split_rule(sample_rate: int, n_fft: int) -> tuple[int, ...]:
    """Return the widths of TUSS's bands in bins (section III-B; 61 bands at 48 kHz and 2048 points).

    Raises:
        ValueError: if the rate is too low for the rule (below about 35 kHz).

    Example:
        >>> len(split_rule(48000, 2048)), sum(split_rule(48000, 2048))
        (61, 1025)
    """
    n_bins = n_fft // 2 + 1
    step = (sample_rate // 2) / n_bins  # the published rule divides by the number of bins, not by n_fft / 2
    widths: list[int] = []
    for span, width in ((1000, 2), (1000, 4), (2000, 12), (4000, 24), (8000, 48)):
        widths += [width] * math.ceil(span / (width * step))
    rest = n_bins - sum(widths)
    parts = 4 if sample_rate == 48000 else 2
    if rest < parts:
        raise ValueError(f"the band rule needs a higher rate than {sample_rate} Hz for {n_fft} points")
    return (*widths, *[rest // parts] * (parts - 1), rest - rest // parts * (parts - 1))


class BandNorm(nn.Module):
    """Normalize each band over its features and all frames."""

    def __init__(self, n_bands: int, n_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(n_bands, n_features))
        self.bias = nn.Parameter(torch.zeros(n_bands, n_features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``[B, T, K, D]``."""
        wide = x.float()
        centered = wide - _mean(wide)
        return torch.addcmul(self.bias, centered, (_mean(centered.square()) + self.eps).rsqrt() * self.gain)


def _mean(x: Tensor) -> Tensor:
    """Return the means ``[B, 1, K, 1]``; one axis after the other is several times faster than both at once."""
    return x.mean(-1, keepdim=True).mean(1, keepdim=True)


class BandLinear(nn.Module):
    """A linear layer per band, on ``[K, R, D_in]`` (R: anything that is not a band)."""

    def __init__(self, n_bands: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_bands, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_bands, 1, n_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[K, R, D_in]`` to ``[K, R, D_out]``."""
        return torch.baddbmm(self.bias, x, self.weight)


class BandRun(nn.Module):
    """The first layer of one run of bands with the same width."""

    def __init__(self, n_bands: int, width: int, n_features: int) -> None:
        super().__init__()
        self.norm = BandNorm(n_bands, 2 * width)
        self.linear = BandLinear(n_bands, 2 * width, n_features)

    def forward(self, bins: Tensor) -> Tensor:
        """Map ``[B, T, K, 2 b]`` to ``[B, T, K, D]``."""
        x = self.norm(bins).permute(2, 0, 1, 3)
        y: Tensor = self.linear(x.flatten(1, 2))
        return y.view(*x.shape[:3], -1).permute(1, 2, 0, 3)


class DecoderRun(nn.Module):
    """The mask network of one run of bands with the same width."""

    def __init__(self, n_bands: int, width: int, n_features: int, expansion: int, n_outputs: int) -> None:
        super().__init__()
        inner = expansion * n_features
        self.norm = BandNorm(n_bands, n_features)
        self.first = BandLinear(n_bands, n_features, inner)
        self.second = BandLinear(n_bands, inner, inner)
        self.third = BandLinear(n_bands, inner, 4 * width * n_outputs)
        self.n_outputs = n_outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, K, D]`` to masks ``[B, S, T, K b, 2]`` (real and imaginary part)."""
        y = self.norm(x).permute(2, 0, 1, 3)  # [K, B, T, D]
        rows = torch.tanh(self.second(torch.tanh(self.first(y.flatten(1, 2)))))
        masks = nn.functional.glu(self.third(rows).float(), dim=-1)  # [K, B T, 2 S b]
        return masks.view(*y.shape[:3], self.n_outputs, 2, -1).permute(1, 3, 2, 0, 5, 4).flatten(3, 4)


def runs_of(widths: Sequence[int]) -> list[tuple[int, int]]:
    """Return (width, number of bands) of each run of neighbors with equal width."""
    return [(width, len(list(run))) for width, run in groupby(widths)]


class BandEncoder(nn.Module):
    """Band split: ``[B, T, F, 2]`` to ``[B, T, K, D]``."""

    def __init__(self, widths: Sequence[int], n_features: int) -> None:
        super().__init__()
        self.layout = runs_of(widths)
        self.runs = nn.ModuleList(BandRun(n_bands, width, n_features) for width, n_bands in self.layout)

    def forward(self, bins: Tensor) -> Tensor:
        """Map the real and imaginary parts of a spectrogram to band features.

        In single precision even under autocast: little work, and all that follows lives on it.
        """
        sizes = [width * n_bands for width, n_bands in self.layout]
        with torch.autocast(bins.device.type, enabled=False):
            features = [
                run(part.flatten(2).unflatten(2, (n_bands, 2 * width)))
                for run, part, (width, n_bands) in zip(self.runs, bins.split(sizes, dim=2), self.layout, strict=True)
            ]
        return torch.cat(features, dim=2)


class BandDecoder(nn.Module):
    """Mask estimation: ``[B, T, K, D]`` to complex masks ``[B, S, T, F]``."""

    def __init__(self, widths: Sequence[int], n_features: int, *, expansion: int, n_outputs: int) -> None:
        super().__init__()
        self.layout = runs_of(widths)
        self.runs = nn.ModuleList(
            DecoderRun(n_bands, width, n_features, expansion, n_outputs) for width, n_bands in self.layout
        )

    def forward(self, x: Tensor) -> Tensor:
        """Estimate the masks; float32 whatever the precision of the layers."""
        parts = x.split([n_bands for _, n_bands in self.layout], dim=2)
        masks = torch.cat([run(part) for run, part in zip(self.runs, parts, strict=True)], dim=-2)
        return torch.view_as_complex(masks)
