"""Singers: melodies sung on vowels and simple consonants, with a source and a filter.

The source is a band-limited glottal pulse (Rosenberg, "Effect of Glottal Pulse Shape on the Quality of
Natural Vowels", JASA 1971) with glides, vibrato, jitter, shimmer and breath; the filter is a cascade of
five formants that move from vowel to vowel (values around Peterson and Barney, "Control Methods Used in a
Study of the Vowels", JASA 1952). Consonants are noise bursts, hums and formant glides.

Axes: T frames of ``_HOP`` samples, F bins, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from unbraid.datasets.instruments import Instrument
from unbraid.datasets.spectral import (
    SAMPLE_RATE,
    Samples,
    add_at,
    as_samples,
    band,
    colored_noise,
    decay,
    resonances,
    slow_noise,
    times,
)
from unbraid.guides.notes import Note

_HOP = 256
_N_FFT = 1024
_REST = 0.7  # seconds of silence that end a phrase
_LEAD_IN, _LEAD_OUT = 0.35, 0.3  # seconds around a phrase, for breathing
_FRAME_RATE = SAMPLE_RATE / _HOP

_VOWELS: tuple[tuple[float, ...], ...] = (
    (730, 1090, 2440, 3400, 4400),  # ah
    (270, 2290, 3010, 3600, 4500),  # ee
    (300, 870, 2240, 3300, 4300),  # oo
    (530, 1840, 2480, 3500, 4400),  # eh
    (570, 840, 2410, 3300, 4300),  # aw
    (660, 1720, 2410, 3500, 4500),  # ae
    (500, 1450, 2450, 3400, 4400),  # uh
    (390, 1990, 2550, 3500, 4500),  # ih
    (450, 950, 2350, 3300, 4300),  # oh
    (490, 1350, 1690, 3200, 4300),  # er
)
_GLIDES: tuple[tuple[float, ...], ...] = (
    (290, 620, 2150, 3200, 4200),  # w
    (260, 2200, 3000, 3700, 4500),  # y
    (360, 1150, 2750, 3400, 4400),  # l
    (420, 1250, 1600, 3100, 4200),  # r
)
_NASALS: tuple[tuple[float, ...], ...] = (
    (260, 1050, 2200, 3100, 4200),  # m
    (270, 1500, 2450, 3200, 4200),  # n
)
_BANDWIDTHS = (70.0, 90.0, 130.0, 190.0, 260.0)
_UPPER = (5400.0, 6500.0, 7700.0, 9000.0, 10500.0, 12200.0)  # further resonances of the throat, alike in all vowels


@dataclass(frozen=True)
class _Noise:
    """A consonant made of noise: its band in hertz, length in seconds, gain, and whether it is a burst."""

    low: float
    high: float
    seconds: float
    gain: float
    burst: bool


_NOISES = (
    _Noise(5200, 9500, 0.11, 0.30, burst=False),  # s
    _Noise(2300, 6500, 0.11, 0.30, burst=False),  # sh
    _Noise(1500, 11000, 0.09, 0.11, burst=False),  # f
    _Noise(3200, 8000, 0.035, 0.57, burst=True),  # t
    _Noise(1500, 3400, 0.045, 0.49, burst=True),  # k
    _Noise(400, 1600, 0.030, 0.49, burst=True),  # p
    _Noise(2600, 7000, 0.070, 0.42, burst=True),  # ch
)


@dataclass(frozen=True)
class Singer:
    """A drawn voice.

    ``formants`` scales all formant frequencies (1 for a tall man), ``vibrato`` is its rate in hertz, depth
    in cents and onset in seconds, ``glide`` the length of slides in seconds, ``breath`` and ``press`` run
    from 0 to 1, ``clarity`` is the share of syllables with a consonant.
    """

    formants: float
    vibrato: tuple[float, float, float]
    glide: float
    scoop: float
    breath: float
    press: float
    clarity: float
    drift: float
    warmth: float
    air: float
    vowels: tuple[int, ...]


def draw_singer(rng: np.random.Generator, instrument: Instrument) -> Singer:
    """Draw a voice for one of the singers in the table of instruments; higher ranges get shorter throats."""
    middle = (instrument.low + instrument.high) / 2
    throat = float(np.interp(middle, [50.0, 64.5, 68.5], [1.0, 1.17, 1.32]))
    return Singer(
        formants=throat * float(rng.uniform(0.93, 1.08)),
        vibrato=(float(rng.uniform(4.6, 6.6)), float(rng.choice([10, 25, 45, 70])), float(rng.uniform(0.1, 0.5))),
        glide=float(rng.uniform(0.03, 0.11)),
        scoop=float(rng.uniform(0.0, 0.5)),
        breath=float(rng.beta(1.5, 4.0)),
        press=float(rng.uniform(0.0, 1.0)),
        clarity=float(rng.uniform(0.6, 1.0)),
        drift=float(rng.uniform(5.0, 25.0)),
        warmth=float(rng.uniform(0.3, 3.0)),
        air=float(10 ** (rng.uniform(-46, -27) / 20)),
        vowels=tuple(int(index) for index in rng.permutation(len(_VOWELS))[: int(rng.integers(3, 9))]),
    )


@dataclass
class _Tracks:
    """Control curves at the frame rate, filled syllable by syllable."""

    semitones: Samples  # [T]
    voiced: Samples  # [T]
    breath: Samples  # [T]
    formants: Samples  # [T, 5]


def _ramp(target: Samples, first: int, last: int, start: npt.ArrayLike, stop: npt.ArrayLike) -> None:
    """Write a straight line from start to stop into target[first:last]."""
    first, last = max(first, 0), min(last, len(target))
    if last > first:
        weight = np.linspace(0, 1, last - first, dtype=np.float32).reshape(-1, *([1] * (target.ndim - 1)))
        target[first:last] = np.asarray(start) * (1 - weight) + np.asarray(stop) * weight


def _sing_syllable(
    rng: np.random.Generator, singer: Singer, tracks: _Tracks, note: Note, legato: bool, bursts: Samples
) -> None:
    """Write one note into the control curves, and its noisy consonant into the bursts."""
    first, last = int(note.start * _FRAME_RATE), int(np.ceil(note.stop * _FRAME_RATE))
    vowel = np.asarray(_VOWELS[singer.vowels[int(rng.integers(len(singer.vowels)))]], np.float32)
    loud = 0.35 + 0.65 * note.velocity / 127
    n_attack = max(2, int(rng.uniform(0.02, 0.06) * _FRAME_RATE))
    n_release = max(3, int(rng.uniform(0.05, 0.12) * _FRAME_RATE))
    onset = vowel
    kind = int(rng.choice([0, 0, 1, 2, 3])) if rng.random() < singer.clarity else 4
    tracks.semitones[first : last + n_release] = note.pitch
    if not legato and rng.random() < singer.scoop:
        _ramp(
            tracks.semitones, first - 2, first + int(0.09 * _FRAME_RATE), note.pitch - rng.uniform(0.5, 2.5), note.pitch
        )
    before = loud * 0.9 if legato else 0.0
    if kind == 0:  # noise before the vowel
        noise = _NOISES[int(rng.integers(len(_NOISES)))]
        n_samples = int(noise.seconds * rng.uniform(0.7, 1.3) * SAMPLE_RATE)
        sound = colored_noise(rng, n_samples, band(noise.low * singer.formants**0.5, noise.high))
        shape = decay(n_samples, noise.seconds) if noise.burst else np.hanning(n_samples).astype(np.float32)
        add_at(bursts, int(note.start * SAMPLE_RATE) - n_samples, sound * shape, gain=noise.gain * loud)
        gap = int(n_samples / _HOP) + 1
        _ramp(tracks.voiced, first - gap - 4, first - gap, before, 0.0)
        tracks.voiced[max(0, first - gap) : first] = 0.0
        before = 0.0
        tracks.breath[first : first + n_attack * 2] += 0.1
    elif kind == 1:  # a hum
        onset = np.asarray(_NASALS[int(rng.integers(2))], np.float32)
        n_hum = int(0.07 * _FRAME_RATE)
        tracks.formants[max(0, first - n_hum) : first] = onset * singer.formants
        tracks.semitones[max(0, first - n_hum) : first] = note.pitch
        _ramp(tracks.voiced, first - n_hum, first, before * 0.4, 0.3 * loud)
        before = 0.3 * loud
    elif kind == 2:  # a glide
        onset = np.asarray(_GLIDES[int(rng.integers(4))], np.float32)
        before *= 0.6
    elif kind == 3:  # h
        tracks.breath[max(0, first - int(0.06 * _FRAME_RATE)) : first + n_attack] += 0.35 * loud
        before = 0.0
    tracks.voiced[first:last] = loud
    _ramp(tracks.voiced, first, first + n_attack, before, loud)
    swell = 1 + 0.15 * rng.uniform(-1, 1) * np.sin(np.linspace(0, np.pi, max(last - first, 1)))
    tracks.voiced[first:last] *= swell[: len(tracks.voiced[first:last])]
    _ramp(tracks.voiced, last, last + n_release, tracks.voiced[min(last, len(tracks.voiced)) - 1], 0.0)
    tracks.formants[first : last + n_release] = vowel * singer.formants
    _ramp(tracks.formants, first, first + int(0.06 * _FRAME_RATE), onset * singer.formants, vowel * singer.formants)
    if note.duration > 0.5 and rng.random() < 0.3:  # a diphthong
        end = np.asarray(_VOWELS[singer.vowels[int(rng.integers(len(singer.vowels)))]], np.float32)
        _ramp(tracks.formants, last - int(0.2 * _FRAME_RATE), last, vowel * singer.formants, end * singer.formants)
        tracks.formants[last : last + n_release] = end * singer.formants


def _smooth(curve: Samples, seconds: float) -> Samples:
    """Average over a raised cosine along the first axis."""
    width = max(3, int(seconds * _FRAME_RATE) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(curve, [(width // 2, width // 2)] + [(0, 0)] * (curve.ndim - 1), mode="edge")
    columns = padded.reshape(len(padded), -1)
    out = np.stack([np.convolve(columns[:, i], kernel, mode="valid") for i in range(columns.shape[1])], axis=1)
    return out.reshape(curve.shape).astype(np.float32)


def _glottal_tables(press: float) -> Samples:
    """Return ``[7, 2049]`` one-cycle pulses, each with half as many harmonics as the one before."""
    size = 2048
    opening = 0.45 - 0.12 * press
    closing = 0.16 - 0.13 * press
    time = np.arange(size) / size
    rising = 0.5 * (1 - np.cos(np.pi * time / opening))
    falling = np.cos(0.5 * np.pi * (time - opening) / closing)
    flow = np.where(time < opening, rising, np.where(time < opening + closing, falling, 0.0))
    spectrum = np.fft.rfft(np.diff(flow, append=flow[0]))
    rows = []
    for level in range(7):
        limited = spectrum.copy()
        limited[0] = 0
        limited[max(2, 400 >> level) :] = 0
        rows.append(np.fft.irfft(limited, size))
    tables = np.stack(rows)
    tables /= np.sqrt(np.mean(np.square(tables[0])))
    return np.concatenate([tables, tables[:, :1]], axis=1).astype(np.float32)


def _lift(curve: npt.NDArray[Any], n_samples: int) -> Samples:
    """Interpolate ``[T]`` frames to ``[N]`` samples."""
    weight = np.arange(_HOP, dtype=np.float32) / _HOP
    first = as_samples(curve[:-1])[:, None]
    step = as_samples(np.diff(curve))[:, None]
    return as_samples((first + step * weight).ravel()[:n_samples])


def _pitch(rng: np.random.Generator, singer: Singer, tracks: _Tracks) -> tuple[Samples, Samples]:
    """Return the frequency in hertz and the sway of the vibrato (-1..1), both ``[T]``."""
    n_frames = len(tracks.semitones)
    rate, depth, onset = singer.vibrato
    index = np.arange(n_frames)
    changed = np.abs(np.diff(tracks.semitones, prepend=-1)) > 0.3
    since = (index - np.maximum.accumulate(np.where(changed, index, 0))) / _FRAME_RATE
    grown = np.clip((since - onset) / 0.4, 0, 1)
    turns = np.cumsum(rate * (1 + 0.06 * rng.standard_normal(n_frames))) / _FRAME_RATE
    sway = np.sin(2 * np.pi * turns) * grown
    wander = _smooth(as_samples(rng.standard_normal(n_frames)), 0.35) * 6
    cents = depth * sway + singer.drift * wander + 5.0 * rng.standard_normal(n_frames)
    semitones = _smooth(tracks.semitones, singer.glide) + cents / 100
    return as_samples(440.0 * 2.0 ** ((semitones - 69) / 12)), as_samples(sway)


def _source(rng: np.random.Generator, singer: Singer, tracks: _Tracks, n_samples: int) -> Samples:
    """Return ``[N]``: pulses and breath before the throat."""
    hertz, sway = _pitch(rng, singer, tracks)
    shimmer = 1 + 0.04 * rng.standard_normal(len(hertz)) + 0.08 * sway * (singer.vibrato[1] / 70)
    voiced = _lift(_smooth(tracks.voiced, 0.015) * shimmer, n_samples)
    breath = _lift(_smooth(tracks.breath + tracks.voiced * (0.06 + 0.5 * singer.breath), 0.02), n_samples)
    phase = as_samples(np.cumsum(_lift(hertz, n_samples), dtype=np.float64) / SAMPLE_RATE % 1.0)
    # level l holds 400 >> l harmonics, all below 20 kHz while hertz < 50 * 2 ** l
    levels = np.clip(np.ceil(np.log2(hertz / 50.0)), 0, 6).astype(np.int32)
    place = phase * np.float32(2048)
    low = np.minimum(place.astype(np.int32), 2047)
    tables = _glottal_tables(singer.press).ravel()
    index = np.repeat(levels, _HOP)[:n_samples] * 2049 + low
    part = place - low
    pulses = tables[index] * (1 - part) + tables[index + 1] * part
    noise = rng.standard_normal(n_samples + 1, dtype=np.float32)
    noise = (noise[1:] - np.float32(0.8) * noise[:-1]) * np.float32(1.6)  # air is brighter than a white noise
    noise *= np.float32(0.6) + np.float32(0.4) * np.cos(phase * np.float32(2 * np.pi))
    return as_samples(pulses * voiced + noise * breath)


def _throat(source: Samples, singer: Singer, formants: Samples) -> Samples:
    """Filter ``[N]`` with moving formants ``[T, 5]``."""
    n_frames = len(formants)
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    frequencies = np.fft.rfftfreq(_N_FFT, 1 / SAMPLE_RATE).astype(np.float32)
    padded = np.zeros((n_frames - 1) * _HOP + _N_FFT, np.float32)
    offset = _N_FFT // 2
    length = min(len(source), len(padded) - offset)
    padded[offset : offset + length] = source[:length]
    result = np.zeros_like(padded)
    warm = 1 + singer.warmth / (1 + (frequencies / 300) ** 2)
    fixed = (warm * frequencies / (frequencies + 50)).astype(np.complex64)
    for center in _UPPER:
        pole = np.float32((center * singer.formants) ** 2)
        fixed *= pole / (pole - np.square(frequencies) + 1j * np.float32(0.12 * center) * frequencies)
    for first in range(0, n_frames, 1024):
        part = formants[first : first + 1024]
        strided = np.lib.stride_tricks.sliding_window_view(padded[first * _HOP :], _N_FFT)[::_HOP][: len(part)]
        spectra = np.fft.rfft(strided * window, axis=1).astype(np.complex64)
        response = np.broadcast_to(fixed, spectra.shape).copy()
        for index, width in enumerate(_BANDWIDTHS):
            square = np.square(part[:, index : index + 1])
            wide = np.float32(width * (1 + 0.5 * singer.breath) * singer.formants)
            response *= square / (square - np.square(frequencies) + 1j * wide * frequencies)
        frames = np.fft.irfft(spectra * response, _N_FFT, axis=1).astype(np.float32) * window
        for quarter in range(_N_FFT // _HOP):
            columns = frames[:, quarter * _HOP : (quarter + 1) * _HOP].ravel()
            start = (first + quarter) * _HOP
            result[start : start + len(columns)] += columns
    return result[offset : offset + len(source)] * np.float32(2.0 / 3.0)


def _sing_phrase(
    rng: np.random.Generator, notes: Sequence[Note], singer: Singer, n_samples: int
) -> tuple[Samples, Samples, Samples]:
    """Return the voice, its hiss and its consonants for notes without a rest between them, each ``[N]``."""
    n_frames = n_samples // _HOP + 2
    tracks = _Tracks(
        semitones=np.full(n_frames, notes[0].pitch, np.float32),
        voiced=np.zeros(n_frames, np.float32),
        breath=np.zeros(n_frames, np.float32),
        formants=np.tile(as_samples(_VOWELS[6]) * np.float32(singer.formants), (n_frames, 1)),
    )
    bursts = np.zeros(n_samples, np.float32)
    inhaled = slice(0, int(notes[0].start * _FRAME_RATE) - 8)
    tracks.breath[inhaled] += 0.05 * rng.random()
    previous_stop = -1.0
    for note in notes:
        _sing_syllable(rng, singer, tracks, note, note.start - previous_stop < 0.1, bursts)
        previous_stop = note.stop
    formants = _smooth(tracks.formants, 0.05)
    formants[:, 0] = np.maximum(formants[:, 0], 440.0 * 2.0 ** ((tracks.semitones - 69) / 12) * 1.05)
    voice = _throat(_source(rng, singer, tracks, n_samples), singer, formants)
    upper = np.asarray(_UPPER) * singer.formants * rng.uniform(0.9, 1.1, len(_UPPER))
    color = times(band(3000, 12500), resonances(upper, np.full(len(upper), 900.0), 1 / upper))
    loudness = _lift(_smooth(tracks.voiced + tracks.breath, 0.03), n_samples)
    flutter = 1 + np.float32(0.6) * slow_noise(rng, n_samples, 5.0)
    return voice, as_samples(colored_noise(rng, n_samples, color) * loudness * flutter), bursts


def _phrases(notes: Sequence[Note], stop: float) -> Iterator[list[Note]]:
    """Cut a melody at its rests, and every note where the next one starts: there is one throat."""
    phrase: list[Note] = []
    for index, note in enumerate(notes):
        room = (notes[index + 1].start if index + 1 < len(notes) else stop) - note.start
        if room < 0.04:
            continue
        if phrase and note.start - phrase[-1].stop > _REST:
            yield phrase
            phrase = []
        phrase.append(replace(note, duration=min(note.duration, room)))
    if phrase:
        yield phrase


def sing(notes: Sequence[Note], singer: Singer, *, n_samples: int, seed: int) -> Samples:
    """Sing a melody.

    Args:
        notes: in time order; a note ends where the next one starts.
        singer: the voice.
        n_samples: length of the result.
        seed: of the syllables, and of everything that trembles.

    Returns:
        ``[N]`` float32 samples; the voice has an RMS of 0.2 while it sounds.
    """
    rng = np.random.default_rng([seed, 7])
    sung = []
    for phrase in _phrases(notes, n_samples / SAMPLE_RATE):
        start = max(0, int((phrase[0].start - _LEAD_IN) * SAMPLE_RATE))
        stop = int((phrase[-1].stop + _LEAD_OUT) * SAMPLE_RATE)
        moved = [replace(note, start=note.start - start / SAMPLE_RATE) for note in phrase]
        sung.append((start, *_sing_phrase(rng, moved, singer, stop - start)))
    result = np.zeros(n_samples, np.float32)
    loud = [voice[np.abs(voice) > 1e-4] for _, voice, _, _ in sung]
    energy = sum(float(np.sum(np.square(part, dtype=np.float64))) for part in loud)
    level = np.sqrt(energy / max(1, sum(len(part) for part in loud)))
    for start, voice, hiss, bursts in sung:
        scaled = voice * np.float32(0.2 / max(float(level), 1e-9))
        add_at(result, start, scaled + hiss * np.float32(0.2 * singer.air) + bursts)
    return result
