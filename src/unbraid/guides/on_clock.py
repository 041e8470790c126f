"""From guides as a user gives them to guides on the mixture's clock: files read, spans cut, sizes and places checked.

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.examples import cut_span, example_files, resolve_examples
from unbraid.guides.kinds import Guide, Mask, Mimicry, Score, Span, Target
from unbraid.guides.mask import check_mask, resolve_mask
from unbraid.guides.mimicry import place, read_mimicry


@dataclass(frozen=True)
class Recorded:
    """The mixture, as far as guides ask for it.

    Args:
        duration: in seconds.
        sample_rate: of its blocks, in hertz.
        cut: returns a span of it, or raises a GuideError if it lies outside.
        blocks: returns its samples once more from the beginning, blocks ``[C, n]``.
    """

    duration: float
    sample_rate: int
    cut: Callable[[Span], Audio]
    blocks: Callable[[], Iterable[Tensor]]

    @classmethod
    def of(cls, audio: Audio) -> Recorded:
        """Show a recording in memory."""
        return cls(audio.duration, audio.sample_rate, lambda span: cut_span(audio, span), lambda: [audio.samples])


def read_guides(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Read everything that can be read without the mixture, so that what is wrong with it is told before any work.

    Spans stay spans, and masks what they are.

    Raises:
        GuideError: if a file is missing, damaged, silent, unpainted or no guide; the message names the target.

    Example:
        >>> read_guides([Target("riff", Span(0.5, 1))])[0].guides
        (Examples(positive=(Span(start=0.5, stop=1, sounds=True),), negative=()),)
    """
    return tuple(_replaced(target, _read) for target in resolve_examples(targets))


def put_on_clock(targets: Sequence[Target], mixture: Recorded) -> tuple[Target, ...]:
    """Cut spans out of the mixture, and find the place of every guide on its clock.

    Raises:
        GuideError: as `read_guides`, and if a guide is of another song's length, or has no place in this one.

    Example:
        >>> import torch
        >>> song = Audio(torch.ones(1, 8000), 8000)
        >>> (target,) = put_on_clock([Target("riff", Span(0.5, 1))], Recorded.of(song))
        >>> target.guides[0].recordings[0][0].duration
        0.5
    """

    def place_guide(guide: Guide, target: str) -> Guide:
        if isinstance(guide, Mimicry | Score):
            read = read_mimicry(guide, target=target)
            placed = place(read, mixture.blocks, mixture.sample_rate, target=target)
            _check_reach(placed, mixture.duration, target)
            return placed
        return resolve_mask(guide, duration=mixture.duration, target=target) if isinstance(guide, Mask) else guide

    return tuple(_replaced(target, place_guide) for target in resolve_examples(targets, cut=mixture.cut))


def guide_files(targets: Iterable[Target]) -> tuple[Path, ...]:
    """Return the files that guides lie in: nothing must be written over them.

    Example:
        >>> [path.name for path in guide_files([Target("lead", [Mimicry("hum.wav"), Mask("chorus.png")])])]
        ['hum.wav', 'chorus.png']
    """
    found: list[Path] = []
    for target in targets:
        found += example_files([target])
        for guide in target.guides:
            if isinstance(guide, Mask):
                found += guide.files
            elif isinstance(guide, Score):
                found.append(guide.file)
            elif isinstance(guide, Mimicry) and isinstance(guide.recording, Path):
                found.append(guide.recording)
    return tuple(found)


def _check_reach(mimicry: Mimicry, duration: float, target: str) -> None:
    """Refuse a mimicry that begins behind the mixture, or ends before it."""
    assert isinstance(mimicry.recording, Audio)
    assert mimicry.offset is not None
    start, stop = mimicry.offset, mimicry.offset + mimicry.recording.duration
    if start >= duration or stop <= 0:
        raise GuideError(
            f"target {target!r}: the mimicry, from {start:.2f} to {stop:.2f} s, lies outside of the mixture, which is "
            f"{duration:.2f} s long: say at which second it begins, with --at or offset"
        )


def _replaced(target: Target, step: Callable[[Guide, str], Guide]) -> Target:
    return Target(target.name, [step(guide, target.name) for guide in target.guides])


def _read(guide: Guide, target: str) -> Guide:
    if isinstance(guide, Mask):
        check_mask(guide, target=target)
    return read_mimicry(guide, target=target) if isinstance(guide, Mimicry | Score) else guide
