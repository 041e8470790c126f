"""The noise of WHAM! as it was recorded: long stereo recordings of bars, restaurants and streets at 48 kHz.

Source: Wichern et al., "WHAM!: Extending speech separation to noisy environments", Interspeech 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import base_of, check_split, read_table, sound_faults
from unbraid.errors import DatasetError

SPLITS = ("train", "valid", "test")
SAMPLE_RATE = 48_000
PROMPT_OF: Mapping[str, str] = {"noise": "sfx-mix"}

_TABLE = "high_res_metadata.csv"
_FILE, _SPLIT = "Filename", "WHAM! Split"
_CURE = "unpack high_res_wham.zip again"


def index_wham_noise(root: Path, split: str) -> list[Track]:
    """Return the recordings of a split in the order of the table, each with one stem ``noise``.

    Raises:
        DatasetError: if there is no such split, the table cannot be read, or a file that it names is missing.
    """
    check_split(split, SPLITS, title=WHAM_NOISE.title)
    base = _base(root)
    paths = [base / "audio" / row[_FILE] for row in _rows(base) if row[_SPLIT].strip().lower() == split]
    if not paths:
        raise DatasetError(f"{base / _TABLE}: it has no recording of {split}: {_CURE}")
    found = recordings_of(paths, dataset=WHAM_NOISE.name)
    return [Track(path.stem, WHAM_NOISE.name, split, (Stem("noise", "noise", (found[path],)),)) for path in paths]


def check_wham_noise(root: Path) -> list[Fault]:
    """Tell which recordings are missing or damaged.

    Raises:
        DatasetError: if the root is not this dataset, or its table cannot be read.
    """
    base = _base(root)
    rows = _rows(base)
    strangers = sorted({row[_SPLIT] for row in rows if row[_SPLIT].strip().lower() not in SPLITS})
    faults = [Fault(_TABLE, f"there is no split {name!r}", _CURE) for name in strangers]
    paths = [base / "audio" / row[_FILE] for row in rows]
    return faults + sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1, 2), cure=_CURE)


def _base(root: Path) -> Path:
    return base_of(root, inside=("high_res_wham",), holds=(_TABLE,), title="the WHAM! noise at 48 kHz")


def _rows(base: Path) -> list[dict[str, str]]:
    return read_table(base / _TABLE, columns=(_FILE, _SPLIT))


WHAM_NOISE = Dataset(
    name="wham-noise",
    title="WHAM! noise at 48 kHz",
    citation="""G. Wichern, J. Antognini, M. Flynn, L. R. Zhu, E. McQuinn, D. Crow, E. Manilow, J. Le Roux, "WHAM!:
Extending speech separation to noisy environments", Proc. Interspeech, 2019, pp. 1368-1372.""",
    licence="CC BY-NC 4.0, no commercial use",
    url="http://wham.whisper.ai/",
    tree="""
high_res_wham/
  high_res_metadata.csv         with the columns Filename and WHAM! Split (Train, Valid, Test)
  audio/                        48 kHz, stereo, up to 26 minutes each
""",
    splits=SPLITS,
    index=index_wham_noise,
    check=check_wham_noise,
)
