import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio.continuity import Continuity, assign, band_powers


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(st.floats(-9, 9), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_assignment_is_as_cheap_as_the_best_of_all(costs):
    columns = assign(costs)
    assert sorted(columns) == list(range(len(costs)))

    def total(order):
        return sum(row[column] for row, column in zip(costs, order, strict=True))

    assert total(columns) == pytest.approx(min(map(total, itertools.permutations(range(len(costs))))), abs=1e-9)


@pytest.mark.parametrize("size", [2, 3, 8, 12])
def test_any_order_is_undone(size):
    before = noise(size, 2, 300)
    for seed in range(5):
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
        window = torch.cat([before, noise(size, 2, 50)], dim=-1)[order] + 0.1 * noise(size, 2, 350, seed=seed + 1)
        found = Continuity([range(size)]).order(before, window)
        assert order[found].tolist() == list(range(size))


@pytest.mark.parametrize("level", [1e-6, 1.0, 1e4])
def test_level_does_not_matter(level):
    before = noise(2, 1, 100) * level
    assert Continuity([(0, 1)]).order(before, before.flip(0)) == [1, 0]


def test_groups_are_independent_and_others_stay():
    before = noise(5, 1, 200)
    window = before[[3, 1, 4, 0, 2]]
    assert Continuity([(0, 3), (2, 4)]).order(before, window) == [3, 1, 4, 0, 2]
    assert Continuity([]).order(before, window) == [0, 1, 2, 3, 4]
    assert Continuity([(0,), (1,)]).order(before, window) == [0, 1, 2, 3, 4]


def test_two_of_three_silent_outputs_keep_their_places():
    before = torch.zeros(3, 1, 100)
    before[2] = noise(1, 100)
    assert Continuity([(0, 1, 2)]).order(before, before) == [0, 1, 2]
    assert Continuity([(0, 1, 2)]).order(before, before[[2, 1, 0]]) == [2, 1, 0]


def test_silence_and_equal_outputs_keep_the_order():
    continuity = Continuity([(0, 1, 2)])
    for window in (torch.zeros(3, 1, 50), torch.ones(3, 1, 50)):
        assert continuity.order(window[..., :20], window) == [0, 1, 2]
        assert continuity.order(window[..., :0], window) == [0, 1, 2]


def test_the_overlap_outweighs_the_spectrum():
    time = torch.arange(4000.0)
    low, high = torch.sin(0.05 * time), torch.sin(1.5 * time)
    continuity = Continuity([(0, 1)])
    first = torch.stack([low, high])[:, None]
    assert continuity.order(first[..., :0], first) == [0, 1]
    window = torch.stack([torch.cat([low[:1000], high[:3000]]), torch.cat([high[:1000], low[:3000]])])[:, None]
    assert continuity.order(first[..., :1000], window) == [0, 1]  # although most of it sounds like the other one
    assert continuity.order(first[..., :1000] * 0, window) == [1, 0]  # but for that, the spectrum decides


def test_spectra_of_the_shortest_signals_are_finite():
    for n_samples in (1, 2, 3):
        powers = band_powers(torch.ones(2, 1, n_samples))
        assert torch.isfinite(powers).all()
        assert (powers.sum(dim=1) > 0).all()


def test_spectra_tell_low_from_high():
    time = torch.arange(8000.0)
    low, high = band_powers(torch.stack([torch.sin(0.05 * time), torch.sin(1.5 * time)])[:, None])
    assert low.argmax() < high.argmax()


def test_an_output_twice_is_refused():
    with pytest.raises(ValueError, match="one group only"):
        Continuity([(0, 0)])
