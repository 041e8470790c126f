"""The losses that networks of one target learn from."""

import pytest
import torch

from unbraid.models.losses import LossSettings, cosine_loss, magnitude_loss, negative_sdr_loss

REFERENCE = torch.randn(3, 400, generator=torch.Generator().manual_seed(0))
ESTIMATE = REFERENCE + 0.3 * torch.randn(3, 400, generator=torch.Generator().manual_seed(1))


def test_cosine_against_its_formula():
    expected = -(ESTIMATE * REFERENCE).sum(-1) / (ESTIMATE.norm(dim=-1) * REFERENCE.norm(dim=-1))
    torch.testing.assert_close(cosine_loss(estimate=ESTIMATE, reference=REFERENCE), expected)
    torch.testing.assert_close(cosine_loss(estimate=5 * ESTIMATE, reference=REFERENCE), expected)
    torch.testing.assert_close(cosine_loss(estimate=-ESTIMATE, reference=REFERENCE), -expected)


def test_sdr_against_its_formula():
    ratio = REFERENCE.square().sum(-1) / (ESTIMATE - REFERENCE).square().sum(-1)
    expected = -10 * ratio.log10()
    torch.testing.assert_close(negative_sdr_loss(estimate=ESTIMATE, reference=REFERENCE), expected)
    limit = negative_sdr_loss(estimate=REFERENCE, reference=REFERENCE, settings=LossSettings(eps=1e-3))
    assert bool((limit < -50).all())
    assert bool(limit.isfinite().all())


@pytest.mark.parametrize("loss", [cosine_loss, negative_sdr_loss])
def test_silent_references_are_left_out(loss):
    reference = REFERENCE.clone()
    reference[1] = 0
    estimate = ESTIMATE.clone().requires_grad_()
    values = loss(estimate=estimate, reference=reference)
    assert float(values[1].detach()) == 0
    torch.testing.assert_close(values[[0, 2]], loss(estimate=ESTIMATE, reference=REFERENCE)[[0, 2]])
    values.sum().backward()
    assert bool(estimate.grad.isfinite().all())
    assert float(estimate.grad[1].abs().max()) == 0
    assert float(estimate.grad[0].abs().max()) > 0


@pytest.mark.parametrize("loss", [cosine_loss, negative_sdr_loss])
def test_silent_estimates_are_finite(loss):
    estimate = torch.zeros(3, 400, requires_grad=True)
    values = loss(estimate=estimate, reference=REFERENCE)
    values.sum().backward()
    assert bool(values.isfinite().all())
    assert bool(estimate.grad.isfinite().all())
    torch.testing.assert_close(values.detach(), torch.zeros(3), atol=1e-4, rtol=0)


def test_magnitudes():
    estimate, reference = torch.rand(2, 3, 4, 5)
    expected = [
        sum((one - other).abs().flatten().tolist()) / 20 for one, other in zip(estimate, reference, strict=True)
    ]
    torch.testing.assert_close(magnitude_loss(estimate=estimate, reference=reference), torch.tensor(expected))
