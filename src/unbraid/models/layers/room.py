"""Whether a mixture has room for a sound: energy in the bands that hold the energy of its examples. Ours.

A sound cannot hide where the mixture has nothing: if it plays, the mixture has energy wherever the sound has. So
spectra are compared as wholes, and what counts are the bands where the mixture has least of what the sound would need.

Axes: B batch, S stems, C channels, F bins, T frames, K bands.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unbraid.audio.mel import mel_filter_bank

N_BANDS = 64
N_NUMBERS = 3  # of `room_evidence`
SHARE = 0.1  # of a sound's energy, in the bands that decide
FLOOR = 1e-3  # of the energy in the strongest band; what is fainter counts as this


class Envelope(nn.Module):
    """The mean energy of a sound in mel bands.

    Args:
        sample_rate: of the sound.
        n_fft: of its spectrograms.

    Example:
        >>> Envelope(22050, 1024)(torch.ones(3, 2, 513, 9, dtype=torch.complex64)).shape
        torch.Size([3, 64])
    """

    bank: Tensor

    def __init__(self, sample_rate: int, n_fft: int) -> None:
        super().__init__()
        bank = mel_filter_bank(sample_rate=sample_rate, n_fft=n_fft, n_mels=N_BANDS)
        self.register_buffer("bank", bank, persistent=False)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map complex ``[..., C, F, T]`` to ``[..., K]``."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            bands: Tensor = spectrogram.abs().square().mean(dim=(-3, -1)) @ self.bank.T
        return bands


def unit(envelope: Tensor) -> Tensor:
    """Return envelopes ``[..., K]`` of any level as shares that add up to 1; zeros for silence.

    Example:
        >>> unit(torch.tensor([[3.0, 1.0], [0.0, 0.0]]))
        tensor([[0.7500, 0.2500],
                [0.0000, 0.0000]])
    """
    return envelope / envelope.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def room(*, sound: Tensor, place: Tensor) -> Tensor:
    """Tell how much of what a sound needs there is in a place, where there is least: 0 where both are alike.

    Bands are put in the order of how much less of its energy the place has in them than the sound. The first of them,
    which hold `SHARE` of the sound's energy, are averaged, as logarithms to the base of ten.

    Args:
        sound: shares of its energy, ``[..., K]``; see `unit`.
        place: likewise.

    Returns:
        ``[...]``, from about -5.

    Example:
        >>> low, all_bands = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.full((4,), 0.25)
        >>> [round(float(one), 1) for one in (room(sound=low, place=all_bands), room(sound=all_bands, place=low))]
        [-0.3, -2.7]
    """
    difference = _log(place) - _log(sound)
    order = difference.argsort(dim=-1)
    difference, energy = difference.gather(-1, order), sound.gather(-1, order)
    before = energy.cumsum(dim=-1) - energy
    counted = torch.minimum((SHARE - before).clamp_min(0), energy)
    return (counted * difference).sum(dim=-1) / SHARE


def room_evidence(*, level: Tensor, examples: Tensor, mixture: Tensor, estimate: Tensor) -> Tensor:
    """Gather what tells whether a target sounds.

    The numbers are: the level of the estimate; the room for the examples in the mixture; and the room for the mixture
    in the estimate, which is little where the estimate is something of its own.

    Args:
        level: of estimates, see `resemblance.relative_level`, ``[B, S]``.
        examples: envelopes ``[S, K]``, or ``[B, S, K]``.
        mixture: envelopes ``[B, K]``.
        estimate: envelopes ``[B, S, K]``.

    Returns:
        ``[B, S, N_NUMBERS]``.
    """
    wanted, whole, drawn = torch.broadcast_tensors(unit(examples), unit(mixture)[:, None], unit(estimate))
    return torch.stack([level, room(sound=wanted, place=whole), room(sound=whole, place=drawn)], dim=-1)


def judge_room(evidence: Tensor, weights: Sequence[float]) -> Tensor:
    """Turn evidence ``[..., N_NUMBERS]`` into logits ``[...]``, by slopes and a bias that were fitted."""
    *slopes, bias = weights
    return (evidence * evidence.new_tensor(slopes)).sum(dim=-1) + bias


def _log(envelope: Tensor) -> Tensor:
    floor = FLOOR * envelope.amax(dim=-1, keepdim=True).clamp_min(1 / N_BANDS)
    return (envelope + floor).log10()
