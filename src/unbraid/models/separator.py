"""The interface that every model of the house has.

Axes: B batch, S stems, C channels, N samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from unbraid.guides.kinds import Guide, Target


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
        sample_rate: rate of the windows that ``forward`` takes, in hertz.
        segment: length of the windows that it was trained on, in seconds.
        accepts: the kinds of guide that ``condition`` takes.
        vocabulary: the labels or prompts that it knows; empty if it knows none.
    """

    sample_rate: int
    segment: float
    accepts: frozenset[type[Guide]]
    vocabulary: tuple[str, ...]

    @abstractmethod
    def condition(self, targets: Sequence[Target]) -> Condition:
        """Turn the guides of all targets of one track into the model's own tensors.

        Raises:
            GuideError: if a guide is of a kind, or a label of a name, that the model does not know.
        """

    @abstractmethod
    def forward(self, mixture: Tensor, condition: Condition) -> Estimates:
        """Separate windows ``[B, C, N]`` of one track into ``[B, S, C, N]``."""
