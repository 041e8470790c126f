"""A part of a song, separated as a song of its own: what lies on the song's clock is moved onto the part's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import Guide, Mask, Mimicry, Target
from unbraid.guides.mask import FRAMES_PER_SECOND, crop_mask, frames_of


def snap_region(start: float, stop: float, *, duration: float) -> tuple[float, float]:
    """Widen a region to whole frames of masks, 16 ms each, one at least, within the song.

    Args:
        start: in seconds.
        stop: in seconds.
        duration: of the song.

    Raises:
        GuideError: if the region is empty, or lies outside of the song.

    Example:
        >>> snap_region(1.0, 2.01, duration=60.0)
        (0.992, 2.016)
    """
    if not (math.isfinite(start) and math.isfinite(stop) and 0 <= start < stop and start < duration):
        raise GuideError(
            f"the region from {start:g} to {stop:g} s is empty or lies outside of the song, which is "
            f"{duration:.2f} s long: let it start before it stops"
        )
    first = min(math.floor(start * FRAMES_PER_SECOND + 1e-6), math.ceil(duration * FRAMES_PER_SECOND) - 1)
    last = max(math.ceil(min(stop, duration) * FRAMES_PER_SECOND - 1e-6), first + 1)
    return first / FRAMES_PER_SECOND, min(last / FRAMES_PER_SECOND, duration)


def cut_to_region(targets: Sequence[Target], *, start: float, stop: float) -> tuple[Target, ...]:
    """Return the targets as the region's own clock shows them; recordings stay what they are.

    Args:
        targets: on the song's clock already (`on_clock.put_on_clock`).
        start: of the region, in seconds of the song; a whole number of mask frames is hit exactly.
        stop: in seconds.

    Raises:
        GuideError: if the place of a mimicry has not been found yet, or a mask is all that points at a target and
            nothing is painted on it in the region.

    Example:
        >>> import torch
        >>> hum = Mimicry((torch.ones(8000), 8000), offset=2.0)
        >>> cut_to_region([Target("lead", hum)], start=1.5, stop=4.0)[0].guides[0].offset
        0.5
    """
    return tuple(_cut(target, start, stop) for target in targets)


def _cut(target: Target, start: float, stop: float) -> Target:
    guides: list[Guide] = []
    for guide in target.guides:
        if isinstance(guide, Mimicry):
            guides.append(_move(guide, start))
        elif not isinstance(guide, Mask):
            guides.append(guide)
        else:
            cropped = _crop(guide, start, stop)
            guides += [] if cropped is None else [cropped]
    if not guides:
        raise GuideError(
            f"target {target.name!r}: nothing is painted between {start:.2f} and {stop:.2f} s: "
            "choose a region with paint in it"
        )
    return Target(target.name, guides)


def _move(mimicry: Mimicry, start: float) -> Mimicry:
    if mimicry.offset is None or not isinstance(mimicry.recording, Audio):
        raise GuideError("a mimicry has not been put on the song's clock yet: separate with unbraid.separate")
    return Mimicry(mimicry.recording, offset=mimicry.offset - start)


def _crop(mask: Mask, start: float, stop: float) -> Mask | None:
    """Return the mask of the region; None if nothing is painted there."""
    first, n_frames = round(start * FRAMES_PER_SECOND), frames_of(stop - start)
    cropped = [None if side is None else crop_mask(side, first, n_frames) for side in mask.sides]
    positive, negative = (None if side is None or not bool(side.any()) else side for side in cropped)
    return None if positive is None and negative is None else Mask(positive, negative, soft=False)
