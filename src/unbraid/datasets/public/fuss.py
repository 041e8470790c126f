"""FUSS: mixtures of one to four sounds of any kind, dry and in rooms.

Source: Wisdom et al., "What's all the FUSS about free universal sound separation data?", ICASSP 2021. The mixtures
are the sums of their sources up to the rounding of 16-bit samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    base_of,
    check_split,
    fault_of,
    length_faults,
    read_lines,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

SPLITS = ("train", "validation", "eval")
SIZES = {"train": 20_000, "validation": 1_000, "eval": 1_000}
SAMPLE_RATE = 16_000
PROMPT_OF: Mapping[str, str] = {"background": "sfx", "foreground": "sfx"}
"""Every sound is an ``sfx`` to TUSS; the background too, which is one recording of at least 10 s."""

DRY, REVERB = "ssdata", "ssdata_reverb"
_NAMES = {DRY: "fuss", REVERB: "fuss-reverb"}
_ARCHIVES = {DRY: "FUSS_ssdata.tar.gz", REVERB: "FUSS_ssdata_reverb.tar.gz"}


def index_fuss(root: Path, split: str, *, folder: str) -> list[Track]:
    """Return the mixtures of a split in the order of its list, with stems ``background0``, ``foreground0`` and so on.

    Args:
        root: the folder that holds ``ssdata`` and ``ssdata_reverb``, or one of these itself.
        split: ``train``, ``validation`` or ``eval``.
        folder: ``ssdata`` or ``ssdata_reverb``.

    Raises:
        DatasetError: if there is no such split or list, or a file that it names is missing.
    """
    check_split(split, SPLITS, title="FUSS")
    base = _base(root, folder)
    mixtures = [[base / name for name in line.split("\t")] for line in read_lines(_list(base, split))]
    if not mixtures:
        raise DatasetError(f"{_list(base, split)}: the list is empty: unpack {_ARCHIVES[folder]} again")
    found = recordings_of((path for paths in mixtures for path in paths), dataset=_NAMES[folder])
    return [_track(base, split, [found[path] for path in paths], folder) for paths in mixtures]


def check_fuss(root: Path, *, folder: str) -> list[Fault]:
    """Tell which lists, mixtures and sources are missing or damaged.

    Raises:
        DatasetError: if the root is not FUSS.
    """
    base = _base(root, folder)
    cure = f"unpack {_ARCHIVES[folder]} again"
    faults = []
    for split in SPLITS:
        path = _list(base, split)
        try:
            lines = read_lines(path)
        except DatasetError as error:
            faults.append(fault_of(error, base, cure=cure))
            continue
        faults += size_fault(relative(path, base), found=len(lines), expected=SIZES[split], what="mixtures", cure=cure)
        mixtures = [[base / name for name in line.split("\t")] for line in lines]
        paths = [one for group in mixtures for one in group]
        faults += length_faults(base, mixtures, cure=cure)
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
    return faults


def _base(root: Path, folder: str) -> Path:
    lists = [f"{split}_example_list.txt" for split in SPLITS]
    base = base_of(root, inside=(folder,), holds=lists, title=f"FUSS ({folder})")
    other = REVERB if folder == DRY else DRY
    if base.name == other:
        raise DatasetError(f"{root}: this is {other}, not {folder}: give the folder above, or the other dataset")
    return base


def _list(base: Path, split: str) -> Path:
    return base / f"{split}_example_list.txt"


def _track(base: Path, split: str, found: Sequence[Recording], folder: str) -> Track:
    mixture, *sources = found
    name = relative(mixture.path.with_suffix(""), base)
    if not sources:
        raise DatasetError(f"{_list(base, split)}: {name} has no sources: unpack {_ARCHIVES[folder]} again")
    stems = []
    for source in sources:
        part = source.path.stem.removesuffix("_sound")
        stems.append(Stem(part, part.rstrip("0123456789"), (source,)))
    return Track(name, _NAMES[folder], split, tuple(stems), mixture, {"n_sources": float(len(stems))})


_CITATION = """S. Wisdom, H. Erdogan, D. P. W. Ellis, R. Serizel, N. Turpault, E. Fonseca, J. Salamon, P. Seetharaman,
J. R. Hershey, "What's all the FUSS about free universal sound separation data?", Proc. ICASSP, 2021, pp. 186-190."""
_LICENCE = "CC BY 4.0; the recordings in it are CC0"
_URL = "https://zenodo.org/records/4012661"
_TREE = """
{folder}/
  train_example_list.txt            a mixture and its sources, with tabs between them, in every line
  validation_example_list.txt
  eval_example_list.txt
  train/
    example00000.wav                16 kHz, mono, 16 bit, 10 s
    example00000_sources/
      background0_sound.wav
      foreground0_sound.wav         to foreground2_sound.wav; there need not be any
  validation/
  eval/
"""


def _dataset(folder: str, title: str) -> Dataset:
    return Dataset(
        name=_NAMES[folder],
        title=title,
        citation=_CITATION,
        licence=_LICENCE,
        url=_URL,
        tree=_TREE.format(folder=folder),
        splits=SPLITS,
        index=partial(index_fuss, folder=folder),
        check=partial(check_fuss, folder=folder),
    )


FUSS = _dataset(DRY, "Free Universal Sound Separation, dry")
FUSS_REVERB = _dataset(REVERB, "Free Universal Sound Separation, in rooms")
