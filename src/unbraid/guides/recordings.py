"""Recordings as users give them: what counts as one, and what one needs to be of use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.encoding import MAX_CHANNELS
from unbraid.audio.signal import Audio
from unbraid.errors import AudioError, GuideError

SILENT_PEAK = 1e-4  # -80 dBFS

GivenSound = Audio | str | os.PathLike[str] | tuple[Tensor | npt.ArrayLike, int]


@dataclass(frozen=True, eq=False)
class Example(Audio):
    """A recording that messages can name.

    Attributes:
        what: it is, such as ``"target 'riff': example riff.wav"``.
    """

    what: str = "an example"


def is_pair(given: object) -> bool:
    """Whether this looks like an array and its rate."""
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Real)


def hold_recording(given: GivenSound, *, what: str, forms: str) -> Audio | Path:
    """Keep a recording as a path, or as sound.

    Args:
        given: a file, sound, or an array and its rate.
        what: it is, for messages: "an example".
        forms: in which it may be given, for messages.

    Raises:
        GuideError: if it is none of these, or the array is no sound.

    Example:
        >>> hold_recording("riff.wav", what="an example", forms="a file").name
        'riff.wav'
    """
    if isinstance(given, Audio):
        return given
    if isinstance(given, str | os.PathLike):
        return Path(given)
    if isinstance(given, tuple) and is_pair(given):
        array, rate = given
        if not float(rate).is_integer():
            raise GuideError(f"{what} is no recording: sample_rate must be a whole number of hertz, got {rate}")
        try:
            return Audio.from_array(array, int(rate))
        except AudioError as error:
            raise GuideError(f"{what} is no recording: {error}") from error
    raise GuideError(f"{type(given).__name__} is no recording: give {forms}")


def check_sounding(recording: Audio, what: str, *, cure: str) -> None:
    """Refuse a recording that is empty, not finite or silent.

    Raises:
        GuideError: then, or if it has too many channels; the message begins with ``what``, and ends with the cure where
            the recording holds nothing.
    """
    if recording.n_channels > MAX_CHANNELS:
        raise GuideError(
            f"{what} has {recording.n_channels} channels: mix it down to {MAX_CHANNELS} or fewer, and give arrays as "
            "[channels, samples]"
        )
    if recording.n_samples == 0:
        raise GuideError(f"{what} is empty: {cure}")
    if not bool(torch.isfinite(recording.samples).all()):
        raise GuideError(f"{what} holds samples that are no finite numbers: repair the recording")
    if float(recording.samples.abs().max()) < SILENT_PEAK:
        raise GuideError(f"{what} is silent: {cure}")
