"""Built-in synthesis of drum kits: every drum of the General MIDI map that the composer writes.

A kit is drawn once per part: its tunings, decays and noises make acoustic, electronic and toy kits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unbraid.datasets import styles as drums
from unbraid.datasets.spectral import SAMPLE_RATE, Samples, add_at, as_samples, band, colored_noise, decay


@dataclass(frozen=True)
class Kit:
    """A drawn drum kit: tuning and length are factors around 1, electronic runs from 0 to 1."""

    tuning: float
    length: float
    electronic: float
    brightness: float
    seed: int

    def hit(self, drum: int, force: float, turn: int) -> Samples:
        """Return ``[N]`` samples of one stroke with a force in 0..1; ``turn`` varies repeated strokes."""
        rng = np.random.default_rng([self.seed, drum, turn])
        return _DRUMS.get(drum, _tom)(self, rng, drum) * np.float32(0.1 + 0.9 * force**1.3)


def draw_kit(rng: np.random.Generator, *, electronic: bool) -> Kit:
    """Draw a kit."""
    return Kit(
        tuning=float(np.exp(rng.normal(0.0, 0.15))),
        length=float(np.exp(rng.normal(0.0, 0.3))),
        electronic=float(rng.uniform(0.6, 1.0) if electronic else rng.uniform(0.0, 0.35)),
        brightness=float(rng.uniform(0.7, 1.3)),
        seed=int(rng.integers(2**31)),
    )


def _sweep(start: float, stop: float, seconds: float, n_samples: int) -> Samples:
    time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
    hertz = stop + (start - stop) * np.exp(-time / np.float32(seconds))
    return np.sin(np.cumsum(hertz.astype(np.float64)) * (2 * np.pi / SAMPLE_RATE)).astype(np.float32)


def _length(seconds: float) -> int:
    return max(64, int(seconds * SAMPLE_RATE))


def _kick(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    seconds = (0.25 + 0.6 * kit.electronic) * kit.length
    n_samples = _length(seconds)
    stop = (52 - 6 * kit.electronic) * kit.tuning
    body = _sweep(stop * (2.5 + 2 * kit.electronic), stop, 0.03, n_samples) * decay(n_samples, seconds)
    click = colored_noise(rng, _length(0.012), band(1500, 5000 * kit.brightness)) * decay(_length(0.012), 0.01)
    add_at(body, 0, click, gain=0.25 * (1.2 - kit.electronic))
    if kit.electronic < 0.5:
        knock = colored_noise(rng, _length(0.08), band(90, 500)) * decay(_length(0.08), 0.07)
        add_at(body, 0, knock, gain=0.2)
    return as_samples(np.tanh(body * np.float32(1.4)) * np.float32(0.9))


def _snare(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.32 * kit.length)
    pitch = 185 * kit.tuning
    skin = _sweep(pitch * 1.5, pitch, 0.015, n_samples) * decay(n_samples, 0.16 * kit.length)
    skin += _sweep(pitch * 2.3, pitch * 1.72, 0.015, n_samples) * decay(n_samples, 0.1) * np.float32(0.6)
    wires = colored_noise(rng, n_samples, band(900, 9000 * kit.brightness, slope=1.0))
    return skin * np.float32(0.45) + wires * decay(n_samples, 0.24 * kit.length, attack=0.001) * np.float32(0.33)


def _metal(kit: Kit, rng: np.random.Generator, seconds: float, low: float) -> Samples:
    """Inharmonic partials and noise above ``low`` hertz: the stuff of cymbals."""
    n_samples = _length(seconds * 1.1)
    fixed = np.random.default_rng([kit.seed, 99])
    ratios = np.sort(fixed.uniform(1.0, 4.6, 7))
    time = np.arange(n_samples) / SAMPLE_RATE
    ring = np.zeros(n_samples, np.float32)
    for ratio in ratios:
        angle = (time * (low * 0.9 * ratio * kit.tuning)) % 1.0
        ring += np.where(angle < 0.5, 1.0, -1.0).astype(np.float32)
    noise = colored_noise(rng, n_samples, band(low, 13000 * kit.brightness, slope=2.0))
    noise_part = np.float32(1.0 - 0.6 * kit.electronic)
    spectrum = np.fft.rfft(ring)
    frequencies = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE).astype(np.float32)
    ring = np.fft.irfft(spectrum * band(low, 11000, slope=2.0)(frequencies), n_samples).astype(np.float32)
    return noise * noise_part + ring * (np.float32(1.15) - noise_part) * np.float32(0.5)


def _shaped_metal(kit: Kit, rng: np.random.Generator, seconds: float, low: float, gain: float) -> Samples:
    sound = _metal(kit, rng, seconds, low)
    return sound * decay(len(sound), seconds, attack=0.001) * np.float32(gain)


def _hat(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    return _shaped_metal(kit, rng, 0.07 * kit.length * rng.uniform(0.8, 1.2), 6500, 0.2)


def _pedal(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    return _shaped_metal(kit, rng, 0.05, 5200, 0.14)


def _open(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    return _shaped_metal(kit, rng, 0.45 * kit.length, 6000, 0.2)


def _crash(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    return _shaped_metal(kit, rng, 1.8 * kit.length, 2500, 0.28)


def _ride(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    sound = _shaped_metal(kit, rng, 0.9 * kit.length, 4200, 0.1)
    n_samples = len(sound)
    ping = _sweep(3200 * kit.tuning, 3150 * kit.tuning, 0.01, n_samples) * decay(n_samples, 0.25)
    return sound + ping * np.float32(0.06)


def _tom(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    pitch = 75 * kit.tuning * 2 ** ((np.clip(drum, 41, 52) - 41) / 9)
    n_samples = _length(0.5 * kit.length)
    skin = _sweep(pitch * 1.6, pitch, 0.04, n_samples) * decay(n_samples, 0.45 * kit.length)
    slap = colored_noise(rng, _length(0.05), band(400, 3500)) * decay(_length(0.05), 0.04)
    add_at(skin, 0, slap, gain=0.15)
    return skin * np.float32(0.6)


def _clap(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.3)
    sound = np.zeros(n_samples, np.float32)
    for start in (0.0, 0.011, 0.022, 0.031):
        n_burst = n_samples - int(start * SAMPLE_RATE)
        burst = colored_noise(rng, n_burst, band(900, 2600 * kit.brightness))
        last = start > 0.03
        add_at(sound, int(start * SAMPLE_RATE), burst * decay(n_burst, 0.22 * kit.length if last else 0.018), gain=0.3)
    return sound


def _rim(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.06)
    sound = _sweep(1750 * kit.tuning, 1650 * kit.tuning, 0.01, n_samples)
    sound += _sweep(820 * kit.tuning, 800 * kit.tuning, 0.01, n_samples)
    return sound * decay(n_samples, 0.05) * np.float32(0.3)


def _cowbell(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.3)
    time = np.arange(n_samples) / SAMPLE_RATE
    tone = sum(np.sign(np.sin(2 * np.pi * hertz * kit.tuning * time)) for hertz in (540, 800))
    soft = np.convolve(np.asarray(tone), np.ones(5) / 5, mode="same").astype(np.float32)
    return soft * decay(n_samples, 0.25 * kit.length) * np.float32(0.13)


def _tambourine(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.2)
    noise = colored_noise(rng, n_samples, band(6000, 14000))
    jingle = 0.6 + 0.4 * np.sin(np.arange(n_samples, dtype=np.float32) * np.float32(2 * np.pi * 45 / SAMPLE_RATE))
    return as_samples(noise * jingle * decay(n_samples, 0.16 * kit.length, attack=0.003) * np.float32(0.15))


def _shaker(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.11)
    noise = colored_noise(rng, n_samples, band(4500, 11000 * kit.brightness))
    return noise * decay(n_samples, 0.09, attack=0.02) * np.float32(0.13)


def _conga(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    pitch = (310 if drum == drums.HIGH_CONGA else 205) * kit.tuning
    n_samples = _length(0.3 * kit.length)
    skin = _sweep(pitch * 1.15, pitch, 0.02, n_samples) * decay(n_samples, 0.25 * kit.length)
    add_at(skin, 0, colored_noise(rng, 600, band(800, 4000)) * decay(600, 0.012), gain=0.2)
    return skin * np.float32(0.5)


def _claves(kit: Kit, rng: np.random.Generator, drum: int) -> Samples:
    n_samples = _length(0.08)
    return _sweep(2520 * kit.tuning, 2480 * kit.tuning, 0.01, n_samples) * decay(n_samples, 0.06) * np.float32(0.35)


_DRUMS: dict[int, Callable[[Kit, np.random.Generator, int], Samples]] = {
    drums.KICK: _kick,
    drums.RIM: _rim,
    drums.SNARE: _snare,
    drums.CLAP: _clap,
    drums.HAT: _hat,
    drums.PEDAL: _pedal,
    drums.OPEN: _open,
    drums.CRASH: _crash,
    drums.RIDE: _ride,
    drums.TAMBOURINE: _tambourine,
    drums.COWBELL: _cowbell,
    drums.HIGH_CONGA: _conga,
    drums.LOW_CONGA: _conga,
    drums.SHAKER: _shaker,
    drums.CLAVES: _claves,
}
