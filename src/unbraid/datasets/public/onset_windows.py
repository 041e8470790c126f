"""Windows of stems that begin where a note does, with which GuideSep is trained and examined.

A target is a stem that has a score and is no drum kit, in a window of 4.08 s; the background is the rest of the song's
own mixture. Only the first channel counts, and what lies behind the end of a file is silent. Target and background are
brought to a peak of 1 each before they are mixed, so that the balance of the song is not kept.

Source: Wen, Kim and Smaragdis, "User-guided generative source separation", ISMIR 2025, sections 3.1 and 4, and its
published configuration.

Axes: n samples of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import gcd

import numpy as np
import torch

from unbraid.audio.resample import resample
from unbraid.datasets.dice import Dice
from unbraid.datasets.guided_windows import to_peak
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.labels import meaning
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError, GuideError
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.guides.midi import read_parts
from unbraid.guides.notes import Note

SECONDS = 4.08
N_SAMPLES = round(SECONDS * SAMPLE_RATE)
_MARGIN = 0.05  # seconds on both sides for the filter that resamples


@dataclass(frozen=True)
class OnsetWindow:
    """A window of a stem: the group of GuideSep that it belongs to, and the second at which a note begins in it."""

    track: Track
    stem: Stem
    group: str
    start: float


@dataclass(frozen=True, eq=False)
class WindowSounds:
    """What is heard in a window, ``[n]`` at 16 kHz with a peak of 1 each (zeros where nothing sounds).

    ``gain`` times the target, plus as much of the background, is the mixture.
    """

    mixture: Samples
    target: Samples
    background: Samples
    gain: float


def targets_of(track: Track) -> list[tuple[Stem, str]]:
    """Return the stems that can be asked for, with their groups; the group is "" for those that table 1 leaves out.

    Raises:
        DatasetError: if it is not clear what a label means.
    """
    sounds = [(stem, meaning(track, stem)) for stem in track.stems]
    return [(stem, sound.group) for stem, sound in sounds if stem.score and sound.slakh_class != "Drums"]


def notes_of(stem: Stem) -> tuple[Note, ...]:
    """Return the notes of a stem's score by their starts; none where it has no score.

    Raises:
        DatasetError: if the score cannot be read.
    """
    if stem.score is None:
        return ()
    try:
        parts = read_parts(stem.score)
    except GuideError as error:
        raise DatasetError(f"{error}, or take the track out") from error
    return tuple(sorted((note for part in parts for note in part.notes), key=lambda note: (note.start, -note.pitch)))


def consecutive_starts(notes: Iterable[Note], *, seconds: float = SECONDS) -> tuple[float, ...]:
    """Return where the windows of an examination begin: at the first note, and at each that a window does not reach.

    Example:
        >>> consecutive_starts([Note(start, 0.5, 60, 90) for start in (1.0, 3.0, 5.08, 9.0, 20.0)])
        (1.0, 5.08, 20.0)
    """
    starts: list[float] = []
    for note in sorted(notes, key=lambda note: note.start):
        if not starts or note.start >= starts[-1] + seconds:
            starts.append(note.start)
    return tuple(starts)


def windows_of(track: Track, *, group: str | None = None) -> list[OnsetWindow]:
    """Return all windows of a track, as in the examination: stem by stem, one after another.

    Args:
        track: of Slakh2100, or another whose stems have scores.
        group: one of the ten; None takes the windows of all of them.

    Raises:
        DatasetError: if a score cannot be read.
    """
    return [
        OnsetWindow(track, stem, found, start)
        for stem, found in targets_of(track)
        if found and group in (None, found)
        for start in consecutive_starts(notes_of(stem))
        if start * track.sample_rate < stem.n_samples
    ]


def draw_window(track: Track, dice: Dice) -> OnsetWindow | None:
    """Draw a window as in training: a stem of those that can be asked for, then one of its notes; all equally often.

    The published training draws one of each track in every epoch, and one of each recording of HumTrans to examine.

    Returns:
        None where no stem has a note.

    Raises:
        DatasetError: if a score cannot be read.
    """
    targets = targets_of(track)
    while targets:
        stem, group = targets.pop(dice.integer(len(targets)))
        notes = [note for note in notes_of(stem) if note.start * track.sample_rate < stem.n_samples]
        if notes:
            return OnsetWindow(track, stem, group, notes[dice.integer(len(notes))].start)
    return None


def notes_in(window: OnsetWindow, *, seconds: float = SECONDS) -> tuple[Note, ...]:
    """Return the notes that sound in a window, in seconds from its start; those that reach out of it are cut.

    Raises:
        DatasetError: if the score cannot be read.
    """
    kept = []
    for note in notes_of(window.stem):
        start, stop = max(note.start - window.start, 0.0), min(note.stop - window.start, seconds)
        if start < stop:
            kept.append(Note(start, stop - start, note.pitch, note.velocity))
    return tuple(kept)


def hear(window: OnsetWindow) -> WindowSounds:
    """Read a window: the stem, and the rest of the track's own mixture (or of the sum of its stems).

    Raises:
        DatasetError: if a file cannot be read, or rates differ.
    """
    track, stem = window.track, window.stem
    first = round(window.start * track.sample_rate)
    target = cut_window(first_channel(stem), first, track.sample_rate)
    own = track.mixture is not None
    mixture = cut_window(
        lambda start, stop: read_mixture(track, start, stop, distributed=own)[0], first, track.sample_rate
    )
    return balance(target, mixture - target)


def balance(target: Samples, background: Samples) -> WindowSounds:
    """Bring target and background to a peak of 1 each, and their sum too.

    Example:
        >>> sounds = balance(np.array([0.5, 0.0], np.float32), np.array([0.0, 0.1], np.float32))
        >>> sounds.mixture.round(3).tolist(), round(sounds.gain, 3)
        ([1.0, 1.0], 1.0)
    """
    target, background = to_peak(target), to_peak(background)
    total = target + background
    peak = float(np.abs(total).max(initial=0.0))
    return WindowSounds(to_peak(total), target, background, 1.0 / peak if peak else 0.0)


def hear_solo(window: OnsetWindow) -> Samples:
    """Read the stem of a window alone, ``[n]`` at 16 kHz as loud as it is: humming, or a target.

    Raises:
        DatasetError: if a file cannot be read.
    """
    rate = window.track.sample_rate
    return cut_window(first_channel(window.stem), round(window.start * rate), rate)


def first_channel(stem: Stem) -> Callable[[int, int], Samples]:
    """Return what reads the first channel ``[n]`` of a stem from start to stop."""
    return lambda start, stop: read_stem(stem, start, stop)[0]


def cut_window(read: Callable[[int, int], Samples], first: int, sample_rate: int) -> Samples:
    """Read a window and resample it to 16 kHz, together with a little on both sides so that its ends are right.

    Args:
        read: returns the samples ``[n]`` from start to stop, with zeros behind the end.
        first: sample at which the window begins.
        sample_rate: of these samples, in hertz.

    Returns:
        ``[n]`` of 4.08 s.
    """
    step = sample_rate // gcd(sample_rate, SAMPLE_RATE)
    before = step * round(_MARGIN * sample_rate / step)
    start, stop = first - before, first + before + round(SECONDS * sample_rate) + step
    padded = np.pad(read(max(start, 0), stop), (max(0, -start), 0))
    heard = resample(torch.from_numpy(padded)[None], source_rate=sample_rate, target_rate=SAMPLE_RATE)[0].numpy()
    skipped = before * SAMPLE_RATE // sample_rate
    return np.ascontiguousarray(heard[skipped : skipped + N_SAMPLES])
