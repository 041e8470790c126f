"""How well mimicry is placed: ``python benchmarks/alignment.py [--hums FOLDER] [--songs FOLDER] [--count N]``.

HUMS holds folders of ``mixture.flac`` and ``hum.flac`` or ``mimic.flac`` that begin together: all mixtures follow each
other in one, in which each hum is looked for. SONGS holds MIDI files: 42 s of each are played by a SoundFont, and 8 s
of one part, played by the synthesizer of scores, are looked for. A place is right if the part plays the same notes
there; "wrong" are places that are taken for clear and are more than 100 ms off. Under "cut out", the place is missing
from the mixture, and each one that is taken for clear is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from unbraid.audio.files import read_audio
from unbraid.audio.resample import resample
from unbraid.datasets.midi_songs import MidiPart, read_midi
from unbraid.datasets.soundfont import Player, open_player
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.errors import DatasetError
from unbraid.evaluation.records import provenance
from unbraid.guides.melody import Alignment, Melody, align, melody_of
from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones

RATE = 16000
LENGTH, LOOKED_FOR = 42.0, 8.0  # seconds of a song, and of what is looked for in it
SAME_NOTES, SAME_TIME = 0.85, 0.05  # a repeat has so many of the notes, to so many seconds


@dataclass(frozen=True)
class Variant:
    """How the mimicry differs from the part."""

    name: str
    semitones: int = 0
    cents: float = 0.0
    stretch: float = 1.0
    loose: float = 0.0


VARIANTS = (
    Variant("as played"),
    Variant("30 cents flat", cents=-30),
    Variant("50 cents flat", cents=-50),
    Variant("an octave higher", semitones=12),
    Variant("an octave lower", semitones=-12),
    Variant("3 % slower", stretch=1.03),
    Variant("notes off by 40 ms", loose=0.04),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one search: the error in seconds (None: there was no right place), and whether it is clear."""

    error: float | None
    is_clear: bool


def read_mono(path: Path) -> Tensor:
    """Return the mean of the channels ``[1, N]`` at 16 kHz."""
    audio = read_audio(path)
    return resample(audio.samples.mean(dim=0, keepdim=True), source_rate=audio.sample_rate, target_rate=RATE)


def search_hums(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Look for each hum in all mixtures together, and in all but its own."""
    items = sorted(path.parent for path in folder.glob("*/mixture.flac"))
    mixtures = [read_mono(item / "mixture.flac") for item in items]
    song = melody_of(mixtures, RATE)
    start = 0.0
    for index, item in enumerate(items):
        name = "hum" if (item / "hum.flac").exists() else "mimic"
        hum = melody_of([read_mono(item / f"{name}.flac")], RATE)
        title = "hummed by people" if name == "hum" else "played on another instrument"
        yield title, judge(align(hum, song), [start])
        others = melody_of(mixtures[:index] + mixtures[index + 1 :], RATE)
        yield f"{title}, cut out", judge(align(hum, others), [])
        start += mixtures[index].shape[1] / RATE


def judge(found: Alignment | None, right: Sequence[float], *, late: float = 0.0) -> Outcome:
    """Measure the distance to the nearest right place; ``late`` is how much later the middle of the mimicry is."""
    if found is None:
        return Outcome(None, False)
    error = min((abs(found.offset + late - place) for place in right), default=None)
    return Outcome(error, found.is_clear)


def search_songs(folder: Path, count: int) -> Iterator[tuple[str, Outcome]]:
    """Look for a part of each song in it, in all variants, and in what is left of it without that place."""
    player = open_player()
    if player is None:
        raise DatasetError("playing songs needs a SoundFont: apt install fluid-soundfont-gm, and tinysoundfont")
    n_done = 0
    for path in sorted(folder.glob("*.mid")):
        drawn = draw_part(path)
        if drawn is None:
            continue
        parts, part, start = drawn
        mixture = play(parts, player)
        song = melody_of([mixture], RATE)
        notes = [note for note in part.notes if start <= note.start < start + LOOKED_FOR]
        right = repeats(part.notes, notes, start)
        for variant in VARIANTS:
            mimicry, late = vary(notes, start, variant)
            yield variant.name, judge(align(mimicry, song), right, late=late)
        if len(right) == 1:
            first, last = (round(second * RATE) for second in (start, start + LOOKED_FOR))
            rest = melody_of([mixture[:, :first], mixture[:, last:]], RATE)
            yield "as played, cut out", judge(align(vary(notes, start, VARIANTS[0])[0], rest), [])
        n_done += 1
        if n_done == count:
            return


def draw_part(path: Path) -> tuple[list[MidiPart], MidiPart, float] | None:
    """Choose 42 s of a song, and in it 8 s of a part that has eight notes there, of three pitches or more."""
    chance = random.Random(path.name)
    parts = read_midi(path)
    length = max((note.stop for part in parts for note in part.notes), default=0.0)
    if length < LENGTH:
        return None
    begin = chance.uniform(0, length - LENGTH)
    parts = tuple(part.cut(begin, begin + LENGTH) for part in parts)
    pitched = [part for part in parts if not part.is_drum and part.notes]
    for _ in range(50 if len(pitched) > 1 else 0):
        part, start = chance.choice(pitched), chance.uniform(2, LENGTH - LOOKED_FOR - 2)
        pitches = [note.pitch for note in part.notes if start <= note.start < start + LOOKED_FOR]
        if len(pitches) >= 8 and len(set(pitches)) >= 3:
            return [one for one in parts if one.notes], part, start
    return None


def play(parts: Sequence[MidiPart], player: Player) -> Tensor:
    """Play all parts together, ``[1, N]`` at 16 kHz."""
    n_samples = round(LENGTH * SAMPLE_RATE)
    together = sum(player.play(part.notes, part.instrument, n_samples=n_samples).mean(axis=0) for part in parts)
    return resample(torch.as_tensor(together)[None], source_rate=SAMPLE_RATE, target_rate=RATE)


def repeats(all_notes: Sequence[Note], notes: Sequence[Note], start: float) -> list[float]:
    """Return the places where the part plays the same notes, the one that they were taken from among them."""
    known: dict[int, list[float]] = {}
    for note in all_notes:
        known.setdefault(note.pitch, []).append(note.start)
    places = [start]
    for first in all_notes:
        shift = first.start - notes[0].start
        hits = sum(any(abs(at - note.start - shift) < SAME_TIME for at in known[note.pitch]) for note in notes)
        if hits >= SAME_NOTES * len(notes) and all(abs(start + shift - place) > SAME_TIME for place in places):
            places.append(start + shift)
    return places


def vary(notes: Sequence[Note], start: float, variant: Variant) -> tuple[Melody, float]:
    """Play the notes from their start on, differently; return them and how much later their middle is."""
    chance = random.Random(1)
    changed = [
        Note(
            max(0.0, (note.start - start) * variant.stretch + chance.gauss(0, variant.loose)),
            note.duration * variant.stretch,
            note.pitch + variant.semitones,
            note.velocity,
        )
        for note in notes
    ]
    bent = 2 ** (variant.cents / 1200)  # played at another rate: the times are made up for
    timed = [Note(note.start * bent, note.duration * bent, note.pitch, note.velocity) for note in changed]
    samples = render_tones(timed, sample_rate=RATE)
    heard = melody_of([samples[None]], round(RATE * bent))
    return heard, (variant.stretch - 1) * heard.duration / 2


def table(outcomes: Sequence[tuple[str, Outcome]]) -> str:
    """Count the outcomes of each kind, as a Markdown table."""
    lines = [
        "| mimicry | searches | within 50 ms | within 100 ms | median error of those within 300 ms (ms) | clear "
        "| clear and within 100 ms | wrong |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(name for name, _ in outcomes):
        own = [outcome for other, outcome in outcomes if other == name]
        errors = [outcome.error for outcome in own if outcome.error is not None]
        within = {limit: sum(error <= limit for error in errors) for limit in (0.05, 0.1)}
        median = statistics.median([error for error in errors if error < 0.3] or [float("nan")])
        clear = [outcome for outcome in own if outcome.is_clear]
        right = sum(outcome.error is not None and outcome.error <= 0.1 for outcome in clear)
        lines.append(
            f"| {name} | {len(own)} | {within[0.05]} | {within[0.1]} | {1000 * median:.0f} | {len(clear)} "
            f"| {right} | {len(clear) - right} |"
        )
    return "\n".join([*lines, "", f"- made by: `{json.dumps(provenance(), sort_keys=True)}`"])


def main() -> None:
    """Search, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hums", type=Path, help="folder of evaluation items with hums")
    parser.add_argument("--songs", type=Path, help="folder of MIDI files")
    parser.add_argument("--count", type=int, default=20, help="at most so many songs")
    arguments = parser.parse_args()
    outcomes: list[tuple[str, Outcome]] = []
    if arguments.hums is not None:
        outcomes += search_hums(arguments.hums)
    if arguments.songs is not None:
        outcomes += search_songs(arguments.songs, arguments.count)
    print(table(outcomes))


if __name__ == "__main__":
    main()
