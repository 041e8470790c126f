"""What points at each target of GuideSep, on the mixture's clock, and the noise that its answers are drawn from.

Axes: B windows, K mel bands, T frames, F bins, N samples at the network's rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.kinds import Mask, Mimicry, Target, output_names
from unbraid.guides.mask_grid import HOP_LENGTH, N_BANDS, SAMPLE_RATE, crop_mask
from unbraid.guides.mimicry import ClockedMimicry
from unbraid.models.separator import Condition, Sampling

MARGIN_SECONDS = 0.5  # around the mimicry, where its sound may still ring
QUIET = 0.05  # of the mimicry's peak; below, a window counts as silent
_NOISE_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Pointers:
    """What points at one target: a mimicry, masks ``[K, T]`` of the whole mixture, or both."""

    mimicry: ClockedMimicry | None = None
    positive: Tensor | None = None
    negative: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Windows:
    """What points at a target in B windows: mimicry ``[B, N]``, masks ``[B, K, T]``, and where it may be ``[B, N]``."""

    mimicry: Tensor | None
    positive: Tensor | None
    negative: Tensor | None
    reach: Tensor | None


@dataclass(frozen=True, eq=False)
class GuidesepCondition:
    """The condition of a track, or of some of its windows.

    Args:
        names: of the outputs.
        targets: what points at each of them.
        sampling: how answers are drawn.
        starts: of the windows that it is of, in seconds.
    """

    names: tuple[str, ...]
    targets: tuple[Pointers, ...]
    sampling: Sampling = field(default_factory=Sampling)
    starts: tuple[float, ...] = (0.0,)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """No outputs are interchangeable."""
        return ()

    def crop(self, start: float, stop: float) -> GuidesepCondition:
        """Return the condition of a window."""
        del stop
        return replace(self, starts=(start,))

    def join(self, others: Sequence[Condition]) -> GuidesepCondition:
        """Return the condition of several windows of the track."""
        held = [self, *(one for one in others if isinstance(one, GuidesepCondition))]
        assert len(held) == 1 + len(others)
        return replace(self, starts=tuple(start for one in held for start in one.starts))

    def windows(self, index: int, n_samples: int, *, hop_length: int) -> Windows:
        """Cut out what points at a target in each window.

        Args:
            index: of the target.
            n_samples: length of the windows, N, at 16 kHz.
            hop_length: of the frames that masks are wanted for.
        """
        held = self.targets[index]
        firsts = [round(start * SAMPLE_RATE) for start in self.starts]
        frames = torch.arange(n_samples // hop_length + 1) * hop_length

        def side(mask: Tensor | None) -> Tensor | None:
            return None if mask is None else torch.stack([_columns(mask, first + frames) for first in firsts])

        positive, negative = side(held.positive), side(held.negative)
        if held.mimicry is None:
            return Windows(None, positive, negative, None)
        heard = torch.stack([held.mimicry.crop(first, n_samples) for first in firsts])
        loud = heard.abs().amax(dim=-1, keepdim=True) > QUIET * held.mimicry.samples.abs().max()
        reach = None
        if held.positive is None and held.negative is None:
            reach = torch.stack([_reach(held.mimicry, first, n_samples) for first in firsts])
        return Windows(heard * loud, positive, negative, reach)

    def noise(self, n_bins: int, n_frames: int, *, hop_length: int, candidate: int) -> Tensor:
        """Return the noise ``[B, 2, F, T]`` of a draw: cut out of one noise for the whole track."""
        frames = [round(start * SAMPLE_RATE / hop_length) for start in self.starts]
        return torch.stack([track_noise(self.sampling.seed, candidate, n_bins, one, n_frames) for one in frames])


def track_noise(seed: int, candidate: int, n_bins: int, start: int, n_frames: int) -> Tensor:
    """Return frames of the standard normal noise of a track, the same whichever window they are asked for in.

    Args:
        seed: of the track.
        candidate: number of the draw.
        n_bins: F.
        start: first frame.
        n_frames: T.

    Returns:
        ``[2, F, T]``.

    Example:
        >>> bool((track_noise(0, 0, 4, 70, 10) == track_noise(0, 0, 4, 60, 20)[..., 10:]).all())
        True
    """
    first, last = start // _NOISE_FRAMES, (start + n_frames - 1) // _NOISE_FRAMES
    blocks = []
    for block in range(first, last + 1):
        source = torch.Generator().manual_seed((seed * 1_000_003 + candidate) * 1_000_003 + block & (1 << 63) - 1)
        blocks.append(torch.randn(2, n_bins, _NOISE_FRAMES, generator=source))
    offset = start - first * _NOISE_FRAMES
    return torch.cat(blocks, dim=-1)[..., offset : offset + n_frames]


def point(targets: Sequence[Target]) -> GuidesepCondition:
    """Turn guides on the mixture's clock into the condition of a track.

    Raises:
        GuideError: if a target has several mimicries or masks, or guides of another kind, or is not on the clock yet.
    """
    return GuidesepCondition(output_names(targets), tuple(_pointers(target) for target in targets))


def _pointers(target: Target) -> Pointers:
    mimicries = [guide for guide in target.guides if isinstance(guide, Mimicry)]
    masks = [guide for guide in target.guides if isinstance(guide, Mask)]
    where = f"target {target.name!r}"
    if len(mimicries) + len(masks) < len(target.guides):
        raise GuideError(f"{where}: this model takes a mimicry (or a score), masks, or both")
    if len(mimicries) > 1 or len(masks) > 1:
        raise GuideError(f"{where} has {len(mimicries)} mimicries and {len(masks)} masks: give at most one of each")
    mimicry = ClockedMimicry(mimicries[0], sample_rate=SAMPLE_RATE) if mimicries else None
    if not masks:
        return Pointers(mimicry)
    return Pointers(mimicry, *(_grid(side, where) for side in (masks[0].positive, masks[0].negative)))


def _grid(side: object, where: str) -> Tensor | None:
    if side is None or (isinstance(side, Tensor) and side.ndim == 2 and len(side) == N_BANDS):
        return side
    if isinstance(side, Tensor):
        raise GuideError(f"{where}: its mask {list(side.shape)} is not on the grid of {N_BANDS} bands")
    raise GuideError(f"{where}: the mask has not been read yet: separate with unbraid.separate")


def _columns(mask: Tensor, samples: Tensor) -> Tensor:
    """Return the columns ``[K, T]`` of a mask that lie nearest to samples ``[T]``."""
    columns = (samples + HOP_LENGTH // 2) // HOP_LENGTH
    first = int(columns[0])
    return crop_mask(mask, first, int(columns[-1]) - first + 1)[:, columns - first]


def _reach(mimicry: ClockedMimicry, start: int, n_samples: int) -> Tensor:
    """Return 1 where the mimicry is heard, and 0 far before and behind it, with slopes between."""
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    places = torch.arange(start, start + n_samples)
    stop = mimicry.start_sample + len(mimicry.samples)
    outside = torch.maximum(mimicry.start_sample - places, places - stop).clamp_min(0)
    return (1 - outside / margin).clamp_min(0)
