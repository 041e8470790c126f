"""A part of a song with its guides: everything sounds and lies where it did in the whole."""

import pytest
import torch

from unbraid import Audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Target
from unbraid.guides.mask import frames_of
from unbraid.guides.region import cut_to_region, snap_region

SOUND = Audio(torch.ones(1, 8000), 8000)


def cut(*guides, start=1.0, stop=3.0):
    [target] = cut_to_region([Target("lead", guides)], start=start, stop=stop)
    return target.guides


def test_a_melody_begins_as_much_earlier():
    [moved] = cut(Mimicry(SOUND, offset=0.5))
    assert (moved.offset, moved.recording) == (-0.5, SOUND)


def test_paint_is_cut_at_whole_frames():
    side = torch.arange(80 * frames_of(4.0), dtype=torch.float32).reshape(80, -1) / 1e5
    [mask] = cut(Mask(side, soft=False), start=0.992, stop=2.016)
    assert mask.negative is None
    assert torch.equal(mask.positive, side[:, 62 : 62 + frames_of(1.024)])


def test_names_and_recordings_stay():
    examples = Examples(SOUND)
    assert cut(Label("bass"), examples) == (Label("bass"), examples)


def test_a_side_without_paint_is_left_out_and_a_target_without_any_refused():
    early, late = torch.zeros(80, 251), torch.zeros(80, 251)
    early[:, :10], late[:, 100] = 1, 1
    [mask] = cut(Mask(late, early, soft=False))
    assert (mask.positive is None, mask.negative is None) == (False, True)
    assert len(cut(Mimicry(SOUND), Mask(early, soft=False))) == 1
    with pytest.raises(GuideError, match=r"'lead': nothing is painted between 1.00 and 3.00 s"):
        cut(Mask(early, soft=False))


def test_a_melody_that_has_no_place_yet_is_refused():
    for mimicry in (Mimicry(SOUND, offset=None), Mimicry("hum.wav")):
        with pytest.raises(GuideError, match="song's clock"):
            cut(mimicry)


@pytest.mark.parametrize(
    ("start", "stop", "snapped"),
    [
        (0.0, 0.016, (0.0, 0.016)),
        (0.001, 0.001001, (0.0, 0.016)),
        (1.0, 99.0, (0.992, 10.0)),
        (9.99, 10, (9.984, 10.0)),
        (0.0, 5e-324, (0.0, 0.016)),
        (9.0, 1e308, (8.992, 10.0)),
        (9.9999999999, 10, (9.984, 10.0)),
    ],
)
def test_regions_are_widened_to_whole_frames_within_the_song(start, stop, snapped):
    assert snap_region(start, stop, duration=10.0) == pytest.approx(snapped)


@pytest.mark.parametrize(("start", "stop"), [(2, 1), (1, 1), (-1, 1), (10, 11), (float("nan"), 1), (0, float("inf"))])
def test_regions_that_are_none_are_refused(start, stop):
    with pytest.raises(GuideError, match="empty or lies outside"):
        snap_region(start, stop, duration=10.0)
