"""How good a separation is: numbers in decibels, computed in float64.

Every function takes its signals by keyword, estimate first, as tensors ``[..., N]`` of one shape (or shapes that
broadcast), and answers with a float64 tensor ``[...]``. Silence is a signal whose samples are all exactly zero:

- a silent reference makes every ratio to it undefined, so the answer is nan (use `false_output_db` there);
- a silent estimate of a sounding reference scores the lower limit in SI-SDR and `sdr_bss_eval`, and 0 dB in SNR and
  SDR.

Samples that are nan make every ratio to or of their signal nan.

Axes: S stems, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unbraid.evaluation.bss_eval import BssScores, Framing, bss_eval, bss_eval_stream, sdr_chunks
from unbraid.evaluation.log_wmse import log_wmse
from unbraid.evaluation.perceptual import pesq, stoi
from unbraid.evaluation.signal_blocks import correlation, dot, energy, remainder_energy, same_length
from unbraid.models.losses import Metric

__all__ = [
    "BssScores",
    "Framing",
    "assign_within_categories",
    "best_assignment",
    "bss_eval",
    "bss_eval_stream",
    "false_output_db",
    "log_wmse",
    "pairwise",
    "pesq",
    "presence_auc",
    "sdr",
    "sdr_bss_eval",
    "sdr_chunks",
    "si_sdr",
    "si_sdr_improvement",
    "si_sir",
    "snr",
    "stoi",
]

SI_SDR_LIMIT_DB = 70.0
SNR_LIMIT_DB = 80.0
BSS_EVAL_LIMIT_DB = 100.0
SILENCE_DB = -120.0


def si_sdr(*, estimate: Tensor, reference: Tensor, limit_db: float = SI_SDR_LIMIT_DB) -> Tensor:
    """Scale-invariant signal-to-distortion ratio; the mean is not removed.

    The reference is scaled to fit the estimate best; what is left is distortion. Source: Le Roux et al., "SDR -
    half-baked or well done?", ICASSP 2019, eq. 4; limits as in the evaluation of TUSS (Saijo et al., ICASSP 2025).

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.
        limit_db: answers are held within plus and minus this value.

    Returns:
        Decibels ``[...]``; nan where the reference is silent, minus the limit where only the estimate is.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> reference = torch.tensor([1.0, 0.0, 1.0, 0.0])
        >>> round(si_sdr(estimate=3 * (reference + torch.tensor([0.0, 0.1, 0.0, 0.1])), reference=reference).item(), 3)
        20.0
    """
    power = energy(reference)
    gain = dot(estimate, reference) / power
    return _decibels(gain.square() * power, remainder_energy(estimate, gain, reference), limit_db)


def si_sdr_improvement(*, estimate: Tensor, reference: Tensor, mixture: Tensor) -> Tensor:
    """How many decibels of SI-SDR the estimate is above the mixture taken as an estimate.

    Returns:
        Decibels ``[...]``; nan where the reference is silent.

    Example:
        >>> voice, noise = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> round(si_sdr_improvement(estimate=voice + 0.1 * noise, reference=voice, mixture=voice + noise).item(), 3)
        20.0
    """
    return si_sdr(estimate=estimate, reference=reference) - si_sdr(estimate=mixture, reference=reference)


def snr(*, estimate: Tensor, reference: Tensor, limit_db: float = SNR_LIMIT_DB) -> Tensor:
    """Signal-to-noise ratio: energy of the reference over energy of the error, on the whole signal.

    Nothing is scaled, so a wrong level costs. Source: the MUSDB scores of TUSS (Saijo et al., ICASSP 2025); its
    epsilon of 1e-8 is a limit of 80 dB here.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.
        limit_db: answers are held within plus and minus this value.

    Returns:
        Decibels ``[...]``; nan where the reference is silent.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> round(snr(estimate=torch.tensor([0.9, 0.0]), reference=torch.tensor([1.0, 0.0])).item(), 3)
        20.0
    """
    power = energy(reference)
    ratio = _decibels(power, remainder_energy(estimate, 1.0, reference), limit_db)
    return torch.where(power == 0, torch.nan, ratio)


def sdr(*, estimate: Tensor, reference: Tensor, limit_db: float = SNR_LIMIT_DB) -> Tensor:
    """Whole-signal SDR of multichannel signals: energies are summed over channels before the ratio is taken.

    Source: Mitsufuji et al., "Music Demixing Challenge 2021", eq. 1, without its epsilon.

    Args:
        estimate: ``[..., C, N]``.
        reference: ``[..., C, N]``.
        limit_db: answers are held within plus and minus this value.

    Returns:
        Decibels ``[...]``; nan where all channels of the reference are silent.

    Raises:
        ValueError: if lengths or channels differ.

    Example:
        >>> reference = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        >>> round(sdr(estimate=reference + torch.tensor([[0.0, 0.0], [0.1, 0.0]]), reference=reference).item(), 3)
        20.0
    """
    same_length(estimate, reference)
    if min(estimate.ndim, reference.ndim) < 2 or estimate.shape[-2] != reference.shape[-2]:
        shapes = f"estimate {tuple(estimate.shape)} and reference {tuple(reference.shape)}"
        raise ValueError(f"{shapes}: give both as [..., channels, samples]")
    return snr(estimate=estimate.flatten(-2), reference=reference.flatten(-2), limit_db=limit_db)


def sdr_bss_eval(
    *,
    estimate: Tensor,
    reference: Tensor,
    filter_length: int = 512,
    loading: float = 1e-6,
    limit_db: float = BSS_EVAL_LIMIT_DB,
) -> Tensor:
    """SDR that forgives any short filter: the reference may be filtered to fit the estimate before the ratio is taken.

    Neither level nor delay of less than ``filter_length`` samples nor equalization costs; the mean is not removed.
    Source: Vincent et al., "Performance measurement in blind audio source separation", 2006, for one channel, as
    Scheibler, "SDR - medium rare with fast computations", ICASSP 2022, eq. 9 to 11, computes it; limits as in the
    evaluation of GuideSep (ISMIR 2025).

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.
        filter_length: in samples; 1 is `si_sdr`.
        loading: added to the energy of the reference, which is 1, so that the filter of a narrow-band reference is
            determined. It bounds how well a perfect estimate scores: 60 dB with 1e-6.
        limit_db: answers are held within plus and minus this value.

    Returns:
        Decibels ``[...]``; nan where the reference is silent, minus the limit where only the estimate is.

    Raises:
        ValueError: if the lengths differ, or the filter has none.

    Example:
        >>> reference, echoed = torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, -1.0, 0.0])
        >>> round(sdr_bss_eval(estimate=echoed, reference=reference, filter_length=3).item())
        60
    """
    if filter_length < 1:
        raise ValueError(f"a filter of {filter_length} samples: give 1 or more")
    powers = energy(estimate), energy(reference)
    estimate_scale, scale = (torch.where(power > 0, power, 1).rsqrt()[..., None] for power in powers)
    auto = correlation(reference, reference, n_lags=filter_length) * scale.square()
    cross = correlation(estimate, reference, n_lags=filter_length) * scale * estimate_scale
    auto = auto.expand_as(cross)
    lags = torch.arange(filter_length, device=auto.device)
    system = auto[..., (lags[:, None] - lags).abs()]  # Toeplitz [..., L, L]
    system.diagonal(dim1=-2, dim2=-1).add_(loading)
    explained = (cross * torch.linalg.solve(system, cross[..., None])[..., 0]).sum(dim=-1).clamp(0, 1)
    ratio = torch.where(powers[0] == 0, -torch.inf, 10 * torch.log10(explained / (1 - explained)))
    return torch.where(powers[1] == 0, torch.nan, ratio.clamp(-limit_db, limit_db))


def si_sir(*, estimate: Tensor, reference: Tensor, rest: Tensor, limit_db: float = SI_SDR_LIMIT_DB) -> Tensor:
    """Scale-invariant signal-to-interference ratio: how much of the rest of the mixture is in the estimate.

    The estimate is projected onto the reference, and onto both; what the second projection has beside the first is
    interference. What lies in neither (noise, artifacts) does not count. Source: Vincent et al., "Performance
    measurement in blind audio source separation", 2006, with gains in place of filters, as Le Roux et al., "SDR -
    half-baked or well done?", ICASSP 2019, section 4, have it; the rest is one source here.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.
        rest: of the mixture, ``[..., N]``; where it is silent nothing interferes, and the answer is the limit.
        limit_db: answers are held within plus and minus this value.

    Returns:
        Decibels ``[...]``; nan where the reference is silent, minus the limit where only the estimate is.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> voice, noise = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
        >>> artifact = torch.tensor([0.0, 0.0, 5.0])
        >>> round(si_sir(estimate=voice + 0.1 * noise + artifact, reference=voice, rest=noise).item(), 3)
        20.0
    """
    power = energy(reference)
    safe = torch.where(power > 0, power, 1)
    shared = dot(rest, reference)
    overlap = shared / safe
    room = remainder_energy(rest, overlap, reference)
    aligned = dot(estimate, reference)
    wanted = aligned.square() / safe
    apart = dot(estimate, rest) - overlap * aligned  # the estimate along what the rest has beside the reference
    unwanted = apart.square() / torch.where(room > 0, room, 1)
    ratio = torch.where(wanted == 0, -torch.inf, 10 * torch.log10(wanted / unwanted)).clamp(-limit_db, limit_db)
    return torch.where(power == 0, torch.nan, ratio)


def false_output_db(*, estimate: Tensor, mixture: Tensor) -> Tensor:
    """Energy of an estimate whose source is not there, relative to the mixture; lower is better.

    Args:
        estimate: ``[..., N]``, what a model answered to a prompt whose reference is silent.
        mixture: ``[..., N]``.

    Returns:
        Decibels ``[...]``, held above -120; nan where the mixture is silent.

    Raises:
        ValueError: if the lengths differ.

    Example:
        >>> round(false_output_db(estimate=torch.tensor([0.1, 0.0]), mixture=torch.tensor([1.0, 0.0])).item(), 3)
        -20.0
    """
    same_length(estimate, mixture)
    power = energy(mixture)
    level = 10 * torch.log10(energy(estimate) / power)
    return torch.where(power == 0, torch.nan, level.clamp(min=SILENCE_DB))


def presence_auc(*, scores: Sequence[float], present: Sequence[bool]) -> float:
    """Area under the ROC curve: the chance that a present source scores above an absent one; ties count half.

    Args:
        scores: one presence score per question.
        present: whether the source was there.

    Returns:
        0..1; nan if there is no present or no absent source.

    Raises:
        ValueError: if the two differ in length, or a score is nan.

    Example:
        >>> presence_auc(scores=[0.9, 0.4, 0.4, 0.1], present=[True, True, False, False])
        0.875
    """
    if len(scores) != len(present):
        raise ValueError(f"{len(scores)} scores for {len(present)} questions: give one of each")
    values = torch.as_tensor(scores, dtype=torch.float64)
    if values.isnan().any():
        raise ValueError("a presence score is nan: leave questions without a score out")
    mask = torch.as_tensor(present, dtype=torch.bool)
    positive, negative = values[mask], values[~mask].sort().values
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    below = torch.searchsorted(negative, positive, right=False)
    not_above = torch.searchsorted(negative, positive, right=True)
    wins = (below + not_above).double().sum() / 2
    return float(wins / (len(positive) * len(negative)))


def best_assignment(scores: Tensor) -> tuple[int, ...]:
    """Give every reference an estimate of its own so that the sum of the scores is largest.

    Exact, by dynamic programming over sets of estimates: ``R * 2**S`` steps.

    Args:
        scores: ``[S, R]``, estimate s judged against reference r, with ``R <= S``; nan counts as the same for all
            estimates.

    Returns:
        For each reference the index of its estimate. Among equals the lower index goes first.

    Raises:
        ValueError: if there are more references than estimates.

    Example:
        >>> best_assignment(torch.tensor([[1.0, 9.0], [2.0, 8.0]]))
        (1, 0)
    """
    n_estimates, n_references = scores.shape
    if n_references > n_estimates:
        raise ValueError(f"{n_references} references cannot share {n_estimates} estimates")
    table = scores.double().nan_to_num(nan=0.0).tolist()
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for reference in range(n_references):
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for used, (total, order) in best.items():
            for index in range(n_estimates):
                key = used | 1 << index
                candidate = total + table[index][reference]
                if key != used and (key not in longer or candidate > longer[key][0]):
                    longer[key] = (candidate, (*order, index))
        best = longer
    return max(best.values(), key=lambda entry: entry[0])[1]


def assign_within_categories(
    *, estimate: Tensor, reference: Tensor, categories: Sequence[str], metric: Metric
) -> tuple[int, ...]:
    """Match estimates to references, where only those of one category may change places.

    Source: the evaluation of TUSS (Saijo et al., ICASSP 2025, section III-B). The permutation with the best mean
    score is taken, in each category alone; several channels are judged together.

    Args:
        estimate: ``[S, N]`` or ``[S, C, N]``.
        reference: of the same shape, in the same order of categories.
        categories: S names, such as the prompts.
        metric: `si_sdr`, `snr`, or another.

    Returns:
        For each reference the index of its estimate.

    Raises:
        ValueError: if the counts differ.

    Example:
        >>> sources = torch.eye(3)
        >>> swapped = sources[[2, 1, 0]]
        >>> names = ["speech", "sfx", "speech"]
        >>> assign_within_categories(estimate=swapped, reference=sources, categories=names, metric=snr)
        (2, 1, 0)
    """
    if not len(estimate) == len(reference) == len(categories):
        raise ValueError(f"{len(estimate)} estimates, {len(reference)} references, {len(categories)} categories")
    order = [0] * len(categories)
    for category in dict.fromkeys(categories):
        members = [index for index, name in enumerate(categories) if name == category]
        scores = pairwise(estimate=estimate[members], reference=reference[members], metric=metric)
        for place, choice in zip(members, best_assignment(scores), strict=True):
            order[place] = members[choice]
    return tuple(order)


def pairwise(*, estimate: Tensor, reference: Tensor, metric: Metric) -> Tensor:
    """Judge every estimate against every reference; channels are averaged.

    Args:
        estimate: ``[S, N]`` or ``[S, C, N]``.
        reference: ``[R, N]`` or ``[R, C, N]``.
        metric: `si_sdr`, `snr`, or another.

    Returns:
        Scores ``[S, R]``; channels whose score is nan are left out of the average.

    Example:
        >>> pairwise(estimate=torch.eye(2), reference=torch.eye(2), metric=snr).diagonal()
        tensor([80., 80.], dtype=torch.float64)
    """
    rows = []
    for one in estimate:
        scores = metric(estimate=one.expand_as(reference), reference=reference)
        rows.append(scores if scores.ndim == 1 else scores.nanmean(dim=-1))
    return torch.stack(rows)


def _decibels(wanted: Tensor, unwanted: Tensor, limit_db: float) -> Tensor:
    """Ratio of two energies, within the limits; nothing wanted is the worst."""
    tiny = torch.finfo(torch.float64).tiny
    return (10 * (torch.log10(wanted) - torch.log10(unwanted + tiny))).clamp(-limit_db, limit_db)
