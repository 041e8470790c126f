"""Rectangles and polygons in seconds and hertz."""

import json

import pytest
import torch

from unbraid.errors import GuideError
from unbraid.guides.mask_grid import columns_of, frames_of, rows_of
from unbraid.guides.mask_shapes import read_shapes

DURATION = 4.0


def read(*positive, **more):
    return read_shapes(json.dumps({"positive": list(positive), **more}), duration=DURATION)


def box(**more):
    return {"start": 1, "stop": 2, "low": 300, "high": 900, **more}


def test_a_rectangle_covers_its_bins_by_their_share():
    side = read(box()).positive
    rows = rows_of(torch.tensor([300.0, 900.0])).tolist()
    columns = columns_of(torch.tensor([1.0, 2.0])).tolist()
    assert side.shape == (80, frames_of(DURATION))
    assert float(side.sum()) == pytest.approx((rows[1] - rows[0]) * (columns[1] - columns[0]), rel=1e-4)
    first, last = int(rows[0]), int(rows[1])
    assert side[first + 1 : last, 64:125].eq(1).all()
    assert float(side[first, 80]) == pytest.approx(first + 1 - rows[0], abs=1e-4)
    assert float(side[last, 80]) == pytest.approx(rows[1] - last, abs=1e-4)
    outside = side.clone()
    outside[first : last + 1, 63:126] = 0
    assert float(outside.max()) == 0


def test_without_frequencies_it_is_all_of_them():
    side = read({"start": 1, "stop": 99}).positive
    assert side[:, 64:].eq(1).all()
    assert side[:, :62].eq(0).all()


def test_a_polygon_with_right_angles_is_a_rectangle():
    polygon = {"polygon": [[1, 300], [2, 300], [2, 900], [1, 900]], "confidence": 0.5}
    torch.testing.assert_close(read(polygon).positive, read(box(confidence=0.5)).positive, atol=0.05, rtol=0)


def test_a_triangle_covers_half_of_its_box_and_holes_are_left_out():
    corners = [[1, 300], [2, 300], [2, 900]]
    half = float(read(box()).positive.sum()) / 2
    assert float(read({"polygon": corners}).positive.sum()) == pytest.approx(half, rel=0.01)
    assert float(read({"polygon": corners[::-1]}).positive.sum()) == pytest.approx(half, rel=0.01)
    crossed = read({"polygon": [[1, 300], [2, 900], [2, 300], [1, 900]]}).positive
    assert float(crossed.sum()) == pytest.approx(half, rel=0.02)


def test_the_surest_shape_counts_and_sides_are_apart():
    sides = read(box(confidence=0.4), box(confidence=0.9), negative=[box(start=3, stop=3.5)])
    assert float(sides.positive.max()) == pytest.approx(0.9)
    assert float(sides.negative[:, :180].max()) == 0
    assert sides.either is None
    assert read_shapes('{"negative": []}', duration=1.0).negative is None


def test_what_reaches_out_is_cut():
    assert float(read({"polygon": [[3, 100], [9, 100], [9, 20000], [3, 20000]]}).positive.max()) == 1


def test_the_duration_may_be_rounded():
    assert read(box(), duration=4.9).positive is not None
    with pytest.raises(GuideError, match=r"another song: it lasts 6\.00 s, the mixture 4\.00 s"):
        read(box(), duration=6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ("[]", "describes no mask"),
        ("{}", "describes no mask"),
        ('{"positive": [], "negativ": []}', "did you mean 'negative'"),
        ('{"positive": {}, "zzz": 1}', "means nothing: it may hold"),
        ('{"positive": 3}', "positive is no list"),
        ('{"positive": [3]}', r"positive\[0\] is no shape"),
        ('{"positive": [{"start": 1, "stop": 2}, {"start": 1}]}', r"positive\[1\] has no stop"),
        ('{"negative": [{"start": 2, "stop": 1}]}', r"negative\[0\] is empty"),
        ('{"negative": [{"start": 0, "stop": 1, "low": 9, "high": 9}]}', "is empty"),
        ('{"negative": [{"start": -1, "stop": 1}]}', "start is -1"),
        ('{"negative": [{"start": true, "stop": 1}]}', "start is True"),
        ('{"negative": [{"start": NaN, "stop": 1}]}', "start is nan"),
        ('{"negative": [{"start": 0, "stop": 1e999}]}', "stop is inf"),
        ('{"negative": [{"start": 0, "stop": "1"}]}', "stop is '1'"),
        ('{"negative": [{"start": 0, "stop": 1, "confidence": 2}]}', "confidence is 2"),
        ('{"negative": [{"start": 0, "stop": 1, "hi": 2}]}', "'hi', which means nothing"),
        ('{"negative": [{"start": 4.1, "stop": 5}]}', r"begins at 4\.10 s, outside of the mixture"),
        ('{"negative": [{"start": 0, "stop": 5, "low": 9000, "high": 10000}]}', "above 8000 Hz"),
        ('{"negative": [{"polygon": [[1, 2], [2, 3]]}]}', "3 vertices"),
        ('{"negative": [{"polygon": [[1, 2], [2, 3], [4]]}]}', "is a pair"),
        ('{"negative": [{"polygon": [[1, 2], [2, 3], [4, null]]}]}', "vertex 2 is None"),
        ('{"negative": [], "duration": "x"}', "duration is 'x'"),
    ],
)
def test_what_makes_no_sense_is_told(text, message):
    with pytest.raises(GuideError, match=message):
        read_shapes(text, duration=DURATION)


def test_numbers_too_large_for_a_float_are_told():
    with pytest.raises(GuideError, match="too large"):
        read({"start": 1, "stop": 10**400})
