"""What GuideSep is told: compressed spectrograms and spread mel masks, side by side; what is missing is -1 all over.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, sections 2.2 and 3.1.2; where paper
and published code differ, the code counts.

Axes: B batch, F bins, T frames, K mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

MISSING = -1.0


def compress(spectrogram: Tensor, *, exponent: float, scale: float) -> Tensor:
    """Raise the magnitude of a complex spectrogram to a power, and scale it; the phase stays.

    Example:
        >>> compress(torch.tensor([16j]), exponent=0.5, scale=2.0).abs()
        tensor([8.])
    """
    return torch.polar(scale * spectrogram.abs() ** exponent, spectrogram.angle())


def expand(compressed: Tensor, *, exponent: float, scale: float) -> Tensor:
    """Undo `compress`.

    Example:
        >>> expand(torch.tensor([8j]), exponent=0.5, scale=2.0).abs()
        tensor([16.])
    """
    return torch.polar((compressed.abs() / scale) ** (1 / exponent), compressed.angle())


def as_channels(spectrogram: Tensor) -> Tensor:
    """Turn complex ``[B, F, T]`` into real ``[B, 2, F, T]``: real and imaginary part."""
    return torch.stack([spectrogram.real, spectrogram.imag], dim=1)


def as_complex(channels: Tensor) -> Tensor:
    """Undo `as_channels`."""
    return torch.complex(channels[:, 0], channels[:, 1])


class Given(NamedTuple):
    """What a user gives for each window of a batch; all of it may be missing.

    ``mixture`` is ``[B, 2, F, T]`` or, for mask prediction, not part of the condition at all; ``mimicry`` is the
    magnitude ``[B, F, T]``; the masks are ``[B, K, T']``, cut or filled up with zeros to T.
    """

    mixture: Tensor | None = None
    mimicry: Tensor | None = None
    positive: Tensor | None = None
    negative: Tensor | None = None


class MelProjection(nn.Module):
    """Spread mel masks over the bins of a spectrogram: the same two layers for every frame and every mask.

    Example:
        >>> MelProjection(n_mels=80, n_hidden=32, n_bins=256)(torch.zeros(1, 80, 10)).shape
        torch.Size([1, 256, 10])
    """

    def __init__(self, *, n_mels: int, n_hidden: int, n_bins: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_mels, n_hidden)
        self.second = nn.Linear(n_hidden, n_bins)

    @torch.no_grad()
    def begin_as_bands(self, bank: Tensor) -> None:
        """Begin, instead of at random, by giving each bin the mean of the bands that it lies in.

        Args:
            bank: ``[K, F]``, as `audio.mel.mel_filter_bank` makes it; there must be K hidden values or more.
        """
        n_mels = len(bank)
        nn.init.eye_(self.first.weight[:n_mels])
        self.second.weight.mul_(0.1)
        self.second.weight[:, :n_mels] = (bank / bank.sum(dim=0).clamp_min(1e-3)).T
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.bias)

    def forward(self, mask: Tensor) -> Tensor:
        """Turn ``[B, K, T]`` into ``[B, F, T]``."""
        projected: Tensor = self.second(functional.relu(self.first(mask.transpose(-1, -2))))
        return projected.transpose(-1, -2)


@dataclass(frozen=True)
class DropoutRates:
    """How often each part of the condition is left out in training; the published rates.

    Where both masks are, the mimicry never is.
    """

    mixture: float = 0.1
    mimicry: float = 0.3
    positive: float = 0.7
    negative: float = 0.7

    def __post_init__(self) -> None:
        if not all(0 <= getattr(self, field.name) <= 1 for field in fields(self)):
            raise ValueError("rates of dropout lie between 0 and 1")


@dataclass(frozen=True, eq=False)
class Dropped:
    """Which parts of the condition each item of a batch goes without: booleans ``[B]``."""

    mixture: Tensor
    mimicry: Tensor
    positive: Tensor
    negative: Tensor


def draw_dropped(n_items: int, generator: torch.Generator, *, rates: DropoutRates | None = None) -> Dropped:
    """Draw what each item of a batch goes without.

    Args:
        n_items: B.
        generator: of the random numbers.
        rates: the published ones if left out. Mask prediction never goes without the mixture: set that rate to 0.

    Example:
        >>> dropped = draw_dropped(1000, torch.Generator().manual_seed(0))
        >>> bool((dropped.positive & dropped.negative & dropped.mimicry).any())
        False
    """
    rates = rates or DropoutRates()
    drawn = torch.rand(4, n_items, generator=generator)
    positive, negative = drawn[0] < rates.positive, drawn[1] < rates.negative
    mimicry = (drawn[2] < rates.mimicry) & ~(positive & negative)
    return Dropped(mixture=drawn[3] < rates.mixture, mimicry=mimicry, positive=positive, negative=negative)


def fill_missing(channels: Tensor, dropped: Tensor | None) -> Tensor:
    """Overwrite the channels of items ``[B]`` that are dropped.

    Example:
        >>> fill_missing(torch.zeros(2, 1), torch.tensor([True, False]))
        tensor([[-1.],
                [ 0.]])
    """
    if dropped is None:
        return channels
    return channels.masked_fill(dropped.to(channels.device).view(-1, *[1] * (channels.ndim - 1)), MISSING)
