"""The zoo: names, files, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Prompts, Score, Span, Target, spell_targets
from unbraid.models import film_unet, guidesep, lasaft, tuss
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.guidesep_network import GuidesepConfig
from unbraid.models.instglow import PRESETS, Instglow, InstglowConfig
from unbraid.models.lasaft_network import LasaftConfig
from unbraid.models.tuss import TussConfig
from unbraid.priors import SHIPPED, shipped_path
from unbraid.zoo import (
    WEIGHTS,
    ZOO,
    check_targets,
    debug_model,
    default_model,
    load_model,
    read_file,
    save_weights,
    weights_hash,
)


def test_every_entry_tells_the_truth():
    for name, entry in ZOO.items():
        assert entry.name == name
        assert entry.summary
        assert entry.licence
        if entry.path is None:
            assert entry.sha256 is None
            continue
        assert weights_hash(entry.path) == entry.sha256
        card = json.loads(read_file(entry.path)[0]["card"])
        for fact in ("training_data", "licence", "recipe", "seed", "steps", "hardware", "scores", "commit"):
            assert card[fact], f"the card of {name} does not say its {fact}"


@pytest.mark.parametrize("name", list(SHIPPED))
def test_every_prior_that_ships_tells_the_truth(name):
    assert weights_hash(shipped_path(name)) == SHIPPED[name]
    header, _ = read_file(shipped_path(name))
    card = json.loads(header["card"])
    for fact in ("source", "training_data", "licence", "recipe", "seed", "steps", "hardware", "scores", "commit"):
        assert card[fact], f"the card of the prior of {name} does not say its {fact}"
    assert load_model(shipped_path(name)).vocabulary == (name,)


def test_shipped_weights_are_safetensors_and_small():
    files = [path for path in WEIGHTS.iterdir() if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".md", ".json"}
    assert sum(path.stat().st_size for path in files) < 60e6
    shipped = {entry.file for entry in ZOO.values() if entry.file} | {shipped_path(name).name for name in SHIPPED}
    assert {path.name for path in files if path.suffix == ".safetensors"} == shipped


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.file])
def test_shipped_models_load(name):
    model = load_model(name)
    presets = {**tuss.PRESETS, **lasaft.PRESETS, **film_unet.PRESETS, **guidesep.PRESETS}
    assert not model.training
    config = model.config
    if name.startswith("guidesep"):
        config = replace(config, presence=())  # fitted to the weights
    if name == "few-shot-small":
        config = replace(config, room=())  # likewise
    assert config == presets[name]


@pytest.mark.parametrize("name", list(ZOO))
def test_the_table_knows_what_each_network_takes(name):
    presets = {**tuss.PRESETS, **lasaft.PRESETS, **film_unet.PRESETS, **guidesep.PRESETS}
    presets |= {one: PRESETS["instglow-debug"] for one, entry in ZOO.items() if entry.system == "InstGlow"}
    classes = {
        TussConfig: tuss.Tuss,
        LasaftConfig: lasaft.Lasaft,
        FilmUnetConfig: film_unet.FilmUnet,
        GuidesepConfig: guidesep.Guidesep,
        InstglowConfig: Instglow,
    }
    with torch.device("meta"):
        model = classes[type(presets[name])](presets[name])
    assert {kind.__name__ for kind in model.accepts} == set(ZOO[name].guides)
    assert ZOO[name].vocabulary == (tuple(SHIPPED) if isinstance(model, Instglow) else model.vocabulary)


def test_debug_model_is_the_same_every_time_and_leaves_the_generator_alone():
    state = torch.get_rng_state()
    one, other = debug_model(), debug_model()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.prompts, other.prompts)
    assert not torch.equal(one.prompts, debug_model(seed=1).prompts)


def test_weights_come_back(tmp_path):
    path = tmp_path / "my.safetensors"
    model = debug_model()
    digest = save_weights(model, path, card={"licence": "CC0-1.0"})
    assert digest == weights_hash(path)
    back = load_model(path)
    assert back.config == model.config
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), model.state_dict().values(), strict=True))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("tuss-medium", "ships without weights"),
        ("tuss-gigantic", "unknown model 'tuss-gigantic'"),
        ("no/such.safetensors", "unknown model"),
    ],
)
def test_unknown_models_are_explained(name, match):
    with pytest.raises(ModelError, match=match):
        load_model(name)


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "my.safetensors"
    for content in (b"", b"text", b"\x08\0\0\0\0\0\0\0{}      "):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"my\.safetensors"):
            load_model(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(ModelError, match="not an Unbraid weights file"):
        load_model(path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)


def test_truncated_weights_are_refused(tmp_path):
    path = tmp_path / "my.safetensors"
    save_weights(debug_model(), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(path)


def test_weights_of_another_size_are_refused(tmp_path):
    whole, path = tmp_path / "whole.safetensors", tmp_path / "my.safetensors"
    save_weights(debug_model(), whole)
    header, tensors = read_file(whole)  # in place, so that what is written goes elsewhere
    prompts = tensors.pop("prompts")
    shapes = f"{list(prompts[:2].shape)} instead of {list(prompts.shape)}"
    for changed, told in (
        (tensors, "missing: prompts"),
        ({**tensors, "prompts": prompts, "gain": torch.ones(1), "hum": torch.ones(1)}, "foreign: gain and 1 more"),
        ({**tensors, "prompts": prompts[:2]}, f"of another shape: prompts {shapes}"),
    ):
        save_file(changed, path, metadata=header)
        with pytest.raises(ModelError) as caught:
            load_model(path)
        assert str(caught.value) == f"{path}: damaged weights file ({told}): get it again"


def test_device_that_is_not_there(tmp_path):
    path = tmp_path / "my.safetensors"
    save_weights(debug_model(), path)
    with pytest.raises(ModelError, match="device"):
        load_model(path, device="vulcan")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="device 'cuda'"):
            load_model(path, device="cuda")


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="cannot be written"):
        save_weights(debug_model(), tmp_path / "no" / "such" / "my.safetensors")


def test_targets_that_a_model_follows():
    check_targets(load_model("tuss-small"), spell_targets([Label("bass"), Prompts("vocals drums")]))
    model = debug_model()
    model.teach("riff", torch.zeros(model.query_size))
    check_targets(model, spell_targets(Label("riff")))


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (Label("bas"), "unknown label 'bas': did you mean 'bass'? tuss-small knows speech sfx"),
        (Label("Vocals"), "did you mean 'vocals'?"),
        (Label("xylophone"), "(--example); tuss-small knows speech"),
        (Prompts("vocals drum"), "unknown label 'drum': did you mean 'drums'?"),
        (Examples("riff.wav"), "tuss-small takes Label and Prompts, not Examples"),
        (Span(1, 2), "tuss-small takes Label and Prompts, not Examples"),
    ],
)
def test_foreign_guides_are_refused_with_a_way_out(guide, message):
    with pytest.raises(GuideError, match=re.escape(message)):
        check_targets(load_model("tuss-small"), spell_targets(guide))


@pytest.mark.parametrize("guide", [Mimicry("hum.wav"), Score("tune.mid"), Mask("painted.png")])
def test_guides_that_no_shipped_model_takes_name_the_one_that_would(monkeypatch, guide):
    kind, model = type(guide).__name__, load_model("tuss-small")
    takers = [name for name, entry in ZOO.items() if entry.file and kind in entry.guides]
    cure = f"use one of the models {', '.join(takers)}" if takers else "guidesep would, and ships without weights"
    with pytest.raises(GuideError, match=f"tuss-small takes Label and Prompts, not {kind}: {cure}"):
        check_targets(model, spell_targets(guide))
    monkeypatch.setattr("unbraid.zoo.ZOO", {"tuss-small": ZOO["tuss-small"]})
    with pytest.raises(GuideError, match=f"not {kind}: give another guide"):
        check_targets(model, spell_targets(guide))


def test_a_model_that_takes_several_kinds_lists_them():
    model = guidesep.Guidesep(guidesep.PRESETS["guidesep-debug"])
    check_targets(model, [Target("lead", [Mimicry("hum.wav"), Mask("painted.png")]), Target("b", Score("b.mid"))])
    with pytest.raises(GuideError, match="Guidesep takes Mask, Mimicry and Score, not Label: use one of the models"):
        check_targets(model, spell_targets(Label("vocals")))


@pytest.mark.parametrize("preset", ["guidesep-debug", "guidesep-mask-debug"])
def test_weights_of_guidesep_come_back(tmp_path, preset):
    model = guidesep.Guidesep(guidesep.PRESETS[preset])
    save_weights(model, tmp_path / "g.safetensors")
    back = load_model(tmp_path / "g.safetensors")
    assert back.config == model.config
    assert all(torch.equal(back.state_dict()[key], value) for key, value in model.state_dict().items())


def test_files_of_other_kinds_of_network(tmp_path):
    path = tmp_path / "new.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"format": "unbraid-1", "model": "novelty", "config": "{}"})
    with pytest.raises(ModelError, match="holds a 'novelty', which this version does not know"):
        load_model(path)
    with pytest.raises(ModelError, match="Linear has no weights file"):
        save_weights(torch.nn.Linear(1, 1), path)


@pytest.mark.parametrize("kinds", [[Label], [Prompts], [Label, Prompts], [Examples], [Examples, Label]])
def test_the_default_model_is_the_first_that_takes_the_guides(monkeypatch, kinds):
    guides = {Label: Label("bass"), Prompts: Prompts("bass"), Examples: Span(1, 2)}
    targets = [Target("lead", [guides[kind] for kind in kinds])]
    tuss = ZOO["tuss-small"]
    assert default_model(targets) == "tuss-small" or Examples in kinds
    listener = replace(tuss, name="listener", guides=("Examples",))
    both = replace(tuss, name="both", guides=("Examples", "Label"))
    monkeypatch.setattr("unbraid.zoo.ZOO", {one.name: one for one in (tuss, replace(both, file=None), listener)})
    assert default_model(targets) == ("listener" if Examples in kinds else "tuss-small")
    monkeypatch.setattr("unbraid.zoo.ZOO", {one.name: one for one in (tuss, listener, both)})
    wanted = {(Examples,): "listener", (Examples, Label): "both"}
    assert default_model(targets) == wanted.get(tuple(kinds), "tuss-small")
