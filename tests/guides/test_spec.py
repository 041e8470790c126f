"""Guides as JSON: every kind goes there and back, and what is wrong is told with its place."""

import json
from pathlib import Path
from typing import get_args

import pytest
import torch

from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Guide, Label, Mask, Mimicry, Prompts, Score, Span, Target
from unbraid.guides.spec import (
    GuideSpec,
    document_of,
    load_targets,
    read_request_spec,
    spec_files,
    spec_of,
    taught_specs,
)

GUIDES = [
    Label("bass"),
    Prompts("speech speech sfx-mix"),
    Examples(["riff.wav", Span(12, 16)], negative="singer.wav"),
    Span(20, 24, sounds=False),
    Mimicry("hum.wav", offset=-1.5),
    Mimicry("hum.wav", offset=None),
    Score("song.mid", track="Flute", offset=2.0),
    Score("song.mid", track=2),
    Mask("painted.png"),
    Mask("is.npy", "is not.npy", soft=False),
]
BOX = {"start": 1, "stop": 2, "low": 100, "high": 400}


def through_json(guide):
    [spec] = read_request_spec(json.loads(json.dumps([document_of(spec_of(guide))])))
    return load_targets([spec])[0]


@pytest.mark.parametrize("guide", GUIDES, ids=repr)
def test_a_guide_comes_back_from_json_as_it_was(guide):
    assert through_json(guide) == guide


def test_every_kind_of_guide_has_a_form():
    assert {type(guide) for guide in GUIDES} == set(get_args(Guide))
    assert {one.kind for one in get_args(GuideSpec)} >= {type(guide).__name__.lower() for guide in GUIDES}


def test_a_task_stands_for_its_prompts():
    assert load_targets(read_request_spec([{"kind": "task", "task": "speakers=2"}])) == (
        Prompts("speech speech sfx-mix"),
    )


def test_a_taught_label_is_a_label_with_its_file():
    read = read_request_spec([{"kind": "taught", "name": "riff", "file": "a"}, {"kind": "label", "name": "bass"}])
    assert load_targets(read) == (Label("riff"), Label("bass"))
    assert (spec_files(read), [spec.name for spec in taught_specs(read)]) == (("a",), ["riff"])
    with pytest.raises(GuideError, match=r"targets\[0\] has no file"):
        read_request_spec([{"kind": "taught", "name": "riff"}])


def test_a_target_holds_guides_together():
    request = [{"name": "lead", "guides": [{"kind": "mimicry", "file": "a"}, {"kind": "mask", "positive": "b"}]}]
    read = read_request_spec(request)
    assert spec_files(read) == ("a", "b")
    [target] = load_targets(read, files=lambda word: Path("/songs", word))
    assert target == Target("lead", [Mimicry("/songs/a"), Mask("/songs/b")])


def test_shapes_are_drawn_on_the_song():
    [mask] = load_targets(read_request_spec([{"kind": "mask", "shapes": {"positive": [BOX]}}]), duration=4.0)
    assert mask.positive.shape == (80, 251)
    assert mask.negative is None
    assert float(mask.positive[:, 70:120].max()) == 1
    assert not mask.positive[:, :60].any()


def test_polygons_are_read():
    shapes = {"negative": [{"polygon": [[0, 0], [3, 0], [3, 5000]], "confidence": 0.5}]}
    [mask] = load_targets(read_request_spec([{"kind": "mask", "shapes": shapes}]), duration=4.0)
    assert float(mask.negative.max()) == 0.5


def test_shapes_outside_of_the_song_are_refused_where_it_is_known():
    request = read_request_spec([{"kind": "mask", "shapes": {"positive": [BOX]}}])
    with pytest.raises(GuideError, match=r"targets\[0\]: positive\[0\] begins at 1.00 s, outside of the mixture"):
        load_targets(request, duration=0.5)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("vocals", 'targets is "vocals": give a list'),
        ([], "targets: 0 are given: ask for 1 to 32"),
        ([3], r"targets\[0\] is 3: give an object"),
        ([{}], r"targets\[0\] has no name"),
        ([{"kind": "hum", "file": "a"}], r"targets\[0\]: kind 'hum' is unknown: use one of label, "),
        ([{"kind": ["label"]}], r"targets\[0\]: kind \['label'\] is unknown"),
        ([{"kind": "label"}], r"targets\[0\] has no name: give text"),
        ([{"kind": "label", "name": " "}], r'targets\[0\].name is " ": give text'),
        ([{"kind": "label", "name": "a" * 2000}], r"targets\[0\].name is"),
        ([{"kind": "label", "name": "a", "nmae": "b"}], "'nmae', which means nothing: did you mean 'name'"),
        ([{"name": "lead", "guides": []}], r"targets\[0\].guides: 0 are given: give 1 to 16"),
        ([{"name": "lead", "guides": [{"kind": "span", "start": 2, "stop": 1}]}], r"targets\[0\].guides\[0\]: span 2"),
        ([{"kind": "span", "start": True, "stop": 1}], r"targets\[0\].start is true: give a number"),
        ([{"kind": "span", "start": float("nan"), "stop": 1}], r"targets\[0\].start is NaN: give a number"),
        ([{"kind": "span", "start": 10**400, "stop": 1}], r"targets\[0\].start is 1000"),
        ([{"kind": "examples", "positive": [{"start": 1}]}], r"positive\[0\] has no stop: give a number"),
        ([{"kind": "examples", "positive": ["a.wav"]}], r'positive\[0\] is "a.wav": give an object'),
        ([{"kind": "examples", "positive": []}], "give at least one recording of the target"),
        ([{"kind": "score", "file": "a", "track": 0}], "track 0 of a score is neither a number from 1 nor a name"),
        ([{"kind": "score", "file": "a", "track": 1.5}], r"track is 1.5: give a whole number or text"),
        ([{"kind": "mimicry", "file": "a", "offset": "auto"}], r'offset is "auto": give a number or null'),
        ([{"kind": "mask"}], "a mask without a side"),
        ([{"kind": "mask", "shapes": {}}], "a mask without shapes"),
        ([{"kind": "mask", "positive": "a", "shapes": {"positive": [BOX]}}], "give one of the two"),
        ([{"kind": "mask", "shapes": {"positive": [{**BOX, "high": 50}]}}], r"positive\[0\] is empty"),
        ([{"kind": "mask", "shapes": {"positive": [{"polygon": [[1, 2, 3]]}]}}], r"polygon\[0\] has 3 values: give 2"),
        ([{"kind": "task", "task": "karaoke"}], r"targets\[0\]: unknown task 'karaoke'"),
        ([{"kind": "label", "name": "a"}] * 33, "33 are given"),
    ],
)
def test_what_is_malformed_is_told_with_its_place(document, message):
    with pytest.raises(GuideError, match=message):
        read_request_spec(document)


def test_a_guide_in_memory_has_no_json_form():
    with pytest.raises(GuideError, match="write it to a file"):
        spec_of(Mask(torch.ones(80, 10)))
    with pytest.raises(GuideError, match="write it to a file"):
        spec_of(Examples((torch.ones(100), 8000)))


def test_a_word_for_a_file_that_nobody_knows_is_told_with_its_place():
    def refuse(word):
        raise GuideError(f"there is no file {word!r}")

    with pytest.raises(GuideError, match=r"targets\[0\]: there is no file 'a'"):
        load_targets(read_request_spec([{"kind": "mimicry", "file": "a"}]), files=refuse)
