"""Oracle masks: the best that a mask of some kind can do, made from the mixture and the true source.

Each target is taken against all else in the mixture, so that its answer does not depend on what else is asked for.

Axes: C channels, N samples, F bins, T frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.audio.stft import Stft

WINDOW_SECONDS = 4096 / 44100
HOPS_PER_WINDOW = 4
BLOCK_FRAMES = 256
COMPLEX_LIMIT = 10.0


class MaskKind(StrEnum):
    """What a mask may do to a bin of the mixture."""

    BINARY = "ibm"
    RATIO = "irm"
    COMPLEX = "cirm"


@dataclass(frozen=True)
class OracleMask:
    """Multiplies the spectrogram of the mixture with the ideal mask of each source.

    With S the target, X the mixture and R = X - S, in every bin:

    - binary: 1 where |S| > |R|, else 0;
    - ratio: |S|^2 / (|S|^2 + |R|^2), the phase is the mixture's;
    - complex: S / X, real and imaginary part held within plus and minus 10.

    Source: Li and Wang, "On the optimality of ideal binary time-frequency masks", 2009; Liutkus and Badeau,
    "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015, with exponent 2; Williamson, Wang,
    Wang, "Complex ratio masking for monaural speech separation", 2016, section III, with its limit K = 10.

    Args:
        kind: of the mask.
        window_seconds: the window is the nearest power of two in samples; the hop is a quarter of it.

    Example:
        >>> target, rest = torch.eye(1, 4000), 0.5 * torch.eye(1, 4000).roll(2000, 1)
        >>> mixture = Audio(target + rest, 8000)
        >>> answer = OracleMask(MaskKind.COMPLEX).separate(mixture, {"click": Audio(target, 8000)})["click"].samples
        >>> bool((answer - target).abs().max() < 1e-4)
        True
    """

    kind: MaskKind
    window_seconds: float = WINDOW_SECONDS
    needs_truth: bool = True

    @property
    def name(self) -> str:
        """The word ``oracle`` and the kind."""
        return f"oracle-{self.kind.value}"

    def knows(self, label: str) -> bool:
        """Say yes to every label: the truth is given."""
        return bool(label)

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Mask the mixture for every reference; see `ReferenceMethod`."""
        stft = stft_of(mixture.sample_rate, self.window_seconds)
        make = _MASKS[self.kind]

        def mask(block: Tensor) -> Tensor:  # [2, C, n]: mixture, target
            whole, target = stft(block)
            return stft.inverse(make(target, whole) * whole, length=block.shape[-1])

        answers = {}
        for name, reference in references.items():
            both = torch.stack([mixture.samples, reference.samples])
            answers[name] = Audio(in_blocks(both, mask, stft=stft), mixture.sample_rate)
        return answers


def stft_of(sample_rate: int, window_seconds: float) -> Stft:
    """Return the transform with a window of about so many seconds, a power of two in samples."""
    n_fft = 2 ** max(4, round(math.log2(window_seconds * sample_rate)))
    return Stft(n_fft, n_fft // HOPS_PER_WINDOW)


def in_blocks(
    signals: Tensor, change: Callable[[Tensor], Tensor], *, stft: Stft, n_frames: int = BLOCK_FRAMES
) -> Tensor:
    """Change signals ``[..., N]`` block by block, so that memory does not grow with spectrograms of whole songs.

    Blocks overlap by two windows, and begin at whole hops: what is kept is what the whole would give, as long as the
    change works frame by frame.

    Args:
        signals: ``[..., N]``.
        change: from ``[..., n]`` to ``[..., n]``, with any leading axes of its own.
        stft: the transform that the change uses.
        n_frames: of one block, what it overlaps with others not counted.
    """
    n_samples, context = signals.shape[-1], stft.n_fft
    length = n_frames * stft.hop_length
    parts = []
    for start in range(0, max(n_samples, 1), length):
        first, last = max(0, start - context), min(n_samples, start + length + context)
        changed = change(signals[..., first:last])
        parts.append(changed[..., start - first : start - first + length])
    return torch.cat(parts, dim=-1)


def _binary(target: Tensor, whole: Tensor) -> Tensor:
    return (target.abs() > (whole - target).abs()).float()


def _ratio(target: Tensor, whole: Tensor) -> Tensor:
    power, rest = target.abs().square(), (whole - target).abs().square()
    total = power + rest
    return torch.where(total > 0, power / total, 0.0)


def _complex(target: Tensor, whole: Tensor) -> Tensor:
    power = whole.abs().square()
    quotient = torch.where(power > 0, target * whole.conj() / power, 0.0)
    limited = torch.view_as_real(quotient).clamp(-COMPLEX_LIMIT, COMPLEX_LIMIT)
    return torch.view_as_complex(limited)


_MASKS: dict[MaskKind, Callable[[Tensor, Tensor], Tensor]] = {
    MaskKind.BINARY: _binary,
    MaskKind.RATIO: _ratio,
    MaskKind.COMPLEX: _complex,
}
