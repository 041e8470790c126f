"""Packages that not everybody has: they are imported when something needs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from unbraid.errors import SettingsError


def load_package(name: str, *, extra: str) -> ModuleType:
    """Import a package that an extra of ours brings.

    Args:
        name: of the package or of a module in it.
        extra: that installs it.

    Raises:
        SettingsError: if it is not installed.

    Example:
        >>> load_package("math", extra="references").__name__
        'math'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".", maxsplit=1)[0]
        raise SettingsError(
            f"{package} is not installed ({error}): pip install 'unbraid[{extra}]', or leave out what needs it"
        ) from error
