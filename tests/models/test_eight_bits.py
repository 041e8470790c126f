import pytest
import torch

from unbraid.errors import ModelError
from unbraid.models.eight_bits import narrow, widen
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.zoo import read_file, read_weights, save_weights


def test_matrices_come_back_within_half_a_step_of_their_block() -> None:
    generator = torch.Generator().manual_seed(0)
    levels = torch.logspace(-6, 3, 64)[:, None, None]  # a row of a convolution may be a billion times another
    value = levels * torch.randn(64, 3, 32, generator=generator)
    back = widen(narrow({"weight": value}))["weight"]
    peaks = value.view(-1, 32).abs().amax(dim=1)
    errors = (back - value).view(-1, 32).abs().amax(dim=1)
    assert back.shape == value.shape
    assert torch.all(errors <= peaks / 127 * 0.51 + peaks * 2**-8)
    assert 10 * torch.log10(value[40].square().sum() / (back - value)[40].square().sum()) > 42


def test_what_is_no_matrix_stays_as_it_is() -> None:
    tensors = {"bias": torch.randn(9), "norm": torch.randn(1, 9, 1), "steps": torch.arange(4).view(2, 2)}
    stored = narrow(tensors)
    assert stored.keys() == tensors.keys()
    assert all(torch.equal(stored[key], value) for key, value in tensors.items())
    assert all(torch.equal(value, tensors[key]) for key, value in widen(stored).items())


def test_a_block_of_zeros_and_a_last_block_that_is_not_full() -> None:
    value = torch.zeros(5, 9)
    value[4, 8] = -2.0
    back = widen(narrow({"weight": value}))["weight"]
    assert torch.count_nonzero(back) == 1
    assert float(back[4, 8]) == pytest.approx(-2.0, rel=2**-8)


def test_a_network_in_eight_bits_is_a_weights_file_like_others(tmp_path) -> None:
    torch.manual_seed(1)
    model = Tuss(PRESETS["tuss-debug"]).eval()
    sizes = {}
    for dtype in (torch.float16, torch.int8):
        path = tmp_path / f"{dtype}.safetensors"
        save_weights(model, path, dtype=dtype)
        sizes[dtype] = sum(value.numel() * value.element_size() for value in read_file(path)[1].values())
        loaded = read_weights(path).state_dict()
        for key, value in model.state_dict().items():
            assert loaded[key].dtype == value.dtype
            assert torch.allclose(loaded[key], value, atol=0.01 * float(value.abs().max()) + 1e-6), key
    assert sizes[torch.int8] < 0.7 * sizes[torch.float16]


def test_missing_scales_are_a_damaged_file(tmp_path) -> None:
    from safetensors.torch import save_file

    whole, path = tmp_path / "whole.safetensors", tmp_path / "model.safetensors"
    save_weights(Tuss(PRESETS["tuss-debug"]), whole, dtype=torch.int8)
    header, tensors = read_file(whole)
    lost = next(key for key in tensors if key.endswith(".scales"))
    save_file({key: value for key, value in tensors.items() if key != lost}, path, metadata=header)
    with pytest.raises(ModelError, match="damaged weights file"):
        read_weights(path)
