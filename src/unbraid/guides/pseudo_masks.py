"""Masks that nobody painted: what a mimicry sounds in is the target, what the mixture sounds in is around it.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 4.3.

Axes: K mel bands, T frames.
"""

from __future__ import annotations

from torch import Tensor

from unbraid.guides.mask_grid import blur

THRESHOLD = 0.1
SIGMA = 5.0
_TINY = 1e-10


def pseudo_masks(
    mimicry_mel: Tensor, mixture_mel: Tensor, *, threshold: float = THRESHOLD, sigma: float = SIGMA
) -> tuple[Tensor, Tensor]:
    """Return a positive mask made from a mimicry, and a negative one made from the mixture.

    Args:
        mimicry_mel: magnitudes ``[..., K, T]`` as `mask_grid.hear_mel` gives them, of any level.
        mixture_mel: likewise.
        threshold: what counts as sound, as a share of the loudest bin.
        sigma: of the blur, in bands and frames.

    Returns:
        positive and negative mask of the same shapes, each with a largest value of 1 (0 where it is silent).

    Example:
        >>> import torch
        >>> positive, negative = pseudo_masks(torch.eye(80), torch.zeros(80, 80))
        >>> round(float(positive.max()), 4), float(negative.max())
        (1.0, 0.0)
    """
    return (
        outline_mask(mimicry_mel, threshold=threshold, sigma=sigma),
        outline_mask(mixture_mel, threshold=threshold, sigma=sigma),
    )


def outline_mask(mel: Tensor, *, threshold: float, sigma: float) -> Tensor:
    """Return where magnitudes ``[..., K, T]`` exceed a share of the loudest bin, blurred; the largest value is 1."""
    return to_one(blur((to_one(mel) > threshold).float(), sigma))


def to_one(image: Tensor) -> Tensor:
    """Divide each image ``[..., K, T]`` by its largest value; black stays black.

    Example:
        >>> import torch
        >>> to_one(torch.tensor([[1.0, 4.0]]))
        tensor([[0.2500, 1.0000]])
    """
    return image / (image.amax(dim=(-2, -1), keepdim=True) + _TINY)
