"""Simulated mimicry for training and evaluation: the melody of a true stem, changed as drawn and played by another.

Source: the GuideSep paper (ISMIR 2025), section 3, and its published training configuration. Differences: windows
that stay silent are drawn again instead of taking another signal for the mimicry; whatever can play notes takes
part, and a plain synthesizer is built in.

Axes: N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from unbraid.errors import GuideError
from unbraid.guides.mimicry_draws import BentNote, MimicryDraw, MimicrySettings, crop_notes, draw_mimicry, perturb
from unbraid.guides.notes import Note
from unbraid.guides.voice import imitate

if TYPE_CHECKING:
    from torch import Generator

Samples = npt.NDArray[np.float32]

_MAX_HARMONICS = 40


class Player(Protocol):
    """Whatever plays melodies on instruments that are counted from 0.

    ``ranges`` holds the lowest and the highest pitch of each instrument.
    """

    @property
    def ranges(self) -> Sequence[tuple[int, int]]:
        """Lowest and highest pitch of each instrument."""
        ...

    def play(
        self, notes: Sequence[BentNote], *, instrument: int, variant: int, sample_rate: int, n_samples: int
    ) -> Samples:
        """Return ``[N]`` float32 samples.

        Args:
            notes: by onset, in seconds; each is to sound ``note.bend`` semitones above its pitch. They may overlap
                and reach over the end.
            instrument: an index into ``ranges``.
            variant: a number from 0 to 2**31 - 1 for what the instrument leaves open (a way of playing, a preset).
            sample_rate: in hertz.
            n_samples: length of the result.
        """
        ...


def playable_ranges(players: Sequence[Player]) -> tuple[tuple[int, int], ...]:
    """Return the ranges of all instruments of all players, in the order in which a draw counts them.

    Example:
        >>> len(playable_ranges([Synthesizer()])) == len(TIMBRES)
        True
    """
    return tuple(one for player in players for one in player.ranges)


def render_mimicry(
    notes: Sequence[Note],
    draw: MimicryDraw,
    *,
    start: float,
    duration: float,
    sample_rate: int,
    players: Sequence[Player] | None = None,
) -> Samples:
    """Return the mimicry of a window as it was drawn.

    Args:
        notes: of the stem, those that were drawn for.
        draw: of `draw_mimicry`.
        start: of the window, in seconds, as drawn for.
        duration: of the window, in seconds, as drawn for.
        sample_rate: of the result, in hertz.
        players: those whose ranges were drawn for; None takes the built-in synthesizer.

    Returns:
        ``[N]`` float32 samples with a peak of 1; zeros where the instrument stayed silent.

    Raises:
        GuideError: if the draw does not fit the notes or the players.

    Example:
        >>> import torch
        >>> melody = [Note(0.0, 0.5, 60, 90), Note(0.5, 0.5, 62, 90)]
        >>> ranges = playable_ranges([Synthesizer()])
        >>> drawn = draw_mimicry(melody, torch.Generator().manual_seed(0), start=0, duration=1, ranges=ranges)
        >>> float(render_mimicry(melody, drawn, start=0, duration=1, sample_rate=16000).max()) <= 1
        True
    """
    n_samples = round(duration * sample_rate)
    if draw.voice is not None:
        melody = crop_notes(notes, start=start, duration=duration, monophony=draw.monophony)
        samples = imitate(melody, draw.voice, duration=duration, sample_rate=sample_rate)
    else:
        changed = perturb(notes, draw, start=start, duration=duration)
        player, instrument = _player_of(draw.instrument, (Synthesizer(),) if players is None else players)
        samples = player.play(
            changed, instrument=instrument, variant=draw.variant, sample_rate=sample_rate, n_samples=n_samples
        )
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / np.float32(peak) if peak > 0 else samples


def draw_audible(
    notes: Sequence[Note],
    generator: Generator,
    *,
    start: float,
    duration: float,
    sample_rate: int,
    players: Sequence[Player] | None = None,
    settings: MimicrySettings | None = None,
) -> tuple[MimicryDraw, Samples]:
    """Draw and render a mimicry of a window, again and again until its entropy reaches 1.5.

    Args and errors: see `draw_mimicry` and `render_mimicry`.

    Raises:
        GuideError: if none of 20 draws can be heard.
    """
    players = (Synthesizer(),) if players is None else players
    ranges = playable_ranges(players)
    for _ in range(20):
        draw = draw_mimicry(notes, generator, start=start, duration=duration, ranges=ranges, settings=settings)
        samples = render_mimicry(notes, draw, start=start, duration=duration, sample_rate=sample_rate, players=players)
        if amplitude_entropy(samples) >= 1.5:
            return draw, samples
    raise GuideError(f"no instrument makes the notes from {start:.2f} s heard: draw another window")


def amplitude_entropy(samples: npt.NDArray[np.floating]) -> float:
    """Return the entropy of the amplitudes of ``[N]`` samples at 16 bits, in nats: 0 for silence, 11 for loud noise.

    Example:
        >>> amplitude_entropy(np.zeros(100, np.float32))
        0.0
    """
    steps = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int64) + 32768
    counts = np.bincount(steps)
    shares = counts[counts > 0] / max(len(steps), 1)
    return float(-(shares * np.log(shares)).sum() + 0.0)


def both_sound(mimicry: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> bool:
    """Return whether a window can be trained on: neither signal is silent, and not both are nearly so.

    Both are expected with a peak of 1. Windows that fail are to be drawn again.

    Example:
        >>> noise = np.random.default_rng(0).uniform(-1, 1, 1000)
        >>> both_sound(noise, noise), both_sound(noise, np.zeros(1000))
        (True, False)
    """
    first, second = amplitude_entropy(mimicry), amplitude_entropy(target)
    return min(first, second) >= 1.0 and max(first, second) >= 1.5


def _player_of(instrument: int, players: Sequence[Player]) -> tuple[Player, int]:
    """Return the player of an instrument that is counted through all players, and its index there."""
    index = instrument
    for player in players:
        if index < len(player.ranges):
            return player, index
        index -= len(player.ranges)
    raise GuideError(
        f"instrument {instrument} was drawn and there are {instrument - index}: give the players drawn for"
    )


@dataclass(frozen=True)
class Timbre:
    """One instrument of the synthesizer.

    Args:
        name: what it resembles.
        low: lowest pitch.
        high: highest pitch.
        slope: amplitudes fall with this power of the number of the harmonic.
        even: gain of the even harmonics.
        bump: hertz and gain of a resonance.
        attack: in seconds.
        decay: seconds in which the note falls by 60 dB; 0 for notes that are held.
        darken: how much faster each further harmonic falls, as a share of the decay.
        release: in seconds.
        vibrato: in cents.
        partials: frequency ratios and gains; more than one for bells and the pipes of an organ.
    """

    name: str
    low: int
    high: int
    slope: float
    even: float = 1.0
    bump: tuple[float, float] = (1000.0, 0.0)
    attack: float = 0.005
    decay: float = 0.0
    darken: float = 0.0
    release: float = 0.05
    vibrato: float = 0.0
    partials: tuple[tuple[float, float], ...] = ((1.0, 1.0),)


TIMBRES = (
    Timbre("struck string", 21, 108, 1.6, decay=6.0, darken=0.6, release=0.1, attack=0.003),
    Timbre("plucked string", 28, 96, 1.1, decay=3.0, darken=0.9, release=0.06, attack=0.002),
    Timbre("struck bar", 36, 108, 2.5, decay=1.2, release=0.2, attack=0.002, partials=((1.0, 1.0), (3.93, 0.3))),
    Timbre("bell", 48, 108, 6.0, decay=4.0, release=0.6, partials=((1.0, 1.0), (2.0, 0.3), (2.76, 0.4), (5.4, 0.2))),
    Timbre("bowed string", 28, 100, 1.1, bump=(500.0, 2.0), attack=0.07, release=0.12, vibrato=12.0),
    Timbre("brass", 34, 88, 1.2, bump=(1200.0, 2.5), attack=0.04, release=0.07, vibrato=4.0),
    Timbre("reed", 34, 96, 1.2, even=0.25, bump=(1500.0, 1.0), attack=0.03, release=0.06, vibrato=3.0),
    Timbre("flute", 48, 100, 2.6, attack=0.05, release=0.08, vibrato=10.0),
    Timbre("organ", 0, 127, 2.8, attack=0.01, partials=((0.5, 0.4), (1.0, 1.0), (2.0, 0.6), (3.0, 0.35), (4.0, 0.3))),
    Timbre("whistle", 55, 120, 5.0, attack=0.03, release=0.05, vibrato=15.0),
    Timbre("square lead", 0, 127, 1.0, even=0.02, attack=0.004, release=0.03),
    Timbre("saw lead", 0, 127, 1.0, attack=0.004, release=0.03),
)
"""The instruments of the synthesizer."""


class Synthesizer:
    """A plain additive synthesizer: no sampled sounds, no noise, no effects.

    A note is a polynomial in a turning and shrinking number: its powers are the harmonics, and the higher ones fall
    faster. No harmonic lies above 0.49 of the sampling rate. It takes about a millisecond for a second of melody.
    """

    @property
    def ranges(self) -> Sequence[tuple[int, int]]:
        """Lowest and highest pitch of each of ``TIMBRES``."""
        return tuple((timbre.low, timbre.high) for timbre in TIMBRES)

    def play(
        self, notes: Sequence[BentNote], *, instrument: int, variant: int, sample_rate: int, n_samples: int
    ) -> Samples:
        """Return ``[N]`` samples; see `Player`. The variant makes it brighter or darker, shorter or longer."""
        timbre = TIMBRES[instrument]
        rng = np.random.default_rng([variant, instrument])
        shade, length, swing = np.exp(rng.uniform((-0.3, -0.5, -0.7), (0.3, 0.5, 0.7))).tolist()
        result = np.zeros(n_samples, np.float32)
        for note in notes:
            first = round(note.start * sample_rate)
            n_note = min(round((note.duration + timbre.release) * sample_rate), n_samples - first)
            if n_note <= 0:
                continue
            time = np.arange(n_note, dtype=np.float64) / sample_rate
            seconds = time + _sway(time, timbre.vibrato * swing)
            sound = np.zeros(n_note, np.float32)
            for ratio, gain in timbre.partials:
                sound += np.float32(gain) * _tone(timbre, note.hertz * ratio, seconds, sample_rate, shade, length)
            result[first : first + n_note] += sound * _envelope(timbre, note, time, length)
        return result


def _sway(time: npt.NDArray[np.float64], cents: float) -> npt.NDArray[np.float64]:
    """Return by how many seconds a vibrato of 5.5 Hz runs ahead; it grows over half a second."""
    if cents == 0.0:
        return np.zeros(1)
    depth = (2 ** (cents / 1200) - 1) / (2 * np.pi * 5.5)
    return depth * np.minimum(time / 0.5, 1.0) * np.sin(2 * np.pi * 5.5 * time)


def _tone(
    timbre: Timbre, hertz: float, seconds: npt.NDArray[np.float64], sample_rate: int, shade: float, length: float
) -> Samples:
    """Return ``[N]`` samples of harmonics of a frequency, without the envelope."""
    n_harmonics = min(_MAX_HARMONICS, int(0.485 * sample_rate / hertz))
    if n_harmonics < 1:
        return np.zeros(len(seconds), np.float32)
    order = np.arange(1, n_harmonics + 1)
    center, boost = timbre.bump
    gains = order ** (-timbre.slope * shade) * (1 + boost / (1 + ((order * hertz - center) / (0.5 * center)) ** 2))
    gains[1::2] *= timbre.even
    gains = np.where(gains > 1e-5, gains, 0.0)[: int(np.flatnonzero(gains > 1e-5)[-1]) + 1]
    turn = ((seconds * hertz) % 1.0 * (2 * np.pi)).astype(np.float32)
    step = np.empty(len(turn), np.complex64)
    np.cos(turn, out=step.real)
    np.sin(turn, out=step.imag)
    if timbre.darken:
        rate = 6.9078 * timbre.darken / (timbre.decay * length)
        step *= np.exp(seconds * -rate).astype(np.float32)
    total = np.full(len(turn), np.complex64(gains[-1]))
    for gain in gains[-2::-1].tolist():
        total *= step
        total += np.complex64(gain)
    total *= step
    return total.imag.copy()


def _envelope(timbre: Timbre, note: BentNote, time: npt.NDArray[np.float64], length: float) -> Samples:
    """Return ``[N]`` gains: rise, decay, and the fall after the key is let go."""
    rise = np.minimum(time / timbre.attack, 1.0)
    gains = rise * rise * (3 - 2 * rise) * (note.velocity / 127) ** 1.5
    if timbre.decay:
        gains *= np.exp(time * (-6.9078 / (timbre.decay * length)))
    gains *= np.clip(1 - (time - note.duration) / timbre.release, 0.0, 1.0) ** 2
    return np.asarray(gains, np.float32)
