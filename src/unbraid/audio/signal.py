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

        The caller's data is never modified, and never shared when a conversion was needed.

        Example:
            >>> Audio.from_array([0.0, 0.5], 8000).samples.shape
            torch.Size([1, 2])
        """
        tensor = array.detach().cpu() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))
        if tensor.ndim == 1:
            tensor = tensor[None]
        if tensor.is_complex():
            raise AudioError("samples must be real numbers, got complex ones")
        if not tensor.is_floating_point():
            tensor = tensor.double() / -float(torch.iinfo(tensor.dtype).min or -1)
        return cls(tensor.float(), sample_rate)

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
