"""Solos of the openly licensed recordings, and of instruments of a SoundFont: what `Solos` mixes at random."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets import console
from unbraid.datasets.composer import Part, compose, draw_track
from unbraid.datasets.dice import Dice
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.folders import AUDIO_SUFFIXES
from unbraid.datasets.instruments import INSTRUMENTS, Family, Instrument
from unbraid.datasets.midi_songs import MidiPart
from unbraid.datasets.multitrack_packing import Stem, Track, sounding_spans
from unbraid.datasets.pack import convert
from unbraid.datasets.phrases import Note, pitch_of, play_phrase, play_rhythm
from unbraid.datasets.recordings import Rule, Use
from unbraid.datasets.soundfont import Player
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.styles import Role
from unbraid.datasets.synthetic import render_track
from unbraid.datasets.taxonomy import class_of_program
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError

SOLO_SECONDS = 24.0
SHORTEST = 9.0
PHRASES = 3
LEVEL_DB = -22.0
PITCHED = (*range(47), *range(48, 55), *range(56, 96), 104, 105, 106, 107, 108, 109, 110, 111, 114)
DEFAULT_RANGE, BASS_RANGE = (48, 84), (28, 52)
TUNEFUL = (Role.MELODY, Role.CHORDS, Role.ARPEGGIO, Role.LEAD)

RULES = (
    Rule("instr_splendid_piano/*", "piano", Use.CHORDS),
    Rule("instr_gm_bank/001-Acoustic*/*", "piano", Use.CHORDS),
    Rule("instr_gm_bank/002-*/*", "piano", Use.CHORDS),
    Rule("instr_gm_bank/003-*/*", "piano", Use.CHORDS),
    Rule("instr_gm_bank/005-*/*", "keyboards", Use.CHORDS),
    Rule("instr_gm_bank/026-*/*", "acoustic guitar", Use.CHORDS),
    Rule("instr_gm_bank/034-*/*", "bass", Use.MELODY),
    Rule("instr_gm_bank/045-*/*", "strings", Use.CHORDS),
    Rule("instr_gm_bank/046-*/*", "strings", Use.MELODY),
    Rule("instr_gm_bank/105-*/*", "acoustic guitar", Use.MELODY),
    Rule("instr_gm_bank/110-*/*", "bagpipes", Use.MELODY),
    Rule("instr_gm_bank/112-*/*", "woodwinds", Use.MELODY),
    Rule("instr_gm_bank/001-Standard*/*", "drums", Use.RHYTHM),
    Rule("instr_weresax/*", "woodwinds", Use.MELODY),
    Rule("instr_bg_guitars/black_*", "electric guitar", Use.CHORDS),
    Rule("instr_bg_guitars/green_*", "electric guitar", Use.CHORDS),
    Rule("instr_vsco_violin_xylophone/violin_*", "strings", Use.MELODY),
    Rule("instr_vsco_violin_xylophone/xylophone_*", "mallets", Use.CHORDS),
    Rule("instr_tonejs/bass-*", "bass", Use.MELODY),
    Rule("instr_tonejs/guitar-acoustic*", "acoustic guitar", Use.CHORDS),
    Rule("instr_tonejs/guitar-electric*", "electric guitar", Use.CHORDS),
    Rule("instr_body_percussion/*", "percussion", Use.RHYTHM),
    Rule("loops_sonic_pi/tabla_*", "percussion", Use.RHYTHM),
    Rule("loops_sonic_pi/[bdhs][drna][_ut]*", "drums", Use.RHYTHM),
    Rule("loops_sonic_pi/bass_*", "bass", Use.MELODY),
    Rule("singing_*/*", "vocals", Use.WHOLE),
)
"""What each file is, by its path; the files of one rule are one instrument."""


def record_solos(path: Path) -> Iterator[Track]:
    """Read the solo recordings of a folder of folders; single notes and hits are played as phrases and rhythms.

    Raises:
        DatasetError: if there are none.
    """
    files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in AUDIO_SUFFIXES]
    found = False
    for rule in RULES:
        mine = [file for file in files if fnmatchcase(file.relative_to(path).as_posix(), rule.pattern)]
        if not mine:
            continue
        found = True
        name = rule.pattern.strip("*/").replace("*", "").replace("/", "-")
        if rule.use is Use.WHOLE:
            for file in mine:
                yield _solo(f"{name}-{file.stem}", [(rule.prompt, read_audio(file))])
        else:
            yield _solo(name, [(rule.prompt, phrase) for phrase in _phrases(rule, mine)])
    if not found:
        raise DatasetError(f"{path}: none of the known recordings is in it: see RULES for their folders")


def play_solos(seed: int, *, n_each: int, player: Player) -> Iterator[Track]:
    """Play melodies and chords of composed songs on the programs of a SoundFont, the classes equally often.

    Args:
        seed: of everything.
        n_each: solos of each class.
        player: of the SoundFont.
    """
    rng = np.random.default_rng([30, seed])
    programs: dict[str, list[int]] = {}
    for program in PITCHED:
        programs.setdefault(class_of_program(program) or "", []).append(program)
    for label, choices in programs.items():
        for number in range(n_each):
            program = choices[number % len(choices)]
            part = _tune(int(rng.integers(2**31)))
            low, high = _pitches(program)
            notes = tuple(replace(note, pitch=_fold(note.pitch, low, high)) for note in part.notes)
            played = MidiPart(program, False, notes)
            sound = player.play(played.notes, played.instrument, n_samples=round(SOLO_SECONDS * SAMPLE_RATE))
            strip = console.draw_strip(rng, pan=0.0, level_db=LEVEL_DB, dry=label == "bass")
            audio = Audio.from_array(console.mix_part(sound, strip), SAMPLE_RATE)
            yield _solo(f"program-{program}-{number}", [(label, audio)])


def sing_solos(seed: int, *, n_each: int) -> Iterator[Track]:
    """Sing and drum parts of composed songs, alone."""
    rng = np.random.default_rng([31, seed])
    for label, role in (("vocals", Role.LEAD), ("drums", Role.DRUMS)):
        number = 0
        while number < n_each:
            draw = draw_track(int(rng.integers(2**31)), duration=SOLO_SECONDS)
            parts = [part for part in draw.parts if part.role is role]
            alone = render_track(replace(draw, parts=tuple(parts)))
            for stem in alone.stems.values():
                yield _solo(f"{label}-{number}", [(label, Audio.from_array(stem.samples, SAMPLE_RATE))])
                number += 1


def _tune(seed: int) -> Part:
    """Return a part of a composed song that has a tune or chords."""
    rng = np.random.default_rng(seed)
    while True:
        parts = compose(draw_track(int(rng.integers(2**31)), duration=SOLO_SECONDS))
        tuneful = [part for part in parts if part.draw.role in TUNEFUL and len(part.notes) > 8]
        if tuneful:
            return tuneful[int(rng.integers(len(tuneful)))]


def _pitches(program: int) -> tuple[int, int]:
    known: list[Instrument] = [one for one in INSTRUMENTS.values() if one.program == program]
    pitched = [one for one in known if one.family not in (Family.DRUMS, Family.VOICE)]
    if pitched:
        return pitched[0].low, pitched[0].high
    return BASS_RANGE if class_of_program(program) == "bass" else DEFAULT_RANGE


def _fold(pitch: int, low: int, high: int) -> int:
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch


def _phrases(rule: Rule, files: list[Path]) -> Iterator[Audio]:
    notes = []
    for file in files:
        stored = convert(read_audio(file), sample_rate=SAMPLE_RATE, channel=ChannelChoice.MID)
        notes.append(Note(stored.samples[0].numpy(), pitch_of(file.stem)))
    dice = Dice(torch.Generator().manual_seed(zlib.crc32(rule.pattern.encode())))
    for _ in range(PHRASES):
        if rule.use is Use.RHYTHM:
            samples = play_rhythm(notes, dice=dice, sample_rate=SAMPLE_RATE, seconds=SOLO_SECONDS)
        else:
            chords = rule.use is Use.CHORDS
            samples = play_phrase(notes, dice=dice, sample_rate=SAMPLE_RATE, seconds=SOLO_SECONDS, chords=chords)
        yield Audio.from_array(samples, SAMPLE_RATE)


def _solo(name: str, sounds: list[tuple[str, Audio]]) -> Track:
    """Return a track of recordings of one instrument that are long enough, all at one level where they sound."""
    stems = []
    for number, (label, audio) in enumerate(sounds):
        mono = audio.samples.mean(dim=0).numpy()
        spans = sounding_spans(mono, audio.sample_rate)
        if spans and len(mono) >= SHORTEST * audio.sample_rate:
            gain = _gain(mono, spans)
            stems.append(Stem(str(number), label, Audio.from_array(mono * gain, audio.sample_rate)))
    return name, stems


def _gain(samples: Samples, spans: tuple[tuple[int, int], ...]) -> np.float32:
    sounding = np.concatenate([samples[start:stop] for start, stop in spans])
    rms = float(np.sqrt(np.mean(np.square(sounding, dtype=np.float64))))
    return np.float32(10 ** (LEVEL_DB / 20) / rms)
