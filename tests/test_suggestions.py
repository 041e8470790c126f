"""What is suggested where a label is not known, and where a model has no weights."""

import re
from dataclasses import replace

import pytest
import torch

from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Label, spell_targets
from unbraid.guides.vocabulary import nearest
from unbraid.models.queries import Query, save_query, tensors_sha256
from unbraid.zoo import ZOO, check_targets, debug_model, load_model


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """An empty library, and a current folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.fixture
def model():
    made = debug_model()
    made.name = "tuss-debug"
    return made


def keep(folder, name, model_name):
    vector = torch.zeros(debug_model().query_size)
    save_query(Query(name, model_name, tensors_sha256(debug_model()), vector), folder / f"{name}.unbraid")


def refusal(model, label) -> str:
    with pytest.raises(GuideError) as caught:
        check_targets(model, spell_targets(Label(label)))
    return str(caught.value)


def test_what_is_like_a_name_comes_in_order():
    labels = ["drums", "bass guitar", "guitar", "riff", "guitars"]
    assert nearest("guitar", labels) == ["guitar", "guitars", "bass guitar"]
    assert nearest("electric guitar", labels) == ["guitar"]
    assert nearest("Rif", labels) == ["riff"]
    assert nearest("guitar", labels, most=1) == ["guitar"]
    assert nearest("bagpipes", labels) == nearest(" ", labels) == []


def test_taught_labels_are_suggested_with_the_model_that_has_them(model, library):
    keep(library, "riff", "few-shot-small")
    keep(library / "here", "solo", "tuss-debug")
    start = "unknown label 'rif': did you mean 'riff' of few-shot-small (-m few-shot-small)? tuss-debug knows speech"
    assert refusal(model, "rif").startswith(start)
    assert "did you mean 'solo'? " in refusal(model, "solos")
    assert "few-shot-small knows it (-m few-shot-small); " in refusal(model, "riff")
    assert "give the file that it was taught into (--taught); " in refusal(model, "solo")
    model.teach("riffs", torch.zeros(model.query_size))
    assert "did you mean 'riffs' or 'riff' of few-shot-small (-m few-shot-small)? " in refusal(model, "rifs")


def test_labels_of_models_that_are_not_at_hand_are_not_suggested(model, library):
    keep(library, "riff", str(library / "gone.safetensors"))
    keep(library, "rifff", "tuss-large")  # ships without weights
    assert "did you mean" not in refusal(model, "rif")


def test_where_nothing_is_like_it_a_recording_is(model):
    message = (
        "unknown label 'bagpipes': no model knows one like it, point at the sound with a recording of it (--example)"
    )
    assert refusal(model, "bagpipes").startswith(message)


def test_labels_of_other_models_that_ship(model, monkeypatch):
    band = replace(ZOO["lasaft-light-16"], name="band", vocabulary=("bass guitar",))
    monkeypatch.setattr("unbraid.zoo.ZOO", {"band": band})
    assert "did you mean 'bass' or 'bass guitar' of band (-m band)? " in refusal(model, "Bass")
    assert "did you mean 'bass guitar' of band (-m band)? " in refusal(model, "guitar")
    assert "band knows it (-m band); " in refusal(model, "bass guitar")


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("few-shot", "none are published, train it (unbraid train recipes/few_shot.py), then give the file's path"),
        ("few-shot-negatives", "train it (unbraid train recipes/few_shot_negatives.py)"),
        ("film-unet-classes", "train it (unbraid train recipes/few_shot_classes.py)"),
        ("lasaft-large", "import the authors' checkpoint (unbraid import-checkpoint) or train it"),
    ],
)
def test_models_without_weights_say_how_to_get_some(name, cure):
    with pytest.raises(ModelError, match=re.escape(f"{name} ships without weights: ") + ".*" + re.escape(cure)):
        load_model(name)
