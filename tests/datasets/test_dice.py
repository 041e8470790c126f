import pytest
import torch

from unbraid.datasets.dice import BLOCK, Dice


def throw(seed):
    return Dice(torch.Generator().manual_seed(seed))


def test_same_seed_gives_the_same_throws_across_blocks():
    first, second = throw(3), throw(3)
    assert [first.uniform() for _ in range(3 * BLOCK)] == [second.uniform() for _ in range(3 * BLOCK)]
    assert throw(3).uniform() != throw(4).uniform()


def test_numbers_are_uniform_and_do_not_repeat(dice):
    numbers = torch.tensor([dice.uniform() for _ in range(20_000)], dtype=torch.float64)
    assert len(numbers.unique()) == len(numbers)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean().item() - 0.5) < 0.01
    assert abs(numbers.std().item() - 12**-0.5) < 0.01


def test_integers_reach_every_value_and_no_other(dice):
    assert {dice.integer(3) for _ in range(200)} == {0, 1, 2}


def test_between_stays_in_its_range(dice):
    numbers = [dice.between(-10, -4) for _ in range(1000)]
    assert min(numbers) >= -10
    assert max(numbers) < -4
    assert max(numbers) - min(numbers) > 5.5


def test_chance_of_zero_and_one(dice):
    assert not any(dice.chance(0.0) for _ in range(1000))
    assert all(dice.chance(1.0) for _ in range(1000))


def test_chance_of_zero_uses_up_no_number():
    first, second = throw(1), throw(1)
    first.chance(0.0)
    assert first.uniform() == second.uniform()


def test_weights_decide_and_zero_is_never_drawn(dice):
    counts = [0, 0, 0, 0]
    for _ in range(10_000):
        counts[dice.weighted([0.0, 1.0, 1.0, 4.0])] += 1
    assert counts[0] == counts[2] == 0
    assert counts[1] / 10_000 == pytest.approx(0.25, abs=0.02)
