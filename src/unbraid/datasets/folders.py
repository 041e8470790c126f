"""Recordings as people have them: song folders, one folder per stem, or a table of paths and labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from unbraid.datasets.taxonomy import PROMPTS, is_mixture, prompt_of
from unbraid.datasets.track import FileStore, Source
from unbraid.errors import DatasetError

AUDIO_SUFFIXES = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".w64", ".rf64", ".au", ".m4a", ".mp4")
)


@dataclass(frozen=True)
class StemFile:
    """One audio file: what it is a recording of, and which song, speaker or set it belongs to.

    ``name`` is unique among the files that were read together.
    """

    path: Path
    name: str
    prompt: str
    track: str


def read_folder(path: Path) -> list[StemFile]:
    """Find the recordings in a folder or table, whichever way it is laid out.

    A ``.csv`` file is a table. In a folder, the folders that hold audio files directly decide: if the names
    of all of them are those of stems (``drums``, ``vocals``), and the files inside are not, they are one
    folder per stem; otherwise every one is a song, and its files are named for their stems, or listed in a
    ``metadata.yaml`` as in Slakh2100.

    Args:
        path: the folder or table.

    Raises:
        DatasetError: if there is nothing, or a name cannot be understood.
    """
    if path.suffix.lower() == ".csv":
        return read_table(path)
    folders = _audio_folders(path)
    by_stem = all(folder != path and prompt_of(folder.name) for folder in folders)
    if by_stem and not all(_looks_like_song(files) for files in folders.values()):
        return read_stem_folders(path)
    return read_song_folders(path)


def read_song_folders(path: Path) -> list[StemFile]:
    """Read folders of songs, at any depth: ``song/vocals.wav``, ``song/drums.wav`` and so on.

    Mixtures beside the stems are left out. The folder itself may be the only song. Songs laid out like
    Slakh2100 (``song/metadata.yaml``, ``song/stems/S00.flac``) are understood too.

    Raises:
        DatasetError: if there is no audio file, or it is not clear which stem one is.
    """
    stems = []
    folders = _audio_folders(path)
    for folder, files in folders.items():
        if (folder / "metadata.yaml").is_file() and folder / "stems" in folders:
            continue
        listed = folder.name == "stems" and (folder.parent / "metadata.yaml").is_file()
        labels = _slakh_labels(folder.parent / "metadata.yaml") if listed else {}
        song = folder.parent if listed else folder
        track = song.relative_to(path).as_posix() if song != path else path.resolve().name
        for file in files:
            if len(files) > 1 and is_mixture(file.stem):
                continue
            prompt = _prompt(labels.get(file.stem, file.stem), file)
            stems.append(StemFile(file, f"{track}/{file.stem}", prompt, track))
    return _with_unique_names(stems)


def read_stem_folders(path: Path) -> list[StemFile]:
    """Read one folder per stem: ``drums/a.wav``, ``speech/b.wav``, …; each file is a track of its own.

    Raises:
        DatasetError: if there is no audio file, or the name of a folder says no stem.
    """
    stems = []
    for folder, files in _audio_folders(path).items():
        if folder == path:
            raise DatasetError(f"{files[0]}: it lies beside the folders of stems: move it into one of them")
        prompt = _prompt(folder.name, folder)
        for file in files:
            name = file.relative_to(path).with_suffix("").as_posix()
            stems.append(StemFile(file, name, prompt, name))
    return _with_unique_names(stems)


def read_table(path: Path) -> list[StemFile]:
    """Read a CSV table of paths and labels.

    The first line may name the columns: ``path`` and ``label``, and optionally ``track`` (files of one song
    or speaker) and others, which are ignored. Without it there are two columns. Paths are relative to the
    table.

    Raises:
        DatasetError: if a line lacks a cell, a file is missing, or a label cannot be understood.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({error}): give a CSV file in UTF-8") from error
    columns = ["path", "label"]
    if rows and {"path", "label"} <= {cell.strip().lower() for cell in rows[0][1]}:
        columns = [cell.strip().lower() for cell in rows[0][1]]
        rows = rows[1:]
    if not rows:
        raise DatasetError(f"{path}: the table has no lines: write one path and label on each")
    stems = []
    for number, row in rows:
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        if not cells.get("path") or not cells.get("label"):
            raise DatasetError(f"{path}, line {number}: a path and a label are needed, got {','.join(row)}")
        audio = path.parent / cells["path"]
        if not audio.is_file():
            raise DatasetError(f"{path}, line {number}: there is no file {audio}: correct the path")
        prompt = prompt_of(cells["label"])
        if prompt is None:
            raise DatasetError(f"{path}, line {number}: {_unclear(cells['label'])}")
        name = Path(cells["path"]).with_suffix("").as_posix()
        stems.append(StemFile(audio, name, prompt, cells.get("track") or name))
    return _with_unique_names(stems)


def open_source(stem: StemFile) -> Source:
    """Return a file as a source that is decoded piece by piece whenever it is drawn.

    This suits small experiments; a pack is many times faster, and knows where each recording sounds.

    Raises:
        DatasetError: if the file cannot be read, or not from its middle.
    """
    try:
        found = soundfile.info(stem.path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DatasetError(f"{stem.path}: cannot be read piece by piece ({error}): build a pack instead") from error
    return Source(
        name=stem.name,
        prompt=stem.prompt,
        sample_rate=found.samplerate,
        n_samples=found.frames,
        store=FileStore(stem.path),
        n_channels=found.channels,
        track=stem.track,
    )


def _slakh_labels(path: Path) -> dict[str, str]:
    """Return the instrument class of each stem in a track of Slakh2100."""
    import yaml

    try:
        stems = yaml.safe_load(path.read_text(encoding="utf-8"))["stems"]
        return {name: str(stem["inst_class"]) for name, stem in stems.items()}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(f"{path}: it does not list stems as Slakh2100 does ({error}): repair it") from error


def _audio_folders(path: Path) -> dict[Path, list[Path]]:
    """Return the folders that hold audio files directly, with these, in the order of their names."""
    if not path.is_dir():
        raise DatasetError(f"{path}: there is no such folder: correct the path")
    folders: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file() and not hidden:
            folders.setdefault(file.parent, []).append(file)
    if not folders:
        raise DatasetError(f"{path}: there is no audio file in it: point at a folder of recordings")
    return folders


def _looks_like_song(files: Iterable[Path]) -> bool:
    prompts = [prompt_of(file.stem) for file in files]
    return None not in prompts and len(set(prompts)) > 1


def _prompt(label: str, where: Path) -> str:
    prompt = prompt_of(label)
    if prompt is None:
        raise DatasetError(f"{where}: {_unclear(label)}, or list the files in a CSV table of path and label")
    return prompt


def _unclear(label: str) -> str:
    return f"it is not clear what {label!r} is: name it for one of {', '.join(PROMPTS)}"


def _with_unique_names(stems: list[StemFile]) -> list[StemFile]:
    """Give files that differ only in their suffix different names."""
    count = Counter(stem.name for stem in stems)
    return [
        StemFile(stem.path, f"{stem.name}{stem.path.suffix}", stem.prompt, stem.track) if count[stem.name] > 1 else stem
        for stem in stems
    ]
