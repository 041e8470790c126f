"""Losses and figures of merit of separation, with the permutations that prompts allow.

Two outputs that share a prompt may answer in either order; the order with the smallest mean loss counts. The
loss is a signal-to-noise ratio that saturates, with a branch for references that are silent.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, section III; the saturation is of
Wisdom et al., "Unsupervised sound separation using mixture invariant training", NeurIPS 2020, eq. 2; the
silent branch of Wisdom et al., "What's all the FUSS about free universal sound separation data?", ICASSP
2021, eq. 2.

Axes: B batch, S stems, C channels, N samples, P permutations. Signals are ``[B, S, N]`` or ``[B, S, C, N]``;
those of different lengths are cropped to the shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.errors import ModelError

MAX_STEMS = 8
CLAMP_DB = 70.0


@dataclass(frozen=True)
class LossSettings:
    """What the loss saturates at.

    Args:
        snr_max: signal-to-noise ratio above which an estimate is good enough, in dB.
        silent_weight: weight of stems whose reference is silent.
        eps: energy that keeps the logarithms finite.
    """

    snr_max: float = 30.0
    silent_weight: float = 0.1
    eps: float = 1e-7

    @property
    def threshold(self) -> float:
        """Energy of the tolerated error, as a fraction of the reference's energy."""
        return float(10 ** (-self.snr_max / 10))


SETTINGS = LossSettings()


class MatchedLoss(NamedTuple):
    """Losses ``[B, S]`` in the order of the references, and the estimate ``[B, S]`` that answers each of them."""

    losses: Tensor
    order: Tensor


class Metric(Protocol):
    """A figure of merit in dB, the larger the better: signals ``[..., N]`` to values ``[...]``."""

    def __call__(self, *, estimate: Tensor, reference: Tensor) -> Tensor:
        """Compare signals whose leading axes broadcast."""
        ...


def prompted_loss(
    *,
    estimate: Tensor,
    reference: Tensor,
    prompts: Sequence[Sequence[str]],
    mixture: Tensor | None = None,
    settings: LossSettings = SETTINGS,
) -> MatchedLoss:
    """Compare estimates with references; those that share a prompt are matched in their best order.

    Args:
        estimate: ``[B, S, N]``.
        reference: ``[B, S, N]``.
        prompts: S names for each of the B items.
        mixture: ``[B, N]``, relative to which the estimate of a silent reference is quiet enough; without it,
            the sum of the references of the same prompt, as published (so that a single absent prompt is
            pushed down to `eps`).
        settings: where the loss saturates.

    Returns:
        Losses, smaller is better, and the order. The training loss is the mean of the losses.

    Raises:
        ModelError: if shapes and prompts disagree.

    Example:
        >>> tones = torch.eye(2)[None]
        >>> prompted_loss(estimate=tones.flip(1), reference=tones, prompts=[["sfx", "sfx"]]).order
        tensor([[1, 0]])
    """
    groups = same_prompt(prompts)
    return _matched_loss(estimate, reference, groups, mixture, settings)


def permuted_loss(
    *, estimate: Tensor, reference: Tensor, mixture: Tensor | None = None, settings: LossSettings = SETTINGS
) -> MatchedLoss:
    """Compare the outputs of a model without prompts, in the best of all orders.

    Args:
        estimate: ``[B, S, N]``.
        reference: ``[B, R, N]``, at most S of them; silent ones are added up to S.
        mixture: as in `prompted_loss`; the sum of all references if left out.
        settings: where the loss saturates.

    Returns:
        Losses ``[B, S]``, those of the added references last, and the order.

    Raises:
        ModelError: if there are more references than estimates.

    Example:
        >>> tones = torch.eye(3)[None]
        >>> permuted_loss(estimate=tones, reference=tones[:, 1:]).order
        tensor([[1, 2, 0]])
    """
    n_batch, n_stems = estimate.shape[:2]
    missing = n_stems - reference.shape[1]
    if missing < 0:
        raise ModelError(f"{reference.shape[1]} references for {n_stems} outputs: use a model with more outputs")
    silence = reference.new_zeros(n_batch, missing, *reference.shape[2:])
    groups = torch.ones(n_batch, n_stems, n_stems, dtype=torch.bool)
    return _matched_loss(estimate, torch.cat([reference, silence], dim=1), groups, mixture, settings)


def sorted_loss(
    *,
    estimate: Tensor,
    reference: Tensor,
    prompts: Sequence[Sequence[str]],
    mixture: Tensor | None = None,
    settings: LossSettings = SETTINGS,
) -> MatchedLoss:
    """Compare the outputs of a model without prompts that gives them in the alphabetical order of their names.

    Arguments and errors are those of `prompted_loss`; outputs whose names are equal are matched in their best
    order.

    Returns:
        Losses and order ``[B, S]`` for the references in alphabetical order.

    Example:
        >>> tones = torch.eye(2)[None]
        >>> sorted_loss(estimate=tones.flip(1), reference=tones, prompts=[["vocals", "bass"]]).losses.round()
        tensor([[-30., -30.]])
    """
    rows = [sorted(range(len(row)), key=row.__getitem__) for row in prompts]
    _check_shapes(estimate, reference, len(rows), len(rows[0]))
    chosen = _take(reference, torch.tensor(rows, device=reference.device))
    names = [[row[index] for index in order] for row, order in zip(prompts, rows, strict=True)]
    return prompted_loss(estimate=estimate, reference=chosen, prompts=names, mixture=mixture, settings=settings)


def presence_loss(*, logits: Tensor, reference: Tensor, order: Tensor) -> Tensor:
    """Binary cross entropy between logits of presence and whether the reference sounds.

    Args:
        logits: ``[B, S]``, in the order of the estimates.
        reference: ``[B, S, N]``.
        order: the estimate that answers each reference, from `prompted_loss`.

    Returns:
        Mean over all items and stems.

    Example:
        >>> logits = torch.tensor([[20.0, -20.0]])
        >>> presence_loss(logits=logits, reference=torch.eye(2)[None], order=torch.tensor([[0, 1]]))
        tensor(10.)
    """
    sounds = reference.flatten(2).abs().amax(dim=-1) > 0
    return functional.binary_cross_entropy_with_logits(logits.float().gather(1, order), sounds.float())


def si_sdr(*, estimate: Tensor, reference: Tensor, limit_db: float = CLAMP_DB) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, without removal of the mean.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``; the leading axes broadcast.
        limit_db: answers are held within plus and minus this value; 70 in the evaluation of TUSS.

    Returns:
        ``[...]``, float32 or finer as the signals are; NaN where the reference is silent, minus the limit where only
        the estimate is.

    Source:
        Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, eq. 3.

    Example:
        >>> si_sdr(estimate=torch.tensor([3.0, 0.3]), reference=torch.tensor([1.0, 0.0])).round()
        tensor(20.)
    """
    estimate, reference = _same_length(estimate, reference)
    energy = reference.square().sum(dim=-1, keepdim=True)
    projection = (estimate * reference).sum(dim=-1, keepdim=True) / energy * reference
    distortion = (estimate - projection).square().sum(dim=-1)
    return _ratio_db(projection.square().sum(dim=-1), distortion, limit_db)


def snr(*, estimate: Tensor, reference: Tensor, limit_db: float = CLAMP_DB) -> Tensor:
    """Signal-to-noise ratio in dB; nothing is scaled, so a wrong level costs.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``; the leading axes broadcast.
        limit_db: answers are held within plus and minus this value.

    Returns:
        ``[...]``, float32 or finer as the signals are; NaN where the reference is silent.

    Example:
        >>> snr(estimate=torch.tensor([1.1, 0.0]), reference=torch.tensor([1.0, 0.0])).round()
        tensor(20.)
    """
    estimate, reference = _same_length(estimate, reference)
    energy = reference.square().sum(dim=-1)
    ratio = _ratio_db(energy, (estimate - reference).square().sum(dim=-1), limit_db)
    return ratio.masked_fill(energy == 0, torch.nan)


def prompted_metric(metric: Metric, *, estimate: Tensor, reference: Tensor, prompts: Sequence[Sequence[str]]) -> Tensor:
    """Measure estimates in the order that is best for this metric, among those that share a prompt.

    Args:
        metric: `si_sdr`, `snr`, or another.
        estimate: ``[B, S, N]``.
        reference: ``[B, S, N]``.
        prompts: S names for each of the B items.

    Returns:
        Values ``[B, S]`` in dB, in the order of the references.

    Raises:
        ModelError: if shapes and prompts disagree.

    Example:
        >>> tones = torch.eye(2)[None]
        >>> prompted_metric(snr, estimate=tones.flip(1), reference=tones, prompts=[["sfx", "sfx"]])
        tensor([[70., 70.]])
    """
    groups = same_prompt(prompts).to(reference.device)
    _check_shapes(estimate, reference, *groups.shape[:2])
    rows = [metric(estimate=estimate[:, i : i + 1], reference=reference) for i in range(estimate.shape[1])]
    values = torch.stack(rows, dim=1)  # [B, estimates, references]
    order = best_order(-values.nan_to_num(nan=0.0), groups)
    return values.gather(1, order[:, None]).squeeze(1)


def same_prompt(prompts: Sequence[Sequence[str]]) -> Tensor:
    """Return which positions of each item share a prompt: booleans ``[B, S, S]``.

    Example:
        >>> same_prompt([["sfx", "speech", "sfx"]])[0, 0]
        tensor([ True, False,  True])
    """
    if len({len(row) for row in prompts}) != 1:
        raise ModelError("the items of a batch need the same number of prompts, at least one item")
    return torch.tensor([[[one == other for other in row] for one in row] for row in prompts])


def best_order(cost: Tensor, groups: Tensor) -> Tensor:
    """Match estimates to references at the smallest total cost.

    Args:
        cost: ``[B, S, S]``, of estimate (rows) for reference (columns).
        groups: booleans ``[B, S, S]``: which estimate may answer which reference; symmetric, with every
            position in its own group.

    Returns:
        ``[B, S]``: the estimate that answers each reference; the given order if nothing is better.

    Raises:
        ModelError: if there are more than 8 stems, for which there are too many permutations.
    """
    n_stems = cost.shape[-1]
    if n_stems > MAX_STEMS:
        raise ModelError(f"{n_stems} stems cannot be permuted: ask for at most {MAX_STEMS}")
    table = _permutations(n_stems).to(cost.device)  # [P, S]
    allowed = cost.masked_fill(~groups, torch.inf)
    totals = allowed[:, table, torch.arange(n_stems, device=cost.device)].sum(dim=-1)  # [B, P]
    return table[totals.argmin(dim=-1)]


def _matched_loss(
    estimate: Tensor, reference: Tensor, groups: Tensor, mixture: Tensor | None, settings: LossSettings
) -> MatchedLoss:
    """Match within the groups on a cheap cost matrix, then compute the exact losses of what was matched."""
    _check_shapes(estimate, reference, *groups.shape[:2])
    estimate, reference = _same_length(estimate, reference)
    estimate, reference = estimate.flatten(2), reference.flatten(2)
    with torch.no_grad(), torch.autocast(estimate.device.type, enabled=False):
        permutable = int(groups.sum()) > groups.shape[0] * groups.shape[1]  # asked before a device could have to wait
        groups = groups.to(reference.device)
        energy = reference.square().sum(dim=-1)  # [B, S]
        floor = _floor(reference, groups, mixture)
        identity = torch.arange(groups.shape[1], device=groups.device).expand(groups.shape[:2])
        order = best_order(_cost(estimate, reference, energy, floor, settings), groups) if permutable else identity
    chosen = _take(estimate, order) if permutable else estimate
    error = (chosen - reference).square().sum(dim=-1)
    return MatchedLoss(_saturated(error, energy, floor, settings), order)


def _saturated(error: Tensor, energy: Tensor, floor: Tensor, settings: LossSettings) -> Tensor:
    """Turn energies of error, reference, and what a silent reference is measured against, into losses."""
    sounds = energy > 0
    tolerated = settings.threshold * torch.where(sounds, energy, floor)
    level = 10 * torch.log10(error + tolerated + settings.eps)
    return torch.where(sounds, level - 10 * torch.log10(energy + settings.eps), settings.silent_weight * level)


def _cost(estimate: Tensor, reference: Tensor, energy: Tensor, floor: Tensor, settings: LossSettings) -> Tensor:
    """Losses of all pairs ``[B, S, S]`` from one matrix product, exact enough to choose between them."""
    products = estimate @ reference.transpose(1, 2)
    error = estimate.square().sum(dim=-1)[:, :, None] - 2 * products + energy[:, None]
    return _saturated(error.clamp_min(0), energy[:, None], floor[:, None], settings)


def _floor(reference: Tensor, groups: Tensor, mixture: Tensor | None) -> Tensor:
    """Energy ``[B, S]`` of the mixture, or of the sum of the references of each position's own group."""
    if mixture is not None:
        return mixture.to(reference.dtype).flatten(1).square().sum(dim=-1, keepdim=True).expand(groups.shape[:2])
    members = groups.to(reference.dtype)
    products = reference @ reference.transpose(1, 2)
    return ((members @ products) * members).sum(dim=-1).clamp_min(0)


def _take(stems: Tensor, order: Tensor) -> Tensor:
    """Put the stems of each item into its own order."""
    return stems[torch.arange(len(stems), device=stems.device)[:, None], order]


def _same_length(estimate: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Crop to the shorter; at least float32."""
    n_samples = min(estimate.shape[-1], reference.shape[-1])
    dtype = torch.promote_types(torch.promote_types(estimate.dtype, reference.dtype), torch.float32)
    return estimate[..., :n_samples].to(dtype), reference[..., :n_samples].to(dtype)


def _ratio_db(wanted: Tensor, unwanted: Tensor, limit_db: float) -> Tensor:
    """Ratio of two energies in dB, clamped; nothing wanted is the worst ratio."""
    tiny = torch.finfo(unwanted.dtype).tiny
    return (10 * (torch.log10(wanted) - torch.log10(unwanted + tiny))).clamp(-limit_db, limit_db)


def _check_shapes(estimate: Tensor, reference: Tensor, n_batch: int, n_stems: int) -> None:
    """Refuse what would broadcast silently."""
    for name, signals in (("estimate", estimate), ("reference", reference)):
        if signals.ndim < 3 or tuple(signals.shape[:2]) != (n_batch, n_stems):
            shape = tuple(signals.shape)
            raise ModelError(f"{name} must be [{n_batch}, {n_stems}, ..., samples], one stem per prompt, got {shape}")
    if estimate.shape[2:-1] != reference.shape[2:-1]:
        raise ModelError(f"estimate {tuple(estimate.shape)} and reference {tuple(reference.shape)} differ in channels")


@lru_cache(maxsize=MAX_STEMS)
def _permutations(n_stems: int) -> Tensor:
    """All orders of S stems ``[P, S]``, the given one first."""
    return torch.tensor(list(permutations(range(n_stems))))


def cosine_loss(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Return minus the cosine between estimate and reference, from -1 (equal up to a positive factor) to 1.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.

    Returns:
        ``[...]``, zero and without gradient where the reference is silent.

    Source:
        Choi et al., "Phase-aware speech enhancement with deep complex U-Net", ICLR 2019, section 3.2.

    Example:
        >>> signal = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        >>> cosine_loss(estimate=torch.tensor([[3.0, 0.0], [1.0, 1.0]]), reference=signal)
        tensor([-1.,  0.])
    """
    estimate, reference = _same_length(estimate, reference)
    sounds = reference.abs().amax(dim=-1) > 0
    cosine = functional.cosine_similarity(torch.where(sounds[..., None], estimate, 0.0), reference, dim=-1)
    return torch.where(sounds, -cosine, 0.0)


def negative_sdr_loss(*, estimate: Tensor, reference: Tensor, settings: LossSettings = SETTINGS) -> Tensor:
    """Return minus the signal-to-distortion ratio in dB, which no scaling is forgiven in.

    Args:
        estimate: ``[..., N]``.
        reference: ``[..., N]``.
        settings: only ``eps`` is read.

    Returns:
        ``[...]``, zero and without gradient where the reference is silent.

    Example:
        >>> signal = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        >>> negative_sdr_loss(estimate=torch.tensor([[1.1, 0.0], [1.0, 1.0]]), reference=signal).round() + 0
        tensor([-20.,   0.])
    """
    estimate, reference = _same_length(estimate, reference)
    energy = reference.square().sum(dim=-1)
    sounds = energy > 0
    error = (torch.where(sounds[..., None], estimate, 0.0) - reference).square().sum(dim=-1)
    level = 10 * torch.log10(energy / (error + settings.eps) + settings.eps)
    return torch.where(sounds, -level, 0.0)


def magnitude_loss(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Return the mean absolute error of magnitudes, compressed or not.

    Args:
        estimate: ``[..., F, T]``.
        reference: ``[..., F, T]``.

    Returns:
        ``[...]``.

    Example:
        >>> magnitude_loss(estimate=torch.ones(2, 3, 4), reference=torch.zeros(2, 3, 4))
        tensor([1., 1.])
    """
    return (estimate.float() - reference.float()).abs().mean(dim=(-2, -1))
