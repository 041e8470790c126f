"""Separation with priors: the latents of all are moved until what they stand for adds up to the mixture.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, sections 3.2 and 3.3. What the paper
leaves open is as in the published code: the weight of the prior, and where the search of maximum a posteriori begins.

Axes: B batch, S sources, F bins, C channels (bins and rows of zeros), T frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from unbraid.errors import ModelError, SettingsError
from unbraid.models.layers.flow import Moved

SPACES = ("latent", "data")
EPS = 1e-8
FIRST_MASKED = 4  # iteration from which `SearchConfig.masked` holds
PATIENCE = 10  # iterations over which the objective must fall by the tolerance


class Hearing(Protocol):
    """What a search must know of the spectrograms that a prior is of."""

    @property
    def n_bins(self) -> int:
        """F."""
        ...

    @property
    def front_end(self) -> tuple[int, ...]:
        """Sample rate, n_fft, hop length, C, and frames that are squeezed into one."""
        ...


class SourcePrior(Protocol):
    """What a search needs of a prior: `instglow_network.Prior` has it."""

    @property
    def config(self) -> Hearing:
        """Its shape."""
        ...

    def features(self, magnitude: Tensor) -> Tensor:
        """Make magnitudes ``[B, F, T]`` features ``[B, C, T]``."""
        ...

    def inverse(self, latents: Tensor, lengths: Tensor | None = None, *, recompute: bool = False) -> Moved:
        """Turn latents ``[B, C, T]`` into features, and tell the log-determinant ``[B]``."""
        ...


@dataclass(frozen=True)
class SearchConfig:
    """How latents are searched for.

    Args:
        prior_weight: of the priors' negative log-likelihood: gamma; 0 is maximum likelihood.
        space: where likelihood is measured: ``"data"``, as the posterior has it, or ``"latent"``, without determinants.
        data_weight: of the divergence between the mixture and the sum of the sources.
        spread: standard deviation of the latents at the beginning; 0 begins in the middle of every prior.
        learning_rate: of Adam.
        n_iterations: at most so many.
        tolerance: ends the search when 10 iterations bring less than this part of all that the objective fell; 0 never.
        masked: from the fifth iteration on, a source that is quieter than the mixture in a frame, summed over bins, is
            made quieter still, by the ratio of the two.
        wiener: in the end, sources share the mixture as their magnitudes tell.
        recompute: needs the memory of one block, and half as much time again.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> SEARCHES["mle"].prior_weight, SEARCHES["map"].space
        (0.0, 'data')
    """

    prior_weight: float = 0.0
    space: str = "latent"
    data_weight: float = 1.0
    spread: float = 0.0
    learning_rate: float = 0.01
    n_iterations: int = 150
    tolerance: float = 0.0
    masked: bool = False
    wiener: bool = False
    recompute: bool = False

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SettingsError(f"space must be one of {', '.join(SPACES)}, got {self.space!r}")
        for name in ("prior_weight", "data_weight", "spread", "tolerance"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} {getattr(self, name)} is out of range: use 0 or more")
        if not 0 < self.learning_rate < math.inf or self.n_iterations < 1:
            raise SettingsError("learning_rate must be above 0 and n_iterations at least 1")


class Progress(NamedTuple):
    """What is known in an iteration, counted from 0: the objective, mean of all windows, and the latents it is of.

    The latents change with the next iteration: copy what shall be kept.
    """

    iteration: int
    objective: float
    latents: Tensor


class Found(NamedTuple):
    """The end of a search.

    ``sources`` is ``[B, S, C, T]``: magnitudes, some below zero if the priors say so. ``latents``, of the same shape,
    is what they were decoded from; ``objectives`` has one value for each iteration.
    """

    sources: Tensor
    latents: Tensor
    objectives: tuple[float, ...]


Watcher = Callable[[Progress], None]


def search(
    priors: Mapping[str, SourcePrior],
    mixture: Tensor,
    *,
    config: SearchConfig,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    watch: Watcher | None = None,
) -> Found:
    """Find the latents whose sources add up to a mixture.

    As published, the sources are those of the last iteration, not of one more step. Windows of a batch do not disturb
    each other. Weights are left alone, and dropout is off meanwhile.

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
        >>> from unbraid.models.instglow_network import PRIORS, Prior
        >>> priors = {"one": Prior(PRIORS["debug"]), "two": Prior(PRIORS["debug"])}
        >>> found = search(priors, torch.rand(1, 33, 8), config=SearchConfig(spread=0.1, n_iterations=3))
        >>> found.sources.shape, found.objectives[2] < found.objectives[0]
        (torch.Size([1, 2, 34, 8]), True)
    """
    check_priors(priors)
    first, device = next(iter(priors.values())), mixture.device.type
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        torch.autocast(device, enabled=False),
        at_rest(priors),
    ):
        heard = first.features(mixture).detach().float().abs().clone()
        latents = begin(heard, len(priors), spread=config.spread, start=start, generator=generator)
        optimizer = torch.optim.Adam([latents], lr=config.learning_rate)
        objectives: list[float] = []
        for iteration in range(config.n_iterations):
            heard = heard + EPS
            loudness = heard.sum(dim=1, keepdim=True) if config.masked and iteration >= FIRST_MASKED else None
            sources, costs = decode(priors, latents, config=config, loudness=loudness)
            total = sources.sum(dim=1).abs() + EPS
            objective = config.data_weight * divergence(heard, total, n_bins=first.config.n_bins)
            if config.prior_weight:
                objective = objective + config.prior_weight * costs
            objectives.append(float(objective.detach().mean()))
            check_finite(objectives, list(priors), sources)
            if watch is not None:
                watch(Progress(iteration, objectives[-1], latents.detach()))
            if iteration == config.n_iterations - 1 or is_flat(objectives, config.tolerance):
                break
            (latents.grad,) = torch.autograd.grad(objective.sum(), latents)
            optimizer.step()
        sources = sources.detach()
        if config.wiener:
            sources = sources / total.detach()[:, None] * heard[:, None]
        return Found(sources, latents.detach(), tuple(objectives))


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
    return start.detach().to(heard).clone().requires_grad_()


def decode(
    priors: Mapping[str, SourcePrior], latents: Tensor, *, config: SearchConfig, loudness: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the sources ``[B, S, C, T]`` of latents, and the sum ``[B]`` of what the priors hold against them.

    That is the negative log-likelihood in nats per channel and frame; in latent space, its part that depends on the
    latents' length. Frames of a source are scaled by the ratio of their sum over bins to the loudness ``[B, 1, T]``, if
    that is given, and more.
    """
    sources, costs = [], latents.new_zeros(len(latents))
    for prior, values in zip(priors.values(), latents.unbind(dim=1), strict=True):
        source, log_determinant = prior.inverse(values, recompute=config.recompute)
        if loudness is not None:
            own = source.sum(dim=1, keepdim=True)
            source = source * (own / (torch.maximum(own, loudness) + EPS))
        sources.append(source)
        energy = 0.5 * values.square().sum(dim=(1, 2))
        if config.space == "data":
            costs = costs + (energy + log_determinant) / values[0].numel() + 0.5 * math.log(2 * math.pi)
        else:
            costs = costs + energy / values[0].numel()
    return torch.stack(sources, dim=1), costs


def divergence(heard: Tensor, total: Tensor, *, n_bins: int) -> Tensor:
    """Return the generalized divergence of Kullback and Leibler ``[B]`` of sums ``[B, C, T]`` from what was heard.

    Rows above ``n_bins`` do not count, but as published the mean is over all of them.

    Example:
        >>> divergence(torch.ones(1, 2, 1), torch.ones(1, 2, 1), n_bins=1)
        tensor([0.])
    """
    heard, total, n_values = heard[:, :n_bins], total[:, :n_bins], heard[0].numel()
    return (heard * (heard / total + EPS).log() - heard + total).sum(dim=(1, 2)) / n_values


def is_flat(objectives: list[float], tolerance: float) -> bool:
    """Tell whether the last iterations contributed hardly anything to the fall of the objective.

    Example:
        >>> is_flat([2.0] + 10 * [1.0], 0.1), is_flat([2.0] + 11 * [1.0], 0.1), is_flat([2.0] + 11 * [1.0], 0.0)
        (False, True, False)
    """
    if tolerance <= 0 or len(objectives) <= PATIENCE:
        return False
    before, now = min(objectives[:-PATIENCE]), min(objectives[-PATIENCE:])
    return before - now < tolerance * (objectives[0] - min(before, now))


def check_finite(objectives: list[float], names: list[str], sources: Tensor) -> None:
    """Raise ModelError if the search diverged, and say at which source."""
    if math.isfinite(objectives[-1]):
        return
    spoiled = [name for name, source in zip(names, sources.unbind(dim=1), strict=True) if not source.isfinite().all()]
    where = f"at the source {', '.join(spoiled)} " if spoiled else ""
    raise ModelError(
        f"the search diverged {where}in iteration {len(objectives)}: "
        "use a lower learning rate, or another prior for this source"
    )


def check_priors(priors: Mapping[str, SourcePrior]) -> None:
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


@contextmanager
def at_rest(priors: Mapping[str, SourcePrior]) -> Iterator[None]:
    """Turn dropout and gradients of weights off, and back as they were."""
    modules = [prior for prior in priors.values() if isinstance(prior, nn.Module)]
    weights = {weight: weight.requires_grad for module in modules for weight in module.parameters()}
    modes = {module: module.training for module in modules}
    try:
        for module in modules:
            module.eval().requires_grad_(requires_grad=False)
        yield
    finally:
        for module, mode in modes.items():
            module.train(mode)
        for weight, wanted in weights.items():
            weight.requires_grad_(wanted)


MLE = SearchConfig()
SEARCHES: dict[str, SearchConfig] = {
    "mle": MLE,
    "map": replace(MLE, prior_weight=0.001, space="data", spread=0.1),
    "map-latent": replace(MLE, prior_weight=1.0, spread=0.01),  # of the published demonstration
    "mle-slow": replace(MLE, learning_rate=0.005, n_iterations=300),  # of the published script
}
