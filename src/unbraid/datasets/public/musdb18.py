"""MUSDB18: 150 songs in ``.stem.mp4`` files, each with five streams of AAC: mixture, drums, bass, other, vocals.

Reading them needs PyAV (the extra ``unbraid[video]``). The mixture is a stream of its own; since all were compressed
one by one it is not exactly the sum of the stems.
"""

from __future__ import annotations

from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Stem, Track
from unbraid.datasets.public.headers import streams_of, survey
from unbraid.datasets.public.listing import check_split, files, relative, size_fault
from unbraid.datasets.public.musdb18_hq import SAMPLE_RATE, SIZES, SPLITS, base_of_songs, is_validation, songs_of
from unbraid.errors import DatasetError

NAME = "musdb18"
TITLE = "MUSDB18"
STREAMS = ("mixture", "drums", "bass", "other", "vocals")
SUFFIX = ".stem.mp4"

_CURE = "unpack musdb18.zip again"


def index(root: Path, split: str) -> list[Track]:
    """Return the songs of a split, by name; ``train+validation`` is the whole folder ``train``.

    Raises:
        DatasetError: if there is no such split or song in it, a file is damaged or lacks streams, or PyAV is missing.
    """
    check_split(split, SPLITS, title=TITLE)
    base = _base(root)
    songs = songs_of(split, lambda part: _songs(base / part), title=TITLE)
    tracks = []
    for song, streams in streams_of(songs, dataset=NAME).items():
        if len(streams) < len(STREAMS):
            raise DatasetError(f"{song}: {len(streams)} sound tracks, not {len(STREAMS)}: {_CURE}")
        stems = tuple(Stem(name, name, (streams[number],)) for number, name in enumerate(STREAMS) if number)
        name = song.name.removesuffix(SUFFIX)
        part = "test" if split == "test" else ("validation" if is_validation(name) else "train")
        tracks.append(Track(name, NAME, part, stems, streams[0]))
    return tracks


def check(root: Path) -> list[Fault]:
    """Tell which songs are missing or damaged, or lack streams.

    Raises:
        DatasetError: if the root is not MUSDB18.
    """
    base, faults = _base(root), []
    for part, size in SIZES.items():
        songs = _songs(base / part)
        faults += size_fault(part, found=len(songs), expected=size, what="songs", cure=_CURE)
        found = survey(songs)
        for song, reason in found.broken.items():
            cure = "pip install 'unbraid[video]'" if "PyAV" in reason else _CURE
            faults.append(Fault(relative(song, base), reason.removeprefix(f"{song}: "), cure))
        for song, streams in found.headers.items():
            rates = {(stream.sample_rate, stream.n_channels) for stream in streams}
            if len(streams) < len(STREAMS):
                problem = f"{len(streams)} sound tracks, not {len(STREAMS)}"
                faults.append(Fault(relative(song, base), problem, _CURE))
            elif rates != {(SAMPLE_RATE, 2)}:
                rate, n_channels = min(rates)
                problem = f"{rate} Hz and {n_channels} channels, not {SAMPLE_RATE} and 2"
                faults.append(Fault(relative(song, base), problem, _CURE))
    return faults


def _base(root: Path) -> Path:
    return base_of_songs(root, inside=("musdb18", "MUSDB18"), songs=_songs, title=TITLE)


def _songs(part: Path) -> list[Path]:
    return [file for file in files(part, ".mp4") if file.name.endswith(SUFFIX)]


MUSDB18 = Dataset(
    name=NAME,
    title=TITLE,
    citation=(
        "Rafii, Liutkus, Stöter, Mimilakis and Bittner, The MUSDB18 corpus for music separation, 2017, "
        "doi:10.5281/zenodo.1117372"
    ),
    licence="for academic purposes only; 46 songs come from MedleyDB under CC BY-NC-SA 4.0",
    url="https://zenodo.org/records/1117372",
    tree="""\
train/                       100 songs
  A Classic Education - NightOwl.stem.mp4
test/                        50 songs
  AM Contra - Heart Peripheral.stem.mp4
""",
    splits=SPLITS,
    index=index,
    check=check,
)
