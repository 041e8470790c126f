"""What ends a run before its steps do: a signal, or that no epoch is better any more."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from unbraid.errors import RecipeError


@dataclass(frozen=True)
class Patience:
    """When to give up: after so many epochs in a row whose validation loss was no improvement.

    Args:
        epochs: that many end the run.
        min_delta: a loss must be lower than the best one by more than this to be an improvement.

    Raises:
        RecipeError: if a value is out of range.
    """

    epochs: int
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 <= self.min_delta < math.inf:
            raise RecipeError(
                f"patience needs 1 epoch or more and a min_delta of 0 or more, got {self.epochs}, {self.min_delta}"
            )


@dataclass(frozen=True)
class PatienceState:
    """What was waited for: the best loss, and how many epochs ago it was."""

    best: float | None = None
    bad_epochs: int = 0

    def observe(self, loss: float, patience: Patience) -> PatienceState:
        """Return the state after a validation; a loss that is not a number is no improvement.

        Example:
            >>> PatienceState(best=1.0, bad_epochs=2).observe(0.95, Patience(epochs=3, min_delta=0.1))
            PatienceState(best=1.0, bad_epochs=3)
        """
        if loss < (math.inf if self.best is None else self.best - patience.min_delta):
            return PatienceState(best=loss)
        return PatienceState(self.best, self.bad_epochs + 1)

    def is_over(self, patience: Patience | None) -> bool:
        """Say whether it is time to give up.

        Example:
            >>> PatienceState(best=1.0, bad_epochs=3).is_over(Patience(epochs=3)), PatienceState().is_over(None)
            (True, False)
        """
        return patience is not None and self.bad_epochs >= patience.epochs


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; a second Ctrl-C stops at once.

    Example:
        >>> with stop_signals() as stopped:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     stopped()
        True
    """
    asked: list[int] = []
    old: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread: whoever started the thread minds the signals
        old.clear()
    try:
        yield lambda: bool(asked)
    finally:
        for one, handler in old.items():
            signal.signal(one, handler)
