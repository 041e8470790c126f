"""A melody hummed, sung on vowels or whistled, as people do who show which sound they mean.

A sum of harmonics whose amplitudes follow the slope of the source, the formants of the throat (values around
Peterson and Barney, "Control Methods Used in a Study of the Vowels", JASA 1952) and the notes; breath, room and
microphone come on top. Everything random that is not in the draw hangs on its seed.

Axes: T frames of 4 ms, K harmonics, N samples, F bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unbraid.errors import GuideError
from unbraid.guides.notes import Note
from unbraid.guides.voice_draws import VoiceDraw

Samples = npt.NDArray[np.float32]

_FRAME_RATE = 250  # control frames in a second
_MAX_HARMONICS = 72
_VOWELS = np.asarray(
    [
        (730, 1090, 2440, 3400),  # ah
        (270, 2290, 3010, 3600),  # ee
        (300, 870, 2240, 3300),  # oo
        (530, 1840, 2480, 3500),  # eh
        (570, 840, 2410, 3300),  # aw
        (500, 1450, 2450, 3400),  # uh
        (450, 950, 2350, 3300),  # oh
    ],
    np.float32,
)
_VOWEL_GAINS = np.asarray(  # of the formants, relative to the slope of the source: their levels in the same study
    [
        (1.0, 0.94, 0.15, 0.08),
        (1.0, 0.85, 0.70, 0.35),
        (1.0, 0.46, 0.07, 0.04),
        (1.0, 0.62, 0.37, 0.20),
        (1.0, 0.66, 0.08, 0.05),
        (1.0, 0.80, 0.25, 0.12),
        (1.0, 0.60, 0.11, 0.06),
    ],
    np.float32,
)
_NASAL = np.asarray((260, 1000, 2200, 3100), np.float32)
_NASAL_GAINS = np.asarray((1.0, 0.12, 0.05, 0.03), np.float32)
_BANDWIDTHS = np.asarray((80.0, 100.0, 150.0, 220.0), np.float32)


@dataclass(frozen=True)
class VoiceCurves:
    """What a voice does over time.

    ``hertz`` ``[T]`` is the pitch (it goes on through rests), ``level`` ``[T]`` the amplitude from 0, ``vowel``
    ``[T]`` the index of the vowel; frames are ``hop`` samples apart.
    """

    hertz: Samples
    level: Samples
    vowel: npt.NDArray[np.int64]
    hop: int


def imitate(notes: Sequence[Note], draw: VoiceDraw, *, duration: float, sample_rate: int) -> Samples:
    """Return a voice that imitates a melody.

    Args:
        notes: by onset, counted from the start of the window.
        draw: of `draw_voice` for these notes.
        duration: of the result, in seconds.
        sample_rate: of the result, in hertz.

    Returns:
        ``[N]`` float32 samples; the voice has an RMS of 1 while it sounds. Zeros if no note is left to be sung.

    Raises:
        GuideError: if the draw was made for another number of notes.

    Example:
        >>> from unbraid.guides.voice_draws import draw_voice
        >>> melody = [Note(0.1, 0.4, 57, 90), Note(0.5, 0.4, 60, 90)]
        >>> drawn = draw_voice(melody, np.random.default_rng(0))
        >>> imitate(melody, drawn, duration=1.0, sample_rate=16000).shape
        (16000,)
    """
    n_samples = round(duration * sample_rate)
    rng = np.random.default_rng([draw.seed, 1])
    curves = follow(notes, draw, duration=duration, sample_rate=sample_rate)
    level = _lift(curves.level, curves.hop, n_samples)
    if not level.any():
        return level
    sounding = level > 0.1 * level.max(initial=1e-9)
    tonal = _harmonics(curves, draw, n_samples, sample_rate)
    tonal /= np.float32(_rms(tonal[sounding]))
    breath = _noise(rng, n_samples, _breath_color(draw, curves, n_samples, sample_rate))
    tonal += breath * (level / max(_rms(level[sounding]), 1e-9)) * np.float32(10 ** (draw.breath_db / 20))
    heard = _in_room(tonal, draw, rng, sample_rate)
    heard /= np.float32(_rms(heard[sounding]))
    floor = _noise(rng, n_samples, _microphone(draw, n_samples, sample_rate, tilt=draw.floor_tilt))
    return heard + floor * np.float32(10 ** (draw.floor_db / 20))


def follow(notes: Sequence[Note], draw: VoiceDraw, *, duration: float, sample_rate: int) -> VoiceCurves:
    """Return the pitch and the level of a voice that imitates a melody.

    Args:
        notes: by onset, counted from the start of the window.
        draw: of `draw_voice` for these notes.
        duration: of the window, in seconds.
        sample_rate: of the sound that is made from it, in hertz.

    Raises:
        GuideError: if the draw was made for another number of notes.
    """
    if len(notes) != len(draw.notes):
        raise GuideError(f"the voice was drawn for {len(draw.notes)} notes, and {len(notes)} are given: draw again")
    hop = max(1, round(sample_rate / _FRAME_RATE))
    rate = sample_rate / hop
    n_frames = int(np.ceil(duration * rate)) + 2
    rng = np.random.default_rng([draw.seed, 0])
    sung = _timed(notes, draw, duration)
    level = np.zeros(n_frames, np.float32)
    semitones = np.zeros(n_frames, np.float32)
    bow = np.zeros(n_frames, np.float32)  # scoops and falls
    vowel = np.zeros(n_frames, np.int64)
    since = np.full(n_frames, np.float32(9.0))
    starts = [0, *(_frame(first, rate, n_frames) for first, _, _ in sung[1:]), n_frames]
    for (first, last, index), begin, end in zip(sung, starts, starts[1:], strict=False):
        note = draw.notes[index]
        semitones[begin:end] = notes[index].pitch + note.semitones + note.cents / 100
        vowel[begin:end] = note.vowel
        at, stop = _frame(first, rate, n_frames), _frame(last, rate, n_frames)
        since[at:end] = np.arange(end - at, dtype=np.float32) / rate
        _bend(bow, at, min(stop, at + int(0.12 * rate)), -note.scoop, 0.0)
        _bend(bow, max(at, stop - int(0.1 * rate)), min(end, stop + int(draw.release * rate)), 0.0, -note.fall)
        gain_db = draw.accent * (0.1 * (notes[index].velocity - 90) + note.gain_db)
        level[at:stop] = 10 ** ((gain_db - draw.decay_db * since[at:stop]) / 20)
        dip = max(1, int(0.02 * rate))
        level[max(begin, at - dip) : at] *= np.float32(10 ** (-draw.dip_db / 20))
    time = np.arange(n_frames) / rate
    sway = draw.vibrato * np.clip((since - draw.vibrato_onset) / 0.3, 0, 1)
    turns = np.cumsum(draw.vibrato_rate * (1 + 0.1 * _wander(rng, n_frames, 1.5, rate))) / rate
    cents = sway * np.sin(2 * np.pi * turns) + draw.drift * _wander(rng, n_frames, 1.2, rate)
    cents += draw.jitter * _wander(rng, n_frames, 25.0, rate)
    pitch = _smooth(semitones, draw.glide, rate) + _smooth(bow, 0.02, rate) + cents / 100
    swell = 10 ** (draw.swell_db * _wander(rng, n_frames, 1.5, rate) / 20)
    softened = _soften(level, draw.attack, draw.release, rate) * swell * (time < duration + 1 / rate)
    hertz = np.clip(440.0 * 2.0 ** ((pitch - 69) / 12), 40.0, 0.45 * sample_rate)
    return VoiceCurves(hertz.astype(np.float32), softened.astype(np.float32), vowel, hop)


def _timed(notes: Sequence[Note], draw: VoiceDraw, duration: float) -> list[tuple[float, float, int]]:
    """Return start, stop and index of the notes that are sung: in their own time, one after the other."""
    middle = duration / 2
    spans = []
    for index, (note, drawn) in enumerate(zip(notes, draw.notes, strict=True)):
        first, last = (max(0.0, middle + (at - middle) * draw.stretch + drawn.late) for at in (note.start, note.stop))
        if not drawn.missing and first < duration:
            spans.append((first, max(last, first + 0.06), index))
    spans.sort()
    ends = [first for first, _, _ in spans[1:]] + [duration]
    sung = []
    for (first, last, index), end in zip(spans, ends, strict=False):
        stop = end if last > end - draw.bridge and end < duration else min(last, end)
        if stop > first:
            sung.append((first, stop, index))
    return sung


def _frame(seconds: float, rate: float, n_frames: int) -> int:
    return min(max(round(seconds * rate), 0), n_frames)


def _bend(curve: Samples, first: int, last: int, start: float, stop: float) -> None:
    """Add a straight line from start to stop to curve[first:last]."""
    if last > first and (start or stop):
        curve[first:last] += np.linspace(start, stop, last - first, dtype=np.float32)


def _smooth(curve: Samples, seconds: float, rate: float) -> Samples:
    """Average ``[T]`` over a raised cosine; edges hold their value."""
    width = max(1, round(seconds * rate / 2))
    kernel = np.hanning(2 * width + 1)[1:-1]
    padded = np.pad(curve, width - 1, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float32)


def _soften(level: Samples, attack: float, release: float, rate: float) -> Samples:
    """Let ``[T]`` levels rise and fall over the given seconds, each as an exponential approach."""
    up, down = (1 - np.exp(-2.2 / max(1.0, seconds * rate)) for seconds in (attack, release))
    now, soft = 0.0, []
    for value in level.tolist():
        now += (up if value > now else down) * (value - now)
        soft.append(now)
    return np.asarray(soft, np.float32)


def _wander(rng: np.random.Generator, n_frames: int, turns: float, rate: float) -> Samples:
    """Return ``[T]`` smooth random values with a spread of about 1 that turn ``turns`` times a second."""
    knots = rng.standard_normal(int(n_frames / rate * turns * 2) + 4)
    place = np.arange(n_frames) * (turns * 2 / rate)
    index = place.astype(np.int64)
    part = place - index
    part = part * part * (3 - 2 * part)
    return np.asarray(knots[index] * (1 - part) + knots[index + 1] * part, np.float32)


def _lift(curve: Samples, hop: int, n_samples: int) -> Samples:
    """Interpolate ``[T]`` frames to ``[N]`` samples."""
    weight = np.arange(hop, dtype=np.float32) / np.float32(hop)
    return np.asarray((curve[:-1, None] + np.diff(curve)[:, None] * weight).ravel()[:n_samples], np.float32)


def _gains(frequencies: Samples, draw: VoiceDraw, vowel: npt.NDArray[np.int64], rate: float) -> Samples:
    """Return the amplitudes ``[T, K]`` of harmonics at the given frequencies ``[T, K]``."""
    octaves = np.log2(frequencies / frequencies[:, :1])
    slope = np.asarray(np.exp2(octaves * np.float32(draw.tilt / 6.0206)), np.float32)
    if draw.kind == "whistle":
        return slope
    if draw.kind == "hum":
        formants, weights = (np.broadcast_to(fixed, (len(vowel), 4)) for fixed in (_NASAL, _NASAL_GAINS))
    else:
        formants, weights = (
            np.stack([_smooth(column, 0.08, rate) for column in table[vowel].T], axis=1)
            for table in (_VOWELS, _VOWEL_GAINS)
        )
    formants = formants * np.float32(draw.throat)
    total = np.full_like(frequencies, 0.02)
    for index, width in enumerate(_BANDWIDTHS * np.float32(draw.throat)):
        center = formants[:, index : index + 1]
        offset = (frequencies - center) * (2 / width)
        total += weights[:, index : index + 1] / np.sqrt(1 + offset * offset)
    return slope * total


def _harmonics(curves: VoiceCurves, draw: VoiceDraw, n_samples: int, sample_rate: int) -> Samples:
    """Return ``[N]``: the sum of the harmonics, none of which comes near the Nyquist frequency."""
    hertz, hop = curves.hertz, curves.hop
    active = hertz[curves.level > 1e-4]
    lowest = float(active.min()) if len(active) else 100.0
    n_harmonics = max(1, min(_MAX_HARMONICS, int(0.48 * sample_rate / lowest)))
    frequencies = np.outer(hertz, np.arange(1, n_harmonics + 1)).astype(np.float32)
    room_above = np.float32(0.5) - frequencies / np.float32(sample_rate)
    amplitudes = _gains(frequencies, draw, curves.vowel, sample_rate / hop)
    amplitudes *= np.clip((room_above - np.float32(0.01)) * 50, 0, 1) * curves.level[:, None]
    turns = np.cumsum(_lift(hertz, hop, (len(hertz) - 1) * hop), dtype=np.float64) / sample_rate
    angle = ((turns % 1.0) * (2 * np.pi)).astype(np.float32).reshape(-1, hop)
    once = np.cos(angle) + 1j * np.sin(angle)
    wave, total = once.copy(), np.zeros(angle.shape, np.float32)
    weight = np.arange(hop, dtype=np.float32) / np.float32(hop)
    steps = np.diff(amplitudes, axis=0)
    part = np.empty_like(total)
    for index in range(n_harmonics):
        np.multiply(steps[:, index, None], weight, out=part)
        part += amplitudes[:-1, index, None]
        part *= wave.imag
        total += part
        wave *= once
    return total.ravel()[:n_samples]


def _noise(rng: np.random.Generator, n_samples: int, color: Samples) -> Samples:
    """Return ``[N]`` noise with an RMS of 1 whose spectrum has the magnitudes ``[F]``."""
    spectrum = rng.standard_normal((2, len(color)), dtype=np.float32)
    noise = np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * color)[:n_samples].astype(np.float32)
    return noise / np.float32(_rms(noise))


def _bins(n_samples: int, sample_rate: int) -> Samples:
    return np.fft.rfftfreq(_fft_size(n_samples), 1 / sample_rate).astype(np.float32)


def _breath_color(draw: VoiceDraw, curves: VoiceCurves, n_samples: int, sample_rate: int) -> Samples:
    """Return the spectrum ``[F]`` of the breath: air through the throat, or past the lips."""
    frequencies = _bins(n_samples, sample_rate)
    if draw.kind == "whistle":
        sounding = curves.hertz[curves.level > 0.1 * curves.level.max(initial=1e-9)]
        center = float(np.median(sounding)) if len(sounding) else 1000.0
        return (1 / (1 + (frequencies / center - 1) ** 2 * 30) + 0.05).astype(np.float32)
    formants = _NASAL if draw.kind == "hum" else _VOWELS[int(np.median(curves.vowel))]
    color = np.full_like(frequencies, 0.1)
    for center in formants * np.float32(draw.throat):
        color += 1 / np.sqrt(1 + np.square((frequencies - center) / 200))
    return color * (frequencies / (frequencies + 400))


def _microphone(draw: VoiceDraw, n_samples: int, sample_rate: int, *, tilt: float = 0.0) -> Samples:
    """Return the magnitudes ``[F]`` of the microphone, with a slope in dB per octave around 1 kHz."""
    frequencies = np.maximum(_bins(n_samples, sample_rate), 20.0)
    gains = (1 + (draw.low_cut / frequencies) ** 4) ** -0.5 * (1 + (frequencies / draw.high_cut) ** 6) ** -0.5
    return np.asarray(gains * (frequencies / 1000) ** (tilt / 6.0206), np.float32)


def _in_room(dry: Samples, draw: VoiceDraw, rng: np.random.Generator, sample_rate: int) -> Samples:
    """Return ``[N]`` samples with the echo of a small room, through the microphone."""
    n_samples = len(dry)
    size = _fft_size(n_samples)
    n_echo = min(max(1, round(draw.room * sample_rate)), size - n_samples)
    fall = np.exp(np.arange(n_echo, dtype=np.float32) * np.float32(-6.9078 / (draw.room * sample_rate)))
    echo = rng.standard_normal(n_echo, dtype=np.float32) * fall
    echo *= np.float32(10 ** (draw.room_db / 20) / np.linalg.norm(echo))
    echo[0] += 1.0
    spectrum = np.fft.rfft(dry, size) * np.fft.rfft(echo, size) * _microphone(draw, n_samples, sample_rate)
    return np.fft.irfft(spectrum, size)[:n_samples].astype(np.float32)


def _fft_size(n_samples: int) -> int:
    """Return a size that is quick to transform and leaves room for an echo of a tenth of the length."""
    wanted = n_samples + n_samples // 10 + 64
    sizes = (2**a * 3**b * 5**c for a in range(6, 26) for b in range(3) for c in range(2))
    return int(min(size for size in sizes if size >= wanted))


def _rms(samples: Samples) -> float:
    """Return the RMS of samples, tiny but not 0 where there are none."""
    return max(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0, 1e-9)
