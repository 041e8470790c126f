"""A linear layer that narrows its weights once, not at every call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear`, which keeps a narrow copy of its weights for inference under autocast.

    In inference a layer is called on many small tiles, and casting the weights for each of them costs more than
    the product. The copy is renewed when the weights were changed, moved or replaced.
    """

    _narrow: tuple[tuple[object, ...], Tensor, Tensor | None] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., D_in]`` to ``[..., D_out]``."""
        return nn.functional.linear(x, *self._parameters_for(x))

    def parts(self, x: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Map ``[..., D_in]`` to the outputs in parts of the given sizes, each in memory of its own.

        What follows takes up to twice as long on some columns of a wider matrix.
        """
        weight, bias = self._parameters_for(x)
        biases = [None] * len(sizes) if bias is None else bias.split(sizes)
        return [nn.functional.linear(x, *part) for part in zip(weight.split(sizes), biases, strict=True)]

    def _parameters_for(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        if torch.is_grad_enabled() or not torch.is_autocast_enabled(x.device.type):
            return self.weight, self.bias
        return self._narrowed(torch.get_autocast_dtype(x.device.type))

    def _narrowed(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        bias: Tensor | None = self.bias
        key = (dtype, _version(self.weight), None if bias is None else _version(bias))
        if self._narrow is None or self._narrow[0] != key:
            self._narrow = (key, self.weight.to(dtype), None if bias is None else bias.to(dtype))
        return self._narrow[1:]


def _version(parameter: Tensor) -> tuple[int, int]:
    return parameter.data_ptr(), 0 if parameter.is_inference() else parameter._version
