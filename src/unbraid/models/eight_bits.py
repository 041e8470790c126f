"""Weights in eight bits: half of what float16 needs, for files that ship.

Every 32 neighboring values of a matrix share a scale; vectors stay as they are. Networks never see this form: reading
gives float32 again.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 32
LARGEST = 127
SCALES = ".scales"  # behind the name of the matrix


def narrow(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store every matrix as int8 of its shape, beside its scales in bfloat16, ``[ceil(size / 32)]``.

    What has fewer than two dimensions longer than 1, or is no float, is left alone.

    Example:
        >>> stored = narrow({"weight": torch.tensor([[1.0, -0.5], [0.25, 0.0]])})
        >>> stored["weight"].flatten().tolist(), stored["weight.scales"].shape
        ([127, -64, 32, 0], torch.Size([1]))
    """
    stored: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if not value.is_floating_point() or value.squeeze().ndim < 2:
            stored[name] = value
            continue
        blocks = _blocks(value.detach().float())
        scales = (blocks.abs().amax(dim=1, keepdim=True) / LARGEST).bfloat16()
        steps = blocks / scales.float().clamp_min(torch.finfo(torch.float32).tiny)
        values = steps.round().clamp(-LARGEST, LARGEST).to(torch.int8)
        stored[name] = values.flatten()[: value.numel()].view(value.shape)
        stored[name + SCALES] = scales.flatten()
    return stored


def widen(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what `narrow` stored, its matrices in float32.

    Raises:
        ValueError: if scales are missing or do not fit.

    Example:
        >>> widen(narrow({"weight": torch.eye(2)}))["weight"].diagonal().round(decimals=2)
        tensor([1., 1.])
    """
    wide: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.endswith(SCALES) and name.removesuffix(SCALES) in tensors:
            continue
        if value.dtype != torch.int8:
            wide[name] = value
            continue
        scales, blocks = tensors.get(name + SCALES), _blocks(value.float())
        if scales is None or scales.shape != blocks.shape[:1]:
            raise ValueError(f"{name} has no scales that fit")
        wide[name] = (blocks * scales.float()[:, None]).flatten()[: value.numel()].view(value.shape)
    return wide


def _blocks(value: Tensor) -> Tensor:
    flat = value.flatten()
    return functional.pad(flat, (0, -flat.numel() % BLOCK)).view(-1, BLOCK)
