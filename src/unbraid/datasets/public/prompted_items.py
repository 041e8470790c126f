"""Tracks of public datasets as prompted mixtures, with which TUSS is validated while it is trained.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, and its published configuration: mixtures are
the sums of the first channels of their references.

Axes: B mixtures of a batch (always 1), S prompts, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from unbraid.audio.resample import resample
from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.labels import meaning
from unbraid.datasets.public.reading import read_stem
from unbraid.datasets.public.speech_preparation import first_of_each_size
from unbraid.datasets.training_set import Batch
from unbraid.errors import DatasetError


@dataclass(frozen=True)
class PromptedItems:
    """Tracks, each as a batch of one mixture, read when it is asked for.

    Args:
        tracks: of datasets whose labels have prompts.
        sample_rate: of the mixtures, in hertz.
        duration: of a window in the middle of each track, in seconds; shorter tracks stay whole.
    """

    tracks: Sequence[Track]
    sample_rate: int
    duration: float

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, index: int) -> Batch:
        """Return one track as mixture ``[1, N]`` and references ``[1, S, N]``.

        Raises:
            DatasetError: if a file cannot be read, or a label has no prompt.
        """
        track = self.tracks[index]
        wanted = min(track.n_samples, round(self.duration * track.sample_rate))
        start = (track.n_samples - wanted) // 2
        stems = np.stack([read_stem(stem, start, start + wanted)[0] for stem in track.stems])
        references = torch.from_numpy(stems)
        if track.sample_rate != self.sample_rate:
            references = resample(references, source_rate=track.sample_rate, target_rate=self.sample_rate)
        silent = references.abs().amax(dim=-1) == 0
        prompts = tuple(prompt_of(track, stem) for stem in track.stems)
        return Batch(references.sum(dim=0)[None], references[None], [prompts], silent[None])


def prompt_of(track: Track, stem: Stem) -> str:
    """Return what TUSS calls a stem.

    Raises:
        DatasetError: if the label has no prompt.

    Example:
        >>> prompt_of(Track("a", "wham", "tt", ()), Stem("noise", "noise", ()))
        'sfx-mix'
    """
    prompt = meaning(track, stem).prompt
    if not prompt:
        raise DatasetError(f"track {track.name} of {track.dataset}: no prompt is known for the label {stem.label!r}")
    return prompt


def tuss_validation(roots: Mapping[str, Path], *, sample_rate: int, duration: float) -> dict[str, PromptedItems]:
    """Return the validation sets of TUSS out of the datasets that are there, each the first items in file order.

    They are 500 utterances of VCTK-DEMAND, 500 mixtures of WHAM! (of WHAMR! without its rooms where that is there), 200
    of FUSS with 2, 3 and 4 sources each, 12 songs of MUSDB18-HQ and 100 mixtures of DnR.

    Args:
        roots: where datasets lie, by their names.
        sample_rate: of the mixtures, in hertz.
        duration: of the window that is taken out of each item, in seconds.

    Raises:
        DatasetError: if none of them is there, or one is not what it should be.
    """
    taken = [name for name in VALIDATION if name in roots and not (name == "wham" and "whamr-anechoic" in roots)]
    if not taken:
        raise DatasetError(f"there is none of {', '.join(VALIDATION)} to validate with: give one of them")
    return {name: PromptedItems(VALIDATION[name](roots[name]), sample_rate, duration) for name in taken}


def _first(name: str, split: str, n_tracks: int) -> Callable[[Path], list[Track]]:
    return lambda root: list(islice(find(name).index(root, split), n_tracks))


VALIDATION: Mapping[str, Callable[[Path], list[Track]]] = {
    "vctk-demand": _first("vctk-demand", "validation", 500),
    "musdb18-hq": _first("musdb18-hq", "validation", 12),
    "dnr": _first("dnr", "cv", 100),
    "whamr-anechoic": _first("whamr-anechoic", "cv", 500),
    "wham": _first("wham", "cv", 500),
    "fuss": lambda root: first_of_each_size(find("fuss").index(root, "validation")),
}
"""How each dataset becomes items to validate with, by its name."""
