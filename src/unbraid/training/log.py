"""The diary of a run: numbers collected over steps, and one line of JSON per entry."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from unbraid.errors import RecipeError

LOG = "log.jsonl"
Entry = dict[str, float | None]


class Meter:
    """Means and rates over the steps between two entries of the log.

    Example:
        >>> meter = Meter()
        >>> meter.add({"loss": 1.0})
        >>> meter.add({"loss": 2.0})
        >>> meter.entry()["loss"]
        1.5
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}
        self._started = time.perf_counter()
        self._waited = 0.0
        self._audio = 0.0

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """Take in the numbers of one step; tensors stay on their device until the entry is made."""
        for name, value in values.items():
            number = value.detach() if isinstance(value, Tensor) else value
            self._sums[name] = self._sums.get(name, 0.0) + number
            self._counts[name] = self._counts.get(name, 0) + 1

    def add_batch(self, *, audio_seconds: float, waited: float) -> None:
        """Take in how much audio a batch holds, and how long it was waited for, in seconds."""
        self._audio += audio_seconds
        self._waited += waited

    def skip_time(self, seconds: float) -> None:
        """Leave out time that was not spent on training, such as a validation."""
        self._started += seconds

    def entry(self) -> Entry:
        """Return means, seconds of audio per second, and the fraction of time waited for data; then begin anew."""
        duration = max(time.perf_counter() - self._started, 1e-9)
        entry: Entry = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        entry["audio_rate"] = self._audio / duration
        entry["data_wait"] = self._waited / duration
        self._reset()
        return entry


def write_entry(folder: Path, entry: Mapping[str, float | None]) -> None:
    """Append one line of JSON to the log of a run; what is no finite number becomes null.

    Raises:
        RecipeError: if the log cannot be written.
    """
    strict = {name: _rounded(value) for name, value in entry.items()}
    try:
        with (folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(strict, allow_nan=False) + "\n")
    except OSError as error:
        raise RecipeError(f"{folder / LOG}: cannot be written ({error}): make room, or choose another --out") from error


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.6g}")
