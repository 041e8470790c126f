"""How sure GuideSep is that a target sounds: from what was drawn, the mixture, and what points at the target. Ours.

Axes: B batch, F bins, T frames, K mel bands.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.guides.mask_grid import mel_of

TINY = 1e-10
N_EVIDENCE = 3
FLOOR = -4.0  # of the logarithm of an energy ratio
RANGE = 1e-3  # of a spectrogram's largest magnitude; what is fainter does not count in comparisons


def likeness(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Tell how well estimates are found again in mixtures: their coherence in small patches, 0..1.

    Patches are 3 bins by 5 frames and count by the magnitude of the estimate. A sound that is there stands out in its
    bins, and is coherent with the mixture; one that was made up is not. Silence scores 0.

    Args:
        estimate: complex ``[B, F, T]``.
        mixture: likewise.

    Returns:
        ``[B]``.

    Example:
        >>> sound = torch.randn(1, 8, 10, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
        >>> likeness(sound, 2 * sound)
        tensor([1.])
    """

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values[:, None], (3, 5), stride=1, padding=(1, 2))[:, 0]

    both = estimate * mixture.conj()
    cross = torch.hypot(mean(both.real), mean(both.imag))
    energy = mean(estimate.abs().square()) * mean(mixture.abs().square())
    weights = estimate.abs()
    total = (cross / (energy + TINY**2).sqrt() * weights).sum(dim=(1, 2)) / (weights.sum(dim=(1, 2)) + TINY)
    return total.clamp(0, 1)


def evidence(estimate: Tensor, mixture: Tensor, *, mimicry: Tensor | None, positive: Tensor | None) -> Tensor:
    """Gather what speaks for a target: likeness, level, and how well the estimate goes along with its guide.

    The level is the logarithm to base 10 of the energy of the estimate in relation to the mixture, in frames where the
    guide sounds. What goes along is the cosine of magnitudes: with the mimicry, or else with the positive mask.

    Args:
        estimate: complex ``[B, F, T]``.
        mixture: likewise.
        mimicry: likewise, or None.
        positive: mask ``[B, K, T']``, T' at most T, or None.

    Returns:
        ``[B, N_EVIDENCE]``.
    """
    if mimicry is not None:
        guide, drawn = _loud(mimicry.abs()), _loud(estimate.abs())
    elif positive is not None:
        guide = functional.pad(positive, (0, estimate.shape[-1] - positive.shape[-1]))
        drawn = _loud(mel_of(estimate.abs())) if estimate.shape[1] == 256 else estimate.abs().mean(1, keepdim=True)
        guide = guide if estimate.shape[1] == 256 else guide.mean(1, keepdim=True)
    else:
        guide = drawn = _loud(estimate.abs())
    frames = guide.amax(dim=1) > 0.1 * guide.amax(dim=(1, 2))[:, None]
    energies = [((one.abs().square()).sum(dim=1) * frames).sum(dim=-1) for one in (estimate, mixture)]
    level = ((energies[0] + TINY) / (energies[1] + TINY)).log10().clamp(FLOOR, 1.0)
    return torch.stack([likeness(estimate, mixture), level, _cosine(guide, drawn)], dim=1)


def _loud(magnitude: Tensor) -> Tensor:
    """Compress magnitudes, and leave out what is far below the loudest."""
    return (magnitude - RANGE * magnitude.amax(dim=(1, 2), keepdim=True)).clamp_min(0).sqrt()


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return functional.cosine_similarity(one.flatten(1), other.flatten(1), dim=1, eps=TINY)


def judge(found: Tensor, weights: tuple[tuple[float, ...], ...], *, has_mimicry: bool) -> Tensor:
    """Turn evidence ``[B, N_EVIDENCE]`` into probabilities ``[B]``, with weights that were fitted: a bias comes last.

    Args:
        found: what `evidence` gathered.
        weights: those for targets with a mimicry, and those for masks alone.
        has_mimicry: which of the two.

    Example:
        >>> judge(torch.zeros(2, 3), ((1.0, 1.0, 1.0, 0.0), (0.0, 0.0, 0.0, 9.0)), has_mimicry=True)
        tensor([0.5000, 0.5000])
    """
    *slopes, bias = weights[0 if has_mimicry else 1]
    return (found @ torch.tensor(slopes, device=found.device) + bias).sigmoid()
