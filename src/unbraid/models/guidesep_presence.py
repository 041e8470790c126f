"""How sure GuideSep is that a target sounds: by how well what points at it fits the mixture in its place only. Ours.

A guide is laid over the mixture where it belongs, and elsewhere: at other times, in other keys, on other bands. A guide
of something that sounds agrees with the mixture where it belongs better than elsewhere; that of another song does not.
No network has a part in this.

Axes: B batch, F bins, P pitches or bands, T frames, K mel bands, N samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.guides.mask_grid import SAMPLE_RATE, hear_mel
from unbraid.guides.melody import contrasted, melody_of, news, sharpened
from unbraid.guides.melody_salience import PITCHES_PER_SEMITONE

TINY = 1e-10
N_MELODY, N_MASK = 4, 3  # numbers of `melody_evidence` and `mask_evidence`
SEMITONE, OCTAVE = PITCHES_PER_SEMITONE, 12 * PITCHES_PER_SEMITONE
LOOSE = 5  # frames of a melody, a fifth of a second, that a mimicry may be early or late
FARTHEST = 43  # frames that it is moved to either side, to see how it fits elsewhere
HIGHEST = OCTAVE + SEMITONE  # pitches that it is moved up and down
NEAR_FRAMES, FAR_FRAMES = 8, 60  # of mel spectrograms: what is the same moment, and how far images are moved
NEAR_BANDS, FAR_BANDS = 1, 12
AROUND = (13, 25)  # bands and frames that a bin is to stand out from
EVEN = 0.1  # length of an image; a shorter one is even but for rounding
RANGE = 1e-3  # of a mel spectrogram's largest magnitude; what is fainter counts as this


def likeness(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Tell how well estimates are found again in mixtures: their coherence in small patches, 0..1.

    Patches are 3 bins by 5 frames and count by the magnitude of the estimate. A sound that is there stands out in its
    bins, and is coherent with the mixture; one that was made up is not. Silence scores 0.

    Args:
        estimate: complex ``[B, F, T]``.
        mixture: likewise.

    Returns:
        ``[B]``.

    Example:
        >>> sound = torch.randn(1, 8, 10, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
        >>> likeness(sound, 2 * sound)
        tensor([1.])
    """

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values[:, None], (3, 5), stride=1, padding=(1, 2))[:, 0]

    both = estimate * mixture.conj()
    cross = torch.hypot(mean(both.real), mean(both.imag))
    energy = mean(estimate.abs().square()) * mean(mixture.abs().square())
    weights = estimate.abs()
    total = (cross / (energy + TINY**2).sqrt() * weights).sum(dim=(1, 2)) / (weights.sum(dim=(1, 2)) + TINY)
    return total.clamp(0, 1)


def melody_evidence(mimicry: Tensor, mixture: Tensor) -> Tensor:
    """Gather what a mimicry tells of whether its target sounds.

    The numbers are: how much of what the mimicry plays sounds in the mixture, in whatever octave; how far its agreement
    with what is new there stands out from that in other keys and at other times, in standard deviations; how much
    better the key agrees than others; and how much better the moment does, pitch or not.

    Args:
        mimicry: ``[B, N]``.
        mixture: likewise.

    Returns:
        ``[B, N_MELODY]``; zeros where one of them is silent.
    """
    sounds = (mimicry.abs().amax(dim=1) > 0) & (mixture.abs().amax(dim=1) > 0)
    pitches = torch.stack([_pitch_evidence(*pair) for pair in zip(mimicry.cpu(), mixture.cpu(), strict=True)])
    moments = _agreement(_local(hear_mel(mimicry).sqrt()), _local(_log(hear_mel(mixture))))
    return torch.cat([pitches.to(mixture.device), _over_times(moments)[0][:, None]], dim=1) * sounds[:, None]


def mask_evidence(positive: Tensor, mixture: Tensor) -> Tensor:
    """Gather what a positive mask tells of whether its target sounds.

    The numbers are: how much better what is painted agrees with the mixture than it would at any other time, as it is,
    and as it stands out from what is around; and how much better it does the latter than on other bands.

    Args:
        positive: ``[B, K, T]``, T at most the frames of the mixture.
        mixture: ``[B, N]``.

    Returns:
        ``[B, N_MASK]``; zeros where nothing is painted or the mixture is silent.
    """
    heard = _log(hear_mel(mixture))
    painted = functional.pad(positive, (0, heard.shape[-1] - positive.shape[-1]))
    whole = _agreement(*(one - one.mean(dim=(1, 2), keepdim=True) for one in (painted, heard)))
    local = _agreement(_local(painted), _local(heard))
    column = local[:, :, FAR_FRAMES]
    bands = torch.cat([column[:, : FAR_BANDS - NEAR_BANDS], column[:, FAR_BANDS + NEAR_BANDS + 1 :]], dim=1)
    in_place = column[:, FAR_BANDS] - bands.mean(dim=1)
    found = torch.stack([_over_times(whole)[1], _over_times(local)[1], in_place], dim=1)
    return found * (mixture.abs().amax(dim=1) > 0)[:, None]


def judge(evidence: Sequence[Tensor], weights: Sequence[tuple[float, ...]]) -> Tensor:
    """Turn evidence into probabilities ``[B]``; of several guides, the logits are averaged.

    Where no guide says anything, nothing is asked for, and so nothing is there.

    Args:
        evidence: of each guide, ``[B, n]``.
        weights: for each guide, fitted: n slopes, and a bias.

    Example:
        >>> judge([torch.tensor([[1.0, 1.0], [0.0, 0.0]])], [(1.0, -1.0, 0.0)])
        tensor([0.5000, 0.0000])
    """
    rows = [torch.tensor(row, device=found.device) for found, row in zip(evidence, weights, strict=True)]
    logits = torch.stack([found @ row[:-1] + row[-1] for found, row in zip(evidence, rows, strict=True)])
    told = torch.stack([found.abs().amax(dim=1) > 0 for found in evidence])
    return ((logits * told).sum(dim=0) / told.sum(dim=0).clamp_min(1)).sigmoid() * told.any(dim=0)


def _pitch_evidence(mimicry: Tensor, mixture: Tensor) -> Tensor:
    """Return the three numbers about pitches, of ``[N]`` and ``[N]``."""
    guide, song = (melody_of([one[None]], SAMPLE_RATE) for one in (mimicry, mixture))
    wanted, n_frames = torch.from_numpy(sharpened(guide)), len(song.salience)
    n_heard = wanted.any(dim=1).sum().clamp_min(1)
    sounding, fresh = (
        _correlate(wanted.T, torch.from_numpy(one(song, 0, n_frames)).T, reach=(HIGHEST, FARTHEST)) / n_heard
        for one in (contrasted, news)
    )
    own_key, any_octave, other_keys = _by_key(sounding)
    _, place, strange_keys = _by_key(fresh)
    elsewhere = torch.cat([strange_keys, _at_other_times(fresh)])
    height = (place - elsewhere.mean()) / (elsewhere.std() + 1e-3)
    return torch.stack([any_octave, height, own_key - other_keys.mean()])


def _by_key(agreement: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best of ``[2 HIGHEST + 1, 2 FARTHEST + 1]`` in place: as it is, in any octave, and in 20 keys."""
    pitches = agreement[:, FARTHEST - LOOSE : FARTHEST + LOOSE + 1].amax(dim=1)
    octaves = [pitches[at - SEMITONE : at + SEMITONE + 1].amax() for at in (SEMITONE, HIGHEST, HIGHEST + OCTAVE)]
    keys = pitches[SEMITONE + 2 : -SEMITONE - 2].unfold(0, SEMITONE, SEMITONE).amax(dim=1)  # 11 down to 11 up
    return octaves[1], torch.stack(octaves).amax(), torch.cat([keys[:10], keys[-10:]])


def _at_other_times(agreement: Tensor) -> Tensor:
    """Return the best of ``[2 HIGHEST + 1, 2 FARTHEST + 1]`` in the same key, at six times before and six behind."""
    frames = agreement[HIGHEST - SEMITONE : HIGHEST + SEMITONE + 1].amax(dim=0)
    times = frames.unfold(0, 2 * LOOSE + 1, LOOSE).amax(dim=1)
    return torch.cat([times[:6], times[-6:]])


def _correlate(guide: Tensor, heard: Tensor, *, reach: tuple[int, int]) -> Tensor:
    """Return the sum of products of ``[..., P, T]`` and ``[..., P, T]`` for every way to move the first one.

    Args:
        guide: what is moved.
        heard: what it is laid over; silence is around it.
        reach: how far up and down, and how far to earlier and later.

    Returns:
        ``[..., 2 * reach[0] + 1, 2 * reach[1] + 1]``: in the middle, it is in its place.
    """
    size = [n + far for n, far in zip(guide.shape[-2:], reach, strict=True)]
    spectra = torch.fft.rfft2(heard, size) * torch.fft.rfft2(guide, size).conj()
    sums: Tensor = torch.fft.irfft2(spectra, size).roll(reach, dims=(-2, -1))
    return sums[..., : 2 * reach[0] + 1, : 2 * reach[1] + 1]


def _agreement(guide: Tensor, heard: Tensor) -> Tensor:
    """Return the cosine of images ``[B, K, T]`` for every way to move the first one by bands and frames."""
    lengths = [torch.linalg.vector_norm(one, dim=(1, 2), keepdim=True).clamp_min(EVEN) for one in (guide, heard)]
    cosine: Tensor = _correlate(guide, heard, reach=(FAR_BANDS, FAR_FRAMES)) / lengths[0] / lengths[1]
    return cosine


def _over_times(agreement: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much more ``[B, ...]`` is in its place than at other times: than their mean, and the best of them."""
    row = agreement[:, FAR_BANDS]
    others = torch.cat([row[:, : FAR_FRAMES - NEAR_FRAMES], row[:, FAR_FRAMES + NEAR_FRAMES + 1 :]], dim=1)
    return row[:, FAR_FRAMES] - others.mean(dim=1), row[:, FAR_FRAMES] - others.amax(dim=1)


def _log(mel: Tensor) -> Tensor:
    """Return the logarithms of magnitudes ``[B, K, T]``, with a floor; silence is even."""
    return (mel + RANGE * mel.amax(dim=(1, 2), keepdim=True) + TINY).log()


def _local(image: Tensor) -> Tensor:
    """Return how far the bins of ``[B, K, T]`` stand out from what is around them."""
    bands, frames = AROUND
    padded = functional.pad(image[:, None], (frames // 2, frames // 2, bands // 2, bands // 2), mode="replicate")
    around = functional.avg_pool2d(functional.avg_pool2d(padded, (bands, 1), 1), (1, frames), 1)  # as one, but faster
    return image - around[:, 0]
