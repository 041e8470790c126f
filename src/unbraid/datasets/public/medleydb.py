"""MedleyDB 1 and 2: multitracks with stems, the raw recordings that these were mixed from, and flags of bleed.

The audio comes in one folder per song; what is known of the songs lies beside it, or in the folder ``Metadata`` of the
project's repository.

Source: Bittner et al., "MedleyDB: a multitrack dataset for annotation-intensive MIR research", ISMIR 2014, and
"MedleyDB 2.0: new data and a system for sustainable data collection", ISMIR 2016 (late-breaking).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    check_split,
    fault_of,
    find_base,
    folders,
    read_lines,
    reason_of,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

SPLITS = ("all", "raw")
SAMPLE_RATE = 44_100
LISTS = (".", "medleydb/resources", "..", "../medleydb/resources")
METADATA = ("Metadata", "medleydb/data/Metadata", "../Metadata", "../medleydb/data/Metadata")


@dataclass(frozen=True)
class _Edition:
    """One of the two editions: how many songs it has, and what its folder is called."""

    name: str
    title: str
    size: int
    version: str
    other: str
    cure: str


_FIRST = _Edition("medleydb", "MedleyDB 1", 122, "V1", "V2", "unpack the archives of MedleyDB 1 again")
_SECOND = _Edition("medleydb2", "MedleyDB 2", 74, "V2", "V1", "unpack the archives of MedleyDB 2 again")


@dataclass(frozen=True)
class _Part:
    """A stem or a raw recording, as the metadata tells; the group of a raw one is its stem."""

    name: str
    label: str
    file: Path
    group: str


def index(root: Path, split: str, *, edition: _Edition) -> list[Track]:
    """Return all songs, by name, with their stems, or with their raw recordings (split ``raw``).

    All stems of a song are marked where its metadata says that microphones heard other instruments. A stem of several
    instruments has them all in its label, with commas.

    Raises:
        DatasetError: if there is no such split or song, or metadata or files are missing or damaged.
    """
    check_split(split, SPLITS, title=edition.title)
    base = _base(root, edition)
    facts = {song: _read(song, base, edition) for song in _songs_of(edition, base)}
    if not facts:
        raise DatasetError(f"{base}: none of its songs is of {edition.title}: {edition.cure}")
    parts = {song: _parts(song, known, raw=split == "raw") for song, known in facts.items()}
    paths = [part.file for members in parts.values() for part in members]
    mixtures = {song: song / str(known["mix_filename"]) for song, known in facts.items()}
    paths += [path for path in mixtures.values() if path.is_file()]
    found = recordings_of(paths, dataset=edition.name)
    return [_track(song, facts[song], parts[song], found, edition) for song in facts if parts[song]]


def check(root: Path, *, edition: _Edition) -> list[Fault]:
    """Tell which songs, stems, raw recordings and metadata are missing or damaged.

    Raises:
        DatasetError: if the root is not MedleyDB.
    """
    base = _base(root, edition)
    songs = _songs_of(edition, base)
    faults, paths = size_fault(".", found=len(songs), expected=edition.size, what="songs", cure=edition.cure), []
    for song in songs:
        try:
            facts = _read(song, base, edition)
        except DatasetError as error:
            faults.append(fault_of(error, base, cure=edition.cure))
            continue
        paths.append(song / str(facts["mix_filename"]))
        paths += [part.file for raw in (False, True) for part in _parts(song, facts, raw=raw)]
    return faults + sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1, 2), cure=edition.cure)


def _base(root: Path, edition: _Edition) -> Path:
    inside = (edition.version, "Audio", f"MedleyDB/{edition.version}", "MedleyDB/Audio")
    return find_base(
        root,
        inside=inside,
        is_base=lambda folder: folder.name != edition.other and bool(_songs(folder)),
        title=edition.title,
        lack="no folder of a song with its _STEMS",
    )


def _songs(base: Path) -> list[Path]:
    return [folder for folder in folders(base) if (folder / f"{folder.name}_STEMS").is_dir()]


def _songs_of(edition: _Edition, base: Path) -> list[Path]:
    """Return the songs of an edition, where both lie in one folder those that its list of songs has, if that is there.

    The project's repository has the lists; its program wants both editions in one folder, ``Audio``.
    """
    name = f"tracklist_{edition.version.lower()}.txt"
    path = next((one for place in LISTS if (one := base / place / name).is_file()), None)
    listed = None if path is None else set(read_lines(path))
    return [song for song in _songs(base) if listed is None or song.name in listed]


def _read(song: Path, base: Path, edition: _Edition) -> dict[str, Any]:
    """Read the metadata of a song, beside its audio or in the folder of all."""
    import yaml

    name = f"{song.name}_METADATA.yaml"
    places = [song / name, *(base / place / name for place in METADATA)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        advice = "put the folder Metadata of https://github.com/marl/medleydb beside the songs"
        raise DatasetError(f"{places[0]}: it is missing: {advice}")
    try:
        facts = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if not all("filename" in stem and "instrument" in stem for stem in facts["stems"].values()):
            raise KeyError("filename")
        return {"mix_filename": f"{song.name}_MIX.wav", **facts}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: {edition.cure}") from error


def _parts(song: Path, facts: Mapping[str, Any], *, raw: bool) -> list[_Part]:
    stems = sorted(facts["stems"].items())
    if not raw:
        folder = song / str(facts.get("stem_dir") or f"{song.name}_STEMS")
        return [_Part(name, _label(stem), folder / str(stem["filename"]), name) for name, stem in stems]
    folder = song / str(facts.get("raw_dir") or f"{song.name}_RAW")
    return [
        _Part(f"{name}/{one}", _label(recorded), folder / str(recorded["filename"]), name)
        for name, stem in stems
        for one, recorded in sorted((stem.get("raw") or {}).items())
    ]


def _label(facts: Mapping[str, Any]) -> str:
    instrument = facts.get("instrument") or "Unlabeled"
    return ", ".join(map(str, instrument)) if isinstance(instrument, list) else str(instrument)


def _yes(value: object) -> bool:
    return value is True or str(value).lower() == "yes"


def _track(
    song: Path, facts: Mapping[str, Any], parts: list[_Part], found: Mapping[Path, Recording], edition: _Edition
) -> Track:
    bleeds = _yes(facts.get("has_bleed"))
    stems = tuple(Stem(part.name, part.label, (found[part.file],), bleeds=bleeds, group=part.group) for part in parts)
    details: dict[str, str | float | bool] = {"has_bleed": bleeds, "instrumental": _yes(facts.get("instrumental"))}
    details |= {key: str(facts[key]) for key in ("artist", "title", "genre") if facts.get(key)}
    return Track(song.name, edition.name, "all", stems, found.get(song / str(facts["mix_filename"])), details)


_TREE = """\
{version}/                          {size} songs
  AClassicEducation_NightOwl/
    AClassicEducation_NightOwl_MIX.wav
    AClassicEducation_NightOwl_METADATA.yaml      here, or in ../Metadata/
    AClassicEducation_NightOwl_STEMS/AClassicEducation_NightOwl_STEM_01.wav  …
    AClassicEducation_NightOwl_RAW/AClassicEducation_NightOwl_RAW_01_01.wav  …
"""

MEDLEYDB = Dataset(
    name=_FIRST.name,
    title=_FIRST.title,
    citation=(
        "Bittner, Salamon, Tierney, Mauch, Cannam and Bello, MedleyDB: a multitrack dataset for annotation-intensive "
        "MIR research, ISMIR 2014"
    ),
    licence="CC BY-NC-SA 4.0: not for commercial use",
    url="https://zenodo.org/records/1649325",
    tree=_TREE.format(version=_FIRST.version, size=_FIRST.size),
    splits=SPLITS,
    index=partial(index, edition=_FIRST),
    check=partial(check, edition=_FIRST),
)
MEDLEYDB2 = Dataset(
    name=_SECOND.name,
    title=_SECOND.title,
    citation=(
        "Bittner, Wilkins, Yip and Bello, MedleyDB 2.0: new data and a system for sustainable data collection, ISMIR "
        "late-breaking demo, 2016"
    ),
    licence="CC BY-NC-SA 4.0: not for commercial use",
    url="https://zenodo.org/records/1715175",
    tree=_TREE.format(version=_SECOND.version, size=_SECOND.size),
    splits=SPLITS,
    index=partial(index, edition=_SECOND),
    check=partial(check, edition=_SECOND),
)
