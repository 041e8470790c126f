"""Published checkpoints through the door; what is in them is tested with the models."""

import collections
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unbraid import load_model
from unbraid.cli.main import app
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.models.published_guidesep import build_guidesep
from unbraid.priors import read_prior
from unbraid.zoo import KINDS, debug_model

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from make_guidesep_vectors import SETTINGS
from published_guidesep_tensors import Toy, published_guidesep_tensors
from published_instglow_tensors import Toy as Glow
from published_instglow_tensors import published_instglow_tensors


def run(*words):
    return CliRunner().invoke(app, ["import-checkpoint", *map(str, words)])


MARK = "spec2spec.encoders.0.tfc.H.0.0.weight"


@pytest.mark.parametrize(
    ("reader", "model", "key"),
    [
        ("published.import_tuss", debug_model(), "prompts.speech"),
        ("published_lasaft.import_lasaft", Lasaft(PRESETS["lasaft-debug"]), MARK),
    ],
)
def test_an_imported_checkpoint_is_a_model(tmp_path, monkeypatch, reader, model, key):
    asked = []

    def read(path, *, hparams):
        asked.append((path, hparams))
        return model

    monkeypatch.setattr(f"unbraid.models.{reader}", read)
    torch.save({"state_dict": {key: torch.zeros(3)}}, tmp_path / "best.ckpt")
    out = tmp_path / "new" / "mine.safetensors"
    result = run(tmp_path / "best.ckpt", "--hparams", tmp_path / "hparams.yaml", "-o", out)
    assert result.exit_code == 0, result.output
    assert asked == [(tmp_path / "best.ckpt", tmp_path / "hparams.yaml")]
    assert result.stdout.startswith(f"{out}: {type(model).__name__} with 0.")
    back = load_model(out)
    assert type(back) is type(model)
    for name, value in back.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


@pytest.mark.parametrize(
    "content",
    [None, b"", b"not a checkpoint", "folder", {"lr": 0.1}, {"weight": torch.zeros(3)}, {MARK: torch.zeros(3)}],
)
def test_something_else_is_refused_and_nothing_is_written(tmp_path, content):
    path = tmp_path / "best.ckpt"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    out = tmp_path / "tuss.safetensors"
    result = run(path, "-o", out)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "best.ckpt" in result.stderr
    assert not out.exists()


def test_the_name_of_the_output_says_what_it_is(tmp_path):
    result = run(tmp_path / "best.ckpt", "-o", tmp_path / "tuss.pth")
    assert result.exit_code == 2
    assert ".safetensors" in result.stderr


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr("unbraid.models.published.import_tuss", lambda path, *, hparams: debug_model())
    torch.save({"weight": torch.zeros(3)}, tmp_path / "best.ckpt")
    (tmp_path / "file").touch()
    result = run(tmp_path / "best.ckpt", "-o", tmp_path / "file" / "tuss.safetensors")
    assert result.exit_code == 2
    assert "choose another" in result.stderr


@dataclasses.dataclass
class Corpus:
    """A setting of the training data that was pickled along, of a class that nobody else has."""

    root: pathlib.Path
    counts: collections.defaultdict


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def lightning(tensors, **datamodule):
    """Write what Lightning writes: the tensors, the optimizer's, and pickled settings of the training data."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    return {
        "epoch": 6399,
        "global_step": 300800,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": tensors,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 6400}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(1.0)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "MixedPrecision": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 7},
        "datamodule_hparams_name": "kwargs",
        "datamodule_hyper_parameters": datamodule,
    }


needs_kind = pytest.mark.skipif("guidesep" not in KINDS, reason="the table of models has no GuideSep")


@needs_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("toy", [Toy(), Toy(noisy=False)])
def test_guidesep_comes_out_of_a_lightning_checkpoint(tmp_path, toy, dtype):
    tensors = {key: value.to(dtype) for key, value in published_guidesep_tensors(toy, seed=0).items()}
    counts = collections.defaultdict(int, {"piano": 3})
    settings = {"corpus": Corpus(pathlib.Path("/data/slakh"), counts), "counts": counts, "batch_size": 18}
    extra = {"mel_spec_transforms.0.mel_scale.fb": torch.ones(3, 2), "net_ema.init_conv.convs.0.bias": torch.ones(2)}
    torch.save(lightning({**tensors, **extra}, **settings), tmp_path / "last.ckpt")
    (tmp_path / "settings.yaml").write_text("net: {resnet_groups: 2, attn_heads: 2}")
    out = tmp_path / "mine.safetensors"
    result = run(tmp_path / "last.ckpt", "--hparams", tmp_path / "settings.yaml", "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{out}: Guidesep with 0.0")
    expected = build_guidesep(tensors, SETTINGS, name="toy")
    back = load_model(out)
    assert back.config == expected.config
    for name, value in back.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, expected.state_dict()[name])


@pytest.mark.parametrize("call", [Call(subprocess.call, ["touch", "pwned"]), Call(eval, "open('pwned', 'w')")])
def test_what_is_pickled_beside_guidesep_is_never_run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    torch.save(lightning(published_guidesep_tensors(Toy(), seed=0), corpus=call), tmp_path / "last.ckpt")
    (tmp_path / "settings.yaml").write_text("net: {resnet_groups: 2, attn_heads: 2}")
    result = run("last.ckpt", "--hparams", "settings.yaml", "-o", "mine.safetensors")
    assert "tensors only" not in result.output
    assert not Path("pwned").exists()


def test_a_file_that_names_the_operating_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = lightning(published_guidesep_tensors(Toy(), seed=0), corpus=Call(os.system, "touch pwned"))
    torch.save(evil, tmp_path / "last.ckpt")
    result = run("last.ckpt", "-o", "mine.safetensors")
    assert result.exit_code == 2
    assert "last.ckpt: not a checkpoint of tensors only" in result.stderr
    assert not Path("pwned").exists()


def test_another_network_under_the_same_names_is_refused(tmp_path):
    tensors = published_guidesep_tensors(Toy(), seed=0)
    tensors["net.downs.0.flux"] = torch.zeros(1)
    torch.save({"state_dict": tensors}, tmp_path / "last.ckpt")
    (tmp_path / "settings.yaml").write_text("net: {resnet_groups: 2, attn_heads: 2}")
    out = tmp_path / "mine.safetensors"
    result = run(tmp_path / "last.ckpt", "--hparams", tmp_path / "settings.yaml", "-o", out)
    assert result.exit_code == 2
    assert "flux is none of a GuideSep network" in result.stderr
    assert not out.exists()


def glow(path, **beside):
    path.parent.mkdir(parents=True)
    torch.save({"model": published_instglow_tensors(Glow(), seed=0), "iteration": 800, **beside}, path)
    return path


@pytest.mark.parametrize(("words", "source"), [((), "drums"), (("--source", "kit"), "kit")])
def test_a_prior_comes_out_of_the_folder_of_its_source(tmp_path, words, source):
    path = glow(tmp_path / "drums" / "G_800.pth", optimizer={"state": {}}, learning_rate=[1e-4])
    settings = {"train": {}, "data": {"n_ipt_channels": 10, "sampling_rate": 16000}, "model": {"dilation_rate": 2}}
    (path.parent / "config.json").write_text(json.dumps(settings))
    out = tmp_path / "out.safetensors"
    result = run(path, "-o", out, *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip().endswith(f"unbraid priors add {out}")
    prior = read_prior(out)
    assert (prior.name, prior.sample_rate, prior.card) == (source, 16000, {"imported_from": "G_800.pth"})
    [shape] = load_model(out).config.priors
    assert (shape.n_channels, shape.dilation_base, shape.n_blocks) == (10, 2, 2)


def test_settings_that_contradict_a_prior_are_refused(tmp_path):
    path = glow(tmp_path / "drums" / "G_800.pth")
    (path.parent / "config.json").write_text(json.dumps({"data": {"n_ipt_channels": 12}, "model": {}}))
    result = run(path, "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 2
    assert "12 channels" in result.stderr
    assert not (tmp_path / "out.safetensors").exists()


def test_only_priors_have_a_source(tmp_path):
    torch.save({"state_dict": {MARK: torch.zeros(3)}}, tmp_path / "best.ckpt")
    result = run(tmp_path / "best.ckpt", "-o", tmp_path / "a.safetensors", "--source", "drums")
    assert result.exit_code == 2
    assert "--source drums is for priors of InstGlow" in result.stderr
