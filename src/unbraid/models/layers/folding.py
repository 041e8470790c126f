"""A batch norm folded into the convolution before it, for inference.

Axes: D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.ConvTranspose2d


class Fold:
    """Weights of a convolution with the batch norm behind it folded in; made anew whenever one of them has changed.

    Example:
        >>> conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2).eval()
        >>> weight, bias = Fold()(conv, norm)
        >>> x = torch.randn(1, 1, 5, 5)
        >>> torch.allclose(nn.functional.conv2d(x, weight, bias), norm(conv(x)), atol=1e-5)
        True
    """

    def __init__(self) -> None:
        self._state: tuple[tuple[int, int, torch.device], ...] = ()
        self._folded: tuple[Tensor, Tensor] | None = None

    def __call__(self, conv: Convolution, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
        """Return weight, of the convolution's own shape, and bias ``[D]``."""
        sources = [*conv.parameters(), *norm.parameters(), *norm.buffers()]
        if any(source.is_inference() for source in sources):  # their changes cannot be seen
            return fold(conv, norm)
        state = tuple((source.data_ptr(), source._version, source.device) for source in sources)
        if self._folded is None or state != self._state:
            self._state, self._folded = state, fold(conv, norm)
        return self._folded


def fold(conv: Convolution, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias ``[D]`` of the convolution that does what both do in evaluation.

    Raises:
        ValueError: if one of them has no bias, or the norm no statistics.
    """
    mean, variance = norm.running_mean, norm.running_var
    if conv.bias is None or norm.bias is None or mean is None or variance is None:
        raise ValueError("only a convolution with bias and an affine norm with statistics can be folded")
    scale = norm.weight.detach() * (variance + norm.eps).rsqrt()
    axes = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    weight = conv.weight.detach() * scale.view(axes)
    return weight, (conv.bias.detach() - mean) * scale + norm.bias.detach()


def folds(module: nn.Module) -> bool:
    """Tell whether a module is at work for inference: in evaluation, and nobody asks for gradients."""
    return not module.training and not torch.is_grad_enabled()
