"""How a simulated mimicry differs from the melody that it imitates, drawn first and applied second.

Source: the GuideSep paper (ISMIR 2025), section 3, and its published training configuration; where the two differ
there is an option. Differences from both: an instrument is taken at once from those that can play the melody, and
a bend that is in force when a note begins is in force for the whole note. Voices are an addition of this project.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from unbraid.errors import GuideError, SettingsError
from unbraid.guides.notes import Note
from unbraid.guides.voice_draws import SungNote, VoiceDraw, VoiceSettings, draw_voice

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True)
class MimicrySettings:
    """How mimicry is drawn; the defaults are the published ones.

    Args:
        p_bend: probability that a note is bent.
        max_bend: by how much at most, in semitones, up or down.
        bends_last: whether a bend holds for the following notes until the next one, as a pitch wheel does
            (published); otherwise every note that is not drawn is in tune.
        p_shift: probability that onset and offset of a note are moved.
        max_shift: by how much at most, in seconds, earlier or later, each on its own.
        shift_following: whether all notes after a moved onset move with it (paper); otherwise only those of them
            that are drawn themselves (published code).
        p_velocity: probability that the velocity of a note is changed (published code; not in the paper).
        max_velocity: by how much at most.
        p_octave: probability that the whole melody may move by an octave.
        octaves: by how many octaves then, each as likely as the others.
        monophony: keep one note of those that begin together, the highest.
        strict: also let go of a note when the next one begins (what the paper says and its code does not do).
        p_voice: probability that the melody is hummed, sung or whistled instead of played; published as 0.
        voice: how voices are drawn.

    Raises:
        SettingsError: if a probability is not in 0..1, or a range is negative or empty.
    """

    p_bend: float = 0.5
    max_bend: float = 0.4
    bends_last: bool = True
    p_shift: float = 0.4
    max_shift: float = 0.03
    shift_following: bool = True
    p_velocity: float = 0.3
    max_velocity: int = 5
    p_octave: float = 0.5
    octaves: tuple[int, ...] = (-1, 0, 1)
    monophony: bool = True
    strict: bool = False
    p_voice: float = 0.0
    voice: VoiceSettings = field(default_factory=VoiceSettings)

    def __post_init__(self) -> None:
        for name in ("p_bend", "p_shift", "p_velocity", "p_octave", "p_voice"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"mimicry: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        for name in ("max_bend", "max_shift", "max_velocity"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"mimicry: {name} is {getattr(self, name)}: give 0 or more")
        if not self.octaves:
            raise SettingsError("mimicry: octaves is empty: give (0,) for no shift")


@dataclass(frozen=True)
class NoteDraw:
    """How one note differs: bend in semitones, moves of onset and offset in seconds, change of velocity.

    What earlier notes bring with them (a bend in force, a melody that has moved) is counted in.
    """

    bend: float
    onset: float
    offset: float
    velocity: int


@dataclass(frozen=True)
class MimicryDraw:
    """All random numbers of one mimicry.

    ``notes`` has one entry for every note of ``crop_notes`` with the same ``monophony`` and is empty where ``voice``
    is given; ``octave`` counts octaves; ``instrument`` is an index into the instruments of the players and
    ``variant`` a seed for what an instrument leaves open.
    """

    notes: tuple[NoteDraw, ...]
    octave: int
    instrument: int
    variant: int
    monophony: bool
    strict: bool
    voice: VoiceDraw | None
    seed: int

    def to_json(self) -> str:
        """Return the draw as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MimicryDraw:
        """Read what ``to_json`` wrote.

        Raises:
            GuideError: if the text is something else.
        """
        try:
            plain = json.loads(text)
            voice = plain["voice"]
            if voice is not None:
                voice = VoiceDraw(**{**voice, "notes": tuple(SungNote(**note) for note in voice["notes"])})
            return cls(**{**plain, "notes": tuple(NoteDraw(**note) for note in plain["notes"]), "voice": voice})
        except (ValueError, TypeError, KeyError) as error:
            raise GuideError(f"this is not the draw of a mimicry ({error}): give what to_json wrote") from error


@dataclass(frozen=True)
class BentNote(Note):
    """A note that is played ``bend`` semitones above its pitch.

    Example:
        >>> round(BentNote(0.0, 1.0, 69, 100, bend=0.4).hertz, 1)
        450.3
    """

    bend: float = 0.0

    @property
    def hertz(self) -> float:
        """Frequency of the bent pitch, with A4 = 440 Hz."""
        return float(440.0 * 2.0 ** ((self.pitch + self.bend - 69) / 12))


def crop_notes(notes: Sequence[Note], *, start: float, duration: float, monophony: bool = True) -> list[Note]:
    """Return the part of a score that lies in a window, counted from its start.

    Args:
        notes: in any order, in seconds.
        start: of the window, in seconds.
        duration: of the window, in seconds.
        monophony: of notes that begin together keep the highest. A held note may still sound on under a later one.

    Returns:
        Notes by onset, the highest first; those that reach over an edge are clipped to it.

    Example:
        >>> chord = [Note(0.5, 1.0, 60, 90), Note(0.5, 1.0, 67, 90)]
        >>> crop_notes(chord, start=1.0, duration=4.0)
        [Note(start=0.0, duration=0.5, pitch=67, velocity=90)]
    """
    inside = []
    for note in notes:
        first, last = max(note.start - start, 0.0), min(note.stop - start, duration)
        if last > first:
            inside.append(Note(first, last - first, note.pitch, note.velocity))
    inside.sort(key=lambda note: (note.start, -note.pitch))
    if not monophony:
        return inside
    return [note for index, note in enumerate(inside) if index == 0 or note.start != inside[index - 1].start]


def draw_mimicry(
    notes: Sequence[Note],
    generator: Generator,
    *,
    start: float,
    duration: float,
    ranges: Sequence[tuple[int, int]],
    settings: MimicrySettings | None = None,
) -> MimicryDraw:
    """Draw how the notes of a window shall be imitated.

    Args:
        notes: of the stem, in any order.
        generator: a CPU generator; one number is taken from it.
        start: of the window, in seconds.
        duration: of the window, in seconds.
        ranges: lowest and highest pitch of every instrument that may play: ``playable_ranges(players)``.
        settings: how to draw; None takes the published way.

    Raises:
        GuideError: if no note lies in the window, or no instrument can play them all.

    Example:
        >>> import torch
        >>> melody = [Note(0.0, 0.5, 60, 90), Note(0.5, 0.5, 62, 90)]
        >>> drawn = draw_mimicry(melody, torch.Generator().manual_seed(0), start=0, duration=4, ranges=[(0, 127)])
        >>> len(drawn.notes), MimicryDraw.from_json(drawn.to_json()) == drawn
        (2, True)
    """
    from torch import randint  # processes that only render start without torch

    settings = settings or MimicrySettings()
    seed = int(randint(2**53, (), generator=generator))  # a number that every reader of JSON keeps
    rng = np.random.default_rng(seed)
    melody = crop_notes(notes, start=start, duration=duration, monophony=settings.monophony)
    if not melody:
        raise GuideError(f"no note sounds from {start:.2f} s for {duration:.2f} s: draw another window")
    drawn = MimicryDraw(
        notes=(),
        octave=0,
        instrument=_draw_instrument(rng, melody, ranges),
        variant=int(rng.integers(2**31)),
        monophony=settings.monophony,
        strict=settings.strict,
        voice=None,
        seed=seed,
    )
    if rng.random() < settings.p_voice:
        return replace(drawn, voice=draw_voice(melody, rng, settings=settings.voice))
    octave = int(rng.choice(settings.octaves)) if rng.random() < settings.p_octave else 0
    return replace(drawn, notes=_draw_notes(rng, len(melody), settings), octave=octave)


def perturb(notes: Sequence[Note], draw: MimicryDraw, *, start: float, duration: float) -> list[BentNote]:
    """Return what shall be played: the notes of a window, changed as drawn.

    Onsets are clipped at 0, pitches and velocities to what MIDI knows; a move that would turn a note round is
    skipped. Nothing is random here.

    Args:
        notes: those that were drawn for.
        draw: of `draw_mimicry`.
        start: of the window, in seconds, as drawn for.
        duration: of the window, in seconds, as drawn for.

    Returns:
        Notes by onset, counted from the start of the window.

    Raises:
        GuideError: if the draw was made for another number of notes, or for a voice.
    """
    melody = crop_notes(notes, start=start, duration=duration, monophony=draw.monophony)
    if draw.voice is not None or len(melody) != len(draw.notes):
        made = "a voice" if draw.voice is not None else f"{len(draw.notes)} notes"
        raise GuideError(f"the draw was made for {made}, and {len(melody)} notes are to be played: draw again")
    changed = []
    for note, drawn in zip(melody, draw.notes, strict=True):
        first, last = max(note.start + drawn.onset, 0.0), note.stop + drawn.offset
        if last <= first:
            first, last = note.start, note.stop
        pitch = min(max(note.pitch + 12 * draw.octave, 0), 127)
        velocity = min(max(note.velocity + drawn.velocity, 1), 127)
        changed.append(BentNote(first, last - first, pitch, velocity, drawn.bend))
    changed.sort(key=lambda note: note.start)
    return let_go(changed) if draw.strict else changed


def let_go(notes: Sequence[BentNote]) -> list[BentNote]:
    """Shorten every note to the onset of the next one; notes that nothing is left of are dropped.

    Example:
        >>> held = [BentNote(0.0, 2.0, 60, 90), BentNote(0.5, 1.0, 62, 90)]
        >>> [note.stop for note in let_go(held)]
        [0.5, 1.5]
    """
    ends = [note.start for note in notes[1:]] + [float("inf")]
    cut = [replace(note, duration=min(note.stop, end) - note.start) for note, end in zip(notes, ends, strict=True)]
    return [note for note in cut if note.duration > 0]


def _draw_instrument(rng: np.random.Generator, melody: Sequence[Note], ranges: Sequence[tuple[int, int]]) -> int:
    """Return an instrument whose range covers the melody as it is written; drawing until one fits comes to the same."""
    low, high = min(note.pitch for note in melody), max(note.pitch for note in melody)
    able = [index for index, (lowest, highest) in enumerate(ranges) if lowest <= low and high <= highest]
    if not able:
        raise GuideError(f"none of {len(ranges)} instruments plays from pitch {low} to {high}: give one of wider range")
    return able[int(rng.integers(len(able)))]


def _draw_notes(rng: np.random.Generator, n_notes: int, settings: MimicrySettings) -> tuple[NoteDraw, ...]:
    drawn = []
    bend, moved = 0.0, 0.0
    for chances in rng.random((n_notes, 7)).tolist():
        if chances[0] < settings.p_bend:
            bend = settings.max_bend * (2 * chances[1] - 1)
        elif not settings.bends_last:
            bend = 0.0
        onset = offset = moved if settings.shift_following else 0.0
        if chances[2] < settings.p_shift:
            change = settings.max_shift * (2 * chances[3] - 1)
            onset, offset = moved + change, moved + settings.max_shift * (2 * chances[4] - 1)
            moved += change
        velocity = 0
        if chances[5] < settings.p_velocity:
            velocity = int(chances[6] * (2 * settings.max_velocity + 1)) - settings.max_velocity
        drawn.append(NoteDraw(bend, onset, offset, velocity))
    return tuple(drawn)
