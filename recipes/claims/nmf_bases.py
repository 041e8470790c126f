"""Learn NMF bases from what priors learn from: ``python recipes/claims/nmf_bases.py PACKS bases.safetensors``.

The classical way to separate with nothing but recordings of single sources, for `unbraid evaluate -m nmf:FILE`. PACKS
are those of recipes/packs/make_multitrack_packs.py; of every source passages of 6 s are drawn, 3 minutes in all. Needs
the extra ``references``.
"""

import random
import sys
from pathlib import Path

import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.solo_clips import open_solos
from unbraid.evaluation.reference_nmf import train_bases

SOURCES = ("vocals", "drums", "bass", "other")
SECONDS, PASSAGE = 180.0, 6.0


def passages(packs: Path, source: str) -> list[Audio]:
    """Draw passages of a source, long enough together."""
    dice, found = random.Random(source), []
    spans = [(one, start, stop) for one in open_solos([packs], source=source) for start, stop in one.spans]
    while sum(audio.duration for audio in found) < SECONDS:
        one, start, stop = dice.choice(spans)
        length = min(round(PASSAGE * one.sample_rate), stop - start)
        begin = dice.randint(start, stop - length)
        found.append(Audio(torch.from_numpy(one.read(begin, begin + length))[None], one.sample_rate))
    return found


if __name__ == "__main__":
    train_bases({source: passages(Path(sys.argv[1]), source) for source in SOURCES}).save(Path(sys.argv[2]))
