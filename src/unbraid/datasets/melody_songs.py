"""Tracks whose notes are known: composed songs, MIDI files, solos, recorded notes, and multitracks beside MIDI files.

Each kind is a small value that makes its track when it is asked to, so that many can be made by several processes.

Axes: N samples.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np

from unbraid.audio.files import read_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.datasets import console
from unbraid.datasets.composer import Part, compose, draw_track
from unbraid.datasets.folders import AUDIO_SUFFIXES, StemFile
from unbraid.datasets.instruments import Family
from unbraid.datasets.midi_songs import MidiPart, read_midi
from unbraid.datasets.mimicry_players import PROGRAMS, range_of
from unbraid.datasets.multitrack_packing import OTHER, busiest_excerpt
from unbraid.datasets.phrases import Note as RecordedNote
from unbraid.datasets.phrases import pitch_of
from unbraid.datasets.recordings import Use
from unbraid.datasets.solos import RULES, TUNEFUL
from unbraid.datasets.soundfont import Player, open_player
from unbraid.datasets.spectral import SAMPLE_RATE, Samples, add_at
from unbraid.datasets.synthetic import render_track
from unbraid.datasets.taxonomy import class_of_program
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

GROUPS = (
    *("Piano", "Chromatic Percussion", "Organ", "Guitar", "Bass", "Strings", "Strings", "Brass", "Reed", "Pipe"),
    *("Synth", "Synth", "Other", "Other", "Other", "Other"),
)
"""Groups of eight programs of General MIDI each, as the evaluation of GuideSep names them; the others are "Other"."""

VOICE = "Voice"
LEVEL_DB = -22.0
PROGRAM_OF_CLASS = {
    "piano": 0,
    "keyboards": 5,
    "acoustic guitar": 25,
    "electric guitar": 27,
    "bass": 33,
    "strings": 40,
    "woodwinds": 65,
    "mallets": 13,
}
FADE = 0.02
BEATS = (0.25, 0.5, 0.5, 1.0, 1.0, 2.0)


@dataclass(frozen=True, eq=False)
class NotedStem:
    """One stem: a name that is unique in its track, the label of its sound, and what it plays.

    Args:
        name: unique in its track.
        label: class of the sound, as backgrounds are drawn by.
        audio: one channel or more.
        group: one of `GROUPS`, or "Voice"; "" for a stem that is never a target.
        program: of General MIDI, -1 where there is none.
        notes: in seconds; none for a stem that is never a target.
    """

    name: str
    label: str
    audio: Audio
    group: str = ""
    program: int = -1
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class NotedTrack:
    """Stems on one clock."""

    name: str
    stems: tuple[NotedStem, ...]


class Song(Protocol):
    """A track to be made."""

    def make(self) -> NotedTrack:
        """Make it; the same song is the same track."""
        ...


@dataclass(frozen=True)
class ComposedSong:
    """A song that is composed and rendered."""

    seed: int
    duration: float = 24.0

    def make(self) -> NotedTrack:
        """Compose and render."""
        song = render_track(draw_track(self.seed, duration=self.duration), player=_player())
        stems = []
        for name, stem in song.stems.items():
            instrument, audio = stem.part.instrument, Audio.from_array(stem.samples, SAMPLE_RATE)
            if instrument.family is Family.VOICE:
                stems.append(NotedStem(name, "vocals", audio, VOICE, -1, stem.notes))
            elif instrument.is_drum:
                stems.append(NotedStem(name, "drums", audio))
            else:
                stems.append(_pitched(name, instrument.program, audio, stem.notes))
        return NotedTrack(f"composed-{self.seed}", tuple(stems))


@dataclass(frozen=True)
class MidiSong:
    """The busiest excerpt of a MIDI file, played with a SoundFont."""

    path: Path
    duration: float = 24.0

    def make(self) -> NotedTrack:
        """Play it.

        Raises:
            DatasetError: if it cannot be read, or there is no SoundFont.
        """
        parts: dict[int, list[MidiPart]] = defaultdict(list)
        for part in busiest_excerpt(read_midi(self.path), duration=self.duration):
            parts[-1 if part.is_drum else part.program].append(part)
        stems = []
        for program, mine in parts.items():
            notes = tuple(sorted((note for part in mine for note in part.notes), key=lambda note: note.start))
            part = MidiPart(max(program, 0), mine[0].is_drum, notes)
            audio = _play(part, self.duration)
            if program < 0:
                stems.append(NotedStem("drums", "drums", audio))
            else:
                stems.append(_pitched(f"program-{program}", program, audio, notes))
        return NotedTrack(f"midi-{self.path.stem}", tuple(stems))


@dataclass(frozen=True)
class Solo:
    """A part of a composed song, played on a program of a SoundFont and sent through a mixing desk."""

    program: int
    seed: int
    duration: float = 24.0

    def make(self) -> NotedTrack:
        """Draw a part, and play it.

        Raises:
            DatasetError: if there is no SoundFont.
        """
        rng = np.random.default_rng([40, self.seed, self.program])
        low, high = range_of(self.program)
        notes = tuple(replace(note, pitch=_fold(note.pitch, low, high)) for note in _tune(rng, self.duration).notes)
        sound = _play(MidiPart(self.program, False, notes), self.duration)
        strip = console.draw_strip(rng, pan=0.0, level_db=LEVEL_DB, dry=32 <= self.program < 40)
        audio = Audio.from_array(console.mix_part(sound.samples.numpy(), strip), SAMPLE_RATE)
        stem = _pitched(f"program-{self.program}", self.program, audio, notes)
        return NotedTrack(f"solo-{self.program}-{self.seed}", (stem,))


@dataclass(frozen=True)
class RecordedNotes:
    """Melodies of composed songs, played with recorded single notes of one instrument."""

    name: str
    label: str
    files: tuple[Path, ...]
    seed: int
    duration: float = 24.0

    def make(self) -> NotedTrack:
        """Play a melody with the notes, each moved by a few semitones at most.

        Raises:
            DatasetError: if a file cannot be read.
        """
        rng = np.random.default_rng([41, self.seed, zlib.crc32(self.name.encode())])
        recorded = [_read_note(file) for file in self.files]
        pitches = np.asarray([note.pitch for note in recorded])
        result, kept = np.zeros(round(self.duration * SAMPLE_RATE), np.float32), []
        for note in _tune(rng, self.duration).notes:
            pitch = _fold(note.pitch, int(pitches.min()), int(pitches.max()))
            nearest = recorded[int(np.abs(pitches - pitch).argmin())]
            moved = _transpose(nearest.samples, pitch - (nearest.pitch or 0))
            held = moved[: max(1, round(note.duration * SAMPLE_RATE))].copy()
            n_fade = min(len(held), round(FADE * SAMPLE_RATE))
            held[len(held) - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
            add_at(result, round(note.start * SAMPLE_RATE), held, gain=(note.velocity / 127) ** 1.5)
            kept.append(replace(note, pitch=pitch, duration=len(held) / SAMPLE_RATE))
        audio = Audio.from_array(result, SAMPLE_RATE)
        stem = _pitched("notes", PROGRAM_OF_CLASS.get(self.label, 108), audio, tuple(kept))
        return NotedTrack(f"recorded-{self.name}-{self.seed}", (replace(stem, label=self.label),))


@dataclass(frozen=True)
class FolderSong:
    """A song in a folder: stems whose notes lie in ``MIDI/STEM.mid`` or beside them are targets, as in Slakh2100."""

    name: str
    files: tuple[StemFile, ...]

    def make(self) -> NotedTrack:
        """Read it.

        Raises:
            DatasetError: if a file cannot be read.
        """
        return NotedTrack(self.name, tuple(_read_stem(file) for file in self.files))


def folder_songs(stems: Iterable[StemFile]) -> list[FolderSong]:
    """Return the songs that `multitrack_packing.read_multitracks` found."""
    return [FolderSong(track, tuple(group)) for track, group in groupby(stems, key=lambda stem: stem.track)]


def recorded_notes(path: Path, *, n_each: int) -> list[RecordedNotes]:
    """Return songs of the instruments whose single notes lie in a folder of folders (`solos.RULES`), if any.

    Args:
        path: of the folder.
        n_each: songs of each instrument.
    """
    files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in AUDIO_SUFFIXES]
    songs: list[RecordedNotes] = []
    for rule in RULES:
        if rule.use not in (Use.MELODY, Use.CHORDS):
            continue
        mine = [file for file in files if fnmatchcase(file.relative_to(path).as_posix(), rule.pattern)]
        pitched = tuple(file for file in mine if pitch_of(file.stem) is not None)
        if len(pitched) >= 3:
            name = rule.pattern.strip("*/").replace("*", "").replace("/", "-")
            songs.extend(RecordedNotes(name, rule.prompt, pitched, seed) for seed in range(n_each))
    return songs


@cache
def _player() -> Player | None:
    return open_player()


def _play(part: MidiPart, duration: float) -> Audio:
    player = _player()
    if player is None:
        raise DatasetError("playing MIDI needs a SoundFont: install fluid-soundfont-gm, and pip install tinysoundfont")
    return Audio.from_array(
        player.play(part.notes, part.instrument, n_samples=round(duration * SAMPLE_RATE)), SAMPLE_RATE
    )


def _pitched(name: str, program: int, audio: Audio, notes: tuple[Note, ...]) -> NotedStem:
    """Return a stem that is a target if its program plays melodies."""
    label = class_of_program(program) or OTHER
    if program not in PROGRAMS:
        return NotedStem(name, label, audio)
    return NotedStem(name, label, audio, GROUPS[program // 8], program, notes)


def _tune(rng: np.random.Generator, duration: float) -> Part:
    """Return a part of a composed song that has a tune or chords."""
    while True:
        parts = compose(draw_track(int(rng.integers(2**31)), duration=duration))
        tuneful = [part for part in parts if part.draw.role in TUNEFUL and len(part.notes) > 8]
        if tuneful:
            return tuneful[int(rng.integers(len(tuneful)))]


def _fold(pitch: int, low: int, high: int) -> int:
    while pitch < low:
        pitch += 12
    while pitch > high and pitch - 12 >= low:
        pitch -= 12
    return pitch


def _read_note(path: Path) -> RecordedNote:
    audio = read_audio(path)
    mono = resample(audio.samples.mean(dim=0, keepdim=True), source_rate=audio.sample_rate, target_rate=SAMPLE_RATE)
    samples: Samples = mono[0].numpy()
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max(initial=1e-9))
    return RecordedNote(samples[max(0, int(loud[0]) - 64) if len(loud) else 0 :], pitch_of(path.stem))


def _transpose(samples: Samples, semitones: int) -> Samples:
    """Play samples ``[N]`` faster or slower."""
    if semitones == 0:
        return samples
    at = np.arange(0, len(samples) - 1, 2 ** (semitones / 12))
    moved: Samples = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
    return moved


def _read_stem(file: StemFile) -> NotedStem:
    audio = read_audio(file.path)
    audio = Audio(audio.samples[:1], audio.sample_rate)
    beside = (file.path.parent.parent / "MIDI" / f"{file.path.stem}.mid", file.path.with_suffix(".mid"))
    score = next((path for path in beside if path.is_file()), None)
    parts: Sequence[MidiPart] = () if score is None else [part for part in read_midi(score) if not part.is_drum]
    if not parts or file.prompt == "drums":
        return NotedStem(file.path.stem, file.prompt, audio)
    notes = tuple(sorted((note for part in parts for note in part.notes), key=lambda note: note.start))
    if file.prompt == "vocals":
        return NotedStem(file.path.stem, "vocals", audio, VOICE, -1, notes)
    return replace(_pitched(file.path.stem, parts[0].program, audio, notes), label=file.prompt)
