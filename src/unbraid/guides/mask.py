"""Masks: what the target is and what it is not, painted on the mel spectrogram of the mixture.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, sections 2.2 and 3.1.2.

Axes: K mel bands (80, the lowest first), T frames (62.5 per second; frame i lies around second i / 62.5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.mask_files import FORMATS, load_mask_file, read_mask_file, read_values
from unbraid.guides.mask_grid import (
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    N_BANDS,
    N_FFT,
    SAMPLE_RATE,
    TOP_HZ,
    blur,
    crop_mask,
    frames_of,
    hertz_of,
    seconds_of,
)
from unbraid.guides.mask_layout import Sides, lay

__all__ = [
    "FRAMES_PER_SECOND",
    "HOP_LENGTH",
    "N_BANDS",
    "N_FFT",
    "SAMPLE_RATE",
    "TOP_HZ",
    "Mask",
    "Painted",
    "check_mask",
    "crop_mask",
    "frames_of",
    "painted_area",
    "resolve_mask",
    "soften",
]

SOFT_SIGMA = 2.0
CLAIMED = 0.5
CLASH_SHARE = 0.02

GivenSide = str | os.PathLike[str] | Tensor | npt.ArrayLike | None


@dataclass(frozen=True, init=False, eq=False)
class Mask:
    """What the target is, what it is not, or both, painted on the mel spectrogram; 1 is sure, 0 says nothing.

    Args:
        positive: what the target is: a file, or an array or tensor of bands and frames, the lowest band first, in 0..1.
            A file that has both sides (green and red paint, named arrays, shapes) gives both of them.
        negative: what it is not: a file, or an array.
        soft: blur the paint a little (a Gaussian of 2 bands and frames), as the model knows masks.

    Raises:
        GuideError: if there is no side, or an array holds no confidences.

    Example:
        >>> Mask("chorus.png").title, Mask(negative=torch.ones(80, 250)).title
        ('chorus', 'mask')
    """

    positive: Path | Tensor | None
    negative: Path | Tensor | None
    soft: bool

    def __init__(self, positive: GivenSide = None, negative: GivenSide = None, *, soft: bool = True) -> None:
        sides = {"positive": positive, "negative": negative}
        if all(side is None for side in sides.values()):
            raise GuideError(f"a mask without a side: give what the target is, or what it is not, as {FORMATS}")
        for name, side in sides.items():
            object.__setattr__(self, name, _held(side, name))
        object.__setattr__(self, "soft", soft)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        pairs = ((self.positive, other.positive), (self.negative, other.negative))
        return self.soft == other.soft and all(_same(*pair) for pair in pairs)

    def __hash__(self) -> int:
        return hash((self.soft, *(side if isinstance(side, Path) else None for side in (self.positive, self.negative))))

    @property
    def title(self) -> str:
        """What a stem that is pointed at by this alone is called: after the first file."""
        return next((file.stem for file in self.files if file.stem), "mask")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it lies in: nothing must be written over them."""
        return tuple(side for side in (self.positive, self.negative) if isinstance(side, Path))

    @property
    def sides(self) -> tuple[Tensor | None, Tensor | None]:
        """Positive and negative side ``[K, T]``, once the mask has been read.

        Raises:
            GuideError: if a file has not been read (`resolve_mask`).
        """
        if isinstance(self.positive, Path) or isinstance(self.negative, Path):
            raise GuideError("a mask has not been read yet: separate with unbraid.separate, or give arrays")
        return self.positive, self.negative


@dataclass(frozen=True)
class Painted:
    """What is painted on one side of a mask.

    ``share`` of all bins; from ``start`` to ``stop`` in seconds, from ``low`` to ``high`` in hertz; ``most`` is the
    largest confidence.
    """

    share: float
    start: float
    stop: float
    low: float
    high: float
    most: float


def resolve_mask(mask: Mask, *, duration: float, target: str) -> Mask:
    """Read a mask, check it, and bring it onto the grid of a mixture.

    Files are read as `read_mask_file` says. Arrays of 80 rows are on the grid and must be as long as the mixture
    (within 2 %, or 16 frames); any other size is stretched over the whole mixture. A side on which nothing is painted
    becomes None. Bins that both sides claim with more than 0.5 are refused where they are more than 2 % of what the
    smaller side claims; fewer are left as they are. Then the sides are softened, unless ``mask.soft`` is False.

    Args:
        mask: as the user gave it.
        duration: of the mixture, in seconds.
        target: name of the target, for messages.

    Returns:
        a mask whose sides are None or float32 ``[80, T]`` in 0..1, with `frames_of` the duration as T. Resolving it
        again changes nothing.

    Raises:
        GuideError: if a file cannot be read, is damaged or of another song, nothing is painted at all, or both sides
            claim the same bins; the message names the target, the file, and the cure.

    Example:
        >>> mask = resolve_mask(Mask(torch.ones(2, 2)), duration=1.0, target="lead")
        >>> mask.positive.shape, mask.negative
        (torch.Size([80, 63]), None)
    """
    n_frames = frames_of(duration)
    positive, negative = _one_of_each(mask, _given_sides(mask, duration, n_frames, target), target)
    positive, negative = (None if side is None or not bool(side.any()) else side for side in (positive, negative))
    if positive is None and negative is None:
        raise _unpainted(mask, target)
    if positive is not None and negative is not None:
        _check_clash(positive, negative, f"target {target!r}: {_name(mask)}")
    if mask.soft:
        positive, negative = (None if side is None else soften(side) for side in (positive, negative))
    return Mask(positive, negative, soft=False)


def check_mask(mask: Mask, *, target: str) -> None:
    """Refuse a mask that would do for no mixture: of a file that is missing or damaged, or without any paint.

    Raises:
        GuideError: as `resolve_mask`.

    Example:
        >>> check_mask(Mask(torch.zeros(80, 9)), target="lead")
        Traceback (most recent call last):
        unbraid.errors.GuideError: target 'lead': mask: nothing is painted: ...
    """
    is_empty = []
    for side in (mask.positive, mask.negative):
        if isinstance(side, Path):
            try:
                is_empty.append(load_mask_file(side).is_empty)
            except GuideError as error:
                raise GuideError(f"target {target!r}: mask {side} {error}") from error
        elif side is not None:
            is_empty.append(not bool(side.any()))
    if all(is_empty):
        raise _unpainted(mask, target)


def _unpainted(mask: Mask, target: str) -> GuideError:
    return GuideError(
        f"target {target!r}: {_name(mask)}: nothing is painted: "
        "paint what is the sound in green and what it is not in red, or the sound in white on black"
    )


def soften(side: Tensor) -> Tensor:
    """Blur paint ``[K, T]`` with a Gaussian of 2 bands and frames, and keep it within 0 and 1.

    Example:
        >>> float(soften(torch.ones(80, 10)).min()) > 0.999
        True
    """
    return blur(side, SOFT_SIGMA).clamp(0, 1)


def painted_area(side: Tensor) -> Painted:
    """Return what is painted on a side ``[K, T]`` that is not empty.

    Example:
        >>> side = torch.zeros(80, 100)
        >>> side[:, 63:] = 1
        >>> painted_area(side).start
        1.0
    """
    bins = side > 0
    rows, columns = (bins.any(dim=dim).nonzero()[:, 0].tolist() for dim in (1, 0))
    return Painted(
        share=float(bins.float().mean()),
        start=seconds_of(columns[0]),
        stop=seconds_of(columns[-1] + 1),
        low=hertz_of(rows[0]),
        high=hertz_of(rows[-1] + 1),
        most=float(side.max()),
    )


def _held(side: GivenSide, name: str) -> Path | Tensor | None:
    if side is None:
        return None
    if isinstance(side, str | os.PathLike):
        return Path(side)
    try:
        array = side.detach().cpu().float().numpy() if isinstance(side, Tensor) else np.asarray(side)
        return read_values(array).clone()
    except (GuideError, ValueError, TypeError) as error:
        raise GuideError(f"the {name} mask {error}") from error


def _same(one: Path | Tensor | None, other: Path | Tensor | None) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and not isinstance(one, Tensor) and one == other


def _name(mask: Mask) -> str:
    return " ".join(["mask", " and ".join(map(str, mask.files))]).rstrip()


def _given_sides(mask: Mask, duration: float, n_frames: int, target: str) -> dict[str, Sides]:
    """Lay each side that is given on the grid; a file may hold both."""
    found = {}
    for name, side in (("positive", mask.positive), ("negative", mask.negative)):
        if side is None:
            continue
        what = f"mask {side}" if isinstance(side, Path) else f"the {name} mask"
        try:
            found[name] = (
                read_mask_file(side, duration=duration) if isinstance(side, Path) else Sides(either=lay(side, n_frames))
            )
        except GuideError as error:
            raise GuideError(f"target {target!r}: {what} {error}") from error
    return found


def _one_of_each(mask: Mask, found: dict[str, Sides], target: str) -> tuple[Tensor | None, Tensor | None]:
    """Take each side from where it is given; a file that holds both can only be given alone, as positive."""
    if list(found) == ["positive"]:
        sides = found["positive"]
        return (sides.positive if sides.either is None else sides.either), sides.negative
    taken: dict[str, Tensor | None] = {"positive": None, "negative": None}
    for name, sides in found.items():
        other = sides.negative if name == "positive" else sides.positive
        if other is not None and bool(other.any()):
            raise GuideError(
                f"target {target!r}: mask {getattr(mask, name)} is given as {name} and holds the other side, too: "
                "give it alone, as the positive mask, for both sides, or paint it in gray"
            )
        taken[name] = getattr(sides, name) if sides.either is None else sides.either
    return taken["positive"], taken["negative"]


def _check_clash(positive: Tensor, negative: Tensor, what: str) -> None:
    """Refuse sides that claim the same bins, and tell where."""
    claims = positive > CLAIMED, negative > CLAIMED
    both = claims[0] & claims[1]
    n_both, n_least = int(both.sum()), min(int(side.sum()) for side in claims)
    if n_both <= CLASH_SHARE * n_least:
        return
    area = painted_area(_largest_run(both).float())
    raise GuideError(
        f"{what}: both sides claim {n_both} of the same bins ({n_both / n_least:.0%} of the smaller side), most of "
        f"them at {area.start:.2f}-{area.stop:.2f} s, {area.low:.0f}-{area.high:.0f} Hz: erase one of the two there"
    )


def _largest_run(both: Tensor) -> Tensor:
    """Keep the neighboring frames ``[K, T]`` that hold the most bins, up to the next frame without any."""
    counts = both.sum(dim=0)
    run = torch.cumsum(counts == 0, dim=0)  # numbers the runs: frames without a gap between them share a number
    totals = torch.zeros(int(run[-1]) + 1, dtype=counts.dtype).index_add_(0, run, counts)
    return both & (run == totals.argmax())
