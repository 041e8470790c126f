"""The song that comes with the studio."""

from __future__ import annotations

from pathlib import Path

NAME = "francium.flac"
_HERE = Path(__file__).parent


def demo_song() -> Path | None:
    """Return the demo song: in the installed package, or in a checkout; None if it is in neither."""
    places = (_HERE / "songs" / NAME, _HERE.parents[2] / "demo" / "francium" / "mixture.flac")
    return next((place for place in places if place.is_file()), None)
