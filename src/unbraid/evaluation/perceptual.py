"""PESQ and STOI of speech, where their packages are installed (extra ``perceptual``).

Axes: N samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.evaluation.extras import load_package

WIDE_BAND = 16000
STOI_RATE = 10000
STOI_MIN_SECONDS = 0.4  # 30 frames of 25.6 ms with hops of 12.8 ms
_Array = npt.NDArray[np.float64]


def pesq(*, estimate: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Perceptual evaluation of speech quality, wide band: a mean opinion score from about 1 to 4.64.

    Source: ITU-T P.862.2; computed by the package ``pesq`` at 16 kHz.

    Args:
        estimate: ``[..., N]``, speech.
        reference: ``[..., N]``.
        sample_rate: in hertz; other rates than 16 kHz are converted.

    Returns:
        ``[...]``, float64; nan where the reference or the estimate is silent, too short, or holds no speech.

    Raises:
        ValueError: if the lengths differ.
        SettingsError: if the package is not installed.
    """
    package = load_package("pesq", extra="perceptual")

    def judge(one: _Array, truth: _Array) -> float:
        try:
            return float(package.pesq(WIDE_BAND, truth, one, "wb"))
        except package.PesqError:
            return float("nan")

    return _each(judge, estimate, reference, rate=sample_rate, target_rate=WIDE_BAND)


def stoi(*, estimate: Tensor, reference: Tensor, sample_rate: int, extended: bool = False) -> Tensor:
    """Short-time objective intelligibility of speech, 0 to 1.

    Source: Taal et al., "An algorithm for intelligibility prediction of time-frequency weighted noisy speech", 2011;
    Jensen and Taal, 2016, for the extended one; computed by the package ``pystoi`` at 10 kHz.

    Args:
        estimate: ``[..., N]``, speech.
        reference: ``[..., N]``.
        sample_rate: in hertz.
        extended: for noise that comes and goes.

    Returns:
        ``[...]``, float64; nan where the reference is silent, or less than 0.4 s of it sounds.

    Raises:
        ValueError: if the lengths differ.
        SettingsError: if the package is not installed.
    """
    package = load_package("pystoi", extra="perceptual")

    def judge(one: _Array, truth: _Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return float(package.stoi(truth, one, STOI_RATE, extended=extended))
            except RuntimeWarning:  # not enough that sounds
                return float("nan")

    return _each(judge, estimate, reference, rate=sample_rate, target_rate=STOI_RATE)


def _each(
    judge: Callable[[_Array, _Array], float], estimate: Tensor, reference: Tensor, *, rate: int, target_rate: int
) -> Tensor:
    """Judge every row at the rate of the measure; nan where there is not enough sound."""
    if estimate.shape[-1] != reference.shape[-1]:
        raise ValueError(f"signals differ in length: {estimate.shape[-1]} and {reference.shape[-1]} samples")
    estimate, reference = torch.broadcast_tensors(estimate, reference)
    rows = [signal.reshape(-1, signal.shape[-1]) for signal in (estimate, reference)]
    scores = []
    for one, truth in zip(*rows, strict=True):
        heard = bool(one.any()) and bool(truth.any()) and one.shape[-1] >= STOI_MIN_SECONDS * rate
        both = resample(torch.stack([one, truth]).float(), source_rate=rate, target_rate=target_rate).double().numpy()
        scores.append(judge(both[0], both[1]) if heard else float("nan"))
    return torch.tensor(scores, dtype=torch.float64).reshape(estimate.shape[:-1])
