"""How a search moves the latents of priors: by Adam, as published, or by L-BFGS, which needs far fewer steps.

L-BFGS is that of Nocedal and Wright, "Numerical optimization", algorithm 7.4, without a search along the line, which
would decode once more for every try: a step is as long as curvature says, but no longer than its limit.

Axes: S sources, B windows, C channels, T frames.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

FIRST = 0.5  # part of the limit that the first step is long
SHRINK, GROW = 0.5, 1.1  # of the limit, after a step that made the objective worse, and after others
LEAST = 1e-30
CURVED = 1e-6  # cosine of a move and the turn of its gradient, from which it tells of curvature


class Mover(Protocol):
    """What moves latents, once their gradient is there."""

    def step(self, objectives: Tensor, pace: float) -> None:
        """Move latents of the objectives ``[B]``, by the pace's part of full steps."""


class Adam:
    """The published way.

    Args:
        latents: ``[S, B, C, T]`` with gradients; they are moved in place.
        rate: its learning rate.
    """

    def __init__(self, latents: Tensor, rate: float) -> None:
        self._rate = rate
        self._optimizer = torch.optim.Adam([latents], lr=rate, fused=True)

    def step(self, objectives: Tensor, pace: float) -> None:
        """Move latents; the objectives do not matter."""
        del objectives
        self._optimizer.param_groups[0]["lr"] = self._rate * pace
        self._optimizer.step()


class Pair(NamedTuple):
    """A move, how it turned the gradient, both ``[S, B, C, T]``, and their inverse product ``[1, B, 1, 1]`` or 0."""

    move: Tensor
    turn: Tensor
    inverse: Tensor


class Lbfgs:
    """Steps along what the last moves told of curvature, for each window by itself.

    Args:
        latents: ``[S, B, C, T]`` with gradients; they are moved in place.
        rate: root mean square of a step at most.
        memory: moves that are remembered.

    Example:
        >>> latents = torch.tensor([3.0, -1.0]).view(1, 1, 2, 1)
        >>> mover = Lbfgs(latents, rate=1.0, memory=2)
        >>> for _ in range(12):
        ...     latents.grad = torch.tensor([2.0, 20.0]).view(1, 1, 2, 1) * latents
        ...     mover.step((latents.grad * latents).sum().view(1), 1.0)
        >>> bool(latents.abs().max() < 1e-3)
        True
    """

    def __init__(self, latents: Tensor, *, rate: float, memory: int) -> None:
        self._latents, self._rate = latents, rate
        self._space = [(torch.empty_like(latents), torch.empty_like(latents)) for _ in range(memory + 1)]
        self._pairs: deque[Pair] = deque(maxlen=memory)
        self._n_steps = 0
        one = latents.new_ones(1, latents.shape[1], 1, 1)
        self._reach = FIRST * one  # part of the rate
        self._gain = 0 * one  # of gradients, before any pair has its say
        self._objectives = one.flatten()

    def step(self, objectives: Tensor, pace: float) -> None:
        """Move latents; where their objective rose, steps grow shorter."""
        gradient = self._latents.grad
        assert gradient is not None
        if self._n_steps:
            rose = (objectives > self._objectives).view_as(self._reach)
            self._reach = torch.where(rose, SHRINK * self._reach, (GROW * self._reach).clamp_max(1))
            self._learn(gradient)
        limit = pace * self._rate * self._reach
        if not self._n_steps:
            self._gain = limit / size(gradient)
        move, turn = self._space[self._n_steps % len(self._space)]
        self._direct(torch.neg(gradient, out=move))
        move.mul_((limit / size(move)).clamp_max(1))
        self._latents.add_(move)
        turn.copy_(gradient)
        self._objectives = objectives.clone()
        self._n_steps += 1

    def _learn(self, gradient: Tensor) -> None:
        """Remember the last move, and how it turned the gradient."""
        move, turn = self._space[(self._n_steps - 1) % len(self._space)]
        torch.sub(gradient, turn, out=turn)
        along, squared = dot(move, turn), dot(turn, turn)
        is_curved = along > CURVED * (dot(move, move) * squared).sqrt().clamp_min(LEAST)
        self._pairs.append(Pair(move, turn, torch.where(is_curved, 1 / along, 0.0)))
        self._gain = torch.where(is_curved, along / squared, self._gain)

    def _direct(self, move: Tensor) -> None:
        """Turn the steepest way down, in place, to where curvature says that the lowest point is."""
        parts = []
        for pair in reversed(self._pairs):
            parts.append(pair.inverse * dot(pair.move, move))
            move.addcmul_(pair.turn, parts[-1], value=-1)
        move.mul_(self._gain)
        for pair, part in zip(self._pairs, reversed(parts), strict=True):
            move.addcmul_(pair.move, part - pair.inverse * dot(pair.turn, move))


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the products ``[1, B, 1, 1]`` of windows of ``[S, B, C, T]``."""
    products: Tensor = torch.linalg.vecdot(one.flatten(2), other.flatten(2)).sum(dim=0)
    return products[None, :, None, None]


def size(values: Tensor) -> Tensor:
    """Return the root mean square ``[1, B, 1, 1]`` of windows of ``[S, B, C, T]``, never 0."""
    n_values = values[:, 0].numel()
    return (dot(values, values) / n_values).sqrt().clamp_min(LEAST)
