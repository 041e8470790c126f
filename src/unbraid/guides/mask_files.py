"""Masks in files: pictures that are painted, arrays, and shapes that are written down.

Axes: H rows, W columns, K mel bands, T frames.
"""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.mask_canvas import N_ROWS, CanvasNote, frames_per_column
from unbraid.guides.mask_grid import N_BANDS, frames_of
from unbraid.guides.mask_layout import SLACK_SHARE, Sides, fits, lasting, lay, other_song, stretch
from unbraid.guides.mask_shapes import SIDES, parse_shapes

PNG = b"\x89PNG"
NOTE_KEY = "unbraid-mask"
FAINTEST = 8 / 255  # paint below this is what editors leave of colors that they round
SLACK_SECONDS = 0.25
MAX_PIXELS = 64_000_000
MAX_JSON_BYTES = 32_000_000
FORMATS = "a PNG picture, a NumPy array (.npy, .npz) or shapes in JSON"

_DAMAGE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError,
    NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
_FULL = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}


class LoadedMask(NamedTuple):
    """A mask that has been read, and not been laid on a mixture yet.

    ``is_empty`` tells whether nothing is painted on it; ``lay`` lays it on a mixture of so many seconds.
    """

    is_empty: bool
    lay: Callable[[float], Sides]


def read_mask_file(path: Path, *, duration: float) -> Sides:
    """Read a mask and lay it on the grid of a mixture; the content tells the format, not the name.

    A picture is gray, where white is sure, or has green paint on what is the sound and red paint on what is not: the
    confidence is by how much the color exceeds the other two, times the opacity. A canvas of `draw_canvas` must be
    that of a song of the same length (to a quarter of a second). A picture without its note that is 320 or 80 pixels
    high must be as wide as the canvas of the mixture (within 2 %, or 16 pixels); any other size is stretched over the
    whole mixture. For arrays see `lay`; an ``.npz`` holds ``positive`` and ``negative``, or a single array. For shapes
    see `read_shapes`.

    Args:
        path: the file.
        duration: of the mixture, in seconds.

    Raises:
        GuideError: if the file is missing, damaged, of another format or of another song; the message begins with
            what is wrong with it, and does not name it.
    """
    return load_mask_file(path).lay(duration)


def load_mask_file(path: Path) -> LoadedMask:
    """Read a mask as far as that can be done without a mixture: what is wrong with it whatever the song is told here.

    Raises:
        GuideError: as `read_mask_file`, but for what depends on the mixture; that raises `LoadedMask.lay`.
    """
    head = _head_of(path)
    if head.startswith(PNG):
        return _load_canvas(path)
    if head.startswith((b"\x93NUMPY", b"PK")):
        return _load_values(path)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["} or path.suffix.lower() == ".json":
        return _load_json(path)
    raise GuideError(f"is empty: give {FORMATS}" if not head else f"is no mask: give {FORMATS}")


def read_canvas_note(path: Path) -> CanvasNote | None:
    """Return what a picture says about its song; None if it is no canvas, or an editor has dropped the note.

    Raises:
        GuideError: if the file cannot be read, or the picture or its note is damaged.
    """
    return _load_picture(path)[1] if _head_of(path).startswith(PNG) else None


def save_canvas(pixels: npt.NDArray[np.uint8], note: CanvasNote, path: Path) -> None:
    """Write a canvas of `draw_canvas` as PNG.

    Args:
        pixels: ``[H, W, 3]``.
        note: what it shows.
        path: where; written over if it is there.

    Raises:
        OSError: if it cannot be written.
    """
    info = PngInfo()
    info.add_text(NOTE_KEY, note.to_text())
    Image.fromarray(pixels).save(path, format="PNG", pnginfo=info)


def read_values(array: npt.NDArray[Any]) -> Tensor:
    """Turn an array into confidences ``[H, W]``, float32.

    Booleans, and numbers in 0..1, are taken as they are; unsigned integers of 8 or 16 bits that reach beyond 1 are
    divided by the largest that there is.

    Raises:
        GuideError: if it has not two axes, or its values are no confidences.

    Example:
        >>> read_values(np.array([[0, 51, 255]], dtype=np.uint8))
        tensor([[0.0000, 0.2000, 1.0000]])
    """
    if array.ndim != 2 or 0 in array.shape:
        raise GuideError(f"has the shape {array.shape}: give an array of bands and frames")
    if array.size > MAX_PIXELS:
        raise GuideError(f"has {array.size} values, more than {MAX_PIXELS}: make it smaller")
    if array.dtype.kind not in "buif":
        raise GuideError(f"holds {array.dtype} values: give numbers from 0 to 1")
    least, most = float(array.min()), float(array.max())
    full = _FULL.get(array.dtype, 1.0) if most > 1 else 1.0
    if not np.isfinite(array).all():
        raise GuideError("holds values that are no finite numbers: give numbers from 0 to 1")
    if least < 0 or most > full:
        raise GuideError(f"holds values from {least:g} to {most:g}: give numbers from 0 to 1")
    return torch.from_numpy(array.astype(np.float32) / np.float32(full))


def _head_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except (OSError, ValueError) as error:
        raise GuideError(f"cannot be read ({getattr(error, 'strerror', None) or error}): check the path") from error


def _load_canvas(path: Path) -> LoadedMask:
    pixels, note = _load_picture(path)
    painted = _confidences(pixels)
    if note is not None and painted.either is not None and bool(painted.either.any()):
        raise GuideError("is a canvas whose colors are gone: paint it green and red, and save it in color")

    def lay_on(duration: float) -> Sides:
        if note is not None and abs(note.duration - duration) > SLACK_SECONDS:
            raise GuideError(other_song(note.duration, duration))
        if note is not None:
            _check_whole(note, painted)
        n_frames = frames_of(duration)
        return Sides(*(None if side is None else _lay_picture(side, n_frames, note) for side in painted))

    return LoadedMask(_is_empty(painted), lay_on)


def _is_empty(sides: Iterable[Tensor | None]) -> bool:
    return not any(side is not None and bool(side.any()) for side in sides)


def _load_picture(path: Path) -> tuple[npt.NDArray[Any], CanvasNote | None]:
    """Decode a PNG: pixels ``[H, W]`` if it is gray by its format, else ``[H, W, 4]``; and its note."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG",)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise GuideError(f"has {image.width} x {image.height} pixels: make it smaller")
                text = image.info.get(NOTE_KEY)
                is_grey = image.mode in {"1", "L"} and "transparency" not in image.info
                if is_grey or image.mode.startswith("I"):
                    pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
                else:
                    pixels = np.asarray(image.convert("RGBA"))
    except _DAMAGE as error:
        raise GuideError(f"is a damaged picture ({_reason(error)}): save it again as PNG") from error
    return pixels, None if text is None else CanvasNote.from_text(str(text))


def _confidences(pixels: npt.NDArray[Any]) -> Sides:
    """Turn pixels into confidences ``[H, W]``, low frequencies first."""
    if pixels.ndim == 2:
        full = np.float32(255 if pixels.dtype == np.uint8 else 65535)
        return Sides(either=_upright(pixels.astype(np.float32) / full))
    red, green, blue, opacity = (pixels[..., index].astype(np.int16) for index in range(4))
    opaque = opacity.astype(np.float32) / np.float32(255)
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if not ((most - least)[opacity > 0] > 255 * FAINTEST).any():
        return Sides(either=_upright(green.astype(np.float32) / np.float32(255) * opaque))
    positive, negative = (
        np.maximum(0, color - np.maximum(other, blue)).astype(np.float32) / np.float32(255) * opaque
        for color, other in ((green, red), (red, green))
    )
    return Sides(*(_upright(side * (side >= FAINTEST)) for side in (positive, negative)))


def _upright(picture: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture[::-1]).clip(0, 1))


def _check_whole(note: CanvasNote, painted: Sides) -> None:
    """Refuse a canvas that was cropped or distorted; scaled as a whole it may be."""
    assert painted.positive is not None
    n_rows, n_columns = painted.positive.shape
    scaled = (n_columns / note.n_columns) / (n_rows / note.n_rows)
    one_pixel = 1 / min(n_rows, n_columns)
    if abs(scaled - 1) > max(SLACK_SHARE, one_pixel):
        raise GuideError(
            f"was cropped or distorted: the canvas was {note.n_columns} x {note.n_rows}, it is {n_columns} x {n_rows}: "
            "paint on the whole canvas"
        )


def _lay_picture(side: Tensor, n_frames: int, note: CanvasNote | None) -> Tensor:
    n_rows, n_columns = side.shape
    if note is not None:
        return stretch(side, n_frames, columns_per_frame=n_columns / (note.n_columns * note.frames_per_column))
    if n_rows not in {N_ROWS, N_BANDS}:
        return stretch(side, n_frames)
    shared = frames_per_column(n_frames)
    if not fits(n_columns, -(-n_frames // shared)):
        raise GuideError(other_song(lasting(n_columns * shared), lasting(n_frames)))
    return stretch(side, n_frames, columns_per_frame=1 / shared)


def _load_values(path: Path) -> LoadedMask:
    try:
        found = _load_arrays(path)
    except _DAMAGE as error:
        raise GuideError(f"is a damaged NumPy file ({_reason(error)}): save it again") from error
    if not all(isinstance(array, np.ndarray) for array in found.values()):  # NumPy hands out other files as bytes
        raise GuideError("is a ZIP of something else than NumPy arrays: save the mask as PNG, or with numpy.savez")
    painted = {side: read_values(array) for side, array in found.items()}
    return LoadedMask(
        _is_empty(painted.values()),
        lambda duration: Sides(**{side: lay(one, frames_of(duration)) for side, one in painted.items()}),
    )


def _load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a file by the side that they are."""
    if not _head_of(path).startswith(b"PK"):
        return {"either": np.load(path, mmap_mode="r", allow_pickle=False)}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        names = _sides_of(stored.files)
        return {side: stored[name] for side, name in names.items()}


def _sides_of(names: Iterable[str]) -> dict[str, str]:
    names = list(names)
    if len(names) == 1 and names[0] not in SIDES:
        return {"either": names[0]}
    if not names or not set(names) <= set(SIDES):
        raise GuideError(f"holds arrays named {', '.join(names) or 'nothing'}: name them positive and negative")
    return {name: name for name in names}


def _load_json(path: Path) -> LoadedMask:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise GuideError(f"is larger than {MAX_JSON_BYTES // 1_000_000} MB: draw fewer shapes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GuideError(f"is no text in UTF-8 ({_reason(error)}): save it again") from error
    drawing = parse_shapes(text)
    return LoadedMask(drawing.is_empty, drawing.lay)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
