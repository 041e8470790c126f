"""Examples in, a label out, and the model as it was."""

import copy
import json

import pytest
import torch

from unbraid import Audio, Examples, Label, Prompts, Span, separate
from unbraid.audio.encoding import Encoding
from unbraid.audio.writing import write_audio
from unbraid.errors import Cancelled, GuideError, ModelError, SettingsError
from unbraid.models.lasaft import PRESETS as LASAFT
from unbraid.models.lasaft import Lasaft
from unbraid.models.separator import Separator
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.teaching import TeachSettings, add_query, load_query, save_query, teach
from unbraid.zoo import debug_model, load_model, save_weights

FAST = TeachSettings(steps=2, seconds=0.25, n_songs=1, n_checks=2, check_every=1, learning_rate=0.3)
RATE = 16000


def tone(seconds=0.6, hertz=440.0):
    return Audio(0.3 * torch.sin(torch.arange(round(seconds * RATE)) * (6.2832 * hertz / RATE))[None], RATE)


@pytest.fixture(scope="module")
def taught():
    """A model, and the label that it was taught."""
    model = debug_model()
    return model, teach(model, "beep", tone(), settings=FAST)


def song():
    return 0.2 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(5))


def test_teaching_leaves_the_model_as_it_was_bit_for_bit():
    model = debug_model()
    model.train()
    before = copy.deepcopy(model.state_dict())
    tunable = [parameter.requires_grad for parameter in model.parameters()]
    answers = [separate(song(), Prompts("vocals drums other"), model=model, sample_rate=RATE)]
    add_query(model, teach(model, "beep", tone(), settings=FAST))
    answers.append(separate(song(), Prompts("vocals drums other"), model=model, sample_rate=RATE))
    for name, stem in answers[0].stems.items():
        assert torch.equal(stem.samples, answers[1].stems[name].samples)
    assert answers[0].presence == answers[1].presence
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == tunable
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_taught_label_is_asked_for_like_any_other(taught):
    model, query = copy.deepcopy(taught[0]), taught[1]
    add_query(model, query)
    alone = separate(song(), Label("beep"), model=model, sample_rate=RATE)
    assert list(alone.stems) == ["beep"]
    assert 0 <= alone.presence["beep"] <= 1
    together = separate(song(), [Label("music-mix"), Label("beep"), Label("beep")], model=model, sample_rate=RATE)
    assert list(together.stems) == ["music-mix", "beep-1", "beep-2"]


def test_the_vector_is_what_answers(taught):
    model, query = copy.deepcopy(taught[0]), taught[1]
    with torch.no_grad():
        model.teach("twin", model.prompts[model.vocabulary.index("bass")])
    add_query(model, query)
    asked = [separate(song(), Label(name), model=model, sample_rate=RATE) for name in ("bass", "twin", "beep")]
    bass, twin, beep = (one.stems[name].samples for one, name in zip(asked, ("bass", "twin", "beep"), strict=True))
    assert torch.equal(bass, twin)
    assert asked[0].presence["bass"] == asked[1].presence["twin"]
    assert not torch.equal(bass, beep)


def test_a_taught_label_contradicts_nothing_though_its_name_does_elsewhere():
    config = PRESETS["tuss-debug"]
    model = Tuss(type(config)(**{**config.__dict__, "prompts": ("music-mix", "speech")})).eval()
    model.teach("vocals", torch.zeros(model.query_size))
    assert list(separate(song(), Prompts("music-mix vocals"), model=model, sample_rate=RATE).stems) == [
        "music-mix",
        "vocals",
    ]


def test_the_same_seed_teaches_the_same(taught):
    model, query = taught
    random_state = torch.random.get_rng_state()
    again = teach(model, "beep", tone(), settings=FAST)
    assert torch.equal(again.vector, query.vector)
    assert again.facts == query.facts
    assert torch.equal(torch.random.get_rng_state(), random_state)


def test_tuning_finds_a_vector_that_does_better():
    query = teach(debug_model(), "beep", tone(), settings=TeachSettings(**{**FAST.__dict__, "steps": 6}))
    facts = json.loads(json.dumps(dict(query.facts)))
    assert facts["after"]["loss"] < facts["before"]["loss"]
    assert facts["best_step"] > 0
    assert facts["start"] in {*debug_model().vocabulary, "mean"}
    assert (facts["method"], facts["steps"], facts["seed"]) == ("tuned", 6, 0)
    [example] = facts["examples"]
    assert (example["name"], example["sounds"], example["duration"]) == ("recording", True, 0.6)


def test_files_are_examples_and_are_told_by_name_and_hash(tmp_path):
    for name in ("beep", "noise"):
        write_audio(tmp_path / f"{name}.wav", tone(), encoding=Encoding("wav", "16"))
    examples = Examples([tmp_path / "beep.wav"], [tmp_path / "noise.wav"])
    query = teach(debug_model(), "beep", examples, settings=FAST)
    described = query.facts["examples"]
    assert [(one["name"], one["sounds"]) for one in described] == [("beep.wav", True), ("noise.wav", False)]
    assert described[0]["sha256"] == described[1]["sha256"]


def test_a_start_can_be_chosen():
    assert teach(debug_model(), "beep", tone(), start="drums", settings=FAST).facts["start"] == "drums"
    with pytest.raises(GuideError, match="cannot begin at 'drum': it knows speech"):
        teach(debug_model(), "beep", tone(), start="drum", settings=FAST)


@pytest.mark.parametrize("preset", ["lasaft-debug", "lasaft-audio-debug"])
def test_lasaft_is_tuned_or_listens(preset):
    model = Lasaft(LASAFT[preset]).eval()
    query = teach(model, "beep", tone(), settings=FAST)
    assert query.facts["method"] == {"lasaft-debug": "tuned", "lasaft-audio-debug": "listened"}[preset]
    add_query(model, query)
    assert list(separate(song(), Label("beep"), model=model, sample_rate=RATE).stems) == ["beep"]
    if preset == "lasaft-audio-debug":
        assert torch.equal(query.vector, model.embed(Examples(tone())))
        with pytest.raises(GuideError, match="cannot begin at"):
            teach(model, "beep", tone(), start="bass")


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (Audio(torch.zeros(1, RATE), RATE), "is silent"),
        (Audio(torch.zeros(1, 0), RATE), "is empty"),
        (Audio(torch.full((1, RATE), torch.nan), RATE), "no finite numbers"),
        (tone(0.05), r"lasts 0\.050 s"),
        ([tone(), tone(0.05)], r"lasts 0\.050 s"),
        (Examples(tone(), tone(0.05)), r"lasts 0\.050 s"),
        (Span(1, 2), "is a span"),
        ("missing.wav", "missing.wav"),
        ([], "without a positive one"),
    ],
)
def test_bad_examples_are_refused_before_any_work(examples, message):
    done = []
    with pytest.raises(GuideError, match=message):
        teach(debug_model(), "beep", examples, progress=done.append)
    assert not done


def test_models_that_cannot_be_taught_say_so():
    model = Tuss(PRESETS["conventional-small-4"])
    with pytest.raises(GuideError, match="cannot be taught"):
        teach(model, "beep", tone())
    with pytest.raises(GuideError, match="knows 'bass' already"):
        teach(debug_model(), "bass", tone())


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("seconds", -1.0), ("seed", -1), ("p_absent", 1.0)])
def test_settings_are_checked(name, value):
    with pytest.raises(SettingsError, match=name):
        TeachSettings(**{name: value})


def test_progress_rises_to_one_and_the_work_can_be_stopped():
    told = []
    teach(debug_model(), "beep", tone(), settings=FAST, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > FAST.steps
    with pytest.raises(Cancelled):
        teach(debug_model(), "beep", tone(), settings=FAST, cancel=lambda: True)


def test_a_taught_label_loads_the_model_that_learned_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_weights(debug_model(), "mine.safetensors")
    query = teach(load_model("mine.safetensors"), "beep", tone(), settings=FAST)
    save_query(query, "beep.unbraid")
    monkeypatch.chdir("/")
    model = load_model(tmp_path / "beep.unbraid")
    assert isinstance(model, Separator)
    assert torch.equal(model.taught["beep"], load_query(tmp_path / "beep.unbraid").vector)
    save_weights(debug_model(seed=1), tmp_path / "mine.safetensors")
    with pytest.raises(ModelError, match="with other weights"):
        load_model(tmp_path / "beep.unbraid")
    (tmp_path / "mine.safetensors").unlink()
    with pytest.raises(ModelError, match="which is not there"):
        load_model(tmp_path / "beep.unbraid")
    (tmp_path / "text.unbraid").write_text("text")
    with pytest.raises(ModelError, match="not a taught label"):
        load_model(tmp_path / "text.unbraid")
