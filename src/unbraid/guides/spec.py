"""Guides as JSON: what a page or a script sends, what a session keeps, and how it becomes guides.

A request is a list of targets. A target is ``{"name": NAME, "guides": [GUIDE, ...]}``, or a bare guide, which is a
target of its own. Files are named by a word that whoever reads the request understands: a path, or the id of an upload.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import (
    Examples,
    Guide,
    Label,
    Mask,
    Mimicry,
    Prompts,
    Recording,
    Score,
    Span,
    Target,
)
from unbraid.guides.mask_shapes import parse_shapes, read_shapes
from unbraid.guides.spec_reading import read_as

MAX_TARGETS = 32
MAX_GUIDES = 16


@dataclass(frozen=True)
class FileSpec:
    """A recording in a file."""

    file: str


@dataclass(frozen=True)
class PassageSpec:
    """A recording that is a passage of the song itself, in seconds."""

    start: float
    stop: float


@dataclass(frozen=True)
class LabelSpec:
    """``{"kind": "label", "name": "bass"}``."""

    name: str
    kind: Literal["label"] = "label"


@dataclass(frozen=True)
class TaughtSpec:
    """``{"kind": "taught", "name": "riff", "file": FILE}``: what `unbraid teach` wrote."""

    name: str
    file: str
    kind: Literal["taught"] = "taught"


@dataclass(frozen=True)
class PromptsSpec:
    """``{"kind": "prompts", "names": ["vocals", "drums"]}``."""

    names: tuple[str, ...]
    kind: Literal["prompts"] = "prompts"


@dataclass(frozen=True)
class TaskSpec:
    """``{"kind": "task", "task": "speakers=2"}``: the prompts of a task."""

    task: str
    kind: Literal["task"] = "task"


@dataclass(frozen=True)
class ExamplesSpec:
    """``{"kind": "examples", "positive": [{"file": FILE}, {"start": 12, "stop": 16}], "negative": []}``."""

    positive: tuple[FileSpec | PassageSpec, ...]
    negative: tuple[FileSpec | PassageSpec, ...] = ()
    kind: Literal["examples"] = "examples"


@dataclass(frozen=True)
class SpanSpec:
    """``{"kind": "span", "start": 12, "stop": 16, "sounds": true}``: seconds of the song."""

    start: float
    stop: float
    sounds: bool = True
    kind: Literal["span"] = "span"


@dataclass(frozen=True)
class MimicrySpec:
    """``{"kind": "mimicry", "file": FILE, "offset": 12.5}``; an offset of null has its place found."""

    file: str
    offset: float | None = 0.0
    kind: Literal["mimicry"] = "mimicry"


@dataclass(frozen=True)
class ScoreSpec:
    """``{"kind": "score", "file": FILE, "track": 2, "offset": 0}``; a track is a number from 1, or a name."""

    file: str
    track: int | str | None = None
    offset: float | None = 0.0
    kind: Literal["score"] = "score"


@dataclass(frozen=True)
class RectangleSpec:
    """A rectangle on the spectrogram, in seconds and hertz."""

    start: float
    stop: float
    low: float = 0.0
    high: float = 8000.0
    confidence: float = 1.0


@dataclass(frozen=True)
class PolygonSpec:
    """A polygon on the spectrogram: vertices of seconds and hertz."""

    polygon: tuple[tuple[float, float], ...]
    confidence: float = 1.0


@dataclass(frozen=True)
class ShapesSpec:
    """Shapes of what the sound is and of what it is not."""

    positive: tuple[RectangleSpec | PolygonSpec, ...] = ()
    negative: tuple[RectangleSpec | PolygonSpec, ...] = ()


@dataclass(frozen=True)
class MaskSpec:
    """``{"kind": "mask", "positive": FILE, "negative": FILE}``, or ``"shapes"`` instead of files."""

    positive: str | None = None
    negative: str | None = None
    shapes: ShapesSpec | None = None
    soft: bool = True
    kind: Literal["mask"] = "mask"


GuideSpec = (
    LabelSpec | TaughtSpec | PromptsSpec | TaskSpec | ExamplesSpec | SpanSpec | MimicrySpec | ScoreSpec | MaskSpec
)


@dataclass(frozen=True)
class TargetSpec:
    """One sound asked for: a name, and guides that hold together."""

    name: str
    guides: tuple[GuideSpec, ...]


RequestSpec = tuple[TargetSpec | GuideSpec, ...]
Files = Callable[[str], Path | Audio]


def read_request_spec(document: object) -> RequestSpec:
    """Read a request from JSON values.

    Args:
        document: what a JSON parser returned.

    Raises:
        GuideError: if it is malformed; the message says where, and what to write.

    Example:
        >>> read_request_spec([{"kind": "label", "name": "bass"}])
        (LabelSpec(name='bass', kind='label'),)
        >>> read_request_spec([{"kind": "lable", "name": "bass"}])
        Traceback (most recent call last):
        unbraid.errors.GuideError: targets[0]: kind 'lable' is unknown: did you mean 'label'?
    """
    read: RequestSpec = read_as(RequestSpec, document, "targets")
    if not 1 <= len(read) <= MAX_TARGETS:
        raise GuideError(f"targets: {len(read)} are given: ask for 1 to {MAX_TARGETS}")
    for index, item in enumerate(read):
        if isinstance(item, TargetSpec) and not 1 <= len(item.guides) <= MAX_GUIDES:
            raise GuideError(f"targets[{index}].guides: {len(item.guides)} are given: give 1 to {MAX_GUIDES}")
    load_targets(read, files=Path, duration=None)  # refuses what is no guide
    return read


def load_targets(
    request: RequestSpec, *, files: Files = Path, duration: float | None = None
) -> tuple[Guide | Target, ...]:
    """Turn a request into guides and targets; no file is opened.

    Args:
        request: from `read_request_spec`.
        files: turns the word for a file into its path, or into the recording that it holds; raises a GuideError where
            it knows none.
        duration: of the song in seconds, on which shapes are drawn; None checks them, and draws them on one second.

    Raises:
        GuideError: if a guide is malformed, or shapes lie outside of the song.

    Example:
        >>> load_targets((TargetSpec("lead", (MimicrySpec("hum.wav", offset=12.5),)),))[0].guides[0].offset
        12.5
    """
    loaded: list[Guide | Target] = []
    for index, item in enumerate(request):
        where = f"targets[{index}]"
        if not isinstance(item, TargetSpec):
            loaded.append(_load(item, files, duration, where))
            continue
        guides = [_load(guide, files, duration, f"{where}.guides[{place}]") for place, guide in enumerate(item.guides)]
        try:
            loaded.append(Target(item.name, guides))
        except GuideError as error:
            raise GuideError(f"{where}: {error}") from error
    return tuple(loaded)


def spec_of(guide: Guide) -> GuideSpec:  # noqa: PLR0911
    """Return the JSON form of a guide.

    Raises:
        GuideError: if it holds sound or paint in memory, which JSON does not.

    Example:
        >>> spec_of(Span(12, 16))
        SpanSpec(start=12, stop=16, sounds=True, kind='span')
    """
    if isinstance(guide, Label):
        return LabelSpec(guide.name)
    if isinstance(guide, Prompts):
        return PromptsSpec(guide.names)
    if isinstance(guide, Span):
        return SpanSpec(guide.start, guide.stop, guide.sounds)
    if isinstance(guide, Examples):
        positive, negative = (tuple(map(_recording_spec, side)) for side in (guide.positive, guide.negative))
        return ExamplesSpec(positive, negative)
    if isinstance(guide, Mimicry):
        return MimicrySpec(_word(guide.recording), guide.offset)
    if isinstance(guide, Score):
        return ScoreSpec(_word(guide.file), guide.track, guide.offset)
    sides = [None if side is None else _word(side) for side in (guide.positive, guide.negative)]
    return MaskSpec(sides[0], sides[1], soft=guide.soft)


def document_of(spec: object) -> Any:
    """Return a spec, or a list of them, as JSON values that `read_request_spec` reads back.

    Example:
        >>> document_of(LabelSpec("bass"))
        {'name': 'bass', 'kind': 'label'}
    """
    if isinstance(spec, tuple | list):
        return [document_of(one) for one in spec]
    if hasattr(spec, "__dataclass_fields__"):
        values = {field.name: getattr(spec, field.name) for field in fields(spec)}  # type: ignore[arg-type]
        return {name: document_of(value) for name, value in values.items()}
    return spec


def spec_files(request: Iterable[object]) -> tuple[str, ...]:
    """Return the words for all files of a request, each once, in order.

    Example:
        >>> spec_files((ExamplesSpec((FileSpec("riff.wav"), PassageSpec(1, 2))), MaskSpec("paint.png")))
        ('riff.wav', 'paint.png')
    """
    found: dict[str, None] = {}
    for item in request:
        if isinstance(item, TargetSpec):
            found |= dict.fromkeys(spec_files(item.guides))
        elif isinstance(item, ExamplesSpec):
            found |= dict.fromkeys(spec_files((*item.positive, *item.negative)))
        elif isinstance(item, FileSpec | MimicrySpec | ScoreSpec | TaughtSpec):
            found[item.file] = None
        elif isinstance(item, MaskSpec):
            found |= dict.fromkeys(side for side in (item.positive, item.negative) if side is not None)
    return tuple(found)


def taught_specs(request: Iterable[object]) -> tuple[TaughtSpec, ...]:
    """Return the taught labels of a request, each file once, in order.

    Example:
        >>> taught_specs((LabelSpec("bass"), TargetSpec("x", (TaughtSpec("riff", "riff.unbraid"),))))[0].file
        'riff.unbraid'
    """
    guides = [guide for item in request for guide in (item.guides if isinstance(item, TargetSpec) else (item,))]
    return tuple({guide.file: guide for guide in guides if isinstance(guide, TaughtSpec)}.values())


def _load(spec: GuideSpec, files: Files, duration: float | None, where: str) -> Guide:
    try:
        return _guide_of(spec, files, duration)
    except GuideError as error:
        raise GuideError(f"{where}: {error}") from error


def _guide_of(spec: GuideSpec, files: Files, duration: float | None) -> Guide:  # noqa: PLR0911
    if isinstance(spec, LabelSpec | TaughtSpec):
        return Label(spec.name)
    if isinstance(spec, PromptsSpec):
        return Prompts(spec.names)
    if isinstance(spec, TaskSpec):
        return Prompts.task(spec.task)
    if isinstance(spec, SpanSpec):
        return Span(spec.start, spec.stop, spec.sounds)
    if isinstance(spec, ExamplesSpec):
        positive, negative = (_recordings(side, files) for side in (spec.positive, spec.negative))
        return Examples(positive, negative)
    if isinstance(spec, MimicrySpec):
        return Mimicry(files(spec.file), offset=spec.offset)
    if isinstance(spec, ScoreSpec):
        return Score(_path(files, spec.file), track=spec.track, offset=spec.offset)
    return _mask_of(spec, files, duration)


def _path(files: Files, word: str) -> Path:
    found = files(word)
    if isinstance(found, Audio):
        raise GuideError(f"{word} is a recording: give a file of notes, or of paint")
    return found


def _recordings(side: Sequence[FileSpec | PassageSpec], files: Files) -> list[Path | Audio | Span]:
    return [files(one.file) if isinstance(one, FileSpec) else Span(one.start, one.stop) for one in side]


def _mask_of(spec: MaskSpec, files: Files, duration: float | None) -> Mask:
    positive, negative = (None if side is None else _path(files, side) for side in (spec.positive, spec.negative))
    if spec.shapes is None:
        return Mask(positive, negative, soft=spec.soft)
    if positive is not None or negative is not None:
        raise GuideError("a mask is given as files and as shapes: give one of the two")
    text = json.dumps(document_of(spec.shapes))
    if parse_shapes(text).is_empty:
        raise GuideError("a mask without shapes: give one of what the sound is, or of what it is not")
    if duration is None:
        return Mask([[1.0]], soft=spec.soft)  # the shapes are in order, and there is nothing to draw them on yet
    drawn = read_shapes(text, duration=duration)
    return Mask(drawn.positive, drawn.negative, soft=spec.soft)


def _recording_spec(recording: Recording) -> FileSpec | PassageSpec:
    if isinstance(recording, Span):
        return PassageSpec(recording.start, recording.stop)
    return FileSpec(_word(recording))


def _word(held: object) -> str:
    if isinstance(held, Path):
        return str(held)
    raise GuideError("this guide holds sound or paint in memory: write it to a file, and give that")
