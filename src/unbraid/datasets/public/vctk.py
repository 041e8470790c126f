"""VCTK: 110 speakers of English with many accents, in the releases 0.92 and 0.80.

Source: Yamagishi, Veaux, MacDonald, "CSTR VCTK Corpus: English multi-speaker corpus for CSTR voice cloning toolkit",
2019. Release 0.92 has its silences trimmed, and two microphones; the first is taken.
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

SPLITS = ("train", "validation", "test", "all")
VALIDATION_SPEAKERS = ("p226", "p287")
TEST_SPEAKERS = ("p232", "p257")
SAMPLE_RATE = 48_000
PROMPT_OF: Mapping[str, str] = {"speech": "speech"}

_TRIMMED, _WHOLE = "wav48_silence_trimmed", "wav48"
_MICROPHONE = "_mic1"
_N_SPEAKERS = {_TRIMMED: 110, _WHOLE: 109}
_NO_TEXT = frozenset(("p315",))
"""Speakers whose transcripts were lost before the release."""
_MORE_TEXT = frozenset(("p362",))
"""Speakers of release 0.92 with transcripts of sentences that have no recording."""


def index_vctk(root: Path, split: str) -> list[Track]:
    """Return the utterances of release 0.92, first microphone, by speaker and name, with one stem ``speech``.

    Args:
        root: the folder that holds ``wav48_silence_trimmed``.
        split: ``all``, or the speakers of VCTK-DEMAND: ``validation`` p226 and p287, ``test`` p232 and p257, ``train``
            the others.

    Raises:
        DatasetError: if there is no such split, or a file cannot be read.
    """
    return _index(_base(root, _TRIMMED), split, "vctk")


def index_vctk_080(root: Path, split: str) -> list[Track]:
    """Return the utterances of release 0.80 as ``index_vctk`` does; the root holds ``wav48``.

    Raises:
        DatasetError: if there is no such split, or a file cannot be read.
    """
    return _index(_base(root, _WHOLE), split, "vctk-0.80")


def check_vctk(root: Path) -> list[Fault]:
    """Tell which recordings of release 0.92 are missing (by its transcripts) or damaged.

    Raises:
        DatasetError: if the root is not this release.
    """
    return _check(_base(root, _TRIMMED), "unpack VCTK-Corpus-0.92.zip again")


def check_vctk_080(root: Path) -> list[Fault]:
    """Tell which recordings of release 0.80 are missing (by its transcripts) or damaged.

    Raises:
        DatasetError: if the root is not this release.
    """
    return _check(_base(root, _WHOLE), "unpack VCTK-Corpus.tar.gz again")


def _base(root: Path, folder: str) -> Path:
    """Return the folder of the speakers' folders."""
    release = "0.92" if folder == _TRIMMED else "0.80"
    inside = ("VCTK-Corpus-0.92", "VCTK-Corpus")
    return base_of(root, inside=inside, holds=(folder,), title=f"VCTK {release}") / folder


def _index(base: Path, split: str, dataset: str) -> list[Track]:
    check_split(split, SPLITS, title="VCTK")
    about = _speakers(base.parent / "speaker-info.txt")
    paths = [
        path for folder in folders(base) if split in ("all", split_of(folder.name)) for path in _utterances(folder)
    ]
    if not paths:
        raise DatasetError(f"{base}: there are no recordings of {split}: unpack the archive of the dataset again")
    tracks = []
    for path, recording in recordings_of(paths, dataset=dataset).items():
        speaker = path.parent.name
        stem = Stem("speech", "speech", (recording,), group=speaker)
        details = {"speaker": speaker, **about.get(speaker, {})}
        tracks.append(Track(path.stem.removesuffix(_MICROPHONE), dataset, split, (stem,), details=details))
    return tracks


def split_of(speaker: str) -> str:
    """Return the split of a speaker.

    Example:
        >>> [split_of(speaker) for speaker in ("p225", "p226", "p232", "s5")]
        ['train', 'validation', 'test', 'train']
    """
    if speaker in VALIDATION_SPEAKERS:
        return "validation"
    return "test" if speaker in TEST_SPEAKERS else "train"


def _utterances(folder: Path) -> list[Path]:
    """Return the recordings of a speaker; p376_295.raw of release 0.80 has no header and is passed over."""
    if folder.parent.name == _TRIMMED:
        return [path for path in files(folder, ".flac") if path.stem.endswith(_MICROPHONE)]
    return files(folder, ".wav")


def _speakers(path: Path) -> dict[str, dict[str, str | float | bool]]:
    """Return age, gender and accent by speaker; the two releases write ``p225`` and ``225``."""
    found: dict[str, dict[str, str | float | bool]] = {}
    for line in read_lines(path) if path.is_file() else []:
        words = line.split()
        if len(words) >= 4 and words[1].isdigit():
            speaker = words[0] if words[0][0].isalpha() else f"p{words[0]}"
            found[speaker] = {"age": float(words[1]), "gender": words[2], "accent": words[3]}
    return found


def _check(base: Path, cure: str) -> list[Fault]:
    root, speakers = base.parent, folders(base)
    faults = size_fault(
        base.name, found=len(speakers), expected=_N_SPEAKERS[base.name], what="speakers' folders", cure=cure
    )
    for folder in speakers:
        paths = _utterances(folder)
        if not paths:
            faults.append(Fault(relative(folder, root), "there are no recordings", cure))
        spoken = {path.stem.removesuffix(_MICROPHONE) for path in paths}
        written = {path.stem for path in files(root / "txt" / folder.name, ".txt")}
        raw = {path.stem for path in files(folder, ".raw")}
        expected = set() if folder.name in _MORE_TEXT else written - raw
        for name in sorted(expected - spoken if paths else ()):
            faults.append(Fault(f"{relative(folder, root)}/{name}", "there is a transcript but no recording", cure))
        if not written and folder.name not in _NO_TEXT:
            faults.append(Fault(f"txt/{folder.name}", "there are no transcripts", cure))
        faults += sound_faults(root, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=cure)
    return faults


_CITATION = """J. Yamagishi, C. Veaux, K. MacDonald, "CSTR VCTK Corpus: English multi-speaker corpus for CSTR voice
cloning toolkit", University of Edinburgh, The Centre for Speech Technology Research, 2019."""

VCTK = Dataset(
    name="vctk",
    title="VCTK 0.92",
    citation=_CITATION,
    licence="CC BY 4.0",
    url="https://datashare.ed.ac.uk/handle/10283/3443",
    tree="""
speaker-info.txt                optional
txt/p225/p225_001.txt
wav48_silence_trimmed/
  p225/
    p225_001_mic1.flac          48 kHz, mono
    p225_001_mic2.flac          not used; p280 and p315 have none
  s5/
""",
    splits=SPLITS,
    index=index_vctk,
    check=check_vctk,
)
VCTK_080 = Dataset(
    name="vctk-0.80",
    title="VCTK 0.80",
    citation=_CITATION,
    licence="ODC-BY 1.0",
    url="https://datashare.ed.ac.uk/handle/10283/2651",
    tree="""
speaker-info.txt                optional
txt/p225/p225_001.txt           none for p315
wav48/
  p225/p225_001.wav             48 kHz, mono, 16 bit
  p376/p376_295.raw             has no header and is passed over
""",
    splits=SPLITS,
    index=index_vctk_080,
    check=check_vctk_080,
)
