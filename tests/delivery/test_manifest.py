import hashlib
import json
from dataclasses import asdict, replace

import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.delivery.manifest import (
    Manifest,
    Provenance,
    StemRecord,
    decibels,
    describe_guide,
    describe_model,
    file_sha256,
    provenance_of,
    read_manifest,
)
from unbraid.errors import AudioReadError
from unbraid.guides.kinds import Label, Mask, Mimicry, Prompts, Target, spell_targets
from unbraid.guides.on_clock import Recorded, put_on_clock
from unbraid.models.separator import Sampling
from unbraid.separation import Settings
from unbraid.zoo import debug_model

PROVENANCE = Provenance("ab", {"class": "Tuss"}, [{"name": "a"}], {"overlap": 0.25}, "wav", "16")
RECORD = StemRecord("vocals", "vocals.wav", "wav", "16", 8000, 1.0, -20.5, -3.0, 0.75, 5)


def make(**changes):
    manifest = Manifest({"name": "Лёд.wav"}, "tuss-small", PROVENANCE, (RECORD,), None, {"unbraid": "0"})
    return replace(manifest, **changes)


def test_what_is_written_is_read(tmp_path):
    silent = replace(RECORD, name="residual", rms_db=None, peak_db=None, presence=None, warning="too loud")
    manifest = make(residual=silent, path=tmp_path / "m.json")
    manifest.write(manifest.path)
    found = read_manifest(manifest.path)
    assert found == manifest
    assert found.path == manifest.path
    assert found.outputs == (RECORD, silent)
    assert found.warnings == ("too loud",)
    stored = json.loads(manifest.path.read_text(encoding="utf-8"))
    assert stored["input"]["name"] == "Лёд.wav"
    assert "path" not in stored
    assert "skipped" not in stored


def test_names_that_are_no_utf8(tmp_path):
    manifest = make(input={"name": "caf\udce9.wav"}, path=tmp_path / "m.json")
    manifest.write(manifest.path)
    assert read_manifest(manifest.path).input["name"] == "caf\udce9.wav"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"format": "other"}', '{"format": "unbraid-manifest-1"}', b"\xff"]
)
def test_what_is_no_manifest(tmp_path, text):
    path = tmp_path / "m.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_manifest(path) is None
    assert read_manifest(tmp_path / "missing") is None
    assert read_manifest(tmp_path) is None


def test_manifests_of_the_future_are_not_misread(tmp_path):
    path = tmp_path / "m.json"
    stored = make().to_dict()
    path.write_text(json.dumps({**stored, "format": "unbraid-manifest-2"}))
    assert read_manifest(path) is None
    path.write_text(json.dumps({**stored, "provenance": {**asdict(PROVENANCE), "new": 1}}))
    assert read_manifest(path) is None


def test_completeness(tmp_path):
    manifest = make(path=tmp_path / "m.json")
    assert not manifest.is_complete()
    (tmp_path / "vocals.wav").write_bytes(b"12345")
    assert manifest.is_complete()
    (tmp_path / "vocals.wav").write_bytes(b"1234")
    assert not manifest.is_complete()


def test_provenance_tells_all_that_matters_apart(tmp_path):
    path, model, targets = tmp_path / "a.wav", debug_model(), spell_targets(Prompts("vocals bass"))
    path.write_bytes(b"sound")

    def of(**changes):
        given = {
            "path": path,
            "model": model,
            "targets": targets,
            "settings": Settings(),
            "encoding": Encoding("wav", "16"),
        }
        given.update(changes)
        return provenance_of(given.pop("path"), given.pop("model"), given.pop("targets"), **given)

    other_path = tmp_path / "b.wav"
    other_path.write_bytes(b"sounds")
    other_mode = debug_model()
    other_mode.config = replace(other_mode.config, channel_mode="each")
    others = [
        of(path=other_path),
        of(model=debug_model(seed=1)),
        of(model=other_mode),
        of(targets=targets[::-1]),
        of(targets=(Target("lead", Label("vocals")), targets[1])),
        of(targets=(Target("vocals", Label("drums")), targets[1])),
        of(settings=Settings(overlap=0.5)),
        of(settings=Settings(precision="bf16")),
        of(settings=Settings(sampling=Sampling())),
        of(settings=Settings(sampling=Sampling(seed=1))),
        of(settings=Settings(sampling=Sampling(steps=1))),
        of(settings=Settings(sampling=Sampling(candidates=2))),
        of(encoding=Encoding("wav", "24")),
        of(encoding=Encoding("flac", "16")),
    ]
    assert of() == of(model=debug_model())
    assert all(other != of() for other in others)
    assert all(others.index(other) == index for index, other in enumerate(others))
    assert of() == Provenance(**json.loads(json.dumps(asdict(of()))))
    assert of().targets[0] == {"name": "vocals", "guides": [{"kind": "label", "name": "vocals"}]}


def on_clock(*guides):
    return put_on_clock([Target("lead", guides)], Recorded.of(Audio(torch.zeros(1, 16000), 16000)))[0].guides


def test_melodies_and_masks_are_told_by_their_values():
    model, wave = debug_model(), torch.sin(0.2 * torch.arange(8000.0))
    paint = torch.zeros(80, 63)
    paint[:40] = 1
    hum, other = Mimicry((wave, 16000), offset=-0.25), Mimicry((wave.flip(0), 16000), offset=-0.25)
    told, told_other = (describe_guide(on_clock(one)[0], model) for one in (hum, other))
    assert (told["kind"], told["offset"], told["recording"]["sample_rate"]) == ("mimicry", -0.25, 16000)
    assert told != told_other
    assert {**told_other, "recording": told["recording"]} == told
    assert describe_guide(on_clock(Mimicry((wave, 16000)))[0], model) == {**told, "offset": 0.0}
    masks = [
        Mask(paint),
        Mask(negative=paint),
        Mask(paint.flip(0)),
        Mask(paint, paint.flip(0)),
        Mask(paint, soft=False),
    ]
    described = [describe_guide(on_clock(mask)[0], model) for mask in masks]
    assert [described.index(one) for one in described] == list(range(len(masks)))
    assert described[0]["kind"] == "mask"
    assert described[0]["negative"] is None
    assert len(described[0]["positive"]) == 64
    assert described[0]["positive"] == described[1]["negative"] == described[3]["positive"]
    assert describe_guide(on_clock(Mask(paint.double()))[0], model) == described[0]


def test_models_are_told_by_their_tensors():
    model = torch.nn.Linear(2, 2)
    before = describe_model(model)
    assert (before["class"], before["config"]) == ("Linear", None)
    assert len(before["weights_sha256"]) == 64
    assert describe_model(model) == before
    assert describe_model(model.bfloat16()) != before
    assert describe_model(debug_model())["config"]["sample_rate"] == 44100


def test_hash_of_a_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 1000)
    assert file_sha256(path) == hashlib.sha256(b"abc" * 1000).hexdigest()
    with pytest.raises(AudioReadError, match="cannot be read"):
        file_sha256(tmp_path / "missing")


def test_decibels():
    assert decibels(1.0) == 0.0
    assert decibels(0.01) == -20.0
    assert decibels(0.0) is None
