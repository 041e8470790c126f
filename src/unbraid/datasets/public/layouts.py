"""The four layouts in which people keep recordings to train with: songs, stems, tables and pairs.

The first three are those of `unbraid.datasets.folders`. Pairs are mixtures and their targets: on one clock
(``aligned``: ``item/mixture.wav`` beside ``item/vocals.wav``, or ``mixture/item.wav`` and ``vocals/item.wav`` with the
same names) or not (``random``: the names differ, and every file is drawn on its own). Labels are the names of files, or
of folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from unbraid.datasets.folders import AUDIO_SUFFIXES, StemFile, read_song_folders, read_stem_folders, read_table
from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of, survey
from unbraid.datasets.public.listing import check_split, files, folders, relative
from unbraid.datasets.taxonomy import is_mixture, prompt_of
from unbraid.errors import DatasetError

SPLITS = ("all", "train", "validation", "test")
_FOLDERS = {"train": ("train", "training"), "validation": ("valid", "validation", "val", "dev"), "test": ("test",)}
_INPUTS = frozenset({"mixture", "mix", "input", "noisy", "mixtures"})
_CURE = "get or export the file again, or take it out"


def index_songs(root: Path, split: str) -> list[Track]:
    """Return folders of songs as tracks; a mixture beside the stems is that of the track.

    Raises:
        DatasetError: if there is no recording, it is not clear which stem one is, or one is damaged.
    """
    top = _part(root, split)
    return _tracks(read_song_folders(top), "song-folders", split, mixtures=True)


def index_stems(root: Path, split: str) -> list[Track]:
    """Return every file of a folder of stems as a track with one stem, labeled by its folder.

    Raises:
        DatasetError: as in `index_songs`.
    """
    return _tracks(read_stem_folders(_part(root, split)), "stem-folders", split)


def index_table(root: Path, split: str) -> list[Track]:
    """Return the files of a table as tracks; those of one ``track`` sound together.

    Args:
        root: the CSV file, or a folder with one that is called like the split, such as ``train.csv``.
        split: ``all`` of a folder is its only table, or those of all splits.

    Raises:
        DatasetError: as in `index_songs`, or if there is no table.
    """
    tables = {table.stem.lower() for table in files(root, ".csv")}
    present = [one for one, names in _FOLDERS.items() if tables & set(names)]
    if split == "all" and present and len(tables) > 1:
        return _of_all(present, partial(index_table, root))
    return _tracks(read_table(_csv(root, split)), "table", split)


def index_pairs(root: Path, split: str) -> list[Track]:
    """Return mixtures and targets: aligned ones as tracks with a mixture, the others each as a track with one stem.

    ``details["pairing"]`` says which; the stem of a mixture that is drawn on its own is labeled ``mixture``.

    Raises:
        DatasetError: if there are no pairs, or a file is damaged.
    """
    if split == "all" and _split_folders(root):
        return _of_all(_split_folders(root), partial(index_pairs, root))
    top = _part(root, split)
    inputs = [folder for folder in folders(top) if folder.name.lower() in _INPUTS]
    if not inputs:
        return _pair_folders(top, split)
    by_folder = {folder: _sounds(folder) for folder in folders(top)}
    mixtures = {file.stem: file for file in by_folder.pop(inputs[0])}
    targets = {folder: {file.stem: file for file in found} for folder, found in by_folder.items() if found}
    if not mixtures or not targets:
        raise DatasetError(f"{top}: there are no files in {inputs[0].name} or in a folder beside it: add recordings")
    found = recordings_of(
        [*mixtures.values(), *(file for one in targets.values() for file in one.values())], dataset="pairs"
    )
    aligned = all(set(files_of) <= set(mixtures) for files_of in targets.values())
    if not aligned:
        every = {inputs[0]: mixtures, **targets}
        return [
            _single(f"{folder.name}/{name}", "mixture" if folder == inputs[0] else folder.name, found[file], split)
            for folder, files_of in every.items()
            for name, file in sorted(files_of.items())
        ]
    tracks = []
    for name, mixture in sorted(mixtures.items()):
        stems = tuple(
            Stem(one.name, one.name, (found[those[name]],)) for one, those in targets.items() if name in those
        )
        if stems:
            tracks.append(Track(name, "pairs", split, stems, found[mixture], {"pairing": "aligned"}))
    return tracks


def check_layout(root: Path, *, index: Callable[[Path, str], list[Track]]) -> list[Fault]:
    """Tell what cannot be read or understood, and which tracks have files of several rates.

    Raises:
        DatasetError: if there is nothing there.
    """
    if not root.exists():
        raise DatasetError(f"{root}: there is no such folder: correct the path")
    top = root if root.is_dir() else root.parent
    sounds = [file for file in sorted(top.rglob("*")) if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()]
    hidden = [any(part.startswith(".") for part in file.relative_to(top).parts) for file in sounds]
    found = survey(file for file, out in zip(sounds, hidden, strict=True) if not out)
    faults = [
        Fault(relative(path, top), reason.removeprefix(f"{path}: ").rpartition(": ")[0], _CURE)
        for path, reason in found.broken.items()
    ]
    if faults:
        return faults
    try:
        tracks = index(root, "all")
    except DatasetError as error:
        return [Fault(".", str(error), "see the layout with `unbraid datasets show`")]
    for track in tracks:
        rates = sorted({recording.sample_rate for recording in track.recordings})
        if len(rates) > 1:
            faults.append(Fault(track.name, f"its files have rates {rates}", "resample them to one"))
    return faults


def _of_all(splits: Sequence[str], index: Callable[[str], list[Track]]) -> list[Track]:
    """Return the tracks of several splits, with their splits in their names."""
    return [replace(track, name=f"{split}/{track.name}") for split in splits for track in index(split)]


def _split_folders(root: Path) -> list[str]:
    """Return the splits that have a folder."""
    named = {folder.name.lower() for folder in folders(root)}
    return [split for split, names in _FOLDERS.items() if named & set(names)]


def _part(root: Path, split: str) -> Path:
    """Return the folder of a split; all is the root."""
    check_split(split, SPLITS, title="a folder")
    if split == "all":
        return root
    named = {folder.name.lower(): folder for folder in folders(root)}
    for name in _FOLDERS[split]:
        if name in named:
            return named[name]
    raise DatasetError(f"{root}: there is no folder {' or '.join(_FOLDERS[split])} in it: make one, or use split all")


def _csv(root: Path, split: str) -> Path:
    check_split(split, SPLITS, title="a table")
    if root.is_file() and split == "all":
        return root
    tables = {table.stem.lower(): table for table in files(root, ".csv")}
    names = tuple(tables) if split == "all" and len(tables) == 1 else _FOLDERS.get(split, ("all",))
    for name in names:
        if name in tables:
            return tables[name]
    raise DatasetError(f"{root}: there is no table {' or '.join(f'{name}.csv' for name in names)}: give a CSV file")


def _tracks(found: Sequence[StemFile], dataset: str, split: str, *, mixtures: bool = False) -> list[Track]:
    songs: dict[str, list[StemFile]] = {}
    for stem in found:
        songs.setdefault(stem.track, []).append(stem)
    mixture_of = {song: _mixture(stems) for song, stems in songs.items()} if mixtures else {}
    extra = [path for path in mixture_of.values() if path is not None]
    headers = recordings_of([*(stem.path for stem in found), *extra], dataset=dataset)
    return [
        Track(
            song,
            dataset,
            split,
            tuple(Stem(_name(stem), _label(stem), (headers[stem.path],), group=stem.prompt) for stem in stems),
            headers[mixture] if (mixture := mixture_of.get(song)) is not None else None,
        )
        for song, stems in songs.items()
    ]


def _mixture(stems: Sequence[StemFile]) -> Path | None:
    """Return the mixture that lies beside the stems of a song, or above their folder ``stems``."""
    folder = stems[0].path.parent
    beside = [*_sounds(folder), *(_sounds(folder.parent) if folder.name == "stems" else ())]
    return next((path for path in beside if is_mixture(path.stem)), None)


def _name(stem: StemFile) -> str:
    return stem.name.removeprefix(f"{stem.track}/")


def _label(stem: StemFile) -> str:
    """Return the name of the file or of its folder, whichever means what was understood, else that."""
    names = (stem.path.stem, stem.path.parent.name)
    return next((name for name in names if prompt_of(name) == stem.prompt), stem.prompt)


def _pair_folders(top: Path, split: str) -> list[Track]:
    """Return folders that each hold a mixture and its targets."""
    items = {folder: _sounds(folder) for folder in folders(top)}
    pairs = {}
    for folder, found in items.items():
        inputs = [file for file in found if file.stem.lower() in _INPUTS]
        targets = [file for file in found if file not in inputs]
        if inputs and targets:
            pairs[folder] = (inputs[0], targets)
    if not pairs:
        raise DatasetError(
            f"{top}: there is no folder `mixture`, and no file `mixture` beside a target: see the layout"
        )
    every = recordings_of(
        (file for mixture, targets in pairs.values() for file in (mixture, *targets)), dataset="pairs"
    )
    return [
        Track(
            folder.name,
            "pairs",
            split,
            tuple(Stem(file.stem, file.stem, (every[file],)) for file in targets),
            every[mixture],
            {"pairing": "aligned"},
        )
        for folder, (mixture, targets) in pairs.items()
    ]


def _single(name: str, label: str, recording: Recording, split: str) -> Track:
    return Track(name, "pairs", split, (Stem(label, label, (recording,)),), details={"pairing": "random"})


def _sounds(folder: Path) -> list[Path]:
    return files(folder, *AUDIO_SUFFIXES)


def _layout(name: str, title: str, tree: str, index: Callable[[Path, str], list[Track]]) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        citation="your own recordings",
        licence="that of your recordings",
        url="docs/data.md",
        tree=tree,
        splits=SPLITS,
        index=index,
        check=partial(check_layout, index=index),
    )


def all_layouts() -> Iterable[Dataset]:
    """Yield the four layouts as datasets."""
    splits = "train/  valid/  test/        optional\n"
    yield _layout(
        "song-folders", "Folders of songs", f"{splits}song/\n  mixture.wav  drums.wav  vocals.wav  …\n", index_songs
    )
    yield _layout(
        "stem-folders", "One folder per stem", f"{splits}drums/\n  a.wav  b.wav  …\nspeech/\n  c.wav  …\n", index_stems
    )
    yield _layout("table", "A CSV table", "train.csv                    path,label,track\n", index_table)
    pairs = "mixture/\n  a.wav  b.wav  …\nvocals/\n  a.wav  b.wav  …          same names: aligned; others: random\n"
    yield _layout(
        "pairs", "Mixtures and targets", f"{splits}{pairs}item/\n  mixture.wav  vocals.wav      aligned\n", index_pairs
    )
