"""A linear layer that narrows its weights once, not at every call."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear`, which keeps a narrow copy of its weights for inference under autocast.

    In inference a layer is called on many small tiles, and casting the weights for each of them costs more than
    the product. The copy is renewed when the weights were changed, moved or replaced.
    """

    _narrow: tuple[tuple[int, int, torch.dtype], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., D_in]`` to ``[..., D_out]``."""
        if torch.is_grad_enabled() or not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        return nn.functional.linear(x, self._narrowed(torch.get_autocast_dtype(x.device.type)), self.bias)

    def _narrowed(self, dtype: torch.dtype) -> Tensor:
        version = 0 if self.weight.is_inference() else self.weight._version
        key = (self.weight.data_ptr(), version, dtype)
        if self._narrow is None or self._narrow[0] != key:
            self._narrow = (key, self.weight.to(dtype))
        return self._narrow[1]
