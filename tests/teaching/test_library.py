"""Where labels lie, and how they are found."""

from pathlib import Path

import pytest
import torch

from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Prompts, Target
from unbraid.models.queries import Query, save_query, tensors_sha256
from unbraid.teaching.library import check_name, find_query, learned_by, library, place_of
from unbraid.zoo import debug_model


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A current folder and a library."""
    (tmp_path / "here").mkdir()
    (tmp_path / "library").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    return tmp_path


def save(path, name, *, value=0.0, model=None):
    save_query(Query(name, "tuss-debug", tensors_sha256(model or debug_model()), torch.full((8,), value)), path)


def test_the_library_is_where_the_user_says(monkeypatch):
    monkeypatch.setenv("UNBRAID_LIBRARY", "/labels")
    assert place_of("riff") == Path("/labels/riff.unbraid")
    monkeypatch.delenv("UNBRAID_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert library() == Path("/data/unbraid")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/someone")
    assert library() == Path("/home/someone/.local/share/unbraid")


def test_a_label_is_found_by_the_name_in_the_file_here_first(home):
    model = debug_model()
    assert find_query("riff", model) is None
    save(home / "library" / "other name.unbraid", "riff", value=1.0)
    assert find_query("riff", model).vector[0] == 1.0
    save("zzz.unbraid", "riff", value=2.0)
    assert find_query("riff", model).vector[0] == 2.0
    assert find_query("zzz", model) is None


def test_labels_of_other_models_and_damaged_files_are_passed_over(home):
    save("a.unbraid", "riff", model=debug_model(seed=1))
    (home / "here" / "b.unbraid").write_text("this is text")
    assert find_query("riff", debug_model()) is None
    save("c.unbraid", "riff")
    assert find_query("riff", debug_model()) is not None


def test_no_library_is_an_empty_library(home, monkeypatch):
    monkeypatch.setenv("UNBRAID_LIBRARY", str(home / "nowhere"))
    assert find_query("riff", debug_model()) is None


def keep(path, name, model):
    """Save a label of a model that is not loaded."""
    save_query(Query(name, str(model), "0" * 64, torch.zeros(8)), path)


def ask(*guides):
    return [Target(f"target {index}", guide) for index, guide in enumerate(guides)]


def test_the_model_that_learned_a_label_is_named(home):
    assert learned_by(ask(Label("riff"))) is None
    keep(home / "library" / "riff.unbraid", "riff", "few-shot-small")
    assert learned_by(ask(Label("riff"))) == "few-shot-small"
    assert learned_by(ask(Label("riff"), Examples((torch.ones(1, 100), 8000)))) is None  # the default takes both
    assert learned_by(ask(Label("vocals"))) is None
    keep("riff.unbraid", "riff", "lasaft-light-16")
    assert learned_by(ask(Label("riff"), Label("bass"))) == "lasaft-light-16"  # the other one knows no bass
    keep("other.unbraid", "riff", "tuss-small")
    assert learned_by(ask(Label("riff"))) is None  # the default learned it, too


def test_a_model_that_does_not_fit_is_not_named(home):
    keep("a.unbraid", "riff", "few-shot-small")
    keep("b.unbraid", "pad", "lasaft-light-16")
    keep("c.unbraid", "hat", home / "gone.safetensors")
    keep("d.unbraid", "dot", "lasaft-large")  # ships without weights
    assert learned_by(ask(Label("riff"), Label("pad"))) is None
    assert learned_by(ask(Label("riff"), Prompts("drums"))) is None
    assert learned_by(ask(Label("hat"))) is None
    assert learned_by(ask(Label("dot"))) is None
    (home / "gone.safetensors").write_bytes(b"there")
    assert learned_by(ask(Label("hat"), Label("vocals"))) == str(home / "gone.safetensors")


@pytest.mark.parametrize("name", ["bass", "Bass", "SFX-mix"])
def test_a_name_of_the_vocabulary_is_taken(name):
    with pytest.raises(GuideError, match=r"knows '.*' already"):
        check_name(name, debug_model())


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "a\\b", "..", ".hidden", "dot.", "-rf", "new\nline", "nul\0", "caf\udce9", "x" * 101, "a:b"],
)
def test_a_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(GuideError, match="cannot be a file name"):
        check_name(name, debug_model())


@pytest.mark.parametrize("name", ["riff", "lead riff 2", "音楽", "café", "a.b", "C", "kick_in-the+room"])
def test_other_names_are_fine(name):
    check_name(name, debug_model())
