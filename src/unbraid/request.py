"""What is asked, and of which model: guides are spelled out and read, separators found by name."""

from __future__ import annotations

import os

from unbraid.guides.kinds import Request, Target, spell_targets
from unbraid.guides.on_clock import read_guides
from unbraid.models.separator import Separator
from unbraid.zoo import check_targets, default_model, load_model


def read_request(model: Separator, targets: Request) -> tuple[Target, ...]:
    """Spell the targets out, refuse what the model cannot follow, and read the examples that are files.

    Spans of the mixture stay spans, and what depends on other guides is checked too if there are none.

    Raises:
        GuideError: as :meth:`Separator.condition` and :func:`~unbraid.guides.examples.resolve_examples` do.
    """
    wanted = spell_targets(targets)
    check_targets(model, wanted)
    return read_guides(wanted)


def pick_separator(model: Separator | str | os.PathLike[str] | None, targets: Request) -> Separator:
    """Load the separator asked for, or, if it is left open, the one that ships for guides of these kinds.

    Raises:
        ModelError: if there is no such model.
        GuideError: if it is left open and the targets are malformed.
    """
    if model is not None:
        return load_separator(model)
    return load_separator(default_model(spell_targets(targets)))


def load_separator(model: Separator | str | os.PathLike[str]) -> Separator:
    """Return a separator as it is; load one that is given by its name or the path of its weights.

    Raises:
        ModelError: if there is no such model.
    """
    if isinstance(model, Separator):
        return model
    return load_model(os.fspath(model))
