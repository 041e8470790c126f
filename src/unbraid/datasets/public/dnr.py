"""Divide and Remaster (DnR) v2: minutes of speech, music and effects, as in the sound of a film.

Source: Petermann, Wichern, Wang, Le Roux, "The cocktail fork problem: Three-stem audio separation for real-world
soundtracks", ICASSP 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    check_split,
    find_base,
    folders,
    length_faults,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

SPLITS = ("tr", "cv", "tt")
SIZES = {"tr": 3_406, "cv": 487, "tt": 973}
SAMPLE_RATE = 44_100
STEMS = ("speech", "music", "sfx")
PROMPT_OF: Mapping[str, str] = {"speech": "speech", "music": "music-mix", "sfx": "sfx-mix"}

_MIXTURE = "mix"
_ANNOTATIONS = "annots.csv"
_CURE = "unpack dnr_v2.tar.gz again (join its parts with cat dnr_v2.tar.gz.* first)"


def index_dnr(root: Path, split: str) -> list[Track]:
    """Return the mixtures of a split by name, with the stems ``speech``, ``music`` and ``sfx``.

    Args:
        root: the folder that holds ``dnr_v2``, or that holds ``tr``, ``cv`` and ``tt``.
        split: ``tr``, ``cv`` or ``tt``.

    Raises:
        DatasetError: if there is no such split, or a mixture lacks a file.
    """
    check_split(split, SPLITS, title="DnR")
    base = _base(root)
    mixtures = _mixtures(base, split)
    if not mixtures:
        raise DatasetError(f"{base / split}: there are no mixtures: {_CURE}")
    found = recordings_of((path for folder in mixtures for path in _files(folder).values()), dataset="dnr")
    return [_track(split, {part: found[path] for part, path in _files(folder).items()}) for folder in mixtures]


def check_dnr(root: Path) -> list[Fault]:
    """Tell which mixtures, stems and annotations are missing or damaged.

    Raises:
        DatasetError: if the root is not DnR.
    """
    base = _base(root)
    faults = []
    for split in SPLITS:
        mixtures = _mixtures(base, split)
        faults += size_fault(split, found=len(mixtures), expected=SIZES[split], what="mixtures", cure=_CURE)
        for folder in mixtures:
            if not (folder / _ANNOTATIONS).is_file():
                faults.append(Fault(relative(folder / _ANNOTATIONS, base), "the file is missing", _CURE))
        groups = [list(_files(folder).values()) for folder in mixtures]
        paths = [path for group in groups for path in group]
        faults += length_faults(base, groups, cure=_CURE)
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=_CURE)
    return faults


def _base(root: Path) -> Path:
    def is_base(folder: Path) -> bool:
        return any(_mixtures(folder, split) for split in SPLITS)

    lack = f"no folder of a mixture in {', '.join(SPLITS)}"
    return find_base(root, inside=("dnr_v2",), is_base=is_base, title="DnR v2", lack=lack)


def _mixtures(base: Path, split: str) -> list[Path]:
    """Return the folders of a split that hold any of their files; empty ones are passed over."""
    return [folder for folder in folders(base / split) if any(path.is_file() for path in _files(folder).values())]


def _files(folder: Path) -> dict[str, Path]:
    return {part: folder / f"{part}.wav" for part in (_MIXTURE, *STEMS)}


def _track(split: str, found: Mapping[str, Recording]) -> Track:
    mixture = found[_MIXTURE]
    stems = tuple(Stem(part, part, (found[part],)) for part in STEMS)
    return Track(f"{split}/{mixture.path.parent.name}", "dnr", split, stems, mixture)


DNR = Dataset(
    name="dnr",
    title="Divide and Remaster v2",
    citation="""D. Petermann, G. Wichern, Z.-Q. Wang, J. Le Roux, "The cocktail fork problem: Three-stem audio
separation for real-world soundtracks", Proc. ICASSP, 2022, pp. 526-530.""",
    licence="CC BY 4.0; the music and effects in it keep the licences of FMA and FSD50K, some non-commercial",
    url="https://zenodo.org/records/6949108",
    tree="""
dnr_v2/
  tr/
    66831/              any number
      mix.wav           44.1 kHz, mono, 32-bit float, 60 s
      speech.wav
      music.wav
      sfx.wav
      annots.csv
  cv/
  tt/
""",
    splits=SPLITS,
    index=index_dnr,
    check=check_dnr,
)
