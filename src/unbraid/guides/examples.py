"""From recordings that a user names to recordings in memory: files are read, spans are cut out of the mixture.

Axes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.errors import AudioReadError, GuideError
from unbraid.guides.kinds import Examples, Guide, Recording, Span, Target
from unbraid.guides.recordings import Example, check_sounding

Cut = Callable[[Span], Audio]


def resolve_examples(targets: Sequence[Target], *, cut: Cut | None = None) -> tuple[Target, ...]:
    """Read every example and cut every span, so that a model sees recordings only.

    All examples and spans of a target become one `Examples`; its other guides stay as they are.

    Args:
        targets: as the user gave them.
        cut: returns a span of the mixture; None leaves spans as they are, to be cut later.

    Raises:
        GuideError: if an example is missing, damaged, empty, silent or not finite, or a span lies outside of the
            mixture; the message names the target.

    Example:
        >>> import torch
        >>> song = Audio(torch.ones(1, 8000), 8000)
        >>> (target,) = resolve_examples([Target("riff", Span(0.5, 1))], cut=lambda span: cut_span(song, span))
        >>> target.guides[0].recordings[0][0].duration
        0.5
    """
    return tuple(_resolve(target, cut) for target in targets)


def example_files(targets: Iterable[Target]) -> tuple[Path, ...]:
    """Return the files that examples lie in, in the order given: nothing must be written over them.

    Example:
        >>> [path.name for path in example_files([Target("lead", Examples(["riff.wav", Span(1, 2)], "singer.wav"))])]
        ['riff.wav', 'singer.wav']
    """
    examples = [guide for target in targets for guide in target.guides if isinstance(guide, Examples)]
    return tuple(one for held in examples for one in (*held.positive, *held.negative) if isinstance(one, Path))


def cut_span(mixture: Audio, span: Span) -> Audio:
    """Return a span of a mixture.

    Raises:
        GuideError: if it ends behind the mixture.
    """
    check_span(span, mixture.duration)
    start, stop = (round(second * mixture.sample_rate) for second in (span.start, span.stop))
    return Audio(mixture.samples[:, start:stop], mixture.sample_rate)


def check_span(span: Span, duration: float) -> None:
    """Refuse a span that ends behind the mixture, half a second of rounding aside."""
    if span.start >= duration or span.stop > duration + 0.5:
        raise GuideError(
            f"the span {span.title} lies outside of the mixture, which is {duration:.2f} s long: give one within it"
        )


def _resolve(target: Target, cut: Cut | None) -> Target:
    positive: list[Recording] = []
    negative: list[Recording] = []
    others: list[Guide] = []
    for guide in target.guides:
        if isinstance(guide, Span):
            (positive if guide.sounds else negative).append(guide)
        elif isinstance(guide, Examples):
            positive += guide.positive
            negative += guide.negative
        else:
            others.append(guide)
    if not positive and not negative:
        return target
    if not positive:
        raise GuideError(f"target {target.name!r}: only what it is not is given: add an example of what it is")
    held = [[_read(one, target.name, cut) for one in side] for side in (positive, negative)]
    return replace_guides(target, [*others, Examples(*held)])


def replace_guides(target: Target, guides: Sequence[Guide]) -> Target:
    """Return the target with other guides."""
    return Target(target.name, guides)


def _read(recording: Recording, target: str, cut: Cut | None) -> Recording:
    """Return what can be read now, checked; what was read stays, as do spans if there is nothing to cut them from."""
    if isinstance(recording, Example) or (isinstance(recording, Span) and cut is None):
        return recording
    name = recording.title if isinstance(recording, Span) else str(recording) if isinstance(recording, Path) else ""
    what = f"target {target!r}: example {name}".rstrip()
    if isinstance(recording, Path):
        try:
            recording = read_audio(recording)
        except AudioReadError as error:
            raise GuideError(f"target {target!r}: example {error}") from error
    elif isinstance(recording, Span):
        assert cut is not None
        try:
            recording = cut(replace(recording, sounds=True))
        except GuideError as error:
            raise GuideError(f"target {target!r}: {error}") from error
    check_sounding(recording, what, cure="give a recording in which it sounds")
    return Example(recording.samples, recording.sample_rate, what)
