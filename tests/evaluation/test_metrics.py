import itertools
import math
from functools import partial

import fast_bss_eval
import pytest
import torch
import torchmetrics.functional.audio as torchmetrics_audio
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from unbraid.evaluation import metrics


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(distortion: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    reference = noise(2, 3, 4000, seed=seed)
    return 0.3 * reference + distortion * noise(2, 3, 4000, seed=seed + 1), reference


@pytest.mark.parametrize("distortion", [1e-5, 1e-2, 0.3, 3.0, 300.0])
def test_si_sdr_agrees_with_torchmetrics_to_a_microdecibel(distortion: float) -> None:
    estimate, reference = pair(distortion)
    expected = torchmetrics_audio.scale_invariant_signal_distortion_ratio(estimate, reference, zero_mean=False)
    inside = expected.clamp(-70, 70)
    torch.testing.assert_close(metrics.si_sdr(estimate=estimate, reference=reference), inside, rtol=0, atol=1e-6)


@pytest.mark.parametrize("distortion", [1e-6, 1e-2, 0.3, 3.0, 300.0])
def test_si_sdr_agrees_with_fast_bss_eval_to_a_hundred_thousandth_of_a_decibel(distortion: float) -> None:
    estimate, reference = pair(distortion)
    expected = torch.stack(
        [
            torch.stack([fast_bss_eval.si_sdr(r[None], e[None], clamp_db=70)[0] for e, r in zip(*rows, strict=True)])
            for rows in zip(estimate, reference, strict=True)
        ]
    )
    torch.testing.assert_close(metrics.si_sdr(estimate=estimate, reference=reference), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("distortion", [1e-3, 0.3, 3.0])
def test_snr_agrees_with_torchmetrics_to_a_microdecibel(distortion: float) -> None:
    estimate, reference = pair(distortion)
    expected = torchmetrics_audio.signal_noise_ratio(estimate, reference, zero_mean=False)
    torch.testing.assert_close(metrics.snr(estimate=estimate, reference=reference), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("filter_length", [1, 16, 512])
@pytest.mark.parametrize("distortion", [1e-5, 1e-2, 0.3, 3.0, 300.0])
def test_bss_eval_agrees_with_torchmetrics_to_a_microdecibel(distortion: float, filter_length: int) -> None:
    estimate, reference = pair(distortion)
    expected = torchmetrics_audio.signal_distortion_ratio(
        estimate, reference, filter_length=filter_length, load_diag=1e-6
    )
    found = metrics.sdr_bss_eval(estimate=estimate, reference=reference, filter_length=filter_length)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("distortion", [1e-2, 0.3, 30.0])
def test_bss_eval_agrees_with_fast_bss_eval_to_a_microdecibel(distortion: float) -> None:
    estimate, reference = pair(distortion)
    rows = zip(estimate.flatten(0, 1), reference.flatten(0, 1), strict=True)
    expected = [float(fast_bss_eval.sdr(r[None], e[None], load_diag=1e-6, clamp_db=100)) for e, r in rows]
    found = metrics.sdr_bss_eval(estimate=estimate, reference=reference)
    assert found.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_bss_eval_forgives_what_a_filter_does_and_nothing_else() -> None:
    reference, filtered = torch.zeros(2, 2000, dtype=torch.float64)
    reference[:1500] = noise(1500)
    for delay, gain in ((3, 0.5), (40, -2.0), (255, 1.0)):
        filtered += gain * reference.roll(delay)
    judge = partial(metrics.sdr_bss_eval, reference=reference)
    assert judge(estimate=filtered, filter_length=256).item() == pytest.approx(60, abs=1)
    assert judge(estimate=filtered, filter_length=255).item() < 10
    noisy = filtered + 0.01 * filtered.norm() * torch.nn.functional.normalize(noise(2000, seed=1), dim=0)
    assert judge(estimate=noisy, filter_length=256).item() == pytest.approx(40, abs=1)
    with pytest.raises(ValueError, match="filter of 0 samples"):
        judge(estimate=filtered, filter_length=0)


def test_bss_eval_without_a_filter_is_si_sdr() -> None:
    estimate, reference = pair(0.3)
    found = metrics.sdr_bss_eval(estimate=estimate, reference=reference, filter_length=1, loading=0)
    torch.testing.assert_close(found, metrics.si_sdr(estimate=estimate, reference=reference))
    assert metrics.sdr_bss_eval(estimate=reference, reference=reference, loading=0).eq(100).all()


def test_bss_eval_of_a_narrow_band_is_finite_and_of_silence_the_limit_or_undefined() -> None:
    tone = torch.sin(torch.arange(4000.0) / 10)
    assert metrics.sdr_bss_eval(estimate=tone, reference=tone).item() > 50
    silence = torch.zeros(4000)
    assert metrics.sdr_bss_eval(estimate=silence, reference=tone).item() == -100
    rows = metrics.sdr_bss_eval(estimate=torch.stack([tone, silence]), reference=silence)
    assert rows.isnan().all()
    short = metrics.sdr_bss_eval(estimate=noise(10, seed=1), reference=noise(10))
    assert short.isfinite()


def test_si_sdr_ignores_the_level_of_the_estimate_and_snr_does_not() -> None:
    estimate, reference = pair(0.1)
    louder = metrics.si_sdr(estimate=7 * estimate, reference=reference)
    torch.testing.assert_close(louder, metrics.si_sdr(estimate=estimate, reference=reference))
    quieter = metrics.snr(estimate=estimate, reference=reference)
    assert (metrics.snr(estimate=7 * estimate, reference=reference) < quieter - 4).all()


def test_the_mean_is_not_removed() -> None:
    reference = torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert metrics.si_sdr(estimate=reference + 1.0, reference=reference).item() == pytest.approx(0.0, abs=1e-9)


def test_float32_signals_are_measured_in_float64() -> None:
    reference = noise(50000).float()
    estimate = reference * (1 + 1e-3)
    answer = metrics.snr(estimate=estimate, reference=reference)
    assert answer.dtype == torch.float64
    assert answer.item() == pytest.approx(metrics.snr(estimate=estimate.double(), reference=reference.double()).item())


def test_a_perfect_estimate_scores_the_limit() -> None:
    signal = noise(100)
    assert metrics.si_sdr(estimate=signal, reference=signal).item() == 70
    assert metrics.snr(estimate=signal, reference=signal).item() == 80
    assert metrics.sdr(estimate=signal[None], reference=signal[None]).item() == 80


def test_a_silent_estimate_scores_the_lower_limit_in_si_sdr_and_zero_in_snr() -> None:
    reference = noise(100)
    assert metrics.si_sdr(estimate=torch.zeros(100), reference=reference).item() == -70
    assert metrics.snr(estimate=torch.zeros(100), reference=reference).item() == pytest.approx(0)


@pytest.mark.parametrize("estimate", [torch.zeros(100), noise(100)])
def test_a_silent_reference_is_undefined_everywhere(estimate: Tensor) -> None:
    silent = torch.zeros(100)
    assert metrics.si_sdr(estimate=estimate, reference=silent).isnan()
    assert metrics.snr(estimate=estimate, reference=silent).isnan()
    assert metrics.sdr(estimate=estimate[None], reference=silent[None]).isnan()
    assert metrics.si_sdr_improvement(estimate=estimate, reference=silent, mixture=noise(100)).isnan()


def test_silence_in_one_row_of_a_batch_leaves_the_others_alone() -> None:
    reference = noise(3, 100)
    reference[1] = 0
    answer = metrics.si_sdr(estimate=noise(3, 100, seed=5), reference=reference)
    assert answer.isnan().tolist() == [False, True, False]


def test_improvement_is_the_difference_to_the_mixture() -> None:
    reference, other = noise(2, 4000), noise(2, 4000, seed=3)
    answer = metrics.si_sdr_improvement(
        estimate=reference + 0.1 * other, reference=reference, mixture=reference + other
    )
    before = metrics.si_sdr(estimate=reference + other, reference=reference)
    after = metrics.si_sdr(estimate=reference + 0.1 * other, reference=reference)
    torch.testing.assert_close(answer, after - before)
    same = metrics.si_sdr_improvement(estimate=reference + other, reference=reference, mixture=reference + other)
    assert same.abs().max() == 0


def test_sdr_sums_the_energies_of_channels() -> None:
    reference = noise(5, 2, 1000)
    estimate = reference + 0.1 * noise(5, 2, 1000, seed=1)
    error = (estimate - reference).square().sum(dim=(-1, -2))
    expected = 10 * torch.log10(reference.square().sum(dim=(-1, -2)) / error)
    torch.testing.assert_close(metrics.sdr(estimate=estimate, reference=reference), expected)


def test_sdr_is_defined_when_one_channel_is_silent() -> None:
    reference = torch.stack([noise(100), torch.zeros(100, dtype=torch.float64)])
    assert metrics.sdr(estimate=0.9 * reference, reference=reference).item() == pytest.approx(20)


def test_false_output_is_the_level_against_the_mixture() -> None:
    mixture = noise(4, 100)
    answer = metrics.false_output_db(estimate=0.01 * mixture, mixture=mixture)
    torch.testing.assert_close(answer, torch.full((4,), -40.0, dtype=torch.float64))


def test_false_output_of_silence_is_finite_and_of_a_silent_mixture_is_undefined() -> None:
    assert metrics.false_output_db(estimate=torch.zeros(100), mixture=noise(100)).item() == -120
    assert metrics.false_output_db(estimate=noise(100), mixture=torch.zeros(100)).isnan()


@pytest.mark.parametrize("function", [metrics.si_sdr, metrics.snr, metrics.sdr_bss_eval])
def test_signals_of_different_lengths_are_refused(function: partial[Tensor]) -> None:
    with pytest.raises(ValueError, match="9 and 10 samples"):
        function(estimate=torch.ones(9), reference=torch.ones(10))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_presence_auc_agrees_with_torchmetrics(answers: list[tuple[int, bool]]) -> None:
    scores = [score / 5 for score, _ in answers]
    present = [there for _, there in answers]
    answer = metrics.presence_auc(scores=scores, present=present)
    if len(set(present)) < 2:
        assert math.isnan(answer)
    else:
        expected = binary_auroc(torch.tensor(scores, dtype=torch.float64), torch.tensor(present).long())
        assert answer == pytest.approx(expected.item(), abs=1e-6)


def test_presence_auc_refuses_what_it_cannot_rank() -> None:
    with pytest.raises(ValueError, match="nan"):
        metrics.presence_auc(scores=[0.1, math.nan], present=[True, False])
    with pytest.raises(ValueError, match="1 scores for 2"):
        metrics.presence_auc(scores=[0.1], present=[True, False])


@pytest.mark.parametrize(("n_estimates", "n_references"), [(1, 1), (2, 2), (4, 2), (4, 4), (5, 3)])
def test_best_assignment_is_the_best_of_all_permutations(n_estimates: int, n_references: int) -> None:
    for seed in range(20):
        scores = noise(n_estimates, n_references, seed=seed)
        orders = itertools.permutations(range(n_estimates), n_references)
        expected = max(orders, key=lambda order: sum(float(scores[e, r]) for r, e in enumerate(order)))
        assert metrics.best_assignment(scores) == expected


def test_best_assignment_refuses_more_references_than_estimates() -> None:
    with pytest.raises(ValueError, match="3 references cannot share 2 estimates"):
        metrics.best_assignment(torch.zeros(2, 3))


def test_best_assignment_works_beside_an_undefined_score() -> None:
    scores = torch.tensor([[math.nan, 1.0], [math.nan, 5.0]])
    assert metrics.best_assignment(scores) == (0, 1)


def test_only_members_of_a_category_change_places() -> None:
    references = noise(4, 500)
    estimates = references[[2, 1, 0, 3]]
    swapped = metrics.assign_within_categories(
        estimate=estimates,
        reference=references,
        categories=["speech", "sfx", "speech", "music-mix"],
        metric=metrics.si_sdr,
    )
    assert swapped == (2, 1, 0, 3)
    alone = metrics.assign_within_categories(
        estimate=estimates,
        reference=references,
        categories=["speech", "sfx", "vocals", "music-mix"],
        metric=metrics.si_sdr,
    )
    assert alone == (0, 1, 2, 3)


def test_assignment_agrees_with_fast_bss_eval() -> None:
    references = noise(3, 800)
    estimates = references[[1, 2, 0]] + 0.5 * noise(3, 800, seed=9)
    _, expected = fast_bss_eval.si_sdr(references, estimates, return_perm=True)
    answer = metrics.assign_within_categories(
        estimate=estimates, reference=references, categories=["sfx"] * 3, metric=metrics.si_sdr
    )
    assert list(answer) == expected.tolist()


def test_channels_are_judged_together() -> None:
    references = noise(2, 2, 500)
    references[0, 1] = 0  # one silent channel has no say
    estimates = references[[1, 0]]
    answer = metrics.assign_within_categories(
        estimate=estimates, reference=references, categories=["speech", "speech"], metric=metrics.si_sdr
    )
    assert answer == (1, 0)


def test_assignment_refuses_counts_that_differ() -> None:
    with pytest.raises(ValueError, match="2 estimates, 2 references, 1 categories"):
        metrics.assign_within_categories(
            estimate=noise(2, 9), reference=noise(2, 9), categories=["speech"], metric=metrics.si_sdr
        )


@pytest.mark.parametrize("place", ["estimate", "reference"])
def test_samples_that_are_nan_make_their_row_undefined_and_no_other(place: str) -> None:
    signals = {"estimate": noise(2, 3000, seed=1), "reference": noise(2, 3000)}
    signals[place][0, 7] = math.nan
    for function in (metrics.si_sdr, metrics.snr, metrics.sdr_bss_eval, partial(metrics.si_sir, rest=noise(2, 3000))):
        assert function(**signals).isnan().tolist() == [True, False], function
    assert metrics.sdr(**signals).isnan()


def test_sdr_refuses_other_channels_and_signals_without_channels() -> None:
    for estimate, reference in ((noise(1, 8), noise(2, 8)), (noise(8), noise(8))):
        with pytest.raises(ValueError, match=r"give both as \[..., channels, samples\]"):
            metrics.sdr(estimate=estimate, reference=reference)
