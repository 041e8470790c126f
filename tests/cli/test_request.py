"""Guides from the command line, in their order."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from unbraid.cli.console import UsageError
from unbraid.cli.request import ORDER, GuideCommand, read_recording, read_targets, spell
from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Prompts, Score, Span, Target

app = typer.Typer()
heard: list[list[tuple[str, str]]] = []


@app.command(cls=GuideCommand)
def command(
    ctx: typer.Context,
    label: Annotated[list[str] | None, typer.Option()] = None,
    target: Annotated[list[str] | None, typer.Option()] = None,
    prompts: Annotated[list[str] | None, typer.Option("--prompts", "-p")] = None,
    hum: Annotated[list[str] | None, typer.Option()] = None,
    at: Annotated[list[str] | None, typer.Option()] = None,
    loud: bool = False,
) -> None:
    del loud
    values = {"label": label or [], "target": target or [], "prompts": prompts or [], "hum": hum or [], "at": at or []}
    heard.append(spell(ctx.meta[ORDER], values))


def order_of(*words: str) -> list[tuple[str, str]]:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return heard.pop()


def test_order_is_kept_across_options():
    words = ["--label", "bass", "--target", "lead", "--loud", "--label=vocals", "-p", "drums other", "--target", "rest"]
    assert order_of(*words) == [
        ("label", "bass"),
        ("target", "lead"),
        ("label", "vocals"),
        ("prompts", "drums other"),
        ("target", "rest"),
    ]


def test_a_value_that_looks_like_an_option():
    assert order_of("--label", "target", "--target=--label") == [("label", "target"), ("target", "--label")]


def test_no_guides():
    assert order_of() == []


def test_an_unknown_option_is_a_usage_error():
    assert CliRunner().invoke(app, ["--labels", "bass"]).exit_code == 2


def test_guides_are_targets_of_their_own_before_the_first_target():
    assert read_targets([("prompts", "vocals drums"), ("label", "bass"), ("task", "speakers=2")]) == [
        Prompts("vocals drums"),
        Label("bass"),
        Prompts("speech speech sfx-mix"),
    ]


def test_guides_after_a_target_belong_to_it():
    words = [("label", "bass"), ("target", "lead"), ("label", "vocals"), ("target", "beat"), ("label", "drums")]
    assert read_targets(words) == [Label("bass"), Target("lead", Label("vocals")), Target("beat", Label("drums"))]


@pytest.mark.parametrize("words", [[("target", "lead")], [("target", "a"), ("target", "b"), ("label", "bass")]])
def test_a_target_without_a_guide_is_refused(words):
    with pytest.raises(GuideError, match="has no guide"):
        read_targets(words)


def test_no_guide_at_all_is_refused():
    with pytest.raises(UsageError, match="--task music"):
        read_targets([])


@pytest.mark.parametrize(
    ("option", "value"), [("prompts", " "), ("task", "opera"), ("task", "speakers=0"), ("label", "")]
)
def test_malformed_guides_are_refused(option, value):
    with pytest.raises(GuideError):
        read_targets([(option, value)])


def test_examples_before_the_first_target_are_one_target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [("label", "bass"), ("example", "a b.wav"), ("negative", "c.wav"), ("label", "x"), ("example", "0:12-0:16")]
    joined = Examples(["a b.wav", Span(12, 16)], ["c.wav"])
    assert read_targets(words) == [Label("bass"), joined, Label("x")]
    for named in ([("named", "guitar"), *words], [*words, ("named", "guitar")]):
        assert read_targets(named) == [Label("bass"), Target("guitar", joined), Label("x")]


def test_examples_after_a_target_belong_to_it():
    words = [("example", "a.wav"), ("target", "lead"), ("negative", "b.wav"), ("example", "1-2"), ("label", "x")]
    both = Examples(Span(1, 2), "b.wav")
    assert read_targets(words) == [Examples("a.wav"), Target("lead", [both, Label("x")])]
    assert read_targets([*words, ("named", "riff")])[0] == Target("riff", Examples("a.wav"))


def test_a_file_that_is_called_like_a_span_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_recording("0:12-0:16") == Span(12, 16)
    Path("0:12-0:16").touch()
    assert read_recording("0:12-0:16") == Path("0:12-0:16")
    assert read_recording("x" * 300) == Path("x" * 300)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([("named", "guitar")], "--as guitar names what --example, --hum, --score or --mask point at"),
        (
            [("label", "bass"), ("named", "guitar")],
            "--as guitar names what --example, --hum, --score or --mask point at",
        ),
        ([("target", "lead"), ("example", "a.wav"), ("named", "x")], "before the first --target"),
        ([("example", "a.wav"), ("named", "x"), ("named", "y")], "--as is given twice"),
        ([("example", "a.wav"), ("named", " ")], "--as is empty"),
        ([("negative", "a.wav")], "--not tells what the sound is not"),
        ([("example", "a.wav"), ("target", "lead"), ("negative", "1-2")], "target 'lead': --not"),
        ([("example", "")], "an example is empty"),
        ([("example", "0:12")], "0:12 is one: give a span"),
    ],
)
def test_examples_that_make_no_sense_are_refused(words, hint):
    with pytest.raises(UsageError, match=hint):
        read_targets(words)


@pytest.mark.parametrize(
    "words",
    [
        [("target", "lead"), ("label", "vocals"), ("target", "lead"), ("label", "drums")],
        [("label", "bass"), ("target", "bass"), ("label", "drums")],
        [("example", "a.wav"), ("named", "riff"), ("target", "riff"), ("label", "drums")],
    ],
)
def test_a_name_is_given_to_one_sound_alone(words):
    with pytest.raises(UsageError, match=r"two sounds are called '.*': give one another name with --target or --as"):
        read_targets(words)


def test_prompts_and_labels_may_repeat():
    assert read_targets([("label", "bass"), ("label", "bass")]) == [Label("bass"), Label("bass")]


def test_an_empty_span_is_refused():
    with pytest.raises(GuideError, match="start before its stop"):
        read_targets([("example", "0:16-0:12")])


@pytest.mark.parametrize("words", [["--hum", "a.wav", "--at", "-1.5"], ["--at=-1.5", "--hum=a.wav"]])
def test_a_time_before_the_song_is_a_value_and_no_option(words):
    heard_now = order_of(*words)
    assert sorted(heard_now) == [("at", "-1.5"), ("hum", "a.wav")]


HUM, SCORE, MASK = ("hum", "a.wav"), ("score", "b.mid"), ("mask", "c.png")


@pytest.mark.parametrize(
    ("words", "guide"),
    [
        ([HUM], Mimicry("a.wav", offset=0.0)),
        ([HUM, ("at", "3")], Mimicry("a.wav", offset=3.0)),
        ([HUM, ("at", "1:02.5")], Mimicry("a.wav", offset=62.5)),
        ([HUM, ("at", "-1.5")], Mimicry("a.wav", offset=-1.5)),
        ([HUM, ("at", "-0:02")], Mimicry("a.wav", offset=-2.0)),
        ([HUM, ("at", "auto")], Mimicry("a.wav", offset=None)),
        ([SCORE], Score("b.mid")),
        ([SCORE, ("track", "2")], Score("b.mid", track=2)),
        ([SCORE, ("at", "auto"), ("track", "flute")], Score("b.mid", track="flute", offset=None)),
        ([MASK], Mask("c.png")),
        ([("anti_mask", "d.npy")], Mask(negative="d.npy")),
        ([("anti_mask", "d.npy"), MASK], Mask("c.png", "d.npy")),
    ],
)
def test_melodies_and_masks(words, guide):
    assert read_targets(words) == [guide]
    assert read_targets([("target", "lead"), *words]) == [Target("lead", guide)]
    assert read_targets([*words, ("named", "lead")]) == [Target("lead", guide)]


def test_what_points_before_the_first_target_is_one_sound():
    words = [HUM, ("at", "3"), MASK, ("named", "lead"), ("label", "bass")]
    joined = Target("lead", [Mimicry("a.wav", offset=3.0), Mask("c.png")])
    assert read_targets(words) == [joined, Label("bass")]
    assert read_targets([HUM, MASK, ("at", "3")])[0].guides == joined.guides
    assert read_targets([MASK, HUM, ("example", "e.wav")])[0].name == "a"


def test_each_target_has_its_own_melody_and_place():
    words = [HUM, ("target", "b"), SCORE, ("track", "1"), ("target", "c"), HUM, ("at", "auto"), MASK]
    assert read_targets(words) == [
        Mimicry("a.wav"),
        Target("b", Score("b.mid", track=1)),
        Target("c", [Mimicry("a.wav", offset=None), Mask("c.png")]),
    ]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([("at", "3")], "--at 3 follows no --hum or --score: put it behind"),
        ([("at", "3"), HUM], "--at 3 follows no"),
        ([("track", "3"), SCORE], "--track 3 follows no"),
        ([HUM, ("target", "b"), ("at", "3"), MASK], "target 'b': --at 3 follows no"),
        ([MASK, ("at", "3")], "--at 3 follows no"),
        ([HUM, ("track", "3")], "--track 3 is for --score, not for --hum a.wav"),
        ([HUM, ("at", "3"), ("at", "4")], "is told its place or track twice"),
        ([SCORE, ("track", "1"), ("track", "2")], "is told its place or track twice"),
        ([HUM, HUM], "--hum and --hum are given: a target has one melody; begin others with --target"),
        ([("target", "b"), HUM, ("at", "3"), SCORE], "target 'b': --hum and --score are given"),
        ([MASK, MASK], "--mask is given 2 times"),
        ([("target", "b"), ("anti_mask", "d.png"), ("anti_mask", "d.png")], "target 'b': --not-mask is given 2 times"),
        ([("hum", " ")], "--hum is empty: give a file"),
        ([("score", "")], "--score is empty: give a file"),
        ([("mask", "")], "--mask is empty: give a file"),
        ([("anti_mask", "")], "--not-mask is empty"),
        ([HUM, ("at", "soon")], "--at soon is no time: give seconds such as 12.5"),
        ([HUM, ("at", "--3")], "--at --3 is no time"),
        ([HUM, ("at", "nan")], "is no time"),
        ([HUM, ("at", "")], "is no time"),
    ],
)
def test_melodies_and_masks_that_make_no_sense_are_refused(words, hint):
    with pytest.raises(UsageError, match=hint):
        read_targets(words)


@pytest.mark.parametrize("track", ["0", "", " "])
def test_tracks_that_cannot_be_are_refused(track):
    with pytest.raises(GuideError, match="neither a number from 1 nor a name"):
        read_targets([SCORE, ("track", track)])
