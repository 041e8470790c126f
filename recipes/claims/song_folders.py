"""Lay songs with stems out like MUSDB18-HQ: ``python recipes/claims/song_folders.py SONGS OUT``.

So that the papers' tables can be made of other recordings: `unbraid evaluate instglow-table1 --data OUT`. A song needs
vocals, drums and bass; what is left of it is ``other``. Everything becomes stereo of 44.1 kHz.
"""

import sys
from pathlib import Path

import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.evaluation.items import EvaluationItem, find_items

RATE = 44_100
STEMS = ("vocals", "drums", "bass", "other")


def lay_out(item: EvaluationItem, folder: Path) -> None:
    """Write the four stems of a song, and their sum."""
    known = {one.prompt: one.samples for one in item.references}
    whole = {name: known.get(name, torch.zeros_like(item.mixture)) for name in STEMS}
    stereo = {name: _stereo(samples, item.sample_rate) for name, samples in whole.items()}
    folder.mkdir(parents=True)
    for name, samples in {"mixture": sum(stereo.values()), **stereo}.items():
        write_audio(folder / f"{name}.wav", Audio(samples, RATE), encoding=Encoding("wav", "float"))


def _stereo(samples: torch.Tensor, rate: int) -> torch.Tensor:
    there = resample(samples, source_rate=rate, target_rate=RATE) if rate != RATE else samples
    return there.expand(2, -1)


if __name__ == "__main__":
    for source in find_items(Path(sys.argv[1])):
        found = source.read()
        if {"vocals", "drums", "bass"} <= set(found.prompts):
            lay_out(found, Path(sys.argv[2], "test", found.name.replace("/", " ")))
