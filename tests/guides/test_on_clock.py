"""Guides on the mixture's clock: what is read, what is placed, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mido import Message, MidiFile, MidiTrack

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Score, Span, Target
from unbraid.guides.notes import Note
from unbraid.guides.on_clock import Recorded, guide_files, put_on_clock, read_guides
from unbraid.guides.tones import render_tones

RATE = 16000
SONG = Audio(render_tones([Note(0.4 * at, 0.4, 60 + at * at % 31 // 2, 100) for at in range(15)], sample_rate=RATE)[
    None, : 6 * RATE], RATE)  # fmt: skip
MIXTURE = Recorded.of(SONG)


def part(start, stop):
    return Audio(SONG.samples[:, round(start * RATE) : round(stop * RATE)], RATE)


def placed(*guides, mixture=MIXTURE):
    (target,) = put_on_clock([Target("lead", guides)], mixture)
    return target.guides


def refused(match):
    return pytest.raises(GuideError, match=match)


def test_a_recording_in_memory():
    assert (MIXTURE.duration, MIXTURE.sample_rate) == (6.0, RATE)
    assert MIXTURE.cut(Span(1, 2)).duration == 1.0
    assert torch.equal(torch.cat(list(MIXTURE.blocks()), dim=1), SONG.samples)


def test_names_and_the_order_of_other_guides_stay():
    given = [Target("a", Label("bass")), Target("b", [Label("x"), Mimicry(part(0, 1))])]
    for step in (read_guides, lambda targets: put_on_clock(targets, MIXTURE)):
        first, second = step(given)
        assert first == given[0]
        assert (second.name, second.guides[0]) == ("b", Label("x"))


def test_what_is_read_without_the_mixture(tmp_path):
    write_audio(tmp_path / "hum.wav", Audio(part(0, 1).samples.repeat(2, 1), RATE), encoding=Encoding("wav", "24"))
    mask = Mask(np.ones((3, 3)))
    (target,) = read_guides([Target("lead", [Mimicry(tmp_path / "hum.wav", offset=None), mask, Span(1, 2)])])
    hum, same, examples = target.guides
    assert hum.recording.n_channels == 1
    torch.testing.assert_close(hum.recording.samples, part(0, 1).samples, rtol=0, atol=1e-6)
    assert hum.offset is None
    assert same is mask
    assert examples == Examples(Span(1, 2))


def test_a_score_is_played(tmp_path):
    track = MidiTrack([Message("note_on", note=69), Message("note_off", note=69, time=960)])
    MidiFile(tracks=[track]).save(tmp_path / "a.mid")
    score = Score(tmp_path / "a.mid", offset=2.0)
    for (guide,) in (read_guides([Target("lead", score)])[0].guides, placed(score)):
        assert isinstance(guide, Mimicry)
        assert guide.offset == 2.0
        assert guide.recording.duration >= 1.0


@pytest.mark.parametrize("offset", [0.0, 3.5, -0.5, 5.999])
def test_an_offset_that_is_known_is_kept_and_the_mixture_not_read(offset):
    def blocks():
        pytest.fail("read")

    (guide,) = placed(Mimicry(part(0, 1), offset=offset), mixture=replace(MIXTURE, blocks=blocks))
    assert guide.offset == offset


@pytest.mark.parametrize("n_blocks", [1, 7])
def test_an_offset_that_is_open_is_found(n_blocks):
    mixture = replace(MIXTURE, blocks=lambda: SONG.samples.chunk(n_blocks, dim=1))
    (guide,) = placed(Mimicry(part(2.4, 4.0), offset=None), mixture=mixture)
    assert guide.offset == pytest.approx(2.4, abs=0.04)


@pytest.mark.parametrize("offset", [6.0, 100.0, -1.0, -7.5])
def test_a_mimicry_outside_of_the_mixture_is_refused(offset):
    with refused(r"target 'lead': the mimicry, from -?\d.* s, lies outside of the mixture, which is 6.00 s long: say"):
        placed(Mimicry(part(0, 1), offset=offset))


def test_a_mimicry_without_a_place_is_refused():
    hiss = Audio(0.1 * torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(0)), RATE)
    with refused("target 'lead': the mimicry fits nowhere clearly .*: say at which second"):
        placed(Mimicry(part(2.4, 4.0), offset=None), mixture=Recorded.of(hiss))
    with refused("target 'lead': the mimicry has no place in a mixture that is empty or silent"):
        placed(Mimicry(part(0, 1), offset=None), mixture=Recorded.of(Audio(torch.zeros(2, RATE), RATE)))


def test_a_mask_comes_onto_the_grid_once():
    (mask,) = placed(Mask(np.ones((2, 2)), np.zeros((80, 376))))
    assert mask.positive.shape == (80, 376)
    assert mask.negative is None
    assert not mask.soft
    assert placed(mask) == (mask,)


@pytest.mark.parametrize("n_frames", [300, 450])
def test_a_mask_of_another_length_is_refused(n_frames):
    for sides in ({"positive": np.ones((80, n_frames))}, {"negative": np.ones((80, n_frames))}):
        with refused("target 'lead': the (positive|negative) mask is of another song: it lasts"):
            placed(Mask(**sides))


def test_masks_that_do_for_no_mixture_are_refused_without_one(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    for mask, match in (
        (Mask(np.zeros((80, 9))), "target 'lead': mask: nothing is painted"),
        (Mask(np.zeros((80, 9)), np.zeros((2, 9))), "nothing is painted"),
        (Mask(tmp_path / "a.png"), "target 'lead': mask .*a.png is no mask"),
        (Mask(np.ones((2, 2)), tmp_path / "gone.npy"), "target 'lead': mask .*gone.npy cannot be read"),
    ):
        with refused(match):
            read_guides([Target("lead", mask)])
    one_side_is_enough = Target("lead", Mask(np.zeros((80, 9)), np.ones((80, 9))))
    assert read_guides([one_side_is_enough]) == (one_side_is_enough,)


@pytest.mark.parametrize("step", [read_guides, lambda targets: put_on_clock(targets, MIXTURE)])
@pytest.mark.parametrize(
    ("guide", "match"),
    [
        (Mimicry("gone.wav"), "mimicry gone.wav: there is no such file"),
        (Mimicry((torch.zeros(RATE), RATE)), "mimicry is silent"),
        (Score("gone.mid"), "score gone.mid: there is no such file"),
        (Mask("gone.png"), "mask gone.png cannot be read"),
        (Examples("gone.wav"), "example gone.wav: there is no such file"),
    ],
)
def test_errors_name_the_target(step, guide, match):
    with refused(f"target 'bad one': {match}"):
        step([Target("good one", Label("bass")), Target("bad one", guide)])


def test_a_span_outside_of_the_mixture_is_refused():
    with refused("target 'lead': the span 7-8s lies outside of the mixture"):
        placed(Span(7, 8))


def test_files_of_all_guides():
    hum = Mimicry((torch.ones(9), RATE))
    target = Target(
        "a", [Mimicry("a.wav"), hum, Score("b.mid"), Mask("c.png", "d.npy"), Mask(np.ones((2, 2))), Label("x")]
    )
    other = Target("b", [Examples("e.wav", "f.wav"), Span(1, 2)])
    assert sorted(guide_files([target, other])) == [Path(f"{name}") for name in
                                                    ("a.wav", "b.mid", "c.png", "d.npy", "e.wav", "f.wav")]  # fmt: skip
    assert guide_files([]) == ()
