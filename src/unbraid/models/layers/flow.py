"""Layers of a normalizing flow on frames: each has an exact inverse, and tells how much it stretches space.

Source: Kingma, Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", NeurIPS 2018, section 3; couplings
by a WaveNet without conditioning: Prenger, Valle, Catanzaro, "WaveGlow", ICASSP 2019; the convolution in small groups:
Kim et al., "Glow-TTS", NeurIPS 2020, section 3.2.

``forward`` goes from data to latents, ``inverse`` back. Both answer with the result and the logarithm of the absolute
determinant of their Jacobian, ``[B]``. A mask ``[B, 1, T]`` of ones and zeros tells which frames count; None is all.

Axes: B batch, C channels, T frames, D hidden features, G channels of a group, J groups.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST_VARIANCE = 1e-6
SIGMOID_SHIFT, SIGMOID_FLOOR = 2.0, 1e-6

Moved = tuple[Tensor, Tensor]


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """Set frames that do not count to zero."""
    return x if mask is None else x * mask


def count_frames(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return how many frames ``[B]`` of ``[B, C, T]`` count.

    Example:
        >>> count_frames(torch.zeros(1, 2, 3), None), count_frames(torch.zeros(1, 2, 3), torch.tensor([[[1.0, 1, 0]]]))
        (tensor([3.]), tensor([2.]))
    """
    return x.new_full((len(x),), x.shape[-1]) if mask is None else mask.sum(dim=(1, 2))


def squeeze(x: Tensor, factor: int) -> Tensor:
    """Put neighboring frames on top of each other: ``[B, C, T]`` to ``[B, factor C, T / factor]``, first ones first.

    Frames that are left over at the end are cut off.

    Example:
        >>> squeeze(torch.arange(5.0).view(1, 1, 5), 2)
        tensor([[[0., 2.],
                 [1., 3.]]])
    """
    n_batch, n_channels, n_frames = x.shape
    kept = n_frames // factor
    folded = x[..., : kept * factor].reshape(n_batch, n_channels, kept, factor)
    return folded.permute(0, 3, 1, 2).reshape(n_batch, factor * n_channels, kept)


def unsqueeze(x: Tensor, factor: int) -> Tensor:
    """Undo `squeeze`.

    Example:
        >>> unsqueeze(torch.tensor([[[0.0, 2.0], [1.0, 3.0]]]), 2)
        tensor([[[0., 1., 2., 3.]]])
    """
    n_batch, n_channels, n_frames = x.shape
    folded = x.reshape(n_batch, factor, n_channels // factor, n_frames)
    return folded.permute(0, 2, 3, 1).reshape(n_batch, n_channels // factor, n_frames * factor)


class NormedConv1d(nn.Module):
    """A convolution over frames that keeps their number; its filters have lengths and directions of their own.

    While nobody learns it, the filters are put together once.

    Example:
        >>> NormedConv1d(3, 4, kernel_size=5, dilation=2)(torch.zeros(1, 3, 7)).shape
        torch.Size([1, 4, 7])
    """

    def __init__(self, n_inputs: int, n_outputs: int, *, kernel_size: int = 1, dilation: int = 1) -> None:
        super().__init__()
        plain = nn.Conv1d(n_inputs, n_outputs, kernel_size)
        assert plain.bias is not None
        self.direction = nn.Parameter(plain.weight.detach().clone())
        self.length = nn.Parameter(self.direction.detach().norm(dim=(1, 2), keepdim=True))
        self.bias = nn.Parameter(plain.bias.detach().clone())
        self.dilation = dilation
        self.padding = dilation * (kernel_size - 1) // 2
        self._state: tuple[tuple[int, int], ...] = ()
        self._weight: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, n_inputs, T]`` to ``[B, n_outputs, T]``."""
        return functional.conv1d(x, self.filters(), self.bias, padding=self.padding, dilation=self.dilation)

    def filters(self) -> Tensor:
        """Return the filters ``[n_outputs, n_inputs, kernel_size]``."""
        sources = (self.length, self.direction)
        if self.length.requires_grad or any(source.is_inference() for source in sources):
            return self._combine()
        state = tuple((source.data_ptr(), source._version) for source in sources)
        if self._weight is None or state != self._state:
            with torch.inference_mode(mode=False), torch.no_grad():  # searches take gradients through it
                self._state, self._weight = state, self._combine()
        return self._weight

    def _combine(self) -> Tensor:
        norms: Tensor = self.direction.norm(dim=(1, 2), keepdim=True)
        return self.direction * (self.length / norms)


class ActNorm(nn.Module):
    """A scale and a shift for each channel, which begin as what whitens one batch (`initialize`).

    Example:
        >>> norm = ActNorm(1)
        >>> norm.initialize(torch.tensor([[[1.0, 5.0]]]))
        >>> norm(torch.tensor([[[1.0, 5.0]]]))[0]
        tensor([[[-1.,  1.]]], grad_fn=<AddBackward0>)
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1, n_channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, n_channels, 1))

    @torch.no_grad()
    def initialize(self, x: Tensor, mask: Tensor | None = None, *, variance_floor: float = 0.0) -> None:
        """Let every channel of ``[B, C, T]`` come out with mean 0 and variance 1, over the frames that count.

        Channels whose variance is below so many times the mean of all are scaled as if they had that.
        """
        n_frames = count_frames(x, mask).sum()
        mean = apply_mask(x, mask).sum(dim=(0, 2), keepdim=True) / n_frames
        variance = apply_mask((x - mean).square(), mask).sum(dim=(0, 2), keepdim=True) / n_frames
        smallest = (variance_floor * variance.mean()).clamp_min(SMALLEST_VARIANCE)
        self.log_scale.copy_(-0.5 * variance.clamp_min(smallest).log())
        self.bias.copy_(-mean * self.log_scale.exp())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Moved:
        """Scale, then shift."""
        scaled = apply_mask(self.bias + self.log_scale.exp() * x, mask)
        return scaled, self.log_scale.sum() * count_frames(x, mask)

    def inverse(self, z: Tensor, mask: Tensor | None = None) -> Moved:
        """Undo `forward`."""
        scale = (-self.log_scale).exp()
        restored = apply_mask(z * scale - self.bias * scale, mask)
        return restored, -self.log_scale.sum() * count_frames(z, mask)


class GroupedMix(nn.Module):
    """One G x G matrix that mixes the channels of each of many small groups: an invertible 1x1 convolution.

    With ``G = n_split``, a group holds G / 2 neighbors of the first half of the channels, and those at the same place
    of the second half.

    Example:
        >>> mix = GroupedMix(n_channels=8, n_split=4)
        >>> x = torch.randn(1, 8, 3)
        >>> torch.allclose(mix.inverse(mix(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, n_channels: int, n_split: int) -> None:
        super().__init__()
        if n_split % 2 or n_channels % n_split:
            raise ValueError(f"{n_channels} channels cannot be mixed in groups of {n_split}: give an even divisor")
        weight = torch.linalg.qr(torch.randn(n_split, n_split)).Q
        signs = torch.ones(n_split)
        signs[0] = torch.linalg.det(weight).sign()
        self.weight = nn.Parameter((weight * signs).contiguous())  # in the order in which checkpoints hold moments
        self.n_split = n_split

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Moved:
        """Mix."""
        return self._mix(x, self.weight, mask), self._stretch(x) * count_frames(x, mask)

    def inverse(self, z: Tensor, mask: Tensor | None = None) -> Moved:
        """Undo `forward`."""
        return self._mix(z, torch.linalg.inv(self.weight), mask), -self._stretch(z) * count_frames(z, mask)

    def _stretch(self, x: Tensor) -> Tensor:
        stretch: Tensor = torch.linalg.slogdet(self.weight).logabsdet
        return stretch * (x.shape[1] // self.n_split)

    def _mix(self, x: Tensor, weight: Tensor, mask: Tensor | None) -> Tensor:
        n_batch, n_channels, n_frames = x.shape
        parts = (2, n_channels // self.n_split, self.n_split // 2, n_frames)
        groups = x.reshape(n_batch, *parts).transpose(2, 3).reshape(n_batch, self.n_split, -1)  # [B, G, J T]
        mixed = (weight @ groups).view(n_batch, 2, parts[2], parts[1], n_frames).transpose(2, 3)
        return apply_mask(mixed.reshape(n_batch, n_channels, n_frames), mask)


class Wavenet(nn.Module):
    """Dilated convolutions with gates, whose skipped parts add up.

    Args:
        n_hidden: D.
        kernel_size: odd.
        dilation_base: layer i has dilation ``dilation_base ** i``.
        n_layers: how many.
        dropout: share of gate inputs that is dropped in training.

    Example:
        >>> Wavenet(4, kernel_size=3, dilation_base=2, n_layers=2)(torch.zeros(1, 4, 9)).shape
        torch.Size([1, 4, 9])
    """

    def __init__(
        self, n_hidden: int, *, kernel_size: int, dilation_base: int, n_layers: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            NormedConv1d(n_hidden, 2 * n_hidden, kernel_size=kernel_size, dilation=dilation_base**layer)
            for layer in range(n_layers)
        )
        self.mixes = nn.ModuleList(
            NormedConv1d(n_hidden, (2 if layer < n_layers - 1 else 1) * n_hidden) for layer in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map ``[B, D, T]`` to ``[B, D, T]``."""
        n_hidden, skipped = hidden.shape[1], None
        for conv, mix in zip(self.convs, self.mixes, strict=True):
            value, gate = self.dropout(conv(hidden)).split(n_hidden, dim=1)
            *kept, skip = mix(value.tanh() * gate.sigmoid()).split(n_hidden, dim=1)  # the last layer keeps nothing
            skipped = skip if skipped is None else skipped + skip
            if kept:
                hidden = apply_mask(hidden + kept[0], mask)
        assert skipped is not None
        return apply_mask(skipped, mask)


class AffineCoupling(nn.Module):
    """Scales and shifts the second half of the channels by what a `Wavenet` hears in the first; begins as identity.

    Args:
        n_channels: C, even.
        wavenet: what listens, D features wide.
        n_hidden: D.
        sigmoid_scale: scales come out of a sigmoid, and stay below 1.

    Example:
        >>> wavenet = Wavenet(4, kernel_size=3, dilation_base=1, n_layers=2)
        >>> coupling = AffineCoupling(6, wavenet, n_hidden=4)
        >>> coupling(torch.ones(1, 6, 5))[1]
        tensor([0.], grad_fn=<SumBackward1>)
    """

    def __init__(self, n_channels: int, wavenet: Wavenet, *, n_hidden: int, sigmoid_scale: bool = False) -> None:
        super().__init__()
        self.first = NormedConv1d(n_channels // 2, n_hidden)
        self.wavenet = wavenet
        self.last = nn.Conv1d(n_hidden, n_channels, 1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        self.sigmoid_scale = sigmoid_scale

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Moved:
        """Scale, then shift."""
        kept, moved = x.chunk(2, dim=1)
        shift, log_scale = self._listen(kept, mask)
        moved = apply_mask(shift + log_scale.exp() * moved, mask)
        return torch.cat([kept, moved], dim=1), apply_mask(log_scale, mask).sum(dim=(1, 2))

    def inverse(self, z: Tensor, mask: Tensor | None = None) -> Moved:
        """Undo `forward`."""
        kept, moved = z.chunk(2, dim=1)
        shift, log_scale = self._listen(kept, mask)
        moved = apply_mask((moved - shift) * (-log_scale).exp(), mask)
        return torch.cat([kept, moved], dim=1), -apply_mask(log_scale, mask).sum(dim=(1, 2))

    def _listen(self, kept: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        hidden = self.wavenet(apply_mask(self.first(kept), mask), mask)
        shift, log_scale = self.last(hidden).chunk(2, dim=1)
        if self.sigmoid_scale:
            log_scale = (SIGMOID_FLOOR + (log_scale + SIGMOID_SHIFT).sigmoid()).log()
        return shift, log_scale
