"""The models in the memory of one worker."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from unbraid.models.separator import Separator

CHOOSING = ("priors", "search")  # settings of a take that say what its model is put together of


@dataclass(frozen=True)
class ModelChoice:
    """A model as a take asks for it.

    Args:
        source: what `zoo.load_model` takes; empty while it is not known.
        priors: that take part, of a model that is made of them; None is all.
        search: how they search; None is as usual.
        sha256: of the weights, so that others in place of them are another model.
    """

    source: str = ""
    priors: tuple[str, ...] | None = None
    search: str | None = None
    sha256: str = ""

    @classmethod
    def of(cls, settings: dict[str, Any], source: str = "", sha256: str = "") -> ModelChoice:
        """Return what the settings of a take choose.

        Example:
            >>> ModelChoice.of({"priors": ["vocals", "drums"], "overlap": 0.5}, "instglow").priors
            ('vocals', 'drums')
        """
        priors = settings.get("priors")
        return cls(source, None if priors is None else tuple(priors), settings.get("search"), sha256)


@dataclass(eq=False)
class _Held:
    model: Separator
    n_bytes: int
    n_users: int = 0


class Shelf:
    """Models up to so many bytes of weights: before another one is loaded, those that rested longest go.

    What is in use stays, whatever it takes: who hands out work sees to it that it is not too much.

    Args:
        load: makes a model.
        most_bytes: of all models together.

    Example:
        >>> from unbraid.models.instglow import PRESETS, Instglow
        >>> shelf = Shelf(lambda choice: Instglow(PRESETS["instglow-debug"]), most_bytes=0)
        >>> with shelf.lend(ModelChoice("one"), n_bytes=9000), shelf.lend(ModelChoice("other"), n_bytes=9000):
        ...     len(shelf)
        2
        >>> with shelf.lend(ModelChoice("third"), n_bytes=9000):
        ...     len(shelf)
        1
    """

    def __init__(self, load: Callable[[ModelChoice], Separator], *, most_bytes: int) -> None:
        self._load = load
        self._most_bytes = most_bytes
        self._held: OrderedDict[ModelChoice, _Held] = OrderedDict()  # the one that rested longest first

    def __len__(self) -> int:
        return len(self._held)

    @property
    def n_bytes(self) -> int:
        """What the weights of all models take."""
        return sum(one.n_bytes for one in self._held.values())

    @contextmanager
    def lend(self, choice: ModelChoice, *, n_bytes: int) -> Iterator[Separator]:
        """Give a model for as long as it is used.

        Args:
            choice: which one.
            n_bytes: that it will take, as far as that is known before.

        Raises:
            ModelError: if it cannot be loaded.
        """
        if choice not in self._held:
            self._make_room(n_bytes)
            model = self._load(choice)
            self._held[choice] = _Held(model, bytes_of(model))
        held = self._held[choice]
        self._held.move_to_end(choice)
        held.n_users += 1
        try:
            yield held.model
        finally:
            held.n_users -= 1

    def _make_room(self, n_bytes: int) -> None:
        for choice in [choice for choice, one in self._held.items() if not one.n_users]:
            if self.n_bytes + n_bytes <= self._most_bytes:
                return
            del self._held[choice]


def bytes_of(model: Separator) -> int:
    """Return what the weights of a model take in memory."""
    return sum(one.numel() * one.element_size() for one in (*model.parameters(), *model.buffers()))
