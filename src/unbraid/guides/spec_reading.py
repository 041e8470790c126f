"""From JSON values to dataclasses of plain values, with messages that say where and what is wrong."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from unbraid.errors import GuideError

MAX_TEXT = 1000
MAX_ITEMS = 10_000


def read_as(hint: Any, value: object, where: str) -> Any:
    """Read JSON values as a type: plain values, tuples, unions, and dataclasses of such fields.

    In a union, a word ``kind`` tells the dataclass; without one, it is the first whose required fields are all there,
    else the last.

    Args:
        hint: the type.
        value: what a JSON parser returned.
        where: it stands, for messages: ``targets[0]``.

    Raises:
        GuideError: if the value is something else, or an object holds an unknown or lacks a required field.

    Example:
        >>> read_as(tuple[float, ...], [1, 2.5], "times")
        (1.0, 2.5)
        >>> read_as(float | None, "soon", "offset")
        Traceback (most recent call last):
        unbraid.errors.GuideError: offset is "soon": give a number or null
    """
    if get_origin(hint) in {UnionType, Union}:
        return _read_union(get_args(hint), value, where)
    if get_origin(hint) is tuple:
        return _read_list(get_args(hint), value, where)
    if hasattr(hint, "__dataclass_fields__"):
        return _read_object(hint, value, where)
    found = _plain(hint, value)
    if found is None and hint is not NoneType:
        raise GuideError(f"{where} is {_shown(value)}: give {_called(hint)}")
    return found


def _plain(hint: Any, value: object) -> Any:
    """Return a plain value of this type, or None if it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if get_origin(hint) is Literal:
        return value if value in get_args(hint) else None
    if hint is float:
        return _finite(value) if is_number else None
    if hint is int:
        return value if is_number and isinstance(value, int) else None
    if hint is bool:
        return value if isinstance(value, bool) else None
    if hint is str:
        return value if isinstance(value, str) and value.strip() and len(value) <= MAX_TEXT else None
    return None


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _read_union(members: Sequence[Any], value: object, where: str) -> Any:
    if value is None and NoneType in members:
        return None
    objects = [one for one in members if hasattr(one, "__dataclass_fields__")]
    plain = [one for one in members if one not in objects and one is not NoneType]
    for member in plain:
        found = _plain(member, value)
        if found is not None:
            return found
    if objects and isinstance(value, dict):
        return _read_object(_choose(objects, value, where), value, where)
    listed = [_called(one) for one in (*plain, *(["an object"] if objects else ()))]
    null = ["null"] if NoneType in members else []
    raise GuideError(f"{where} is {_shown(value)}: give {' or '.join([*listed, *null])}")


def _choose(objects: Sequence[Any], value: dict[str, Any], where: str) -> Any:
    """Tell which of several dataclasses an object means."""
    kinds = {one.kind: one for one in objects if hasattr(one, "kind")}
    if kinds and "kind" in value:
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise GuideError(f"{where}: kind {kind!r} is unknown: {_hint(str(kind), list(kinds), 'use one of')}")
        return kinds[kind]
    unkind = [one for one in objects if not hasattr(one, "kind")]
    for one in unkind:
        if all(name in value for name in _required(one)):
            return one
    if not unkind:
        raise GuideError(f"{where} has no kind: use one of {', '.join(kinds)}")
    return unkind[-1]


def _required(cls: Any) -> list[str]:
    return [field.name for field in fields(cls) if field.default is MISSING]


def _read_object(cls: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise GuideError(f"{where} is {_shown(value)}: give an object")
    hints = get_type_hints(cls)
    for name in value:
        if name not in hints:
            raise GuideError(f"{where} holds {name!r}, which means nothing: {_hint(name, list(hints), 'it may hold')}")
    for name in _required(cls):
        if name not in value:
            raise GuideError(f"{where} has no {name}: give {_called(hints[name])}")
    return cls(**{name: read_as(hints[name], given, f"{where}.{name}") for name, given in value.items()})


def _read_list(members: Sequence[Any], value: object, where: str) -> tuple[Any, ...]:
    is_open = members[-1] is Ellipsis
    if not isinstance(value, list | tuple):
        raise GuideError(f"{where} is {_shown(value)}: give a list")
    if not is_open and len(value) != len(members):
        raise GuideError(f"{where} has {len(value)} values: give {len(members)}")
    if len(value) > MAX_ITEMS:
        raise GuideError(f"{where} has {len(value)} values: give {MAX_ITEMS} at most")
    hints = [members[0]] * len(value) if is_open else members
    return tuple(
        read_as(hint, one, f"{where}[{index}]") for index, (hint, one) in enumerate(zip(hints, value, strict=True))
    )


def _called(hint: Any) -> str:
    names = {float: "a number", int: "a whole number", bool: "true or false", str: f"text of 1 to {MAX_TEXT} letters"}
    if get_origin(hint) is Literal:
        return " or ".join(repr(one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return "a list"
    if get_origin(hint) in {UnionType, Union}:
        return " or ".join(dict.fromkeys(_called(one) for one in get_args(hint)))
    return "null" if hint is NoneType else names.get(hint, hint if isinstance(hint, str) else "an object")


def _hint(word: str, known: Sequence[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"{otherwise} {', '.join(known)}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:40]
