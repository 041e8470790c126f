"""VCTK-DEMAND (also called VoiceBank-DEMAND): single speakers in noise, for speech enhancement.

Source: Valentini-Botinhao et al., "Investigating RNN-based speech enhancement methods for noise-robust text-to-speech",
SSW 2016. The noise is what is left when the clean speech is taken off the noisy one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    base_of,
    check_split,
    files,
    length_faults,
    read_lines,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

FOLDERS = {"train-28spk": "trainset_28spk", "train-56spk": "trainset_56spk", "test": "testset"}
SIZES = {"train-28spk": 11_572, "train-56spk": 23_075, "test": 824}
SPLITS = ("train", "validation", *FOLDERS)
VALIDATION_SPEAKERS = ("p226", "p287")
SAMPLE_RATE = 48_000
PROMPT_OF: Mapping[str, str] = {"speech": "speech", "noise": "sfx-mix"}


def index_vctk_demand(root: Path, split: str) -> list[Track]:
    """Return the utterances of a split by name, with the stems ``speech`` (clean) and ``noise`` (noisy less clean).

    ``train`` and ``validation`` divide the 28 speakers as TUSS does: p226 and p287 validate. Where the logs are
    there, details hold the noise and its ``snr_db``.

    Args:
        root: the folder that holds ``clean_testset_wav`` and its like.
        split: ``train``, ``validation``, ``train-28spk``, ``train-56spk`` or ``test``.

    Raises:
        DatasetError: if there is no such split, or an utterance lacks its clean or noisy file.
    """
    check_split(split, SPLITS, title="VCTK-DEMAND")
    base, part = _base(root), split if split in FOLDERS else "train-28spk"
    names = _names(base, part)
    if split in ("train", "validation"):
        names = [name for name in names if (name.split("_")[0] in VALIDATION_SPEAKERS) == (split == "validation")]
    if not names:
        raise DatasetError(f"{_folder(base, 'noisy', part)}: there are no recordings of {split}: {_cure(part)}")
    log = _read_log(base, part)
    folders = [_folder(base, side, part) for side in ("clean", "noisy")]
    found = recordings_of((folder / name for name in names for folder in folders), dataset="vctk-demand")
    return [_track(split, *(found[folder / name] for folder in folders), log=log) for name in names]


def check_vctk_demand(root: Path) -> list[Fault]:
    """Tell which utterances are missing, damaged, of another rate, or longer in one of the two files than in the other.

    Raises:
        DatasetError: if the root is not VCTK-DEMAND.
    """
    base = _base(root)
    faults = []
    for part in FOLDERS:
        names, cure = _names(base, part), _cure(part)
        folder = _folder(base, "noisy", part)
        faults += size_fault(folder.name, found=len(names), expected=SIZES[part], what="utterances", cure=cure)
        paths = [_folder(base, side, part) / name for name in names for side in ("clean", "noisy")]
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
        faults += length_faults(base, list(zip(paths[1::2], paths[::2], strict=True)), cure=cure)
    return faults


def _base(root: Path) -> Path:
    holds = [f"{side}_{name}_wav" for name in FOLDERS.values() for side in ("clean", "noisy")]
    return base_of(root, inside=("DS_10283_2791",), holds=holds, title="VCTK-DEMAND")


def _cure(part: str) -> str:
    return f"unpack clean_{FOLDERS[part]}_wav.zip and noisy_{FOLDERS[part]}_wav.zip again"


def _folder(base: Path, side: str, part: str) -> Path:
    """Return a folder of recordings; one archive repeats its name inside."""
    folder = base / f"{side}_{FOLDERS[part]}_wav"
    return folder / folder.name if (folder / folder.name).is_dir() else folder


def _names(base: Path, part: str) -> list[str]:
    return sorted({path.name for side in ("clean", "noisy") for path in files(_folder(base, side, part), ".wav")})


def _read_log(base: Path, part: str) -> dict[str, dict[str, str | float | bool]]:
    """Return noise and level of every utterance; lines read ``p232_001 bus 17.5``."""
    name = f"log_{FOLDERS[part]}.txt"
    paths = [path for path in (base / name, base / "logfiles" / name) if path.is_file()]
    found: dict[str, dict[str, str | float | bool]] = {}
    for line in read_lines(paths[0]) if paths else []:
        words = line.split()
        try:
            found[words[0]] = {"noise": words[1], "snr_db": float(words[2])}
        except (IndexError, ValueError) as error:
            raise DatasetError(f"{paths[0]}: {line!r} names no utterance, noise and level: get it again") from error
    return found


def _track(
    split: str, clean: Recording, noisy: Recording, *, log: Mapping[str, Mapping[str, str | float | bool]]
) -> Track:
    name = clean.path.stem
    stems = (Stem("speech", "speech", (clean,)), Stem("noise", "noise", (noisy, replace(clean, gain=-1.0))))
    details = {"speaker": name.split("_")[0], **log.get(name, {})}
    return Track(name, "vctk-demand", split, stems, noisy, details)


VCTK_DEMAND = Dataset(
    name="vctk-demand",
    title="VCTK-DEMAND, noisy speech for training enhancement and TTS",
    citation="""C. Valentini-Botinhao, X. Wang, S. Takaki, J. Yamagishi, "Investigating RNN-based speech enhancement
methods for noise-robust text-to-speech", Proc. 9th ISCA Speech Synthesis Workshop, 2016, pp. 146-152.""",
    licence="CC BY 4.0",
    url="https://datashare.ed.ac.uk/handle/10283/2791",
    tree="""
clean_trainset_28spk_wav/       p226_001.wav …, 48 kHz, mono, 16 bit
noisy_trainset_28spk_wav/       the same names
clean_trainset_56spk_wav/
noisy_trainset_56spk_wav/
clean_testset_wav/
noisy_testset_wav/
log_trainset_28spk.txt          optional: noise and level of every utterance; also in a folder logfiles/
log_trainset_56spk.txt
log_testset.txt
""",
    splits=SPLITS,
    index=index_vctk_demand,
    check=check_vctk_demand,
)
