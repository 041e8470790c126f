"""Slakh2100: songs of the Lakh MIDI dataset, rendered with sampled instruments, one stem per MIDI track.

Two editions have the same tracks: the first one lies in ``train``, ``validation`` and ``test``, or all tracks in one
folder (their numbers tell the split); ``redux`` took out 390 tracks whose MIDI file occurs in two splits, and keeps
them in ``omitted``. Stems that were not rendered, and those whose file does not exist (there are such),
are left out. ``unbraid render`` writes the first layout too.

Source: Manilow et al., "Cutting music source separation some Slakh", WASPAA 2019.
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
    reason_of,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

SAMPLE_RATE = 44_100
LAST = {"train": 1500, "validation": 1875, "test": 2100}  # number of the last track of each split
SUFFIXES = (".flac", ".wav")


@dataclass(frozen=True)
class _Edition:
    """One of the two editions: how many tracks each split has, and what its folder is called."""

    name: str
    title: str
    sizes: Mapping[str, int]
    inside: tuple[str, ...]
    cure: str


_ORIGINAL = _Edition(
    "slakh2100",
    "Slakh2100",
    {"train": 1500, "validation": 375, "test": 225},
    ("slakh2100_flac", "Slakh2100"),
    "unpack slakh2100_flac.tar.gz again",
)
_REDUX = _Edition(
    "slakh2100-redux",
    "Slakh2100-redux",
    {"train": 1289, "validation": 270, "test": 151, "omitted": 390},
    ("slakh2100_flac_redux", "slakh2100_redux_16k"),
    "unpack slakh2100_flac_redux.tar.gz again",
)


def index(root: Path, split: str, *, edition: _Edition) -> list[Track]:
    """Return the tracks of a split, by number; labels are ``Guitar/Distortion Guitar``: class and program.

    Raises:
        DatasetError: if there is no such split or track in it, or a mixture or metadata is missing or damaged.
    """
    check_split(split, tuple(edition.sizes), title=edition.title)
    found = _tracks(_base(root, edition), split, edition)
    if not found:
        raise DatasetError(f"{edition.title}: there is no track of {split} in {root}: {edition.cure}")
    facts = {track: _read(track, edition) for track in found}
    wanted = {track: _stem_files(track, facts[track]) for track in found}
    mixtures = {track: _mixture(track, edition) for track in found}
    paths = [*mixtures.values(), *(path for files in wanted.values() for path in files.values())]
    headers = recordings_of(paths, dataset=edition.name)
    return [
        Track(
            track.name,
            edition.name,
            split,
            tuple(_stem(track, name, facts[track]["stems"][name], headers[path]) for name, path in files.items()),
            headers[mixtures[track]],
            {key: facts[track][key] for key in ("UUID", "overall_gain", "normalized") if key in facts[track]},
        )
        for track, files in wanted.items()
        if files
    ]


def check(root: Path, *, edition: _Edition) -> list[Fault]:
    """Tell which tracks, mixtures and rendered stems are missing or damaged.

    Raises:
        DatasetError: if the root is not this edition of Slakh2100.
    """
    base, faults, paths = _base(root, edition), [], []
    for split, size in edition.sizes.items():
        found = _tracks(base, split, edition)
        faults += size_fault(split, found=len(found), expected=size, what="tracks", cure=edition.cure)
        for track in found:
            try:
                facts = _read(track, edition)
                paths.append(_mixture(track, edition))
            except DatasetError as error:
                faults.append(fault_of(error, base, cure=edition.cure))
                continue
            here = _stem_files(track, facts)
            paths += here.values()
            lost = [name for name, stem in facts["stems"].items() if stem.get("audio_rendered") and name not in here]
            faults += [Fault(relative(track, base), f"stem {name} is missing", edition.cure) for name in lost]
    return faults + sound_faults(base, paths, sample_rates=(SAMPLE_RATE,), n_channels=(1,), cure=edition.cure)


def _base(root: Path, edition: _Edition) -> Path:
    def is_base(folder: Path) -> bool:
        return any(_tracks(folder, split, edition) for split in edition.sizes)

    return find_base(
        root, inside=edition.inside, is_base=is_base, title=edition.title, lack="no folder Track00001 or so"
    )


def _tracks(base: Path, split: str, edition: _Edition) -> list[Path]:
    """Return the folders of a split, or those of its numbers where there are no folders of splits."""
    if any((base / name).is_dir() for name in edition.sizes) or edition is _REDUX:
        return [folder for folder in folders(base / split) if _number(folder)]
    first = {"train": 1, "validation": LAST["train"] + 1, "test": LAST["validation"] + 1}[split]
    return [folder for folder in folders(base) if first <= _number(folder) <= LAST[split]]


def _number(folder: Path) -> int:
    """Return the number of a track; 0 for a folder that is none."""
    digits = folder.name.removeprefix("Track")
    return int(digits) if folder.name.startswith("Track") and digits.isdecimal() else 0


def _read(track: Path, edition: _Edition) -> dict[str, Any]:
    """Read what is known of a track; ``stems`` is a table of tables."""
    import yaml

    path = track / "metadata.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        facts = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        if not all(isinstance(stem, dict) and "inst_class" in stem for stem in facts["stems"].values()):
            raise KeyError("inst_class")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: {edition.cure}") from error
    return dict(facts)


def _stem_files(track: Path, facts: Mapping[str, Any]) -> dict[str, Path]:
    """Return the files of the stems that were rendered and are there, by name."""
    rendered = [str(name) for name, stem in sorted(facts["stems"].items()) if stem.get("audio_rendered", True)]
    files = {name: _existing(track / str(facts.get("audio_dir") or "stems") / name) for name in rendered}
    return {name: path for name, path in files.items() if path is not None}


def _mixture(track: Path, edition: _Edition) -> Path:
    path = _existing(track / "mix")
    if path is None:
        raise DatasetError(f"{track / 'mix.flac'}: it is missing: {edition.cure}")
    return path


def _existing(path: Path) -> Path | None:
    return next((file for suffix in SUFFIXES if (file := path.with_name(path.name + suffix)).is_file()), None)


def _stem(track: Path, name: str, facts: Mapping[str, Any], recording: Recording) -> Stem:
    score = track / "MIDI" / f"{name}.mid"
    label = f"{facts['inst_class']}/{facts.get('midi_program_name', '')}"
    return Stem(name, label, (recording,), score=score if score.is_file() else None, group=str(facts["inst_class"]))


_CITATION = (
    "Manilow, Wichern, Seetharaman and Le Roux, Cutting music source separation some Slakh: a dataset to study the "
    "impact of training data quality and quantity, WASPAA 2019"
)
_TREE = """\
  Track00001/
    metadata.yaml  mix.flac  all_src.mid
    stems/S00.flac  S01.flac  …
    MIDI/S00.mid  S01.mid  …
"""

SLAKH2100 = Dataset(
    name=_ORIGINAL.name,
    title=_ORIGINAL.title,
    citation=_CITATION,
    licence="CC BY 4.0",
    url="https://zenodo.org/records/4599666",
    tree=f"train/                       1500 tracks, or all 2100 in one folder\n{_TREE}"
    "validation/                  375 tracks\ntest/                        225 tracks\n",
    splits=tuple(_ORIGINAL.sizes),
    index=partial(index, edition=_ORIGINAL),
    check=partial(check, edition=_ORIGINAL),
)
SLAKH2100_REDUX = Dataset(
    name=_REDUX.name,
    title=_REDUX.title,
    citation=_CITATION,
    licence="CC BY 4.0",
    url="https://zenodo.org/records/4599666",
    tree=f"train/                       1289 tracks\n{_TREE}validation/                  270 tracks\n"
    "test/                        151 tracks\nomitted/                     390 tracks, whose MIDI files occur twice\n",
    splits=tuple(_REDUX.sizes),
    index=partial(index, edition=_REDUX),
    check=partial(check, edition=_REDUX),
)
