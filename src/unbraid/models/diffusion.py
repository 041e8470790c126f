"""Diffusion in four independent parts: a schedule of noise levels, preconditioning, a solver, and any network.

Sources: Karras et al., "Elucidating the design space of diffusion-based generative models", NeurIPS 2022 (table 1 and
algorithm 1, both without added noise); Lu et al., "DPM-Solver++", 2022, for the multistep solver.

A noise level sigma is a standard deviation in units of the data. A denoiser takes noisy data and one noise level, a
tensor without axes, and answers with what the data were on average.

Axes: B batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.errors import ModelError

Denoiser = Callable[[Tensor, Tensor], Tensor]
Solver = Callable[[Denoiser, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class NoiseConfig:
    """What noise the data are given.

    Args:
        data: standard deviation of the data.
        least: smallest noise level of the schedule.
        most: largest one.
        curvature: of the schedule; the larger, the more of its levels are small. Karras' rho.
        log_mean: mean of the logarithm of the levels in training.
        log_spread: standard deviation of that logarithm.

    Raises:
        ModelError: if a value is out of range.
    """

    data: float = 0.2
    least: float = 0.002
    most: float = 80.0
    curvature: float = 7.0
    log_mean: float = -1.0
    log_spread: float = 1.2

    def __post_init__(self) -> None:
        if min(self.data, self.least, self.curvature, self.log_spread) <= 0 or self.most <= self.least:
            raise ModelError("noise levels must be positive, and the largest above the smallest")


def karras_sigmas(n_steps: int, noise: NoiseConfig, *, to_zero: bool = False) -> Tensor:
    """Return a falling schedule of noise levels, ``[n_steps]``; with ``to_zero``, a zero follows.

    A solver goes from each level to the next, so it takes one step less than there are levels.

    Raises:
        ValueError: if there are less than two levels.

    Example:
        >>> karras_sigmas(4, NoiseConfig(), to_zero=True)
        tensor([8.0000e+01, 9.7232e+00, 4.6998e-01, 2.0000e-03, 0.0000e+00])
    """
    if n_steps < 2:
        raise ValueError(f"a schedule needs at least 2 noise levels, got {n_steps}")
    most, least = noise.most ** (1 / noise.curvature), noise.least ** (1 / noise.curvature)
    sigmas = (most + torch.linspace(0, 1, n_steps, dtype=torch.float64) * (least - most)) ** noise.curvature
    return torch.cat([sigmas, sigmas.new_zeros(int(to_zero))]).float()


def draw_sigmas(n_items: int, noise: NoiseConfig, generator: torch.Generator) -> Tensor:
    """Draw the noise levels ``[B]`` of a training step; their logarithm is normal.

    Example:
        >>> draw_sigmas(3, NoiseConfig(), torch.Generator().manual_seed(0)).shape
        torch.Size([3])
    """
    return (noise.log_mean + noise.log_spread * torch.randn(n_items, generator=generator)).exp()


class Scalings(NamedTuple):
    """Factors of the noisy data and of the network's answer in the denoised data, of its input, and what it is told."""

    skip: Tensor
    out: Tensor
    input: Tensor
    noise: Tensor


def precondition(sigma: Tensor, *, data: float) -> Scalings:
    """Scale so that the network's input and its training target have unit variance (Karras et al., table 1).

    Args:
        sigma: noise levels of any shape.
        data: standard deviation of the data.

    Example:
        >>> [round(float(one), 3) for one in precondition(torch.tensor(0.2), data=0.2)]
        [0.5, 0.141, 3.536, -0.402]
    """
    total = sigma.square() + data**2
    return Scalings(data**2 / total, sigma * data * total.rsqrt(), total.rsqrt(), sigma.log() / 4)


def denoise(
    network: Callable[[Tensor, Tensor], Tensor],
    noisy: Tensor,
    sigma: Tensor,
    *,
    data: float,
    limit: float | None = 1.0,
) -> Tensor:
    """Denoise with a network, preconditioned.

    Args:
        network: takes scaled data ``[B, ...]`` and what it is told of the noise, ``[B]``.
        noisy: ``[B, ...]``.
        sigma: ``[B]``, or one level for all.
        data: standard deviation of the data.
        limit: what the answer is held within; None leaves it free.

    Example:
        >>> denoise(lambda scaled, noise: scaled, torch.ones(2, 3), torch.tensor(0.2), data=0.2).shape
        torch.Size([2, 3])
    """
    skip, out, scale, told = precondition(sigma.expand(len(noisy)), data=data)
    skip, out, scale = (one.reshape(-1, *[1] * (noisy.ndim - 1)) for one in (skip, out, scale))
    denoised = skip * noisy + out * network(scale * noisy, told)
    return denoised if limit is None else denoised.clamp(-limit, limit)


def denoising_loss(*, estimate: Tensor, reference: Tensor, sigma: Tensor, data: float) -> Tensor:
    """Mean squared error of each item, weighted so that all noise levels count alike at the start of training.

    The weight is ``(sigma^2 + data^2) / (sigma data)^2``; the GuideSep paper prints a minus sign.

    Args:
        estimate: denoised data ``[B, ...]``.
        reference: clean data ``[B, ...]``.
        sigma: ``[B]``.
        data: standard deviation of the data.

    Returns:
        ``[B]``.

    Example:
        >>> sigma = torch.tensor([0.2])
        >>> denoising_loss(estimate=torch.ones(1, 2), reference=torch.zeros(1, 2), sigma=sigma, data=0.2)
        tensor([50.0000])
    """
    weight = (sigma.square() + data**2) / (sigma * data).square()
    return weight * (estimate - reference).square().flatten(1).mean(dim=1)


def euler(denoiser: Denoiser, noisy: Tensor, sigmas: Tensor) -> Tensor:
    """Follow the probability flow from the first noise level to the last, in straight steps; one evaluation each.

    Args:
        denoiser: see the module.
        noisy: data with noise of the first level.
        sigmas: falling levels; only the last may be zero.

    Example:
        >>> euler(lambda noisy, sigma: 0 * noisy, torch.tensor([8.0]), torch.tensor([4.0, 1.0]))
        tensor([2.])
    """
    for sigma, following in pairwise(sigmas):
        slope = (noisy - denoiser(noisy, sigma)) / sigma
        noisy = noisy + (following - sigma) * slope
    return noisy


def heun(denoiser: Denoiser, noisy: Tensor, sigmas: Tensor) -> Tensor:
    """Follow the probability flow with the mean of the slopes at both ends of each step; two evaluations each.

    A step to zero is a straight one. Arguments are those of `euler`.

    Example:
        >>> heun(lambda noisy, sigma: 0 * noisy, torch.tensor([8.0]), torch.tensor([4.0, 1.0]))
        tensor([2.])
    """
    for sigma, following in pairwise(sigmas):
        slope = (noisy - denoiser(noisy, sigma)) / sigma
        ahead = noisy + (following - sigma) * slope
        if following > 0:
            slope = (slope + (ahead - denoiser(ahead, following)) / following) / 2
            ahead = noisy + (following - sigma) * slope
        noisy = ahead
    return noisy


@dataclass(frozen=True)
class Multistep:
    """Solver that looks back on earlier evaluations: one evaluation for each step.

    Args:
        order: 1 to 3. The first steps, which have less to look back on, and the last ones are of a lower order.
        predicts_noise: what is extrapolated: the noise, or the clean data. With order 1 both are `euler`.

    Raises:
        ValueError: if there is no such order.

    Example:
        >>> Multistep(order=2)(lambda noisy, sigma: 0 * noisy, torch.tensor([8.0]), torch.tensor([4.0, 2.0, 1.0]))
        tensor([2.])
    """

    order: int = 1
    predicts_noise: bool = True

    def __post_init__(self) -> None:
        if self.order not in (1, 2, 3):
            raise ValueError(f"a multistep solver has order 1, 2 or 3, got {self.order}")

    def __call__(self, denoiser: Denoiser, noisy: Tensor, sigmas: Tensor) -> Tensor:
        """Go from the first noise level to the last; arguments are those of `euler`."""
        seen: list[tuple[Tensor, Tensor]] = []  # newest first: level, and what was predicted there
        n_steps = len(sigmas) - 1
        for step, (sigma, following) in enumerate(pairwise(sigmas)):
            denoised = denoiser(noisy, sigma)
            predicted = (noisy - denoised) / sigma if self.predicts_noise else denoised
            seen = [(sigma, predicted), *seen][: self.order]
            order = min(self.order, step + 1, n_steps - step)
            noisy = self._advance(noisy, following, seen[:order])
        return noisy

    def _advance(self, noisy: Tensor, following: Tensor, seen: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Integrate over ``-ln sigma``, with slope and bend estimated from what was predicted before.

        The weights of the highest derivatives are those of the published solver, not the exact ones: one step of order
        1 or 2 is exact for a constant, one of order 3 for a straight line.
        """
        sigma, newest = seen[0]
        if self.predicts_noise:
            kept, factor = noisy, sigma - following
        else:
            kept, factor = noisy * (following / sigma), 1 - following / sigma
        sign = -1.0 if self.predicts_noise else 1.0
        moved = kept + sign * factor * newest
        if len(seen) == 1:
            return moved
        length = (sigma / following).log()
        ratios = [(before[0] / after[0]).log() / length for after, before in pairwise(seen)]
        slopes = [(after[1] - before[1]) / ratio for (after, before), ratio in zip(pairwise(seen), ratios, strict=True)]
        if len(seen) == 2:
            return moved + sign * factor / 2 * slopes[0]
        bend = (slopes[0] - slopes[1]) / (ratios[0] + ratios[1])
        slope = slopes[0] + ratios[0] * bend
        if self.predicts_noise:
            second = factor / length - following
            third = second / length - following / 2
            return moved - second * slope - third * bend
        second = 1 - factor / length
        third = second / length - 0.5
        return moved + second * slope - third * bend
