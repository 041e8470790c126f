"""A batch norm folded into the convolution before it, for inference.

Axes: D features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.ConvTranspose2d


class Fold:
    """Weights of a convolution with the batch norm behind it folded in; made anew whenever one of them has changed.

    Args:
        shape: brings the folded weight and bias into the form that they are used in.

    Example:
        >>> conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2).eval()
        >>> weight, bias = Fold()(conv, norm)
        >>> x = torch.randn(1, 1, 5, 5)
        >>> torch.allclose(nn.functional.conv2d(x, weight, bias), norm(conv(x)), atol=1e-5)
        True
    """

    def __init__(self, shape: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None) -> None:
        self._shape = shape
        self._state: tuple[tuple[int, int, torch.device], ...] = ()
        self._folded: tuple[Tensor, Tensor] | None = None

    def __call__(self, conv: Convolution, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
        """Return weight and bias: ``[D]``, and of the convolution's own shape, if they are not shaped otherwise."""
        sources = [*conv.parameters(), *(() if norm is None else (*norm.parameters(), *norm.buffers()))]
        if any(source.is_inference() for source in sources):  # their changes cannot be seen
            return self._make(conv, norm)
        state = tuple((source.data_ptr(), source._version, source.device) for source in sources)
        if self._folded is None or state != self._state:
            self._state, self._folded = state, self._make(conv, norm)
        return self._folded

    def _make(self, conv: Convolution, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
        weight, bias = fold(conv, norm)
        return (weight, bias) if self._shape is None else self._shape(weight, bias)


def fold(conv: Convolution, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias ``[D]`` of the convolution that does what both do in evaluation.

    Raises:
        ValueError: if one of them has no bias, or the norm no statistics.
    """
    if conv.bias is None:
        raise ValueError("only a convolution with bias can be folded")
    if norm is None:
        return conv.weight.detach(), conv.bias.detach()
    mean, variance = norm.running_mean, norm.running_var
    if norm.bias is None or mean is None or variance is None:
        raise ValueError("only an affine norm with statistics can be folded")
    scale = norm.weight.detach() * (variance + norm.eps).rsqrt()
    axes = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    weight = conv.weight.detach() * scale.view(axes)
    return weight, (conv.bias.detach() - mean) * scale + norm.bias.detach()


def folds(module: nn.Module) -> bool:
    """Tell whether a module is at work for inference: in evaluation, and nobody asks for gradients."""
    return not module.training and not torch.is_grad_enabled()
