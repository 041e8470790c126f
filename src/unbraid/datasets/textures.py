"""Sounds that go on: weather, water, fire, engines, machines, crowds, insects.

Each function takes a random generator and a number of samples and returns ``[N]`` mono at 44.1 kHz with an
RMS of about 1; what it draws (size, speed, color) differs from call to call. They follow the recipes of
Farnell, "Designing Sound" (MIT Press, 2010): filtered noise, scattered grains, and pulses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unbraid.datasets.seeds import log_uniform, uniform
from unbraid.datasets.spectral import (
    SAMPLE_RATE,
    Samples,
    add_at,
    apply_response,
    as_samples,
    band,
    colored_noise,
    decay,
    level_to_one,
    resonances,
    slow_noise,
    tilt,
    times,
)

Texture = Callable[[np.random.Generator, int], Samples]


def scatter(
    rng: np.random.Generator, n_samples: int, rate: float, grain: Callable[[np.random.Generator], Samples]
) -> Samples:
    """Scatter grains at random times, ``rate`` per second; twelve different grains are drawn and reused."""
    result = np.zeros(n_samples, np.float32)
    grains = [grain(rng) for _ in range(12)]
    count = int(rng.poisson(rate * n_samples / SAMPLE_RATE))
    starts = rng.integers(0, max(1, n_samples), count)
    gains = rng.exponential(1.0, count)
    for start, gain, which in zip(starts, gains, rng.integers(0, 12, count), strict=True):
        add_at(result, int(start), grains[which], gain=min(float(gain), 4.0))
    return result


def _sparse(rng: np.random.Generator, n_samples: int, rate: float) -> Samples:
    """Return ``[N]`` impulses of random strength, ``rate`` per second: cheap even for thousands."""
    hits = rng.random(n_samples, dtype=np.float32) < rate / SAMPLE_RATE
    return as_samples(hits * rng.exponential(1.0, n_samples) * rng.choice([-1, 1], n_samples))


def rain(rng: np.random.Generator, n_samples: int) -> Samples:
    """Drops on a surface over the hiss of many drops far away."""
    far = colored_noise(rng, n_samples, times(band(400, 12000), tilt(uniform(rng, -3, 2))))
    center = log_uniform(rng, 1500, 6000)
    surface = resonances([center, center * 2.1], [center * 0.7, center], [1.0, 0.5])
    near = level_to_one(apply_response(_sparse(rng, n_samples, log_uniform(rng, 80, 900)), surface))
    gusts = 1 + 0.3 * slow_noise(rng, n_samples, 0.4)
    return level_to_one((far * np.float32(uniform(rng, 0.3, 1)) + near * np.float32(uniform(rng, 0.2, 1))) * gusts)


def wind(rng: np.random.Generator, n_samples: int) -> Samples:
    """Noise whose whistling and strength come and go together."""
    strength = 0.5 + 0.5 * slow_noise(rng, n_samples, uniform(rng, 0.15, 0.6))
    strength = np.clip(strength + 0.15 * slow_noise(rng, n_samples, 2.5), 0.03, 1.2)
    low = colored_noise(rng, n_samples, times(band(60, 500), tilt(-5)))
    center = log_uniform(rng, 350, 1000)
    whistle = colored_noise(rng, n_samples, resonances([center, center * 1.4], [60, 90], [1, 0.6]))
    high = colored_noise(rng, n_samples, band(center, 4000))
    mixed = low * strength + whistle * strength**3 * np.float32(uniform(rng, 0, 0.5)) + high * strength**2 * 0.12
    return level_to_one(mixed)


def waves(rng: np.random.Generator, n_samples: int) -> Samples:
    """Surf: swells that rise slowly, break and run out."""
    seconds = n_samples / SAMPLE_RATE
    time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
    deep = colored_noise(rng, n_samples, band(80, 700))
    foam = colored_noise(rng, n_samples, band(800, 9000, slope=1.0))
    swell = np.full(n_samples, 0.12, np.float32)
    at = -uniform(rng, 0, 4)
    while at < seconds:
        length = uniform(rng, 4, 9)
        phase = np.clip((time - at) / length, 0, 1)
        swell += (np.sin(np.pi * phase**1.7) ** 2 * uniform(rng, 0.4, 1)).astype(np.float32)
        at += length * uniform(rng, 0.6, 1.1)
    return level_to_one(deep * swell + foam * swell**2 * np.float32(uniform(rng, 0.3, 0.9)))


def fire(rng: np.random.Generator, n_samples: int) -> Samples:
    """A low roar, hissing, and crackles."""
    roar = colored_noise(rng, n_samples, band(30, 350)) * (1 + 0.4 * slow_noise(rng, n_samples, 4))
    hiss = colored_noise(rng, n_samples, band(2000, 9000)) * (0.5 + 0.5 * slow_noise(rng, n_samples, 1.5)) ** 2

    def crackle(rng: np.random.Generator) -> Samples:
        length = int(log_uniform(rng, 0.004, 0.03) * SAMPLE_RATE)
        center = log_uniform(rng, 700, 6000)
        return colored_noise(rng, length, band(center * 0.6, center * 1.6)) * decay(length, length / SAMPLE_RATE)

    crackles = scatter(rng, n_samples, log_uniform(rng, 6, 40), crackle)
    return level_to_one(roar * np.float32(uniform(rng, 0.2, 1)) + hiss * np.float32(0.15) + crackles * np.float32(1.3))


def stream(rng: np.random.Generator, n_samples: int) -> Samples:
    """Running water: hundreds of bubbles that rise in pitch, and a rush."""

    def bubble(rng: np.random.Generator) -> Samples:
        hertz = log_uniform(rng, 400, 2600)
        length = int(min(0.12, 14 / hertz) * SAMPLE_RATE)
        time = np.arange(length) / SAMPLE_RATE
        tone = np.sin(2 * np.pi * hertz * time * (1 + uniform(rng, 0.5, 4) * time))
        return tone.astype(np.float32) * decay(length, length / SAMPLE_RATE, attack=0.003)

    bubbles = scatter(rng, n_samples, log_uniform(rng, 40, 220), bubble)
    rush = colored_noise(rng, n_samples, times(band(300, 6000), tilt(-3))) * (1 + 0.3 * slow_noise(rng, n_samples, 3))
    return level_to_one(level_to_one(bubbles) + rush * np.float32(uniform(rng, 0.2, 1.2)))


def engine(rng: np.random.Generator, n_samples: int) -> Samples:
    """Firing pulses through an exhaust; the speed wanders or revs."""
    idle = log_uniform(rng, 18, 90)
    revs = 1 + uniform(rng, 0.02, 0.8) * np.clip(slow_noise(rng, n_samples, uniform(rng, 0.1, 0.6)), -0.4, 1)
    phase = np.cumsum(idle * revs.astype(np.float64) / SAMPLE_RATE)
    cylinders = int(rng.integers(1, 7))
    strength = 1 + 0.3 * rng.standard_normal(4096)
    index = np.floor(phase * cylinders).astype(np.int64) % 4096
    pulse = np.exp(-((phase * cylinders) % 1.0) * uniform(rng, 4, 14)) * strength[index]
    noise = rng.standard_normal(n_samples) * pulse * uniform(rng, 0.05, 0.5)
    pipes = log_uniform(rng, 70, 220) * np.array([1, 2.2, 3.7, 6.1, 11])
    exhaust = resonances(pipes, pipes * 0.5, 1 / np.arange(1, 6))
    signal = np.diff(pulse, prepend=pulse[:1]) * 8 + noise
    return level_to_one(apply_response(signal.astype(np.float32), exhaust))


def machine(rng: np.random.Generator, n_samples: int) -> Samples:
    """A hum of mains harmonics or a fan, with its bearing noise and a slow beat."""
    base = float(rng.choice([50.0, 60.0])) * float(rng.choice([0.5, 1.0, 2.0])) * uniform(rng, 0.97, 1.03)
    time = np.arange(n_samples) / SAMPLE_RATE
    total = np.zeros(n_samples, np.float32)
    for harmonic in range(1, 24):
        gain = harmonic ** -uniform(rng, 0.5, 2.0) * rng.random()
        total += np.float32(gain) * np.sin(2 * np.pi * base * harmonic * time + rng.uniform(0, 6.28)).astype(np.float32)
    total *= 1 + np.float32(0.2) * np.sin(2 * np.pi * uniform(rng, 0.3, 9) * time).astype(np.float32)
    noise = colored_noise(rng, n_samples, times(band(100, log_uniform(rng, 1500, 9000)), tilt(-4)))
    return level_to_one(level_to_one(total) + noise * np.float32(log_uniform(rng, 0.1, 2)))


def traffic(rng: np.random.Generator, n_samples: int) -> Samples:
    """A road: a far rumble, and cars that pass."""
    result = colored_noise(rng, n_samples, times(band(40, 900), tilt(-5))) * np.float32(0.35)
    time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
    for _ in range(int(rng.poisson(n_samples / SAMPLE_RATE / uniform(rng, 2.5, 8))) + 1):
        moment, speed = uniform(rng, 0, n_samples / SAMPLE_RATE), uniform(rng, 0.8, 3)
        near = 1 / (1 + ((time - moment) * speed) ** 2)
        car = colored_noise(rng, n_samples, times(band(80, log_uniform(rng, 1500, 6000)), tilt(-3)))
        result += car * near * np.float32(uniform(rng, 0.3, 1))
    return level_to_one(result)


def crowd(rng: np.random.Generator, n_samples: int) -> Samples:
    """A murmur of many voices: syllables of buzz and hiss through vowels."""

    def syllable(rng: np.random.Generator) -> Samples:
        length = int(uniform(rng, 0.08, 0.3) * SAMPLE_RATE)
        hertz = log_uniform(rng, 90, 260) * (1 + 0.1 * np.linspace(rng.uniform(-1, 1), rng.uniform(-1, 1), length))
        buzz = ((np.cumsum(hertz) / SAMPLE_RATE) % 1.0 < 0.08).astype(np.float32)
        vowel = resonances([uniform(rng, 300, 750), uniform(rng, 900, 2200), 2700], [90, 130, 200], [1, 0.5, 0.2])
        buzz += np.float32(0.05) * rng.standard_normal(length, dtype=np.float32)
        return level_to_one(apply_response(buzz - buzz.mean(), vowel)) * np.hanning(length).astype(np.float32)

    near = scatter(rng, n_samples, log_uniform(rng, 12, 60), syllable)
    far = colored_noise(rng, n_samples, times(resonances([500, 1300], [500, 900], [1, 0.4]), band(150, 4000)))
    return level_to_one(near + far * np.float32(uniform(rng, 0.2, 0.8)) * (1 + 0.3 * slow_noise(rng, n_samples, 3)))


def applause(rng: np.random.Generator, n_samples: int) -> Samples:
    """Many hands, each with its own cupping."""

    def clap(rng: np.random.Generator) -> Samples:
        length = int(0.03 * SAMPLE_RATE)
        center = log_uniform(rng, 700, 2600)
        return colored_noise(rng, length, band(center * 0.6, center * 2)) * decay(length, uniform(rng, 0.01, 0.03))

    return level_to_one(scatter(rng, n_samples, log_uniform(rng, 30, 400), clap))


def insects(rng: np.random.Generator, n_samples: int) -> Samples:
    """Crickets and cicadas: trains of chirps on a few high pitches."""
    time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
    total = colored_noise(rng, n_samples, band(3500, 9000)) * np.float32(uniform(rng, 0.0, 0.2))
    for _ in range(int(rng.integers(1, 5))):
        hertz, pulses, chirps = log_uniform(rng, 2400, 7500), uniform(rng, 25, 90), uniform(rng, 0.5, 3.5)
        gate = (0.5 + 0.5 * np.sin(2 * np.pi * (pulses * time + rng.random()))) ** 2
        rhythm = ((chirps * time + rng.random()) % 1.0 < uniform(rng, 0.2, 0.9)).astype(np.float64)
        rhythm = np.convolve(rhythm, np.ones(441) / 441, mode="same")
        tone = np.sin(2 * np.pi * hertz * (np.arange(n_samples) / SAMPLE_RATE))
        total += (tone * gate * rhythm * uniform(rng, 0.3, 1)).astype(np.float32)
    return level_to_one(total)


def train_ride(rng: np.random.Generator, n_samples: int) -> Samples:
    """Rolling noise and the double knock of rail joints."""
    roll = colored_noise(rng, n_samples, times(band(40, 1800), tilt(-5))) * (1 + 0.3 * slow_noise(rng, n_samples, 1))
    result = roll.astype(np.float32)
    length = int(0.15 * SAMPLE_RATE)
    knock = colored_noise(rng, length, band(90, 1200)) * decay(length, 0.12)
    period = uniform(rng, 0.5, 1.4)
    for beat in np.arange(rng.uniform(0, period), n_samples / SAMPLE_RATE, period):
        for late in (0.0, period * 0.16):
            add_at(result, int((beat + late) * SAMPLE_RATE), knock, gain=uniform(rng, 1.2, 2.2))
    return level_to_one(result)


def room_tone(rng: np.random.Generator, n_samples: int) -> Samples:
    """The hiss and rumble of a quiet room or a recorder."""
    return colored_noise(rng, n_samples, times(band(30, log_uniform(rng, 2000, 16000)), tilt(uniform(rng, -6, 0))))


TEXTURES: dict[str, Texture] = {
    "rain": rain,
    "wind": wind,
    "waves": waves,
    "fire": fire,
    "stream": stream,
    "engine": engine,
    "machine": machine,
    "traffic": traffic,
    "crowd": crowd,
    "applause": applause,
    "insects": insects,
    "train": train_ride,
    "room tone": room_tone,
}
"""Every texture by its name."""
