"""Published LaSAFT checkpoints: every form in which they come, what shapes tell, and what is refused."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from unbraid.errors import ModelError
from unbraid.models.published_lasaft import build_lasaft, import_lasaft, is_lasaft
from unbraid.zoo import read_weights, save_weights

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from published_lasaft_tensors import Toy, published_lasaft_tensors

SETTINGS = {
    "model": {
        "hop_length": 16,
        "num_frame": 64,
        "spec2spec": {"activation": "leaky_relu", "last_activation": "identity", "tdf": {"_target_": "a.b.Factory"}},
    },
    "seed": 2021,
}
DATA = {"dataset": {"num_frame": 16}}  # comes first in the file, and contradicts the model


@pytest.fixture(scope="module")
def tensors():
    return published_lasaft_tensors(Toy(), seed=0)


def same(one, other) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return one.config == other.config and all(torch.equal(a, b) for a, b in pairs)


def write(path: Path, content) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["", "spec2spec.", "model.spec2spec.", "module.anything."])
def test_every_prefix_gives_the_same_network(tmp_path, tensors, prefix):
    renamed = {key.replace("spec2spec.", prefix): value for key, value in tensors.items()}
    content = {"state_dict": renamed, "epoch": 709, "optimizer_states": [{"state": {0: {"step": torch.tensor(3)}}}]}
    path = write(tmp_path / "epoch=709.ckpt", content)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    imported = import_lasaft(path, hparams=tmp_path / "settings.yaml")
    assert same(imported, build_lasaft(tensors, SETTINGS, name="toy"))
    assert not imported.training


def test_safetensors_with_the_published_names(tmp_path, tensors):
    save_file(tensors, tmp_path / "net.safetensors")
    assert same(import_lasaft(tmp_path / "net.safetensors"), build_lasaft(tensors, {}, name="toy"))


@pytest.mark.parametrize("place", ["config.yaml", ".hydra/config.yaml", "../config.yaml"])
def test_settings_are_found_beside_the_checkpoint(tmp_path, tensors, place):
    path = tmp_path / "run" / "net.ckpt"
    (path.parent / ".hydra").mkdir(parents=True)
    write(path, {"state_dict": tensors})
    (path.parent / place).write_text(yaml.safe_dump({**DATA, **SETTINGS}))
    config = import_lasaft(path).config
    assert (config.activation, config.hop_length, config.n_frames) == ("leaky_relu", 16, 64)


def test_settings_of_version_1_lie_inside(tmp_path):
    content = {
        "state_dict": published_lasaft_tensors(Toy(version=1), seed=1),
        "hyper_parameters": {"hop_length": 8, "num_frame": 16, "activation": "relu", "spec_type": "complex"},
    }
    config = import_lasaft(write(tmp_path / "lasaft.ckpt", content)).config
    assert (config.version, config.light, config.hop_length, config.n_frames) == (1, True, 8, 16)


def test_settings_that_are_an_object_must_be_given_in_another_way(tmp_path, tensors):
    content = {"state_dict": tensors, "hyper_parameters": Namespace(hop_length=8)}
    path = write(tmp_path / "net.ckpt", content)
    with pytest.raises(ModelError, match=r"net\.ckpt: its settings are pickled as an object.*give them as a YAML file"):
        import_lasaft(path)
    (tmp_path / "settings.yaml").write_text("hop_length: 16")
    assert import_lasaft(path, hparams=tmp_path / "settings.yaml").config.hop_length == 16


class ModelCheckpoint:
    """Stands for what Lightning 1.4 names its callbacks' states after."""


class EarlyStopping:
    """As above."""


@pytest.mark.parametrize("is_zipped", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_what_lightning_leaves_beside_the_tensors_is_passed_over(tmp_path, version, is_zipped):
    """Up to 1.4 the states of callbacks lie under their classes; up to PyTorch 1.6 files were no archives."""
    toy = published_lasaft_tensors(Toy(version=version), seed=1)
    content = {
        "pytorch-lightning_version": "1.4.9",
        "state_dict": toy,
        "callbacks": {
            ModelCheckpoint: {"monitor": "val_loss", "best_model_score": torch.tensor(0.1), "dirpath": Path("run")},
            EarlyStopping: {"wait_count": 0, "best_score": np.float64(0.1)},
        },
        "optimizer_states": [{"state": defaultdict(dict, {0: {"step": 3}}), "param_groups": [{"lr": 1e-3}]}],
        "hyper_parameters": {"hop_length": 8, "num_frame": 16},
    }
    torch.save(content, tmp_path / "net.ckpt", _use_new_zipfile_serialization=is_zipped)
    imported = import_lasaft(tmp_path / "net.ckpt")
    assert same(imported, build_lasaft(toy, content["hyper_parameters"], name="toy"))
    assert imported.config.hop_length == 8


def test_settings_that_are_given_come_before_those_inside(tmp_path, tensors):
    path = write(tmp_path / "net.ckpt", {"state_dict": tensors, "hyper_parameters": {"hop_length": 8}})
    (tmp_path / "config.yaml").write_text("model: {hop_length: 16}")
    assert import_lasaft(path).config.hop_length == 8
    assert import_lasaft(path, hparams=tmp_path / "config.yaml").config.hop_length == 16


def test_code_is_never_run(tmp_path, tensors):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    class Subtle:
        def __reduce__(self):
            return eval, (f"__import__('os').mkdir({str(tmp_path / 'ran')!r})",)

    path = tmp_path / "net.ckpt"
    for is_zipped in (True, False):
        torch.save({"state_dict": tensors, "x": Evil()}, path, _use_new_zipfile_serialization=is_zipped)
        with pytest.raises(ModelError, match="not a checkpoint of tensors only"):
            import_lasaft(path)
        torch.save({"state_dict": tensors, "x": Subtle()}, path, _use_new_zipfile_serialization=is_zipped)
        import_lasaft(path)
    (tmp_path / "config.yaml").write_text(f"!!python/object/apply:os.mkdir ['{tmp_path / 'ran'}']")
    with pytest.raises(ModelError, match=r"config\.yaml: cannot be read as settings"):
        import_lasaft(write(path, {"state_dict": tensors}))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("toy", "expected"),
    [
        (Toy(), {"query_listening": True, "key_listening": True, "n_blocks": 5}),
        (Toy(query=False), {"query_listening": False, "key_listening": True}),
        (Toy(key=False, n_latent=7), {"query_listening": True, "key_listening": False, "n_latent": 7}),
        (Toy(query=False, key=False, key_size=9), {"query_listening": False, "key_size": 9}),
        (Toy(n_levels=3, n_features=6, n_layers=4), {"n_blocks": 7, "n_features": 6, "n_layers": 4}),
        (Toy(n_fft=512, smallest=16), {"n_fft": 512, "bottleneck_factor": 16, "smallest_bottleneck": 16}),
        (Toy(n_fft=512, smallest=3), {"smallest_bottleneck": 4, "hop_length": 256, "n_frames": 128}),
        (Toy(version=1, light=False, n_latent=5), {"version": 1, "light": False, "n_latent": 5, "query_size": 5}),
        (Toy(version=1, query_size=4), {"version": 1, "light": True, "query_size": 4}),
        (Toy(n_labels=2), {"labels": ("label-1", "label-2"), "query_net": None}),
        (Toy(n_labels=4), {"labels": ("vocals", "drums", "bass", "other"), "activation": "relu"}),
        (Toy(n_features=20, n_latent=12), {"activation": "leaky_relu"}),
    ],
)
def test_shapes_tell_the_config(toy, expected):
    config = build_lasaft(published_lasaft_tensors(toy, seed=0), {}, name="toy").config
    assert {name: getattr(config, name) for name in expected} == expected
    assert (config.query_size, config.key_size, config.n_fft) == (toy.query_size, toy.key_size, toy.n_fft)


def test_the_query_net_is_told_by_its_shapes():
    config = build_lasaft(published_lasaft_tensors(Toy(n_labels=0), seed=0), {}, name="toy").config
    assert config.labels == ()
    assert (config.query_net.n_features, config.query_net.time_strides) == ((3, 3, 4), (2, 1, 1))
    assert config.query_net.n_hidden == 7


def test_names_of_other_labels():
    tensors = published_lasaft_tensors(Toy(n_labels=2), seed=0)
    model = build_lasaft(tensors, {"data": {"target_names": ["piano", "rest"]}}, name="toy")
    assert model.vocabulary == ("piano", "rest")


def test_the_window_is_not_needed(tensors):
    without = {key: value for key, value in tensors.items() if "window" not in key}
    assert same(build_lasaft(without, {}, name="toy"), build_lasaft(tensors, {}, name="toy"))


def test_half_precision_is_widened(tensors):
    half = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    model = build_lasaft(half, {}, name="toy")
    assert all(value.dtype == torch.float32 for value in model.parameters())


def test_imported_weights_are_written_and_read_as_ours(tmp_path, tensors):
    model = build_lasaft(tensors, SETTINGS, name="toy")
    save_weights(model, tmp_path / "ours.safetensors")
    assert same(read_weights(tmp_path / "ours.safetensors"), model)


def test_lasaft_is_known_by_its_tensors(tensors):
    assert is_lasaft(tensors)
    assert not is_lasaft({"sos_token": torch.zeros(1), "prompts.speech": torch.zeros(1)})


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("spec2spec.encoders.0.tfc.H.0.0.weight", "'encoders.0.tfc.H.0.0.weight' is missing"),
        ("spec2spec.first_conv.0.weight", "first_conv.0.weight' is missing"),
        ("spec2spec.decoders.1.tfc_lightsaft.LaSIFT.1.weight", "network.decoders.1.transform.widen.weight should be"),
    ],
)
def test_a_missing_tensor_is_named(tensors, key, words):
    with pytest.raises(ModelError, match=words):
        build_lasaft({name: value for name, value in tensors.items() if name != key}, {}, name="toy")


def test_a_foreign_tensor_is_named(tensors):
    with pytest.raises(ModelError, match=r"toy: tensor network\.decoders\.0\.flux is none of a LaSAFT network"):
        build_lasaft({**tensors, "spec2spec.decoders.0.flux": torch.zeros(2)}, {}, name="toy")


def test_a_wrong_shape_is_named(tensors):
    key = "spec2spec.decoders.0.pocm_generator.2.weight_g"
    with pytest.raises(ModelError, match=r"network\.gates\.0\.2\.length should be \(20, 1\) .* gives \(19, 1\)"):
        build_lasaft({**tensors, key: tensors[key][1:]}, {}, name="toy")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 1}}, {"state_dict": {"a": torch.zeros(2)}}])
def test_other_files_are_refused(tmp_path, content):
    with pytest.raises(ModelError, match=r"net\.ckpt: (holds no table|not a LaSAFT checkpoint)"):
        import_lasaft(write(tmp_path / "net.ckpt", content))


def test_damaged_settings_are_refused(tmp_path, tensors):
    path = write(tmp_path / "net.ckpt", {"state_dict": tensors})
    for text in ("- a list", "{", "\x00"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ModelError, match=r"config\.yaml"):
            import_lasaft(path)


def test_settings_that_contradict_the_tensors_are_told_with_the_file(tensors):
    with pytest.raises(ModelError, match=r"toy: its tensors and settings contradict each other: .* n_frames"):
        build_lasaft(tensors, {"num_frame": 127}, name="toy")


def test_a_tensor_that_is_not_finite_is_named(tensors):
    key = "spec2spec.last_conv.0.bias"
    with pytest.raises(ModelError, match=r"toy: network\.last\.bias holds what is no finite number"):
        build_lasaft({**tensors, key: tensors[key] * float("nan")}, {}, name="toy")
