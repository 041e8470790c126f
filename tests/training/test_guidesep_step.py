"""Training and scores of GuideSep and of its mask-prediction twin."""

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.models.guidesep_conditions import DropoutRates
from unbraid.training.guidesep_step import GuidesepStep

N = 31 * 32
ALL_GIVEN = DropoutRates(0.0, 0.0, 0.0, 0.0)


class Batch(NamedTuple):
    mixture: Tensor
    references: Tensor
    mimicry: Tensor
    positive: Tensor
    negative: Tensor
    groups: list[str]


def batch_of(n_items=4, *, silent=()):
    generator = torch.Generator().manual_seed(0)
    mixture, references, mimicry = (torch.randn(n_items, N, generator=generator) for _ in range(3))
    references[list(silent)] = 0
    mixture = mixture + references
    signals = [one / one.abs().amax(dim=-1, keepdim=True).clamp_min(1e-9) for one in (mixture, references, mimicry)]
    masks = torch.rand(2, n_items, 80, 32, generator=generator)
    return Batch(*signals, *masks, ["Piano", "Bass", "Piano", "Voice"][:n_items])


@pytest.fixture(params=["guidesep-debug", "guidesep-mask-debug"])
def model(request):
    torch.manual_seed(0)
    return Guidesep(PRESETS[request.param])


def test_every_weight_learns(model):
    # the head begins at zero, so that what lies below it learns from the second step on
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    loss, _ = GuidesepStep(rates=ALL_GIVEN).loss(model, batch_of())
    loss.backward()
    still = {name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert not {name for name in still if not name.endswith("gate.score.bias")}  # which a softmax cancels
    assert torch.isfinite(loss)


def test_training_lowers_the_loss(model):
    step, batch, losses = GuidesepStep(), batch_of(2), []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(25):
        torch.manual_seed(1)  # the same noise
        loss, _ = step.loss(model, batch)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


def test_an_untrained_model_of_noise_has_the_loss_that_the_weights_promise():
    """The head answers 0, so the estimate is the noisy spectrogram scaled, and its error follows from sigma."""
    torch.manual_seed(0)
    model, batch = Guidesep(PRESETS["guidesep-debug"]), batch_of()
    score = GuidesepStep().score(model, batch)
    clean = model.analyze(batch.references)
    data = model.config.noise.data
    for level in GuidesepStep().levels:
        kept = data**2 / (data**2 + level**2)
        weight = (level**2 + data**2) / (level * data) ** 2
        wanted = weight * (((1 - kept) ** 2) * clean.square().flatten(1).mean(1) + (kept * level) ** 2)
        assert torch.tensor(score[f"loss/{level}"]).mean() == pytest.approx(float(wanted.mean()), rel=0.1)


def test_randomness_is_that_of_the_checkpointed_generator(model):
    step, batch = GuidesepStep(), batch_of()
    torch.nn.init.normal_(model.network.last.weight, std=0.1)

    def losses():
        torch.manual_seed(5)
        return [float(step.loss(model, batch)[0].detach()) for _ in range(2)]

    first, second = losses(), losses()
    assert first == second
    assert first[0] != first[1]


def test_what_is_left_out_does_not_matter(model):
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    batch = batch_of()
    changed = batch._replace(positive=torch.zeros_like(batch.positive), negative=torch.zeros_like(batch.negative))
    for rate, same in ((1.0, True), (0.0, False)):
        step = GuidesepStep(rates=DropoutRates(0.0, 0.0, rate, rate))
        losses = []
        for one in (batch, changed):
            torch.manual_seed(2)
            losses.append(float(step.loss(model, one)[0].detach()))
        assert (losses[0] == losses[1]) is same


def test_mask_prediction_always_hears_the_mixture():
    torch.manual_seed(0)
    model, batch = Guidesep(PRESETS["guidesep-mask-debug"]), batch_of()
    losses = [
        float(GuidesepStep(rates=replace(ALL_GIVEN, mixture=rate)).loss(model, batch)[0].detach())
        for rate in (0.0, 1.0)
    ]
    assert losses[0] == losses[1]


def test_published_scale_is_of_the_batch_and_the_other_of_each_item():
    torch.manual_seed(0)
    model, batch = Guidesep(PRESETS["guidesep-mask-debug"]), batch_of()
    quiet = torch.tensor([1.0, 0.01, 0.01, 0.01])[:, None]
    scaled = batch._replace(mixture=batch.mixture * quiet, references=batch.references * quiet)
    own = [GuidesepStep(per_item=True, rates=ALL_GIVEN).loss(model, one)[0].item() for one in (batch, scaled)]
    shared = [GuidesepStep(rates=ALL_GIVEN).loss(model, one)[0].item() for one in (batch, scaled)]
    # the biases of the network make its mask depend a little on level
    assert own[1] == pytest.approx(own[0], rel=0.2)
    assert shared[1] < 0.5 * shared[0]


def test_scores(model):
    model.eval()
    batch = batch_of(silent=[1])
    with torch.no_grad():
        scores = GuidesepStep().score(model, batch)
        again = GuidesepStep().score(model, batch)
    assert scores == again
    assert len(scores["loss"]) == 4
    for name in ("si_sdr/full", "si_sdr/mimicry", "improvement/full", "improvement/mimicry"):
        assert len(scores[name]) == 3
        assert all(math.isfinite(value) for value in scores[name])
    assert len(scores["improvement/full/Piano"]) == 2
    assert "improvement/full/Bass" not in scores  # it is silent
    assert len(scores["false_output"]) == 1
