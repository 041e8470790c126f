"""DEMAND: noise of 18 places, recorded with 16 microphones.

Source: Thiemann, Ito, Vincent, "The diverse environments multi-channel acoustic noise database", Proc. Meetings on
Acoustics 19, 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import base_of, check_split, files, sound_faults
from unbraid.errors import DatasetError

PLACES = (
    *("DKITCHEN", "DLIVING", "DWASHING", "NFIELD", "NPARK", "NRIVER", "OHALLWAY", "OMEETING", "OOFFICE"),
    *("PCAFETER", "PRESTO", "PSTATION", "SCAFE", "SPSQUARE", "STRAFFIC", "TBUS", "TCAR", "TMETRO"),
)
TEST_PLACES = ("DLIVING", "OOFFICE", "PCAFETER", "SPSQUARE", "TBUS")
"""The noises of the test set of VCTK-DEMAND, which TUSS does not train on."""
SPLITS = ("train", "test", "all")
N_CHANNELS = 16
SAMPLE_RATE = 48_000
PROMPT_OF: Mapping[str, str] = {"noise": "sfx-mix"}


def index_demand(root: Path, split: str) -> list[Track]:
    """Return one track for every microphone of every place, such as ``DKITCHEN/ch01``, with one stem ``noise``.

    The microphones of a place hear the same at the same time; ``details["channel"]`` tells them apart.

    Args:
        root: the folder that holds those of the places.
        split: ``all``, or ``test`` for the noises that VCTK-DEMAND is tested with and ``train`` for the others.

    Raises:
        DatasetError: if there is no such split, or none of its places, or a file cannot be read.
    """
    check_split(split, SPLITS, title="DEMAND")
    base = _base(root)
    places = [place for place in PLACES if split == "all" or (place in TEST_PLACES) == (split == "test")]
    paths = [path for place in places for path in files(base / place, ".wav") if _channel(path)]
    if not paths:
        raise DatasetError(f"{base}: there are no recordings of {split}: unpack the archives of {', '.join(places)}")
    tracks = []
    for path, recording in recordings_of(paths, dataset="demand").items():
        place, channel = path.parent.name, _channel(path)
        stem = Stem("noise", "noise", (recording,), group=place)
        details: dict[str, str | float | bool] = {"place": place, "channel": float(channel)}
        tracks.append(Track(f"{place}/ch{channel:02}", "demand", split, (stem,), details=details))
    return tracks


def check_demand(root: Path) -> list[Fault]:
    """Tell which places and channels are missing or damaged, and which come from the archives at 16 kHz.

    Raises:
        DatasetError: if the root is not DEMAND.
    """
    base = _base(root)
    faults = []
    for place in PLACES:
        cure = f"unpack {place}_48k.zip"
        if not (base / place).is_dir():
            faults.append(Fault(place, "the folder is missing", cure))
            continue
        paths = [base / place / f"ch{channel:02}.wav" for channel in range(1, N_CHANNELS + 1)]
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
    return faults


def _base(root: Path) -> Path:
    return base_of(root, inside=("DEMAND", "demand"), holds=PLACES, title="DEMAND")


def _channel(path: Path) -> int:
    """Return the number of a microphone, 1 to 16, by the name of its file; 0 if it is none."""
    digits = path.stem.removeprefix("ch")
    number = int(digits) if digits.isdecimal() and len(digits) == 2 else 0
    return number if number <= N_CHANNELS else 0


DEMAND = Dataset(
    name="demand",
    title="Diverse Environments Multichannel Acoustic Noise Database",
    citation="""J. Thiemann, N. Ito, E. Vincent, "The diverse environments multi-channel acoustic noise database
(DEMAND): A database of multichannel environmental noise recordings", Proc. Meetings on Acoustics,
vol. 19, no. 1, 2013.""",
    licence="CC BY-SA 3.0",
    url="https://zenodo.org/records/1227121",
    tree="""
DKITCHEN/               one folder for each of the 18 places
  ch01.wav              48 kHz, mono, 5 minutes
  ch16.wav
DLIVING/
""",
    splits=SPLITS,
    index=index_demand,
    check=check_demand,
)
