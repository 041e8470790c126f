"""WSJ0 (CSR-I): readers of the Wall Street Journal, the speech of WHAM!, WHAMR! and wsj0-2mix.

Source: Garofolo et al., "CSR-I (WSJ0) Complete", LDC93S6A, 1993. The discs hold SPHERE files that are compressed with
shorten (``.wv1``); they are read once they have been converted to WAV or FLAC.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import check_split, files, folders, read_lines, relative, sound_faults
from unbraid.errors import DatasetError, WrongRootError

SPLITS = ("si_tr_s", "si_dt_05", "si_et_05")
SAMPLE_RATE = 16_000
PROMPT_OF: Mapping[str, str] = {"speech": "speech"}

_SPHERE = ".wv1"
_CONVERT = "convert each file with: sph2pipe -f wav 01to030v.wv1 01to030v.wav"


def index_wsj0(root: Path, split: str) -> list[Track]:
    """Return the utterances of a folder of WSJ0, such as ``si_tr_s/01t/01to030v``, with one stem ``speech``.

    Args:
        root: the folder that holds ``wsj0``, or the folders of the discs, or ``si_tr_s`` and its like.
        split: ``si_tr_s``, ``si_dt_05`` or ``si_et_05``.

    Raises:
        DatasetError: if there is no such split, or its files have not been converted.
    """
    check_split(split, SPLITS, title="WSJ0")
    paths = _utterances(root, split)
    if not paths:
        n_packed = len(_sphere(root, split))
        if n_packed:
            raise DatasetError(f"{root}: the {n_packed} files of {split} are compressed SPHERE ({_SPHERE}): {_CONVERT}")
        raise DatasetError(f"{root}: there are no recordings of {split}: give the folder that holds wsj0/{split}")
    found = recordings_of(paths, dataset="wsj0")
    tracks = []
    for path, recording in found.items():
        speaker = path.parent.name
        stem = Stem("speech", "speech", (recording,), group=speaker)
        name = f"{split}/{speaker}/{_name(path)}"
        tracks.append(Track(name, "wsj0", split, (stem,), details={"speaker": speaker}))
    return tracks


def check_wsj0(root: Path) -> list[Fault]:
    """Tell which splits are missing, which files still are SPHERE, and which converted ones are damaged.

    Raises:
        DatasetError: if the root holds nothing of WSJ0.
    """
    if not any(_split_folders(root, split) for split in SPLITS):
        raise WrongRootError(f"{root}: this is not WSJ0: give the folder that holds wsj0/si_tr_s")
    faults = []
    for split in SPLITS:
        paths = _utterances(root, split)
        done = {_name(path) for path in paths}
        packed = [path for path in _sphere(root, split) if path.stem not in done]
        if packed:
            where = relative(packed[0].parents[1], root)
            problem = f"{len(packed)} files are compressed SPHERE ({_SPHERE}) and have no WAV beside them"
            faults.append(Fault(where, problem, _CONVERT))
        elif not paths:
            faults.append(Fault(split, "the folder is missing or empty", "copy it from the discs of LDC93S6A"))
        faults += sound_faults(root, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=_CONVERT)
    return faults


def read_mixing_list(path: Path) -> set[str]:
    """Return the names of the utterances that a list of wsj0-2mix uses, such as ``si_tr_s/01t/01to030v``.

    Args:
        path: ``mix_2_spk_tr.txt``, with lines such as
            ``wsj0/si_tr_s/01t/01to030v.wav 0.76 wsj0/si_tr_s/20g/20ga010m.wav -0.76``.

    Raises:
        DatasetError: if it cannot be read, or a line names no utterances.
    """
    names = set()
    for line in read_lines(path):
        found = [word for word in line.split() if word.count("/") >= 2]
        if not found:
            raise DatasetError(f"{path}: {line!r} names no utterances: give a list such as mix_2_spk_tr.txt")
        names |= {"/".join(word.removesuffix(".wav").split("/")[-3:]) for word in found}
    return names


def _split_folders(root: Path, split: str) -> list[Path]:
    """Return all folders of a split: below the root, ``wsj0``, the discs, or ``wsj0`` on each of the discs."""
    above = [root, *folders(root), *(below for folder in folders(root) for below in folders(folder))]
    return [folder / split for folder in above if (folder / split).is_dir()]


def _utterances(root: Path, split: str) -> list[Path]:
    speakers = [speaker for folder in _split_folders(root, split) for speaker in folders(folder)]
    found = {_name(path): path for speaker in speakers for path in files(speaker, ".wav", ".flac")}
    return sorted(found.values(), key=lambda path: (path.parent.name, path.name))


def _sphere(root: Path, split: str) -> list[Path]:
    speakers = [speaker for folder in _split_folders(root, split) for speaker in folders(folder)]
    return [path for speaker in speakers for path in files(speaker, _SPHERE)]


def _name(path: Path) -> str:
    return path.stem.removesuffix(_SPHERE)


WSJ0 = Dataset(
    name="wsj0",
    title="WSJ0 (CSR-I)",
    citation="""J. S. Garofolo, D. Graff, D. Paul, D. Pallett, "CSR-I (WSJ0) Complete", LDC93S6A, Linguistic Data
Consortium, 1993.""",
    licence="LDC User Agreement; it is not free",
    url="https://catalog.ldc.upenn.edu/LDC93S6A",
    tree="""
wsj0/                           also 11-1.1/wsj0/ and so on, as on the discs
  si_tr_s/
    01t/                        speaker
      01to030v.wav              16 kHz, mono; converted from 01to030v.wv1
  si_dt_05/
  si_et_05/
""",
    splits=SPLITS,
    index=index_wsj0,
    check=check_wsj0,
)
