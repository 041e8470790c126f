"""The user's library: the folder of what was taught or trained at home, and what can be a file's name in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SAFE = re.compile(r"\w(?:[\w .+-]*\w)?")  # letters and digits of every script
MAX_NAME_BYTES = 100


def library() -> Path:
    """Return the folder of the user's labels: ``UNBRAID_LIBRARY``, else ``unbraid`` in the XDG data folder."""
    given = os.environ.get("UNBRAID_LIBRARY")
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share") / "unbraid"


def is_file_name(name: str) -> bool:
    """Tell whether a name of something can be the name of its file, everywhere.

    Example:
        >>> is_file_name("my guitar"), is_file_name("AC/DC"), is_file_name("..")
        (True, False, False)
    """
    try:
        return _SAFE.fullmatch(name) is not None and len(name.encode("utf-8")) <= MAX_NAME_BYTES
    except UnicodeEncodeError:  # bytes of the command line that are no UTF-8
        return False
