"""Masks in files: every format, every way to paint, and everything that may be wrong with a file."""

import json
import zipfile
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from unbraid.errors import GuideError
from unbraid.guides import mask_canvas
from unbraid.guides.mask_canvas import CanvasNote
from unbraid.guides.mask_files import read_canvas_note, read_mask_file, read_values, save_canvas
from unbraid.guides.mask_grid import frames_of

DURATION = 4.0
N_FRAMES = frames_of(DURATION)
NOTE = CanvasNote(DURATION, 64000, 16000, "abc", N_FRAMES, 320, 1)
BLUE = (40, 60, 160)


def canvas(width=N_FRAMES, height=320, color=BLUE, mode="RGB"):
    return Image.new(mode, (width, height), color)


def paint(image, box, color):
    ImageDraw.Draw(image).rectangle(box, fill=color)
    return image


def read(image, tmp_path, *, duration=DURATION):
    image.save(tmp_path / "a.png")
    return read_mask_file(tmp_path / "a.png", duration=duration)


def save_noted(image, path, note=NOTE):
    save_canvas(np.asarray(image), note, path)
    return path


def test_paint_on_the_canvas_lies_where_it_was_painted(tmp_path):
    image = paint(canvas(), (100, 0, 149, 39), (0, 255, 0))  # the ten highest bands
    paint(image, (0, 316, 250, 319), (255, 0, 0))  # the lowest one
    for sides in (read(image, tmp_path), read_mask_file(save_noted(image, tmp_path / "b.png"), duration=DURATION)):
        expected = torch.zeros(2, 80, N_FRAMES)
        expected[0, 70:, 100:150] = 1
        expected[1, 0] = 1
        torch.testing.assert_close(sides.positive, expected[0])
        torch.testing.assert_close(sides.negative, expected[1])
        assert sides.either is None


def test_fainter_paint_is_less_sure(tmp_path):
    image = paint(canvas(mode="RGBA", color=(*BLUE, 255)), (0, 0, 9, 319), (0, 128, 0, 255))
    paint(image, (10, 0, 19, 319), (0, 255, 0, 51))
    paint(image, (20, 0, 29, 319), (255, 55, 0, 255))
    paint(image, (30, 0, 39, 319), (255, 255, 255, 255))
    paint(image, (40, 0, 49, 319), (0, 0, 255, 255))
    paint(image, (50, 0, 59, 319), (255, 255, 0, 255))
    sides = read(image, tmp_path)
    assert sides.positive[5, [5, 15, 25, 35, 45, 55]].tolist() == pytest.approx([128 / 255, 0.2, 0, 0, 0, 0])
    assert sides.negative[5, [5, 15, 25, 35, 45, 55]].tolist() == pytest.approx([0, 0, 200 / 255, 0, 0, 0])


def test_colors_that_are_rounded_are_no_paint(tmp_path):
    sides = read(paint(canvas(), (0, 0, 99, 99), (90, 97, 91)), tmp_path)
    assert float(sides.positive.max()) == float(sides.negative.max()) == 0


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "LA", "P", "1"])
def test_grey_is_confidence(tmp_path, mode):
    values = np.zeros((80, N_FRAMES), dtype=np.uint8)
    values[60:, :100] = 255
    if mode != "1":
        values[:10, 200:] = 51
    image = Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values).convert(mode)
    sides = read(image, tmp_path)
    assert (sides.positive, sides.negative) == (None, None)
    torch.testing.assert_close(sides.either, torch.from_numpy(values[::-1].astype(np.float32) / 255))


def test_an_empty_canvas_is_no_grey_picture(tmp_path):
    sides = read(canvas(color=(6, 8, 40)), tmp_path)
    assert sides.either is None
    assert not sides.positive.any()


@pytest.mark.parametrize(("width", "taken"), [(N_FRAMES + 15, True), (N_FRAMES - 15, True), (N_FRAMES + 40, False)])
@pytest.mark.parametrize("height", [80, 320])
def test_pictures_as_high_as_the_canvas_are_as_wide(tmp_path, width, height, taken):
    image = paint(canvas(width, height), (100, 0, 149, height), (0, 255, 0))
    if not taken:
        with pytest.raises(GuideError, match=r"another song: it lasts 4\.64 s"):
            read(image, tmp_path)
        return
    side = read(image, tmp_path).positive
    assert side[:, 100:150].eq(1).all()
    assert float(side.sum()) == 50 * 80


def test_other_sizes_are_stretched(tmp_path):
    side = read(paint(canvas(1004, 400), (400, 0, 599, 399), (0, 255, 0)), tmp_path).positive
    assert side[:, 100:150].eq(1).all()
    assert float(side.sum()) == pytest.approx(50 * 80)


def test_columns_of_long_songs_are_spread_out(tmp_path, monkeypatch):
    monkeypatch.setattr(mask_canvas, "MAX_COLUMNS", 130)
    note = replace(NOTE, n_columns=-(-N_FRAMES // 2), frames_per_column=2)
    image = paint(canvas(note.n_columns, 320), (50, 0, 74, 319), (0, 255, 0))
    for sides in (
        read(image, tmp_path),
        read_mask_file(save_noted(image, tmp_path / "b.png", note), duration=DURATION),
    ):
        assert sides.positive.shape == (80, N_FRAMES)
        assert sides.positive[0].nonzero()[:, 0].tolist() == list(range(100, 150))


def test_a_canvas_knows_its_song(tmp_path):
    path = save_noted(paint(canvas(), (0, 0, 9, 9), (0, 255, 0)), tmp_path / "a.png")
    assert read_canvas_note(path) == NOTE
    assert read_mask_file(path, duration=4.2).positive.shape == (80, frames_of(4.2))
    with pytest.raises(GuideError, match=r"another song: it lasts 4\.00 s, the mixture 4\.30 s"):
        read_mask_file(path, duration=4.3)
    canvas().save(tmp_path / "b.png")
    assert read_canvas_note(tmp_path / "b.png") is None
    (tmp_path / "c.json").write_text('{"positive": []}')
    assert read_canvas_note(tmp_path / "c.json") is None


def test_a_canvas_may_be_scaled_but_not_cropped(tmp_path):
    path = save_noted(paint(canvas(502, 640), (200, 0, 299, 639), (0, 255, 0)), tmp_path / "a.png")
    assert read_mask_file(path, duration=DURATION).positive[:, 100:150].eq(1).all()
    path = save_noted(canvas(200, 320), tmp_path / "b.png")
    with pytest.raises(GuideError, match="cropped or distorted: the canvas was 251 x 320, it is 200 x 320"):
        read_mask_file(path, duration=DURATION)


def test_a_canvas_without_its_colors_is_refused(tmp_path):
    path = save_noted(canvas().convert("L").convert("RGB"), tmp_path / "a.png")
    with pytest.raises(GuideError, match="colors are gone"):
        read_mask_file(path, duration=DURATION)


def test_arrays(tmp_path):
    values = torch.rand(80, N_FRAMES, generator=torch.Generator().manual_seed(0)).numpy()
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", values)
    np.savez_compressed(tmp_path / "c.npz", positive=values, negative=1 - values)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.npy").read_bytes())  # the content tells, not the name
    for name in ("a.npy", "b.npz", "a.png"):
        sides = read_mask_file(tmp_path / name, duration=DURATION)
        assert sides.positive is sides.negative is None
        assert torch.equal(sides.either, torch.from_numpy(values))
    sides = read_mask_file(tmp_path / "c.npz", duration=DURATION)
    assert sides.either is None
    assert torch.equal(sides.positive + sides.negative, torch.ones(80, N_FRAMES))


def test_shapes(tmp_path):
    (tmp_path / "a.json").write_text("\ufeff" + json.dumps({"negative": [{"start": 1, "stop": 2}]}), encoding="utf-8")
    sides = read_mask_file(tmp_path / "a.json", duration=DURATION)
    assert sides.positive is None
    assert sides.negative[:, 70:120].eq(1).all()


@pytest.mark.parametrize(
    ("array", "first"),
    [
        (np.array([[True]]), 1.0),
        (np.array([[1, 0]], dtype=np.uint8), 1.0),
        (np.array([[51, 255]], dtype=np.uint8), 0.2),
        (np.array([[13107]], dtype=np.uint16), 0.2),
        (np.array([[0.25]], dtype=">f8"), 0.25),
        (np.array([[1]], dtype=np.int64), 1.0),
    ],
)
def test_values(array, first):
    values = read_values(array)
    assert values.dtype == torch.float32
    assert float(values[0, 0]) == pytest.approx(first)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((1, 2, 3)), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.array([["a"]]), "<U1"),
        (np.array([[1j]]), "complex"),
        (np.array([[np.nan]]), "finite"),
        (np.array([[np.inf]]), "finite"),
        (np.array([[1.5, 0]]), r"from 0 to 1\.5"),
        (np.array([[-0.5, 0]]), r"from -0\.5 to 0"),
        (np.array([[1e300]]), r"1e\+300"),
        (np.array([[2]], dtype=np.int16), "from 2 to 2"),
    ],
)
def test_what_is_no_confidence(array, message):
    with pytest.raises(GuideError, match=message):
        read_values(array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is no mask"),
        (b"RIFF....WAVE", "is no mask"),
        (b"\xff\xd8\xff\xe0", "is no mask"),
        (b"\x89PNG\r\n\x1a\n", "damaged picture"),
        (b"\x93NUMPY\x01\x00", "damaged NumPy"),
        (b"PK\x03\x04junk", "damaged NumPy"),
        (b"{]", "no valid JSON"),
        (b'{"\xff": 1}', "UTF-8"),
    ],
)
def test_files_that_are_something_else(tmp_path, content, message):
    (tmp_path / "a.x").write_bytes(content)
    with pytest.raises(GuideError, match=message):
        read_mask_file(tmp_path / "a.x", duration=DURATION)


def test_files_that_are_not_there(tmp_path):
    for name in ("a.png", "x\0.png"):
        with pytest.raises(GuideError, match="cannot be read"):
            read_mask_file(tmp_path / name, duration=DURATION)
    with pytest.raises(GuideError, match="cannot be read"):
        read_mask_file(tmp_path, duration=DURATION)


def test_arrays_of_other_names_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", positive=np.ones((80, 9)), other=np.ones((80, 9)))
    with pytest.raises(GuideError, match="name them positive and negative"):
        read_mask_file(tmp_path / "a.npz", duration=DURATION)


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[object()]]), allow_pickle=True)
    with pytest.raises(GuideError, match="damaged NumPy"):
        read_mask_file(tmp_path / "a.npy", duration=DURATION)


def test_pictures_that_are_too_large_are_not_decoded(tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "a.png")
    Image.new("1", (10000, 10000)).save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        with pytest.raises(GuideError, match=r"make it smaller|damaged picture"):
            read_mask_file(tmp_path / name, duration=DURATION)


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("take.json", "{}")
    with pytest.raises(GuideError, match="ZIP of something else than NumPy arrays"):
        read_mask_file(tmp_path / "a.npz", duration=DURATION)


@pytest.mark.parametrize("kind", ["png", "npy", "npz", "json"])
def test_damage_anywhere_is_an_error_of_ours_or_harmless(tmp_path, kind):
    whole = tmp_path / f"whole.{kind}"
    values = torch.rand(80, N_FRAMES, generator=torch.Generator().manual_seed(0)).numpy().round(1)
    if kind == "png":
        save_noted(paint(canvas(), (3, 3, 99, 99), (0, 255, 0)), whole)
    elif kind == "npy":
        np.save(whole, values)
    elif kind == "npz":
        np.savez_compressed(whole, positive=values)
    else:
        whole.write_text(json.dumps({"positive": [{"polygon": [[1, 100], [2, 100], [2, 200]]}]}))
    content = whole.read_bytes()
    dice = np.random.default_rng(0)
    damaged = tmp_path / f"damaged.{kind}"
    n_taken = 0
    for _ in range(60):
        cut = int(dice.integers(0, len(content)))
        flipped = bytearray(content)
        for _ in range(3):
            flipped[int(dice.integers(0, min(len(content), 400)))] ^= int(dice.integers(1, 256))
        for piece in (content[:cut], bytes(flipped)):
            damaged.write_bytes(piece)
            with suppress(GuideError):
                read_mask_file(damaged, duration=DURATION)
                n_taken += 1
    assert n_taken < 60
