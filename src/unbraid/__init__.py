"""Unbraid pulls any sound out of a mixture: point at the sound, get that sound, the rest, and how sure it is.

The public names, and all of them. They are looked up when first used, so that importing the package (and asking
the command line for help) does not import torch.

Example:
    >>> import numpy, unbraid
    >>> from unbraid.zoo import debug_model
    >>> silence = numpy.zeros((2, 44100))
    >>> separation = unbraid.separate(silence, unbraid.Prompts("vocals drums"), model=debug_model(), sample_rate=44100)
    >>> list(separation.stems), separation.residual.samples.shape
    (['vocals', 'drums'], torch.Size([2, 44100]))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from unbraid.errors import (
    AudioError,
    AudioReadError,
    AudioWriteError,
    Cancelled,
    DatasetError,
    GuideError,
    ModelError,
    RecipeError,
    SettingsError,
    UnbraidError,
    WrongRootError,
)

if TYPE_CHECKING:
    from unbraid.audio.signal import Audio
    from unbraid.guides.kinds import Examples, Label, Mask, Mimicry, Prompts, Score, Span, Target
    from unbraid.models.separator import Sampling
    from unbraid.separation import Separation, separate, separate_stream
    from unbraid.settings import Settings
    from unbraid.zoo import load_model

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "AudioError",
    "AudioReadError",
    "AudioWriteError",
    "Cancelled",
    "DatasetError",
    "Examples",
    "GuideError",
    "Label",
    "Mask",
    "Mimicry",
    "ModelError",
    "Prompts",
    "RecipeError",
    "Sampling",
    "Score",
    "Separation",
    "Settings",
    "SettingsError",
    "Span",
    "Target",
    "UnbraidError",
    "WrongRootError",
    "__version__",
    "load_model",
    "separate",
    "separate_stream",
]

_HOMES = {
    "Audio": "unbraid.audio.signal",
    "Examples": "unbraid.guides.kinds",
    "Label": "unbraid.guides.kinds",
    "Mask": "unbraid.guides.kinds",
    "Mimicry": "unbraid.guides.kinds",
    "Prompts": "unbraid.guides.kinds",
    "Sampling": "unbraid.models.separator",
    "Score": "unbraid.guides.kinds",
    "Separation": "unbraid.separation",
    "Settings": "unbraid.settings",
    "Span": "unbraid.guides.kinds",
    "Target": "unbraid.guides.kinds",
    "load_model": "unbraid.zoo",
    "separate": "unbraid.separation",
    "separate_stream": "unbraid.separation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'unbraid' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
