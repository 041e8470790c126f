"""FSD50K: 51,197 clips of sounds from Freesound, with labels of the AudioSet ontology.

Source: Fonseca et al., "FSD50K: An open dataset of human-labeled sound events", IEEE/ACM TASLP 30, 2022. The labels of
the ground truth hold their parents in the ontology too; those of the collection are what annotators said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import base_of, check_split, read_table, relative, size_fault, sound_faults
from unbraid.errors import DatasetError

SPLITS = ("train", "validation", "dev", "eval")
SIZES = {"dev": 40_966, "eval": 10_231}
N_CLASSES = 200
SAMPLE_RATE = 44_100

_TABLES = "FSD50K.ground_truth"
_COLLECTION = "FSD50K.metadata/collection"
_ARCHIVES = {
    "dev": "FSD50K.dev_audio.zip (join its parts with zip -s 0 FSD50K.dev_audio.zip --out dev.zip first)",
    "eval": "FSD50K.eval_audio.zip (join its parts with zip -s 0 FSD50K.eval_audio.zip --out eval.zip first)",
}
_VALIDATION = {"train": "train", "validation": "val"}


def index_fsd50k(root: Path, split: str) -> list[Track]:
    """Return the clips of a split in the order of its table, with one stem each.

    The label of the stem is what annotators said (the collection, labels with commas between them), or the ground truth
    where the metadata were not unpacked. Details hold ``labels`` (the ground truth), ``collection`` (empty without the
    metadata), and ``licence`` and ``uploader`` where known.

    Args:
        root: the folder that holds ``FSD50K.dev_audio`` and its like.
        split: ``dev``, its parts ``train`` and ``validation``, or ``eval``.

    Raises:
        DatasetError: if there is no such split, a table cannot be read, or a clip that it names is missing.
    """
    check_split(split, SPLITS, title="FSD50K")
    base, part = _base(root), "eval" if split == "eval" else "dev"
    rows = _rows(base, part)
    if split in _VALIDATION:
        rows = [row for row in rows if row["split"] == _VALIDATION[split]]
    if not rows:
        raise DatasetError(f"{base / _TABLES}: there is no clip of {split}: unpack FSD50K.ground_truth.zip again")
    collection, about = _collection(base, part), _clips(base, part)
    found = recordings_of((_clip(base, part, row) for row in rows), dataset="fsd50k")
    return [
        _track(found[_clip(base, part, row)], split, row["labels"], collection.get(row["fname"], ""), about)
        for row in rows
    ]


def check_fsd50k(root: Path) -> list[Fault]:
    """Tell which tables and clips are missing or damaged.

    Raises:
        DatasetError: if the root is not FSD50K, or its ground truth cannot be read.
    """
    base = _base(root)
    faults = []
    vocabulary = base / _TABLES / "vocabulary.csv"
    if not vocabulary.is_file():
        faults.append(Fault(relative(vocabulary, base), "the file is missing", "unpack FSD50K.ground_truth.zip"))
    for part, size in SIZES.items():
        collection = base / _COLLECTION / f"collection_{part}.csv"
        if not collection.is_file():
            faults.append(Fault(relative(collection, base), "the file is missing", "unpack FSD50K.metadata.zip"))
        rows = _rows(base, part)
        cure = "unpack FSD50K.ground_truth.zip"
        faults += size_fault(f"{_TABLES}/{part}.csv", found=len(rows), expected=size, what="clips", cure=cure)
        paths = [_clip(base, part, row) for row in rows]
        cure = f"unpack {_ARCHIVES[part]}"
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
    return faults


def _base(root: Path) -> Path:
    return base_of(root, inside=("FSD50K", "fsd50k"), holds=(_TABLES,), title="FSD50K")


def _rows(base: Path, part: str) -> list[dict[str, str]]:
    columns = ("fname", "labels", "split") if part == "dev" else ("fname", "labels")
    return read_table(base / _TABLES / f"{part}.csv", columns=columns)


def _clip(base: Path, part: str, row: Mapping[str, str]) -> Path:
    return base / f"FSD50K.{part}_audio" / f"{row['fname']}.wav"


def _collection(base: Path, part: str) -> dict[str, str]:
    path = base / _COLLECTION / f"collection_{part}.csv"
    if not path.is_file():
        return {}
    return {row["fname"]: row["labels"] for row in read_table(path, columns=("fname", "labels"))}


def _clips(base: Path, part: str) -> dict[str, dict[str, str]]:
    """Return licence and uploader of every clip."""
    path = base / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
    if not path.is_file():
        return {}
    try:
        clips = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: {"licence": str(clip.get("license", "")), "uploader": str(clip.get("uploader", ""))}
            for name, clip in clips.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}): unpack FSD50K.metadata.zip again") from error


def _track(
    recording: Recording, split: str, labels: str, collection: str, about: Mapping[str, Mapping[str, str]]
) -> Track:
    name = recording.path.stem
    details = {"labels": labels, "collection": collection, **about.get(name, {})}
    return Track(name, "fsd50k", split, (Stem("sound", collection or labels, (recording,)),), details=details)


FSD50K = Dataset(
    name="fsd50k",
    title="Freesound Dataset 50k",
    citation="""E. Fonseca, X. Favory, J. Pons, F. Font, X. Serra, "FSD50K: An open dataset of human-labeled sound
events", IEEE/ACM Transactions on Audio, Speech, and Language Processing, vol. 30, 2022, pp. 829-852.""",
    licence="CC BY 4.0 as a whole; each clip CC0, CC BY, CC BY-NC (no commercial use) or CC Sampling+, see details",
    url="https://zenodo.org/records/4060432",
    tree="""
FSD50K.dev_audio/                       64760.wav …, 44.1 kHz, mono, 16 bit, 0.3 to 30 s
FSD50K.eval_audio/
FSD50K.ground_truth/
  dev.csv                               fname, labels, mids, split
  eval.csv                              fname, labels, mids
  vocabulary.csv
FSD50K.metadata/                        optional, needed to prepare training for TUSS
  collection/collection_dev.csv         fname, labels, mids
  collection/collection_eval.csv
  dev_clips_info_FSD50K.json            licences and uploaders
  eval_clips_info_FSD50K.json
""",
    splits=SPLITS,
    index=index_fsd50k,
    check=check_fsd50k,
)
