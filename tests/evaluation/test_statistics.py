import itertools

import numpy as np
import pytest

from unbraid.evaluation import statistics
from unbraid.evaluation.statistics import (
    N_RESAMPLES,
    mean_of_items,
    resample_items,
    sign_flip_test,
    wilcoxon_signed_rank,
)


def by_all_signs(ranks: np.ndarray, positive: float) -> float:
    """Return how often a sum of ranks is as far from its middle, over all patterns of signs."""
    sums = np.array([sum(chosen) for chosen in itertools.product(*((0.0, rank) for rank in ranks))])
    return float((np.abs(sums - ranks.sum() / 2) >= abs(positive - ranks.sum() / 2) - 1e-9).mean())


def by_drawn_signs(values: list[float]) -> float:
    """Return the same for many values, over drawn patterns."""
    magnitudes = np.abs(values)
    ranks = np.array([(magnitudes < one).sum() + ((magnitudes == one).sum() + 1) / 2 for one in magnitudes])
    positive = ranks[np.array(values) > 0].sum()
    sums = np.random.default_rng(0).integers(2, size=(100_000, len(ranks))) @ ranks
    return float((np.abs(sums - ranks.sum() / 2) >= abs(positive - ranks.sum() / 2)).mean())


@pytest.mark.parametrize("seed", range(5))
def test_few_differences_are_judged_exactly(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.4, 1.0, 9)
    ranks = np.abs(values).argsort().argsort() + 1.0
    assert wilcoxon_signed_rank(values.tolist()) == pytest.approx(by_all_signs(ranks, float(ranks[values > 0].sum())))


def test_ties_are_judged_exactly_and_many_differences_by_a_normal_distribution() -> None:
    tied = [1.0, 1.0, -1.0, 2.0, 2.0, -2.0, 3.0, 3.0, 3.0, 4.0, -4.0, 5.0]
    ranks = np.array([2, 2, 2, 5, 5, 5, 8, 8, 8, 10.5, 10.5, 12])
    expected = by_all_signs(ranks, float(ranks[np.array(tied) > 0].sum()))
    assert wilcoxon_signed_rank(tied) == pytest.approx(expected)
    assert wilcoxon_signed_rank([*tied, *tied, *tied]) == pytest.approx(by_drawn_signs([*tied, *tied, *tied]), abs=0.01)
    same = np.random.default_rng(0).normal(0, 1, 60)
    assert wilcoxon_signed_rank(same.tolist()) > 0.05
    assert wilcoxon_signed_rank((same + 2).tolist()) < 1e-6


def test_no_difference_is_no_evidence() -> None:
    assert wilcoxon_signed_rank([0.0, 0.0]) == 1.0
    assert sign_flip_test([]) == 1.0
    assert sign_flip_test([1.0, -1.0]) == 1.0


def test_signs_are_flipped_exactly_or_at_random() -> None:
    few = [0.5, 1.5, -0.2, 2.0]
    totals = [
        sum(sign * one for sign, one in zip(signs, few, strict=True)) for signs in itertools.product((1, -1), repeat=4)
    ]
    expected = sum(abs(total) >= sum(few) - 1e-9 for total in totals) / len(totals)
    assert sign_flip_test(few) == pytest.approx(expected)
    many = np.random.default_rng(1).normal(0.5, 1.0, 24).tolist()
    exact_part = sign_flip_test(many[:16])
    assert 0 < exact_part < 1
    assert sign_flip_test(many) == sign_flip_test(many)
    assert sign_flip_test([1.0] * 24) == pytest.approx(1 / 20_001)


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, 300)
    drawn = values[np.random.default_rng(0).integers(300, size=(N_RESAMPLES, 300))].mean(axis=1)
    p_value = sign_flip_test(values.tolist())
    monkeypatch.setattr(statistics, "AT_ONCE", 1000)
    again = resample_items(values, mean_of_items, np.random.default_rng(0))
    assert again == pytest.approx(drawn, abs=1e-12)
    assert sign_flip_test(values.tolist()) == p_value


def test_memory_is_bounded_for_as_many_items_as_there_are_windows_in_a_dataset() -> None:
    values = np.random.default_rng(1).normal(0.0, 1.0, 50_000)
    largest = []

    def mean(drawn: np.ndarray) -> np.ndarray:
        largest.append(drawn.nbytes)
        return mean_of_items(drawn)

    assert len(resample_items(values, mean, np.random.default_rng(0), count=200)) == 200
    assert max(largest) <= 8 * statistics.AT_ONCE
