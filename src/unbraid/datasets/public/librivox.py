"""Speech in folders: the read speech of the DNS Challenge (from LibriVox), or any other recordings of speakers.

Source: Dubey et al., "ICASSP 2023 deep noise suppression challenge", IEEE Open Journal of Signal Processing 5, 2024.
Its files lie in one folder and name the reader; elsewhere the first folder names the speaker.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import recordings_of, survey
from unbraid.datasets.public.listing import files, folders, relative
from unbraid.errors import DatasetError

SPLITS = ("all",)
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
PROMPT_OF: Mapping[str, str] = {"speech": "speech"}

_READER = re.compile(r"reader_\d+")
_MIN_RATE = 8_000


def index_librivox(root: Path, split: str = "all") -> list[Track]:
    """Return all recordings below a folder by path, with one stem ``speech``; details name the ``speaker`` where known.

    Raises:
        DatasetError: if there is no recording, or one cannot be read.
    """
    if split not in SPLITS:
        raise DatasetError(f"speech folders have no split {split!r}: they have only 'all'")
    paths = _find(root)
    plain = Counter(path.with_suffix("") for path in paths)
    tracks = []
    for path, recording in recordings_of(paths, dataset="librivox").items():
        name = path if plain[path.with_suffix("")] > 1 else path.with_suffix("")
        speaker = speaker_of(path.relative_to(root))
        stem = Stem("speech", "speech", (recording,), group=speaker)
        tracks.append(Track(relative(name, root), "librivox", split, (stem,), details={"speaker": speaker}))
    return tracks


def check_librivox(root: Path) -> list[Fault]:
    """Tell which recordings are damaged, empty, or of a rate below 8 kHz.

    Raises:
        DatasetError: if there is no recording.
    """
    found = survey(_find(root))
    cure = "get the file again, or take it out"
    faults = [
        Fault(relative(path, root), reason.removeprefix(f"{path}: ").split(": ")[0], cure)
        for path, reason in found.broken.items()
    ]
    for path, streams in found.headers.items():
        if streams[0].sample_rate < _MIN_RATE:
            problem = f"its rate is {streams[0].sample_rate} Hz, below {_MIN_RATE}"
            faults.append(Fault(relative(path, root), problem, cure))
    return sorted(faults, key=lambda fault: fault.path)


def speaker_of(path: Path) -> str:
    """Return the speaker of a recording by its path below the root; empty if that does not tell.

    Example:
        >>> speaker_of(Path("book_00000_chp_0009_reader_06709_0_seg_1_seg1.wav")), speaker_of(Path("84/121123/1.flac"))
        ('reader_06709', '84')
    """
    reader = _READER.search(path.name)
    if reader:
        return reader.group()
    return path.parts[0] if len(path.parts) > 1 else ""


def _find(root: Path) -> list[Path]:
    paths = list(_walk(root))
    if not paths:
        raise DatasetError(f"{root}: there are no recordings in it: give a folder of folders of speakers")
    return paths


def _walk(folder: Path) -> Iterator[Path]:
    yield from files(folder, *SUFFIXES)
    for below in folders(folder):
        yield from _walk(below)


LIBRIVOX = Dataset(
    name="librivox",
    title="Speech in folders (read speech of the DNS Challenge, LibriVox)",
    citation="""H. Dubey et al., "ICASSP 2023 deep noise suppression challenge", IEEE Open Journal of Signal
Processing, vol. 5, 2024, pp. 725-737.""",
    licence="LibriVox recordings are in the public domain; other folders have licences of their own",
    url="https://github.com/microsoft/DNS-Challenge",
    tree="""
84/121123/84-121123-0000.flac                               speaker, chapter, utterance; any rate from 8 kHz, any depth
book_00000_chp_0009_reader_06709_0_seg_1_seg1.wav           or all in one folder, as in clean_fullband/read_speech
""",
    splits=SPLITS,
    index=index_librivox,
    check=check_librivox,
)
