"""TF-Locoformer blocks: attention and feed-forward along frequency, then along time.

Source: TUSS section II-B and the TF-Locoformer paper that it builds on.

Axes: B batch, T frames (tokens included), K bands, D features, R sequences, L positions, A attention width,
H heads, C inner width of a feed-forward, k kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unbraid.models.layers.linear import Linear

TILE = 4608  # bytes in one feature of the positions that are worked on at a time in inference: temporaries stay cached


@dataclass(frozen=True)
class FeedForwardConfig:
    """Inner width C and kernel k of one SwiGLU feed-forward."""

    width: int
    kernel: int = 1


@dataclass(frozen=True)
class PathConfig:
    """One path of a block: attention between two feed-forwards, or before a single one."""

    n_heads: int
    attention: int
    feed_forward: tuple[FeedForwardConfig, ...]

    def __post_init__(self) -> None:
        if self.n_heads < 1 or self.attention % self.n_heads or (self.attention // self.n_heads) % 2:
            raise ValueError(f"attention width {self.attention} must be an even multiple of {self.n_heads} heads")
        if len(self.feed_forward) not in (1, 2):
            raise ValueError(f"a path has one or two feed-forwards, got {len(self.feed_forward)}")


@dataclass(frozen=True)
class StackConfig:
    """A stack of equal blocks."""

    n_blocks: int
    frequency: PathConfig
    time: PathConfig
    time_first: bool = False


class _GroupedRmsNorm(torch.autograd.Function):
    """The norm with a backward pass of its own: it keeps one number per group, and passes over x half as often.

    Numbers of groups are spread over their features by a matrix product: to broadcast them over rows as short as
    a group takes twice as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, n_groups: int, eps: float) -> Tensor:
        """Normalize ``[..., D]`` in float32; the result is as narrow as the layers that follow."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        with torch.autocast(device, enabled=False):
            wide = x.float()
            grouped = wide.unflatten(-1, (n_groups, -1))
            rms = torch.linalg.vector_norm(grouped, dim=-1).mul_(grouped.shape[-1] ** -0.5)
            normal = ((rms + eps).reciprocal_() @ _spread(rms, gain)).mul_(wide)
        ctx.save_for_backward(x, gain, rms)
        ctx.eps = eps
        y: Tensor = normal.to(dtype)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of x and of the gain."""
        x, gain, rms = ctx.saved_tensors
        wide, grad = x.float(), grads[0].float()
        scale = 1 / (rms + ctx.eps)
        spread = _spread(rms, torch.ones_like(gain))
        scales = scale @ spread
        product = grad * wide
        grad_gain = (product * scales).flatten(0, -2).sum(0)
        inner = product.mul_(gain).unflatten(-1, (rms.shape[-1], -1)).mean(-1)
        pull = inner.mul_(scale.square_()).div_(rms.clamp_min(1e-30))
        grad_x = scales.mul_(grad).mul_(gain).addcmul_(pull @ spread, wide, value=-1)
        return grad_x.to(x.dtype), grad_gain, None, None


def _spread(rms: Tensor, gain: Tensor) -> Tensor:
    """Return the matrix ``[G, D]`` that gives each feature the number of its group, times the gain."""
    n_groups = rms.shape[-1]
    return torch.eye(n_groups, device=gain.device).repeat_interleave(len(gain) // n_groups, dim=1) * gain


class GroupedRmsNorm(nn.Module):
    """Divide each of G groups of the features by its root mean square; always in float32."""

    def __init__(self, n_features: int, n_groups: int, eps: float = 1e-5) -> None:
        super().__init__()
        if n_features % n_groups:
            raise ValueError(f"{n_features} features do not split into {n_groups} groups")
        self.n_groups = n_groups
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(n_features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``[..., D]``."""
        normal: Tensor = _GroupedRmsNorm.apply(x, self.gain, self.n_groups, self.eps)  # type: ignore[no-untyped-call]
        return normal


class Rope(nn.Module):
    """Rotary positions of interleaved pairs, base 10000, counted from the start of the sequence.

    Args:
        head_width: features of one head, even.
        round_positions: count positions in bfloat16, as the published models did in training: above 256 only
            every second, above 512 every fourth position is then told apart.
    """

    def __init__(self, head_width: int, *, round_positions: bool = False) -> None:
        super().__init__()
        self.round_positions = round_positions
        exponent = torch.arange(0, head_width, 2, dtype=torch.float32) / head_width
        self.frequencies = nn.Parameter(10000.0**-exponent, requires_grad=False)

    def forward(self, length: int) -> tuple[Tensor, Tensor]:
        """Return cosine and sine ``[L, head_width / 2]`` in float32."""
        positions = torch.arange(length, device=self.frequencies.device)
        positions = positions.bfloat16().float() if self.round_positions else positions.float()
        angles = positions[:, None] * self.frequencies.float()
        return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor], *, scale: float = 1.0) -> Tensor:
    """Turn the pairs (0, 1), (2, 3) ... of ``[R, L, ..., head_width]`` by the angles of their positions, and scale."""
    turn = scale * torch.complex(*rotation).view(-1, *[1] * (x.ndim - 3), rotation[0].shape[-1])
    # repeated for all heads first: a product with long rows takes half as long as one with many short ones
    turn = turn.expand(-1, *x.shape[2:-1], -1).flatten(1)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:2], -1, 2))
    return torch.view_as_real(pairs * turn).view(x.shape).to(x.dtype)


class _Attend(torch.autograd.Function):
    """Attention for CPUs, whose softmax and whose fused attention are slow in bfloat16 and backward.

    The weights are powers of two, from which nothing was subtracted before (see `_powers`), and are divided by
    their sums only after the product with the values, where there are fewer numbers.
    """

    @staticmethod
    def forward(ctx: Any, query_key: Tensor, value: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Map queries and keys ``[R, L, 2, H, A / H]`` and values ``[R, L, H, A / H]`` to ``[R, L, A]``."""
        with torch.autocast(value.device.type, enabled=False):  # powers stay as narrow as the queries are
            scale = math.sqrt(math.log2(math.e) / math.sqrt(value.shape[-1]))  # once in queries, once in keys
            query, key = rotate(query_key, (cosine, sine), scale=scale).permute(2, 0, 3, 1, 4).contiguous()
            values = value.transpose(1, 2).contiguous()  # [R, H, L, A / H]
            powers, total = _powers(query, key)
            attended = (powers @ values).div_(total)
        ctx.save_for_backward(query, key, values, powers, total, attended, cosine, sine)
        ctx.scale = scale
        return attended.transpose(1, 2).flatten(-2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of queries and keys, and of values."""
        query, key, values, powers, total, attended, cosine, sine = ctx.saved_tensors
        grad = grads[0].unflatten(-1, (values.shape[1], -1)).transpose(1, 2)
        grad = grad.clone(memory_format=torch.contiguous_format).div_(total)  # copied here, not in each product
        common = (grad * attended).sum(-1, keepdim=True).flatten(0, 1)
        product = torch.baddbmm(common, grad.flatten(0, 1), values.flatten(0, 1).transpose(1, 2), beta=-1)
        grad_scores = product.view(powers.shape).mul_(powers)
        turned = query.new_empty(len(query), query.shape[2], 2, *query.shape[1::2], dtype=torch.float32)
        turned[:, :, 0] = (grad_scores @ key).transpose(1, 2)
        turned[:, :, 1] = (grad_scores.transpose(-1, -2) @ query).transpose(1, 2)
        grad_values = (powers.transpose(-1, -2) @ grad).transpose(1, 2)
        grad_query_key = rotate(turned, (cosine, -sine), scale=ctx.scale * math.log(2)).to(query.dtype)
        return grad_query_key, grad_values, None, None


def _powers(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Return two to the scores ``[R, H, L, L]`` and their sums ``[R, H, L, 1]``.

    The largest score is subtracted only where some sum is near the ends of the range: looking for it costs more
    than the powers.
    """
    powers = (query @ key.transpose(-1, -2)).exp2_()
    total = powers.sum(-1, keepdim=True)
    low, high = total.aminmax()
    if not (low > 2.0**-100 and high < 2.0**100):
        scores = query @ key.transpose(-1, -2)
        powers = scores.sub_(scores.amax(-1, keepdim=True)).exp2_()
        total = powers.sum(-1, keepdim=True)
    return powers, total


class Attention(nn.Module):
    """Multi-head self-attention along the positions of ``[R, L, D]``."""

    def __init__(self, n_features: int, path: PathConfig) -> None:
        super().__init__()
        self.n_heads = path.n_heads
        self.qkv = Linear(n_features, 3 * path.attention, bias=False)
        self.out = Linear(path.attention, n_features, bias=False)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Attend; ``rotation`` is what `Rope` gives for L."""
        width = self.out.in_features
        query_key, value = self.qkv.parts(x, (2 * width, width))
        query_key = query_key.unflatten(-1, (2, self.n_heads, -1))  # [R, L, 2, H, A / H]
        value = value.unflatten(-1, (self.n_heads, -1))
        if x.device.type == "cpu" and (torch.is_grad_enabled() or value.dtype == torch.bfloat16):
            attended: Tensor = _Attend.apply(query_key, value, *rotation)  # type: ignore[no-untyped-call]
        else:
            query, key = rotate(query_key, rotation).transpose(1, 3).unbind(2)  # [R, H, L, A / H]
            heads = nn.functional.scaled_dot_product_attention(query, key, value.transpose(1, 2))
            attended = heads.transpose(1, 2).flatten(-2)
        y: Tensor = self.out(attended)
        return y


class FeedForward(nn.Module):
    """SwiGLU between a convolution and a transposed convolution along the positions.

    Both are kept as matrix products: of the k neighbors of a position, side by side, and into them.
    """

    def __init__(self, n_features: int, config: FeedForwardConfig) -> None:
        super().__init__()
        self.kernel = config.kernel
        self.expand = Linear(config.kernel * n_features, 2 * config.width)
        self.contract = Linear(config.width, config.kernel * n_features, bias=False)
        self.bias = nn.Parameter(torch.empty(n_features))
        bound = 1 / math.sqrt(config.kernel * n_features)  # what a transposed convolution of this shape starts from
        nn.init.uniform_(self.contract.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[R, L, D]`` to the same shape."""
        margin = self.kernel - 1
        length, n_features = x.shape[-2:]
        if margin:
            padded = nn.functional.pad(x, (0, 0, margin, margin))
            x = torch.cat([padded[:, j : j + length + margin] for j in range(self.kernel)], dim=-1)
        value, gate = self.expand.parts(x, (self.contract.in_features,) * 2)
        spread = self.contract(value * nn.functional.silu(gate))
        y: Tensor = spread[:, margin:, :n_features].float() + self.bias  # wide: k sums are rounded k times
        for j in range(1, self.kernel):
            y += spread[:, margin - j : margin - j + length, j * n_features : (j + 1) * n_features]
        return y


class Path(nn.Module):
    """Feed-forward, attention, feed-forward along one axis, each added to what came in."""

    def __init__(self, n_features: int, n_groups: int, config: PathConfig) -> None:
        super().__init__()
        *first, last = config.feed_forward
        self.before = nn.ModuleList(FeedForward(n_features, part) for part in first)
        self.before_norm = nn.ModuleList(GroupedRmsNorm(n_features, n_groups) for _ in first)
        self.attention = Attention(n_features, config)
        self.attention_norm = GroupedRmsNorm(n_features, n_groups)
        self.after = FeedForward(n_features, last)
        self.after_norm = GroupedRmsNorm(n_features, n_groups)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Map ``[R, L, D]`` to the same shape; without gradients the sequences go through a few at a time."""
        if torch.is_grad_enabled():
            return self._whole(x, rotation)
        narrow = torch.is_autocast_enabled(x.device.type)
        n_bytes = torch.get_autocast_dtype(x.device.type).itemsize if narrow else x.itemsize
        n_sequences = max(1, TILE // (n_bytes * x.shape[1]))
        return torch.cat([self._whole(tile, rotation) for tile in x.split(n_sequences)])

    def _whole(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        for norm, feed_forward in zip(self.before_norm, self.before, strict=True):
            x = x + feed_forward(norm(x))
        x = x + self.attention(self.attention_norm(x), rotation)
        y: Tensor = x + self.after(self.after_norm(x))
        return y


class Block(nn.Module):
    """A path along the bands of each frame and a path along the frames of each band."""

    def __init__(self, n_features: int, n_groups: int, config: StackConfig) -> None:
        super().__init__()
        self.time_first = config.time_first
        self.frequency = Path(n_features, n_groups, config.frequency)
        self.time = Path(n_features, n_groups, config.time)

    def forward(self, x: Tensor, rotations: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        """Map ``[B, T, K, D]`` to the same shape; rotations are those of frequency and of time."""
        if self.time_first:
            return self._along_frequency(self._along_time(x, rotations[1]), rotations[0])
        return self._along_time(self._along_frequency(x, rotations[0]), rotations[1])

    def _along_frequency(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        y: Tensor = self.frequency(x.flatten(0, 1), rotation)
        return y.view(x.shape)

    def _along_time(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        turned = x.transpose(1, 2)  # [B, K, T, D]
        y: Tensor = self.time(turned.flatten(0, 1), rotation)
        return y.view(turned.shape).transpose(1, 2).contiguous()


class Stack(nn.Module):
    """Blocks in a row; all of them share one set of rotary positions per axis."""

    def __init__(self, n_features: int, n_groups: int, config: StackConfig, *, round_positions: bool = False) -> None:
        super().__init__()
        paths = (config.frequency, config.time)
        self.rope_frequency, self.rope_time = (
            Rope(path.attention // path.n_heads, round_positions=round_positions) for path in paths
        )
        self.blocks = nn.ModuleList(Block(n_features, n_groups, config) for _ in range(config.n_blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, K, D]`` to the same shape."""
        rotations = self.rope_frequency(x.shape[2]), self.rope_time(x.shape[1])
        x = x.float()  # what all layers add to stays wide: they only see it normalized, and as narrow as they are
        for block in self.blocks:
            x = block(x, rotations)
        return x
