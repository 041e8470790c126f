"""A SoundFont that plays mimicry: every pitched instrument of General MIDI, bent notes included.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1.1, where FluidSynth
plays another SoundFont.

Axes: N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unbraid.datasets.instruments import INSTRUMENTS, Family
from unbraid.datasets.soundfont import find_soundfont, plays_tiny
from unbraid.errors import DatasetError
from unbraid.guides.mimicry_draws import BentNote
from unbraid.guides.render import Player, Synthesizer

Samples = npt.NDArray[np.float32]

PROGRAMS = (*range(47), *range(48, 55), *range(56, 96), 104, 105, 106, 107, 108, 109, 110, 111, 114)
"""Programs of General MIDI that play melodies."""

N_CHANNELS = 8
BEND_RANGE = 2.0  # semitones
BEND_CENTER = 8192
BEYOND = 5  # semitones by which imitators leave the range that is written for an instrument
USUAL_RANGE, BASS_RANGE = (40, 96), (26, 60)
RING_OUT = 0.5  # seconds


def open_players(path: Path | None = None) -> tuple[Player, ...]:
    """Return what plays mimicry here: an installed SoundFont that tinysoundfont can play, and the built-in synthesizer.

    Notes that bend on their own are beyond the FluidSynth program, so that it is of no use here.

    Raises:
        DatasetError: if a path was given and it is missing, damaged or cannot be played.
    """
    file = find_soundfont(path)
    if path is None and (file is None or not plays_tiny(file)):
        return (Synthesizer(),)
    if file is None or file.suffix.lower() != ".sf2":
        raise DatasetError(f"{path} is no .sf2 file, which is what imitations are played with")
    return SoundFontMimic(file), Synthesizer()


def range_of(program: int) -> tuple[int, int]:
    """Return the lowest and the highest pitch that a program of General MIDI is asked to imitate.

    Example:
        >>> range_of(40), range_of(33)
        ((50, 101), (23, 60))
    """
    for one in INSTRUMENTS.values():
        if one.program == program and one.family not in (Family.DRUMS, Family.VOICE):
            return one.low - BEYOND, one.high + BEYOND
    return BASS_RANGE if 32 <= program < 40 else USUAL_RANGE


class SoundFontMimic:
    """The melodic programs of a SoundFont, in the order of ``PROGRAMS``; a `guides.render.Player`.

    Args:
        path: of a .sf2 file.

    Raises:
        DatasetError: if tinysoundfont is not installed, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._synths: dict[int, tuple[Any, int]] = {}

    @property
    def ranges(self) -> Sequence[tuple[int, int]]:
        """Lowest and highest pitch of each instrument."""
        return tuple(range_of(program) for program in PROGRAMS)

    def play(
        self, notes: Sequence[BentNote], *, instrument: int, variant: int, sample_rate: int, n_samples: int
    ) -> Samples:
        """Return ``[N]`` samples; see `guides.render.Player`. The variant changes nothing.

        Notes take turns on channels, so that each keeps its bend.
        """
        del variant
        synth, bank = self._synth(sample_rate)
        synth.sounds_off()
        synth.generate(round(RING_OUT * sample_rate))  # whatever still rang dies away here
        for channel in range(N_CHANNELS):
            synth.program_select(channel, bank, 0, PROGRAMS[instrument], False)
        events = []
        for index, note in enumerate(notes):
            channel = index % N_CHANNELS
            bend = round(BEND_CENTER * (1 + note.bend / BEND_RANGE))
            events.append((round(note.start * sample_rate), 1, channel, note, min(max(bend, 0), 2 * BEND_CENTER - 1)))
            events.append((round(note.stop * sample_rate), 0, channel, note, 0))
        result = np.zeros(n_samples, np.float32)
        position = 0
        for at, begins, channel, note, bend in sorted(events, key=lambda event: event[:3]):
            stop = min(at, n_samples)
            if stop > position:
                result[position:stop] = _generate(synth, stop - position)
                position = stop
            if begins:
                synth.pitchbend(channel, bend)
                synth.noteon(channel, note.pitch, note.velocity)
            else:
                synth.noteoff(channel, note.pitch)
        if position < n_samples:
            result[position:] = _generate(synth, n_samples - position)
        return result

    def _synth(self, sample_rate: int) -> tuple[Any, int]:
        """Return the synthesizer of a rate, and the number of its bank."""
        if sample_rate not in self._synths:
            try:
                import tinysoundfont
            except ImportError as error:
                raise DatasetError("playing a SoundFont needs tinysoundfont: pip install tinysoundfont") from error
            synth: Any = tinysoundfont.Synth(gain=-12, samplerate=sample_rate)
            try:
                bank = synth.sfload(str(self.path), max_voices=128)
            except Exception as error:  # the binding raises bare exceptions
                raise DatasetError(f"{self.path} is not a SoundFont that can be read: {error}") from error
            for channel in range(N_CHANNELS):
                synth.program_select(channel, bank, 0, 0, False)
                synth.pitchbend_range(channel, BEND_RANGE)
            self._synths[sample_rate] = synth, bank
        return self._synths[sample_rate]


def _generate(synth: Any, n_samples: int) -> Samples:
    """Return the next ``[N]`` samples of the left channel."""
    return np.frombuffer(synth.generate(n_samples), np.float32)[::2]
