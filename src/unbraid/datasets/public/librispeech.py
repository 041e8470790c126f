"""LibriSpeech: read books of LibriVox, cut into sentences.

Source: Panayotov, Chen, Povey, Khudanpur, "LibriSpeech: An ASR corpus based on public domain audio books", ICASSP 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    base_of,
    check_split,
    files,
    folders,
    read_lines,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

SIZES = {
    "train-clean-100": 28_539,
    "train-clean-360": 104_014,
    "train-other-500": 148_688,
    "dev-clean": 2_703,
    "dev-other": 2_864,
    "test-clean": 2_620,
    "test-other": 2_939,
}
SPLITS = tuple(SIZES)
SAMPLE_RATE = 16_000
PROMPT_OF: Mapping[str, str] = {"speech": "speech"}


def index_librispeech(root: Path, split: str) -> list[Track]:
    """Return the utterances of a split by speaker, chapter and number, with one stem ``speech``.

    Details hold ``speaker``, ``chapter``, ``text``, and ``sex`` where SPEAKERS.TXT is there.

    Args:
        root: the folder that holds ``LibriSpeech``, or that holds ``dev-clean`` and its like.
        split: such as ``train-clean-100``.

    Raises:
        DatasetError: if there is no such split, or a recording that a transcript names is missing.
    """
    check_split(split, SPLITS, title="LibriSpeech")
    base = _base(root)
    sexes = _sexes(base / "SPEAKERS.TXT")
    texts = {path: text for folder in _chapters(base / split) for path, text in _utterances(folder).items()}
    if not texts:
        raise DatasetError(f"{base / split}: there are no recordings: unpack {split}.tar.gz")
    tracks = []
    for path, recording in recordings_of(texts, dataset="librispeech").items():
        speaker, chapter = path.parent.parent.name, path.parent.name
        details: dict[str, str | float | bool] = {"speaker": speaker, "chapter": chapter, "text": texts[path]}
        if speaker in sexes:
            details["sex"] = sexes[speaker]
        stem = Stem("speech", "speech", (recording,), group=speaker)
        tracks.append(Track(path.stem, "librispeech", split, (stem,), details=details))
    return tracks


def check_librispeech(root: Path) -> list[Fault]:
    """Tell which recordings of the splits that are there are missing (by the transcripts) or damaged.

    Raises:
        DatasetError: if the root holds no split of LibriSpeech.
    """
    base = _base(root)
    faults = []
    for split in SPLITS:
        if not (base / split).is_dir():
            continue
        cure = f"unpack {split}.tar.gz again"
        paths = []
        for folder in _chapters(base / split):
            if not _transcript(folder).is_file():
                faults.append(Fault(relative(_transcript(folder), base), "the file is missing", cure))
            paths += list(_utterances(folder))
        faults += size_fault(split, found=len(paths), expected=SIZES[split], what="utterances", cure=cure)
        faults += sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
    return faults


def _base(root: Path) -> Path:
    return base_of(root, inside=("LibriSpeech",), holds=SPLITS, title="LibriSpeech")


def _chapters(folder: Path) -> list[Path]:
    return [chapter for speaker in folders(folder) for chapter in folders(speaker)]


def _transcript(chapter: Path) -> Path:
    return chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"


def _utterances(chapter: Path) -> dict[Path, str]:
    """Return the text of every recording that lies in a chapter or is named by its transcript."""
    texts = dict.fromkeys(files(chapter, ".flac"), "")
    for line in read_lines(_transcript(chapter)) if _transcript(chapter).is_file() else []:
        name, _, text = line.partition(" ")
        texts[chapter / f"{name}.flac"] = text
    return dict(sorted(texts.items()))


def _sexes(path: Path) -> dict[str, str]:
    """Return M or F by speaker; lines read ``84 | F | dev-clean | 8.02 | Christie Nowak``."""
    rows = [line.split("|") for line in read_lines(path) if not line.startswith(";")] if path.is_file() else []
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}


LIBRISPEECH = Dataset(
    name="librispeech",
    title="LibriSpeech",
    citation="""V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "LibriSpeech: An ASR corpus based on public domain audio
books", Proc. ICASSP, 2015, pp. 5206-5210.""",
    licence="CC BY 4.0",
    url="https://www.openslr.org/12",
    tree="""
LibriSpeech/
  SPEAKERS.TXT                      optional
  dev-clean/                        any of the seven splits
    84/                             speaker
      121123/                       chapter
        84-121123-0000.flac         16 kHz, mono
        84-121123.trans.txt         a name and its text in every line
""",
    splits=SPLITS,
    index=index_librispeech,
    check=check_librispeech,
)
