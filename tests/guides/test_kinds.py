"""Guides: what is taken, what is refused, and what stems are called after them."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import (
    KINDS,
    Examples,
    Guide,
    Label,
    Mask,
    Mimicry,
    Prompts,
    Score,
    Span,
    Target,
    output_names,
    read_clock,
    spell_targets,
)

TONE = Audio(torch.ones(1, 800), 8000)


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("0:12-0:16", 12, 16),
        ("12-16.5", 12, 16.5),
        ("12s-16s", 12, 16),
        ("1:02:03.25-1:02:10", 3723.25, 3730),
        (" 0-1 ", 0, 1),
        ("0:12 - 0:16", 12, 16),
        ("0:12\u20130:16", 12, 16),
    ],
)
def test_spans_are_read(text, start, stop):
    assert Span.parse(text) == Span(start, stop)


@pytest.mark.parametrize("text", ["riff.wav", "a-b", "12", "2024-01-02.wav", "", "-3-4", "1:2:3:4-5"])
def test_what_is_no_span(text):
    assert Span.parse(text) is None


@pytest.mark.parametrize(("start", "stop"), [(4, 4), (5, 4), (-1, 4), (0, float("inf")), (float("nan"), 1)])
def test_empty_spans_are_refused(start, stop):
    with pytest.raises(GuideError, match="start before its stop"):
        Span(start, stop)
    if stop <= start and start >= 0:
        with pytest.raises(GuideError):
            Span.parse(f"{start}-{stop}")


def test_recordings_of_every_spelling():
    pair = (np.zeros((2, 10), dtype=np.int16), 8000)
    examples = Examples([TONE, "a.wav", Path("b.wav"), pair, Span(1, 2)], negative="c.flac")
    assert examples.positive[:3] == (TONE, Path("a.wav"), Path("b.wav"))
    assert examples.positive[3].samples.shape == (2, 10)
    assert examples.positive[4] == Span(1, 2)
    assert examples.negative == (Path("c.flac"),)
    for alone in (TONE, "a.wav", pair, Span(1, 2)):
        assert len(Examples(alone).positive) == 1
        assert len(Examples(TONE, alone).negative) == 1


@pytest.mark.parametrize("given", [[], (), [3], [None], [(TONE, "x")], [(np.zeros((2, 2), dtype=bool), 8000)]])
def test_what_is_no_example(given):
    with pytest.raises(GuideError):
        Examples(given)


def test_unread_examples_have_no_recordings():
    assert Examples([TONE], [TONE]).recordings == ((TONE,), (TONE,))
    for unread in (Examples(["a.wav"]), Examples([TONE], [Span(0, 1)])):
        with pytest.raises(GuideError, match="not been read"):
            _ = unread.recordings


def test_stems_are_called_after_their_guides():
    request = [Label("bass"), Examples(["my riff.wav", "x.wav"]), Examples(TONE), Examples(TONE), Span(12, 16)]
    targets = spell_targets(request)
    assert output_names(targets) == ("bass", "my riff", "example-1", "example-2", "12-16s")
    assert [target.name for target in spell_targets(Target("lead", [Examples(TONE), Label("x")]))] == ["lead"]
    assert [target.name for target in spell_targets([Prompts("a b")])] == ["a", "b"]
    with pytest.raises(GuideError, match="int is not a guide"):
        spell_targets([3])


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:10", 10), ("1:02:03.5", 3723.5), (" 7s ", 7), ("-1", None), ("", None)]
)
def test_points_in_time_are_read(text, seconds):
    assert read_clock(text) == seconds


def test_the_union_of_guides_is_closed():
    assert set(KINDS) == set(get_args(Guide)) == {Label, Prompts, Examples, Span, Mimicry, Score, Mask}


def test_melodies_and_masks_are_targets_of_their_own():
    mask = Mask(np.ones((2, 2)))
    request = [Mimicry("my hum.wav"), Mimicry(TONE), Score("waltz.mid"), Mask("chorus.png"), mask, mask]
    targets = spell_targets(request)
    assert output_names(targets) == ("my hum", "mimicry", "waltz", "chorus", "mask-1", "mask-2")
    assert [target.guides for target in targets] == [(guide,) for guide in request]
    assert spell_targets(mask) == (Target("mask", mask),)
    assert Target("lead", [Mimicry("a.wav"), mask]).guides == (Mimicry("a.wav"), mask)
    with pytest.raises(GuideError, match="give one of Label, Prompts, Examples, Span, Mimicry, Score, Mask, Target"):
        spell_targets(["hum.wav"])


@pytest.mark.parametrize("rate", [8000, np.int64(8000), 8000.0])
def test_a_rate_is_any_whole_number(rate):
    assert Examples((np.zeros(4), rate)).positive[0].sample_rate == 8000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "NoneType is no recording: give a file"),
        (3, "int is no recording: give a file"),
        ((np.zeros(4), 8000.5), "sample_rate must be a whole number of hertz, got 8000.5"),
        ((np.zeros(4), float("nan")), "sample_rate must be a whole number"),
    ],
)
def test_what_is_no_recording_is_told_so(given, message):
    with pytest.raises(GuideError, match=message):
        Examples(given)


def test_nothing_at_all_is_no_request():
    with pytest.raises(GuideError, match="nothing is asked for"):
        spell_targets(None)
