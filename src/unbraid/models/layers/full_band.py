"""From a narrow mono estimate to a stem with the mixture's channels and its full band.

The estimate, 8 kHz wide, is of the mean of the channels. Below 7.2 kHz it tells how loud target and rest are in every
bin; where they sit between the channels is learned from the mixture, and a multichannel Wiener filter draws the target
out (Duong, Vincent, Gribonval, "Under-determined reverberant audio source separation using a full-rank spatial
covariance model", TASLP 2010, with covariances that are real). What the estimate says of the wave itself is one more
observation of the same Gaussian model. Above, the mixture's power is shared between target and rest as the envelopes of
both just below explain it, by non-negative regression (multiplicative updates for the divergence of Kullback and
Leibler: Lee, Seung, "Algorithms for non-negative matrix factorization", NIPS 2000).

Axes: B batch, C channels, N samples, n samples at 16 kHz, F bins, T frames, K bands.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.stft import Stft
from unbraid.errors import AudioError

SAMPLE_RATE, NARROW_RATE = 44100, 16000
HOP, NARROW_HOP = 882, 320  # 20 ms at either rate, so bins and frames of the two agree; windows are 4 hops
EDGE = 576  # first bin, of 12.5 Hz, that the estimate says nothing of: resampling fades out above 7.2 kHz
HEARD = (320, 440, EDGE)  # bins between which envelopes are heard: 4, 5.5 and 7.2 kHz
GUESSED = (EDGE, 720, 900, 1125, 1406, 2 * HOP + 1)  # and between which they are to be explained, up to 22.05 kHz
N_UPDATES = 20
ISOTROPIC = 0.01  # share of every covariance that has no direction
EPS = 1e-10  # of power, where the mean power of the louder of the two waveforms is 1


def full_band(estimate: Tensor, mixture: Tensor, *, doubt: float = 2.0) -> Tensor:
    """Draw a stem out of all channels of a mixture, guided by a narrow estimate of the mean of its channels.

    No bin of the stem has more power, summed over channels, than the mixture has there. Frames in which the estimate
    is silent are silent. The residual is what is left of the mixture, ``mixture - stem``.

    Args:
        estimate: ``[B, n]`` at 16 kHz, at the level that the target has in the mean of the channels.
        mixture: ``[B, C, N]`` at 44.1 kHz; neither is modified.
        doubt: how wrong the wave of the estimate may be, as a ratio of power to what its magnitude alone leaves open;
            0 takes the wave as it is, infinity takes the magnitude only.

    Returns:
        ``[B, C, N]`` float32.

    Raises:
        AudioError: if shapes or durations do not fit, or the doubt is negative.

    Example:
        >>> mixture = torch.rand(1, 2, 44100)
        >>> full_band(torch.zeros(1, 16000), mixture).abs().max()
        tensor(0.)
    """
    check(estimate, mixture, doubt)
    with torch.autocast(mixture.device.type, enabled=False):
        level = loudest(estimate.float(), mixture.float())
        narrow, whole = analyze(estimate.float() / level[:, None], mixture.float() / level[:, None, None])
        low = whole[..., :EDGE, :]
        stem = wiener(narrow, low, first=ratio_mask(narrow, low) * low, doubt=doubt)
        stem = torch.cat([stem, shares_above(stem, whole) * whole[..., EDGE:, :]], dim=-2)
        waveform = Stft(4 * HOP, HOP).to(stem.device).inverse(stem, length=mixture.shape[-1])
        return waveform * level[:, None, None]


def loudest(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Return the root mean square ``[B]`` of ``[B, n]`` or of ``[B, C, N]``, whichever is more; never zero.

    Example:
        >>> loudest(torch.zeros(1, 2), torch.full((1, 2, 4), -0.5))
        tensor([0.5000])
    """
    squares = torch.stack([one.flatten(1).square().sum(dim=1) / max(1, one[0].numel()) for one in (estimate, mixture)])
    return squares.amax(dim=0).sqrt().clamp_min(torch.finfo(torch.float32).tiny)


def check(estimate: Tensor, mixture: Tensor, doubt: float) -> None:
    """Raise AudioError if `full_band` cannot work on these."""
    if estimate.ndim != 2 or mixture.ndim != 3 or len(estimate) != len(mixture) or not mixture.numel():
        raise AudioError(
            f"the estimate must be [B, n] and the mixture [B, C, N], neither empty: "
            f"got {tuple(estimate.shape)} and {tuple(mixture.shape)}"
        )
    seconds = estimate.shape[-1] / NARROW_RATE, mixture.shape[-1] / SAMPLE_RATE
    if abs(seconds[0] - seconds[1]) > HOP / SAMPLE_RATE:
        raise AudioError(
            f"the estimate lasts {seconds[0]:.3f} s and the mixture {seconds[1]:.3f} s: "
            f"give the first at {NARROW_RATE} Hz and the second at {SAMPLE_RATE} Hz, of the same sound"
        )
    if not doubt >= 0:
        raise AudioError(f"the doubt about an estimate must be 0 or more, got {doubt}")


def analyze(estimate: Tensor, mixture: Tensor) -> tuple[Tensor, Tensor]:
    """Transform both, with windows of 80 ms: complex ``[B, EDGE, T]`` and ``[B, C, F, T]`` on one scale.

    Example:
        >>> narrow, whole = analyze(torch.ones(1, 16000), torch.ones(1, 2, 44100))
        >>> narrow.shape, whole.shape, bool((narrow[0, 0, 9] - whole[0, 0, 0, 9]).abs() < 0.01)
        (torch.Size([1, 576, 51]), torch.Size([1, 2, 1765, 51]), True)
    """
    whole = Stft(4 * HOP, HOP).to(mixture.device)(mixture)
    n_samples = (whole.shape[-1] - 1) * NARROW_HOP
    padded = functional.pad(estimate, (0, n_samples - estimate.shape[-1]))
    narrow = Stft(4 * NARROW_HOP, NARROW_HOP).to(estimate.device)(padded)
    return narrow[:, :EDGE] * (SAMPLE_RATE / NARROW_RATE), whole


def ratio_mask(narrow: Tensor, low: Tensor) -> Tensor:
    """Return the Wiener mask ``[B, 1, F, T]`` of the estimate ``[B, F, T]`` in the mean of ``[B, C, F, T]``."""
    target, rest = power(narrow), power(low.mean(dim=1) - narrow)
    return (target / (target + rest + EPS))[:, None]


def wiener(narrow: Tensor, low: Tensor, *, first: Tensor, doubt: float) -> Tensor:
    """Filter the target out of all channels.

    In every band the covariances of target and rest are diagonalized together, so that the filter is a ratio mask on
    each of C mixtures of the channels.

    Args:
        narrow: estimate of the mean of the channels, ``[B, F, T]``.
        low: mixture ``[B, C, F, T]``.
        first: a first guess of the target, of the same shape, from which the covariances are taken.
        doubt: see `full_band`.

    Returns:
        ``[B, C, F, T]``, in no bin louder than the mixture.
    """
    target, rest = power(narrow), power(low.mean(dim=1) - narrow)
    bands = auditory_bands(low.shape[-2]).to(low.device)
    away, back, ratio = diagonalize(
        covariance(first, target, bands), covariance(low - first, rest, bands)
    )  # [B, K, C, C] twice, and [B, K, C]
    latent = torch.einsum("bfij,bjft->bift", away[:, bands].to(low.dtype), low)
    loud = ratio[:, bands].transpose(1, 2)[..., None] * target[:, None]  # [B, C, F, T]
    share = loud / (loud + rest[:, None] + EPS)
    found = share * latent
    weight = back[:, bands].mean(dim=-2).transpose(1, 2)[..., None]  # of each in the mean of the channels
    lever = weight * share * rest[:, None]
    missing = narrow - (weight * found).sum(dim=1)
    open_power = (weight * lever).sum(dim=1)
    found = found + lever * (missing / (open_power + EPS) / (1 + doubt))[:, None]
    stem = torch.einsum("bfij,bjft->bift", back[:, bands].to(low.dtype), found)
    limit = power(low).sum(dim=1, keepdim=True) / power(stem).sum(dim=1, keepdim=True).clamp_min(EPS)
    return stem * limit.clamp(max=1).sqrt()


def shares_above(stem: Tensor, whole: Tensor) -> Tensor:
    """Guess which share of the mixture above `EDGE` belongs to the target: ``[B, C, F - EDGE, T]`` in 0..1.

    Envelopes of target and rest in the highest bands that are known are added up, in each band above with weights of
    its own, to explain the mixture there. The weights are the same for all channels: a target that sits on the left
    below sits on the left above. They begin where the balance is that of the bands below.

    Args:
        stem: what was drawn out below, ``[B, C, EDGE, T]``.
        whole: mixture ``[B, C, F, T]``.
    """
    heard = [in_bands(power(one), HEARD) for one in (stem, whole[..., :EDGE, :] - stem)]
    n_batch, n_channels, n_heard, n_frames = heard[0].shape
    known = torch.cat([one.transpose(1, 2).flatten(2) for one in heard], dim=1)  # [B, 2K, CT]
    wanted = in_bands(power(whole), GUESSED).transpose(1, 2).flatten(2)
    total = known.sum(dim=-1)  # [B, 2K]
    known = known / (total[..., None] + EPS)
    weights = wanted.sum(dim=-1, keepdim=True) * (total / (total.sum(dim=-1, keepdim=True) + EPS))[:, None]
    for _ in range(N_UPDATES):
        weights = weights * ((wanted / (weights @ known + EPS)) @ known.transpose(1, 2))
    target = weights[..., :n_heard] @ known[:, :n_heard]
    rest = weights[..., n_heard:] @ known[:, n_heard:]
    shares = (target / (target + rest + EPS)).view(n_batch, -1, n_channels, n_frames).transpose(1, 2)
    widths = torch.tensor(GUESSED, device=whole.device).diff()
    return shares.repeat_interleave(widths, dim=-2)


def power(spectrogram: Tensor) -> Tensor:
    """Return squared magnitudes."""
    return spectrogram.real.square() + spectrogram.imag.square()


def in_bands(powers: Tensor, edges: tuple[int, ...]) -> Tensor:
    """Sum powers ``[..., F, T]`` between bins: ``[..., K, T]``."""
    return torch.stack([powers[..., start:stop, :].sum(dim=-2) for start, stop in itertools.pairwise(edges)], dim=-2)


def auditory_bands(n_bins: int) -> Tensor:
    """Number the band of each bin of 12.5 Hz: one band for every equivalent rectangular bandwidth.

    Source: Glasberg, Moore, "Derivation of auditory filter shapes from notched-noise data", Hearing Research 1990.

    Example:
        >>> auditory_bands(576)[[0, 1, 2, 3, 575]]
        tensor([ 0,  0,  0,  1, 32])
    """
    hertz = torch.arange(n_bins) * (SAMPLE_RATE / (4 * HOP))
    return (21.4 * torch.log10(1 + 0.00437 * hertz)).long()


def covariance(image: Tensor, powers: Tensor, bands: Tensor) -> Tensor:
    """Return the covariances of the channels of ``[B, C, F, T]`` over powers ``[B, F, T]``: real, ``[B, K, C, C]``."""
    n_batch, n_channels = image.shape[:2]
    parts = torch.view_as_real(image).transpose(1, 2).flatten(3)  # [B, F, C, 2T]
    outer = parts @ parts.transpose(-1, -2)
    n_bands = int(bands[-1]) + 1
    sums = outer.new_zeros(n_batch, n_bands, n_channels, n_channels).index_add_(1, bands, outer)
    totals = powers.new_zeros(n_batch, n_bands).index_add_(1, bands, powers.sum(dim=-1))
    return sums / (totals[..., None, None] + EPS)


def diagonalize(target: Tensor, rest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Diagonalize covariances ``[B, K, C, C]`` together.

    Returns:
        What takes channels to where both are diagonal, what takes them back, both ``[B, K, C, C]``, and the powers of
        the target there, ``[B, K, C]``, where those of the rest are 1.
    """
    one = torch.eye(target.shape[-1], device=target.device)

    def whole_rank(matrix: Tensor) -> Tensor:
        mean = matrix.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
        return matrix + ISOTROPIC * (mean + 1e-6) * one

    root = torch.linalg.cholesky(whole_rank(rest))
    half = torch.linalg.solve_triangular(root, whole_rank(target), upper=False)
    seen = torch.linalg.solve_triangular(root, half.transpose(-1, -2), upper=False)
    powers, axes = torch.linalg.eigh((seen + seen.transpose(-1, -2)) / 2)
    back = root @ axes
    away = torch.linalg.solve_triangular(root.transpose(-1, -2), axes, upper=True).transpose(-1, -2)
    return away, back, powers.clamp_min(0)
