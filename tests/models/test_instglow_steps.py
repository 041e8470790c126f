"""Steps of a search: how few they need, what bounds them, and that windows go their own ways."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unbraid.models.instglow_steps import CURVED, FIRST, GROW, SHRINK, Adam, Lbfgs, Mover

STEEPNESS = torch.logspace(-2, 2, 12).view(2, 1, 6, 1)


def bowl(latents: Tensor) -> Tensor:
    """Leave the gradient of a narrow valley, and return how high each window is above its floor."""
    latents.grad = STEEPNESS * latents
    return 0.5 * (STEEPNESS * latents.square()).sum(dim=(0, 2, 3))


def walk(mover: Mover, latents: Tensor, n_steps: int) -> Tensor:
    for _ in range(n_steps):
        mover.step(bowl(latents), 1.0)
    return bowl(latents)


def make(n_windows: int = 1) -> Tensor:
    return torch.randn(2, n_windows, 6, 1, generator=torch.Generator().manual_seed(0))


def test_curvature_saves_steps():
    latents = make()
    by_curvature = float(walk(Lbfgs(latents, rate=1.0, memory=12), latents, 25))
    others = [make() for _ in range(3)]
    by_slope = [float(walk(Adam(one, rate), one, 25)) for one, rate in zip(others, (0.01, 0.05, 0.2), strict=True)]
    assert by_curvature < 0.3 * min(by_slope)


def test_more_memory_comes_closer():
    left = []
    for memory in (1, 12):
        latents = make()
        left.append(float(walk(Lbfgs(latents, rate=1.0, memory=memory), latents, 40)))
    assert left[1] < 0.2 * left[0]


def test_windows_go_their_own_ways():
    together = make(3)
    together[:, 1] *= 100
    alone = [together[:, number : number + 1].clone() for number in range(3)]
    walk(Lbfgs(together, rate=0.5, memory=4), together, 12)
    for number, one in enumerate(alone):
        walk(Lbfgs(one, rate=0.5, memory=4), one, 12)
        torch.testing.assert_close(together[:, number : number + 1], one, atol=1e-4, rtol=1e-3)


def test_no_step_is_longer_than_its_limit():
    latents = 100 * make()
    mover = Lbfgs(latents, rate=0.1, memory=4)
    lengths = []
    for pace in (1.0, 1.0, 0.5, 0.5):
        before = latents.clone()
        mover.step(bowl(latents), pace)
        lengths.append(float((latents - before).square().mean().sqrt()))
    limits = [0.1 * FIRST, 0.1 * FIRST * GROW, 0.05 * FIRST * GROW**2, 0.05 * FIRST * GROW**3]
    assert lengths == pytest.approx(limits, rel=1e-3)


def test_steps_grow_shorter_where_it_gets_worse():
    latents = 100 * make()
    mover = Lbfgs(latents, rate=0.1, memory=4)
    mover.step(bowl(latents), 1.0)
    before = latents.clone()
    mover.step(2 * bowl(latents), 1.0)
    assert float((latents - before).square().mean().sqrt()) == pytest.approx(0.1 * FIRST * SHRINK, rel=1e-3)


def test_no_curvature_is_learned_from_a_slope_or_a_hill():
    for bend in (0.0, -1.0, 0.1 * CURVED):
        latents = torch.ones(1, 1, 4, 1)
        mover = Lbfgs(latents, rate=0.1, memory=3)
        for _ in range(5):
            latents.grad = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 1, 4, 1) + bend * (latents - 1)
            mover.step(torch.zeros(1), 1.0)
        assert bool(latents.isfinite().all())
        assert bool(((latents - 1).flatten() * torch.tensor([1.0, -1.0, 1.0, -1.0]) < -0.1).all())  # down, all the time


def test_at_the_bottom_it_stays():
    latents = torch.zeros(2, 1, 6, 1)
    assert float(walk(Lbfgs(latents, rate=1.0, memory=4), latents, 3)) == 0
    assert bool((latents == 0).all())
