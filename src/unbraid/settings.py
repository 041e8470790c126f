"""How a separation is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unbraid.audio.segments import WindowLayout
from unbraid.errors import SettingsError
from unbraid.models.separator import Sampling

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Settings:
    """How a separation is computed; the sound that it aims at is the same for all of them.

    Args:
        overlap: fraction of a window that the next one covers again, in [0, 0.9).
        segment: length of a window in seconds; None is the length that the model was trained on.
        batch_size: windows that are processed at a time; None is 1 on the CPU and 8 elsewhere.
        precision: ``"fp32"``, or ``"bf16"`` for matrix products in bfloat16.
        sampling: how a model that draws its answers at random draws them; None leaves it to the model.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> Settings(overlap=0.5).segment is None
        True
    """

    overlap: float = 0.25
    segment: float | None = None
    batch_size: int | None = None
    precision: str = "fp32"
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        WindowLayout(1, self.overlap, 1 if self.batch_size is None else self.batch_size)  # refuses these two
        if self.segment is not None and not (self.segment > 0 and math.isfinite(self.segment)):
            raise SettingsError(f"segment {self.segment} is out of range: use a positive number of seconds")
        if self.precision not in PRECISIONS:
            raise SettingsError(f"unknown precision {self.precision!r}: use one of {', '.join(PRECISIONS)}")


DEFAULTS = Settings()
