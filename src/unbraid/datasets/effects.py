"""Sound effects by synthesis: short ones for the prompt ``sfx``, ambiences for ``sfx-mix``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unbraid.datasets.events import EVENTS
from unbraid.datasets.seeds import seed_of
from unbraid.datasets.spectral import SAMPLE_RATE, Samples, add_at, level_to_one
from unbraid.datasets.textures import TEXTURES
from unbraid.errors import DatasetError

if TYPE_CHECKING:
    from torch import Generator

MAX_SECONDS = 8.0
"""A foreground effect is shorter than this."""

EFFECTS: tuple[str, ...] = (*EVENTS, *TEXTURES)
"""The kinds of foreground effects: events, and short pieces of textures."""

_PEAK = 0.7


@dataclass(frozen=True)
class EffectDraw:
    """The random numbers of one foreground effect; ``duration`` in seconds limits it (textures fill it)."""

    kind: str
    seed: int
    duration: float


@dataclass(frozen=True)
class AmbienceDraw:
    """The random numbers of one background: textures and events with their gains in dB, and its duration."""

    textures: tuple[tuple[str, float], ...]
    events: tuple[tuple[str, float], ...]
    seed: int
    duration: float


def draw_effect(generator: Generator | int, *, kind: str | None = None) -> EffectDraw:
    """Draw a foreground effect.

    Args:
        generator: source of the random numbers, or a seed.
        kind: a name in ``EFFECTS``; None draws one.

    Raises:
        DatasetError: if the kind is unknown.

    Example:
        >>> draw_effect(1, kind="bell").kind
        'bell'
    """
    if kind is not None and kind not in EFFECTS:
        raise DatasetError(f"unknown effect {kind!r}: choose one of {', '.join(EFFECTS)}")
    seed = seed_of(generator)
    rng = np.random.default_rng([10, seed])
    drawn = str(rng.choice(EFFECTS))
    duration = MAX_SECONDS if (kind or drawn) in EVENTS else round(float(rng.uniform(1.0, MAX_SECONDS - 0.5)), 2)
    return EffectDraw(kind=kind or drawn, seed=seed, duration=duration)


def _fade(samples: Samples, seconds: float) -> Samples:
    """Fade both ends, in place."""
    length = min(int(seconds * SAMPLE_RATE), len(samples) // 2)
    if length > 0:
        samples[:length] *= np.linspace(0, 1, length, dtype=np.float32)
        samples[-length:] *= np.linspace(1, 0, length, dtype=np.float32)
    return samples


def render_effect(draw: EffectDraw) -> Samples:
    """Make a foreground effect.

    Returns:
        ``[N]`` float32 at 44.1 kHz, shorter than ``MAX_SECONDS``, with a peak of 0.7.
    """
    rng = np.random.default_rng([11, draw.seed])
    limit = int(min(draw.duration, MAX_SECONDS - 0.01) * SAMPLE_RATE)
    if draw.kind in TEXTURES:
        sound = _fade(TEXTURES[draw.kind](rng, limit), float(rng.uniform(0.02, 0.5)))
    else:
        sound = _fade(EVENTS[draw.kind](rng)[:limit].astype(np.float32), 0.003)
    return (sound * np.float32(_PEAK / max(float(np.abs(sound).max()), 1e-6))).astype(np.float32)


def draw_ambience(generator: Generator | int, *, duration: float = 20.0) -> AmbienceDraw:
    """Draw a background of one to three textures, with distant events in half of them.

    Raises:
        DatasetError: if the duration is not positive.

    Example:
        >>> len(draw_ambience(1).textures) in (1, 2, 3)
        True
    """
    if not 0.1 <= duration < float("inf"):
        raise DatasetError(f"an ambience of {duration} s is too short or endless: ask for 0.1 s or more")
    seed = seed_of(generator)
    rng = np.random.default_rng([12, seed])
    n_textures = int(rng.choice([1, 1, 2, 2, 3]))
    n_events = int(rng.choice([0, 0, 1, 2, 4]))
    textures = tuple(
        (str(name), round(float(rng.uniform(-14, 0)), 1))
        for name in rng.choice(list(TEXTURES), size=n_textures, replace=False)
    )
    events = tuple((str(name), round(float(rng.uniform(-8, 6)), 1)) for name in rng.choice(list(EVENTS), size=n_events))
    return AmbienceDraw(textures=textures, events=events, seed=seed, duration=duration)


def render_ambience(draw: AmbienceDraw) -> Samples:
    """Make a background.

    Returns:
        ``[2, N]`` float32 at 44.1 kHz with a peak of at most 0.7; textures differ from side to side.
    """
    rng = np.random.default_rng([13, draw.seed])
    n_samples = round(draw.duration * SAMPLE_RATE)
    total = np.zeros((2, n_samples), np.float32)
    for name, gain_db in draw.textures:
        gain = np.float32(10 ** (gain_db / 20))
        seed = int(rng.integers(2**31))
        middle = TEXTURES[name](np.random.default_rng(seed), n_samples)
        side = TEXTURES["room tone"](np.random.default_rng(seed + 1), n_samples)
        width = np.float32(rng.uniform(0.0, 0.15))
        total += gain * np.stack([middle + width * side, middle - width * side])
    for name, gain_db in draw.events:
        for _ in range(1 + int(rng.poisson(draw.duration / 10))):
            sound = level_to_one(_fade(EVENTS[name](rng).astype(np.float32), 0.003))
            angle = float(rng.uniform(0.2, np.pi / 2 - 0.2))
            placed = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * sound
            start = int(rng.integers(-len(sound) // 2, n_samples))
            add_at(total, start, placed, gain=float(10 ** (gain_db / 20)))
    return (total * np.float32(_PEAK / max(float(np.abs(total).max()), 1e-6))).astype(np.float32)
