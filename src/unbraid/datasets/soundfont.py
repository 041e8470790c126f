"""Playing notes with a SoundFont: through tinysoundfont in this process, or the FluidSynth program."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unbraid.datasets.instruments import Instrument
from unbraid.datasets.spectral import SAMPLE_RATE, Samples
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

_PLACES = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
)


class Player(Protocol):
    """Whatever plays the notes of one part with a SoundFont."""

    def play(self, notes: Sequence[Note], instrument: Instrument, *, n_samples: int) -> Samples:
        """Return ``[2, N]`` float32 samples at 44.1 kHz."""
        ...


def find_soundfont(path: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the SoundFont to play with: the one that was asked for, or the largest in the usual places.

    Raises:
        DatasetError: if a path was given and there is no such file.
    """
    if path is not None:
        given = Path(path)
        if not given.is_file():
            raise DatasetError(f"no SoundFont at {given}: give the path of a .sf2 or .sf3 file")
        return given
    found = [
        file
        for place in _PLACES
        for suffix in ("*.sf2", "*.sf3")
        for file in sorted(Path(place).expanduser().glob(suffix))
        if file.is_file()
    ]
    return max(found, key=lambda file: file.stat().st_size, default=None)


def choose_soundfont(path: str | os.PathLike[str] | None = None) -> Path | None:
    """Return ``find_soundfont(path)`` if there is also something to play it with, else None.

    Raises:
        DatasetError: if a path was given, and the file is missing or nothing here can play it.
    """
    file = find_soundfont(path)
    if file is None or plays_tiny(file) or _plays_fluid():
        return file
    if path is not None:
        raise DatasetError(f"nothing here can play {file}: pip install tinysoundfont, or install fluidsynth")
    return None


def plays_tiny(file: Path) -> bool:
    """Whether tinysoundfont is installed, and reads this kind of file."""
    return importlib.util.find_spec("tinysoundfont") is not None and file.suffix.lower() == ".sf2"


def _plays_fluid() -> bool:
    return shutil.which("fluidsynth") is not None


def open_player(path: str | os.PathLike[str] | None = None) -> Player | None:
    """Return a player for ``choose_soundfont(path)``; None where there is none: then everything is synthesized.

    Raises:
        DatasetError: if the file is damaged, or a path was given and it is missing or cannot be played.
    """
    file = choose_soundfont(path)
    if file is None:
        return None
    return TinyPlayer(file) if plays_tiny(file) else FluidPlayer(file)


class TinyPlayer:
    """A SoundFont in memory, played by tinysoundfont."""

    def __init__(self, path: Path) -> None:
        import tinysoundfont

        # headroom, since the output is not limited; levels are set by the mixing desk
        self._synth: Any = tinysoundfont.Synth(gain=-12, samplerate=SAMPLE_RATE)
        try:
            self._bank = self._synth.sfload(str(path), max_voices=256)
        except Exception as error:  # the binding raises bare exceptions
            raise DatasetError(f"{path} is not a SoundFont that can be read: {error}") from error

    def play(self, notes: Sequence[Note], instrument: Instrument, *, n_samples: int) -> Samples:
        """Return ``[2, N]`` samples of one part; see ``Player.play``."""
        synth = self._synth
        synth.sounds_off()
        synth.generate(SAMPLE_RATE // 2)  # whatever still rang dies away here
        synth.program_select(0, self._bank, 128 if instrument.is_drum else 0, instrument.program, instrument.is_drum)
        events = [(round(note.start * SAMPLE_RATE), 1, note.pitch, note.velocity) for note in notes]
        events += [(round(note.stop * SAMPLE_RATE), 0, note.pitch, 0) for note in notes]
        result = np.zeros((n_samples, 2), np.float32)
        position = 0
        for at, pressed, pitch, velocity in sorted(events):
            stop = min(at, n_samples)
            if stop > position:
                result[position:stop] = np.frombuffer(synth.generate(stop - position), np.float32).reshape(-1, 2)
                position = stop
            if pressed:
                synth.noteon(0, pitch, velocity)
            else:
                synth.noteoff(0, pitch)
        if position < n_samples:
            result[position:] = np.frombuffer(synth.generate(n_samples - position), np.float32).reshape(-1, 2)
        return np.ascontiguousarray(result.T)


class FluidPlayer:
    """A SoundFont played by the ``fluidsynth`` program, one call per part."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def play(self, notes: Sequence[Note], instrument: Instrument, *, n_samples: int) -> Samples:
        """Return ``[2, N]`` samples of one part; see ``Player.play``."""
        import soundfile

        from unbraid.datasets.midi import write_midi

        with tempfile.TemporaryDirectory() as folder:
            score, sound = Path(folder) / "part.mid", Path(folder) / "part.wav"
            write_midi(score, [(instrument, notes)], tempo=120.0)
            command = ["fluidsynth", "-ni", "-q", "-g", "0.3", "-R", "0", "-C", "0", "-r", str(SAMPLE_RATE)]
            command += ["-O", "float", "-T", "wav", "-F", str(sound), str(self._path), str(score)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            # a damaged SoundFont leaves silence, a complaint, and the exit code of success
            complaints = [line for line in done.stderr.splitlines() if line.startswith("fluidsynth: error")]
            if done.returncode != 0 or complaints or not sound.is_file():
                said = complaints[0] if complaints else f"exit code {done.returncode}"
                raise DatasetError(f"fluidsynth cannot play {self._path}: {said}: try another SoundFont")
            samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
        result = np.zeros((2, n_samples), np.float32)
        length = min(n_samples, len(samples))
        result[:, :length] = samples[:length].T
        return result
