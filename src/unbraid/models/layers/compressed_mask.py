"""Complex masks on spectrograms whose magnitudes are compressed by a logarithm.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 2.1; the bound of the mask is that of
Choi et al., "Phase-aware speech enhancement with deep complex U-Net", ICLR 2019.

Axes: B batch, F bins, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

INPUTS = ("complex", "magnitude")
MASKS = ("tanh", "sigmoid")
EPS = 1e-8


def compress(spectrogram: Tensor, gain: float) -> Tensor:
    """Return the compressed magnitudes ``ln(1 + gain |X|)`` of a complex spectrogram.

    Example:
        >>> compress(torch.tensor([0j, 1j]), 1.0)
        tensor([0.0000, 0.6931])
    """
    return (gain * spectrogram.abs()).log1p()


def network_input(spectrogram: Tensor, gain: float, kind: str) -> Tensor:
    """Turn a spectrogram ``[B, F, T]`` into what a network is given, ``[B, 2 or 1, F, T]``.

    Args:
        spectrogram: complex.
        gain: of the compression.
        kind: ``"complex"``: real and imaginary parts of the compressed spectrogram; ``"magnitude"``: its magnitude.

    Example:
        >>> network_input(torch.full((1, 3, 2), 1j), 1.0, "complex")[0, :, 0, 0]
        tensor([0.0000, 0.6931])
    """
    compressed = compress(spectrogram, gain)
    if kind == "magnitude":
        return compressed[:, None]
    parts = torch.stack([spectrogram.real, spectrogram.imag], dim=1)
    return parts * (compressed / _nonzero(spectrogram.abs()))[:, None]


def apply_mask(spectrogram: Tensor, output: Tensor, *, gain: float, kind: str) -> tuple[Tensor, Tensor]:
    """Multiply a mask onto the compressed spectrogram, and undo the compression.

    Args:
        spectrogram: complex ``[B, F, T]``.
        output: what a network answered, ``[B, 2, F, T]``: O.
        gain: of the compression.
        kind: ``"tanh"``: the mask has the magnitude ``tanh(|O| / 2)`` and the phase of O, real part first;
            ``"sigmoid"``: the sigmoid of the first output is its magnitude, the second its phase in radians.

    Returns:
        Complex ``[B, F, T]``, nowhere louder than the spectrogram, and its compressed magnitude.

    Example:
        >>> output = torch.tensor([0.0, 99.0]).view(1, 2, 1, 1)
        >>> apply_mask(torch.full((1, 1, 1), 1j), output, gain=1.0, kind="tanh")[0].flatten()
        tensor([-1.+0.j])
    """
    first, second = output.float().unbind(dim=1)
    if kind == "tanh":
        radius = (first.square() + second.square() + EPS**2).sqrt()
        bound, phase = (radius / 2).tanh(), torch.complex(first / radius, second / radius)
    else:
        bound, phase = first.sigmoid(), torch.complex(second.cos(), second.sin())
    compressed = bound * compress(spectrogram, gain)
    unit = spectrogram / _nonzero(spectrogram.abs())
    return unit * phase * (compressed.expm1() / gain), compressed


def _nonzero(magnitude: Tensor) -> Tensor:
    return magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny)
