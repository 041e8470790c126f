"""Schedules fall as they should, solvers converge as fast as their order says, and losses weigh noise levels alike."""

from itertools import pairwise

import pytest
import torch

from unbraid.errors import ModelError
from unbraid.models.diffusion import (
    Multistep,
    NoiseConfig,
    denoise,
    denoising_loss,
    draw_sigmas,
    euler,
    heun,
    karras_sigmas,
    precondition,
)

NOISE = NoiseConfig()


def flow(noisy, sigma):
    """Denoise data that are normal: the probability flow has a solution in closed form."""
    return noisy * NOISE.data**2 / (NOISE.data**2 + sigma**2)


def error(solver, n_steps):
    sigmas = karras_sigmas(n_steps, NOISE).double()
    start = torch.tensor([80.0], dtype=torch.float64)
    exact = start * ((NOISE.data**2 + sigmas[-1] ** 2) / (NOISE.data**2 + sigmas[0] ** 2)).sqrt()
    return float((solver(flow, start, sigmas) - exact).abs())


def test_the_published_schedule():
    expected = torch.tensor([80, 34.992, 13.699, 4.6371, 1.2866, 0.26748, 0.035187, 0.002, 0])
    torch.testing.assert_close(karras_sigmas(8, NOISE, to_zero=True), expected, rtol=2e-4, atol=0)


def test_a_schedule_of_one_level_is_refused():
    with pytest.raises(ValueError, match="at least 2 noise levels, got 1"):
        karras_sigmas(1, NOISE)


@pytest.mark.parametrize("values", [{"data": 0.0}, {"least": 90.0}, {"log_spread": -1.0}])
def test_impossible_noise_is_refused(values):
    with pytest.raises(ModelError, match="noise levels must be positive"):
        NoiseConfig(**values)


@pytest.mark.parametrize(
    ("solver", "order"),
    [
        (euler, 1),
        (heun, 2),
        (Multistep(), 1),
        (Multistep(predicts_noise=False), 1),
        (Multistep(2), 2),
        (Multistep(2, predicts_noise=False), 2),
    ],
)
def test_order_of_convergence(solver, order):
    assert error(solver, 256) / error(solver, 512) == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("predicts_noise", [True, False])
def test_more_orders_come_closer(predicts_noise):
    errors = [error(Multistep(order, predicts_noise=predicts_noise), 256) for order in (1, 2, 3)]
    assert errors[0] > 10 * errors[1] > 10 * errors[2] / 2


@pytest.mark.parametrize("predicts_noise", [True, False])
@pytest.mark.parametrize(("order", "degree"), [(1, 0), (2, 0), (3, 1)])
def test_a_step_is_exact_for_polynomials(order, degree, predicts_noise):
    """What is predicted is a polynomial in -ln sigma; the flow is then integrated numerically, in tiny steps."""

    def predicted(sigma):
        position = -sigma.log()
        return sum((0.3 * position) ** power for power in range(degree + 1))

    def slope(noisy, sigma):
        return predicted(sigma) if predicts_noise else (noisy - predicted(sigma)) / sigma

    levels = torch.tensor([4.0, 2.5, 1.2], dtype=torch.float64)[-order:]
    start, stop = levels[-1], torch.tensor(0.5, dtype=torch.float64)
    noisy = torch.tensor(1.7, dtype=torch.float64)
    stepped = Multistep(order, predicts_noise=predicts_noise)._advance(
        noisy, stop, [(level, predicted(level)) for level in levels.flip(0)]
    )
    grid = torch.linspace(float(start), float(stop), 401, dtype=torch.float64)
    for here, there in pairwise(grid):
        half, width = (here + there) / 2, there - here
        noisy = noisy + width * slope(noisy + width / 2 * slope(noisy, here), half)
    torch.testing.assert_close(stepped, noisy, rtol=1e-5, atol=0)


@pytest.mark.parametrize("solver", [euler, heun, *(Multistep(o, predicts_noise=p) for o in (1, 2, 3) for p in (0, 1))])
def test_the_way_to_zero_ends_at_what_is_denoised_last(solver):
    sigmas = karras_sigmas(5, NOISE, to_zero=True)
    seen = []

    def denoiser(noisy, sigma):
        seen.append(flow(noisy, sigma))
        return seen[-1]

    torch.testing.assert_close(solver(denoiser, torch.tensor([50.0]), sigmas), seen[-1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("solver", "n_calls"), [(euler, 7), (heun, 14), (Multistep(3), 7)])
def test_evaluations_are_counted(solver, n_calls):
    calls = []
    solver(lambda noisy, sigma: calls.append(sigma) or 0 * noisy, torch.ones(1), karras_sigmas(8, NOISE))
    assert len(calls) == n_calls


def test_unknown_orders_are_refused():
    with pytest.raises(ValueError, match="order 1, 2 or 3, got 4"):
        Multistep(4)


def test_preconditioning_keeps_variance():
    scalings = precondition(torch.tensor([0.01, 0.2, 40.0]), data=0.2)
    sigma = torch.tensor([0.01, 0.2, 40.0])
    torch.testing.assert_close(scalings.input**2 * (sigma**2 + 0.04), torch.ones(3))
    residual = (1 - scalings.skip) ** 2 * 0.04 + scalings.skip**2 * sigma**2  # variance of the training target
    torch.testing.assert_close(scalings.out**2, residual)


def test_the_loss_weighs_the_networks_error_alike_at_every_level():
    sigma = torch.tensor([0.01, 0.2, 40.0])
    out = precondition(sigma, data=0.2).out
    loss = denoising_loss(estimate=out[:, None], reference=torch.zeros(3, 1), sigma=sigma, data=0.2)
    torch.testing.assert_close(loss, torch.ones(3))


def test_the_answer_is_held_within_limits():
    noisy = torch.full((2, 3, 4), 9.0)
    sigma = torch.tensor([0.1, 0.3])
    assert denoise(lambda scaled, told: scaled, noisy, sigma, data=0.2).abs().max() == 1
    assert denoise(lambda scaled, told: scaled, noisy, sigma, data=0.2, limit=None).max() > 1


def test_training_levels_are_log_normal():
    levels = draw_sigmas(20000, NOISE, torch.Generator().manual_seed(0)).log()
    assert float(levels.mean()) == pytest.approx(-1.0, abs=0.03)
    assert float(levels.std()) == pytest.approx(1.2, abs=0.03)
