"""Where taught labels lie, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from unbraid.errors import GuideError
from unbraid.guides.kinds import Label, Target
from unbraid.library import is_file_name, library
from unbraid.models.queries import SUFFIX, Query, is_for, label_files
from unbraid.models.separator import Separator
from unbraid.zoo import ZOO, default_model


def place_of(name: str) -> Path:
    """Return where a label lies in the library.

    Example:
        >>> place_of("riff").name
        'riff.unbraid'
    """
    return library() / f"{name}{SUFFIX}"


def find_query(name: str, separator: Separator) -> Query | None:
    """Look for a label that was taught to this model: in the current folder, then in the library.

    Files are told by the name that they hold, not by what they are called; damaged ones are passed over.

    Example:
        >>> from unbraid.zoo import debug_model
        >>> find_query("never taught", debug_model()) is None
        True
    """
    return next((query for query in _queries() if query.name == name and is_for(query, separator)), None)


def any_query(name: str) -> Query | None:
    """Look for a label in the current folder and in the library, whatever model it was taught to.

    Example:
        >>> any_query("never taught") is None
        True
    """
    return next((query for query in _queries() if query.name == name), None)


def learned_by(targets: Sequence[Target]) -> str | None:
    """Tell which model to load for the labels that are asked for, where one of them was taught to it.

    Labels lie in the current folder and in the library. None where the model that is chosen by default knows them all,
    or no other one does: then its own refusal tells what is wrong.

    Returns:
        A name of the zoo, or the path of weights that are there.

    Example:
        >>> learned_by([Target("lead", Label("vocals"))]) is None
        True
    """
    guides = [guide for target in targets for guide in target.guides]
    asked = {guide.name for guide in guides if isinstance(guide, Label)}
    kinds = {type(guide).__name__ for guide in guides}
    default = default_model(targets)
    taught: dict[str, set[str]] = {default: set()}
    for query in _queries() if asked - set(ZOO[default].vocabulary) else ():
        taught.setdefault(query.model, set()).add(query.name)
    for model, labels in taught.items():  # the default one first
        entry = ZOO.get(model)
        if entry is None:  # what else such a file knows is not told without reading it
            fits = Path(model).is_file() and bool(asked & labels)
        else:
            fits = entry.ships and asked <= {*entry.vocabulary, *labels} and kinds <= set(entry.guides)
        if fits:
            return None if model == default else model
    return None


def _queries() -> Iterator[Query]:
    return (query for _, query in label_files(Path(), library()))


def check_name(name: str, model: Separator) -> None:
    """Refuse a name that cannot be a label of this model, or not a file.

    Raises:
        GuideError: that says why.

    Example:
        >>> from unbraid.zoo import debug_model
        >>> check_name("AC/DC", debug_model())
        Traceback (most recent call last):
        unbraid.errors.GuideError: 'AC/DC' cannot be a file name: ...
    """
    known = next((word for word in model.vocabulary if word.casefold() == name.casefold()), None)
    if known is not None:
        raise GuideError(f"the model knows {known!r} already: teach it under another name")
    if not is_file_name(name):
        raise GuideError(f"{name!r} cannot be a file name: use letters, digits, spaces, - and _, 100 bytes at most")
