"""The openly licensed recordings that tuss-small is trained on: what each file is, by its path.

The recordings come from public repositories (one folder per source, each with its licence and attribution).
Songs, speakers and sounds of single files stay as they are; single notes and hits are played as phrases and
rhythms.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

import torch

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets.dice import Dice
from unbraid.datasets.folders import AUDIO_SUFFIXES, StemFile
from unbraid.datasets.pack import PackWriter, convert
from unbraid.datasets.packing import PackReport, PackSettings, add_song
from unbraid.datasets.phrases import Note, pitch_of, play_phrase, play_rhythm
from unbraid.errors import DatasetError

PHRASE_SECONDS = 12.0
NOTES_PER_PHRASE = 3
TRAIN_ONLY = ("multitrack", "singing_", "mixed_sms_tools")


class Use(Enum):
    """How a file is used."""

    WHOLE = "as it is"
    MELODY = "single notes, played one after another"
    CHORDS = "single notes, played one or several at a time"
    RHYTHM = "single hits, played in patterns"
    LEFT_OUT = "not at all"


@dataclass(frozen=True)
class Rule:
    """What the files are whose path fits a pattern; the first rule that fits counts."""

    pattern: str
    prompt: str
    use: Use = Use.WHOLE


def _rules(prompt: str, patterns: str, use: Use = Use.WHOLE) -> tuple[Rule, ...]:
    return tuple(Rule(pattern, prompt, use) for pattern in patterns.split())


RULES = (
    *_rules("vocals", "multitrack/*/vocals.* singing_vocadito/* mixed_sms_tools/vignesh.* mixed_sms_tools/soprano-*"),
    *_rules("drums", "multitrack/*/drums.* multitrack_kira/drums.* mixed_sms_tools/bendir.*"),
    *_rules("drums", "mixed_sms_tools/mridangam.*"),
    *_rules("bass", "multitrack/*/bass.* multitrack_kira/bass.*"),
    *_rules("other", "multitrack/*/other.* multitrack_kira/*"),
    *_rules("speech", "speech_*/* mixed_sms_tools/speech-*"),
    # Effects: voices of people are left out, what goes on and on is an ambience.
    *_rules("sfx", "sfx_mod_sounds/laugh_* sfx_mod_sounds/vomit_* sfx_mod_sounds/piano.*", Use.LEFT_OUT),
    *_rules("sfx", "sfx_mod_sounds/undead_* sfx_mod_sounds/zombie_* sfx_openrct2/scream_*", Use.LEFT_OUT),
    *_rules("sfx-mix", "sfx_mod_sounds/rain_* sfx_mod_sounds/wind.* sfx_mod_sounds/*_ambience.* sfx_openrct2/rain.*"),
    *_rules("sfx-mix", "sfx_mod_sounds/fire_crackle.* sfx_mod_sounds/cicada_0[1458].* sfx_mod_sounds/cricket.*"),
    *_rules("sfx-mix", "sfx_mod_sounds/*_idle.* sfx_mod_sounds/airplane_prop.* sfx_mod_sounds/compressor_motor_*"),
    *_rules("sfx-mix", "sfx_mod_sounds/bees.* sfx_mod_sounds/car_motor.* sfx_mod_sounds/helicopter.*"),
    *_rules("sfx-mix", "sfx_openrct2/crowd.* sfx_openrct2/*_lift_* sfx_openrct2/*_roar_* sfx_blanket/*"),
    *_rules("sfx-mix", "mixed_sms_tools/ocean.* mixed_sms_tools/rain.* loops_sonic_pi/vinyl_hiss.*"),
    *_rules("sfx-mix", "loops_sonic_pi/loop_3d_printer.*"),
    *_rules("sfx", "sfx_*/* loops_sonic_pi/vinyl_* loops_sonic_pi/misc_crow.* loops_sonic_pi/perc_door.*"),
    *_rules("sfx", "loops_sonic_pi/misc_cineboom.* loops_sonic_pi/perc_sw*"),
    *_rules("music-mix", "mixed_sms_tools/orchestra.*"),
    *_rules("other", "mixed_sms_tools/carnatic.*", Use.LEFT_OUT),
    *_rules("other", "mixed_sms_tools/*"),
    # Loops and hits.
    *_rules("drums", "loops_sonic_pi/arovane_beat_* loops_sonic_pi/loop_breakbeat.* loops_sonic_pi/loop_perc*"),
    *_rules("drums", "loops_sonic_pi/loop_compus.* loops_sonic_pi/loop_tabla.* loops_sonic_pi/loop_safari.*"),
    *_rules("drums", "loops_sonic_pi/loop_mika.* loops_sonic_pi/loop_industrial.* loops_sonic_pi/drum_roll.*"),
    *_rules("other", "loops_sonic_pi/guit_* loops_sonic_pi/ambi_piano.* loops_sonic_pi/loop_drone_*"),
    *_rules(
        "drums", "loops_sonic_pi/bd_* loops_sonic_pi/drum_* loops_sonic_pi/hat_* loops_sonic_pi/ride_*", Use.RHYTHM
    ),
    *_rules("drums", "loops_sonic_pi/sn_* loops_sonic_pi/elec_*_snare.* loops_sonic_pi/elec_*_kick.*", Use.RHYTHM),
    *_rules("drums", "loops_sonic_pi/perc_snap* loops_sonic_pi/elec_cymbal.* loops_sonic_pi/elec_fuzz_*", Use.RHYTHM),
    *_rules("drums", "loops_sonic_pi/tabla_*", Use.RHYTHM),
    *_rules("bass", "loops_sonic_pi/bass_*", Use.MELODY),
    *_rules("other", "loops_sonic_pi/*", Use.LEFT_OUT),
    # Notes of instruments.
    *_rules("drums", "instr_body_percussion/* instr_gm_bank/001-Standard_Kit/*", Use.RHYTHM),
    *_rules("bass", "instr_gm_bank/034-* instr_tonejs/bass-*", Use.MELODY),
    *_rules("other", "instr_weresax/* instr_gm_bank/110-* instr_gm_bank/112-*", Use.MELODY),
    *_rules("other", "instr_vsco_violin_xylophone/violin_*", Use.MELODY),
    *_rules("other", "instr_*/*", Use.CHORDS),
)


@dataclass(frozen=True)
class Recording:
    """A file, its rule, and the instrument or song that it belongs to."""

    path: Path
    relative: str
    rule: Rule
    group: str


def find_recordings(path: Path) -> list[Recording]:
    """Find the recordings that are used, in the order of their groups.

    Raises:
        DatasetError: if there are none.
    """
    found = []
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path).as_posix()
        rule = next((rule for rule in RULES if fnmatchcase(relative, rule.pattern)), None)
        if file.suffix.lower() in AUDIO_SUFFIXES and rule is not None and rule.use is not Use.LEFT_OUT:
            found.append(Recording(file, relative, rule, _group(relative, rule)))
    if not found:
        raise DatasetError(f"{path}: none of the known recordings is in it: see RULES for their folders")
    return sorted(found, key=lambda recording: (recording.group, recording.relative))


def _group(relative: str, rule: Rule) -> str:
    """Return what belongs together: a song, a speaker, the takes of one sound, the notes of an instrument."""
    folder, _, name = relative.rpartition("/")
    if folder.startswith("multitrack"):
        return folder
    stem = name.rpartition(".")[0]
    if rule.use is Use.WHOLE:
        return f"{folder}/{re.split(r'-' if rule.prompt == 'speech' else r'[_.]?[0-9]', stem)[0]}"
    if folder == "loops_sonic_pi" and rule.use is Use.RHYTHM:
        return f"{folder}/{'tabla' if stem.startswith('tabla') else 'kit'}"
    if folder in ("instr_tonejs", "instr_vsco_violin_xylophone", "instr_bg_guitars", "loops_sonic_pi"):
        return f"{folder}/{stem.split('_')[0]}"
    return folder


def pack_recordings(
    path: Path,
    pack: Path,
    *,
    settings: PackSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> PackReport:
    """Build a pack of the recordings; the same files give the same pack.

    Args:
        path: the folder of folders.
        pack: the pack to make; it must not exist.
        settings: how; without a sample rate, phrases have 44.1 kHz. The few songs and singers are kept in
            training in any case.
        progress: called with the fraction done.

    Raises:
        DatasetError: if the pack exists or there are no recordings.
    """
    given = settings or PackSettings()
    chosen = replace(given, train_only=given.train_only + TRAIN_ONLY)
    recordings = find_recordings(path)
    silent: list[str] = []
    n_done = n_sources = 0
    with PackWriter(pack, sample_rate=chosen.sample_rate, channel=chosen.channel) as writer:
        for (group, use), members in groupby(recordings, key=lambda member: (member.group, member.rule.use)):
            files = list(members)
            song = list(_whole(files) if use is Use.WHOLE else _phrases(group, files, chosen))
            layered = replace(chosen, music_mixes=chosen.music_mixes and group.startswith("multitrack"))
            left_out = add_song(writer, song, settings=layered)
            silent.extend(left_out)
            n_sources += len(song) - len(left_out)
            n_done += len(files)
            if progress is not None:
                progress(n_done / len(recordings))
    return PackReport(n_sources, tuple(silent))


def _whole(files: list[Recording]) -> Iterator[tuple[StemFile, Audio]]:
    for file in files:
        name = file.relative.rpartition(".")[0]
        yield StemFile(file.path, name, file.rule.prompt, file.group), read_audio(file.path)


def _phrases(group: str, files: list[Recording], settings: PackSettings) -> Iterator[tuple[StemFile, Audio]]:
    """Play the notes of one instrument: a phrase for every three notes, six at least."""
    rate = settings.sample_rate or 44100
    notes = []
    for file in files:
        stored = convert(read_audio(file.path), sample_rate=rate, channel=settings.channel)
        notes.append(Note(stored.samples[0].numpy(), pitch_of(file.path.stem)))
    rule = files[0].rule
    dice = Dice(torch.Generator().manual_seed(zlib.crc32(group.encode())))
    for number in range(max(6, len(notes) // NOTES_PER_PHRASE)):
        if rule.use is Use.RHYTHM:
            samples = play_rhythm(notes, dice=dice, sample_rate=rate, seconds=PHRASE_SECONDS)
        else:
            samples = play_phrase(
                notes, dice=dice, sample_rate=rate, seconds=PHRASE_SECONDS, chords=rule.use is Use.CHORDS
            )
        stem = StemFile(files[0].path.parent, f"{group}/phrase-{number}", rule.prompt, group)
        yield stem, Audio.from_array(samples, rate)
