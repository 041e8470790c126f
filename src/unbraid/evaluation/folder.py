"""Anybody's recordings with their true stems: what every model knows a name for is asked for.

Understood are song folders (``song/vocals.wav``, ``song/drums.wav``, a mixture beside them or not; Slakh2100's
``metadata.yaml`` names its stems), one folder for each stem (``vocals/song.wav``, ``drums/song.wav``), and
``.stem.mp4`` files.

Axes: C channels, N samples.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from torch import Tensor
from torch.nn.functional import pad

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets.taxonomy import PROMPTS, class_of, is_mixture, prompt_of
from unbraid.errors import DatasetError
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.items import EXTENSIONS, EvaluationItem, choose_items, group_stems, map_stems
from unbraid.evaluation.protocols import Contestant, Evaluation, Mode, Plan, Skipped, examine_item, obstacle
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.report import describe_run, item_table, score_tables, skipped_table, stem_table
from unbraid.models.separator import Separator

PROTOCOL = "folder"
STEM_FILE = ".stem.mp4"
STREAMS = ("mixture", "drums", "bass", "other", "vocals")  # of such a file


@dataclass(frozen=True)
class Part:
    """A file, and which of its audio streams."""

    path: Path
    stream: int = 0

    def read(self) -> Audio:
        """Decode it."""
        return read_audio(self.path, track=self.stream)


@dataclass(frozen=True)
class Song:
    """What sounds together.

    Args:
        name: unique below the root.
        stems: at least one, by name.
        mixture: None is the sum of the stems.
    """

    name: str
    stems: Mapping[str, Part]
    mixture: Part | None = None


def find_songs(root: Path) -> list[Song]:
    """Find recordings and their stems in a tree, sorted by name.

    Raises:
        DatasetError: if there is no such folder, or nothing that is understood.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: there is no such folder, nor a protocol of that name: see unbraid evaluate --list")
    found = [*_song_folders(root), *_stem_files(root)] or _by_stem(root)
    if not found:
        raise DatasetError(
            f"{root} holds no stems: give song folders with a file for each stem, one folder for each stem, or "
            "stem files; see docs/evaluation.md"
        )
    return sorted(found, key=lambda song: song.name)


def _song_folders(root: Path) -> Iterator[Song]:
    for folder in (root, *(path for path in sorted(root.rglob("*")) if path.is_dir())):
        files = _audio_files(folder)
        names = _names(folder, files)
        stems = {names[file]: Part(file) for file in files if names[file] not in ("", "mixture")}
        mixtures = [file for file in files if names[file] == "mixture"]
        if folder.name == "stems":  # of Slakh2100: the mixture lies above
            mixtures += [file for file in _audio_files(folder.parent) if is_mixture(file.stem)]
        named = any(prompt_of(name) for name in stems)
        if named and len(stems) + bool(mixtures) > 1 and not (folder / "stems").is_dir():
            place = folder.parent if folder.name == "stems" else folder
            name = place.resolve().name if place == root else place.relative_to(root).as_posix()
            yield Song(name, stems, Part(mixtures[0]) if mixtures else None)


def _names(folder: Path, files: Sequence[Path]) -> dict[Path, str]:
    """Call the files of a folder by their stems; Slakh2100 tells which instruments its numbers stand for."""
    table = folder.parent / "metadata.yaml"
    classes: dict[str, str] = {}
    if folder.name == "stems" and table.is_file():
        try:
            listed = yaml.safe_load(table.read_text(encoding="utf-8"))["stems"]
            classes = {number: f"{stem['inst_class']} {number}" for number, stem in listed.items()}
        except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
            raise DatasetError(f"{table}: it does not list stems as Slakh2100 does ({error}): repair it") from error
    return {file: "mixture" if is_mixture(file.stem) else classes.get(file.stem, file.stem) for file in files}


def _by_stem(root: Path) -> list[Song]:
    """Find songs that are spread over one folder for each stem."""
    folders = {folder.name: _audio_files(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
    songs: dict[str, dict[str, Part]] = {}
    for stem, files in folders.items():
        if is_mixture(stem) or prompt_of(stem):
            for file in files:
                songs.setdefault(file.stem, {})["mixture" if is_mixture(stem) else stem] = Part(file)
    return [
        Song(name, {stem: part for stem, part in parts.items() if stem != "mixture"}, parts.get("mixture"))
        for name, parts in songs.items()
        if len(parts) > 1
    ]


def _stem_files(root: Path) -> Iterator[Song]:
    for path in sorted(root.rglob(f"*{STEM_FILE}")):
        if not path.name.startswith("."):
            parts = {name: Part(path, stream) for stream, name in enumerate(STREAMS)}
            mixture = parts.pop("mixture")
            yield Song(path.relative_to(root).as_posix().removesuffix(STEM_FILE), parts, mixture)


def _audio_files(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


@dataclass(frozen=True, eq=False)
class LoudSong:
    """A song in memory: mixture ``[C, N]``, and the stems that sound, of the same shape."""

    name: str
    sample_rate: int
    mixture: Tensor
    stems: Mapping[str, Tensor]
    silent: tuple[str, ...]


def read_song(song: Song) -> LoudSong:
    """Read a song; mono stems are spread over the channels of the widest, shorter ones are padded with silence.

    Raises:
        DatasetError: if rates or channels differ, or all stems are silent.
    """
    sounds = {name: part.read() for name, part in song.stems.items()}
    if song.mixture is not None:
        sounds["mixture"] = song.mixture.read()
    rates = {audio.sample_rate for audio in sounds.values()}
    widths = {audio.samples.shape[0] for audio in sounds.values()} - {1}
    if len(rates) > 1 or len(widths) > 1:
        told = f"{' and '.join(map(str, sorted(rates)))} Hz, {' and '.join(map(str, sorted(widths))) or 1} channels"
        raise DatasetError(f"{song.name}: its files differ in rate or channels ({told}): bring them to one")
    n_channels, n_samples = max(widths, default=1), max(audio.n_samples for audio in sounds.values())
    samples = {
        name: pad(audio.samples.expand(n_channels, -1), (0, n_samples - audio.n_samples))
        for name, audio in sounds.items()
    }
    stems = {name: one for name, one in samples.items() if name != "mixture"}
    mixture = samples.get("mixture", torch.stack(list(stems.values())).sum(dim=0))
    sounding = {name: one for name, one in stems.items() if one.any()}
    if not sounding:
        raise DatasetError(f"{song.name}: all its stems are silent: take it out")
    return LoudSong(song.name, rates.pop(), mixture, sounding, tuple(name for name in stems if name not in sounding))


def name_for(model: Separator | ReferenceModel, stems: Sequence[str]) -> dict[str, str]:
    """Find what a model calls stems; "" is what it has no name for.

    A name of its own comes first, then the instrument class, its last word (guitar), and the prompt.

    Args:
        model: any; one that knows no names, or numbers its outputs, is told prompts, and so are floors and ceilings.
        stems: names of all stems of a song.
    """
    prompts = map_stems(stems)
    if isinstance(model, ReferenceModel):
        return {stem: prompt if prompt in model.vocabulary else "" for stem, prompt in prompts.items()}
    known = {name.casefold(): name for name in (*model.vocabulary, *model.taught)}
    if not known or not set(known) & {*PROMPTS, *map(str, model.taught), *_words(stems)}:
        return prompts
    by_prompt = set(model.vocabulary) <= set(PROMPTS)
    names = {}
    for stem in stems:
        label = "" if by_prompt else (class_of(stem) or "")
        candidates = (stem, label, label.rpartition(" ")[2], prompts[stem])
        names[stem] = next((known[one.casefold()] for one in candidates if one.casefold() in known), "")
    return names


def _words(stems: Sequence[str]) -> set[str]:
    classes = {class_of(stem) or "" for stem in stems}
    return {word for name in classes for word in (name, name.rpartition(" ")[2])} - {""}


@dataclass(frozen=True)
class FolderExamination(Examination):
    """Every stem of anybody's recordings, asked for by the name that a model has for it."""

    choice: Choice

    @property
    def title(self) -> str:
        """What it is called."""
        return PROTOCOL

    @property
    def root(self) -> Path:
        """The folder."""
        return self.choice.folder(self.title)

    def units(self) -> list[Unit]:
        """One for each song."""
        songs = choose_items(find_songs(self.root), count=self.choice.tracks, seed=self.choice.seed)
        return [Unit(song.name, functools.partial(self._examine, song)) for song in songs]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the report."""
        del records
        return {"report.md": write_folder_report(evaluation)}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the scores."""
        return score_tables(evaluation.records)

    def _examine(self, song: Song, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        heard = read_song(song)
        plan = Plan(settings=self.choice.settings, seed=self.choice.seed, protocol=PROTOCOL)
        found: list[Record] = []
        skipped: list[Skipped] = []
        for contestant in contestants:
            item = self._item(heard, name_for(contestant.model, list(heard.stems)))
            reason = obstacle(contestant, Mode.ALL, item) if item.references else "it has no name for any stem"
            if reason:
                skipped.append(Skipped(contestant.name, Mode.ALL.value, song.name, reason))
            else:
                found.extend(examine_item(contestant, Mode.ALL, item, plan=plan, records=records))
        return Evaluation(tuple(found), tuple(skipped))

    def _item(self, heard: LoudSong, names: Mapping[str, str]) -> EvaluationItem:
        """Sum stems of one name; what has none stays in the mixture."""
        named = {stem: samples for stem, samples in heard.stems.items() if names[stem]}
        references = group_stems(named, {stem: names[stem] for stem in named}) if named else ()
        item_set = self.root.resolve().name
        return EvaluationItem(heard.name, item_set, heard.sample_rate, heard.mixture, references, heard.silent)


def write_folder_report(evaluation: Evaluation) -> str:
    """Return the page: scores by stem, every song, and what was left out; at least one record is needed."""
    records = evaluation.records
    sections = [
        f"# Evaluation: {records[0].item_set}\n\n" + describe_run(records),
        "## Scores by stem\n\n" + score_tables(records),
        "## By item\n\n" + item_table(records),
        "## Which stems made the references\n\n" + stem_table(records),
        "## Left out\n\n" + skipped_table(evaluation.skipped),
    ]
    return "\n\n".join(section for section in sections if not section.endswith("\n\n")) + "\n"
