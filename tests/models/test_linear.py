"""The linear layer that narrows its weights once."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from unbraid.models.layers.linear import Linear


@pytest.fixture
def pair() -> tuple[Linear, nn.Linear]:
    layer = Linear(16, 8)
    plain = nn.Linear(16, 8)
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def agree(layer: Linear, plain: nn.Linear, x: torch.Tensor) -> bool:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        one, other = layer(x), plain(x)
    assert one.dtype == other.dtype == torch.bfloat16
    return torch.equal(one, other)


def test_is_the_plain_layer(pair):
    layer, plain = pair
    x = torch.randn(3, 16)
    assert torch.equal(layer(x), plain(x))
    assert agree(layer, plain, x)
    assert agree(layer, plain, x)


def test_weights_are_narrowed_once(pair):
    layer, _ = pair
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(3, 16))
        first = layer._narrow
        layer(torch.randn(3, 16))
    assert layer._narrow is first


@pytest.mark.parametrize("change", ["step", "load", "replace"])
def test_changed_weights_are_narrowed_again(pair, change):
    layer, plain = pair
    x = torch.randn(3, 16)
    assert agree(layer, plain, x)
    with torch.no_grad():
        if change == "step":
            layer.weight.add_(1.0)
        elif change == "load":
            layer.load_state_dict({"weight": torch.randn(8, 16), "bias": torch.randn(8)})
        else:
            layer.weight = nn.Parameter(torch.randn(8, 16))
    plain.load_state_dict(layer.state_dict())
    assert agree(layer, plain, x)


def test_changed_bias_is_narrowed_again(pair):
    layer, plain = pair
    x = torch.randn(3, 16)
    assert agree(layer, plain, x)
    with torch.no_grad():
        layer.bias.add_(3.0)
    plain.load_state_dict(layer.state_dict())
    assert agree(layer, plain, x)


def test_gradients_flow_under_autocast(pair):
    layer, _ = pair
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(3, 16)).float().sum().backward()
    assert layer.weight.grad is not None


def test_copies_and_saved_states_do_not_carry_the_narrow_weights(pair):
    layer, plain = pair
    x = torch.randn(3, 16)
    assert agree(layer, plain, x)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.zero_()
    plain.load_state_dict(twin.state_dict())
    assert agree(twin, plain, x)
    assert set(layer.state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize("with_bias", [True, False])
def test_parts_are_the_columns_and_own_their_memory(with_bias):
    layer = Linear(16, 8, bias=with_bias)
    x = torch.randn(3, 16)
    for narrow in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            parts = layer.parts(x, (6, 2))
            torch.testing.assert_close(torch.cat(parts, dim=-1), layer(x))
        assert [part.shape[-1] for part in parts] == [6, 2]
        assert all(part.is_contiguous() for part in parts)


def test_gradients_of_parts_reach_all_of_the_weights(pair):
    layer, plain = pair
    x = torch.randn(3, 16)
    sum(part.square().sum() for part in layer.parts(x, (6, 2))).backward()
    plain(x).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)
    torch.testing.assert_close(layer.bias.grad, plain.bias.grad)
