import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.models.losses import permuted_loss, presence_loss, prompted_loss, si_sdr, sorted_loss
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.tuss_step import TussStep, by_name, by_permutation


class Batch(NamedTuple):
    mixture: Tensor
    references: Tensor
    prompts: list[tuple[str, ...]]


class Answers(nn.Module):
    """A network that answers what it was given."""

    def __init__(self, estimates, logits=None):
        super().__init__()
        self.estimates, self.logits = estimates, logits

    def separate_windows(self, mixture, prompts):
        return self.estimates, self.logits


def signals(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(*prompts, silent=()):
    references = signals(len(prompts), len(prompts[0]), 400)
    for place in silent:
        references[place] = 0
    return Batch(references.sum(dim=1), references, list(prompts))


def test_the_published_loss_is_the_mean_of_the_prompted_losses():
    batch = batch_of(("speech", "speech", "bass"), ("drums", "bass", "other"))
    estimates = batch.references.flip(1) + 0.3 * signals(2, 3, 400, seed=1)
    total, numbers = TussStep().loss(Answers(estimates), batch)
    losses = prompted_loss(estimate=estimates, reference=batch.references, prompts=batch.prompts).losses
    assert torch.equal(total, losses.mean())
    assert numbers.keys() == {"loss/sounding"}
    torch.testing.assert_close(numbers["loss/sounding"], losses.mean())


def test_presence_is_added_with_its_weight_and_follows_the_match():
    batch = batch_of(("sfx", "sfx"), silent=[(0, 0)])
    estimates, logits = batch.references.flip(1), torch.tensor([[2.0, -1.0]])
    plain, _ = TussStep().loss(Answers(estimates, logits), batch)
    total, numbers = TussStep(presence_weight=0.5).loss(Answers(estimates, logits), batch)
    expected = presence_loss(logits=logits, reference=batch.references, order=torch.tensor([[1, 0]]))
    torch.testing.assert_close(total - plain, 0.5 * expected)
    torch.testing.assert_close(numbers["loss/presence"], expected)


def test_presence_cannot_be_trained_without_a_head():
    batch = batch_of(("bass",))
    with pytest.raises(RecipeError, match="presence=True"):
        TussStep(presence_weight=1.0).loss(Answers(batch.references), batch)


def test_relative_silence_is_enough_30_db_below_the_mixture():
    batch = batch_of(("bass", "drums"), silent=[(0, 1)])
    quiet = batch.references + 1e-3 * batch.mixture[:, None]
    quieter = batch.references + 1e-6 * batch.mixture[:, None]
    gains = [
        (step.loss(Answers(quiet), batch)[0] - step.loss(Answers(quieter), batch)[0]).item()
        for step in (TussStep(), TussStep(relative_silence=True))
    ]
    assert gains[0] > 10 * gains[1] > 0


def test_conventional_losses_are_those_of_their_matching():
    batch = batch_of(("vocals", "bass"), ("speech", "drums"))
    estimates = signals(2, 4, 400, seed=2)
    total, _ = TussStep(by_permutation).loss(Answers(estimates), batch)
    torch.testing.assert_close(total, permuted_loss(estimate=estimates, reference=batch.references).losses.mean())
    total, _ = TussStep(by_name).loss(Answers(estimates[:, :2]), batch)
    expected = sorted_loss(estimate=estimates[:, :2], reference=batch.references, prompts=batch.prompts)
    torch.testing.assert_close(total, expected.losses.mean())


def test_scores_of_prompted_outputs():
    batch = batch_of(("sfx", "sfx", "bass"), ("drums", "bass", "other"), silent=[(1, 0)])
    estimates = batch.references.clone()
    estimates[0] = estimates[0, [1, 0, 2]]
    estimates += 0.1 * signals(2, 3, 400, seed=3)
    estimates[1, 0] = 0.01 * batch.mixture[1]
    logits = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]])  # wrong about the silent and about the last
    scores = TussStep().score(Answers(estimates, logits), batch)
    assert len(scores["loss"]) == 2
    assert len(scores["si_sdr"]) == 6
    assert math.isnan(scores["si_sdr"][3])
    assert all(value > 15 for value in scores["si_sdr"] if not math.isnan(value))
    assert {name for name in scores if "/" in name} == {
        f"si_sdr_improvement/{prompt}" for prompt in ("sfx", "bass", "drums", "other")
    }
    mixture_score = si_sdr(estimate=batch.mixture[0], reference=batch.references[0, 2]).item()
    assert scores["si_sdr_improvement/bass"][0] == pytest.approx(scores["si_sdr"][2] - mixture_score, abs=1e-4)
    assert scores["false_output"] == pytest.approx([-40.0], abs=1e-3)
    assert sum(scores["presence"]) / 6 == pytest.approx(4 / 6)


@pytest.mark.parametrize(("matching", "n_outputs"), [(by_permutation, 4), (by_name, 2)])
def test_scores_of_conventional_outputs_are_named_after_the_references(matching, n_outputs):
    batch = batch_of(("vocals", "bass"), ("vocals", "bass"))
    estimates = torch.zeros(2, n_outputs, 400)
    estimates[:, 0], estimates[:, 1] = batch.references[:, 1], batch.references[:, 0]
    scores = TussStep(matching).score(Answers(estimates + 1e-3 * signals(2, n_outputs, 400, seed=4)), batch)
    assert all(value > 40 for value in scores["si_sdr_improvement/bass"] + scores["si_sdr_improvement/vocals"])
    assert "presence" not in scores


def test_a_real_network_learns_from_a_step():
    torch.manual_seed(0)
    model = Tuss(PRESETS["tuss-debug"])
    references = signals(2, 2, 8820)
    references[0, 1] = 0
    batch = Batch(references.sum(dim=1), references, [("vocals", "drums"), ("sfx", "sfx")])
    step = TussStep(presence_weight=1.0, relative_silence=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss, _ = step.loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    with torch.no_grad():
        assert set(step.score(model.eval(), batch)) >= {"loss", "si_sdr", "false_output", "presence"}
