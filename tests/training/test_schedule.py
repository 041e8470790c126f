from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unbraid.errors import RecipeError
from unbraid.training.schedule import Decay, Plateau, PlateauState, Schedule, Staircase, cosine, linear


def test_warm_up_begins_at_zero_and_reaches_the_peak():
    schedule = Schedule(peak=1e-3, warmup_steps=10_000)
    assert schedule.learning_rate(0) == 0.0
    assert schedule.learning_rate(2500) == pytest.approx(2.5e-4)
    assert schedule.learning_rate(10_000) == schedule.learning_rate(300_000) == 1e-3


def test_no_warm_up_begins_at_the_peak():
    assert Schedule(peak=2e-4, warmup_steps=0).learning_rate(0) == 2e-4


@pytest.mark.parametrize("shape", [cosine, linear])
def test_decay_over_steps_holds_then_falls_to_zero(shape):
    schedule = Schedule(peak=1.0, warmup_steps=0, decay=Decay(shape, steps=100, hold=0.6))
    rates = [schedule.learning_rate(step) for step in range(101)]
    assert rates[:61] == [1.0] * 61
    assert all(later < earlier for earlier, later in pairwise(rates[60:]))
    assert rates[80] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
    assert not schedule.is_over(99, seconds=0)
    assert schedule.is_over(100, seconds=0)


def test_decay_over_minutes_follows_the_clock_and_never_turns_back():
    schedule = Schedule(peak=1.0, warmup_steps=0, decay=Decay(linear, minutes=2))
    assert schedule.learning_rate(7, seconds=30) == pytest.approx(0.75)
    assert schedule.learning_rate(7, seconds=500) == 0.0
    assert schedule.is_over(7, seconds=120)


@pytest.mark.parametrize(
    "arguments", [{}, {"steps": 3, "minutes": 1.0}, {"steps": 0}, {"minutes": -1.0}, {"steps": 3, "hold": 1.0}]
)
def test_decay_needs_exactly_one_sensible_length(arguments):
    with pytest.raises(RecipeError, match="decay needs"):
        Decay(**arguments)


@pytest.mark.parametrize("arguments", [{"peak": 0.0}, {"warmup_steps": -1}])
def test_schedule_refuses_what_makes_no_sense(arguments):
    with pytest.raises(RecipeError, match="schedule needs"):
        Schedule(**arguments)


@given(st.lists(st.one_of(st.floats(-50, 50), st.just(float("nan"))), min_size=1, max_size=60), st.integers(0, 4))
def test_plateau_drops_exactly_when_torchs_scheduler_does(losses, patience):
    plateau = Plateau(patience=patience, keep_epochs=-1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=plateau.factor, patience=patience, threshold=plateau.threshold, eps=0
    )
    state = PlateauState()
    for epoch, loss in enumerate(losses):
        oracle.step(loss)
        state = state.observe(loss, epoch=epoch, plateau=plateau)
        assert state.scale == optimizer.param_groups[0]["lr"]


def test_plateau_looks_away_until_the_kept_epochs_are_over():
    plateau = Plateau(patience=0, keep_epochs=75)
    state = PlateauState()
    for epoch in range(76):
        state = state.observe(1.0, epoch=epoch, plateau=plateau)
    assert state == PlateauState()
    for epoch in (76, 77):
        state = state.observe(1.0, epoch=epoch, plateau=plateau)
    assert state.scale == 0.5
    assert Schedule(peak=1.0, warmup_steps=0).learning_rate(9, scale=state.scale) == 0.5


def test_a_staircase_drops_the_rate():
    schedule = Schedule(peak=1.0, warmup_steps=10, staircase=Staircase(factor=0.3, steps=100))
    assert [schedule.learning_rate(step) for step in (5, 99, 100, 199)] == pytest.approx([0.5, 1.0, 0.3, 0.3])
    assert schedule.learning_rate(200, scale=0.5) == pytest.approx(0.045)
    with pytest.raises(RecipeError, match="staircase needs a positive factor"):
        Staircase(factor=0.0, steps=1)
