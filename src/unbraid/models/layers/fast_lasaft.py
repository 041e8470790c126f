"""The blocks of LaSAFT (version 2) for inference on a processor: the same answers, in fewer steps.

Batch normalization is folded into the convolutions. Dense convolutions never join their inputs: each input is heard
once, by one convolution that answers to all later layers, and the answers are added up. Features lie last in memory
(channels last) where convolutions and gates work, and frequency where frequency is transformed.

Nothing here is a module: these are views of one that was trained, made anew when its weights change.

Axes: B batch, D features, T frames, F bins of a level, E size of a query, K size of a key, L latent sources.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.models.layers.folding import fold
from unbraid.models.layers.latent_attention import LightLasaft, ListeningKey, ListeningQuery
from unbraid.models.layers.tfc import Tdf, Tfc


def affine(norm: nn.BatchNorm2d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return factor and summand ``[D, 1, 1]`` that a batch normalization has in inference.

    Example:
        >>> affine(nn.BatchNorm2d(1, eps=0.0), torch.float32)
        (tensor([[[1.]]]), tensor([[[0.]]]))
    """
    assert norm.running_var is not None
    assert norm.running_mean is not None
    factor = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    summand = norm.bias.detach() - norm.running_mean * factor
    return factor.to(dtype).view(-1, 1, 1), summand.to(dtype).view(-1, 1, 1)


def slope_of(activation: nn.Module) -> float:
    """Return the slope of an activation below zero."""
    return activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0


def activate(x: Tensor, slope: float) -> Tensor:
    """Apply ReLU or leaky ReLU in place."""
    return functional.leaky_relu_(x, slope) if slope else x.relu_()


class FastConvolution:
    """A convolution, plain or transposed, with the normalization and the activation behind it."""

    def __init__(self, parts: nn.Module, dtype: torch.dtype) -> None:
        assert isinstance(parts, nn.Sequential)
        conv, norm, activation = parts
        assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(norm, nn.BatchNorm2d)
        weight, bias = fold(conv, norm)
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.bias = bias.to(dtype)
        self.stride = conv.stride[0]
        self.is_transposed = isinstance(conv, nn.ConvTranspose2d)
        self.slope = slope_of(activation)

    def __call__(self, x: Tensor) -> Tensor:
        """Map ``[B, D, T, F]`` to features that lie last in memory."""
        convolve = functional.conv_transpose2d if self.is_transposed else functional.conv2d
        return activate(convolve(x, self.weight, self.bias, stride=self.stride), self.slope)


class FastTfc:
    """Dense convolutions by partial sums.

    Args:
        tfc: what was trained.
        n_parts: how many tensors of equal width the block's input is joined from.
        dtype: of weights and features.
    """

    def __init__(self, tfc: Tfc, n_parts: int, dtype: torch.dtype) -> None:
        pairs = [
            fold(conv, norm)
            for conv, norm in zip(tfc.convs, tfc.norms, strict=True)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        ]
        self.width = len(pairs[0][1])
        n_inputs = pairs[0][0].shape[1]
        self.slope = slope_of(tfc.activation)
        self.bias = torch.cat([bias for _, bias in pairs]).to(dtype)

        def answers(start: int, stop: int, first: int) -> Tensor:
            """What layers hear of the features from start to stop."""
            joined = torch.cat([weight[:, start:stop] for weight, _ in pairs[first:]])
            return joined.to(dtype).contiguous(memory_format=torch.channels_last)

        self.whole = answers(0, n_inputs, 0)
        step = n_inputs // n_parts
        self.parts = [answers(part * step, (part + 1) * step, 0) for part in range(n_parts)]
        offsets = range(n_inputs, n_inputs + self.width * (len(pairs) - 1), self.width)
        self.layers = [answers(start, start + self.width, i + 1) for i, start in enumerate(offsets)]

    def hear(self, x: Tensor) -> Tensor:
        """Return what all layers hear of the whole input."""
        return functional.conv2d(x, self.whole, self.bias, padding=1)

    def hear_part(self, x: Tensor, part: int) -> Tensor:
        """Return what all layers hear of one part of the input; with the last part comes the bias."""
        bias = self.bias if part == len(self.parts) - 1 else None
        return functional.conv2d(x, self.parts[part], bias, padding=1)

    def answer(self, heard: Tensor) -> Tensor:
        """Return the block's output from what its layers heard of its input, which is used up."""
        for weight in self.layers:
            y = activate(heard[:, : self.width].contiguous(memory_format=torch.channels_last), self.slope)
            rest = heard[:, self.width :]
            if rest.dtype == torch.bfloat16:  # slow to add where it does not lie densely
                rest = rest.contiguous(memory_format=torch.channels_last)
            heard = functional.conv2d(y, weight, padding=1).add_(rest)
        return activate(heard, self.slope)


def by_frequency(x: Tensor) -> Tensor:
    """Return a copy of ``[B, D, T, F]`` in which frequency lies last in memory."""
    n_batch, n_features, n_frames, n_bins = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(n_batch, -1, n_features)
    copies = [one.t().clone(memory_format=torch.contiguous_format) for one in rows]  # this is the fast way to transpose
    return (copies[0][None] if n_batch == 1 else torch.stack(copies)).view(n_batch, n_features, n_frames, n_bins)


def by_feature(x: Tensor) -> Tensor:
    """Return a copy of ``[B, D, T, F]`` in which features lie last in memory."""
    n_batch, n_features, n_frames, n_bins = x.shape
    copies = [one.t().contiguous() for one in x.reshape(n_batch, n_features, -1)]
    rows = copies[0][None] if n_batch == 1 else torch.stack(copies)
    return rows.view(n_batch, n_frames, n_bins, n_features).permute(0, 3, 1, 2)


class FastTdf:
    """The transformation of frequency of the way down, and the sum with its input."""

    def __init__(self, tdf: Tdf, dtype: torch.dtype) -> None:
        self.narrow, self.widen = (part.weight.detach().to(dtype) for part in (tdf.narrow, tdf.widen))
        self.norms = [affine(norm, dtype) for norm in (tdf.narrow_norm, tdf.widen_norm)]
        self.slope = slope_of(tdf.activation)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x + tdf(x)``."""
        rows = by_frequency(x)
        (narrow_factor, narrow_summand), (factor, summand) = self.norms
        hidden = functional.linear(rows, self.narrow).mul_(narrow_factor).add_(narrow_summand)
        y = torch.matmul(activate(hidden, self.slope), self.widen.t(), out=rows)
        return by_feature(activate(y.mul_(factor).add_(summand), self.slope)).add_(x)


class FastLasaft:
    """LaSAFT of the way up, and the sum with its input."""

    def __init__(self, block: LightLasaft, dtype: torch.dtype) -> None:
        self.attention = FastAttention(block, dtype)
        self.n_latent, self.slope = block.n_latent, slope_of(block.activation)
        by_source = block.narrow.weight.unflatten(0, (-1, block.n_latent)).transpose(0, 1)  # latent index slowest
        self.narrow = by_source.flatten(0, 1).to(dtype).contiguous()
        self.widen = block.widen.weight.detach().to(dtype)
        self.norms = [affine(norm, dtype) for norm in (block.narrow_norm, block.widen_norm)]

    def __call__(self, x: Tensor, queries: Tensor) -> Tensor:
        """Return ``x + lasaft(x)``."""
        rows = by_frequency(x)
        weights = self.attention(rows, queries).to(x.dtype)[:, None, :, None]  # [B, 1, T or 1, 1, L]
        (narrow_factor, narrow_summand), (factor, summand) = self.norms
        values = functional.linear(rows, self.narrow).mul_(narrow_factor).add_(narrow_summand)
        values = activate(values, self.slope).unflatten(-1, (self.n_latent, -1))  # [B, D, T, L, hidden]
        chosen = (weights.expand(-1, values.shape[1], values.shape[2], -1, -1) @ values).squeeze(-2)
        y = torch.matmul(chosen.mul_(factor).add_(summand), self.widen.t(), out=rows)
        return by_feature(activate(y, self.slope)).add_(x)


class FastAttention:
    """The weights of the latent sources."""

    def __init__(self, block: LightLasaft, dtype: torch.dtype) -> None:
        self.trained = block.attention
        key = block.attention.key
        self.key: tuple[Tensor, ...] | None = None
        if isinstance(key, ListeningKey):
            weight, bias = fold(key.conv, key.norm)
            self.key = tuple(
                one.to(dtype) for one in (weight.flatten(1), bias[:, None], key.linear.weight, key.linear.bias)
            )

    def __call__(self, rows: Tensor, queries: Tensor) -> Tensor:
        """Return float32 weights ``[B, T or 1, L]`` for ``[B, D, T, F]`` in which frequency lies last."""
        trained, flat = self.trained, rows.flatten(2)
        if isinstance(trained.query, ListeningQuery):
            mixed = trained.query.generator(queries)  # [B, D + 1]
            heard = (mixed[:, None, :-1].to(rows.dtype) @ flat).view_as(rows[:, 0])
            query = trained.query.attend(heard.float() + mixed[:, -1, None, None])
        else:
            query = trained.query(queries)[:, None]  # [B, 1, K]
        if self.key is None:
            assert isinstance(trained.key, nn.Parameter)
            scores = query @ trained.key
        else:
            conv, conv_bias, linear, linear_bias = self.key
            latent = (conv @ flat).add_(conv_bias).relu_().unflatten(-1, rows.shape[2:])  # [B, L, T, F]
            keys = functional.linear(latent, linear, linear_bias)  # [B, L, T, K]
            scores = (keys.float() * query[:, None]).sum(dim=-1).mT
        return (scores * trained.scale).softmax(dim=-1)


def modulate_rows(x: Tensor, weights: Tensor) -> Tensor:
    """Gate features that lie last in memory, as `latent_attention.modulate` does.

    Args:
        x: ``[B, D, T, F]``.
        weights: ``[B, D * D + D]``.
    """
    n_features = x.shape[1]
    gated = []
    for rows, one in zip(x.permute(0, 2, 3, 1), weights, strict=True):
        matrix, bias = one[: n_features**2].view(n_features, -1), one[n_features**2 :]
        flat = rows.reshape(-1, n_features)
        gated.append(torch.addmm(bias.to(x.dtype), flat, matrix.to(x.dtype)).sigmoid_().mul_(flat).view_as(rows))
    return torch.stack(gated).permute(0, 3, 1, 2) if len(gated) > 1 else gated[0][None].permute(0, 3, 1, 2)
