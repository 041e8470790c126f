"""The guide itself: its sides, what it is called, how it is resolved, and what is refused before any work."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unbraid.errors import GuideError
from unbraid.guides.mask import Mask, frames_of, painted_area, resolve_mask, soften
from unbraid.guides.mask_grid import blur

DURATION = 4.0
N_FRAMES = frames_of(DURATION)


def block(rows, columns, value=1.0):
    side = torch.zeros(80, N_FRAMES)
    side[rows, columns] = value
    return side


def resolve(mask):
    return resolve_mask(mask, duration=DURATION, target="lead")


def save_grey(path, side):
    Image.fromarray((255 * side.flip(0)).round().byte().numpy()).save(path)
    return path


def save_colors(path, positive, negative):
    pixels = np.zeros((80, N_FRAMES, 3), dtype=np.uint8)
    pixels[..., 2] = 40
    pixels[..., 1] = 255 * positive.flip(0).numpy()
    pixels[..., 0] = 255 * negative.flip(0).numpy()
    pixels[..., 2][pixels.max(axis=2) > 40] = 0
    Image.fromarray(pixels).save(path)
    return path


LOW, HIGH = block(slice(0, 20), slice(50, 100)), block(slice(40, 60), slice(50, 100))


def test_titles_files_and_equality():
    mask = Mask("masks/chorus.png", Path("not.npy"))
    assert mask.title == "chorus"
    assert mask.files == (Path("masks/chorus.png"), Path("not.npy"))
    assert Mask(negative="verse.png").title == "verse"
    assert Mask(LOW).title == "mask"
    assert Mask(LOW).files == ()
    assert mask == Mask(Path("masks/chorus.png"), "not.npy")
    assert hash(mask) == hash(Mask("masks/chorus.png", "not.npy"))
    assert Mask(LOW) == Mask(LOW.numpy())
    assert mask != Mask("masks/chorus.png")
    assert Mask(LOW) not in (Mask(HIGH), Mask(LOW, soft=False), Mask("a.png"), "a.png")


def test_arrays_are_copied_and_checked():
    given = LOW.clone()
    mask = Mask(given)
    given.fill_(0.5)
    assert torch.equal(mask.sides[0], LOW)
    assert mask.sides[1] is None
    assert Mask([[0, 1], [0.5, 0]]).positive.tolist() == [[0, 1], [0.5, 0]]
    with pytest.raises(GuideError, match="without a side"):
        Mask()
    for wrong in (torch.full((2, 2), 1.5), torch.tensor([[float("nan")]]), np.zeros(3), [[1], [1, 0]], 3, [["a"]]):
        with pytest.raises(GuideError, match="the negative mask"):
            Mask(negative=wrong)


def test_files_have_no_sides_before_they_are_read():
    with pytest.raises(GuideError, match="not been read"):
        _ = Mask("a.png").sides


def test_resolved_masks_are_soft_and_stay_as_they_are():
    resolved = resolve(Mask(LOW, HIGH * 0.5))
    torch.testing.assert_close(resolved.positive, blur(LOW, 2.0).clamp(0, 1))
    torch.testing.assert_close(resolved.negative, 0.5 * blur(HIGH, 2.0))
    assert resolved.positive.dtype == torch.float32
    assert resolve(resolved) == resolved
    hard = resolve(Mask(LOW, soft=False))
    assert torch.equal(hard.positive, LOW)
    assert hard.negative is None


def test_every_form_of_the_same_mask_says_the_same(tmp_path):
    np.save(tmp_path / "a.npy", LOW.numpy())
    np.savez(tmp_path / "a.npz", positive=LOW.numpy(), negative=HIGH.numpy())
    np.save(tmp_path / "not.npy", HIGH.numpy())
    save_grey(tmp_path / "a.png", LOW)
    save_grey(tmp_path / "not.png", HIGH)
    save_colors(tmp_path / "both.png", LOW, HIGH)
    save_colors(tmp_path / "red.png", 0 * LOW, HIGH)
    expected = resolve(Mask(LOW, HIGH))
    for mask in (
        Mask(tmp_path / "both.png"),
        Mask(tmp_path / "a.npz"),
        Mask(tmp_path / "a.png", tmp_path / "not.png"),
        Mask(tmp_path / "a.npy", tmp_path / "red.png"),
        Mask(LOW, str(tmp_path / "not.npy")),
        Mask(LOW.bool(), 255 * HIGH.byte().numpy()),
    ):
        resolved = resolve(mask)
        torch.testing.assert_close(resolved.positive, expected.positive)
        torch.testing.assert_close(resolved.negative, expected.negative)
    only_not = resolve(Mask(tmp_path / "red.png"))
    assert only_not.positive is None
    torch.testing.assert_close(only_not.negative, expected.negative)
    assert resolve(Mask(negative=tmp_path / "not.png")) == resolve(Mask(negative=HIGH))


def test_shapes_give_both_sides(tmp_path):
    shape = {"start": 1, "stop": 2, "low": 200, "high": 1000}
    (tmp_path / "a.json").write_text(json.dumps({"positive": [shape], "negative": [{**shape, "start": 0, "stop": 1}]}))
    resolved = resolve(Mask(tmp_path / "a.json", soft=False))
    assert painted_area(resolved.positive).start == pytest.approx(1, abs=0.016)
    assert painted_area(resolved.negative).stop == pytest.approx(1, abs=0.016)


def test_nothing_painted_is_refused(tmp_path):
    save_colors(tmp_path / "a.png", 0 * LOW, 0 * LOW)
    save_grey(tmp_path / "black.png", 0 * LOW)
    (tmp_path / "a.json").write_text('{"positive": [], "negative": []}')
    for mask in (*map(Mask, sorted(tmp_path.iterdir())), Mask(0 * LOW), Mask(negative=0 * LOW)):
        with pytest.raises(GuideError, match=r"target 'lead': mask.*nothing is painted"):
            resolve(mask)
    resolved = resolve(Mask(LOW, 0 * LOW))
    assert resolved.negative is None


@pytest.mark.parametrize("side", ["positive", "negative"])
def test_masks_of_another_song_are_refused(tmp_path, side):
    np.save(tmp_path / "long.npy", np.ones((80, 2 * N_FRAMES)))
    for given, name in ((tmp_path / "long.npy", r"mask .*long\.npy"), (torch.ones(80, 500), f"the {side} mask")):
        with pytest.raises(GuideError, match=f"target 'lead': {name} is of another song"):
            resolve(Mask(**{side: given}))


def test_a_file_with_both_sides_is_given_alone(tmp_path):
    both, low = save_colors(tmp_path / "both.png", LOW, HIGH), save_grey(tmp_path / "low.png", LOW)
    for mask, side in ((Mask(both, low), "positive"), (Mask(low, both), "negative"), (Mask(negative=both), "negative")):
        with pytest.raises(GuideError, match=rf"both\.png is given as {side} and holds the other side, too"):
            resolve(mask)


def test_sides_that_claim_the_same_are_refused_with_the_place():
    positive = block(slice(10, 20), slice(0, 50)) + block(slice(40, 60), slice(125, 200))
    negative = block(slice(19, 25), slice(0, 5)) + block(slice(50, 70), slice(126, 189))
    with pytest.raises(
        GuideError, match=r"target 'lead': mask: both sides claim 635 .* at 2\.01-3\.02 s, 2668-3898 Hz"
    ):
        resolve(Mask(positive, negative))
    assert resolve(Mask(positive, 0.5 * negative)).negative is not None


def test_a_few_bins_of_both_are_taken():
    positive, negative = block(slice(0, 20), slice(0, 50)), block(slice(20, 40), slice(0, 50))
    negative[19, :20] = 1  # 20 of 1000
    assert resolve(Mask(positive, negative)).negative is not None
    negative[19, :21] = 1
    with pytest.raises(GuideError, match="claim 21 of the same bins"):
        resolve(Mask(positive, negative))


def test_what_is_given_is_never_changed():
    positive, negative = LOW.clone(), HIGH.clone()
    mask = Mask(positive, negative)
    resolve(mask)
    assert torch.equal(mask.positive, LOW)
    assert torch.equal(negative, HIGH)


def test_softening_keeps_broad_paint_and_fades_thin_strokes():
    assert float(soften(LOW)[10, 75]) == pytest.approx(1, abs=1e-5)
    assert float(soften(block(slice(30, 31), slice(0, 200))).max()) == pytest.approx(0.2, abs=0.01)


def test_what_is_painted_is_described():
    area = painted_area(block(slice(0, 80), slice(63, 126), 0.5))
    assert (area.start, area.stop, area.most) == (1.0, 2.008, 0.5)
    assert area.share == pytest.approx(63 / N_FRAMES)
    assert area.low < 15
    assert 7800 < area.high <= 8000
