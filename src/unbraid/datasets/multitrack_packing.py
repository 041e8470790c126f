"""Packs of multitracks: songs in folders, composed songs, and MIDI files, all as stems of instrument classes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets.activity import ActivityRule, Spans, active_spans
from unbraid.datasets.composer import draw_track
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.folders import AUDIO_SUFFIXES, StemFile
from unbraid.datasets.midi_songs import MidiPart, read_midi
from unbraid.datasets.pack import PackWriter
from unbraid.datasets.soundfont import Player
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.synthetic import RenderedStem, render_track
from unbraid.datasets.taxonomy import class_of, class_of_program, is_mixture
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError

OTHER = "other"
PEAK = 0.7
FEWEST_NOTES = 4
SOUNDING = ActivityRule(n_chunks=1, stride=1, n_active=1, quantile=0.0, min_threshold=1e-4)


@dataclass(frozen=True, eq=False)
class Stem:
    """One stem of a track: a name that is unique in it, its class, and its sound."""

    name: str
    label: str
    audio: Audio


Track = tuple[str, Sequence[Stem]]


def pack_multitracks(
    tracks: Iterable[Track],
    path: Path,
    *,
    sample_rate: int = 22050,
    train_only: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Build a pack of multitracks, one channel each; stems that are silent are left out.

    Args:
        tracks: names and stems.
        path: the pack to make; it must not exist.
        sample_rate: of all stored samples, in hertz.
        train_only: whether none is ever held out for validation.
        progress: called with the number of tracks done.

    Returns:
        The number of stems.

    Raises:
        DatasetError: if the pack exists, or nothing in it would sound.
    """
    n_stems = 0
    with PackWriter(path, sample_rate=sample_rate, channel=ChannelChoice.MID) as writer:
        for number, (track, stems) in enumerate(tracks, start=1):
            for stem in stems:
                stored = writer.convert(stem.audio)
                spans = sounding_spans(stored.samples[0].numpy(), stored.sample_rate)
                if spans:
                    name = f"{track}/{stem.name}"
                    writer.add(name, stored, prompt=stem.label, track=track, spans=spans, train_only=train_only)
                    n_stems += 1
            if progress is not None:
                progress(number)
    return n_stems


def sounding_spans(samples: Samples, sample_rate: int) -> Spans:
    """Return the runs of half seconds that are at most 40 dB below the peak.

    Example:
        >>> sounding_spans(np.array([0.0] * 100 + [1.0] * 100 + [0.0] * 50, dtype=np.float32), 100)
        ((100, 200),)
    """
    joined: list[tuple[int, int]] = []
    for start, stop in active_spans(samples, sample_rate, rule=SOUNDING):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def read_multitracks(path: Path) -> list[StemFile]:
    """Find the stems of songs and their classes in a folder, or in a table of ``path``, ``label`` and ``track``.

    Understood are ``song/lead vocals.wav``, ``song/vocals/anything.wav`` (MoisesDB), and ``song/metadata.yaml`` beside
    ``song/stems`` (Slakh2100). Mixtures are left out; a stem whose class is not clear is ``other``: it sounds in
    mixtures, and is never a target.

    Raises:
        DatasetError: if there is no audio file, or a table or metadata cannot be read.
    """
    if path.suffix.lower() == ".csv":
        return _read_table(path)
    stems = []
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if file.suffix.lower() not in AUDIO_SUFFIXES or any(part.startswith(".") for part in relative.parts):
            continue
        if is_mixture(file.stem):
            continue
        metadata = file.parent.parent / "metadata.yaml"
        if file.parent.name == "stems" and metadata.is_file():
            label, song = _slakh_classes(metadata).get(file.stem, OTHER), relative.parent.parent
        elif class_of(file.stem) is None and len(relative.parts) > 2:
            label, song = class_of(file.parent.name) or OTHER, relative.parent.parent
        else:
            label, song = class_of(file.stem) or OTHER, relative.parent
        stems.append(StemFile(file, relative.with_suffix("").as_posix(), label, song.as_posix()))
    if not stems:
        raise DatasetError(f"{path}: there are no stems in it: point at a folder of songs, each a folder of stems")
    return sorted(stems, key=lambda stem: (stem.track, stem.name))


def open_songs(stems: Iterable[StemFile]) -> Iterator[Track]:
    """Read the tracks that `read_multitracks` found, one after the other."""
    for track, group in groupby(stems, key=lambda stem: stem.track):
        yield track, [Stem(file.path.stem, file.prompt, read_audio(file.path)) for file in group]


def compose_songs(seeds: Iterable[int], *, duration: float, player: Player | None) -> Iterator[Track]:
    """Compose and render songs; parts that play the same instrument are one stem."""
    for seed in seeds:
        song = render_track(draw_track(seed, duration=duration), player=player)
        found: dict[str, tuple[str, Samples]] = {}
        for stem in song.stems.values():
            name = stem.part.instrument.name
            before = found[name][1] if name in found else np.float32(0)
            found[name] = (_class_of_stem(stem), before + stem.samples)
        yield (
            f"composed-{seed}",
            [Stem(name, label, Audio.from_array(samples, SAMPLE_RATE)) for name, (label, samples) in found.items()],
        )


def play_songs(paths: Iterable[Path], *, duration: float, player: Player) -> Iterator[Track]:
    """Play the busiest excerpt of each MIDI file; channels that play the same program are one stem.

    Raises:
        DatasetError: if a file cannot be read.
    """
    for path in paths:
        parts = _merge(busiest_excerpt(read_midi(path), duration=duration))
        sounds = [
            (part, player.play(part.notes, part.instrument, n_samples=round(duration * SAMPLE_RATE)).mean(axis=0))
            for part in parts
        ]
        peak = float(np.abs(sum(samples for _, samples in sounds)).max()) if sounds else 0.0
        if peak > 0:
            gain = np.float32(PEAK / peak)
            yield (
                path.stem,
                [
                    Stem(part.instrument.name, _class_of_part(part), Audio.from_array(samples * gain, SAMPLE_RATE))
                    for part, samples in sounds
                ],
            )


def busiest_excerpt(parts: Sequence[MidiPart], *, duration: float) -> list[MidiPart]:
    """Return the excerpt (of so many seconds) in which most parts play; those of a few notes are left out."""
    end = max((note.stop for part in parts for note in part.notes), default=0.0)
    starts = np.arange(0.0, max(end - duration, 0.0) + 1.0, duration / 8)
    best: list[MidiPart] = []
    for start in starts:
        cut = [part.cut(float(start), float(start) + duration) for part in parts]
        playing = [part for part in cut if len(part.notes) >= FEWEST_NOTES]
        if len(playing) > len(best):
            best = playing
    return best


def _merge(parts: Sequence[MidiPart]) -> list[MidiPart]:
    found: dict[str, MidiPart] = {}
    for part in parts:
        name = part.instrument.name
        notes = sorted((*found[name].notes, *part.notes) if name in found else part.notes, key=lambda note: note.start)
        found[name] = MidiPart(part.program, part.is_drum, tuple(notes))
    return list(found.values())


def _class_of_part(part: MidiPart) -> str:
    return class_of_program(part.program, is_drum=part.is_drum) or OTHER


def _class_of_stem(stem: RenderedStem) -> str:
    instrument = stem.part.instrument
    if stem.category == "vocals":
        return "vocals"
    return class_of_program(instrument.program, is_drum=instrument.is_drum) or OTHER


def _slakh_classes(path: Path) -> dict[str, str]:
    """Return the class of each stem in a track of Slakh2100, by its program, or by its class where it has none."""
    import yaml

    try:
        stems = yaml.safe_load(path.read_text(encoding="utf-8"))["stems"]
        return {
            name: _class_of_entry(stem["inst_class"], stem.get("program_num"), drum=bool(stem.get("is_drum")))
            for name, stem in stems.items()
        }
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(f"{path}: it does not list stems as Slakh2100 does ({error}): repair it") from error


def _class_of_entry(label: str, program: int | None, *, drum: bool) -> str:
    if program is None or class_of(label) == "vocals":
        return class_of(label) or OTHER
    return class_of_program(program, is_drum=drum) or OTHER


def _read_table(path: Path) -> list[StemFile]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({error}): give a CSV file in UTF-8") from error
    stems = []
    for number, row in enumerate(rows, start=2):
        if not all(row.get(column) for column in ("path", "label", "track")):
            raise DatasetError(f"{path}, line {number}: columns path, label and track are needed: complete the line")
        file_path = path.parent / row["path"]
        if not file_path.is_file():
            raise DatasetError(f"{path}, line {number}: there is no file {file_path}: correct the path")
        name = Path(row["path"]).with_suffix("").as_posix()
        stems.append(StemFile(file_path, name, class_of(row["label"]) or OTHER, row["track"]))
    if not stems:
        raise DatasetError(f"{path}: the table has no lines: write one path, label and track on each")
    return sorted(stems, key=lambda stem: (stem.track, stem.name))
