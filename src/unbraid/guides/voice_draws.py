"""What a voice makes of a melody, drawn before anything sounds: who imitates, how well, and through what microphone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.errors import SettingsError
from unbraid.guides.notes import Note

KINDS = ("hum", "vowel", "whistle")
"""With a closed mouth, on vowels, through the lips."""

_VOWEL_SHARES = (0.28, 0.08, 0.12, 0.1, 0.1, 0.2, 0.12)  # ah ee oo eh aw uh oh: mostly "na" and "da"
N_VOWELS = len(_VOWEL_SHARES)

# middle of the comfortable range in MIDI pitch, spread of it, size of the formants
_SINGERS = ((52.0, 3.0, 1.0), (61.0, 3.0, 1.16), (67.0, 2.5, 1.3))
_WHISTLER = (84.0, 3.0, 1.0)
_REACH = 14  # semitones from the middle that a voice goes to before it takes another octave


@dataclass(frozen=True)
class VoiceSettings:
    """How voices are drawn.

    Args:
        kinds: weights of humming, of vowels and of whistling.
        singers: weights of low, high and children's voices (who whistles has one range).
        max_detune: how far the whole melody is from its pitch at most, in cents.
        note_detune: spread of single notes around that, in cents.
        max_late: how late a note comes at most, in seconds.
        max_stretch: how far the tempo is from the true one at most, as a ratio.
        p_missing: probability that a note is left out (never the first).
        p_jump: probability that a note of a phrase is sung an octave off, for the rest of it.
        p_off_key: probability that the whole melody is up to four semitones off.
        p_scoop: probability that a note is reached from below.

    Raises:
        SettingsError: if a weight or a range is negative, or a probability is not in 0..1.
    """

    kinds: tuple[float, float, float] = (0.38, 0.5, 0.12)
    singers: tuple[float, float, float] = (0.5, 0.38, 0.12)
    max_detune: float = 50.0
    note_detune: float = 18.0
    max_late: float = 0.15
    max_stretch: float = 0.02
    p_missing: float = 0.03
    p_jump: float = 0.01
    p_off_key: float = 0.05
    p_scoop: float = 0.35

    def __post_init__(self) -> None:
        for name in ("p_missing", "p_jump", "p_off_key", "p_scoop"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"voices: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        for name in ("max_detune", "note_detune", "max_late", "max_stretch"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"voices: {name} is {getattr(self, name)}: give 0 or more")
        for name in ("kinds", "singers"):
            weights = getattr(self, name)
            if min(weights) < 0 or sum(weights) <= 0:
                raise SettingsError(f"voices: {name} is {weights}: give three weights of 0 or more, not all 0")


@dataclass(frozen=True)
class SungNote:
    """How one note is sung.

    ``semitones`` are added to its pitch (octaves that bring it into the range of the voice, jumps, a wrong key),
    ``cents`` too; ``late`` is in seconds; ``scoop`` and ``fall`` are how far below the pitch it begins and ends, in
    semitones; ``vowel`` is one of ``N_VOWELS``.
    """

    missing: bool
    semitones: int
    cents: float
    late: float
    scoop: float
    fall: float
    vowel: int
    gain_db: float


@dataclass(frozen=True)
class VoiceDraw:
    """All random numbers of one voice.

    Args:
        kind: one of ``KINDS``.
        throat: factor of all formants.
        glide: length of the slide from note to note, in seconds.
        vibrato_rate: in hertz.
        vibrato: depth to either side, in cents.
        vibrato_onset: when it begins, in seconds after the note.
        drift: slow wandering of the pitch, in cents.
        jitter: fast trembling of the pitch, in cents.
        stretch: durations of the tempo, as a ratio to the true ones.
        bridge: rests that are shorter than this are sung through, in seconds.
        attack: in seconds.
        release: in seconds.
        dip_db: how far the level falls before a note that follows another one (a tongue, or nothing).
        tilt: slope of the source in dB per octave.
        breath_db: level of the breath below the voice.
        decay_db: how fast the level falls within a note, in dB per second.
        swell_db: slow changes of the level.
        accent: how much of the velocities and of the gains of single notes is followed, from 0.
        floor_db: level of the noise of the room below the voice.
        floor_tilt: slope of that noise in dB per octave.
        room: seconds in which its echo falls by 60 dB.
        room_db: level of the echo below the voice.
        low_cut: of the microphone, in hertz.
        high_cut: of the microphone, in hertz.
        notes: one entry for every note of the melody.
        seed: of everything that trembles and hisses.
    """

    kind: str
    throat: float
    glide: float
    vibrato_rate: float
    vibrato: float
    vibrato_onset: float
    drift: float
    jitter: float
    stretch: float
    bridge: float
    attack: float
    release: float
    dip_db: float
    tilt: float
    breath_db: float
    decay_db: float
    swell_db: float
    accent: float
    floor_db: float
    floor_tilt: float
    room: float
    room_db: float
    low_cut: float
    high_cut: float
    notes: tuple[SungNote, ...]
    seed: int


def draw_voice(melody: Sequence[Note], rng: np.random.Generator, *, settings: VoiceSettings | None = None) -> VoiceDraw:
    """Draw a voice for a melody.

    Args:
        melody: notes by onset, at least one.
        rng: where the numbers come from.
        settings: how to draw; None takes the defaults.

    Example:
        >>> voice = draw_voice([Note(0.0, 1.0, 60, 90)], np.random.default_rng(0))
        >>> voice.kind in KINDS, len(voice.notes)
        (True, 1)
    """
    settings = settings or VoiceSettings()
    kind = KINDS[_weighted(rng, settings.kinds)]
    singer = _SINGERS[_weighted(rng, settings.singers)] if kind != "whistle" else _WHISTLER
    middle = rng.normal(singer[0], singer[1])
    return VoiceDraw(
        kind=kind,
        throat=float(singer[2] * rng.uniform(0.92, 1.08)),
        glide=_log_uniform(rng, 0.03, 0.15),
        vibrato_rate=float(rng.uniform(4.0, 7.0)),
        vibrato=_log_uniform(rng, 10.0, 60.0) if rng.random() < 0.6 else 0.0,
        vibrato_onset=float(rng.uniform(0.1, 0.6)),
        drift=_log_uniform(rng, 4.0, 25.0),
        jitter=_log_uniform(rng, 1.0, 15.0),
        stretch=float(1 + rng.uniform(-1, 1) * settings.max_stretch),
        bridge=float(rng.choice([0.0, 0.03, 0.1, 0.25, 0.6, 2.0], p=[0.12, 0.18, 0.18, 0.15, 0.15, 0.22])),
        attack=_log_uniform(rng, 0.012, 0.09),
        release=_log_uniform(rng, 0.02, 0.2),
        dip_db=float(rng.choice([0.0, 6.0, 15.0, 40.0], p=[0.4, 0.22, 0.2, 0.18])),
        tilt=float(rng.uniform(*{"hum": (-13.0, -6.0), "vowel": (-10.0, -2.0), "whistle": (-50.0, -24.0)}[kind])),
        breath_db=float(rng.uniform(*{"hum": (-50.0, -16.0), "vowel": (-44.0, -6.0), "whistle": (-40.0, -8.0)}[kind])),
        decay_db=float(rng.uniform(5.0, 45.0)) if rng.random() < 0.4 else 0.0,
        swell_db=_log_uniform(rng, 0.3, 4.0),
        accent=max(0.0, float(rng.uniform(-0.5, 2.0))),
        floor_db=float(rng.uniform(-62.0, -14.0)),
        floor_tilt=float(rng.uniform(-14.0, 1.0)),
        room=_log_uniform(rng, 0.05, 0.6),
        room_db=float(rng.uniform(-40.0, -6.0)),
        low_cut=_log_uniform(rng, 30.0, 180.0),
        high_cut=_log_uniform(rng, 2800.0, 16000.0),
        notes=_draw_notes(melody, rng, middle, settings),
        seed=int(rng.integers(2**31)),
    )


def _draw_notes(
    melody: Sequence[Note], rng: np.random.Generator, middle: float, settings: VoiceSettings
) -> tuple[SungNote, ...]:
    """Draw the notes: the melody moves by octaves to where its middle is nearest to that of the voice."""
    n_notes = len(melody)
    moved = round((middle - float(np.median([note.pitch for note in melody]))) / 12) * 12
    if rng.random() < settings.p_off_key:
        moved += int(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4]))
    late = rng.uniform(-0.02, 0.6 * settings.max_late) if settings.max_late else 0.0
    detune = rng.uniform(-1, 1) * settings.max_detune
    cents = np.clip(detune + settings.note_detune * rng.standard_normal(n_notes), -100, 100)
    lateness = np.clip(late + 0.2 * settings.max_late * rng.standard_normal(n_notes), -0.05, settings.max_late)
    n_own = int(rng.integers(1, 4))  # vowels that this voice keeps to
    own = rng.choice(N_VOWELS, n_own, replace=False, p=_VOWEL_SHARES)
    drawn: list[SungNote] = []
    jump = 0
    for note, chances, in_cents, by in zip(
        melody, rng.random((n_notes, 6)).tolist(), cents.tolist(), lateness.tolist(), strict=True
    ):
        if chances[0] < settings.p_jump:
            jump = 0 if jump else int(rng.choice([-12, 12]))
        semitones = moved + jump
        while note.pitch + semitones > middle + _REACH:
            semitones -= 12
        while note.pitch + semitones < middle - _REACH:
            semitones += 12
        drawn.append(
            SungNote(
                missing=bool(drawn) and chances[1] < settings.p_missing,
                semitones=semitones,
                cents=in_cents,
                late=by,
                scoop=float(rng.uniform(0.3, 3.0)) if chances[2] < settings.p_scoop else 0.0,
                fall=float(rng.uniform(0.3, 2.0)) if chances[3] < settings.p_scoop / 2 else 0.0,
                vowel=int(own[int(chances[4] * n_own)]),
                gain_db=6.0 * chances[5] - 3.0,
            )
        )
    return tuple(drawn)


def _weighted(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """Return an index with a probability proportional to the weights."""
    total = np.cumsum(weights)
    return min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(weights) - 1)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
