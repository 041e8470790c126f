"""The mixing desk: every part gets equalization, compression, a place, a room and a level of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbraid.datasets.spectral import (
    SAMPLE_RATE,
    Response,
    Samples,
    as_samples,
    colored_noise,
    decay,
    fft_size,
    low_pass,
    tilt,
    times,
)

_BLOCK = SAMPLE_RATE // 100  # of the level meter


@dataclass(frozen=True)
class Strip:
    """The settings of one channel strip.

    ``shelves`` are gains in dB below 200 Hz and above 4 kHz, ``bell`` is a center in hertz and a gain in dB,
    ``ratio`` and ``threshold_db`` belong to the compressor, ``wet`` is the level of the room in 0..1 and
    ``room`` its reverberation time in seconds, ``pan`` runs from -1 to 1, ``level_db`` is the RMS of the
    sounding passages.
    """

    shelves: tuple[float, float]
    bell: tuple[float, float]
    ratio: float
    threshold_db: float
    wet: float
    room: float
    pan: float
    level_db: float
    seed: int


def draw_strip(rng: np.random.Generator, *, pan: float, level_db: float, dry: bool) -> Strip:
    """Draw the settings of one strip; ``dry`` ones (bass) get no room."""
    return Strip(
        shelves=(float(rng.normal(0, 2.0)), float(rng.normal(0, 2.5))),
        bell=(float(np.exp(rng.uniform(np.log(250), np.log(5000)))), float(rng.normal(0, 2.5))),
        ratio=float(rng.choice([1.0, 1.5, 2.5, 4.0])),
        threshold_db=level_db + float(rng.uniform(-4, 3)),
        wet=0.0 if dry or rng.random() < 0.3 else float(rng.beta(1.5, 6.0)),
        room=float(rng.uniform(0.2, 1.6)),
        pan=pan,
        level_db=level_db,
        seed=int(rng.integers(2**31)),
    )


def _equalizer(strip: Strip) -> Response:
    low, high = strip.shelves
    center, gain = strip.bell

    def gains(frequencies: Samples) -> Samples:
        safe = np.maximum(frequencies, 1.0)
        decibels = low / (1 + (safe / 200) ** 2) + high / (1 + (4000 / safe) ** 2)
        decibels += gain * np.exp(-0.5 * np.square(np.log2(safe / center) / 0.6))
        rumble = 1 / np.sqrt(1 + (25 / safe) ** 4)
        return (10 ** (decibels / 20) * rumble).astype(np.float32)

    return gains


def _levels(samples: Samples) -> Samples:
    """Return the RMS of blocks of 10 ms, over all channels."""
    n_blocks = max(1, samples.shape[1] // _BLOCK)
    trimmed = samples[:, : n_blocks * _BLOCK]
    blocks = trimmed.reshape(samples.shape[0], n_blocks, -1)
    return as_samples(np.sqrt(np.mean(np.square(blocks), axis=(0, 2)) + 1e-12))


def active_rms_db(samples: Samples) -> float:
    """Return the level in dB RMS of the passages within 35 dB of the loudest one; -inf for silence."""
    levels = _levels(samples)
    peak = float(levels.max())
    if peak < 1e-5:
        return float("-inf")
    active = levels[levels > peak * 10 ** (-35 / 20)]
    return float(10 * np.log10(np.mean(np.square(active))))


def _compress(samples: Samples, strip: Strip) -> Samples:
    levels = 20 * np.log10(_levels(samples))
    over = np.maximum(levels - strip.threshold_db, 0.0)
    smooth = np.convolve(np.pad(over, (2, 12), mode="edge"), np.hanning(17)[1:-1] / 8.0, mode="valid")
    gain = 10 ** (-smooth * (1 - 1 / strip.ratio) / 20)
    centers = (np.arange(len(gain)) + 0.5) * _BLOCK
    return samples * np.interp(np.arange(samples.shape[1]), centers, gain).astype(np.float32)


def _room(strip: Strip) -> Samples:
    """Return a ``[2, N]`` impulse response: a few early echoes and a tail that loses its highs."""
    rng = np.random.default_rng([strip.seed, 1])
    n_samples = int(strip.room * SAMPLE_RATE * 0.8)
    sides = []
    for _ in range(2):
        tail = colored_noise(rng, n_samples, times(tilt(-2.5, floor=150), low_pass(7000, order=2)))
        tail = tail * decay(n_samples, strip.room, attack=0.015)
        for _ in range(5):
            tail[int(rng.uniform(0.004, 0.045) * SAMPLE_RATE) % n_samples] += rng.uniform(3, 9) * rng.choice([-1, 1])
        sides.append(tail / np.sqrt(np.sum(np.square(tail))))
    return np.stack(sides)


def _convolve(samples: Samples, response: Response, room: Samples | None, wet: float) -> Samples:
    """Equalize ``[C, N]`` and add the room, in one pass of overlapping blocks; returns ``[2, N]``.

    The equalizer has zero phase; its ringing is kept by starting the blocks 10 ms early.
    """
    guard = SAMPLE_RATE // 100
    reach = (0 if room is None else room.shape[1]) + 2 * guard
    size = fft_size(max(4 * reach, 2**16))
    step = size - reach
    gains = response(np.fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32))
    kernel = np.broadcast_to(gains, (2, len(gains)))
    if room is not None:
        kernel = gains * (1 + np.float32(wet) * np.fft.rfft(room, size).astype(np.complex64))
    n_samples = samples.shape[1]
    result = np.zeros((2, n_samples), np.float32)
    for start in range(0, n_samples, step):
        block = np.zeros((samples.shape[0], size), np.float32)
        part = samples[:, start : start + step]
        block[:, guard : guard + part.shape[1]] = part
        done = np.fft.irfft(np.fft.rfft(block) * kernel, size).astype(np.float32)
        first, last = max(0, start - guard), min(n_samples, start - guard + size)
        result[:, first:last] += done[:, first - start + guard : last - start + guard]
    return result


def mix_part(samples: Samples, strip: Strip) -> Samples:
    """Run one part through its strip.

    Args:
        samples: ``[1, N]`` or ``[2, N]``.
        strip: the settings.

    Returns:
        ``[2, N]``, at the strip's level; silence stays silence.
    """
    level = active_rms_db(samples)
    if level == float("-inf"):
        return np.zeros((2, samples.shape[1]), np.float32)
    leveled = samples * np.float32(10 ** ((strip.level_db - level) / 20))
    if strip.ratio > 1.0:
        leveled = _compress(leveled, strip)
    room = _room(strip) if strip.wet > 0.01 else None
    stereo = _convolve(leveled, _equalizer(strip), room, strip.wet)
    angle = (strip.pan + 1) * np.pi / 4
    stereo *= np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2))
    final = active_rms_db(stereo)
    return stereo * np.float32(10 ** ((strip.level_db - final) / 20)) if np.isfinite(final) else stereo
