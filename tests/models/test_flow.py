"""Layers of flows: each is exactly invertible, and tells the determinant that automatic differentiation finds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from unbraid.models.layers.flow import (
    ActNorm,
    AffineCoupling,
    GroupedMix,
    NormedConv1d,
    Wavenet,
    count_frames,
    squeeze,
    unsqueeze,
)

MASK = torch.tensor([[[1.0, 1, 1, 1, 1]], [[1.0, 1, 1, 0, 0]]])


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_coupling(*, sigmoid_scale: bool = False, dropout: float = 0.0) -> AffineCoupling:
    wavenet = Wavenet(4, kernel_size=3, dilation_base=2, n_layers=3, dropout=dropout)
    coupling = AffineCoupling(8, wavenet, n_hidden=4, sigmoid_scale=sigmoid_scale)
    nn.init.normal_(coupling.last.weight, std=0.5)
    return coupling


def make_layer(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "norm":
        norm = ActNorm(8)
        norm.initialize(3 + 2 * seeded(2, 8, 5, seed=9))
        return norm
    if name == "mix":
        mix = GroupedMix(8, 4)
        nn.init.normal_(mix.weight)
        return mix
    return make_coupling(sigmoid_scale=name == "sigmoid coupling")


def test_squeezed_frames_lie_on_top_of_each_other():
    x = seeded(2, 3, 7)
    squeezed = squeeze(x, 2)
    assert squeezed.shape == (2, 6, 3)
    for s in range(2):
        for c in range(3):
            assert torch.equal(squeezed[:, 3 * s + c], x[:, c, s:6:2])
    assert torch.equal(unsqueeze(squeezed, 2), x[..., :6])
    assert torch.equal(unsqueeze(squeeze(x[..., :6], 3), 3), x[..., :6])
    assert torch.equal(squeeze(x, 1), x)


def test_normed_convolution_is_that_of_torch():
    ours = NormedConv1d(3, 4, kernel_size=5, dilation=2)
    theirs = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 5, padding=4, dilation=2))
    with torch.no_grad():
        ours.length.copy_(torch.rand(4, 1, 1) + 0.5)
        theirs.parametrizations.weight.original0.copy_(ours.length)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    x = seeded(2, 3, 9)
    torch.testing.assert_close(ours(x), theirs(x))


def test_filters_follow_their_weights():
    conv, x = NormedConv1d(2, 3).requires_grad_(requires_grad=False), seeded(1, 2, 4)
    with torch.inference_mode():
        before = conv(x).clone()
    conv.length.mul_(2)
    bias = conv.bias[:, None]
    torch.testing.assert_close(conv(x) - bias, 2 * (before - bias))
    conv.load_state_dict({**conv.state_dict(), "direction": -conv.direction})
    torch.testing.assert_close(conv(x) - bias, -2 * (before - bias))
    x.requires_grad_()
    conv(x).sum().backward()  # what was put together in inference serves gradients, too
    assert x.grad is not None


@pytest.mark.parametrize("name", ["norm", "mix", "coupling", "sigmoid coupling"])
@pytest.mark.parametrize("mask", [None, MASK])
def test_inverse(name, mask):
    layer, x = make_layer(name), seeded(2, 8, 5)
    x = x if mask is None else x * mask
    z, log_determinant = layer(x, mask)
    back, other = layer.inverse(z, mask)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(other, -log_determinant)
    assert bool((z - x).abs().max() > 0.1)


@pytest.mark.parametrize("name", ["norm", "mix", "coupling", "sigmoid coupling"])
def test_determinant(name):
    layer, x = make_layer(name), seeded(1, 8, 5)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x).reshape(40, 40)
    torch.testing.assert_close(layer(x)[1][0], torch.linalg.slogdet(jacobian).logabsdet, atol=1e-4, rtol=1e-4)
    inverse = torch.autograd.functional.jacobian(lambda z: layer.inverse(z)[0], layer(x)[0].detach()).reshape(40, 40)
    torch.testing.assert_close(inverse @ jacobian, torch.eye(40), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["norm", "mix", "coupling"])
def test_frames_that_do_not_count_change_nothing(name):
    layer, x = make_layer(name), seeded(2, 8, 5)
    z, log_determinant = layer(x * MASK, MASK)
    alone, of_alone = layer(x[1:, :, :3])
    torch.testing.assert_close(z[1:, :, :3], alone)
    torch.testing.assert_close(log_determinant[1:], of_alone)
    assert not z[1, :, 3:].any()


def test_frames_are_counted():
    assert count_frames(seeded(2, 8, 5), MASK).tolist() == [5, 3]
    assert count_frames(seeded(2, 8, 5), None).tolist() == [5, 5]


def test_first_scales_whiten_what_counts():
    x = (seeded(2, 8, 5) * torch.arange(1.0, 9.0)[:, None] + 100) * MASK + 1e6 * (1 - MASK)
    x[:, 3] = 7.0  # a channel that never changes
    norm = ActNorm(8)
    norm.initialize(x, MASK)
    z = norm(x, MASK)[0]
    valid = torch.cat([z[0], z[1, :, :3]], dim=1)
    torch.testing.assert_close(valid.mean(dim=1), torch.zeros(8), atol=1e-4, rtol=0)
    expected = torch.ones(8)
    expected[3] = 0
    torch.testing.assert_close(valid.std(dim=1, correction=0), expected, atol=1e-3, rtol=0)
    assert bool(norm.log_scale.isfinite().all())


@pytest.mark.parametrize("n_split", [2, 4, 6])
def test_groups_of_the_mix(n_split):
    mix, x = GroupedMix(12, n_split), seeded(1, 12, 2)
    nn.init.normal_(mix.weight)
    half = n_split // 2
    expected = torch.empty_like(x)
    for j in range(12 // n_split):
        members = [side * 6 + half * j + p for side in range(2) for p in range(half)]
        expected[0, members] = mix.weight.detach() @ x[0, members]
    torch.testing.assert_close(mix(x)[0].detach(), expected)


def test_the_mix_begins_as_a_rotation_and_may_turn_inside_out():
    mix = GroupedMix(8, 4)
    torch.testing.assert_close(mix.weight @ mix.weight.T, torch.eye(4), atol=1e-5, rtol=0)
    assert torch.linalg.det(mix.weight) > 0
    with torch.no_grad():
        mix.weight[0] *= -2
    torch.testing.assert_close(mix(seeded(1, 8, 5))[1], 5 * 2 * torch.tensor([2.0]).log(), atol=0, rtol=1e-5)


@pytest.mark.parametrize(("n_channels", "n_split"), [(8, 3), (10, 4)])
def test_impossible_groups_are_refused(n_channels, n_split):
    with pytest.raises(ValueError, match="cannot be mixed"):
        GroupedMix(n_channels, n_split)


def test_dropout_is_for_training():
    coupling, x = make_coupling(dropout=0.5), seeded(1, 8, 5)
    assert not torch.equal(coupling(x)[0], coupling(x)[0])
    coupling.eval()
    assert torch.equal(coupling(x)[0], coupling(x)[0])


def test_sigmoid_scales_only_shrink():
    _, log_determinant = make_coupling(sigmoid_scale=True)(10 * seeded(3, 8, 5))
    assert bool((log_determinant < 0).all())
