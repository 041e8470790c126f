"""BSSEval v4: what is wrong with an estimate, told apart into space, interference and artifacts.

An estimate is projected onto all versions of its own reference that a short filter can make, and onto those of all
references together. What the first lacks of the reference is spatial distortion, what the second has beside the first
is interference, and what is left are artifacts. Filters are fitted once, to the whole signal; scores are taken frame by
frame, with the filters applied to each frame alone.

Source: Vincent, Gribonval, Févotte, "Performance measurement in blind audio source separation", 2006; Vincent et al.,
"First stereo audio source separation evaluation campaign", ICA 2007, for the images in several channels; Stöter,
Liutkus, Ito, "The 2018 signal separation evaluation campaign", 2018, section 3, for filters of the whole signal.

Axes: S stems, C channels, K = S * C, N samples, L taps, T frames, F bins, B blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LIMIT_DB = 100.0
SECOND = 44100
LOADING = 1e-15
BLOCKS_AT_ONCE = 16
FRAMES_AT_ONCE = 4
_FIT_SIZE = 8192  # of the transforms; those of the filters stay in the processor's cache
_APPLY_SIZE = 4096

Read = Callable[[int, int], tuple[Tensor, Tensor]]
"""From a range of samples to estimates and references, each ``[S, C, n]``."""


class BssScores(NamedTuple):
    """Signal to distortion, image to spatial distortion, signal to interference, signal to artifacts: decibels.

    Each is ``[..., S, T]``, one per stem and frame, or ``[..., S]`` after `median`.
    """

    sdr: Tensor
    isr: Tensor
    sir: Tensor
    sar: Tensor

    def median(self) -> BssScores:
        """Return the medians over frames; frames that are nan do not count, nan where all are."""
        return BssScores(*(score.nanquantile(0.5, dim=-1) for score in self))


@dataclass(frozen=True)
class Framing:
    """Where frames lie, and how long filters are; all in samples.

    A signal shorter than one window is one frame; what is left after the last whole frame is not scored.

    Args:
        window: length of a frame; museval has one second of 44.1 kHz.
        hop: from one frame to the next.
        filter_length: L, of the filters that are forgiven.

    Example:
        >>> Framing(window=4, hop=2).frames(9)
        [(0, 4), (2, 6), (4, 8)]
    """

    window: int = SECOND
    hop: int = SECOND
    filter_length: int = 512

    def __post_init__(self) -> None:
        if min(self.window, self.hop, self.filter_length) < 1:
            raise ValueError(f"{self}: window, hop and filter need one sample or more")

    def frames(self, n_samples: int) -> list[tuple[int, int]]:
        """Return the frames of a signal."""
        window = min(self.window, n_samples)
        return [(start, start + window) for start in range(0, n_samples - window + 1, self.hop)]


SECONDS = Framing()


def bss_eval(*, estimate: Tensor, reference: Tensor, framing: Framing = SECONDS) -> BssScores:
    """Score all stems of a mixture together, as museval does.

    A frame in which any estimate or reference is silent in all channels is nan for all stems.

    Args:
        estimate: ``[..., S, C, N]``, in the order of the references.
        reference: ``[..., S, C, N]``.
        framing: of a rate other than 44.1 kHz: its own window and hop.

    Returns:
        ``[..., S, T]``, held within plus and minus 100 dB.

    Raises:
        ValueError: if the shapes differ, or there are no samples.

    Example:
        >>> reference = torch.eye(2, 2000)[:, None]
        >>> scores = bss_eval(estimate=reference + 0.1 * reference.flip(0), reference=reference)
        >>> scores.median().sdr.round()
        tensor([20., 20.], dtype=torch.float64)
    """
    if estimate.shape != reference.shape or estimate.ndim < 3:
        raise ValueError(
            f"estimates {tuple(estimate.shape)} and references {tuple(reference.shape)}: give both as "
            "[..., stems, channels, samples]"
        )
    if reference.shape[-1] == 0:
        raise ValueError("there is nothing to score: the signals have no samples")
    if reference.ndim == 3:
        return _score_tensors(estimate, reference, framing)
    items = [
        bss_eval(estimate=one, reference=truth, framing=framing) for one, truth in zip(estimate, reference, strict=True)
    ]
    return BssScores(*(torch.stack(scores) for scores in zip(*items, strict=True)))


def bss_eval_stream(read: Read, *, n_samples: int, framing: Framing = SECONDS) -> BssScores:
    """Score recordings of any length in bounded memory; the same numbers as `bss_eval`.

    They are read twice, in order, a few seconds at a time: to fit the filters, and to score the frames. Memory does not
    grow with the length; the system of all filters takes ``(S * C * L)^2`` numbers (128 MiB for four stereo stems),
    twice.

    Args:
        read: returns estimates and references ``[S, C, n]`` from a first sample up to a last one.
        n_samples: of the whole.
        framing: window, hop, length of the filters.

    Returns:
        ``[S, T]``.

    Raises:
        ValueError: if there are no samples.
    """
    if n_samples < 1:
        raise ValueError("there is nothing to score: the signals have no samples")
    filters = _fit(read, n_samples, framing.filter_length)
    frames = framing.frames(n_samples)
    scored = []
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        chosen = frames[first : first + FRAMES_AT_ONCE]
        start = chosen[0][0]
        estimate, reference = (signal.double() for signal in read(start, chosen[-1][1]))
        cut = [[signal[..., a - start : b - start] for a, b in chosen] for signal in (estimate, reference)]
        scored.append(_score_frames(torch.stack(cut[0]), torch.stack(cut[1]), filters))
    return BssScores(*(torch.cat(scores, dim=-1) for scores in zip(*scored, strict=True)))


def sdr_chunks(*, estimate: Tensor, reference: Tensor, framing: Framing = SECONDS) -> Tensor:
    """SDR of BSSEval v4 alone, median over frames: no filter has a part in it, so that it is quick.

    Source: Stöter, Liutkus, Ito, "The 2018 signal separation evaluation campaign", 2018.

    Args:
        estimate: ``[..., S, C, N]``.
        reference: ``[..., S, C, N]``.
        framing: window and hop.

    Returns:
        Decibels ``[..., S]``, held within plus and minus 100; nan where no frame is left. Frames in which any of the
        S estimates or references is silent are left out for all of them.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> reference = torch.ones(1, 2, 88200)
        >>> sdr_chunks(estimate=0.9 * reference, reference=reference).round(decimals=3)
        tensor([20.], dtype=torch.float64)
    """
    if estimate.shape != reference.shape or estimate.ndim < 3:
        raise ValueError(f"estimates {tuple(estimate.shape)} and references {tuple(reference.shape)} differ in shape")
    frames = framing.frames(reference.shape[-1])
    ratios = []
    for start, stop in frames:
        one, truth = estimate[..., start:stop].double(), reference[..., start:stop].double()
        ratios.append(torch.where(_silent(one, truth), torch.nan, _decibels(_power(truth), _power(one - truth))))
    return torch.stack(ratios, dim=-1).nanquantile(0.5, dim=-1)


class _Filters(NamedTuple):
    """What makes the projections: spectra at the size of the blocks that they are applied to.

    ``whole`` is ``[F, K, K]``, from all channels of all references to all channels of all estimates; ``own`` is
    ``[F, S, C, C]``, from the channels of each reference to those of its estimate.
    """

    whole: Tensor
    own: Tensor
    n_taps: int


def _score_tensors(estimate: Tensor, reference: Tensor, framing: Framing) -> BssScores:
    def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
        return estimate[..., start:stop], reference[..., start:stop]

    return bss_eval_stream(read, n_samples=reference.shape[-1], framing=framing)


def _fit(read: Read, n_samples: int, n_taps: int) -> _Filters:
    """Fit the filters of both projections to the whole signals, with one factorization for all stems."""
    n_stems, n_channels, with_references, with_estimates = _correlate(read, n_samples, n_taps)
    count = n_stems * n_channels
    energy = with_references[:, :, 0].diagonal()
    scale = torch.where(energy > 0, energy, 1).rsqrt()  # so that loud and quiet references are loaded alike
    auto = with_references * scale[:, None, None] * scale[:, None]
    cross = with_estimates * scale[:, None]
    right = cross.permute(1, 2, 0).reshape(count * n_taps, count)  # [K L, K]
    whole = _solve(_system(auto), right).reshape(count, n_taps, count) * scale[:, None, None]
    own = []
    for stem in range(n_stems):
        mine = slice(stem * n_channels, (stem + 1) * n_channels)
        side = cross[mine, mine].permute(1, 2, 0).reshape(n_channels * n_taps, n_channels)
        solved = _solve(_system(auto[mine, mine]), side)
        own.append(solved.reshape(n_channels, n_taps, n_channels) * scale[mine, None, None])
    size = _size(_APPLY_SIZE, n_taps)
    spectra = torch.fft.rfft(whole, size, dim=1).permute(1, 2, 0).contiguous()  # [F, K out, K in]
    own_spectra = torch.fft.rfft(torch.stack(own), size, dim=2).permute(2, 0, 3, 1).contiguous()  # [F, S, C out, C in]
    return _Filters(spectra, own_spectra, n_taps)


def _correlate(read: Read, n_samples: int, n_taps: int) -> tuple[int, int, Tensor, Tensor]:
    """Correlate references with references and estimates at lags of 0 up to L - 1: S, C, and twice ``[K, K, L]``.

    Spectra of blocks are multiplied and added up; the blocks of the later signal reach back by the longest lag.
    """
    size = _size(_FIT_SIZE, n_taps)
    block, history = size - n_taps + 1, n_taps - 1
    total: Tensor | None = None
    n_stems = n_channels = 0
    for start in range(0, n_samples, block * BLOCKS_AT_ONCE):
        stop = min(n_samples, start + block * BLOCKS_AT_ONCE)
        first = max(0, start - history)
        estimate, reference = (signal.double() for signal in read(first, stop))
        n_stems, n_channels = int(reference.shape[0]), int(reference.shape[1])
        both = torch.cat([reference.flatten(0, 1), estimate.flatten(0, 1)])  # [2 K, n]
        n_blocks = -(-(stop - start) // block)
        missing = n_blocks * block - (stop - start)
        padded = torch.nn.functional.pad(both, (history - (start - first), missing))
        now = torch.fft.rfft(padded[:, history:].unfold(-1, block, block), size)  # [2 K, B, F]
        before = torch.fft.rfft(padded[: len(both) // 2].unfold(-1, size, block), size)  # [K, B, F]
        # the lag moves the end of `before` back, so that sample n - l of it meets sample n
        product = now.permute(2, 0, 1) @ before.permute(2, 1, 0).conj()  # [F, 2 K, K]
        total = product if total is None else total.add_(product)
    assert total is not None
    lags = torch.fft.irfft(
        total, size, dim=0
    )  # a lag of l is at history - l behind, as `before` begins that much earlier
    wanted = (torch.arange(n_taps) - history) % size
    found = lags[wanted].permute(1, 2, 0)
    count = n_stems * n_channels
    return n_stems, n_channels, found[:count], found[count:]


def _system(auto: Tensor) -> Tensor:
    """Return the loaded normal equations ``[K L, K L]`` of filters, from correlations ``[K, K, L]``."""
    count, _, n_taps = auto.shape
    back = auto.transpose(0, 1).flip(-1)[..., :-1]  # negative lags
    both = torch.cat([back, auto], dim=-1)  # lags of 1 - L up to L - 1
    taps = torch.arange(n_taps)
    lags = taps - taps[:, None] + n_taps - 1
    system = auto.new_empty(count, n_taps, count, n_taps)
    for row in range(count):
        for column in range(row + 1):  # the factorization reads the lower half
            system[row, :, column] = both[row, column][lags]
    return system.reshape(count * n_taps, count * n_taps)


def _solve(system: Tensor, right: Tensor) -> Tensor:
    """Solve by Cholesky factorization, with as little loading as it takes: references may depend on each other."""
    loading = LOADING
    while True:
        system.diagonal().add_(loading)
        factor, failed = torch.linalg.cholesky_ex(system)
        if not failed:
            return torch.cholesky_solve(right, factor)
        loading *= 100


def _score_frames(estimate: Tensor, reference: Tensor, filters: _Filters) -> BssScores:
    """Score frames ``[T, S, C, n]``: four times ``[S, T]``."""
    whole, own = _project(reference, filters)
    tail = whole.shape[-1] - reference.shape[-1]
    longer, truth = (torch.nn.functional.pad(signal, (0, tail)) for signal in (estimate, reference))
    scores = (
        _decibels(_power(truth), _power(longer - truth)),
        _decibels(_power(truth), _power(own - truth)),
        _decibels(_power(own), _power(whole - own)),
        _decibels(_power(whole), _power(longer - whole)),
    )
    silent = _silent(estimate, reference)
    return BssScores(*(torch.where(silent, torch.nan, score).transpose(0, 1) for score in scores))


def _project(reference: Tensor, filters: _Filters) -> tuple[Tensor, Tensor]:
    """Filter frames ``[T, S, C, n]`` to ``[T, S, C, n + L - 1]``, by all references and by each alone.

    Convolution in blocks (overlap-save): of each block the first L - 1 samples are wrapped around and thrown away.
    """
    n_frames, n_stems, n_channels, n_samples = reference.shape
    history = filters.n_taps - 1
    size = 2 * (filters.whole.shape[0] - 1)
    step = size - history
    length = n_samples + history
    n_blocks = -(-length // step)
    padded = torch.nn.functional.pad(reference, (history, n_blocks * step - n_samples))
    spectra = torch.fft.rfft(padded.unfold(-1, size, step))  # [T, S, C, B, F]
    inputs = spectra.permute(4, 1, 2, 0, 3).reshape(-1, n_stems, n_channels, n_frames * n_blocks)
    whole = filters.whole @ inputs.flatten(1, 2)  # [F, K, T B]
    own = (filters.own @ inputs).flatten(1, 2)

    def back(outputs: Tensor) -> Tensor:
        blocks: Tensor = torch.fft.irfft(outputs.permute(1, 2, 0), size)[..., history:]  # [K, T B, step]
        joined = blocks.reshape(n_stems, n_channels, n_frames, n_blocks * step)
        return joined[..., :length].permute(2, 0, 1, 3)

    return back(whole), back(own)


def _size(preferred: int, n_taps: int) -> int:
    """Return the length of a transform: a power of two, at least four times the filters."""
    return max(preferred, 1 << (4 * n_taps - 1).bit_length())


def _power(signal: Tensor) -> Tensor:
    return signal.square().sum(dim=(-2, -1))


def _silent(estimate: Tensor, reference: Tensor) -> Tensor:
    """Say ``[..., 1]`` whether any stem is zero throughout, in ``[..., S, C, n]``."""
    quiet = (estimate == 0).all(dim=-1).all(dim=-1) | (reference == 0).all(dim=-1).all(dim=-1)
    return quiet.any(dim=-1, keepdim=True)


def _decibels(wanted: Tensor, unwanted: Tensor) -> Tensor:
    """Ratio of energies, within the limits; nothing unwanted is the best, nothing wanted the worst."""
    tiny = torch.finfo(torch.float64).tiny
    return (10 * (torch.log10(wanted + tiny) - torch.log10(unwanted + tiny))).clamp(-LIMIT_DB, LIMIT_DB)
