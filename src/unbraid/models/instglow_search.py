"""Separation with priors: the latents of all are moved until what they stand for adds up to the mixture.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, sections 3.2 and 3.3. What the paper
leaves open is as in the published code: the weight of the prior, and where the search of maximum a posteriori begins.

Axes: B batch, S sources, F bins, C channels (bins and rows of zeros), T frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.instglow_decoder import Decoder, Tape
from unbraid.models.instglow_network import Prior, PriorConfig
from unbraid.models.instglow_searches import SEARCHES, SearchConfig, find_search, read_search
from unbraid.models.instglow_steps import Adam, Lbfgs, Mover

__all__ = [
    "EPS",
    "FIRST_MASKED",
    "PATIENCE",
    "SEARCHES",
    "SILENT",
    "Crowd",
    "Found",
    "Progress",
    "SearchConfig",
    "Watcher",
    "begin",
    "check_finite",
    "check_priors",
    "divergence",
    "find_search",
    "is_flat",
    "make_mover",
    "misfit",
    "quiet",
    "read_search",
    "search",
]

EPS = 1e-8
SILENT = 1e-7  # of magnitudes in a geometric mean
FIRST_MASKED = 4  # iteration from which `SearchConfig.masked` holds
PATIENCE = 10  # iterations over which the objective must fall by the tolerance


@dataclass(frozen=True, eq=False)
class Progress:
    """What is known in an iteration, counted from 0: the objective, mean of all windows.

    Args:
        iteration: this one.
        n_iterations: at most so many will there be.
        objective: in nats per channel and frame, where nothing is weighed.
        read: see ``latents``.
    """

    iteration: int
    n_iterations: int
    objective: float
    read: Callable[[], Tensor]

    @property
    def latents(self) -> Tensor:
        """A copy ``[B, S, C, T]`` of those that the objective is of."""
        return self.read()


class Found(NamedTuple):
    """The end of a search.

    ``sources`` is ``[B, S, C, T]``: magnitudes, some below zero if the priors say so. ``latents``, of the same shape,
    is what they were decoded from; ``objectives`` has one value for each iteration. ``expected``, of the same shape,
    is what latents of zero stand for; None where nobody asked (`SearchConfig.anchor`).
    """

    sources: Tensor
    latents: Tensor
    objectives: tuple[float, ...]
    expected: Tensor | None = None

    def anchored(self, anchor: float) -> Tensor:
        """Return the sources, not negative, drawn towards what was expected of them; see `SearchConfig.anchor`.

        Example:
            >>> found = Found(torch.tensor([4.0]), torch.zeros(1), (), expected=torch.tensor([1.0]))
            >>> found.anchored(0.5), found.anchored(0.0)
            (tensor([2.]), tensor([4.]))
        """
        if anchor == 0 or self.expected is None:
            return self.sources.clamp_min(0)
        return self.sources.clamp_min(SILENT) ** (1 - anchor) * self.expected.clamp_min(SILENT) ** anchor


Watcher = Callable[[Progress], None]


def search(
    priors: Mapping[str, Prior],
    mixture: Tensor,
    *,
    config: SearchConfig,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    watch: Watcher | None = None,
) -> Found:
    """Find the latents whose sources add up to a mixture.

    As published, the sources are those of the last iteration, not of one more step. Windows of a batch do not disturb
    each other. Weights are left alone; matrix products are in bfloat16 where autocast asks for it.

    Args:
        priors: one of each source, by name, all on the same spectrograms.
        mixture: magnitudes ``[B, F, T]`` at the level of the priors' training; frames that do not fill a squeezed one
            are cut.
        config: how to search.
        start: latents ``[B, S, C, T]`` to begin with; None draws them.
        generator: of the draw.
        watch: is told of every iteration; an exception that it raises ends the search.

    Raises:
        ModelError: if the search diverges, or priors or shapes do not fit together.

    Example:
        >>> from unbraid.models.instglow_network import PRIORS
        >>> priors = {"one": Prior(PRIORS["debug"]), "two": Prior(PRIORS["debug"])}
        >>> found = search(priors, torch.rand(1, 33, 8), config=SearchConfig(spread=0.1, n_iterations=3))
        >>> found.sources.shape, found.objectives[2] < found.objectives[0]
        (torch.Size([1, 2, 34, 8]), True)
    """
    check_priors(priors)
    first, device = next(iter(priors.values())), mixture.device.type
    is_narrow = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16
    dtype = torch.bfloat16 if is_narrow else torch.float32
    with torch.inference_mode(mode=False), torch.no_grad(), torch.autocast(device, enabled=False):
        heard = first.features(mixture).detach().float().abs().clone()
        begun = begin(heard, len(priors), spread=config.spread, start=start, generator=generator)
        crowd = Crowd(list(priors.values()), begun, dtype=dtype, recompute=config.recompute)
        mover = make_mover(crowd.latents, config)
        objectives: list[float] = []
        loud = float(heard.mean())
        for iteration in range(config.n_iterations):
            heard = heard + EPS
            loudness = heard.sum(dim=1, keepdim=True) if config.masked and iteration >= FIRST_MASKED else None
            sources, costs = crowd.decode(config.space)
            data, total, gradient = misfit(sources, heard, loudness, power=config.power, n_bins=first.config.n_bins)
            values = config.data_weight * data + config.prior_weight * costs
            objective = float(values.mean())
            objectives.append(objective)
            check_finite(objectives, list(priors), sources)
            if watch is not None:
                watch(Progress(iteration, config.n_iterations, objective, crowd.read))
            if iteration == config.n_iterations - 1 or is_flat(objectives, config.tolerance, loudness=loud):
                break
            crowd.step_back(config.data_weight * gradient, weight=config.prior_weight, space=config.space)
            mover.step(values, config.pace(iteration))
        sources = quiet(sources, loudness).transpose(0, 1)
        if config.wiener:
            sources = sources / total[:, None] * heard[:, None]
        expected = crowd.expect().transpose(0, 1) if config.anchor else None
        return Found(sources, crowd.read(), tuple(objectives), expected)


def make_mover(latents: Tensor, config: SearchConfig) -> Mover:
    """Return what moves latents ``[S, B, C, T]``."""
    if config.memory:
        return Lbfgs(latents, rate=config.learning_rate, memory=config.memory)
    return Adam(latents, config.learning_rate)


class Crowd:
    """The priors of a search with their latents, and memory for all that is computed in an iteration.

    Args:
        priors: at least one.
        latents: to begin with, ``[B, S, C, T]``.
        dtype: of matrix products.
        recompute: whether to keep what the gradient of one prior needs, and not that of all.
    """

    def __init__(self, priors: list[Prior], latents: Tensor, *, dtype: torch.dtype, recompute: bool) -> None:
        self.decoders = [Decoder(prior, dtype) for prior in priors]
        n_windows, _, n_channels, n_frames = latents.shape
        self.n_values = n_channels * n_frames
        n_squeezed = n_frames // priors[0].config.n_squeeze
        arranged = [
            decoder.arrange(values) for decoder, values in zip(self.decoders, latents.unbind(dim=1), strict=True)
        ]
        self.latents = torch.stack(arranged)  # [S, B, C, T] in the layout of the decoders
        self.latents.grad = torch.empty_like(self.latents)
        self.recompute = recompute
        tapes: dict[tuple[int, PriorConfig], Tape] = {}
        self.tapes = []
        for number, (decoder, prior) in enumerate(zip(self.decoders, priors, strict=True)):
            key = (0 if recompute else number, prior.config)
            if key not in tapes:
                tapes[key] = decoder.tape(n_windows, n_squeezed)
            self.tapes.append(tapes[key])
        self.sources = torch.empty(len(priors), n_windows, n_channels, n_frames, device=latents.device)

    def decode(self, space: str) -> tuple[Tensor, Tensor]:
        """Return the sources ``[S, B, C, T]``, and the sum ``[B]`` of what the priors hold against them.

        That is the negative log-likelihood in nats per channel and frame; in latent space, its part that depends on
        the latents' length. The sources change with the next call.
        """
        costs = 0.5 * self.latents.square().sum(dim=(0, 2, 3))
        for number, (decoder, tape) in enumerate(zip(self.decoders, self.tapes, strict=True)):
            features, determinant = decoder.decode(self.latents[number], tape)
            self.sources[number] = features
            if space == "data":
                costs = costs + determinant
        constant = 0.5 * math.log(2 * math.pi) * len(self.decoders) if space == "data" else 0.0
        return self.sources, costs / self.n_values + constant

    def expect(self) -> Tensor:
        """Return what latents of zero stand for, ``[S, B, C, T]``; what was kept for gradients is gone."""
        pairs = zip(self.decoders, self.tapes, strict=True)
        return torch.stack([decoder.decode(torch.zeros_like(self.latents[0]), tape)[0] for decoder, tape in pairs])

    def step_back(self, gradient: Tensor, *, weight: float, space: str) -> None:
        """Turn the gradient with respect to the sources ``[S, B, C, T]`` into that of the latents, priors included."""
        assert self.latents.grad is not None
        each = weight / self.n_values
        for number, (decoder, tape) in enumerate(zip(self.decoders, self.tapes, strict=True)):
            if self.recompute and len(self.decoders) > 1:
                decoder.decode(self.latents[number], tape)
            determinant = each if space == "data" else 0.0
            self.latents.grad[number] = decoder.gradient(gradient[number], tape, determinant=determinant)
        if weight:
            self.latents.grad.add_(self.latents, alpha=each)

    def read(self) -> Tensor:
        """Return a copy of the latents, ``[B, S, C, T]``."""
        return torch.stack(
            [decoder.restore(values) for decoder, values in zip(self.decoders, self.latents, strict=True)], dim=1
        )


def begin(
    heard: Tensor, n_sources: int, *, spread: float, start: Tensor | None, generator: torch.Generator | None
) -> Tensor:
    """Return the latents ``[B, S, C, T]`` that a search for features ``[B, C, T]`` begins with.

    Example:
        >>> begin(torch.ones(1, 4, 2), 3, spread=0.0, start=None, generator=None).shape
        torch.Size([1, 3, 4, 2])
    """
    shape = (heard.shape[0], n_sources, *heard.shape[1:])
    if start is not None and start.shape != shape:
        raise ModelError(f"the search must start from latents of shape {shape}, not {tuple(start.shape)}")
    if start is None and spread == 0:
        start = torch.zeros(shape)
    elif start is None:
        start = spread * torch.randn(shape, generator=generator)
    return start.detach().to(heard).clone()


def misfit(
    sources: Tensor, heard: Tensor, loudness: Tensor | None, *, power: float, n_bins: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return how far the sum of sources is from what was heard ``[B]``, that sum ``[B, C, T]``, and the gradient.

    Args:
        sources: ``[S, B, C, T]``.
        heard: ``[B, C, T]``.
        loudness: see `quiet`.
        power: of magnitudes, before they are compared.
        n_bins: rows that count.
    """
    sources = sources.detach().requires_grad_()
    with torch.enable_grad():
        total = quiet(sources, loudness).sum(dim=0).abs() + EPS
        values = divergence(heard if power == 1 else heard**power, total if power == 1 else total**power, n_bins=n_bins)
        (gradient,) = torch.autograd.grad(values.sum(), sources)
    return values.detach(), total.detach(), gradient


def quiet(sources: Tensor, loudness: Tensor | None) -> Tensor:
    """Scale frames of sources ``[S, B, C, T]`` by the ratio of their sum over bins to the loudness ``[B, 1, T]``.

    Without a loudness, and where they are louder, they stay as they are.
    """
    if loudness is None:
        return sources
    own = sources.sum(dim=2, keepdim=True)
    return sources * (own / (torch.maximum(own, loudness) + EPS))


def divergence(heard: Tensor, total: Tensor, *, n_bins: int) -> Tensor:
    """Return the generalized divergence of Kullback and Leibler ``[B]`` of sums ``[B, C, T]`` from what was heard.

    Rows above ``n_bins`` do not count, but as published the mean is over all of them.

    Example:
        >>> divergence(torch.ones(1, 2, 1), torch.ones(1, 2, 1), n_bins=1)
        tensor([0.])
    """
    heard, total, n_values = heard[:, :n_bins], total[:, :n_bins], heard[0].numel()
    return (heard * (heard / total + EPS).log() - heard + total).sum(dim=(1, 2)) / n_values


def is_flat(objectives: list[float], tolerance: float, *, loudness: float) -> bool:
    """Tell whether the last iterations lowered the objective by hardly anything.

    What is hardly anything follows from the loudness, the mean magnitude that was heard, so that a search which began
    near its end is not measured by how little there was to do; for windows that are almost silent, from where it began.

    Example:
        >>> fell = [2.0] + 11 * [1.0]
        >>> is_flat(fell[:-1], 0.1, loudness=0.5), is_flat(fell, 0.1, loudness=0.5), is_flat(fell, 0.0, loudness=0.5)
        (False, True, False)
    """
    if tolerance <= 0 or len(objectives) <= PATIENCE:
        return False
    before, now = min(objectives[:-PATIENCE]), min(objectives[-PATIENCE:])
    return before - now < tolerance * max(loudness, objectives[0])


def check_finite(objectives: list[float], names: list[str], sources: Tensor) -> None:
    """Raise ModelError if the search diverged, and say at which source."""
    if math.isfinite(objectives[-1]):
        return
    spoiled = [name for name, source in zip(names, sources, strict=True) if not source.isfinite().all()]
    where = f"at the source {', '.join(spoiled)} " if spoiled else ""
    raise ModelError(
        f"the search diverged {where}in iteration {len(objectives)}: "
        "use a lower learning rate, or another prior for this source"
    )


def check_priors(priors: Mapping[str, Prior]) -> None:
    """Raise ModelError if priors cannot hear one mixture together."""
    if not priors:
        raise ModelError("a separation needs at least one prior: name those of the sources in the mixture")
    names = list(priors)
    for name in names[1:]:
        one, other = priors[names[0]].config.front_end, priors[name].config.front_end
        if one != other:
            raise ModelError(
                f"the priors {names[0]!r} and {name!r} hear different spectrograms (sample rate, n_fft, hop length, "
                f"channels and squeeze are {one} and {other}): train one of them anew"
            )
