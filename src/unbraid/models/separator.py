"""The interface that every model of the house has.

Axes: B batch, S stems, C channels, N samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from unbraid.errors import GuideError, SettingsError
from unbraid.guides.kinds import Examples, Guide, Target

MAX_STEPS = 1000
MAX_CANDIDATES = 64


class Estimates(NamedTuple):
    """What a model answers for one batch of windows.

    ``stems`` is ``[B, S, C, N]``, as long as the mixture. ``presence`` is ``[B, S]``, the probability in
    0..1 that the target sounds in the window, or None for a model that does not know.
    """

    stems: Tensor
    presence: Tensor | None


class Condition(Protocol):
    """A model's tensors made from the guides of one track.

    ``names`` says what each of the S outputs is called. ``groups`` lists the outputs that share a prompt,
    so that they could change places from window to window (each index at most once; groups of one may be
    left out).
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each output."""
        ...

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Indices of outputs that are interchangeable."""
        ...

    def crop(self, start: float, stop: float) -> Condition:
        """Return the condition of the window from start to stop, in seconds of the mixture."""
        ...


@runtime_checkable
class Joinable(Condition, Protocol):
    """A condition on the mixture's clock, of which several windows go through the network together."""

    def join(self, others: Sequence[Condition]) -> Condition:
        """Return the condition of this window and of others, in this order."""
        ...


@dataclass(frozen=True)
class Sampling:
    """How a model that draws its answers at random draws them.

    Args:
        seed: of the random numbers; the same seed gives the same answer.
        steps: evaluations of the network for one draw; None is what the model was made for.
        candidates: draws of each window, of which the best is taken.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> Sampling(candidates=4).steps is None
        True
    """

    seed: int = 0
    steps: int | None = None
    candidates: int = 1

    def __post_init__(self) -> None:
        if self.steps is not None and not 1 <= self.steps <= MAX_STEPS:
            raise SettingsError(f"steps {self.steps} is out of range: use 1 to {MAX_STEPS}")
        if not 1 <= self.candidates <= MAX_CANDIDATES:
            raise SettingsError(f"candidates {self.candidates} is out of range: use 1 to {MAX_CANDIDATES}")
        if not 0 <= self.seed < 1 << 63:
            raise SettingsError(
                f"seed {self.seed} is out of range: use 0 or a positive number below 2 to the power of 63"
            )


class Separator(nn.Module, ABC):
    """A network that pulls targets out of a mixture at its own rate.

    Attributes:
        config: what shapes the network: a frozen dataclass of plain values.
        sample_rate: rate of the windows that ``forward`` takes, in hertz.
        segment: length of the windows that it was trained on, in seconds.
        step: windows should begin at multiples of so many samples of its own rate.
        accepts: the kinds of guide that ``condition`` takes.
        vocabulary: the labels or prompts that it knows; empty if it knows none.
        query_size: length of the vector that stands for a target inside the network; None if there is no such vector.
        memory_size: numbers that a vector that was taught may hold beyond that; see `remember`.
        taught: names that it was taught later, each with its vector; they are no part of the weights.
        name: what it was loaded as, for messages; empty if it was not loaded.
    """

    config: Any
    sample_rate: int
    segment: float
    accepts: frozenset[type[Guide]]
    vocabulary: tuple[str, ...]
    step: int = 1
    query_size: int | None = None
    memory_size: int = 0
    name: str = ""

    def __init__(self) -> None:
        super().__init__()
        self.taught: dict[str, Tensor] = {}

    @abstractmethod
    def condition(self, targets: Sequence[Target]) -> Condition:
        """Turn the guides of all targets of one track into the model's own tensors.

        Examples have been read, and spans cut, when they come here (`guides.examples.resolve_examples`).

        Raises:
            GuideError: if a guide is of a kind, or a label of a name, that the model does not know.
        """

    @abstractmethod
    def forward(self, mixture: Tensor, condition: Condition) -> Estimates:
        """Separate windows ``[B, C, N]`` of one track into ``[B, S, C, N]``."""

    def sample_with(self, condition: Condition, sampling: Sampling) -> Condition:
        """Return a condition that is answered with other random draws, if the model draws anything at random.

        Raises:
            SettingsError: as `check_sampling`.
        """
        self.check_sampling(sampling)
        return condition

    def check_sampling(self, sampling: Sampling) -> None:
        """Refuse random draws that the model does not make.

        Raises:
            SettingsError: if it draws nothing at random.
        """
        del sampling
        raise SettingsError(
            f"{self.name or type(self).__name__} draws nothing at random: leave seed, steps and candidates out"
        )

    def embed(self, examples: Examples) -> Tensor:
        """Turn examples into the vector ``[query_size]`` that stands for their sound, if the model can.

        Raises:
            GuideError: if it cannot, or an example is too short.
        """
        raise GuideError(f"{self.name or type(self).__name__} takes no examples: choose a model that does")

    def remember(self, examples: Examples) -> Tensor:
        """Turn examples into the vector that `teach` takes: what `embed` returns, and what else is to be kept.

        Raises:
            GuideError: as `embed`.
        """
        return self.embed(examples)

    def holds(self, vector: Tensor) -> bool:
        """Tell whether a vector has a size that `teach` takes, ``[query_size]`` or ``[query_size + memory_size]``."""
        size = self.query_size
        return size is not None and vector.shape in {(size,), (size + self.memory_size,)}

    def teach(self, name: str, query: Tensor) -> None:
        """Let a label of a new name stand for a vector; everything else stays as it is, bit for bit.

        Args:
            name: of the label; none of the vocabulary.
            query: of a size that it `holds`, finite.

        Raises:
            GuideError: if the name is taken by the vocabulary, or the vector is of another model.
        """
        if name in self.vocabulary:
            raise GuideError(f"the model knows {name!r} already: teach it under another name")
        if self.query_size is None:
            raise GuideError(f"{self.name or type(self).__name__} cannot be taught new labels: choose another model")
        if not self.holds(query) or not bool(query.isfinite().all()):
            raise GuideError(f"{name!r} was taught to another model: its vector is {tuple(query.shape)}")
        self.taught[name] = query.detach().clone()
