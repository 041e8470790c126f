"""What teaching brings: ``python benchmarks/teaching.py SONGS NAME=FOLDER/PATTERN … [--steps N] [-m MODEL]``.

Each sound is given as files that hold single notes, such as ``guitar='notes/*.ogg'``. Every second file goes into one
phrase that is taught; phrases of the others are laid over songs (evaluation items, of which vocals, drums and bass
are taken), at -6, 0 and 3 dB in turn. The table compares, on these mixtures, the label ``other`` and the label that a
tuning began at, where the model has them, with the taught one; presence is told for each mixture with the phrase, and
for the song alone.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import torch
from torch import Tensor

import unbraid
from unbraid.audio.files import read_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.evaluation.items import find_items
from unbraid.evaluation.metrics import si_sdr
from unbraid.guides.kinds import Label
from unbraid.models.separator import Separator
from unbraid.teaching import TeachSettings, add_query, teach
from unbraid.teaching.lessons import unit
from unbraid.zoo import load_model

RATE = 44100
LEARNED, ASKED = 8.0, 5.0  # seconds of the phrase that is taught, and of those that are asked for
BALANCES_DB = (-6.0, 0.0, 3.0)
SONG_PARTS = {"vocals", "drums", "bass"}
Question = tuple[Tensor, Tensor]  # phrase and song, [N] each


def read_mono(path: Path) -> Tensor:
    """Return the mean of the channels of a file ``[N]`` at 44.1 kHz."""
    audio = read_audio(path)
    return resample(audio.samples.mean(dim=0, keepdim=True), source_rate=audio.sample_rate, target_rate=RATE)[0]


def play(notes: list[Tensor], seconds: float, seed: int) -> Tensor:
    """Lay notes after each other, at random lengths, levels and distances."""
    chance = random.Random(seed)
    phrase, position = torch.zeros(round(seconds * RATE)), 0
    while position < len(phrase):
        note = chance.choice(notes)[: round(chance.uniform(0.3, 0.9) * RATE)]
        note = note * torch.linspace(10, 0, len(note)).clamp(max=1) * chance.uniform(0.3, 0.9) / note.abs().max()
        stop = min(position + len(note), len(phrase))
        phrase[position:stop] += note[: stop - position]
        position += round(len(note) * chance.uniform(0.5, 1.1))
    return phrase


def read_songs(folder: Path) -> list[Tensor]:
    """Return the vocals, drums and bass of each item together, ``[N]``."""
    songs = []
    for item in (source.read() for source in find_items(folder)):
        parts = [one.samples.mean(dim=0) for one in item.references if one.prompt in SONG_PARTS]
        if len(parts) > 1 and item.sample_rate == RATE:
            songs.append(torch.stack(parts).sum(dim=0)[: round(ASKED * RATE)])
    return songs


def ask(model: Separator, label: str, questions: list[Question]) -> tuple[float, float, float]:
    """Return the gain in SI-SDR in dB, and presence with the phrase and without, means over the questions."""
    gains, present, absent = [], [], []
    for phrase, song in questions:
        answer = unbraid.separate(phrase + song, Label(label), model=model, sample_rate=RATE)
        alone = unbraid.separate(song, Label(label), model=model, sample_rate=RATE)
        drawn = si_sdr(estimate=answer.stems[label].samples, reference=phrase[None])
        gains.append(float(drawn - si_sdr(estimate=(phrase + song)[None], reference=phrase[None])))
        present.append(math.nan if answer.presence[label] is None else answer.presence[label])
        absent.append(math.nan if alone.presence[label] is None else alone.presence[label])
    count = len(questions)
    return sum(gains) / count, sum(present) / count, sum(absent) / count


def main() -> None:
    """Teach, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("songs", type=Path)
    parser.add_argument("sounds", nargs="+")
    parser.add_argument("-m", "--model", default="tuss-small")
    parser.add_argument("--steps", type=int, default=TeachSettings().steps)
    arguments = parser.parse_args()
    songs = read_songs(arguments.songs)
    print(f"{len(songs)} songs, {arguments.model}, {arguments.steps} steps, {torch.get_num_threads()} threads\n")
    print("| sound | label | gain in SI-SDR (dB) | presence, sounding | presence, absent | CPU seconds of teaching |")
    print("|---|---|--:|--:|--:|--:|")
    for sound in arguments.sounds:
        name, _, pattern = sound.partition("=")
        files = sorted(Path(pattern).parent.glob(Path(pattern).name))
        learned, held_out = ([read_mono(path) for path in files[side::2]] for side in (0, 1))
        questions = []
        for index, song in enumerate(songs):
            phrase = unit(play(held_out, len(song) / RATE, 100 + index)) * 10 ** (BALANCES_DB[index % 3] / 20)
            questions.append((0.1 * phrase, 0.1 * unit(song)))
        model = load_model(arguments.model)
        began = time.process_time()
        settings = TeachSettings(steps=arguments.steps)
        query = teach(model, name, Audio(play(learned, LEARNED, 1)[None], RATE), settings=settings)
        seconds = time.process_time() - began
        add_query(model, query)
        start = query.facts.get("start")
        labels = [label for label in ("other", start) if label in model.vocabulary]
        for label in dict.fromkeys([*labels, name]):
            gain, present, absent = ask(model, label, questions)
            cost = f"{seconds:.0f}" if label == name else ""
            title = f"{label} (taught)" if label == name else label + " (start)" * (label == start)
            print(f"| {name} | {title} | {gain:+.2f} | {present:.2f} | {absent:.2f} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
