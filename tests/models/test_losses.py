from itertools import permutations

import fast_bss_eval
import pytest
import torch

from unbraid.errors import ModelError
from unbraid.models import losses
from unbraid.models.losses import (
    LossSettings,
    best_order,
    permuted_loss,
    presence_loss,
    prompted_loss,
    prompted_metric,
    same_prompt,
    si_sdr,
    snr,
    sorted_loss,
)

SETTINGS = LossSettings()


def plain_loss(estimate, reference, floor_energy=0.0, settings=SETTINGS):
    """The formula of the paper for one stem, without anything shared with the code under test."""
    energy = float((reference.double() ** 2).sum())
    threshold = 10 ** (-settings.snr_max / 10)
    if energy > 0:
        error = float(((estimate.double() - reference.double()) ** 2).sum())
        ratio = torch.tensor((error + threshold * energy + settings.eps) / (energy + settings.eps))
        return 10 * float(torch.log10(ratio))
    quiet = float((estimate.double() ** 2).sum()) + threshold * floor_energy + settings.eps
    return settings.silent_weight * 10 * float(torch.log10(torch.tensor(quiet)))


def plain_prompted(estimate, reference, prompts):
    """Losses of one item by trying every order of the positions of every prompt."""
    result = [0.0] * len(prompts)
    for prompt in set(prompts):
        places = [i for i, name in enumerate(prompts) if name == prompt]
        floor = float((reference[places].sum(dim=0).double() ** 2).sum())
        tries = [
            [plain_loss(estimate[i], reference[j], floor) for i, j in zip(order, places, strict=True)]
            for order in permutations(places)
        ]
        for place, value in zip(places, min(tries, key=sum), strict=True):
            result[place] = value
    return result


def signals(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(8))
def test_prompted_loss_is_the_best_order_within_each_prompt(seed):
    names = ["speech", "sfx", "bass"]
    draw = torch.Generator().manual_seed(seed)
    prompts = [[names[int(torch.randint(3, (), generator=draw))] for _ in range(4)] for _ in range(3)]
    reference = signals(3, 4, 200, seed=seed)
    reference[torch.rand(3, 4, generator=draw) < 0.3] = 0
    shuffled = torch.stack([item[torch.randperm(4, generator=draw)] for item in reference])
    estimate = shuffled + 0.5 * signals(3, 4, 200, seed=seed + 100)
    result = prompted_loss(estimate=estimate, reference=reference, prompts=prompts)
    expected = [plain_prompted(*item) for item in zip(estimate, reference, prompts, strict=True)]
    torch.testing.assert_close(result.losses.double(), torch.tensor(expected).double(), rtol=1e-4, atol=1e-4)


def test_prompted_loss_never_matches_across_prompts():
    reference = signals(1, 2, 100)
    result = prompted_loss(estimate=reference.flip(1), reference=reference, prompts=[["speech", "sfx"]])
    assert result.order.tolist() == [[0, 1]]
    assert (result.losses > 0).all()


def test_prompts_may_differ_between_items_of_a_batch():
    reference = signals(2, 2, 100)
    prompts = [["sfx", "sfx"], ["sfx", "bass"]]
    result = prompted_loss(estimate=reference.flip(1), reference=reference, prompts=prompts)
    assert result.order.tolist() == [[1, 0], [0, 1]]


def test_a_good_estimate_saturates_at_snr_max():
    reference = signals(1, 1, 1000)
    for settings in (SETTINGS, LossSettings(snr_max=20.0)):
        perfect = prompted_loss(estimate=reference, reference=reference, prompts=[["bass"]], settings=settings)
        assert float(perfect.losses) == pytest.approx(-settings.snr_max, abs=1e-3)


def test_silence_has_the_smallest_loss_for_an_absent_source():
    reference = torch.zeros(1, 1, 400)
    mixture = signals(1, 400)
    levels = [
        float(prompted_loss(estimate=gain * mixture[None], reference=reference, prompts=[["bass"]]).losses)
        for gain in (1.0, 0.1, 0.0)
    ]
    assert levels[0] > levels[1] > levels[2]
    assert levels[2] == pytest.approx(0.1 * 10 * -7, abs=1e-4)  # without a mixture only eps bounds it


def test_a_mixture_bounds_what_silence_is_worth():
    reference = torch.zeros(1, 1, 400)
    mixture = signals(1, 400)
    result = prompted_loss(estimate=reference, reference=reference, prompts=[["bass"]], mixture=mixture)
    energy = float(mixture.square().sum())
    assert float(result.losses) == pytest.approx(plain_loss(reference[0, 0], reference[0, 0], energy), abs=1e-4)


def test_silent_reference_of_a_group_is_measured_against_the_groups_own_sum():
    reference = signals(1, 3, 300)
    reference[:, 1] = 0
    estimate = signals(1, 3, 300, seed=1) * 0.01
    result = prompted_loss(estimate=estimate, reference=reference, prompts=[["sfx", "sfx", "bass"]])
    expected = plain_prompted(estimate[0], reference[0], ["sfx", "sfx", "bass"])
    torch.testing.assert_close(result.losses[0].double(), torch.tensor(expected).double(), rtol=1e-4, atol=1e-4)


def test_gradient_is_that_of_the_formula():
    reference = signals(2, 3, 12).double()
    reference[0, 0] = 0
    estimate = signals(2, 3, 12, seed=3).double().requires_grad_()
    prompts = [["sfx", "sfx", "bass"], ["drums", "bass", "sfx"]]

    def total(one):
        return prompted_loss(estimate=one, reference=reference, prompts=prompts).losses.mean()

    assert torch.autograd.gradcheck(total, estimate)


def test_gradient_is_finite_for_silent_and_perfect_estimates():
    reference = signals(1, 2, 50)
    reference[:, 1] = 0
    estimate = reference.clone().requires_grad_()
    prompted_loss(estimate=estimate, reference=reference, prompts=[["bass", "drums"]]).losses.sum().backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_inputs_are_cropped_to_the_shorter_and_not_modified():
    reference = signals(1, 1, 90)
    longer = torch.cat([reference, signals(1, 1, 7)], dim=-1)
    before = longer.clone()
    result = prompted_loss(estimate=longer, reference=reference, prompts=[["bass"]])
    assert float(result.losses) == pytest.approx(-30, abs=1e-3)
    assert torch.equal(longer, before)


def test_channels_of_a_stem_are_matched_together():
    reference = signals(2, 2, 2, 80)
    prompts = [["sfx", "sfx"]] * 2
    result = prompted_loss(estimate=reference.flip(1), reference=reference, prompts=prompts)
    assert result.order.tolist() == [[1, 0], [1, 0]]
    flat = prompted_loss(estimate=reference.flip(1).flatten(2), reference=reference.flatten(2), prompts=prompts)
    torch.testing.assert_close(result.losses, flat.losses)


def test_half_precision_estimates_are_compared_in_float32_even_under_autocast():
    reference = signals(1, 2, 300)
    estimate = (reference.flip(1) + 0.1 * signals(1, 2, 300, seed=4)).bfloat16()
    plain = prompted_loss(estimate=estimate.float(), reference=reference, prompts=[["sfx", "sfx"]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = prompted_loss(estimate=estimate, reference=reference, prompts=[["sfx", "sfx"]])
    assert result.losses.dtype == torch.float32
    torch.testing.assert_close(result, plain)


def test_permuted_loss_adds_silent_references_and_tries_all_orders():
    estimate, reference = signals(2, 4, 100), signals(2, 2, 100, seed=5)
    result = permuted_loss(estimate=estimate, reference=reference)
    padded = torch.cat([reference, torch.zeros(2, 2, 100)], dim=1)
    for item in range(2):
        floor = float((reference[item].sum(dim=0).double() ** 2).sum())
        best = min(
            sum(plain_loss(estimate[item, i], padded[item, j], floor) for j, i in enumerate(order)) / 4
            for order in permutations(range(4))
        )
        assert float(result.losses[item].mean()) == pytest.approx(best, abs=1e-4)


def test_permuted_loss_refuses_more_references_than_outputs():
    with pytest.raises(ModelError, match="3 references for 2 outputs"):
        permuted_loss(estimate=signals(1, 2, 10), reference=signals(1, 3, 10))


def test_sorted_loss_expects_outputs_in_alphabetical_order():
    reference = signals(1, 3, 100)
    prompts = [["speech", "bass", "speech"]]
    estimate = reference[:, [1, 2, 0]]  # bass, then the two speakers in the other order
    result = sorted_loss(estimate=estimate, reference=reference, prompts=prompts)
    assert result.order.tolist() == [[0, 2, 1]]
    assert (result.losses < -29).all()
    assert (sorted_loss(estimate=reference, reference=reference, prompts=prompts).losses.amax(dim=1) > 0).all()


def test_presence_follows_the_order_of_the_matched_estimates():
    reference = signals(1, 2, 60)
    reference[:, 0] = 0
    estimate = reference.flip(1)
    order = prompted_loss(estimate=estimate, reference=reference, prompts=[["sfx", "sfx"]]).order
    right, wrong = torch.tensor([[9.0, -9.0]]), torch.tensor([[-9.0, 9.0]])
    assert float(presence_loss(logits=right, reference=reference, order=order)) < 0.01
    assert float(presence_loss(logits=wrong, reference=reference, order=order)) > 8


@pytest.mark.parametrize("n_stems", [1, 2, 5])
def test_best_order_minimizes_the_total_over_allowed_orders(n_stems):
    cost = signals(6, n_stems, n_stems, seed=n_stems)
    prompts = [["a"] * n_stems] * 3 + [list("abaab")[:n_stems]] * 3
    groups = same_prompt(prompts)
    order = best_order(cost, groups)
    for item in range(6):
        allowed = [p for p in permutations(range(n_stems)) if all(groups[item, i, j] for j, i in enumerate(p))]
        best = min(allowed, key=lambda p, item=item: float(sum(cost[item, i, j] for j, i in enumerate(p))))
        assert tuple(order[item].tolist()) == best


def test_best_order_keeps_the_given_order_when_nothing_is_better():
    assert best_order(torch.zeros(1, 4, 4), torch.ones(1, 4, 4, dtype=torch.bool)).tolist() == [[0, 1, 2, 3]]


def test_best_order_refuses_more_stems_than_can_be_permuted():
    with pytest.raises(ModelError, match="at most 8"):
        best_order(torch.zeros(1, 9, 9), torch.ones(1, 9, 9, dtype=torch.bool))


def test_eight_stems_of_one_prompt_are_matched():
    reference = signals(1, 8, 64)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    result = prompted_loss(estimate=reference[:, order], reference=reference, prompts=[["sfx"] * 8])
    assert torch.equal(order[result.order[0]], torch.arange(8))


@pytest.mark.parametrize(
    ("estimate", "reference", "prompts", "message"),
    [
        ((1, 2, 9), (1, 2, 9), [["a"]], "estimate must be"),
        ((1, 2, 9), (1, 1, 9), [["a", "b"]], "reference must be"),
        ((2, 1, 9), (2, 1, 9), [["a"]], "estimate must be"),
        ((2, 1, 9), (2, 1, 9), [["a"], ["a", "b"]], "same number of prompts"),
        ((1, 1, 2, 9), (1, 1, 1, 9), [["a"]], "differ in channels"),
        ((1, 9), (1, 9), [["a"] * 9], "estimate must be"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(estimate, reference, prompts, message):
    with pytest.raises(ModelError, match=message):
        prompted_loss(estimate=torch.zeros(estimate), reference=torch.zeros(reference), prompts=prompts)


def test_si_sdr_and_snr_agree_with_an_oracle():
    reference = signals(3, 500).double()
    estimate = 0.7 * reference + 0.4 * signals(3, 500, seed=7).double()
    oracle = fast_bss_eval.si_sdr(reference[:, None], estimate[:, None])[:, 0]
    torch.testing.assert_close(si_sdr(estimate=estimate, reference=reference), oracle, rtol=1e-5, atol=1e-5)
    error = (estimate - reference).square().sum(dim=-1)
    by_hand = 10 * torch.log10(reference.square().sum(dim=-1) / error)
    torch.testing.assert_close(snr(estimate=estimate, reference=reference), by_hand)


@pytest.mark.parametrize("metric", [si_sdr, snr])
def test_metrics_are_clamped_and_say_when_they_are_undefined(metric):
    tone = signals(1, 100)
    assert metric(estimate=tone, reference=tone).item() == losses.CLAMP_DB
    assert metric(estimate=1e6 * signals(1, 100, seed=8), reference=tone).item() >= -losses.CLAMP_DB
    assert torch.isnan(metric(estimate=tone, reference=torch.zeros(1, 100))).all()


@pytest.mark.parametrize("metric", [si_sdr, snr])
def test_the_limit_is_a_parameter(metric):
    tone = signals(1, 100)
    assert metric(estimate=tone, reference=tone, limit_db=40.0).item() == 40
    assert metric(estimate=1e6 * signals(1, 100, seed=8), reference=tone, limit_db=3.0).item() == -3


def test_si_sdr_ignores_the_level_and_calls_a_silent_estimate_worst():
    tone, estimate = signals(1, 300), signals(1, 300, seed=9)
    louder = si_sdr(estimate=20 * estimate, reference=tone)
    torch.testing.assert_close(louder, si_sdr(estimate=estimate, reference=tone))
    assert si_sdr(estimate=torch.zeros(1, 300), reference=tone).item() == -losses.CLAMP_DB


def test_prompted_metric_takes_each_metrics_own_best_order():
    reference = signals(1, 3, 400)
    estimate = reference[:, [2, 1, 0]] + 0.1 * signals(1, 3, 400, seed=2)
    values = prompted_metric(si_sdr, estimate=estimate, reference=reference, prompts=[["sfx", "bass", "sfx"]])
    direct = si_sdr(estimate=estimate[:, [2, 1, 0]], reference=reference)
    torch.testing.assert_close(values, direct)
    assert (values > 15).all()


def test_prompted_metric_survives_silent_references():
    reference = signals(1, 2, 100)
    reference[:, 1] = 0
    values = prompted_metric(si_sdr, estimate=reference.flip(1), reference=reference, prompts=[["sfx", "sfx"]])
    assert values[0, 0].item() == losses.CLAMP_DB
    assert torch.isnan(values[0, 1])
