"""Weights on the Hugging Face Hub, without the network: a hub of our own, and the real library offline."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unbraid.errors import ModelError
from unbraid.hub import HubFile, download
from unbraid.zoo import debug_model, load_model, save_weights


def refused(match: str) -> pytest.RaisesExc[ModelError]:
    return pytest.raises(ModelError, match=match)


class Hub:
    """What huggingface_hub does for us, on a folder; ``asked`` holds what was downloaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str, str | None]] = []
        self.error: Exception | None = None

    def list_repo_files(self, repo: str, *, revision: str | None) -> list[str]:
        return sorted(str(path.relative_to(self.folder / repo)) for path in (self.folder / repo).rglob("*.*"))

    def hf_hub_download(self, repo: str, file: str, *, revision: str | None) -> str:
        if self.error is not None:
            raise self.error
        self.asked.append((repo, file, revision))
        return str(self.folder / repo / file)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path)
    module, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")
    module.list_repo_files, module.hf_hub_download = made.list_repo_files, made.hf_hub_download
    module.errors = errors
    for name in ("RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError", "HFValidationError"):
        setattr(errors, name, type(name, (Exception,), {}))
    errors.GatedRepoError = type("GatedRepoError", (errors.RepositoryNotFoundError,), {})
    errors.LocalEntryNotFoundError = type("LocalEntryNotFoundError", (errors.EntryNotFoundError,), {})
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    (tmp_path / "ann" / "tuss").mkdir(parents=True)
    (tmp_path / "ann" / "tuss" / "README.md").touch()
    save_weights(debug_model(), tmp_path / "ann" / "tuss" / "best.safetensors")
    return made


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf:ann/tuss", ("ann/tuss", None, None)),
        ("hf:ann/tuss@v2", ("ann/tuss", None, "v2")),
        ("hf:ann/tu.ss-1/a/b c.safetensors", ("ann/tu.ss-1", "a/b c.safetensors", None)),
        ("hf:ann/tuss/b.safetensors@refs/pr/1", ("ann/tuss", "b.safetensors", "refs/pr/1")),
    ],
)
def test_names_of_files(text, parts):
    found = HubFile.parse(text)
    assert (found.repo, found.file, found.revision) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    "text", ["hf:", "hf:ann", "hf:ann/", "hf:/tuss", "hf:ann/tuss/", "hf:ann/tuss@", "hf://ann/tuss"]
)
def test_what_names_no_file_is_refused(text):
    with refused("write hf:OWNER/REPO"):
        HubFile.parse(text)


@pytest.mark.parametrize("text", ["hf:ann/tuss/pytorch_model.bin", "hf:ann/tuss/best.ckpt@v2"])
def test_files_that_may_hold_code_are_refused(text):
    with refused("only .safetensors files are downloaded"):
        HubFile.parse(text)


def test_a_model_is_loaded_by_its_name_there(hub):
    model = load_model("hf:ann/tuss/best.safetensors@v2")
    assert model.name == "hf:ann/tuss/best.safetensors@v2"
    assert hub.asked == [("ann/tuss", "best.safetensors", "v2")]
    assert torch.equal(next(model.parameters()), next(debug_model().parameters()))
    assert load_model("hf:ann/tuss").name == "hf:ann/tuss"
    assert hub.asked[1] == ("ann/tuss", "best.safetensors", None)


def test_which_of_several_files_has_to_be_said(hub, tmp_path):
    (tmp_path / "ann" / "tuss" / "last.safetensors").touch()
    with refused("hf:ann/tuss: one weights file .* best.safetensors, last.safetensors: name one of them"):
        load_model("hf:ann/tuss")
    (tmp_path / "ann" / "empty").mkdir()
    with refused("there are none: name a repository"):
        load_model("hf:ann/empty")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("RepositoryNotFoundError", "no such repository, or it is private: check the name"),
        ("GatedRepoError", "ask on its page"),
        ("RevisionNotFoundError", "no such revision: give a branch"),
        ("EntryNotFoundError", "no such file in this repository: check its name"),
        ("HFValidationError", "no name that the Hub can have .*: write hf:OWNER/REPO"),
        ("LocalEntryNotFoundError", "not in the cache, .* download the file elsewhere and give its path"),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub, name, told):
    hub.error = getattr(sys.modules["huggingface_hub.errors"], name)("No. \nA long page follows")
    with refused(f"hf:ann/tuss/best.safetensors: .*{told}") as caught:
        load_model("hf:ann/tuss/best.safetensors")
    assert "\n" not in str(caught.value)


def test_a_network_that_is_down_is_one_line(hub):
    hub.error = ConnectionError("name resolution failed\nTraceback")
    with refused(r"cannot be reached \(name resolution failed\): connect to the network"):
        load_model("hf:ann/tuss/best.safetensors")


def test_without_the_library_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with refused(r"pip install 'unbraid\[hub\]'"):
        load_model("hf:ann/tuss")


def test_the_real_library_offline(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs unbraid[hub]")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("hf:ann/tuss/best.safetensors", "hf:ann/tuss"):
        with refused("not in the cache, and the Hub cannot be reached .*give its path"):
            download(HubFile.parse(name))
    with refused("no name that the Hub can have"):
        download(HubFile.parse("hf:ann/tu--ss/best.safetensors"))
