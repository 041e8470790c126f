"""The interface that every model of the house has.

Axes: B batch, S stems, C channels, N samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Guide, Target


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


class Separator(nn.Module, ABC):
    """A network that pulls targets out of a mixture at its own rate.

    Attributes:
        config: what shapes the network: a frozen dataclass of plain values.
        sample_rate: rate of the windows that ``forward`` takes, in hertz.
        segment: length of the windows that it was trained on, in seconds.
        accepts: the kinds of guide that ``condition`` takes.
        vocabulary: the labels or prompts that it knows; empty if it knows none.
        query_size: length of the vector that stands for a target inside the network; None if there is no such vector.
        taught: names that it was taught later, each with its vector; they are no part of the weights.
        name: what it was loaded as, for messages; empty if it was not loaded.
    """

    config: Any
    sample_rate: int
    segment: float
    accepts: frozenset[type[Guide]]
    vocabulary: tuple[str, ...]
    query_size: int | None = None
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

    def embed(self, examples: Examples) -> Tensor:
        """Turn examples into the vector ``[query_size]`` that stands for their sound, if the model can.

        Raises:
            GuideError: if it cannot, or an example is too short.
        """
        raise GuideError(f"{self.name or type(self).__name__} takes no examples: choose a model that does")

    def teach(self, name: str, query: Tensor) -> None:
        """Let a label of a new name stand for a vector; everything else stays as it is, bit for bit.

        Args:
            name: of the label; none of the vocabulary.
            query: ``[query_size]``, finite.

        Raises:
            GuideError: if the name is taken by the vocabulary, or the vector is of another model.
        """
        if name in self.vocabulary:
            raise GuideError(f"the model knows {name!r} already: teach it under another name")
        if self.query_size is None:
            raise GuideError(f"{self.name or type(self).__name__} cannot be taught new labels: choose another model")
        if query.shape != (self.query_size,) or not bool(query.isfinite().all()):
            raise GuideError(f"{name!r} was taught to another model: its vector is {tuple(query.shape)}")
        self.taught[name] = query.detach().clone()
