"""The parts of a block: the norm's own backward pass, rotary positions, tiles, feed-forwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unbraid.models.layers.locoformer import (
    Attention,
    FeedForward,
    FeedForwardConfig,
    GroupedRmsNorm,
    Path,
    PathConfig,
    Rope,
    Stack,
    StackConfig,
    _Attend,
    _GroupedRmsNorm,
    rotate,
)


def test_norm_is_the_formula():
    norm = GroupedRmsNorm(12, 3)
    nn.init.normal_(norm.gain)
    x = torch.randn(5, 7, 12)
    grouped = x.view(5, 7, 3, 4)
    rms = grouped.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(norm(x), (grouped / (rms + 1e-5)).flatten(-2) * norm.gain)


def test_gradient_of_the_norm():
    x = torch.randn(3, 4, 12, dtype=torch.float64, requires_grad=True)
    gain = torch.randn(12, requires_grad=True)
    y = _GroupedRmsNorm.apply(x, gain, 3, 1e-2)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    twin = x.detach().float().requires_grad_()
    twin_gain = gain.detach().clone().requires_grad_()
    grouped = twin.view(3, 4, 3, 4)
    plain = (grouped / (grouped.square().mean(-1, keepdim=True).sqrt() + 1e-2)).flatten(-2) * twin_gain
    (plain * weight.float()).sum().backward()
    torch.testing.assert_close(x.grad.float(), twin.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gain.grad, twin_gain.grad, rtol=1e-4, atol=1e-5)


def test_norm_of_silence_has_a_finite_gradient():
    x = torch.zeros(2, 3, 8, requires_grad=True)
    GroupedRmsNorm(8, 2)(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_norm_is_as_narrow_as_the_layers_that_follow():
    norm, x = GroupedRmsNorm(8, 2), torch.randn(4, 8)
    assert norm(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(x).dtype == torch.bfloat16


def test_rotation_keeps_lengths_and_depends_on_distance_only():
    rotation = Rope(6)(10)
    query, key = torch.randn(6), torch.randn(6)
    queries, keys = (rotate(one.expand(1, 10, 1, 6), rotation)[0, :, 0] for one in (query, key))
    torch.testing.assert_close(queries.norm(dim=-1), query.norm().expand(10))
    products = queries @ keys.T
    torch.testing.assert_close(products.diagonal(2), products[0, 2].expand(8), rtol=1e-4, atol=1e-5)


def test_feed_forward_is_the_pair_of_convolutions():
    layer = FeedForward(5, FeedForwardConfig(width=7, kernel=4))
    x = torch.randn(2, 11, 5)
    expand = layer.expand.weight.view(14, 4, 5).transpose(1, 2)
    contract = layer.contract.weight.view(4, 5, 7).permute(2, 1, 0)
    padded = nn.functional.pad(x.transpose(1, 2), (3, 3))
    value, gate = nn.functional.conv1d(padded, expand, layer.expand.bias).chunk(2, dim=1)
    y = nn.functional.conv_transpose1d(value * nn.functional.silu(gate), contract, layer.bias)[..., 3:-3]
    torch.testing.assert_close(layer(x), y.transpose(1, 2), rtol=1e-4, atol=1e-5)


def test_attention_with_and_without_gradients():
    attention = Attention(8, PathConfig(2, 12, (FeedForwardConfig(4),)))
    x, rotation = torch.randn(3, 9, 8), Rope(6)(9)
    with torch.no_grad():
        fused = attention(x, rotation)
    torch.testing.assert_close(attention(x, rotation), fused, rtol=1e-4, atol=1e-5)


def plain_attention(query_key, value, rotation):
    query, key = rotate(query_key, rotation).transpose(1, 3).unbind(2)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return (scores.softmax(-1) @ value.transpose(1, 2)).transpose(1, 2).flatten(-2)


@pytest.mark.parametrize("level", [1.0, 30.0])  # scores of 30 squared leave the range of powers
def test_powers_are_the_softmax_and_so_is_their_gradient(level):
    rotation = Rope(6)(9)
    results = []
    for attend in (plain_attention, lambda *inputs: _Attend.apply(*inputs[:2], *rotation)):
        generator = torch.Generator().manual_seed(0)
        query_key = (level * torch.randn(3, 9, 2, 2, 6, generator=generator)).requires_grad_()
        value = torch.randn(3, 9, 2, 6, generator=generator).requires_grad_()
        attended = attend(query_key, value, rotation)
        (attended * torch.randn(3, 9, 12, generator=generator)).sum().backward()
        results.append((attended, query_key.grad, value.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_query_that_nothing_answers_is_finite():
    query_key = torch.full((1, 4, 2, 1, 2), 40.0)
    query_key[:, :, 1] = -40.0  # all scores so low that every power is zero
    value = torch.randn(1, 4, 1, 2)
    still = torch.ones(4, 1), torch.zeros(4, 1)
    expected = value.mean(dim=1, keepdim=True).expand(-1, 4, -1, -1).flatten(-2)
    torch.testing.assert_close(_Attend.apply(query_key, value, *still), expected)


def test_what_the_blocks_add_to_stays_wide():
    path = PathConfig(2, 8, (FeedForwardConfig(6, 2),))
    stack = Stack(8, 2, StackConfig(1, path, path))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert stack(torch.randn(1, 5, 4, 8).bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("length", [1, 5, 700])
@pytest.mark.parametrize("kernels", [(1, 4), (4,), (1, 1)])
def test_tiles_change_nothing(length, kernels):
    path = Path(8, 2, PathConfig(2, 8, tuple(FeedForwardConfig(6, k) for k in kernels)))
    x, rotation = torch.randn(1300 // length + 2, length, 8), Rope(4)(length)
    with torch.no_grad():
        tiled = path(x, rotation)
    torch.testing.assert_close(path(x, rotation), tiled, rtol=1e-4, atol=1e-5)


def test_senseless_sizes_are_refused():
    with pytest.raises(ValueError, match="heads"):
        PathConfig(3, 8, (FeedForwardConfig(4),))
    with pytest.raises(ValueError, match="one or two"):
        PathConfig(2, 8, ())
    with pytest.raises(ValueError, match="groups"):
        GroupedRmsNorm(8, 3)
