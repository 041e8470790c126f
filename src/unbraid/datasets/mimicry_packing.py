"""Packs of melodies: windows of stems, and what it sounds like when somebody imitates them.

Rendering mimicry takes longer than training has time for, so that a few imitations of each window are made once.

Axes: N samples.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1: a window of 4.08 s
begins at the onset of a note that is drawn uniformly.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.guided_packs import MIMICRY, Imitation, MelodyEntry, MelodyWindow, read_window, write_melodies
from unbraid.datasets.melody_songs import NotedStem, Song
from unbraid.datasets.mimicry_players import open_players
from unbraid.datasets.multitrack_packing import sounding_spans
from unbraid.datasets.pack import PackWriter, convert
from unbraid.datasets.parallel import run_all
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError, GuideError
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.guides.mimicry_draws import MimicrySettings
from unbraid.guides.notes import Note
from unbraid.guides.render import Player, both_sound, draw_audible

MAX_TRIES = 3  # windows that are looked at for each that is wanted
PLAYED = MimicrySettings()
VOICED = replace(PLAYED, p_voice=1.0)


@dataclass(frozen=True)
class ImitationSettings:
    """How windows of stems are chosen and imitated.

    Args:
        n_samples: length of a window, at 16 kHz.
        n_windows: windows of each stem.
        imitations: how each imitation of a window is drawn.
        quiet_db: windows that are so far below the loudest moment of the stem are not taken.
        seed: another one gives other windows and imitations.
    """

    n_samples: int = 65280
    n_windows: int = 6
    imitations: tuple[MimicrySettings, ...] = (PLAYED, VOICED)
    quiet_db: float = 40.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class StoredStem:
    """A stem as it goes into a pack: at 16 kHz, with its windows and their imitations ``[N]`` one after another."""

    name: str
    label: str
    audio: Audio
    spans: tuple[tuple[int, int], ...]
    group: str = ""
    program: int = -1
    notes: tuple[Note, ...] = ()
    windows: tuple[MelodyWindow, ...] = ()
    mimicry: Samples = field(default_factory=lambda: np.zeros(0, np.float32))


def pack_melodies(
    songs: Sequence[Song],
    path: Path,
    *,
    settings: ImitationSettings | None = None,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """Build a pack of melodies with imitations.

    Args:
        songs: to be made, imitated and stored, in this order.
        path: the pack to make; it must not exist.
        settings: how stems are imitated.
        jobs: number of processes; None takes one per core.
        progress: called with the number of songs done.

    Returns:
        The numbers of stems that can be targets and of their windows.

    Raises:
        DatasetError: if the pack exists, a song cannot be made, or none has a melody.
    """
    settings = settings or ImitationSettings()
    parts = path.with_name(f"{path.name}.parts")
    entries: list[MelodyEntry] = []
    with PackWriter(path, sample_rate=SAMPLE_RATE) as writer:
        parts.mkdir(parents=True, exist_ok=True)
        try:
            items = list(enumerate(songs))
            run_all(partial(_make_part, parts, settings), items, jobs=jobs, progress=progress)
            for number, _ in items:
                for track, stem in _read_part(_part_of(parts, number)):
                    entries.extend(_add(writer, track, stem))
        finally:
            shutil.rmtree(parts)
        if not entries:
            raise DatasetError(f"{path}: no song has a melody that can be imitated: give songs with notes")
    write_melodies(path, entries)
    return len(entries), sum(len(entry.windows) for entry in entries)


def imitate_stem(stem: NotedStem, settings: ImitationSettings, *, players: Sequence[Player], seed: int) -> StoredStem:
    """Return a stem at 16 kHz with windows and imitations; without windows if it is no target or none can be heard.

    Args:
        stem: to be imitated.
        settings: how.
        players: that imitate.
        seed: of the windows and imitations of this stem.
    """
    audio = convert(stem.audio, sample_rate=SAMPLE_RATE, channel=ChannelChoice.FIRST)
    samples = audio.samples[0].numpy()
    stored = StoredStem(stem.name, stem.label, audio, sounding_spans(samples, SAMPLE_RATE))
    if not stem.group or not stem.notes or not stored.spans:
        return stored
    windows: list[MelodyWindow] = []
    imitations: list[Samples] = []
    generator = torch.Generator().manual_seed(seed)
    for start in _starts(samples, stem.notes, settings, generator):
        made = _imitate(stem.notes, start, samples[start : start + settings.n_samples], settings, players, generator)
        if made:
            first = len(imitations) * settings.n_samples
            own = [replace(one, start=first + index * settings.n_samples) for index, (one, _) in enumerate(made)]
            windows.append(MelodyWindow(start, tuple(own)))
            imitations.extend(sound for _, sound in made)
        if len(windows) == settings.n_windows:
            break
    if not windows:
        return stored
    return replace(
        stored,
        group=stem.group,
        program=stem.program,
        notes=stem.notes,
        windows=tuple(windows),
        mimicry=np.concatenate(imitations),
    )


def _starts(
    samples: Samples, notes: Sequence[Note], settings: ImitationSettings, generator: torch.Generator
) -> Iterator[int]:
    """Yield first samples of windows at onsets of notes drawn uniformly, each once, that are loud enough."""
    floor = float(np.abs(samples).max()) * 10 ** (-settings.quiet_db / 20)
    onsets = sorted({round(note.start * SAMPLE_RATE) for note in notes})
    usable = [onset for onset in onsets if onset + settings.n_samples // 2 <= len(samples)]
    order = torch.randperm(len(usable), generator=generator).tolist()
    for index in order[: MAX_TRIES * settings.n_windows]:
        if np.abs(samples[usable[index] : usable[index] + settings.n_samples]).max(initial=0.0) > floor:
            yield usable[index]


def _imitate(
    notes: Sequence[Note],
    start: int,
    target: Samples,
    settings: ImitationSettings,
    players: Sequence[Player],
    generator: torch.Generator,
) -> list[tuple[Imitation, Samples]]:
    """Return the imitations of a window; none if it cannot be trained on."""
    made = []
    for chosen in settings.imitations:
        try:
            draw, sound = draw_audible(
                notes,
                generator,
                start=start / SAMPLE_RATE,
                duration=settings.n_samples / SAMPLE_RATE,
                sample_rate=SAMPLE_RATE,
                players=players,
                settings=chosen,
            )
        except GuideError:  # nobody can play it, or be heard
            return []
        if not both_sound(sound, target / np.float32(np.abs(target).max(initial=0.0) + 1e-10)):
            return []
        made.append((Imitation(0, "instrument" if draw.voice is None else draw.voice.kind, draw.to_json()), sound))
    return made


@cache
def _players() -> tuple[Player, ...]:
    return open_players()


def _part_of(parts: Path, number: int) -> Path:
    return parts / f"{number:06d}.npz"


def _make_part(parts: Path, settings: ImitationSettings, item: tuple[int, Song]) -> None:
    """Make, imitate and store one song: what a process does."""
    torch.set_num_threads(1)
    number, song = item
    track = song.make()
    stems = [
        imitate_stem(
            stem,
            settings,
            players=_players(),
            seed=int(np.random.SeedSequence((settings.seed, number, index)).generate_state(1)[0]),
        )
        for index, stem in enumerate(track.stems)
    ]
    kept = [stem for stem in stems if stem.spans]
    facts = [
        {
            "name": stem.name,
            "label": stem.label,
            "spans": stem.spans,
            "group": stem.group,
            "program": stem.program,
            "notes": [asdict(note) for note in stem.notes],
            "windows": [asdict(window) for window in stem.windows],
        }
        for stem in kept
    ]
    sounds = {f"audio-{index}": stem.audio.samples.numpy() for index, stem in enumerate(kept)}
    sounds |= {f"mimicry-{index}": stem.mimicry for index, stem in enumerate(kept)}
    text = np.frombuffer(json.dumps({"track": track.name, "stems": facts}).encode(), np.uint8)
    np.savez(_part_of(parts, number), facts=text, **sounds)  # type: ignore[arg-type]


def _read_part(path: Path) -> list[tuple[str, StoredStem]]:
    """Read what a process wrote, and remove it."""
    stems = []
    with np.load(path) as file:
        table = json.loads(file["facts"].tobytes())
        for index, facts in enumerate(table["stems"]):
            stem = StoredStem(
                name=facts["name"],
                label=facts["label"],
                audio=Audio.from_array(file[f"audio-{index}"], SAMPLE_RATE),
                spans=tuple((start, stop) for start, stop in facts["spans"]),
                group=facts["group"],
                program=facts["program"],
                notes=tuple(Note(**note) for note in facts["notes"]),
                windows=tuple(read_window(window) for window in facts["windows"]),
                mimicry=file[f"mimicry-{index}"],
            )
            stems.append((table["track"], stem))
    path.unlink()
    return stems


def _add(writer: PackWriter, track: str, stem: StoredStem) -> Iterator[MelodyEntry]:
    """Add a stem and its imitations to a pack, and yield what is to be written of it if it is a target."""
    name = f"{track}/{stem.name}"
    writer.add(name, stem.audio, prompt=stem.label, track=track, spans=stem.spans)
    if stem.windows:
        imitations = f"{name}/{MIMICRY}"
        writer.add(imitations, Audio.from_array(stem.mimicry, SAMPLE_RATE), prompt=MIMICRY, track=track)
        yield MelodyEntry(name, imitations, stem.group, stem.program, stem.notes, stem.windows)
