"""Sums over signals of any length, a block at a time: float64 copies and spectra stay small.

Axes: N samples, L lags, F bins.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

BLOCK = 1 << 20
TRANSFORM = (1 << 17) - 1  # of correlations: spectra stay in the processor's cache


def same_length(*signals: Tensor) -> int:
    """Return how many samples signals ``[..., N]`` have.

    Raises:
        ValueError: if they differ.
    """
    lengths = [int(signal.shape[-1]) for signal in signals]
    if len(set(lengths)) > 1:
        raise ValueError(f"signals differ in length: {' and '.join(map(str, dict.fromkeys(lengths)))} samples")
    return lengths[0]


def blocks(*signals: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield float64 blocks ``[..., n]`` of signals ``[..., N]``, side by side; a single empty one if there are none.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> [one.shape[-1] for one, _ in blocks(torch.ones(2, BLOCK + 1), torch.ones(BLOCK + 1))]
        [1048576, 1]
    """
    for start in range(0, max(1, same_length(*signals)), BLOCK):
        yield tuple(signal[..., start : start + BLOCK].double() for signal in signals)


def energy(signal: Tensor) -> Tensor:
    """Return the sum of squares ``[...]``, in float64."""
    return dot(signal, signal)


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the sum of products ``[...]``, in float64.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> dot(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        tensor(11., dtype=torch.float64)
    """
    total = torch.zeros((), dtype=torch.float64, device=one.device)
    for first, second in blocks(one, other):
        total = total + (first * second).sum(dim=-1)
    return total


def remainder_energy(signal: Tensor, gain: Tensor | float, other: Tensor) -> Tensor:
    """Return the energy ``[...]`` of ``signal - gain * other``, in float64.

    Args:
        signal: ``[..., N]``.
        gain: ``[...]``.
        other: ``[..., N]``.

    Raises:
        ValueError: if the lengths differ.
    """
    factor = torch.as_tensor(gain, dtype=torch.float64, device=signal.device)[..., None]
    total = torch.zeros((), dtype=torch.float64, device=signal.device)
    for one, two in blocks(signal, other):
        total = total + (one - factor * two).square().sum(dim=-1)
    return total


def correlation(later: Tensor, earlier: Tensor, *, n_lags: int) -> Tensor:
    """Return the sums of ``later[n] * earlier[n - l]`` for lags l of 0 up to L - 1.

    Args:
        later: ``[..., N]``.
        earlier: ``[..., N]``, of a shape that broadcasts.
        n_lags: L.

    Returns:
        ``[..., L]``, float64.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> correlation(torch.tensor([0.0, 3.0]), torch.tensor([1.0, 0.0]), n_lags=2).round()
        tensor([0., 3.], dtype=torch.float64)
    """
    n_samples, history = same_length(later, earlier), n_lags - 1
    size = 1 << max((min(n_samples, TRANSFORM - history) + history).bit_length(), (4 * history).bit_length())
    step = size - history
    total = torch.zeros((), dtype=torch.complex128, device=later.device)
    for start in range(0, max(1, n_samples), step):
        first = max(0, start - history)
        now = torch.fft.rfft(later[..., start : start + step].double(), size)
        reaching_back = pad(earlier[..., first : start + step].double(), (history - (start - first), 0))
        before = torch.fft.rfft(reaching_back, size)
        total = total + now * before.conj()
    wanted = (torch.arange(n_lags, device=later.device) - history) % size  # `before` begins that much earlier
    lags: Tensor = torch.fft.irfft(total, size)[..., wanted]
    return lags
