"""Sounds that happen: steps, doors, glass, shots, animals, bells, alarms, machines, toys.

Each function takes a random generator and returns ``[N]`` mono at 44.1 kHz of its own length (0.05 to 8 s);
the level is not settled. Struck things are sums of modes, animals are gliding voices, alarms are tones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

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

Event = Callable[[np.random.Generator], Samples]


def _length(seconds: float) -> int:
    return max(64, int(seconds * SAMPLE_RATE))


def _modes(rng: np.random.Generator, hertz: npt.ArrayLike, seconds: float, *, spread: float = 0.5) -> Samples:
    """Return a struck body: partials of random strength, the higher ones dying sooner."""
    frequencies = np.atleast_1d(np.asarray(hertz, dtype=np.float64))
    n_samples = _length(seconds * 1.05)
    time = np.arange(n_samples) / SAMPLE_RATE
    total = np.zeros(n_samples, np.float32)
    for frequency in frequencies[frequencies < 18000]:
        gain = rng.uniform(1 - spread, 1) * (frequencies[0] / frequency) ** 0.5
        own = seconds * (frequencies[0] / frequency) ** rng.uniform(0.2, 0.9)
        tone = np.sin(2 * np.pi * frequency * time + rng.uniform(0, 2 * np.pi)).astype(np.float32)
        total += np.float32(gain) * tone * decay(n_samples, own)
    return total


def _noise_hit(rng: np.random.Generator, low: float, high: float, seconds: float, *, attack: float = 0.001) -> Samples:
    n_samples = _length(seconds)
    return colored_noise(rng, n_samples, band(low, high)) * decay(n_samples, seconds, attack=attack)


def _glide(hertz: npt.ArrayLike, seconds: float, *, harmonics: int = 1, slope: float = 1.0) -> Samples:
    """Return a tone that glides through the given frequencies; harmonics fall as 1 / k ** slope."""
    knots = np.atleast_1d(np.asarray(hertz, dtype=np.float64))
    n_samples = _length(seconds)
    curve = np.interp(np.linspace(0, 1, n_samples), np.linspace(0, 1, len(knots)), knots)
    phase = 2 * np.pi * np.cumsum(curve) / SAMPLE_RATE
    total = np.zeros(n_samples, np.float32)
    for k in range(1, harmonics + 1):
        audible = (curve * k < 18000).astype(np.float32)
        total += (np.sin(phase * k) * audible / k**slope).astype(np.float32)
    return total


def _sequence(rng: np.random.Generator, make: Event, count: int, gap: float, *, looseness: float = 0.1) -> Samples:
    """Repeat an event at about even times (gap between starts, in seconds)."""
    sounds = [make(rng) for _ in range(count)]
    starts = [max(0.0, gap * (index + rng.normal(0, looseness))) for index in range(count)]
    total = max(int(start * SAMPLE_RATE) + len(sound) for start, sound in zip(starts, sounds, strict=True))
    result = np.zeros(total, np.float32)
    for start, sound in zip(starts, sounds, strict=True):
        add_at(result, int(start * SAMPLE_RATE), sound, gain=uniform(rng, 0.6, 1.0))
    return result


def _pad_to(first: Samples, second: Samples, *, gain: float = 1.0, start: float = 0.0) -> Samples:
    """Return the sum of two sounds; the second starts after some seconds."""
    offset = int(start * SAMPLE_RATE)
    result = np.zeros(max(len(first), len(second) + offset), np.float32)
    add_at(result, 0, first)
    add_at(result, offset, second, gain=gain)
    return result


def siren(rng: np.random.Generator) -> Samples:
    """A police or fire siren: wailing, yelping or two tones."""
    low, high = uniform(rng, 380, 650), uniform(rng, 900, 1500)
    seconds = uniform(rng, 2.5, 7.0)
    kind = int(rng.integers(3))
    rate = (0.3, 3.0, 1.2)[kind] * uniform(rng, 0.7, 1.4)
    time = np.linspace(0, seconds, 2000)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * rate * time) if kind < 2 else ((rate * time) % 1 < 0.5).astype(np.float64)
    return _glide(low + (high - low) * swing, seconds, harmonics=8, slope=uniform(rng, 0.8, 1.6))


def alarm(rng: np.random.Generator) -> Samples:
    """A fire or clock alarm: bursts of a hard tone."""
    hertz = log_uniform(rng, 700, 3200)
    length = uniform(rng, 0.06, 0.4)
    count = int(rng.integers(4, 14))

    def burst(rng: np.random.Generator) -> Samples:
        return _glide([hertz, hertz], length, harmonics=6, slope=0.9)

    return _sequence(rng, burst, count, length * uniform(rng, 1.3, 2.2), looseness=0.0)


def beeps(rng: np.random.Generator) -> Samples:
    """Short notes of an appliance, a game or a computer."""
    scale = log_uniform(rng, 400, 1800) * 2 ** (rng.integers(-7, 13, size=6) / 12)

    def beep(rng: np.random.Generator) -> Samples:
        hertz = float(rng.choice(scale))
        tone = _glide([hertz, hertz], uniform(rng, 0.05, 0.2), harmonics=int(rng.integers(1, 6)))
        return tone * np.minimum(1, np.arange(len(tone))[::-1] / 300).astype(np.float32)

    return _sequence(rng, beep, int(rng.integers(1, 8)), uniform(rng, 0.1, 0.3), looseness=0.02)


def telephone(rng: np.random.Generator) -> Samples:
    """A bell telephone or an electronic ring."""
    first, second = log_uniform(rng, 400, 1800), uniform(rng, 1.1, 1.35)
    length, rate = uniform(rng, 0.6, 1.6), uniform(rng, 14, 26)

    def ring(rng: np.random.Generator) -> Samples:
        tone = _glide([first, first], length, harmonics=5) + _glide([first * second] * 2, length, harmonics=5)
        beat = np.sin(2 * np.pi * rate * np.arange(len(tone)) / SAMPLE_RATE) > 0
        return tone * beat.astype(np.float32)

    return _sequence(rng, ring, int(rng.integers(1, 4)), length * uniform(rng, 1.3, 1.9), looseness=0.0)


def footsteps(rng: np.random.Generator) -> Samples:
    """Heel and sole on wood, stone, gravel or snow."""
    low, high = log_uniform(rng, 80, 400), log_uniform(rng, 700, 6000)
    gravel, wood = rng.random() < 0.4, log_uniform(rng, 70, 220)

    def step(rng: np.random.Generator) -> Samples:
        heel = _noise_hit(rng, low, high, uniform(rng, 0.04, 0.1))
        sole = _noise_hit(rng, low * 1.5, high * 1.2, uniform(rng, 0.05, 0.2), attack=0.02 if gravel else 0.003)
        thump = _modes(rng, [wood, wood * 2.3], 0.12)
        return _pad_to(_pad_to(heel, sole, gain=0.5, start=uniform(rng, 0.04, 0.1)), thump, gain=0.4)

    return _sequence(rng, step, int(rng.integers(3, 12)), uniform(rng, 0.28, 0.75), looseness=0.05)


def door_slam(rng: np.random.Generator) -> Samples:
    """A door that falls shut: latch, leaf and frame."""
    leaf = _modes(rng, log_uniform(rng, 50, 120) * np.array([1, 1.8, 2.7, 4.1, 6.3]), uniform(rng, 0.2, 0.6))
    latch = _noise_hit(rng, 900, 6000, 0.05)
    slam = _pad_to(leaf, _noise_hit(rng, 60, 1800, uniform(rng, 0.15, 0.4)), gain=1.2)
    return _pad_to(slam, latch, gain=0.5, start=uniform(rng, 0.0, 0.05))


def door_knock(rng: np.random.Generator) -> Samples:
    """Knuckles on wood."""
    wood = log_uniform(rng, 120, 400) * np.array([1, 1.9, 3.1, 4.4])

    def knock(rng: np.random.Generator) -> Samples:
        return _pad_to(_modes(rng, wood * rng.uniform(0.98, 1.02), 0.1), _noise_hit(rng, 300, 3500, 0.02), gain=0.6)

    return _sequence(rng, knock, int(rng.integers(2, 7)), uniform(rng, 0.12, 0.35), looseness=0.08)


def door_creak(rng: np.random.Generator) -> Samples:
    """A hinge that sticks and slips, slower and faster."""
    seconds = uniform(rng, 0.6, 3.0)
    n_samples = _length(seconds)
    rate = log_uniform(rng, 25, 160) * (1 + 0.6 * slow_noise(rng, n_samples, 2.5).astype(np.float64))
    slips = np.diff(np.floor(np.cumsum(rate) / SAMPLE_RATE), prepend=0.0).astype(np.float32)
    hinge = log_uniform(rng, 500, 1400) * np.array([1, 1.53, 2.2, 3.4])
    ringing = apply_response(slips, resonances(hinge, hinge * 0.06, [1, 0.8, 0.6, 0.4]))
    return as_samples(ringing * np.hanning(n_samples))


def glass(rng: np.random.Generator) -> Samples:
    """Glass that breaks: a crack and a rain of ringing splinters."""
    crack = _noise_hit(rng, 1500, 14000, uniform(rng, 0.05, 0.2))
    result = np.zeros(_length(uniform(rng, 0.7, 2.2)), np.float32)
    add_at(result, 0, crack, gain=1.5)
    for _ in range(int(rng.integers(8, 40))):
        splinter = _modes(rng, log_uniform(rng, 2000, 7000) * np.array([1, 1.6, 2.3]), log_uniform(rng, 0.05, 0.5))
        start = int(rng.exponential(0.25) * SAMPLE_RATE)
        add_at(result, start, splinter, gain=float(rng.exponential(0.3)))
    return result


def explosion(rng: np.random.Generator) -> Samples:
    """A blast: a crack, a long low tail, and debris."""
    seconds = uniform(rng, 1.5, 5.0)
    n_samples = _length(seconds)
    boom = colored_noise(rng, n_samples, times(band(25, log_uniform(rng, 300, 1200)), tilt(-4, floor=25)))
    boom *= decay(n_samples, seconds, attack=0.01)
    blast = _pad_to(boom * np.float32(2), _noise_hit(rng, 200, 9000, uniform(rng, 0.1, 0.4)))
    debris = colored_noise(rng, n_samples, band(1000, 7000)) * decay(n_samples, seconds * 0.6, attack=0.2)
    return np.tanh(_pad_to(blast, debris * np.float32(0.12)))


def gunshot(rng: np.random.Generator) -> Samples:
    """One or several shots with the echo of their surroundings."""
    tail = uniform(rng, 0.3, 1.4)
    high = log_uniform(rng, 2500, 9000)

    def shot(rng: np.random.Generator) -> Samples:
        echo = _noise_hit(rng, 120, high * 0.4, tail)
        return _pad_to(np.tanh(_noise_hit(rng, 150, high, 0.06) * np.float32(4)), echo, gain=0.35)

    return _sequence(rng, shot, int(rng.choice([1, 1, 2, 3, 6])), uniform(rng, 0.1, 0.5))


def thunder(rng: np.random.Generator) -> Samples:
    """A crack and rolling rumbles."""
    seconds = uniform(rng, 3.0, 7.5)
    n_samples = _length(seconds)
    rumble = colored_noise(rng, n_samples, times(band(25, log_uniform(rng, 180, 700)), tilt(-5, floor=25)))
    roll = (0.55 + 0.45 * slow_noise(rng, n_samples, uniform(rng, 1.5, 4))) ** 2
    crack = _noise_hit(rng, 200, 5000, uniform(rng, 0.2, 0.7), attack=uniform(rng, 0.002, 0.1))
    return _pad_to(rumble * roll * decay(n_samples, seconds, attack=uniform(rng, 0.02, 0.8)), crack, gain=rng.random())


def bird(rng: np.random.Generator) -> Samples:
    """A phrase of whistled glides."""
    home = log_uniform(rng, 1600, 5200)
    motif = [home * 2 ** rng.uniform(-0.5, 0.5, int(rng.integers(2, 5))) for _ in range(int(rng.integers(1, 4)))]
    length = log_uniform(rng, 0.04, 0.3)
    trill = float(rng.choice([0.0, 0.0, 25.0, 45.0]))

    def chirp(rng: np.random.Generator) -> Samples:
        tone = _glide(motif[int(rng.integers(len(motif)))], length * uniform(rng, 0.8, 1.2), harmonics=2, slope=3)
        flutter = 1 - 0.5 * (trill > 0) * (1 + np.sin(2 * np.pi * trill * np.arange(len(tone)) / SAMPLE_RATE)) / 2
        return (tone * np.hanning(len(tone)) * flutter).astype(np.float32)

    return _sequence(rng, chirp, int(rng.integers(2, 14)), length * uniform(rng, 1.1, 2.0), looseness=0.05)


def fly(rng: np.random.Generator) -> Samples:
    """A fly or a bee that circles."""
    seconds = uniform(rng, 1.0, 5.0)
    wander = log_uniform(rng, 110, 320) * (1 + 0.12 * slow_noise(rng, 400, 200.0))
    tone = _glide(wander, seconds, harmonics=18, slope=0.9)
    return tone * (0.55 + 0.45 * slow_noise(rng, len(tone), uniform(rng, 0.6, 2.5)))


def dog(rng: np.random.Generator) -> Samples:
    """Barks: a rough voice that falls, with an open mouth."""
    hertz, size = log_uniform(rng, 160, 650), uniform(rng, 0.7, 1.5)

    def bark(rng: np.random.Generator) -> Samples:
        seconds = uniform(rng, 0.1, 0.28)
        curve = hertz * np.array([0.8, 1.3, 1.0, 0.6]) * rng.uniform(0.92, 1.08)
        voice = _glide(curve, seconds, harmonics=24, slope=0.8)
        rough = voice * (1 + 0.7 * slow_noise(rng, len(voice), 90.0))
        breath = colored_noise(rng, len(voice), band(500, 5000)) * np.float32(uniform(rng, 0.2, 0.7))
        mouth = resonances(np.array([650, 1500, 2800]) / size, [180, 250, 400], [1, 0.8, 0.4])
        return as_samples(apply_response(rough + breath, mouth) * np.hanning(len(voice)) ** 0.7)

    return _sequence(rng, bark, int(rng.integers(1, 7)), uniform(rng, 0.25, 0.7))


def cat(rng: np.random.Generator) -> Samples:
    """A meow: a voice that rises and falls while the mouth opens and closes."""
    seconds, hertz = uniform(rng, 0.4, 1.3), log_uniform(rng, 380, 850)
    voice = _glide(hertz * np.array([0.8, 1.1, 1.25, 1.1, 0.75]), seconds, harmonics=16, slope=0.8)
    closed = apply_response(voice, resonances([600, 2600], [200, 400], [1, 0.3]))
    opened = apply_response(voice, resonances([1100, 1900, 3500], [200, 300, 500], [1, 0.8, 0.4]))
    mouth = np.hanning(len(voice)).astype(np.float32)
    return as_samples((closed * (1 - mouth) + opened * mouth) * np.hanning(len(voice)) ** 0.4)


def bell(rng: np.random.Generator) -> Samples:
    """A church, hand or shop bell, struck one or more times."""
    partials = log_uniform(rng, 180, 2200) * np.array([0.5, 1, 1.19, 1.5, 2, 2.51, 2.66, 3.01, 4.1, 5.4])
    seconds = float(np.clip(uniform(rng, 600, 2400) / partials[1], 0.4, 5.0))

    def stroke(rng: np.random.Generator) -> Samples:
        return _pad_to(_modes(rng, partials, seconds, spread=0.8), _noise_hit(rng, 1500, 9000, 0.02), gain=0.3)

    return _sequence(rng, stroke, int(rng.integers(1, 5)), uniform(rng, 0.25, 0.8))


def whistle(rng: np.random.Generator) -> Samples:
    """A human whistle or a referee's pea whistle."""
    pea = rng.random() < 0.5
    seconds = uniform(rng, 0.3, 1.8)
    hertz = log_uniform(rng, 1900, 3600) if pea else log_uniform(rng, 700, 2400)
    knots = hertz * (1 + 0.02 * rng.standard_normal(8)) if pea else hertz * 2 ** rng.uniform(-0.4, 0.4, 4)
    tone = _glide(knots, seconds, harmonics=3, slope=2.5)
    time = np.arange(len(tone)) / SAMPLE_RATE
    flutter = 1 - 0.4 * pea * (1 + np.sin(2 * np.pi * uniform(rng, 30, 70) * time)) / 2
    air = colored_noise(rng, len(tone), resonances([hertz, 2 * hertz], [hertz * 0.4, hertz], [1, 0.5]))
    return as_samples((tone * flutter + air * np.float32(0.12)) * np.hanning(len(tone)) ** 0.25)


def drops(rng: np.random.Generator) -> Samples:
    """Drops into water, each a short rising tone."""

    def drop(rng: np.random.Generator) -> Samples:
        hertz, seconds = log_uniform(rng, 450, 2200), uniform(rng, 0.03, 0.12)
        tone = _glide(hertz * np.array([1, 1.1, uniform(rng, 1.3, 2.2)]), seconds)
        return tone * decay(len(tone), seconds * 1.5, attack=0.004)

    return _sequence(rng, drop, int(rng.integers(1, 9)), uniform(rng, 0.15, 0.8), looseness=0.3)


def splash(rng: np.random.Generator) -> Samples:
    """Something that falls into water."""
    burst = _noise_hit(rng, 400, log_uniform(rng, 3000, 10000), uniform(rng, 0.3, 1.0), attack=0.02)
    return _pad_to(burst, drops(rng), gain=0.4, start=0.15)


def keyboard(rng: np.random.Generator) -> Samples:
    """Typing: press and release clicks."""
    body, high = log_uniform(rng, 250, 900), log_uniform(rng, 2500, 8000)

    def key(rng: np.random.Generator) -> Samples:
        down = _pad_to(_noise_hit(rng, 1200, high, 0.02), _modes(rng, [body, body * 2.6], 0.03), gain=0.5)
        return _pad_to(down, _noise_hit(rng, 1500, high, 0.012), gain=0.4, start=uniform(rng, 0.05, 0.1))

    return _sequence(rng, key, int(rng.integers(5, 30)), uniform(rng, 0.1, 0.22), looseness=0.35)


def clock(rng: np.random.Generator) -> Samples:
    """Ticking."""
    low = log_uniform(rng, 1200, 4500)

    def tick(rng: np.random.Generator) -> Samples:
        return _pad_to(_modes(rng, low * np.array([1, 1.7, 2.9]), 0.03), _noise_hit(rng, 2000, 9000, 0.008))

    return _sequence(rng, tick, int(rng.integers(4, 14)), float(rng.choice([0.25, 0.5, 0.5, 1.0])) / 2, looseness=0.01)


def laser(rng: np.random.Generator) -> Samples:
    """A toy or game weapon: fast falling sweeps."""
    top, bottom, seconds = log_uniform(rng, 1500, 7000), log_uniform(rng, 80, 600), uniform(rng, 0.08, 0.5)
    harmonics = int(rng.integers(1, 12))

    def zap(rng: np.random.Generator) -> Samples:
        tone = _glide(np.geomspace(top, bottom, 12), seconds, harmonics=harmonics)
        return tone * decay(len(tone), seconds * 1.5)

    return _sequence(rng, zap, int(rng.integers(1, 6)), seconds * uniform(rng, 0.8, 2.0))


def horn(rng: np.random.Generator) -> Samples:
    """A car, truck or ship horn."""
    hertz, seconds = log_uniform(rng, 90, 480), uniform(rng, 0.2, 1.5)
    ratio = float(rng.choice([1.0, 1.26, 1.19]))

    def honk(rng: np.random.Generator) -> Samples:
        tone = _glide([hertz, hertz], seconds, harmonics=20, slope=0.7)
        tone = tone + _glide([hertz * ratio * 1.003] * 2, seconds, harmonics=20, slope=0.7)
        return tone * np.minimum(1, np.hanning(len(tone)) * 12).astype(np.float32)

    return _sequence(rng, honk, int(rng.integers(1, 4)), seconds * uniform(rng, 1.2, 1.8))


def metal_hit(rng: np.random.Generator) -> Samples:
    """Pans, pipes, tools and coins that are struck or dropped."""
    partials = log_uniform(rng, 250, 4000) * np.sort(rng.uniform(1, 6, 9))
    seconds = log_uniform(rng, 0.08, 1.8)

    def clang(rng: np.random.Generator) -> Samples:
        return _pad_to(_modes(rng, partials, seconds, spread=0.9), _noise_hit(rng, 1000, 9000, 0.02), gain=0.6)

    count = int(rng.integers(1, 7))
    return _sequence(rng, clang, count, log_uniform(rng, 0.08, 0.6), looseness=0.2)


def drill(rng: np.random.Generator) -> Samples:
    """A drill, saw or mixer that starts, bites and stops."""
    seconds, hertz = uniform(rng, 1.0, 5.0), log_uniform(rng, 90, 420)
    knots = hertz * np.concatenate([[0.2, 0.9], 1 + 0.1 * rng.standard_normal(10), [0.8, 0.2]])
    tone = _glide(knots, seconds, harmonics=25, slope=uniform(rng, 0.4, 1.0))
    grind = colored_noise(rng, len(tone), band(800, log_uniform(rng, 4000, 11000)))
    shape = np.minimum(1, np.hanning(len(tone)) * 8)
    return as_samples((level_to_one(tone) + grind * np.float32(uniform(rng, 0.1, 1.0))) * shape)


def rustle(rng: np.random.Generator) -> Samples:
    """Paper, leaves, cloth or a plastic bag."""
    seconds = uniform(rng, 0.5, 3.5)
    n_samples = _length(seconds)
    noise = colored_noise(rng, n_samples, times(band(log_uniform(rng, 400, 2500), 13000), tilt(uniform(rng, -3, 2))))
    moves = np.clip(slow_noise(rng, n_samples, uniform(rng, 4, 12)) - uniform(rng, -0.3, 0.4), 0, None)
    crumple = np.abs(slow_noise(rng, n_samples, 90.0)) ** 3
    return as_samples(noise * moves * (0.3 + crumple) * np.hanning(n_samples) ** 0.2)


def whoosh(rng: np.random.Generator) -> Samples:
    """Something that flies past."""
    seconds = uniform(rng, 0.25, 1.8)
    n_samples = _length(seconds)
    center = log_uniform(rng, 250, 2500)
    dark = colored_noise(rng, n_samples, band(center / 2, center))
    bright = colored_noise(rng, n_samples, band(center, center * 4))
    rise = np.hanning(n_samples).astype(np.float32) ** uniform(rng, 1, 3)
    return dark * rise + bright * rise**2


def zap(rng: np.random.Generator) -> Samples:
    """An electric spark or a short circuit."""
    seconds = uniform(rng, 0.2, 1.5)
    n_samples = _length(seconds)
    buzz = _glide([100.0 * rng.choice([0.5, 0.6, 1.0, 1.2])] * 2, seconds, harmonics=60, slope=0.2)[:n_samples]
    gate = (np.abs(slow_noise(rng, len(buzz), 45.0)) > uniform(rng, 0.2, 0.6)).astype(np.float32)
    return level_to_one(buzz) * gate + colored_noise(rng, len(buzz), band(2000, 12000)) * gate * np.float32(0.4)


EVENTS: dict[str, Event] = {
    "siren": siren,
    "alarm": alarm,
    "beeps": beeps,
    "telephone": telephone,
    "footsteps": footsteps,
    "door slam": door_slam,
    "door knock": door_knock,
    "door creak": door_creak,
    "glass": glass,
    "explosion": explosion,
    "gunshot": gunshot,
    "thunder": thunder,
    "bird": bird,
    "fly": fly,
    "dog": dog,
    "cat": cat,
    "bell": bell,
    "whistle": whistle,
    "drops": drops,
    "splash": splash,
    "keyboard": keyboard,
    "clock": clock,
    "laser": laser,
    "horn": horn,
    "metal hit": metal_hit,
    "drill": drill,
    "rustle": rustle,
    "whoosh": whoosh,
    "zap": zap,
}
"""Every event by its name."""
