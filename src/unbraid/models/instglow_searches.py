"""How the latents of priors are searched for: the settings of a search, and the searches that have a name.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, sections 3.2 and 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from unbraid.errors import SettingsError

SPACES = ("latent", "data")


@dataclass(frozen=True)
class SearchConfig:
    """How latents are searched for.

    Args:
        prior_weight: of the priors' negative log-likelihood: gamma; 0 is maximum likelihood.
        space: where likelihood is measured: ``"data"``, as the posterior has it, or ``"latent"``, without determinants.
        data_weight: of the divergence between the mixture and the sum of the sources.
        spread: standard deviation of the latents at the beginning; 0 begins in the middle of every prior.
        learning_rate: of Adam; with L-BFGS, the root mean square of a step at most.
        memory: steps that L-BFGS remembers; 0 searches with Adam.
        slowing: the learning rate ends at this part of itself, along half a cosine; 1 keeps it.
        power: of magnitudes, before the mixture and the sum of the sources are compared.
        n_iterations: at most so many.
        tolerance: ends the search when 10 iterations lower the objective by less than this part of where it began, or
            of the mixture's mean magnitude if that is more; 0 never.
        masked: from the fifth iteration on, a source that is quieter than the mixture in a frame, summed over bins, is
            made quieter still, by the ratio of the two.
        exponent: masks for the mixture's channels and band share a bin as magnitudes to this power do.
        anchor: of these magnitudes, the weight (in a geometric mean) of what the priors expect before they hear
            anything: what latents of zero stand for.
        wiener: in the end, sources share the mixture as their magnitudes tell.
        recompute: needs the memory of one prior for gradients, not of all, and half as much time again.

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
    memory: int = 0
    slowing: float = 1.0
    power: float = 1.0
    n_iterations: int = 150
    tolerance: float = 0.0
    masked: bool = False
    exponent: float = 1.0
    anchor: float = 0.0
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
        if self.memory < 0:
            raise SettingsError(f"memory {self.memory} is out of range: use 0 or more")
        if not 0 < self.power <= 1 or not 0 <= self.slowing <= 1:
            raise SettingsError(f"power {self.power} and slowing {self.slowing} must be parts of 1")
        if not 0 < self.exponent < math.inf:
            raise SettingsError(f"exponent {self.exponent} is out of range: use a positive number")
        if not 0 <= self.anchor <= 1:
            raise SettingsError(f"anchor {self.anchor} is out of range: use 0 to 1")

    def pace(self, iteration: int) -> float:
        """Return which part of the learning rate an iteration has.

        Example:
            >>> SearchConfig(slowing=0.0, n_iterations=3).pace(1)
            0.5
        """
        done = iteration / max(1, self.n_iterations - 1)
        return self.slowing + (1 - self.slowing) * 0.5 * (1 + math.cos(math.pi * done))


MLE = SearchConfig()
CURVATURE = replace(MLE, learning_rate=0.05, memory=8, slowing=0.0, n_iterations=40, tolerance=0.008, exponent=0.5)
SEARCHES: dict[str, SearchConfig] = {
    "default": replace(MLE, n_iterations=90, tolerance=0.005, exponent=0.5),
    "curvature": CURVATURE,
    "quick": replace(CURVATURE, n_iterations=12, tolerance=0.0),
    "mle": MLE,
    "map": replace(MLE, prior_weight=0.001, space="data", spread=0.1),
    "map-latent": replace(MLE, prior_weight=1.0, spread=0.01),  # of the published demonstration
    "mle-slow": replace(MLE, learning_rate=0.005, n_iterations=300),  # of the published script
}


def find_search(name: str) -> SearchConfig:
    """Return a search by its name.

    Raises:
        SettingsError: if there is none.
    """
    if name not in SEARCHES:
        raise SettingsError(f"search {name}: there is no such search, only {', '.join(SEARCHES)}")
    return SEARCHES[name]


def read_search(text: str) -> SearchConfig:
    """Return a search by its name, with other settings where they follow it.

    Raises:
        SettingsError: if there is no such search or setting, or a value is none or out of range.

    Example:
        >>> read_search("mle,n_iterations=50,wiener=true") == replace(MLE, n_iterations=50, wiener=True)
        True
    """
    name, *changes = text.split(",")
    return replace(find_search(name), **dict(map(read_setting, changes)))


def read_setting(text: str) -> tuple[str, Any]:
    """Read ``NAME=VALUE``, a setting of `SearchConfig`."""
    name, _, word = text.partition("=")
    known = vars(MLE)
    if name not in known:
        raise SettingsError(f"search: there is no setting {name!r}, only {', '.join(known)}")
    kind = type(known[name])
    try:
        return name, {"true": True, "false": False}[word] if kind is bool else kind(word)
    except (KeyError, ValueError) as error:
        example = str(known[name]).lower()
        raise SettingsError(f"search: {text!r} gives no value: write it such as {name}={example}") from error
