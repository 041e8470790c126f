"""Melodies of recordings, and where one lies in another.

A melody is how strongly each pitch sounds in each moment, gathered block by block. Two are laid over each other at
every offset, in several octaves and a little flat or sharp; the place where they agree best is the answer, together
with how far it stands out.

Axes: C channels, n samples of one block, T frames of the mimicry, U frames of the mixture, P pitches, S shifts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unbraid.audio.resample import StreamResampler
from unbraid.guides.melody_salience import (
    N_PITCHES,
    PITCHES_PER_SEMITONE,
    RATE,
    WINDOW,
    Floats,
    magnitudes,
    prominence_of,
    salience_of,
)

FRAME_RATE = 25
CLEAR_HEIGHT, CLEAR_RIVAL = 4.4, 0.9  # see `Alignment.is_clear`

_HOP = RATE // FRAME_RATE
_BATCH = 256  # frames that are looked at together
_OCTAVE = 12 * PITCHES_PER_SEMITONE
_QUIET = 10 ** (-40 / 20)  # of the level that one frame in twenty exceeds: below it, nothing is heard
_PROMINENT = 18.0  # decibels: noise has no peak that stands out so far
_STEADY, _PITCHED = 3, 5  # frames with a steady pitch: together, and in all
_MEMORY = FRAME_RATE  # what has sounded for so many frames on both sides is not news
_FLOOR = 0.05  # of the length of a frame's salience
_STEP = 4096  # places that are tried together
_RIVAL_DISTANCE = 0.5  # seconds: what is nearer is the same place


@dataclass(frozen=True, eq=False)
class Melody:
    """How strongly each pitch sounds in each frame.

    Frame t is about the moment ``t / FRAME_RATE``; pitch p is the MIDI pitch ``LOWEST + p / PITCHES_PER_SEMITONE``.

    Args:
        salience: float16 ``[T, P]``, not negative; of one tone alone, about 1 whatever its level.
        level: float32 ``[T]``, the root mean square of each frame.
        prominence: float32 ``[T]``, how far the sharpest peak of the spectrum stands out, in decibels.
        duration: of the recording, in seconds.
    """

    salience: Tensor
    level: Tensor
    prominence: Tensor
    duration: float

    @property
    def is_heard(self) -> Tensor:
        """Whether each frame is loud enough to count: at most 40 dB below the loud ones, bool ``[T]``."""
        if not len(self.level):
            return torch.zeros(0, dtype=torch.bool)
        return self.level > max(_QUIET * float(self.level.quantile(0.95)), 1e-7)

    @property
    def has_pitch(self) -> bool:
        """Whether a fifth of a second or more has a steady pitch: hums, whistles and chords do, noise does not."""
        best = self.salience.argmax(dim=1) if len(self.salience) else torch.zeros(0)
        tonal = (self.is_heard & (self.prominence > _PROMINENT)).tolist()
        run = total = 0
        for frame, at in enumerate(best.tolist()):
            near = frame > 0 and abs(at - best[frame - 1]) <= PITCHES_PER_SEMITONE
            run = (run + 1 if near else 1) if tonal[frame] else 0
            total += run >= _STEADY
        return total >= _PITCHED


@dataclass(frozen=True)
class Alignment:
    """Where a mimicry lies in a mixture.

    Args:
        offset: second of the mixture at which the mimicry begins; negative before its beginning.
        likeness: cosine between the two at that place, from 0 (nothing in common) to 1.
        semitones: how much higher the mixture plays what the mimicry says.
        height: how far the agreement stands out, in robust standard deviations over all places.
        rival: the second of the best other place, at least half a second away.
        rival_height: how far that one stands out.
    """

    offset: float
    likeness: float
    semitones: float
    height: float
    rival: float
    rival_height: float

    @property
    def is_clear(self) -> bool:
        """Whether the place stands out by 4.4 standard deviations, and no other one by more than 0.9 of that."""
        return self.height >= CLEAR_HEIGHT and self.rival_height <= CLEAR_RIVAL * self.height


def melody_of(blocks: Iterable[Tensor], sample_rate: int) -> Melody:
    """Listen to a recording; besides some seconds of samples, only the melody is held (10 KiB per second).

    Args:
        blocks: float32 ``[C, n]``, n of any length; channels are averaged.
        sample_rate: of the blocks, in hertz.

    Returns:
        The melody; it does not depend on how the recording is cut into blocks.

    Example:
        >>> from unbraid.guides.melody_salience import LOWEST
        >>> tone = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)[None]
        >>> melody = melody_of([tone[:, :5000], tone[:, 5000:]], 16000)
        >>> LOWEST + int(melody.salience[12].argmax()) / PITCHES_PER_SEMITONE
        69.0
    """
    listener = _Listener(sample_rate)
    for block in blocks:
        listener.take(block)
    return listener.finish()


def align(mimicry: Melody, mixture: Melody, *, least_common: float = 0.5, any_key: bool = False) -> Alignment | None:
    """Find the place of a mimicry in a mixture.

    Level does not matter, nor does being up to two octaves off, a semitone flat or sharp, or somewhat loose in time.
    The tempo is taken as it is: a mimicry that is slower than the mixture comes to lie with its middle in place.

    Args:
        mimicry: what is looked for.
        mixture: what it is looked for in.
        least_common: how much of the shorter of the two must lie in the other.
        any_key: whether every transposition is tried, not octaves alone.

    Returns:
        The best place; None if either has no frame that could be compared.

    Example:
        >>> from unbraid.guides.notes import Note
        >>> from unbraid.guides.tones import render_tones
        >>> notes = [Note(0.4 * at, 0.4, 60 + at * at % 31 // 2, 100) for at in range(30)]
        >>> song = melody_of([render_tones(notes, sample_rate=16000)[None]], 16000)
        >>> hum = melody_of([render_tones(notes, sample_rate=16000)[None, 48000:96000]], 16000)
        >>> round(align(hum, song).offset, 1)
        3.0
    """
    wanted = sharpened(mimicry)
    n_wanted, n_mixture = len(wanted), len(mixture.salience)
    if not n_wanted or not n_mixture or not wanted.any() or not mixture.is_heard.any():
        return None
    reach = range(-30 * PITCHES_PER_SEMITONE, 30 * PITCHES_PER_SEMITONE + 1)
    fine = range(-PITCHES_PER_SEMITONE, PITCHES_PER_SEMITONE + 1)
    shifts = list(reach) if any_key else [octave * _OCTAVE + near for octave in range(-2, 3) for near in fine]
    agreement = _agreement(wanted, mixture, shifts)  # [S, T + U - 1]
    places = np.arange(-(n_wanted - 1), n_mixture)
    common = np.minimum(places + n_wanted, n_mixture) - np.maximum(places, 0)
    kept = common >= max(1, least_common * min(n_wanted, n_mixture))
    places, agreement = places[kept], agreement[:, kept]
    best = agreement.max(axis=0)
    middle = np.median(best)
    scatter = 1.4826 * float(np.median(np.abs(best - middle)))
    height = (best - middle) / max(scatter, 1e-6 * n_wanted)
    at = int(best.argmax())
    far = np.abs(places - places[at]) > _RIVAL_DISTANCE * FRAME_RATE
    rival = int(np.where(far, height, -np.inf).argmax())
    shift = shifts[int(agreement[:, at].argmax())]
    return Alignment(
        offset=(float(places[at]) + _summit(best, at)) / FRAME_RATE,
        likeness=_likeness(wanted, mixture, int(places[at]), shift),
        semitones=shift / PITCHES_PER_SEMITONE,
        height=float(height[at]),
        rival=float(places[rival]) / FRAME_RATE,
        rival_height=float(height[rival]) if far.any() else 0.0,
    )


class _Listener:
    """Collects samples until frames are complete, and keeps what is heard in them."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.resampler = StreamResampler(sample_rate, RATE, 1)
        self.pending: Floats = np.zeros(WINDOW // 2, np.float32)  # frame 0 is about sample 0
        self.n_samples = 0
        self.salience = [np.zeros((0, N_PITCHES), np.float16)]
        self.level = [np.zeros(0, np.float32)]
        self.prominence = [np.zeros(0, np.float32)]

    def take(self, block: Tensor) -> None:
        self.n_samples += block.shape[1]
        self._push(self.resampler.process(block.mean(dim=0, keepdim=True)))
        self._look(min_frames=_BATCH)

    def finish(self) -> Melody:
        self._push(self.resampler.process(torch.zeros(1, 0), last=True))
        self._push(torch.zeros(1, WINDOW // 2))
        self._look(min_frames=1)
        return Melody(
            salience=torch.from_numpy(np.concatenate(self.salience)),
            level=torch.from_numpy(np.concatenate(self.level)),
            prominence=torch.from_numpy(np.concatenate(self.prominence)),
            duration=self.n_samples / self.sample_rate,
        )

    def _push(self, samples: Tensor) -> None:
        self.pending = np.concatenate([self.pending, samples[0].numpy()])

    def _look(self, *, min_frames: int) -> None:
        """Look at all complete frames, a batch at a time, if there are enough of them."""
        while (n_frames := (len(self.pending) - WINDOW) // _HOP + 1) >= min_frames:
            n_frames = min(n_frames, _BATCH)
            windows = np.lib.stride_tricks.sliding_window_view(self.pending, WINDOW)[::_HOP][:n_frames]
            spectra = magnitudes(windows)
            self.salience.append(salience_of(spectra).astype(np.float16))
            self.level.append(np.sqrt(np.square(windows).mean(axis=1, dtype=np.float32)))
            self.prominence.append(prominence_of(spectra))
            self.pending = self.pending[n_frames * _HOP :].copy()


def contrasted(melody: Melody, start: int, stop: int) -> Floats:
    """Return frames whose salience stands out from the octave around it, each of length 1 or, unheard, 0."""
    salience = melody.salience[start:stop].float().numpy()
    half = _OCTAVE // 2
    sums = np.cumsum(np.pad(salience, ((0, 0), (half + 1, half)), mode="edge"), axis=1)
    around = (sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]) / (2 * half + 1)
    above: Floats = np.maximum(salience - around, 0)
    above /= np.linalg.norm(above, axis=1, keepdims=True) + _FLOOR
    above[~melody.is_heard[start:stop].numpy()] = 0
    return above


def sharpened(mimicry: Melody) -> Floats:
    """Return frames ``[T, P]`` of length 1 in which the strongest pitches outweigh the others."""
    power = np.square(contrasted(mimicry, 0, len(mimicry.salience)))
    result: Floats = power / (np.linalg.norm(power, axis=1, keepdims=True) + 1e-6)
    return result


def news(mixture: Melody, start: int, stop: int) -> Floats:
    """Return frames of the mixture without what sounds all the time around them; silence outside of it."""
    n_frames = len(mixture.salience)
    first, last = max(0, start - _MEMORY), min(n_frames, stop + _MEMORY)
    result = np.zeros((stop - start, N_PITCHES), np.float32)
    if first >= last:
        return result
    frames = contrasted(mixture, first, last)
    sums = np.concatenate([np.zeros((1, N_PITCHES)), np.cumsum(frames, axis=0, dtype=np.float64)])
    at = np.arange(max(start, 0), min(stop, n_frames)) - first
    low, high = np.maximum(at - _MEMORY, 0), np.minimum(at + _MEMORY + 1, len(frames))
    usual = (sums[high] - sums[low]) / (high - low)[:, None]
    result[at + first - start] = frames[at] - usual
    return result


def _agreement(wanted: Floats, mixture: Melody, shifts: list[int]) -> Floats:
    """Return sums of products of ``[T, P]`` with the mixture at every shift and place ``[S, T + U - 1]``."""
    n_wanted = len(wanted)
    n_places = n_wanted + len(mixture.salience) - 1
    step = min(max(_STEP, n_wanted), n_places)
    n_fft = 1 << (step + n_wanted - 2).bit_length()
    looked_for = np.conj(np.fft.rfft(wanted.T, n_fft)).astype(np.complex64)  # [P, n_fft / 2 + 1]
    result = np.zeros((len(shifts), n_places), np.float32)
    for first in range(0, n_places, step):
        n_here = min(step, n_places - first)
        start = first - (n_wanted - 1)
        there = np.fft.rfft(news(mixture, start, start + n_here + n_wanted - 1).T, n_fft).astype(np.complex64)
        for row, shift in enumerate(shifts):
            low, high = max(0, -shift), min(N_PITCHES, N_PITCHES - shift)
            product = np.einsum("pk,pk->k", looked_for[low:high], there[low + shift : high + shift])
            result[row, first : first + n_here] = np.fft.irfft(product, n_fft)[:n_here]
    return result


def _summit(values: Floats, at: int) -> float:
    """Return how far the top of the parabola through a maximum and its neighbors is from it, in places."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, top, after = (float(values[at + side]) for side in (-1, 0, 1))
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _likeness(wanted: Floats, mixture: Melody, place: int, shift: int) -> float:
    """Return the cosine between the mimicry and the frames of the mixture that it covers, 0 if negative."""
    there = news(mixture, place, place + len(wanted))
    inside = slice(max(0, -place), max(0, len(mixture.salience) - place))
    low, high = max(0, -shift), min(N_PITCHES, N_PITCHES - shift)
    left, right = wanted[inside, low:high], there[inside, low + shift : high + shift]
    both = float(np.linalg.norm(left) * np.linalg.norm(right))
    return min(1.0, max(0.0, float((left * right).sum()) / both)) if both > 0 else 0.0
