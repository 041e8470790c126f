"""What a user can say: a closed set of guides, and the targets that they point at."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.mask import Mask
from unbraid.guides.mimicry import Mimicry, Score
from unbraid.guides.recordings import GivenSound, hold_recording, is_pair

__all__ = [
    "COUNTED_TASKS",
    "KINDS",
    "MAX_COUNT",
    "TASKS",
    "Examples",
    "GivenRecording",
    "GivenRecordings",
    "Guide",
    "Label",
    "Mask",
    "Mimicry",
    "Prompts",
    "Recording",
    "Request",
    "Score",
    "Span",
    "Target",
    "output_names",
    "read_clock",
    "spell_targets",
    "unique_names",
]

TASKS: dict[str, tuple[str, ...]] = {
    "enhance": ("speech", "sfx-mix"),
    "music": ("vocals", "drums", "bass", "other"),
    "cinema": ("speech", "music-mix", "sfx-mix"),
}
COUNTED_TASKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "speakers": ("speech", ("sfx-mix",)),
    "events": ("sfx", ()),
}
MAX_COUNT = 8
RECORDINGS = "a file, Audio, (array, sample_rate), or a Span of the mixture"
_CLOCK = r"(?:\d+:){0,2}\d+(?:\.\d+)?s?"


@dataclass(frozen=True)
class Label:
    """One name from a model's vocabulary, such as ``Label("bass")``."""

    name: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise GuideError("a label is empty: give a name such as 'bass'")


@dataclass(frozen=True, init=False)
class Prompts:
    """An ordered multiset of learned source tokens; each one is a target of its own.

    Args:
        names: ``"speech speech sfx-mix"`` (split at spaces and commas), or a sequence of names.

    Raises:
        GuideError: if there is no name.

    Example:
        >>> Prompts("vocals drums").names
        ('vocals', 'drums')
    """

    names: tuple[str, ...]

    def __init__(self, names: str | Iterable[str]) -> None:
        parts = names.replace(",", " ").split() if isinstance(names, str) else list(names)
        if not parts or not all(isinstance(part, str) and part.strip() for part in parts):
            raise GuideError("prompts are empty: give names such as 'vocals drums'")
        object.__setattr__(self, "names", tuple(parts))

    @classmethod
    def task(cls, task: str) -> Prompts:
        """Return the prompts of a task: ``enhance``, ``music``, ``cinema``, ``speakers=N`` or ``events=N``.

        Raises:
            GuideError: if the task is unknown or its count is not in 1..8.

        Example:
            >>> Prompts.task("speakers=2").names
            ('speech', 'speech', 'sfx-mix')
        """
        if task in TASKS:
            return cls(TASKS[task])
        name, _, count = task.partition("=")
        if name not in COUNTED_TASKS:
            known = ", ".join([*TASKS, *(f"{counted}=N" for counted in COUNTED_TASKS)])
            raise GuideError(f"unknown task {task!r}: choose one of {known}")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_COUNT:
            raise GuideError(f"task {task!r} has no count from 1 to {MAX_COUNT}: write it as in {name}=2")
        repeated, rest = COUNTED_TASKS[name]
        return cls((repeated,) * int(count) + rest)


@dataclass(frozen=True)
class Span:
    """Seconds of the mixture where the target sounds, or where it does not.

    Args:
        start: in seconds of the mixture.
        stop: in seconds, after start.
        sounds: whether the target is what sounds there.

    Raises:
        GuideError: if the span is empty or begins before the mixture.

    Example:
        >>> Span(12, 16.5).title
        '12-16.5s'
    """

    start: float
    stop: float
    sounds: bool = True

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.stop and math.isfinite(self.stop)):
            raise GuideError(f"span {self.start}-{self.stop} s is empty or negative: give a start before its stop")

    @classmethod
    def parse(cls, text: str, *, sounds: bool = True) -> Span | None:
        """Read ``"0:12-0:16"``, ``"12 - 16.5"`` or ``"1:02:03-1:02:10"``; None if the text is nothing like a span.

        Raises:
            GuideError: if it is a span, but an empty one.

        Example:
            >>> Span.parse("0:12-1:06.5"), Span.parse("riff.wav")
            (Span(start=12.0, stop=66.5, sounds=True), None)
        """
        match = re.fullmatch(rf"({_CLOCK})\s*[-\u2013]\s*({_CLOCK})", text.strip())
        return None if match is None else cls(_seconds(match[1]), _seconds(match[2]), sounds)

    @property
    def title(self) -> str:
        """What a stem that is pointed at by this alone is called."""
        return f"{self.start:.10g}-{self.stop:.10g}s"


def read_clock(text: str) -> float | None:
    """Read a point in time, in seconds; None if the text is none.

    Example:
        >>> read_clock("1:02.5"), read_clock("10s"), read_clock("soon")
        (62.5, 10.0, None)
    """
    return _seconds(text.strip()) if re.fullmatch(_CLOCK, text.strip()) else None


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.removesuffix("s").split(":"):
        total = 60 * total + float(part)
    return total


Recording = Audio | Path | Span
GivenRecording = GivenSound | Span
GivenRecordings = GivenRecording | Sequence[GivenRecording]


@dataclass(frozen=True, init=False)
class Examples:
    """Recordings of the target, and of what it is not.

    Args:
        positive: one or more recordings in which the target sounds: files, :class:`Audio`, pairs of an array and its
            rate, or spans of the mixture; of any length, rate and number of channels. A single one may stand alone.
        negative: any number of recordings of other sounds.

    Raises:
        GuideError: if there is no positive recording, or something is no recording.

    Example:
        >>> Examples(["riff.wav", Span(12, 16)]).title
        'riff'
    """

    positive: tuple[Recording, ...]
    negative: tuple[Recording, ...]

    def __init__(
        self,
        positive: GivenRecording | Sequence[GivenRecording],
        negative: GivenRecording | Sequence[GivenRecording] = (),
    ) -> None:
        held = _recordings(positive)
        if not held:
            raise GuideError("examples without a positive one: give at least one recording of the target")
        object.__setattr__(self, "positive", held)
        object.__setattr__(self, "negative", _recordings(negative))

    @property
    def title(self) -> str:
        """What a stem that is pointed at by these alone is called: after the first file or span."""
        for recording in self.positive:
            if isinstance(recording, Path):
                return recording.stem or "example"
            if isinstance(recording, Span):
                return recording.title
        return "example"

    @property
    def recordings(self) -> tuple[tuple[Audio, ...], tuple[Audio, ...]]:
        """Positive and negative recordings, once all have been read.

        Raises:
            GuideError: if a file has not been read, or a span has not been cut out of the mixture.
        """
        held = [tuple(one for one in side if isinstance(one, Audio)) for side in (self.positive, self.negative)]
        if (len(held[0]), len(held[1])) != (len(self.positive), len(self.negative)):
            raise GuideError("examples have not been read yet: separate with unbraid.separate, or give Audio")
        return held[0], held[1]


def _recordings(given: GivenRecordings) -> tuple[Recording, ...]:
    if is_pair(given) or isinstance(given, Audio | Span | str | os.PathLike):
        given = (given,)  # type: ignore[assignment]
    elif not isinstance(given, Iterable):
        raise GuideError(f"{type(given).__name__} is no recording: give {RECORDINGS}, or a list of them")
    return tuple(_recording(one) for one in given)  # type: ignore[arg-type, union-attr]


def _recording(given: GivenRecording) -> Recording:
    return given if isinstance(given, Span) else hold_recording(given, what="an example", forms=RECORDINGS)


Guide = Label | Prompts | Examples | Span | Mimicry | Score | Mask
KINDS: tuple[type[Guide], ...] = (Label, Prompts, Examples, Span, Mimicry, Score, Mask)


@dataclass(frozen=True, init=False)
class Target:
    """One sound asked for: a name, and one or more guides that hold together.

    Example:
        >>> Target("lead", [Label("vocals")]).name
        'lead'
    """

    name: str
    guides: tuple[Guide, ...]

    def __init__(self, name: str, guides: Guide | Sequence[Guide]) -> None:
        held = (guides,) if isinstance(guides, Guide) else tuple(guides)
        if not name.strip():
            raise GuideError("a target has no name: give one, such as 'lead'")
        if not held:
            raise GuideError(f"target {name!r} has no guide: give at least one")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "guides", held)


Request = Guide | Target | Sequence[Guide | Target]


def spell_targets(request: Request) -> tuple[Target, ...]:
    """Turn what a user gave into targets: a bare guide is a target of its own, prompts spell several.

    Example:
        >>> [target.name for target in spell_targets(Prompts("speech speech"))]
        ['speech', 'speech']
    """
    items = (request,) if isinstance(request, Guide | Target) else () if request is None else tuple(request)
    if not items:
        raise GuideError("nothing is asked for: give at least one guide")
    targets: list[Target] = []
    for item in items:
        if isinstance(item, Target):
            targets.append(item)
        elif isinstance(item, Prompts):
            targets.extend(Target(name, Label(name)) for name in item.names)
        elif isinstance(item, Label):
            targets.append(Target(item.name, item))
        elif isinstance(item, Guide):
            targets.append(Target(item.title, item))
        else:
            kinds = ", ".join(kind.__name__ for kind in (*KINDS, Target))
            raise GuideError(f"{type(item).__name__} is not a guide: give one of {kinds}")
    return tuple(targets)


def output_names(targets: Sequence[Target]) -> tuple[str, ...]:
    """Return what the outputs of targets are called: their names, numbered where several are the same."""
    return unique_names([target.name for target in targets])


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Number the names that occur more than once: the one place where outputs get their names.

    Example:
        >>> unique_names(["sfx", "speech", "sfx"])
        ('sfx-1', 'speech', 'sfx-2')
    """
    repeated = {name for name in names if names.count(name) > 1}
    seen: dict[str, int] = {}
    result = []
    for name in names:
        if name not in repeated:
            result.append(name)
            continue
        seen[name] = seen.get(name, 0) + 1
        numbered = f"{name}-{seen[name]}"
        while numbered in names:
            seen[name] += 1
            numbered = f"{name}-{seen[name]}"
        result.append(numbered)
    return tuple(result)
