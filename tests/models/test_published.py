"""Published checkpoints: every form in which they come, and what is refused."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from unbraid.cli.main import app
from unbraid.errors import ModelError
from unbraid.models.published import build_tuss, import_tuss
from unbraid.zoo import load_model

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from published_tensors import Toy, ToyPath, published_tensors

HPARAMS = {
    "model_name": "tuss",
    "model_conf": {"conf_cross_prompt_module": {"num_groups": 4, "tf_order": "ft"}, "sample_rate": 44100},
    "encoder_conf": {"hop_length": 16},
}


@pytest.fixture(scope="module")
def tensors():
    return published_tensors(Toy(), seed=0)


def same(one, other) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def write(path: Path, content) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["separator.", "model.separator."])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"state_dict": one, "epoch": 3, "global_step": 7}])
def test_every_form_gives_the_same_network(tmp_path, tensors, prefix, wrap):
    expected = build_tuss(tensors, HPARAMS, name="toy")
    path = write(tmp_path / "model.pth", wrap({prefix + key: value for key, value in tensors.items()}))
    hparams = tmp_path / "settings.yaml"
    hparams.write_text(yaml.safe_dump(HPARAMS))
    assert same(import_tuss(path, hparams=hparams), expected)


def test_hparams_are_found_two_folders_above(tmp_path, tensors):
    (tmp_path / "checkpoints").mkdir()
    path = write(tmp_path / "checkpoints" / "model.pth", {f"model.separator.{k}": v for k, v in tensors.items()})
    (tmp_path / "hparams.yaml").write_text(yaml.safe_dump(HPARAMS))
    config = import_tuss(path).config
    assert (config.n_groups, config.hop_length, config.sample_rate) == (4, 16, 44100)


def test_without_hparams_the_published_values_are_taken(tmp_path, tensors):
    config = import_tuss(
        write(tmp_path / "model.ckpt", {"state_dict": {f"separator.{k}": v for k, v in tensors.items()}})
    ).config
    assert (config.n_groups, config.hop_length, config.sample_rate, config.n_fft) == (8, 16, 48000, 64)
    assert config.prompts == ("speech", "sfx", "sfx-mix", "drums", "bass", "vocals", "other", "music-mix")
    assert [part.width for part in config.cross.frequency.feed_forward] == [6, 10]
    assert [part.kernel for part in config.cross.time.feed_forward] == [1, 1]


def test_half_precision_is_widened(tmp_path, tensors):
    path = write(tmp_path / "model.pth", {f"separator.{k}": v.half() for k, v in tensors.items()})
    assert all(value.dtype == torch.float32 for value in import_tuss(path).state_dict().values())


def test_safetensors_with_the_published_names(tmp_path, tensors):
    save_file({f"model.separator.{k}": v for k, v in tensors.items()}, tmp_path / "model.safetensors")
    assert same(import_tuss(tmp_path / "model.safetensors"), build_tuss(tensors, {}, name="toy"))


@pytest.mark.parametrize("toy", [Toy(sos=False), Toy(prompts=(), n_outputs=2), Toy(frequency=ToyPath(8, 2, ((6, 4),)))])
def test_variants(toy):
    model = build_tuss(published_tensors(toy, seed=1), HPARAMS, name="toy")
    assert bool(model.config.outputs) != bool(model.config.prompts)
    estimates, _ = model.separate_windows(torch.randn(1, 500), [["speech", "sfx"]])
    assert estimates.shape == (1, 2, 500)


def test_command_writes_a_model_that_loads(tmp_path, tensors):
    path = write(tmp_path / "model.pth", {f"model.separator.{k}": v for k, v in tensors.items()})
    result = CliRunner().invoke(app, ["import-checkpoint", str(path), "-o", str(tmp_path / "mine.safetensors")])
    assert result.exit_code == 0, result.output
    assert same(load_model(tmp_path / "mine.safetensors"), import_tuss(path))


class ModelCheckpoint:
    """Stands for what Lightning names its callbacks' states after."""


@pytest.mark.parametrize("is_zipped", [True, False])
def test_what_lightning_leaves_beside_the_tensors_is_passed_over(tmp_path, tensors, is_zipped):
    content = {
        "state_dict": {f"model.separator.{key}": value for key, value in tensors.items()},
        "callbacks": {ModelCheckpoint: {"best_model_score": torch.tensor(0.1), "dirpath": Path("run")}},
        "optimizer_states": [{"state": defaultdict(dict, {0: {"step": 3}}), "param_groups": [{"lr": 1e-3}]}],
        "hyper_parameters": {"conf": Namespace(lr=1e-3)},
    }
    path = tmp_path / "net.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=is_zipped)
    expected = build_tuss(tensors, {}, name="toy")
    assert same(import_tuss(path), expected)
    result = CliRunner().invoke(app, ["import-checkpoint", str(path), "-o", str(tmp_path / "mine.safetensors")])
    assert result.exit_code == 0, result.output
    assert same(load_model(tmp_path / "mine.safetensors"), expected)


class Subtle:
    def __reduce__(self):
        return eval, ("__import__('os').mkdir('pwned')",)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def refused(path: Path, match: str, **changes) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        import_tuss(path, **changes)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or changes


def test_code_in_a_pickle_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(write(tmp_path / "model.pth", {"a": Evil()}), "tensors only")
    refused(write(tmp_path / "model.pth", {"a": Subtle()}), "no table of tensors")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [b"", b"just text", b"PK\x03\x04broken", b"\x80\x02broken"])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_something_else_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    refused(path, "checkpoint")


def test_missing_file_is_refused(tmp_path):
    refused(tmp_path / "nothing.pth", "no such checkpoint")


def test_folder_is_refused(tmp_path):
    refused(tmp_path, "no such checkpoint")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, torch.ones(2), {"a": "b"}])
def test_no_table_of_tensors_is_refused(tmp_path, content):
    refused(write(tmp_path / "model.pth", content), "no table of tensors")


def test_another_network_is_refused(tmp_path):
    refused(write(tmp_path / "model.pth", {"encoder.weight": torch.ones(3, 3)}), "not a TUSS checkpoint")


@pytest.mark.parametrize(
    "victim", ["sos", "ffn.0.deconv1d.bias", "attn.qkv.weight", "band_split_module.3.1.bias", "prompts.bass"]
)
def test_missing_and_misshapen_tensors_are_refused(tmp_path, tensors, victim):
    key = next(key for key in tensors if victim in key)
    if victim not in ("sos", "prompts.bass"):  # without them it is a smaller network, which is fine
        refused(
            write(tmp_path / "a.pth", {k: v for k, v in tensors.items() if k != key}), "not a TUSS checkpoint|should be"
        )
    broken = {**tensors, key: torch.ones(5, 1, 1)}
    refused(write(tmp_path / "b.pth", broken), "not a TUSS checkpoint|should be")


def test_hparams_of_something_else_are_refused(tmp_path, tensors):
    path = write(tmp_path / "model.pth", dict(tensors))
    hparams = tmp_path / "h.yaml"
    for text, match in (
        ("just: text", "no model_conf"),
        ("a: [", "cannot be read"),
        ("!!python/object:os.system {}", "cannot"),
    ):
        hparams.write_text(text)
        refused(path, match, hparams=hparams)
    refused(path, "cannot be read", hparams=tmp_path / "nothing.yaml")


def test_prompts_of_hparams_give_the_order(tensors):
    names = ["vocals", "speech", "sfx", "sfxbg", "drums", "bass", "other", "musicbg"]
    conf = {**HPARAMS["model_conf"], "prompts": names}
    model = build_tuss(tensors, {**HPARAMS, "model_conf": conf}, name="toy")
    assert model.vocabulary[:2] == ("vocals", "speech")
    assert torch.equal(model.prompts[0], tensors["prompts.vocals"].flatten())


def test_blocks_with_different_frequencies_are_refused(tensors):
    broken = {**tensors, "cross_prompt_module.1.freq_path.attn.rope.freqs": torch.ones(2)}
    with pytest.raises(ModelError, match="rotary"):
        build_tuss(broken, HPARAMS, name="toy")


def test_toy_is_what_it_says():
    assert replace(Toy(), n_features=8) == Toy()
    assert load_file(Path(__file__).parents[1] / "parity" / "vectors" / "tuss_prompted.safetensors")
