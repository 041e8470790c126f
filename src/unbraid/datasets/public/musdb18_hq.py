"""MUSDB18-HQ: 150 songs in WAV files, with their vocals, drums, bass and the rest.

The songs and the split are those of MUSDB18 (`unbraid.datasets.public.musdb18`), uncompressed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from unicodedata import normalize

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import check_split, find_base, folders, length_faults, size_fault, sound_faults
from unbraid.errors import DatasetError

NAME = "musdb18-hq"
TITLE = "MUSDB18-HQ"
STEMS = ("drums", "bass", "other", "vocals")
SPLITS = ("train", "validation", "test", "train+validation")
SIZES = {"train": 100, "test": 50}
SAMPLE_RATE = 44_100
VALIDATION = (
    "ANiMAL - Rockshow",
    "Actions - One Minute Smile",
    "Alexander Ross - Goodbye Bolero",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Fergessen - Nos Palpitants",
    "James May - On The Line",
    "Johnny Lokke - Promises & Lies",
    "Leaf - Summerghost",
    "Meaxic - Take A Step",
    "Patrick Talbot - A Reason To Leave",
    "Skelpolu - Human Mistakes",
    "Traffic Experiment - Sirens",
    "Triviul - Angelsaint",
    "Young Griffo - Pennies",
)
"""The 14 songs of the folder ``train`` that everybody validates with; the other 86 are the split ``train``."""

_CURE = "unpack musdb18hq.zip again"
_FILES = tuple(f"{name}.wav" for name in ("mixture", *STEMS))


def index(root: Path, split: str) -> list[Track]:
    """Return the songs of a split, by name; ``train+validation`` is the whole folder ``train``.

    Raises:
        DatasetError: if there is no such split or song in it, or a file of a song is missing or damaged.
    """
    check_split(split, SPLITS, title=TITLE)
    songs = songs_of(split, lambda part: _songs(_base(root) / part), title=TITLE)
    for song in songs:
        for name in _FILES:
            if not (song / name).is_file():
                raise DatasetError(f"{song / name}: it is missing: {_CURE}")
    found = recordings_of((song / name for song in songs for name in _FILES), dataset=NAME)
    return [_track(song, found, split) for song in songs]


def check(root: Path) -> list[Fault]:
    """Tell which songs and files are missing or damaged, and which stems are not as long as their mixture.

    Raises:
        DatasetError: if the root is not MUSDB18-HQ.
    """
    base, faults = _base(root), []
    for part, size in SIZES.items():
        songs = _songs(base / part)
        faults += size_fault(part, found=len(songs), expected=size, what="songs", cure=_CURE)
        files = [song / name for song in songs for name in _FILES]
        faults += sound_faults(base, files, sample_rates=(SAMPLE_RATE,), n_channels=(2,), cure=_CURE)
        faults += length_faults(base, [[song / name for name in _FILES] for song in songs], cure=_CURE)
    return faults


def songs_of(split: str, songs: Callable[[str], Sequence[Path]], *, title: str) -> list[Path]:
    """Choose the songs of a split out of the folders ``train`` and ``test``.

    Args:
        split: one of `SPLITS`.
        songs: finds the songs, each a path whose name begins with that of the song, in one of the two folders.
        title: of the dataset, for the message.

    Raises:
        DatasetError: if there is none.
    """
    found = list(songs("test" if split == "test" else "train"))
    if split in ("train", "validation"):
        found = [song for song in found if is_validation(song.name) == (split == "validation")]
    if not found:
        raise DatasetError(f"{title}: there is no song of {split}: unpack its archive again")
    return found


def is_validation(song: str) -> bool:
    """Tell whether a song of the folder ``train`` is one of the 14 that are for validation.

    Example:
        >>> is_validation("Leaf - Summerghost"), is_validation("Leaf - Come Around.stem.mp4")
        (True, False)
    """
    return normalize("NFC", song.removesuffix(".stem.mp4")) in VALIDATION


def _base(root: Path) -> Path:
    inside = ("musdb18hq", "MUSDB18-HQ", "musdb18-hq")
    return base_of_songs(root, inside=inside, songs=_songs, title=TITLE)


def base_of_songs(root: Path, *, inside: Sequence[str], songs: Callable[[Path], Sequence[Path]], title: str) -> Path:
    """Return the folder whose folders ``train`` and ``test`` hold songs, one of them at least.

    Raises:
        WrongRootError: if there is none.
    """

    def is_base(folder: Path) -> bool:
        return any(songs(folder / part) for part in SIZES)

    lack = f"no song in a folder {' or '.join(SIZES)}"
    return find_base(root, inside=inside, is_base=is_base, title=title, lack=lack)


def _songs(part: Path) -> list[Path]:
    return [folder for folder in folders(part) if any((folder / name).is_file() for name in _FILES)]


def _track(song: Path, found: dict[Path, Recording], split: str) -> Track:
    stems = tuple(Stem(name, name, (found[song / f"{name}.wav"],)) for name in STEMS)
    part = "test" if split == "test" else ("validation" if is_validation(song.name) else "train")
    return Track(song.name, NAME, part, stems, found[song / "mixture.wav"])


MUSDB18_HQ = Dataset(
    name=NAME,
    title=TITLE,
    citation=(
        "Rafii, Liutkus, Stöter, Mimilakis and Bittner, MUSDB18-HQ - an uncompressed version of MUSDB18, 2019, "
        "doi:10.5281/zenodo.3338373"
    ),
    licence="for academic purposes only; 46 songs come from MedleyDB under CC BY-NC-SA 4.0",
    url="https://zenodo.org/records/3338373",
    tree="""\
train/                       100 songs
  A Classic Education - NightOwl/
    mixture.wav  drums.wav  bass.wav  other.wav  vocals.wav
test/                        50 songs
""",
    splits=SPLITS,
    index=index,
    check=check,
)
