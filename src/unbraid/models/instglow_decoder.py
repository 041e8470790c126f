"""A prior as a search needs it: the way from latents to data with all weights put together, and its gradient by hand.

Searches walk this way hundreds of times and change no weight. So filters are put together once, the channels are laid
out so that the invertible convolution is one matrix product, the gates are one sigmoid (``tanh(x) = 2 sigmoid(2x) -
1``), and only what the gradient needs is kept: gates, scales and scaled channels. Matrix products may be in bfloat16;
what they are added to stays in float32.

Inside, channels are ordered as (half, place in its group, group): of ``[B, C, T]``, squeezed, each of the ``n_split``
planes holds one channel of every group.

Axes: B batch, C channels, T frames, D hidden features, G channels of a group, J groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor

from unbraid.models.instglow_network import Block, Prior
from unbraid.models.layers.flow import SIGMOID_FLOOR, SIGMOID_SHIFT, NormedConv1d, squeeze, unsqueeze

sigmoid_backward = torch.ops.aten.sigmoid_backward


class Step(NamedTuple):
    """What the gradient needs of a block: the gates ``[B, 2 D, T]`` of each layer, the scaled half and its scale.

    ``sigmoid`` is what a scale came out of, where it did.
    """

    gates: tuple[Tensor, ...]
    scaled: Tensor  # [B, C / 2, T]
    scale: Tensor  # [B, C / 2, T]
    sigmoid: Tensor | None  # [B, C / 2, T]


@dataclass(frozen=True, eq=False)
class Tape:
    """Memory for one walk through a prior and back: fresh memory costs more than the arithmetic.

    ``steps`` are in the order of the walk; without gradients there is one for all blocks.
    """

    steps: tuple[Step, ...]
    planes: tuple[Tensor, Tensor]  # [B, C, T]
    wide: Tensor  # [B, C, T], of the type of the products
    columns: Tensor  # [B, K 2 D, T], likewise


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a coupling network: filters of the gates (its first half doubled), their gradient's, and the mix."""

    filters: Tensor  # [2 D, K D]
    bias: Tensor  # [2 D, 1]
    turned: Tensor  # [D, 2 K D]
    mix: Tensor  # [2 D, D], in the last layer [D, D]
    turned_mix: Tensor  # [D, 2 D]
    mix_bias: Tensor  # [2 D, 1]
    offsets: tuple[int, ...]  # of the K frames that it hears


@dataclass(frozen=True, eq=False)
class Folded:
    """One block of a prior, put together; channels in the order of the decoder."""

    n_hidden: int
    first: Tensor  # [D, C / 2]
    turned_first: Tensor  # [C / 2, D]
    first_bias: Tensor  # [D, 1]
    layers: tuple[Layer, ...]
    last: Tensor  # [C, D]
    turned_last: Tensor  # [D, C], with the other sign
    last_bias: Tensor  # [C, 1]
    mixing: Tensor  # [G, G]
    scale: Tensor  # [C, 1]
    shift: Tensor  # [C, 1]
    stretch: float  # logarithm of the determinant for each frame, without the coupling's
    sigmoid_scale: bool


class Decoder:
    """The inverse of a prior for searches; it holds copies of the weights as they are now.

    Args:
        prior: of one source.
        dtype: of matrix products: float32 or bfloat16.

    Example:
        >>> from unbraid.models.instglow_network import PRIORS
        >>> prior = Prior(PRIORS["debug"])
        >>> decoder = Decoder(prior)
        >>> latents = torch.randn(1, 34, 8)
        >>> tape = decoder.tape(1, 4)
        >>> features, log_determinant = decoder.decode(decoder.arrange(latents), tape)
        >>> torch.allclose(features, prior.eval().inverse(latents)[0], atol=1e-5)
        True
        >>> decoder.gradient(torch.ones_like(features), tape).shape
        torch.Size([1, 68, 4])
    """

    @torch.no_grad()
    def __init__(self, prior: Prior, dtype: torch.dtype = torch.float32) -> None:
        shape = prior.config
        self.dtype = dtype
        self._n_squeeze, self._n_split = shape.n_squeeze, shape.n_split
        device = next(prior.parameters()).device
        self._order = plane_order(shape.width, shape.n_split).to(device)
        self._places = self._order.argsort()
        self._blocks = [fold(cast(Block, block), self._order, dtype) for block in reversed(prior.blocks)]

    def arrange(self, values: Tensor) -> Tensor:
        """Bring ``[B, C, T]`` into the layout of the decoder, ``[B, n_squeeze C, T / n_squeeze]``."""
        return squeeze(values, self._n_squeeze).index_select(1, self._order)

    def restore(self, values: Tensor) -> Tensor:
        """Undo `arrange`."""
        return unsqueeze(values.index_select(1, self._places), self._n_squeeze)

    def tape(self, n_windows: int, n_frames: int, *, keep: bool = True) -> Tape:
        """Return memory to decode windows of so many squeezed frames; unless it is kept, there is no way back."""
        device, half = self._order.device, len(self._order) // 2

        def rows(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(n_windows, count, n_frames, dtype=dtype, device=device)

        steps = tuple(
            Step(
                tuple(rows(2 * block.n_hidden, self.dtype) for _ in block.layers),
                rows(half),
                rows(half),
                rows(half) if block.sigmoid_scale else None,
            )
            for block in (self._blocks if keep else self._blocks[:1])
        )
        widest = max(layer.turned.shape[1] for block in self._blocks for layer in block.layers)
        planes = rows(2 * half), rows(2 * half)
        return Tape(steps, planes, rows(2 * half, self.dtype), rows(widest, self.dtype))

    @torch.no_grad()
    def decode(self, latents: Tensor, tape: Tape) -> tuple[Tensor, Tensor]:
        """Turn arranged latents into features ``[B, C, T]``, and tell the log-determinant ``[B]`` of the way there."""
        current, other = tape.planes
        current.copy_(latents)
        determinant = latents.new_zeros(len(latents))
        steps = tape.steps if len(tape.steps) == len(self._blocks) else len(self._blocks) * tape.steps
        for block, step in zip(self._blocks, steps, strict=True):
            determinant += self._decode_block(block, step, current, tape) + block.stretch * latents.shape[-1]
            mix(block.mixing, current, out=other)
            current, other = other.mul_(block.scale).add_(block.shift), current
        return self.restore(current), determinant

    @torch.no_grad()
    def gradient(self, features: Tensor, tape: Tape, *, determinant: float = 0.0) -> Tensor:
        """Return the gradient with respect to the arranged latents that were decoded last; the tape is used up.

        Args:
            features: gradient with respect to them, ``[B, C, T]``.
            tape: as `decode` left it.
            determinant: gradient with respect to the log-determinants.
        """
        current, other = tape.planes
        current.copy_(self.arrange(features))
        for block, step in zip(reversed(self._blocks), reversed(tape.steps), strict=True):
            mix(block.mixing.T, current.mul_(block.scale), out=other)
            self._turn_block(block, step, other, tape, determinant)
            current, other = other, current
        return current

    def _decode_block(self, block: Folded, step: Step, current: Tensor, tape: Tape) -> Tensor:
        """Undo a coupling in place, and return the log-determinant of that."""
        kept, moved = current.chunk(2, dim=1)
        hidden = product(block.first, kept.to(self.dtype), block.first_bias)
        skipped: Tensor | None = None
        for layer, gate in zip(block.layers, step.gates, strict=True):
            conv = product(layer.filters, neighbors(hidden, layer, tape.columns), layer.bias)
            torch.sigmoid(conv, out=gate)
            passed = (gate[:, : block.n_hidden] - 0.5).mul_(gate[:, block.n_hidden :])
            mixed = product(layer.mix, passed, layer.mix_bias)
            skip = mixed[:, -block.n_hidden :]
            skipped = skip if skipped is None else skipped + skip
            if mixed.shape[1] > block.n_hidden:
                hidden = hidden + mixed[:, : block.n_hidden]
        assert skipped is not None
        shift, log_scale = product(block.last, skipped, block.last_bias, out=tape.wide).chunk(2, dim=1)
        step.scale.copy_(log_scale)
        if step.sigmoid is not None:
            step.sigmoid.copy_(step.scale.add_(SIGMOID_SHIFT).sigmoid_())
            step.scale.add_(SIGMOID_FLOOR).log_()
        stretch = -step.scale.sum(dim=(1, 2))
        step.scale.neg_().exp_()
        torch.sub(moved, shift, out=step.scaled).mul_(step.scale)
        moved.copy_(step.scaled)
        return stretch

    def _turn_block(self, block: Folded, step: Step, current: Tensor, tape: Tape, determinant: float) -> None:
        """Turn the gradient with respect to what a coupling gave into that with respect to what it got, in place."""
        kept, moved = current.chunk(2, dim=1)
        shift, log_scale = tape.wide.chunk(2, dim=1)  # both with the other sign, which is in ``turned_last``
        step.scaled.mul_(moved).add_(determinant)
        if step.sigmoid is not None:
            step.scaled.mul_(step.scale).mul_(step.sigmoid).mul_(1 - step.sigmoid)
        log_scale.copy_(step.scaled)
        shift.copy_(moved.mul_(step.scale))
        skipped = product(block.turned_last, tape.wide)
        hidden: Tensor | None = None
        for layer, gate in zip(reversed(block.layers), reversed(step.gates), strict=True):
            passed = product(layer.turned_mix, skipped if hidden is None else torch.cat([hidden, skipped], dim=1))
            value, sluice = gate.chunk(2, dim=1)
            through = torch.cat([passed * sluice, (value - 0.5).mul_(passed)], dim=1)
            through = sigmoid_backward(through, gate)
            conv = product(layer.turned, neighbors(through, layer, tape.columns))
            hidden = conv if hidden is None else hidden + conv
        assert hidden is not None
        kept.add_(product(block.turned_first, hidden))


def product(weight: Tensor, values: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Multiply a matrix ``[E, D]`` with each ``[D, T]`` of ``[B, D, T]``, and add a bias ``[E, 1]``."""
    weights = weight.expand(len(values), -1, -1)
    return torch.bmm(weights, values, out=out) if bias is None else torch.baddbmm(bias, weights, values, out=out)


def neighbors(values: Tensor, layer: Layer, columns: Tensor) -> Tensor:
    """Put the frames that a filter hears on top of each other, ``[B, K D, T]``; beyond the ends are zeros."""
    n_rows, n_frames = values.shape[1:]
    columns = columns[:, : n_rows * len(layer.offsets)]
    for rows, offset in zip(columns.split(n_rows, dim=1), layer.offsets, strict=True):
        start, stop = max(0, -offset), n_frames - max(0, offset)
        if start >= stop:
            rows.zero_()
            continue
        rows[..., :start] = 0
        rows[..., stop:] = 0
        rows[..., start:stop] = values[..., start + offset : stop + offset]
    return columns


def mix(mixing: Tensor, values: Tensor, *, out: Tensor) -> None:
    """Mix the planes of ``[B, C, T]`` with a matrix ``[G, G]``."""
    planes = (len(values), len(mixing), -1)
    product(mixing, values.view(planes), out=out.view(planes))


def plane_order(width: int, n_split: int) -> Tensor:
    """Return which channel comes where in the decoder.

    Example:
        >>> plane_order(8, 4)
        tensor([0, 2, 1, 3, 4, 6, 5, 7])
    """
    return torch.arange(width).view(2, width // n_split, n_split // 2).transpose(1, 2).reshape(-1)


def fold(block: Block, order: Tensor, dtype: torch.dtype) -> Folded:
    """Put the weights of a block together, for channels in an order."""
    coupling, half = block.coupling, len(order) // 2
    places, n_hidden = order[:half], coupling.last.weight.shape[1]
    layers = []
    for conv, skip in zip(coupling.wavenet.convs, coupling.wavenet.mixes, strict=True):
        assert isinstance(conv, NormedConv1d)
        assert isinstance(skip, NormedConv1d)
        double = torch.ones(2 * n_hidden, 1, 1, device=order.device)
        double[:n_hidden] = 2
        filters, mixes = double * conv.filters(), 2 * skip.filters()[..., 0]
        layers.append(
            Layer(
                filters=filters.transpose(1, 2).flatten(1).contiguous().to(dtype),
                bias=(double[:, 0] * conv.bias[:, None]).to(dtype),
                turned=filters.flip(2).permute(1, 2, 0).flatten(1).contiguous().to(dtype),
                mix=mixes.to(dtype),
                turned_mix=mixes.T.contiguous().to(dtype),
                mix_bias=skip.bias[:, None].to(dtype),
                offsets=tuple(range(-conv.padding, conv.padding + 1, conv.dilation)),
            )
        )
    assert coupling.last.bias is not None
    both = torch.cat([places, places + half])  # shifts and scales of the second half of the channels
    scale = (-block.norm.log_scale[0]).exp()
    n_groups = len(order) // block.mix.n_split
    stretch = -block.norm.log_scale.sum() - torch.linalg.slogdet(block.mix.weight).logabsdet * n_groups
    first, last = coupling.first.filters()[:, places, 0], coupling.last.weight[both, :, 0]
    return Folded(
        n_hidden=n_hidden,
        first=first.to(dtype),
        turned_first=first.T.contiguous().to(dtype),
        first_bias=coupling.first.bias[:, None].to(dtype),
        layers=tuple(layers),
        last=last.to(dtype),
        turned_last=-last.T.contiguous().to(dtype),
        last_bias=coupling.last.bias[both, None].to(dtype),
        mixing=torch.linalg.inv(block.mix.weight),
        scale=scale[order],
        shift=(-block.norm.bias[0] * scale)[order],
        stretch=float(stretch),
        sigmoid_scale=coupling.sigmoid_scale,
    )
