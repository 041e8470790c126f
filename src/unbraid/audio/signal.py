"""A recording in memory.

Axes: C channels, N samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.errors import AudioError

_FULL_SCALE = {  # integer that stands for 0.0, and its distance to the one for 1.0
    torch.int8: (0, 1 << 7),
    torch.int16: (0, 1 << 15),
    torch.int32: (0, 1 << 31),
    torch.uint8: (1 << 7, 1 << 7),
    torch.uint16: (1 << 15, 1 << 15),
}


@dataclass(frozen=True, eq=False)
class Audio:
    """Samples and the rate that they were taken at.

    Args:
        samples: float32 tensor ``[C, N]``; full scale is 1.0, larger values are kept as they are.
        sample_rate: in hertz.

    Raises:
        AudioError: if the samples are not ``[C, N]`` float32 or the rate is not positive.

    Example:
        >>> Audio(torch.zeros(2, 44100), 44100).duration
        1.0
    """

    samples: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[0] == 0:
            raise AudioError(f"samples must be [channels, samples], got shape {tuple(self.samples.shape)}")
        if self.samples.dtype != torch.float32:
            raise AudioError(f"samples must be float32, got {self.samples.dtype}: use Audio.from_array")
        if self.sample_rate <= 0:
            raise AudioError(f"sample_rate must be positive, got {self.sample_rate}")

    @classmethod
    def from_array(cls, array: Tensor | npt.ArrayLike, sample_rate: int) -> Audio:
        """Build from any array or tensor ``[N]`` or ``[C, N]``; integers are scaled to full scale 1.0.

        Unsigned integers have their middle at zero, as in 8-bit WAV. The caller's data is never modified; a float32
        tensor is shared, everything else copied.

        Raises:
            AudioError: if these are not real numbers, or integers that no recording has (64-bit, bool).

        Example:
            >>> Audio.from_array([0.0, 0.5], 8000).samples.shape
            torch.Size([1, 2])
        """
        tensor = array.detach().cpu() if isinstance(array, Tensor) else _as_tensor(array)
        if tensor.ndim == 1:
            tensor = tensor[None]
        if tensor.is_floating_point():
            return cls(tensor.float(), sample_rate)
        if tensor.dtype not in _FULL_SCALE:
            raise AudioError(
                f"samples of type {tensor.dtype} have no full scale: use float32, or 16- or 32-bit integers"
            )
        middle, full_scale = _FULL_SCALE[tensor.dtype]
        return cls(((tensor.double() - middle) / full_scale).float(), sample_rate)

    @property
    def n_channels(self) -> int:
        """Number of channels C."""
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        """Number of samples N in each channel."""
        return int(self.samples.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate


def _as_tensor(array: npt.ArrayLike) -> Tensor:
    """Copy anything that NumPy understands, in the byte order of this machine."""
    try:
        copy = np.array(array)
        return torch.from_numpy(copy.astype(copy.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError) as error:
        raise AudioError(f"samples must be an array of numbers ({error}): check what was passed") from error
