"""Speech where the ``espeak-ng`` program is installed: generated sentences in many voices."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from unbraid.datasets import console
from unbraid.datasets.seeds import seed_of
from unbraid.datasets.spectral import SAMPLE_RATE, Samples
from unbraid.errors import DatasetError

if TYPE_CHECKING:
    from torch import Generator

_LANGUAGES = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-us", "de", "es", "fr-fr", "it", "pt-br", "pl", "sv")
_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "klatt2", "klatt3", "croak")
_SUBJECTS = (
    "the old captain", "my sister", "every child", "a tired driver", "the woman next door", "our teacher", "nobody",
    "the whole village", "a young doctor", "his brother", "the orchestra", "that strange machine", "somebody", "we all",
)  # fmt: skip
_VERBS = (
    "found", "wanted", "remembered", "carried", "painted", "lost", "described", "repaired", "sold", "followed",
    "forgot", "opened", "promised", "noticed", "kept", "questioned",
)  # fmt: skip
_OBJECTS = (
    "the green boat", "seven letters", "a broken window", "the road to the sea", "an unusual question", "fresh bread",
    "the third chapter", "a very quiet garden", "yesterday's paper", "the judge", "some cheap shoes", "half the money",
)  # fmt: skip
_ENDINGS = (
    "before the rain began", "without saying a word", "in the middle of the night", "because it was late",
    "for the first time", "as quickly as possible", "although nobody asked", "on a Thursday", "and then went home", "",
)  # fmt: skip
_MARKS = (".", ".", ".", "!", "?")


@dataclass(frozen=True)
class SpeechDraw:
    """The random numbers of one utterance.

    ``voice`` is an espeak-ng language and variant, ``rate`` is in words per minute, ``pitch`` is
    espeak-ng's 0..99, ``seed`` decides the room and the sound of the recording.
    """

    text: str
    voice: str
    rate: int
    pitch: int
    seed: int


def find_espeak() -> str | None:
    """Return the path of the espeak-ng program; None where it is not installed."""
    return shutil.which("espeak-ng")


def _sentence(rng: np.random.Generator) -> str:
    words = [str(rng.choice(table)) for table in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)]
    return " ".join(word for word in words if word).capitalize() + str(rng.choice(_MARKS))


def draw_speech(generator: Generator | int) -> SpeechDraw:
    """Draw one to three sentences and who says them.

    Example:
        >>> draw_speech(1) == draw_speech(1)
        True
    """
    seed = seed_of(generator)
    rng = np.random.default_rng([30, seed])
    return SpeechDraw(
        text=" ".join(_sentence(rng) for _ in range(int(rng.integers(1, 4)))),
        voice=f"{rng.choice(_LANGUAGES)}+{rng.choice(_VARIANTS)}",
        rate=int(rng.integers(125, 215)),
        pitch=int(rng.integers(15, 85)),
        seed=seed,
    )


def render_speech(draw: SpeechDraw) -> Samples:
    """Say it.

    Returns:
        ``[2, N]`` float32 at 44.1 kHz with a peak of at most 0.9; a few seconds long.

    Raises:
        DatasetError: if espeak-ng is not installed or fails.
    """
    import torch

    from unbraid.audio.resample import resample

    program = find_espeak()
    if program is None:
        raise DatasetError("espeak-ng is not installed: apt install espeak-ng, or point at recordings of speech")
    command = [program, "-v", draw.voice, "-s", str(draw.rate), "-p", str(draw.pitch)]
    done = subprocess.run([*command, "--stdout", draw.text], capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) < 64:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DatasetError(f"espeak-ng failed with voice {draw.voice}: {said[0] if said else 'no sound'}")
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
    voice = resample(torch.from_numpy(np.ascontiguousarray(samples.T)), source_rate=rate, target_rate=SAMPLE_RATE)
    rng = np.random.default_rng([31, draw.seed])
    strip = console.draw_strip(rng, pan=0.0, level_db=-22.0, dry=bool(rng.random() < 0.5))
    spoken = console.mix_part(voice.numpy()[:1], strip)
    return (spoken * np.float32(min(1.0, 0.9 / max(float(np.abs(spoken).max()), 1e-6)))).astype(np.float32)
