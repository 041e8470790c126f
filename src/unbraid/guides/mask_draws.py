"""Masks as somebody might have painted them, made from true sounds: to train with.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1.2. Where paper and
published code differ, the code counts: the outline of the sound is blurred, not its spectrogram, and 40 % is the most
of it that patches are centered on.

Axes: K mel bands, T frames.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.errors import GuideError
from unbraid.guides.mask_grid import blur
from unbraid.guides.pseudo_masks import to_one

POSITIVE_THRESHOLD = 0.12
NEGATIVE_THRESHOLD = 0.10
MAX_SHARE = 0.4
SIGMAS = (4.0, 6.0)
_BEFORE, _AFTER = 2, 1  # a patch reaches from two cells before its center to one behind it


@dataclass(frozen=True)
class MaskDraw:
    """All random numbers of one mask.

    Args:
        threshold: what counts as sound, as a share of the loudest bin.
        share: of the bins that sound, how many are the center of a patch that is missing.
        sigma: of the blur, in bands and frames.
        seed: of the order in which bins become centers.

    Raises:
        GuideError: if a value is out of range.

    Example:
        >>> draw = draw_mask(torch.Generator().manual_seed(0))
        >>> MaskDraw.from_json(draw.to_json()) == draw
        True
    """

    threshold: float
    share: float
    sigma: float
    seed: int

    def __post_init__(self) -> None:
        if not (0 <= self.threshold < 1 and 0 <= self.share <= 1 and self.sigma > 0 and 0 <= self.seed < 1 << 63):
            raise GuideError(f"{self} makes no sense: threshold and share lie within 0 and 1, sigma is positive")

    def order(self, n_bins: int) -> Tensor:
        """Return the order in which the bins that sound become centers, ``[n_bins]``."""
        return torch.randperm(n_bins, generator=torch.Generator().manual_seed(self.seed))

    def to_json(self) -> str:
        """Return the draw as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MaskDraw:
        """Read what ``to_json`` wrote.

        Raises:
            GuideError: if the text is something else.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise GuideError(f"this is not the draw of a mask ({error}): give what to_json wrote") from error


def draw_mask(generator: torch.Generator, *, negative: bool = False) -> MaskDraw:
    """Draw a mask of a target, or of what is not the target.

    Args:
        generator: of the random numbers, on the CPU.
        negative: whether it shows what is not the target, which counts as sound a little sooner.

    Example:
        >>> draw_mask(torch.Generator().manual_seed(0), negative=True).threshold
        0.1
    """
    share, width = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    seed = int(torch.randint(1 << 62, (1,), generator=generator))
    threshold = NEGATIVE_THRESHOLD if negative else POSITIVE_THRESHOLD
    return MaskDraw(threshold, MAX_SHARE * share, SIGMAS[0] + (SIGMAS[1] - SIGMAS[0]) * width, seed)


def simulate_mask(mel: Tensor, draw: MaskDraw) -> Tensor:
    """Render the mask that a draw makes of a sound.

    Args:
        mel: magnitudes ``[K, T]`` of the target, or of all the rest, as `mask_grid.hear_mel` gives them; any level.
        draw: from `draw_mask`.

    Returns:
        ``[K, T]`` with a largest value of 1; all zeros where ``mel`` is.

    Example:
        >>> mask = simulate_mask(torch.eye(80), draw_mask(torch.Generator().manual_seed(0)))
        >>> mask.shape, round(float(mask.max()), 4)
        (torch.Size([80, 80]), 1.0)
    """
    sounds = to_one(mel) > draw.threshold
    places = sounds.flatten().nonzero()[:, 0]
    n_centers = int(draw.share * len(places))
    centers = torch.zeros(mel.numel(), device=mel.device)
    centers[places[draw.order(len(places))[:n_centers].to(mel.device)]] = 1
    return to_one(blur(sounds & ~_patches(centers.view_as(mel)), draw.sigma))


def _patches(centers: Tensor) -> Tensor:
    """Return which cells the patches around centers ``[K, T]`` cover."""
    reach = (_AFTER, _BEFORE) * 2  # a cell is covered by centers up to one before it and two behind it
    size = _BEFORE + _AFTER + 1
    return functional.max_pool2d(functional.pad(centers, reach)[None], size, stride=1)[0] > 0
