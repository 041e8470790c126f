"""Masks on compressed spectrograms, against their formulas."""

import pytest
import torch

from unbraid.models.layers.compressed_mask import apply_mask, compress, network_input

SPECTROGRAM = torch.randn(2, 9, 5, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)) * 3


def output(real: float, imaginary: float) -> torch.Tensor:
    return torch.tensor([real, imaginary]).view(1, 2, 1, 1).expand(2, 2, 9, 5)


@pytest.mark.parametrize("gain", [1.0, 20.0])
@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
def test_against_the_formula(gain, kind):
    answers = torch.randn(2, 2, 9, 5, generator=torch.Generator().manual_seed(1))
    first, second = answers[:, 0].double(), answers[:, 1].double()
    if kind == "tanh":
        number = torch.complex(first, second)
        mask = (2 * number.abs().sigmoid() - 1) * number / number.abs()
    else:
        mask = torch.polar(first.sigmoid(), second)
    exact = SPECTROGRAM.to(torch.complex128)
    masked = mask * torch.polar((1 + gain * exact.abs()).log(), exact.angle())
    expected = torch.polar((masked.abs().exp() - 1) / gain, masked.angle())
    drawn, magnitude = apply_mask(SPECTROGRAM, answers, gain=gain, kind=kind)
    torch.testing.assert_close(drawn, expected.to(torch.complex64), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(magnitude, masked.abs().float(), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(compress(drawn, gain), magnitude, atol=1e-5, rtol=1e-4)


def test_the_whole_and_nothing():
    whole, _ = apply_mask(SPECTROGRAM, output(50.0, 0.0), gain=1.0, kind="tanh")
    torch.testing.assert_close(whole, SPECTROGRAM)
    turned, _ = apply_mask(SPECTROGRAM, output(0.0, 50.0), gain=1.0, kind="tanh")
    torch.testing.assert_close(turned, 1j * SPECTROGRAM)
    nothing, magnitude = apply_mask(SPECTROGRAM, output(0.0, 0.0), gain=1.0, kind="tanh")
    assert float(nothing.abs().max()) == 0
    assert float(magnitude.max()) < 1e-7


@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
def test_gradients_are_finite_where_nothing_sounds(kind):
    answers = torch.zeros(2, 2, 9, 5, requires_grad=True)
    silent = SPECTROGRAM.clone()
    silent[:, :4] = 0
    drawn, magnitude = apply_mask(silent, answers, gain=1.0, kind=kind)
    (drawn.abs().square().sum() + drawn.real.sum() + magnitude.sum()).backward()
    assert bool(answers.grad.isfinite().all())
    assert float(answers.grad.abs().max()) > 0


def test_what_the_network_is_given():
    parts = network_input(SPECTROGRAM, 1.0, "complex")
    magnitude = network_input(SPECTROGRAM, 1.0, "magnitude")
    assert (parts.shape, magnitude.shape) == ((2, 2, 9, 5), (2, 1, 9, 5))
    torch.testing.assert_close(torch.complex(*parts.unbind(1)).abs(), magnitude[:, 0])
    torch.testing.assert_close(torch.complex(*parts.unbind(1)).angle(), SPECTROGRAM.angle())
    torch.testing.assert_close(magnitude[:, 0], (1 + SPECTROGRAM.abs()).log())
    assert float(network_input(torch.zeros(1, 3, 2, dtype=torch.complex64), 1.0, "complex").abs().max()) == 0
