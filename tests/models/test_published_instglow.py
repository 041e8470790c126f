"""Published priors of InstGlow: every form in which they come, what tensors and settings tell, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unbraid.errors import ModelError
from unbraid.models.instglow_network import PRIORS, Prior
from unbraid.models.published_instglow import USED, build_prior, import_instglow, is_instglow

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from published_instglow_tensors import PUBLISHED, Toy, published_instglow_tensors, published_shapes

SETTINGS = {
    "train": {"epochs": 1000, "seed": 1234},
    "data": {"n_ipt_channels": 10, "sampling_rate": 16000, "filter_length": 16, "hop_length": 8},
    "model": {"hidden_channels": 192, "dilation_rate": 1, "p_dropout_dec": 0.1, "n_sqz": 2},
}


@pytest.fixture(scope="module")
def tensors():
    return published_instglow_tensors(Toy(), seed=0)


def same(one, other) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return one.config == other.config and all(torch.equal(a, b) for a, b in pairs)


def write(path: Path, content) -> Path:
    path.parent.mkdir(exist_ok=True)
    torch.save(content, path)
    return path


def test_the_published_shapes():
    sizes = {key: torch.Size(shape).numel() for key, shape in published_shapes(PUBLISHED)}
    assert len(sizes) == 420
    assert sum(sizes.values()) == 14_865_744
    assert sum(size for key, size in sizes.items() if USED.search(key)) == 11_695_440
    with torch.device("meta"):
        assert sum(weight.numel() for weight in Prior(PRIORS["published"]).parameters()) == 11_695_440


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_folder_of_a_source(tmp_path, tensors, prefix):
    state = {f"{prefix}{key}": value for key, value in tensors.items()}
    content = {
        "model": state,
        "iteration": 800,
        "optimizer": {"state": {0: {"step": 3}}, "param_groups": []},
        "learning_rate": [1e-4],
    }
    path = write(tmp_path / "drums" / "G_800.pth", content)
    (path.parent / "config.json").write_text(json.dumps(SETTINGS))
    model = import_instglow(path)
    assert model.vocabulary == ("drums",)
    assert model.sample_rate == 32000
    assert not model.training
    assert same(model.priors[0], build_prior(tensors, SETTINGS, name="toy"))
    assert import_instglow(path, source="my drums").vocabulary == ("my drums",)


def test_settings_elsewhere(tmp_path, tensors):
    path = write(tmp_path / "bass" / "G_20.pth", {"model": tensors})
    (tmp_path / "other.json").write_text(json.dumps({"model": {"dilation_rate": 3}}))
    assert import_instglow(path, hparams=tmp_path / "other.json").config.priors[0].dilation_base == 3


def test_a_bare_table_and_safetensors(tmp_path, tensors):
    expected = build_prior(tensors, {}, name="toy")
    assert same(import_instglow(write(tmp_path / "a" / "net.pth", tensors)).priors[0], expected)
    save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / "a" / "net.safetensors")
    assert same(import_instglow(tmp_path / "a" / "net.safetensors").priors[0], expected)


def test_tensors_and_settings_tell_the_config(tensors):
    told = build_prior(tensors, SETTINGS, name="toy").config
    assert (told.sample_rate, told.n_fft, told.hop_length, told.n_channels) == (16000, 16, 8, 10)
    assert (told.n_blocks, told.n_split, told.n_hidden, told.kernel_size, told.n_layers) == (2, 4, 4, 3, 2)
    assert (told.dilation_base, told.dropout, told.sigmoid_scale, told.n_squeeze) == (1, 0.1, False, 2)
    bare = build_prior(tensors, {}, name="toy").config
    assert bare == replace(told, sample_rate=22050, hop_length=4, dropout=0.05)
    unsaid = build_prior(tensors, {"model": {"sigmoid_scale": True}}, name="toy").config
    assert (unsaid.dilation_base, unsaid.sigmoid_scale) == (5, True)


def test_other_sizes():
    toy = Toy(n_channels=8, n_squeeze=3, n_blocks=3, n_split=6, n_hidden=5, kernel_size=7, n_layers=3)
    settings = {"model": {"n_sqz": 3, "out_channels": 8, "dilation_rate": 2}}
    told = build_prior(published_instglow_tensors(toy, seed=1), settings, name="toy").config
    assert (told.n_squeeze, told.n_channels, told.n_split, told.width) == (3, 8, 6, 24)
    assert (told.n_blocks, told.n_hidden, told.kernel_size, told.n_layers) == (3, 5, 7, 3)


def test_new_names_of_normed_weights(tensors):
    renamed = {
        key.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): value
        for key, value in tensors.items()
    }
    assert is_instglow(renamed)
    assert same(build_prior(renamed, {}, name="toy"), build_prior(tensors, {}, name="toy"))


def test_half_precision_is_widened(tensors):
    prior = build_prior({key: value.half() for key, value in tensors.items()}, {}, name="toy")
    assert all(weight.dtype == torch.float32 for weight in prior.parameters())


def test_unused_layers_may_be_missing(tensors):
    used = {key: value for key, value in tensors.items() if USED.search(key)}
    assert len(used) < len(tensors)
    assert same(build_prior(used, {}, name="toy"), build_prior(tensors, {}, name="toy"))


def test_pickled_settings_are_neither_imported_nor_run(tmp_path, tensors):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    harmless = {"model": tensors, "hps": Namespace(lr=1e-4), "optimizer": {"state": defaultdict(dict, {0: {"a": 1}})}}
    assert same(
        import_instglow(write(tmp_path / "a" / "G_1.pth", harmless)).priors[0], build_prior(tensors, {}, name="toy")
    )
    with pytest.raises(ModelError, match=r"G_1\.pth: not a checkpoint of tensors only"):
        import_instglow(write(tmp_path / "a" / "G_1.pth", {"model": tensors, "hps": Evil()}))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("decoder.flows.2.start.weight_v", r"tensor 'decoder\.flows\.2\.start\.weight_v' is missing"),
        ("decoder.flows.1.weight", r"tensor 'blocks\.0\.mix\.weight' is missing"),
        ("decoder.flows.5.end.bias", r"blocks\.1\.coupling\.last\.bias should be \(20,\) .* gives nothing"),
    ],
)
def test_a_missing_tensor_is_named(tensors, key, words):
    with pytest.raises(ModelError, match=words):
        build_prior({name: value for name, value in tensors.items() if name != key}, {}, name="toy")


def test_foreign_and_wrong_tensors_are_named(tensors):
    with pytest.raises(ModelError, match=r"toy: tensor blocks\.0\.2\.flux is none of a prior"):
        build_prior({**tensors, "decoder.flows.2.flux": torch.zeros(2)}, {}, name="toy")
    key = "decoder.flows.5.wn.in_layers.1.weight_v"
    with pytest.raises(ModelError, match=r"convs\.1\.direction should be \(8, 4, 3\) .* gives \(8, 4, 2\)"):
        build_prior({**tensors, key: tensors[key][..., 1:]}, {}, name="toy")


@pytest.mark.parametrize(
    "settings",
    [{"data": {"n_ipt_channels": 12}}, {"model": {"n_sqz": 4, "out_channels": 10}}, {"model": {"n_sqz": "many"}}],
)
def test_settings_of_another_prior_are_refused(tensors, settings):
    with pytest.raises(ModelError, match="toy: not a prior of InstGlow"):
        build_prior(tensors, settings, name="toy")


@pytest.mark.parametrize("content", [[1, 2], {"model": {"a": 1}}, {"model": {"a": torch.zeros(2)}}])
def test_other_files_are_refused(tmp_path, content):
    with pytest.raises(ModelError, match=r"net\.pth: (holds no table|not a prior of InstGlow)"):
        import_instglow(write(tmp_path / "a" / "net.pth", content))


@pytest.mark.parametrize("text", ["[1]", "{", "\x00", '{"data": {}}'])
def test_damaged_settings_are_refused(tmp_path, tensors, text):
    path = write(tmp_path / "a" / "net.pth", {"model": tensors})
    (tmp_path / "a" / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        import_instglow(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="no such checkpoint file"):
        import_instglow(tmp_path / "net.pth")
