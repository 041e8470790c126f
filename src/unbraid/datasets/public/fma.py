"""FMA: clips of 30 s of the Free Music Archive, in MP3, used as music in the background.

``fma_medium`` has 25 000 clips, the 8000 of ``fma_small`` among them. The table of all tracks comes in an archive of
its own, ``fma_metadata.zip``. A few published files hold no sound; tracks that cannot be read are left out of a split,
and reported by the check.

Source: Defferrard et al., "FMA: a dataset for music analysis", ISMIR 2017.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import Header, recordings, survey
from unbraid.datasets.public.listing import check_split, relative, size_fault
from unbraid.errors import DatasetError, WrongRootError

SPLITS = ("train", "validation", "test")
LABEL = "music"
_PUBLISHED = {"training": "train", "validation": "validation", "test": "test"}
_LONGEST_CELL = 1 << 24  # characters: biographies of artists are long


@dataclass(frozen=True)
class _Edition:
    """A subset: its folder, the subsets that it is made of, and how many clips it has."""

    name: str
    title: str
    folder: str
    subsets: tuple[str, ...]
    size: int

    @property
    def cure(self) -> str:
        """What mends it."""
        return f"unpack {self.folder}.zip again"


_SMALL = _Edition("fma-small", "FMA small", "fma_small", ("small",), 8_000)
_MEDIUM = _Edition("fma-medium", "FMA medium", "fma_medium", ("small", "medium"), 25_000)


@dataclass(frozen=True)
class _Row:
    """What the table tells of a clip."""

    number: int
    split: str
    subset: str
    genre: str
    artist: str


def index(root: Path, split: str, *, edition: _Edition) -> list[Track]:
    """Return the clips of a split that can be read, by number; each has one stem.

    Raises:
        DatasetError: if there is no such split, table or folder, or no clip of it.
    """
    check_split(split, SPLITS, title=edition.title)
    base = _base(root, edition)
    rows = [row for row in read_tracks(_table(base)) if row.split == split and row.subset in edition.subsets]
    paths = {row.number: clip_path(base / edition.folder, row.number) for row in rows}
    found = survey(paths.values())
    readable = [row for row in rows if paths[row.number] in found.headers]
    if not readable:
        raise DatasetError(f"{edition.title}: no clip of {split} is in {base / edition.folder}: {edition.cure}")
    return [_track(row, paths[row.number], found.headers, edition) for row in readable]


def check(root: Path, *, edition: _Edition) -> list[Fault]:
    """Tell which clips are missing or cannot be read.

    Raises:
        DatasetError: if the root does not hold the table and the folder of the clips.
    """
    base = _base(root, edition)
    rows = [row for row in read_tracks(_table(base)) if row.subset in edition.subsets]
    table = relative(_table(base), base)
    cure = "unpack fma_metadata.zip again"
    faults = size_fault(table, found=len(rows), expected=edition.size, what="clips", cure=cure)
    found = survey(clip_path(base / edition.folder, row.number) for row in rows)
    for path, reason in found.broken.items():
        problem = reason.removeprefix(f"{path}: ").rpartition(": ")[0]
        cure = f"{edition.cure}; if it is so in the archive, go on without the clip"
        faults.append(Fault(relative(path, base), problem, cure))
    return faults


def clip_path(folder: Path, number: int) -> Path:
    """Return where a clip lies: in folders of a thousand.

    Example:
        >>> clip_path(Path("fma_small"), 12345).as_posix()
        'fma_small/012/012345.mp3'
    """
    digits = f"{number:06}"
    return folder / digits[:3] / f"{digits}.mp3"


def read_tracks(path: Path) -> list[_Row]:
    """Read ``tracks.csv``, whose columns have names of two rows, by number.

    Raises:
        DatasetError: if it cannot be read, or lacks a column.
    """
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            columns = list(zip(next(reader), next(reader), strict=True))
            at = {name: columns.index(name) for name in _COLUMNS}
            rows = [_row(cells, at) for cells in reader if cells and cells[0].isdecimal()]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, StopIteration, IndexError) as error:
        raise DatasetError(f"{path}: it is not the table of FMA ({error}): unpack fma_metadata.zip again") from error
    finally:
        csv.field_size_limit(longest)
    return sorted(rows, key=lambda row: row.number)


_SPLIT, _SUBSET, _GENRE, _ARTIST = ("set", "split"), ("set", "subset"), ("track", "genre_top"), ("artist", "name")
_COLUMNS = (_SPLIT, _SUBSET, _GENRE, _ARTIST)


def _row(cells: Sequence[str], at: Mapping[tuple[str, str], int]) -> _Row:
    split, subset, genre, artist = (cells[at[name]] for name in _COLUMNS)
    return _Row(int(cells[0]), _PUBLISHED.get(split, split), subset, genre, artist)


def _base(root: Path, edition: _Edition) -> Path:
    for base in (root, root.parent):
        if (base / edition.folder).is_dir() and _table(base).is_file():
            return base
    raise WrongRootError(
        f"{root}: this is not {edition.title}: give the folder that holds {edition.folder} and fma_metadata/tracks.csv"
    )


def _table(base: Path) -> Path:
    inside = base / "fma_metadata" / "tracks.csv"
    return inside if inside.is_file() else base / "tracks.csv"


def _track(row: _Row, path: Path, headers: Mapping[Path, tuple[Header, ...]], edition: _Edition) -> Track:
    recording = recordings(path, headers[path])[0]
    details = {"genre": row.genre, "artist": row.artist, "subset": row.subset}
    return Track(f"{row.number:06}", edition.name, row.split, (Stem(LABEL, LABEL, (recording,)),), details=details)


def _dataset(edition: _Edition) -> Dataset:
    return Dataset(
        name=edition.name,
        title=edition.title,
        citation="Defferrard, Benzi, Vandergheynst and Bresson, FMA: a dataset for music analysis, ISMIR 2017",
        licence="CC BY 4.0 for the table; every clip has a Creative Commons licence of its own (raw_tracks.csv)",
        url="https://github.com/mdeff/fma",
        tree=f"""\
fma_metadata/
  tracks.csv
{edition.folder}/
  000/000002.mp3  …          {edition.size} clips in folders of a thousand
""",
        splits=SPLITS,
        index=partial(index, edition=edition),
        check=partial(check, edition=edition),
    )


FMA_SMALL = _dataset(_SMALL)
FMA_MEDIUM = _dataset(_MEDIUM)
