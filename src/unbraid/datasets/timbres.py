"""Built-in synthesis of pitched instruments, for machines without a SoundFont.

Three engines: morphing wavetables (struck, bowed, blown, organ and analog sounds), plucked strings
(Karplus and Strong, "Digital Synthesis of Plucked-String and Drum Timbres", CMJ 1983), and frequency
modulation (Chowning, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", JAES 1973)
for bells. A timbre is drawn once per part, so that no two pianos are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unbraid.datasets.instruments import Family
from unbraid.datasets.seeds import uniform
from unbraid.datasets.spectral import (
    SAMPLE_RATE,
    Samples,
    apply_response,
    as_samples,
    colored_noise,
    decay,
    low_pass,
    resonances,
)

_TABLE = 2048
_LEVELS = 4  # brightness levels between which a wavetable tone moves
_MAX_HARMONICS = 160


class Timbre(ABC):
    """A drawn sound that can play any pitch."""

    @abstractmethod
    def tone(self, hertz: float, duration: float, force: float) -> Samples:
        """Return ``[N]`` samples of one note; it rings on after ``duration`` seconds; force is in 0..1."""


@dataclass(frozen=True)
class Envelope:
    """Attack, decay and release in seconds; sustain level in 0..1 (0 for sounds that die away)."""

    attack: float
    decay: float
    sustain: float
    release: float

    def curve(self, duration: float) -> Samples:
        """Return ``[N]`` gains for a key that is held for the given seconds."""
        n_held = max(1, int(duration * SAMPLE_RATE))
        n_release = max(1, int(self.release * SAMPLE_RATE))
        time = np.arange(n_held, dtype=np.float32) / SAMPLE_RATE
        rise = np.minimum(time / np.float32(max(self.attack, 1e-3)), 1.0)
        fall = self.sustain + (1 - self.sustain) * np.exp(
            -np.maximum(time - self.attack, 0) * np.float32(4 / self.decay)
        )
        held = np.sin(rise * np.float32(np.pi / 2)) * fall
        tail = np.exp(np.arange(n_release, dtype=np.float32) * np.float32(-5.0 / n_release))
        tail = (tail - tail[-1]) / (1 - tail[-1]) if n_release > 1 else tail * 0
        return np.concatenate([held, held[-1] * tail]).astype(np.float32)


@dataclass(frozen=True)
class Wavetable(Timbre):
    """Harmonics whose brightness follows its own envelope.

    ``slope`` is the fall of the harmonics in dB per octave, ``even`` the gain of the even ones, ``cutoffs``
    the low-pass frequencies from dark to bright as multiples of the pitch plus a fixed part in hertz,
    ``body`` fixed resonances, ``bite`` how far each note starts above its sustained brightness.
    """

    envelope: Envelope
    slope: float
    even: float
    cutoffs: tuple[tuple[float, float], ...]
    body: tuple[tuple[float, float, float], ...]
    brightness: float
    bite: float
    bite_seconds: float
    vibrato: tuple[float, float, float]  # hertz, cents, onset in seconds
    detunes: tuple[float, ...]  # cents of each oscillator
    breath: float
    seed: int

    def _tables(self, hertz: float) -> Samples:
        harmonics = np.arange(1, min(_MAX_HARMONICS, max(2, int(18000 / hertz))), dtype=np.float64)
        gains = harmonics ** (self.slope / 6.0206) * np.where(harmonics % 2 == 0, self.even, 1.0)
        if self.body:
            centers, widths, peaks = zip(*self.body, strict=True)
            frequencies = (harmonics * hertz).astype(np.float32)
            gains = gains * (0.25 + resonances(centers, widths, peaks)(frequencies))
        phases = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, _MAX_HARMONICS)[: len(harmonics)]
        spectra = np.zeros((_LEVELS, _TABLE // 2 + 1), dtype=np.complex128)
        for level, (multiple, fixed) in enumerate(self.cutoffs):
            damping = 1.0 / (1.0 + (harmonics * hertz / (multiple * hertz + fixed)) ** 4)
            spectra[level, 1 : len(harmonics) + 1] = gains * damping * np.exp(1j * phases)
        tables = np.fft.irfft(spectra, _TABLE, axis=1)
        tables /= np.sqrt(np.mean(np.square(tables[-1]))) + 1e-12
        return np.concatenate([tables, tables[:, :1]], axis=1).astype(np.float32)

    def tone(self, hertz: float, duration: float, force: float) -> Samples:
        """Return one note; see ``Timbre.tone``."""
        gains = self.envelope.curve(duration)
        time = np.arange(len(gains), dtype=np.float32) / SAMPLE_RATE
        rate, cents, onset = self.vibrato
        sway = np.zeros_like(time)
        if cents > 0:
            grown = np.clip((time - onset) / 0.3, 0, 1)
            sway = np.sin(time * np.float32(2 * np.pi * rate)) * grown * np.float32(cents / 1200 * 0.6931)
        bright = self.brightness * (0.5 + 0.5 * force) + self.bite * np.exp(-time / np.float32(self.bite_seconds))
        level = np.clip(bright * (_LEVELS - 1), 0, _LEVELS - 1.001).astype(np.float32)
        lower = level.astype(np.int32)
        upward = level - lower
        row = lower * (_TABLE + 1)
        tables = self._tables(hertz).ravel()
        total = np.zeros_like(time)
        for index, detune in enumerate(self.detunes):
            speed = hertz * 2.0 ** (detune / 1200) / SAMPLE_RATE
            steps = np.full(len(time), speed) * (1.0 + sway) if cents > 0 else speed * np.ones(len(time))
            phase = (np.cumsum(steps) + 0.37 * index) % 1.0 * _TABLE
            place = phase.astype(np.int32)
            between = (phase - place).astype(np.float32)
            at = row + place
            dark = tables[at] * (1 - between) + tables[at + 1] * between
            at = at + (_TABLE + 1)
            light = tables[at] * (1 - between) + tables[at + 1] * between
            total += dark + (light - dark) * upward
        total *= gains * np.float32(0.25 / len(self.detunes) ** 0.5)
        if self.breath > 0:
            rng = np.random.default_rng([self.seed, int(hertz * 10)])
            air = colored_noise(rng, len(total), resonances([hertz * 2, hertz * 4], [hertz * 3, 3000], [1, 0.5]))
            total += air * gains * np.float32(self.breath * 0.25)
        return as_samples(total * np.float32(0.2 + 0.8 * force))


@dataclass(frozen=True)
class String(Timbre):
    """A plucked string: noise that circles through a damping filter."""

    sustain: float  # seconds to fall by 60 dB at 110 Hz
    softness: float  # 0 hard pick, 1 soft thumb; below 1.1
    damping: float  # 0..0.5, loss of high frequencies per turn
    position: float  # of the pick, as a fraction of the string
    body: tuple[tuple[float, float, float], ...]
    release: float
    drive: float  # 0 clean; above, the gain into a soft clipper
    cabinet: float  # hertz, low-pass behind the clipper
    seed: int

    def tone(self, hertz: float, duration: float, force: float) -> Samples:
        """Return one note; see ``Timbre.tone``."""
        rng = np.random.default_rng([self.seed, int(hertz * 10)])
        n_samples = int((duration + self.release) * SAMPLE_RATE)
        period = max(4, round(SAMPLE_RATE / hertz - self.damping))
        true_hertz = SAMPLE_RATE / (period + self.damping)
        n_needed = int(n_samples * hertz / true_hertz) + 2
        wave = rng.uniform(-1, 1, period)
        wave -= np.roll(wave, max(1, round(self.position * period)))
        shape = np.fft.rfft(wave)
        cutoff = (600 + 5400 * (1 - self.softness)) * (0.4 + 0.8 * force)
        wave = np.fft.irfft(shape / (1 + (np.arange(len(shape)) * hertz / cutoff) ** 2), period)
        wave /= np.sqrt(np.mean(np.square(wave))) + 1e-9
        loss = 10 ** (-3 / (self.sustain * (110 / hertz) ** 0.5 * hertz))
        turns = np.empty((n_needed // period + 1, period))
        for index in range(len(turns)):
            turns[index] = wave
            shifted = np.empty_like(wave)
            shifted[1:], shifted[0] = wave[:-1], wave[-1]
            wave = loss * ((1 - self.damping) * wave + self.damping * shifted)
        string = turns.ravel()
        read = np.arange(n_samples) * (hertz / true_hertz)
        samples = np.interp(read, np.arange(len(string)), string).astype(np.float32) * np.float32(0.2)
        n_held = int(duration * SAMPLE_RATE)
        n_tail = n_samples - n_held
        samples[n_held:] *= np.exp(np.arange(n_tail, dtype=np.float32) * np.float32(-6.0 / max(n_tail, 1)))
        if self.body:
            centers, widths, peaks = zip(*self.body, strict=True)
            shape_of_body = resonances(centers, widths, peaks)
            samples = samples * np.float32(0.5) + apply_response(samples, shape_of_body) * np.float32(0.5)
        if self.drive > 0:
            samples = np.tanh(samples * np.float32(self.drive)) * np.float32(0.3)
            samples = apply_response(samples, low_pass(self.cabinet, order=4))
        return as_samples(samples * np.float32(0.2 + 0.8 * force))


@dataclass(frozen=True)
class Bell(Timbre):
    """Two carriers, each modulated by one oscillator whose strength dies away."""

    ratios: tuple[float, float]
    indices: tuple[float, float]
    decays: tuple[float, float]  # of sound and of modulation, seconds at 440 Hz
    second_gain: float
    tremolo: tuple[float, float]  # hertz, depth
    release: float

    def tone(self, hertz: float, duration: float, force: float) -> Samples:
        """Return one note; see ``Timbre.tone``."""
        n_samples = int((duration + self.release) * SAMPLE_RATE)
        time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
        scale = float(np.clip((440 / hertz) ** 0.5, 0.4, 2.5))
        angle = ((np.arange(n_samples) * (hertz / SAMPLE_RATE)) % 1.0 * 2 * np.pi).astype(np.float32)
        fading = decay(n_samples, self.decays[1] * scale)
        first, second = (np.float32(index * (0.3 + 0.7 * force)) for index in self.indices)
        limit = np.float32(min(1.0, 7000 / (hertz * max(self.ratios))))
        steady = (np.arange(n_samples) * (hertz * self.ratios[0] / SAMPLE_RATE)) % 1.0 * 2 * np.pi
        upper = (np.arange(n_samples) * (hertz * self.ratios[1] / SAMPLE_RATE)) % 1.0 * 2 * np.pi
        total = np.sin(angle + first * limit * fading * np.sin(steady.astype(np.float32)))
        total += np.float32(self.second_gain) * np.sin(
            angle + second * limit * fading**2 * np.sin(upper.astype(np.float32))
        )
        gains = decay(n_samples, self.decays[0] * scale, attack=0.002)
        n_held = int(duration * SAMPLE_RATE)
        n_tail = n_samples - n_held
        gains[n_held:] *= np.exp(np.arange(n_tail, dtype=np.float32) * np.float32(-5.0 / max(n_tail, 1)))
        rate, depth = self.tremolo
        gains *= 1 - np.float32(depth) * (0.5 + 0.5 * np.sin(time * np.float32(2 * np.pi * rate)))
        return (total * gains * np.float32(0.3) * np.float32(0.2 + 0.8 * force)).astype(np.float32)


def _body(rng: np.random.Generator, low: float, high: float, count: int) -> tuple[tuple[float, float, float], ...]:
    centers = np.exp(rng.uniform(np.log(low), np.log(high), count))
    return tuple((float(c), float(c * rng.uniform(0.15, 0.6)), float(rng.uniform(0.4, 1.6))) for c in centers)


def _cutoffs(start: float, stop: float, fixed: float) -> tuple[tuple[float, float], ...]:
    return tuple((float(multiple), fixed) for multiple in np.geomspace(start, stop, _LEVELS))


def _draw_struck(rng: np.random.Generator) -> Timbre:
    spread = uniform(rng, 0.3, 2.0)
    return Wavetable(
        envelope=Envelope(0.002, uniform(rng, 2.0, 7.0), 0.0, uniform(rng, 0.08, 0.3)),
        slope=uniform(rng, -9, -5), even=uniform(rng, 0.7, 1.0), cutoffs=_cutoffs(1.5, 14, uniform(rng, 200, 900)),
        body=_body(rng, 120, 3000, 4), brightness=uniform(rng, 0.25, 0.6), bite=uniform(rng, 0.2, 0.6),
        bite_seconds=uniform(rng, 0.05, 0.6), vibrato=(5.0, 0.0, 0.0), detunes=(-spread, spread),
        breath=0.0, seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_organ(rng: np.random.Generator) -> Timbre:
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.005, 0.05), 1.0, 1.0, uniform(rng, 0.03, 0.25)),
        slope=uniform(rng, -8, -3), even=uniform(rng, 0.2, 1.0), cutoffs=_cutoffs(3, 16, 800.0),
        body=_body(rng, 200, 4000, 5), brightness=uniform(rng, 0.3, 0.9), bite=uniform(rng, 0.0, 0.2),
        bite_seconds=0.05, vibrato=(uniform(rng, 5.5, 7.2), uniform(rng, 0, 14), 0.0),
        detunes=(0.0, 1200.0 + uniform(rng, -1, 1)) if rng.random() < 0.6 else (0.0,),
        breath=uniform(rng, 0.0, 0.02), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_bowed(rng: np.random.Generator) -> Timbre:
    players = int(rng.integers(1, 4))
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.04, 0.2), 1.0, 0.85, uniform(rng, 0.1, 0.35)),
        slope=uniform(rng, -7, -4.5), even=uniform(rng, 0.8, 1.0), cutoffs=_cutoffs(2.5, 18, 600.0),
        body=_body(rng, 250, 4500, 6), brightness=uniform(rng, 0.4, 0.9), bite=uniform(rng, -0.2, 0.1),
        bite_seconds=0.1, vibrato=(uniform(rng, 4.8, 6.2), uniform(rng, 8, 30), 0.15),
        detunes=tuple(float(d) for d in rng.normal(0, 5.0, players)),
        breath=uniform(rng, 0.01, 0.06), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_brass(rng: np.random.Generator) -> Timbre:
    players = int(rng.integers(1, 4))
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.02, 0.07), 0.4, 0.8, uniform(rng, 0.05, 0.15)),
        slope=uniform(rng, -5, -2.5), even=1.0, cutoffs=_cutoffs(1.6, 12, 300.0), body=_body(rng, 400, 3000, 3),
        brightness=uniform(rng, 0.5, 0.9), bite=uniform(rng, -0.5, -0.15), bite_seconds=uniform(rng, 0.02, 0.08),
        vibrato=(uniform(rng, 4.5, 5.8), uniform(rng, 0, 14), 0.3),
        detunes=tuple(float(d) for d in rng.normal(0, 5.0, players)),
        breath=uniform(rng, 0.0, 0.03), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_reed(rng: np.random.Generator) -> Timbre:
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.015, 0.06), 0.5, 0.9, uniform(rng, 0.04, 0.12)),
        slope=uniform(rng, -6, -3), even=uniform(rng, 0.08, 1.0), cutoffs=_cutoffs(3, 14, 500.0),
        body=_body(rng, 500, 3500, 4), brightness=uniform(rng, 0.4, 0.9), bite=uniform(rng, -0.3, 0.2),
        bite_seconds=0.05, vibrato=(uniform(rng, 4.5, 6), uniform(rng, 4, 25), 0.2), detunes=(0.0,),
        breath=uniform(rng, 0.01, 0.09), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_flute(rng: np.random.Generator) -> Timbre:
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.03, 0.09), 0.5, 0.9, uniform(rng, 0.05, 0.15)),
        slope=uniform(rng, -16, -9), even=uniform(rng, 0.4, 1.0), cutoffs=_cutoffs(1.5, 8, 300.0), body=(),
        brightness=uniform(rng, 0.3, 0.8), bite=uniform(rng, -0.2, 0.2), bite_seconds=0.05,
        vibrato=(uniform(rng, 4.5, 5.8), uniform(rng, 5, 22), 0.2), detunes=(0.0,),
        breath=uniform(rng, 0.06, 0.3), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_lead(rng: np.random.Generator) -> Timbre:
    oscillators = int(rng.integers(1, 4))
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.002, 0.03), uniform(rng, 0.2, 1.0), uniform(rng, 0.3, 0.9), 0.1),
        slope=-6.0, even=float(rng.choice([1.0, 0.02, 0.5])), cutoffs=_cutoffs(1.5, 30, uniform(rng, 100, 2000)),
        body=(), brightness=uniform(rng, 0.3, 0.9), bite=uniform(rng, 0.0, 0.6),
        bite_seconds=uniform(rng, 0.04, 0.4), vibrato=(5.5, float(rng.choice([0.0, 15.0])), 0.2),
        detunes=tuple(float(d) for d in np.linspace(-1, 1, oscillators) * rng.uniform(3, 18)),
        breath=0.0, seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_pad(rng: np.random.Generator) -> Timbre:
    width = uniform(rng, 4, 14)
    return Wavetable(
        envelope=Envelope(uniform(rng, 0.1, 0.8), 2.0, uniform(rng, 0.7, 1.0), uniform(rng, 0.3, 0.9)),
        slope=uniform(rng, -9, -5), even=uniform(rng, 0.3, 1.0), cutoffs=_cutoffs(1.5, 12, uniform(rng, 200, 1500)),
        body=_body(rng, 300, 4000, int(rng.integers(0, 4))), brightness=uniform(rng, 0.2, 0.7),
        bite=uniform(rng, -0.4, 0.4), bite_seconds=uniform(rng, 0.3, 2.0), vibrato=(5.0, 0.0, 0.0),
        detunes=(-width, width * 0.9), breath=uniform(rng, 0.0, 0.02), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_synth_bass(rng: np.random.Generator) -> Timbre:
    return Wavetable(
        envelope=Envelope(0.003, uniform(rng, 0.15, 1.5), uniform(rng, 0.2, 0.9), uniform(rng, 0.03, 0.12)),
        slope=uniform(rng, -9, -5), even=float(rng.choice([1.0, 0.03])), cutoffs=_cutoffs(1.5, 20, 60.0), body=(),
        brightness=uniform(rng, 0.1, 0.6), bite=uniform(rng, 0.0, 0.6), bite_seconds=uniform(rng, 0.04, 0.25),
        vibrato=(5.0, 0.0, 0.0), detunes=(0.0,) if rng.random() < 0.6 else (-uniform(rng, 2, 9), 5.0),
        breath=0.0, seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_plucked(rng: np.random.Generator) -> Timbre:
    return String(
        sustain=uniform(rng, 1.5, 7.0), softness=uniform(rng, 0.0, 0.9), damping=uniform(rng, 0.05, 0.45),
        position=uniform(rng, 0.08, 0.35), body=_body(rng, 90, 1500, int(rng.integers(0, 5))),
        release=uniform(rng, 0.05, 0.2), drive=0.0, cabinet=5000.0, seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_bass_string(rng: np.random.Generator) -> Timbre:
    wood = ((uniform(rng, 55, 110), 90.0, uniform(rng, 1.0, 2.5)), (uniform(rng, 130, 280), 150.0, 0.6))
    return String(
        sustain=uniform(rng, 2.0, 8.0), softness=uniform(rng, 1.02, 1.08), damping=uniform(rng, 0.3, 0.5),
        position=uniform(rng, 0.15, 0.4), body=wood, release=uniform(rng, 0.04, 0.15), drive=0.0, cabinet=5000.0,
        seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_driven(rng: np.random.Generator) -> Timbre:
    return String(
        sustain=uniform(rng, 6.0, 14.0), softness=uniform(rng, 0.0, 0.6), damping=uniform(rng, 0.05, 0.3),
        position=uniform(rng, 0.08, 0.3), body=(), release=uniform(rng, 0.04, 0.1), drive=uniform(rng, 4, 30),
        cabinet=uniform(rng, 2800, 6000), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_bell(rng: np.random.Generator) -> Timbre:
    return Bell(
        ratios=(float(rng.choice([1.0, 2.0, 3.0, 3.5])), float(rng.choice([5.0, 7.07, 11.0, 14.0]))),
        indices=(uniform(rng, 0.3, 2.0), uniform(rng, 0.1, 1.2)),
        decays=(uniform(rng, 1.2, 5.0), uniform(rng, 0.3, 2.0)), second_gain=uniform(rng, 0.1, 0.7),
        tremolo=(uniform(rng, 4, 7), float(rng.choice([0.0, 0.0, 0.35]))), release=uniform(rng, 0.1, 0.8),
    )  # fmt: skip


TIMBRES: dict[Family, Callable[[np.random.Generator], Timbre]] = {
    Family.STRUCK: _draw_struck,
    Family.BELL: _draw_bell,
    Family.ORGAN: _draw_organ,
    Family.PLUCKED: _draw_plucked,
    Family.BASS_STRING: _draw_bass_string,
    Family.DRIVEN: _draw_driven,
    Family.BOWED: _draw_bowed,
    Family.BRASS: _draw_brass,
    Family.REED: _draw_reed,
    Family.FLUTE: _draw_flute,
    Family.LEAD: _draw_lead,
    Family.PAD: _draw_pad,
    Family.SYNTH_BASS: _draw_synth_bass,
}
"""How to draw a timbre of each pitched family."""
