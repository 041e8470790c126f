"""Published checkpoints through the door; what is in them is tested with the models."""

import pytest
import torch
from typer.testing import CliRunner

from unbraid import load_model
from unbraid.cli.main import app
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.zoo import debug_model


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
