"""Masks that are written down: rectangles and polygons in seconds and hertz, as JSON.

Axes: K mel bands, T frames, V vertices.
"""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.mask_grid import N_BANDS, TOP_HZ, columns_of, frames_of, rows_of
from unbraid.guides.mask_layout import Sides, other_song

SIDES = ("positive", "negative")
SLACK_SECONDS = 1.0
_LINES_PER_BAND = 8  # at which polygons are cut; in time, coverage is exact
_TOP_KEYS = (*SIDES, "duration")
_RECTANGLE_KEYS = ("start", "stop", "low", "high", "confidence")
_POLYGON_KEYS = ("polygon", "confidence")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shape:
    """One patch of a mask: an outline ``[V, 2]`` in seconds and hertz, and how sure it is, in 0..1."""

    outline: Numbers
    confidence: float
    is_rectangle: bool


@dataclass(frozen=True, eq=False)
class Drawing:
    """The shapes of each side, and of how many seconds the mixture is that they are meant for, if they say so."""

    shapes: dict[str, tuple[Shape, ...]]
    duration: float | None

    @property
    def is_empty(self) -> bool:
        """Whether there is no shape at all."""
        return not any(self.shapes.values())

    def lay(self, duration: float) -> Sides:
        """Draw the shapes for a mixture of so many seconds: sides that have any, ``[K, T]``.

        Raises:
            GuideError: if they are meant for another length, or one lies outside.
        """
        if self.duration is not None and abs(self.duration - duration) > SLACK_SECONDS:
            raise GuideError(other_song(self.duration, duration))
        drawn = {}
        for side, shapes in self.shapes.items():
            for index, shape in enumerate(shapes):
                _check_start(shape, f"{side}[{index}]", duration)
            drawn[side] = draw_shapes(list(shapes), frames_of(duration)) if shapes else None
        return Sides(**drawn)


def read_shapes(text: str, *, duration: float) -> Sides:
    """Draw what a JSON document describes.

    ``{"positive": [SHAPE, ...], "negative": [SHAPE, ...], "duration": SECONDS}``, of which one side is enough. A shape
    is ``{"start": s, "stop": s, "low": hz, "high": hz}``, where ``low`` and ``high`` may be left out, or
    ``{"polygon": [[s, hz], ...]}``, with straight edges between the vertices on the mel scale; both take a
    ``"confidence"`` above 0 up to 1. Where shapes overlap, the surest counts. What reaches beyond the end of the
    mixture or above 8 kHz is cut.

    Args:
        text: the document.
        duration: of the mixture, in seconds.

    Returns:
        the sides that have shapes, ``[K, T]``, drawn by how much of each bin a shape covers.

    Raises:
        GuideError: if the document is malformed, is meant for a mixture of another length (by more than a second), or
            a shape lies wholly outside of the mixture.

    Example:
        >>> sides = read_shapes('{"positive": [{"start": 1, "stop": 2, "low": 100, "high": 400}]}', duration=3.0)
        >>> sides.positive.shape, sides.negative
        (torch.Size([80, 188]), None)
    """
    return parse_shapes(text).lay(duration)


def parse_shapes(text: str) -> Drawing:
    """Read a document as `read_shapes` does, as far as that can be done without a mixture.

    Raises:
        GuideError: if the document is malformed.

    Example:
        >>> parse_shapes('{"positive": []}').is_empty
        True
    """
    document = _parse(text)
    meant = _number(document["duration"], "duration") if "duration" in document else None
    shapes = {}
    for side in SIDES:
        given = document.get(side) or []
        if not isinstance(given, list):
            raise GuideError(f"{side} is no list: write [SHAPE, ...]")
        shapes[side] = tuple(_read_shape(shape, f"{side}[{index}]") for index, shape in enumerate(given))
    return Drawing(shapes, meant)


def draw_shapes(shapes: list[Shape], n_frames: int) -> Tensor:
    """Draw shapes: how much of each bin they cover, times their confidence; ``[K, T]``."""
    mask = np.zeros((N_BANDS, n_frames))
    for shape in shapes:
        columns = columns_of(torch.from_numpy(shape.outline[:, 0])).numpy()
        rows = rows_of(torch.from_numpy(shape.outline[:, 1])).numpy()
        if shape.is_rectangle:
            covered = np.outer(
                _overlap(rows.min(), rows.max(), N_BANDS), _overlap(columns.min(), columns.max(), n_frames)
            )
        else:
            covered = _fill(columns, rows, n_frames)
        np.maximum(mask, shape.confidence * covered, out=mask)
    return torch.from_numpy(mask).float().clamp(0, 1)


def _overlap(start: float, stop: float, n_cells: int) -> Numbers:
    """Return how much of each cell lies between two points: ``[n_cells]``."""
    cells = np.arange(n_cells)
    covered: Numbers = np.clip(np.minimum(cells + 1, stop) - np.maximum(cells, start), 0, 1)
    return covered


def _fill(columns: Numbers, rows: Numbers, n_frames: int) -> Numbers:
    """Return how much of each bin a polygon covers, ``[K, T]``; what it encloses twice is outside."""
    next_columns, next_rows = np.roll(columns, -1), np.roll(rows, -1)
    covered = np.zeros((N_BANDS, n_frames))
    for line in range(N_BANDS * _LINES_PER_BAND):
        height = (line + 0.5) / _LINES_PER_BAND
        crossed = (rows <= height) != (next_rows <= height)
        share = (height - rows[crossed]) / (next_rows - rows)[crossed]
        points = np.sort(columns[crossed] + share * (next_columns - columns)[crossed])
        for start, stop in zip(points[::2], points[1::2], strict=True):
            first, last = max(0, math.floor(start)), min(n_frames, math.ceil(stop))
            if first < last:
                covered[line // _LINES_PER_BAND, first:last] += _overlap(start - first, stop - first, last - first)
    return covered / _LINES_PER_BAND


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GuideError(f"is no valid JSON ({error}): repair it") from error
    if not isinstance(document, dict) or not any(side in document for side in SIDES):
        raise GuideError('describes no mask: write {"positive": [SHAPE, ...], "negative": [SHAPE, ...]}')
    _check_keys(document, _TOP_KEYS, "the document")
    return document


def _check_keys(given: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"it may hold {', '.join(known)}"
            raise GuideError(f"{where} holds {key!r}, which means nothing: {hint}")


def _check_start(shape: Shape, where: str, duration: float) -> None:
    start = float(shape.outline[:, 0].min())
    if start >= duration:
        raise GuideError(
            f"{where} begins at {start:.2f} s, outside of the mixture, which is {duration:.2f} s long: "
            "is it a mask of another song?"
        )


def _read_shape(given: object, where: str) -> Shape:
    if not isinstance(given, dict):
        raise GuideError(f'{where} is no shape: write {{"start": 1, "stop": 2, "low": 100, "high": 400}}')
    is_rectangle = "polygon" not in given
    _check_keys(given, _RECTANGLE_KEYS if is_rectangle else _POLYGON_KEYS, where)
    outline = _rectangle(given, where) if is_rectangle else _polygon(given["polygon"], where)
    confidence = _number(given.get("confidence", 1.0), f"{where}: confidence")
    if not 0 < confidence <= 1:
        raise GuideError(f"{where}: confidence is {confidence:g}: give one above 0, up to 1")
    if outline[:, 1].min() >= TOP_HZ:
        raise GuideError(f"{where} lies above {TOP_HZ:.0f} Hz, where masks end: draw it lower")
    return Shape(outline, confidence, is_rectangle)


def _rectangle(given: dict[str, Any], where: str) -> Numbers:
    values = {"low": 0.0, "high": TOP_HZ}
    for key in _RECTANGLE_KEYS[:4]:
        if key in given:
            values[key] = _number(given[key], f"{where}: {key}")
        elif key not in values:
            raise GuideError(f"{where} has no {key}: give start and stop in seconds, low and high in hertz")
    start, stop, low, high = (values[key] for key in _RECTANGLE_KEYS[:4])
    if not (start < stop and low < high):
        raise GuideError(f"{where} is empty: let start come before stop, and low below high")
    return np.array([[start, low], [stop, low], [stop, high], [start, high]])


def _polygon(given: object, where: str) -> Numbers:
    if not isinstance(given, list) or len(given) < 3:
        raise GuideError(f"{where}: a polygon needs 3 vertices or more: write [[seconds, hertz], ...]")
    if not all(isinstance(vertex, list) and len(vertex) == 2 for vertex in given):
        raise GuideError(f"{where}: a vertex of a polygon is a pair: write [[seconds, hertz], ...]")
    return np.array(
        [[_number(value, f"{where}: vertex {index}") for value in vertex] for index, vertex in enumerate(given)]
    )


def _number(value: object, where: str) -> float:
    """Read a number that is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise GuideError(f"{where} is {value!r}: give a number, 0 or more")
    try:
        return float(value)
    except OverflowError as error:
        raise GuideError(f"{where} is too large: give seconds or hertz") from error
