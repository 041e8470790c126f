"""Priors: where they lie, how they are found and put together, and what is refused."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save_file

import unbraid
from unbraid import priors as room
from unbraid.errors import ModelError
from unbraid.guides.kinds import Label
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.priors import add_prior, damaged_priors, find_prior, find_priors, known_priors, read_prior, remove_prior
from unbraid.zoo import debug_model, load_model, save_weights


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty library, and a package without priors."""
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setattr(room, "SHIPPED", {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path, *names, shape=PRIORS["debug"], card=None, seed=0):
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = Instglow(InstglowConfig(names=names, priors=len(names) * (shape,)))
    save_weights(model, path, card=card)
    return path


@pytest.fixture
def three(home):
    """A library with three priors, none of which is called as its source."""
    for number, name in enumerate(("vocals", "drums", "guitar")):
        save(home / "library" / "priors" / f"{number}.safetensors", name, seed=number)


def test_a_header_tells_what_a_prior_is(home):
    prior = read_prior(save(home / "a.safetensors", "kazoo", card={"steps": 3}))
    assert (prior.name, prior.sample_rate, prior.ships, prior.card) == ("kazoo", 22050, False, {"steps": 3})
    assert prior.n_parameters == sum(weight.numel() for weight in load_model(home / "a.safetensors").parameters())


@pytest.mark.usefixtures("three")
def test_a_file_in_the_library_is_enough(home):
    assert list(known_priors()) == ["vocals", "drums", "guitar"]
    model = load_model("instglow")
    assert (model.vocabulary, model.name, model.training) == (("vocals", "drums", "guitar"), "instglow", False)
    save(home / "library" / "priors" / "new.safetensors", "kazoo")
    assert load_model("instglow").vocabulary == ("vocals", "drums", "guitar", "kazoo")


@pytest.mark.usefixtures("three")
def test_these_and_no_others(home):
    mine = save(home / "kazoo.safetensors", "kazoo", seed=7)
    model = load_model("instglow", priors=["guitar", "kazoo.safetensors"])
    assert model.vocabulary == ("guitar", "kazoo")
    alone = load_model(mine)
    for one, other in zip(model.by_name["kazoo"].parameters(), alone.parameters(), strict=True):
        assert torch.equal(one, other)
    samples = torch.rand(2, 3000) - 0.5
    found = unbraid.separate(unbraid.Audio(samples, 44100), [Label("kazoo"), Label("guitar")], model=model)
    assert list(found.stems) == ["kazoo", "guitar"]


def test_those_that_ship_are_known_and_the_users_own_go_first(home, monkeypatch):
    monkeypatch.setattr(room, "WEIGHTS", home / "package")
    monkeypatch.setattr(room, "SHIPPED", {"vocals": "", "drums": ""})
    for name in ("vocals", "drums"):
        save(home / "package" / f"prior-{name}.safetensors", name)
    assert {name: prior.ships for name, prior in known_priors().items()} == {"vocals": True, "drums": True}
    add_prior(save(home / "mine.safetensors", "drums", seed=5))
    assert [prior.ships for prior in known_priors().values()] == [True, False]
    with pytest.raises(ModelError, match="it ships with the package"):
        remove_prior("vocals")
    remove_prior("drums")
    assert all(prior.ships for prior in known_priors().values())


def test_adding_and_removing(home):
    file = save(home / "some file.safetensors", "my kazoo")
    added = add_prior(file)
    assert added.path == home / "library" / "priors" / "my kazoo.safetensors"
    assert added.path.read_bytes() == file.read_bytes()
    assert list(added.path.parent.iterdir()) == [added.path]
    with pytest.raises(ModelError, match="there is a prior of 'my kazoo' already"):
        add_prior(file)
    assert remove_prior("my kazoo") == added.path
    assert known_priors() == {}
    with pytest.raises(ModelError, match="no prior of 'my kazoo' to remove"):
        remove_prior("my kazoo")


def test_a_name_that_leads_elsewhere_is_refused(home):
    with pytest.raises(ModelError, match="cannot be a file name"):
        add_prior(save(home / "a.safetensors", "../../kazoo"))


@pytest.mark.usefixtures("three")
def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(
        ModelError, match=r"no prior of 'guitars': did you mean 'guitar'\? there are vocals, drums, guitar"
    ):
        find_prior("guitars")
    with pytest.raises(ModelError, match="no prior of 'theremin': there are vocals"):
        load_model("instglow", priors=["vocals", "theremin"])


def test_without_any_the_cure_is_told():
    with pytest.raises(ModelError, match=r"no priors to separate with: train them .* unbraid priors add"):
        load_model("instglow")
    with pytest.raises(ModelError, match="no prior of 'vocals': there are none yet"):
        find_prior("vocals")


@pytest.mark.usefixtures("three")
def test_one_alone_and_two_of_one_source_are_refused(home):
    with pytest.raises(ModelError, match=r"one prior alone \(guitar\) would take the whole mixture"):
        find_priors(["guitar"])
    other = save(home / "other.safetensors", "guitar", seed=9)
    with pytest.raises(ModelError, match="two priors are of 'guitar'"):
        load_model("instglow", priors=["guitar", other])


@pytest.mark.parametrize("change", [{"sample_rate": 16000}, {"hop_length": 8}, {"n_fft": 62}, {"n_channels": 36}])
@pytest.mark.usefixtures("three")
def test_priors_of_other_spectrograms_do_not_go_together(home, change):
    save(home / "odd.safetensors", "odd", shape=replace(PRIORS["debug"], **change))
    with pytest.raises(ModelError, match="the priors 'vocals' and 'odd' hear different spectrograms"):
        load_model("instglow", priors=["vocals", "odd.safetensors"])


@pytest.mark.usefixtures("three")
def test_priors_of_other_sizes_go_together(home):
    save(home / "larger.safetensors", "larger", shape=replace(PRIORS["debug"], n_blocks=3, n_hidden=12))
    assert load_model("instglow", priors=["vocals", home / "larger.safetensors"]).vocabulary == ("vocals", "larger")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged file of a prior"),
        (b"no weights at all", "damaged file of a prior"),
        ("cut", "damaged file of a prior"),
        ("foreign", "is no weights file of Unbraid, not a prior"),
        ("tuss", "is a tuss, not a prior"),
        ("config", "damaged file of a prior"),
        ("several", r"holds 2 priors \(a, b\): use it as a model, with -m"),
    ],
)
@pytest.mark.usefixtures("three")
def test_damaged_and_foreign_files(home, content, message):
    path = save(home / "library" / "priors" / "broken.safetensors", "broken")
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif content == "foreign":
        save_file({"a": torch.ones(1)}, path)
    elif content == "tuss":
        save_weights(debug_model(), path)
    elif content == "config":
        save_file(load(path.read_bytes()), path, metadata={"model": "instglow", "config": json.dumps({"names": ["a"]})})
    elif content == "several":
        save(path, "a", "b")
    else:
        path.write_bytes(content)
    for word in (path, "broken"):
        with pytest.raises(ModelError, match=message) as caught:
            load_model("instglow", priors=["vocals", word])
        assert "broken.safetensors" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(known_priors()) == ["vocals", "drums", "guitar"]
    [problem] = damaged_priors()
    assert "broken.safetensors" in problem
    remove_prior("broken")
    assert damaged_priors() == []


@pytest.mark.parametrize(
    ("names", "card", "message"),
    [
        (5, {}, "damaged file of a prior"),
        ([""], {}, "no source can be asked for as ''"),
        (["a,b"], {}, "no source can be asked for as 'a,b'"),
        (["residual"], {}, "no source can be asked for as 'residual'"),
        (["a"], ["no", "card"], "damaged file of a prior"),
    ],
)
@pytest.mark.usefixtures("three")
def test_headers_that_tell_nonsense(home, names, card, message):
    path = save(home / "library" / "priors" / "odd.safetensors", "odd")
    header = {"model": "instglow", "config": json.dumps({"names": names, "priors": [{"sample_rate": 22050}]})}
    save_file(load(path.read_bytes()), path, metadata={**header, "card": json.dumps(card)})
    with pytest.raises(ModelError, match=message):
        read_prior(path)
    assert list(known_priors()) == ["vocals", "drums", "guitar"]
    [problem] = damaged_priors()
    assert problem.startswith(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_blocks": "2"}, "n_blocks of a prior must be a whole number above 0, got '2'"),
        ({"n_hidden": 8.5}, "n_hidden of a prior must be a whole number above 0, got 8.5"),
        ({"n_layers": True}, "n_layers of a prior must be a whole number"),
        ({"dropout": "a little"}, "this is not the config of a prior of InstGlow"),
    ],
)
def test_shapes_that_are_none_are_refused_with_the_file(home, change, message):
    path = save(home / "odd.safetensors", "odd")
    with safe_open(path, "pt") as file:
        header = file.metadata()
    config = json.loads(header["config"])
    config["priors"][0].update(change)
    save_file(load(path.read_bytes()), path, metadata={**header, "config": json.dumps(config)})
    with pytest.raises(ModelError, match=message) as caught:
        load_model(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("value", "message"), [(float("nan"), "expects what is no finite number"), (-20.0, "far louder than any recording")]
)
@pytest.mark.usefixtures("three")
def test_weights_that_make_no_prior_are_refused_with_file_and_source(home, value, message):
    path = save(home / "kazoo.safetensors", "kazoo")
    model = load_model(path)
    with torch.no_grad():
        model.priors[0].blocks[0].norm.log_scale.fill_(value)
        model.priors[0].blocks[0].norm.bias.fill_(1)
    save_weights(model, path)
    with pytest.raises(ModelError, match=f"the prior of 'kazoo' is damaged: .*{message}") as caught:
        load_model("instglow", priors=["vocals", path])
    assert str(caught.value).startswith(str(path))


def test_missing_files_are_named(home):
    for word in ("gone.safetensors", home / "gone", "some/where"):
        with pytest.raises(ModelError, match="there is no such file"):
            find_prior(word)


def test_other_models_take_no_priors():
    with pytest.raises(ModelError, match="tuss-small takes no priors: leave them out, or use instglow"):
        load_model("tuss-small", priors=["vocals"])


def test_nothing_is_loaded_to_list_priors():
    assert "torch" not in {name.split(".")[0] for name in vars(sys.modules["unbraid.priors"])}
    assert Path(room.__file__).read_text().count("import torch") == 0
