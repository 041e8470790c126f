"""HumTrans: melodies that people hummed along with, and the MIDI files of these.

Names say ``person_music_segment_repetition``, and by how many octaves somebody moved: ``F04_0055_0001_2_DD``.

Source: Liu et al., "HumTrans: a novel open-source dataset for humming melody transcription and beyond", ICASSP 2024.
"""

from __future__ import annotations

import json
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import check_split, files, folders, reason_of, relative, size_fault, sound_faults
from unbraid.errors import DatasetError, WrongRootError

NAME = "humtrans"
TITLE = "HumTrans"
SPLITS = ("all", "train", "validation", "test")
SIZE = 14_614
SAMPLE_RATE = 44_100
LABEL = "humming"
KEYS = "train_valid_test_keys.json"
_KEY_OF = {"train": "TRAIN", "validation": "VALID", "test": "TEST"}
_CURE = "unpack all_wav.zip and all_midi.zip again"


def index(root: Path, split: str) -> list[Track]:
    """Return the recordings of a split, by name; each has one stem, whose score is the melody.

    Recordings without a MIDI file have no score. The split ``all`` does not need the list of splits.

    Raises:
        DatasetError: if there is no such split, list or recording, or one is missing or damaged.
    """
    check_split(split, SPLITS, title=TITLE)
    wavs, scores = _files(root, ".wav"), _files(root, ".mid", ".midi")
    if not wavs:
        raise WrongRootError(f"{root}: this is not {TITLE} (no WAV file in it): give the folder of its archives")
    keys = {} if split == "all" and not (root / KEYS).is_file() else read_keys(root)
    part_of = {name: part for part, names in keys.items() for name in names}
    chosen = sorted(wavs) if split == "all" else keys[split]
    lost = [name for name in chosen if name not in wavs]
    if lost:
        raise DatasetError(f"{root}: {len(lost)} of its recordings are missing, such as {lost[0]}.wav: {_CURE}")
    if not chosen:
        raise DatasetError(f"{root / KEYS}: it names no recording of {split}: get it from {HUMTRANS.url}")
    found = recordings_of((wavs[name] for name in chosen), dataset=NAME)
    return [
        Track(name, NAME, part_of.get(name, "all"), (Stem(LABEL, LABEL, (found[wavs[name]],), score=scores.get(name)),))
        for name in chosen
    ]


def check(root: Path) -> list[Fault]:
    """Tell which recordings and scores are missing or damaged.

    Raises:
        DatasetError: if the root is not HumTrans.
    """
    wavs, scores = _files(root, ".wav"), _files(root, ".mid", ".midi")
    if not wavs:
        raise WrongRootError(f"{root}: this is not {TITLE} (no WAV file in it): give the folder of its archives")
    faults = size_fault(".", found=len(wavs), expected=SIZE, what="recordings", cure=_CURE)
    try:
        keys = read_keys(root)
    except DatasetError as error:
        keys = {}
        faults.append(Fault(KEYS, str(error).removeprefix(f"{root / KEYS}: "), f"get {KEYS} from {HUMTRANS.url}"))
    named = {name for names in keys.values() for name in names}
    faults += [Fault(f"{name}.wav", "it is missing", _CURE) for name in sorted(named - set(wavs))]
    without = [name for name in wavs if name not in scores]
    faults += [Fault(relative(wavs[name], root), "it has no MIDI file", _CURE) for name in sorted(without)]
    return faults + sound_faults(root, wavs.values(), sample_rates=(SAMPLE_RATE,), n_channels=(1, 2), cure=_CURE)


def read_keys(root: Path) -> dict[str, list[str]]:
    """Return the names of the recordings of every split, sorted.

    Raises:
        DatasetError: if the list is missing or cannot be read.
    """
    path = root / KEYS
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return {split: sorted(str(name).removesuffix(".wav") for name in table[key]) for split, key in _KEY_OF.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: get it from {HUMTRANS.url}") from error


def _files(root: Path, *suffixes: str) -> dict[str, Path]:
    """Return files by their names, wherever their archive put them: at the top, or one or two folders below."""
    places = [root, *folders(root)]
    places += [inner for place in places[1:] for inner in folders(place)]
    return {file.stem: file for place in places for file in files(place, *suffixes)}


HUMTRANS = Dataset(
    name=NAME,
    title=TITLE,
    citation=(
        "Liu, Li, Liu, Sun, Chen, Liu, Xu and Tan, HumTrans: a novel open-source dataset for humming melody "
        "transcription and beyond, ICASSP 2024"
    ),
    licence="CC BY-NC 4.0: not for commercial use",
    url="https://huggingface.co/datasets/dadinghh2/HumTrans",
    tree=f"""\
{KEYS}
all_wav/                     14614 recordings, in this folder or another
  F01_0005_0001_1.wav
all_midi/
  F01_0005_0001_1.mid
""",
    splits=SPLITS,
    index=index,
    check=check,
)
