"""Mimicry: the target hummed, sung or played, and the score that says the same in notes.

Axes: C channels, N samples, n samples of one block or window.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from unbraid.audio.files import read_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import AudioReadError, GuideError
from unbraid.guides.melody import Melody, align, melody_of
from unbraid.guides.midi import MidiPart, read_parts
from unbraid.guides.notes import Note
from unbraid.guides.recordings import SILENT_PEAK, GivenSound, check_sounding, hold_recording
from unbraid.guides.tones import render_tones

SCORE_RATE = 16_000  # hertz, of a score that is played
LONGEST_SCORE = 3 * 3600.0  # seconds
_AS_LONG = 1.0  # seconds between the ends of what was recorded together
_MIDI_SUFFIXES = {".mid", ".midi", ".kar", ".smf"}


@dataclass(frozen=True, init=False)
class Mimicry:
    """The target hummed, sung or played.

    Args:
        recording: a file, :class:`Audio`, or an array ``[N]`` or ``[C, N]`` and its rate; of any length and rate.
        offset: the second of the mixture at which the recording begins, negative before its beginning; None looks for
            the place where its melody fits.

    Raises:
        GuideError: if this is no recording, or the offset is not finite.

    Example:
        >>> Mimicry("takes/chorus hum.wav", offset=42.5).title
        'chorus hum'
    """

    recording: Audio | Path
    offset: float | None

    def __init__(self, recording: GivenSound, *, offset: float | None = 0.0) -> None:
        object.__setattr__(
            self,
            "recording",
            hold_recording(recording, what="a mimicry", forms="a file, Audio, or (array, sample_rate)"),
        )
        object.__setattr__(self, "offset", _offset(offset))

    @property
    def title(self) -> str:
        """What a stem that is pointed at by this alone is called: after its file."""
        return (isinstance(self.recording, Path) and self.recording.stem) or "mimicry"


@dataclass(frozen=True, init=False)
class Score:
    """A MIDI file of the target; it is played by a small synthesizer, and second 0 of the file is its beginning.

    Args:
        file: path of a MIDI file.
        track: which of its tracks: a number from 1, as they are listed when one has to be chosen, or a name.
        offset: as that of `Mimicry`.

    Raises:
        GuideError: if the track is neither a number from 1 nor a name, or the offset is not finite.

    Example:
        >>> Score("songs/waltz.mid", track="Flute").title
        'waltz'
    """

    file: Path
    track: int | str | None
    offset: float | None

    def __init__(
        self, file: str | os.PathLike[str], *, track: int | str | None = None, offset: float | None = 0.0
    ) -> None:
        if not isinstance(file, str | os.PathLike):
            raise GuideError(f"{type(file).__name__} is no score: give the path of a MIDI file")
        is_number = isinstance(track, int) and not isinstance(track, bool) and track >= 1
        if track is not None and not is_number and not (isinstance(track, str) and track.strip()):
            raise GuideError(f"track {track!r} of a score is neither a number from 1 nor a name: give one, or None")
        object.__setattr__(self, "file", Path(file))
        object.__setattr__(self, "track", track)
        object.__setattr__(self, "offset", _offset(offset))

    @property
    def title(self) -> str:
        """What a stem that is pointed at by this alone is called: after its file."""
        return self.file.stem or "score"


def _offset(given: float | None) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise GuideError(f"offset {given!r} is no number of seconds: give one such as 12.5, or None to have it found")
    return float(given)


def read_mimicry(guide: Mimicry | Score, *, target: str) -> Mimicry:
    """Read the recording, or play the score, and make sure that there is a melody in it.

    Args:
        guide: as the user gave it.
        target: name of what it points at, for messages.

    Returns:
        A mimicry whose recording is :class:`Audio` of one channel, the mean of the channels.

    Raises:
        GuideError: if the file is missing or damaged; if the recording is empty, silent, not finite or has no pitch; if
            the score has no notes, or several tracks and none of them is chosen. The message names the target.

    Example:
        >>> import torch
        >>> tone = torch.sin(2 * torch.pi * 440 * torch.arange(32000) / 16000)
        >>> read_mimicry(Mimicry((torch.stack([tone, tone]), 16000)), target="lead").recording.n_channels
        1
    """
    if isinstance(guide, Score):
        return Mimicry(_play(guide, target), offset=guide.offset)
    what = f"target {target!r}: mimicry {guide.recording if isinstance(guide.recording, Path) else ''}".rstrip()
    audio = guide.recording
    if isinstance(audio, Path):
        if audio.suffix.lower() in _MIDI_SUFFIXES:
            raise GuideError(f"{what} is MIDI: give it as a score, with --score")
        try:
            audio = read_audio(audio)
        except AudioReadError as error:
            raise GuideError(f"target {target!r}: mimicry {error}") from error
    if audio.n_channels > 1:
        audio = Audio(audio.samples.mean(dim=0, keepdim=True), audio.sample_rate)
    check_sounding(audio, what, cure="check the microphone, and record the melody again")
    if not melody_of(audio.samples.split(1 << 20, dim=1), audio.sample_rate).has_pitch:
        raise GuideError(f"{what} has no pitch that lasts: hum, whistle, sing or play the melody")
    return Mimicry(audio, offset=guide.offset)


def _play(score: Score, target: str) -> Audio:
    """Play the chosen track of a score."""
    try:
        tracks = _tracks(read_parts(score.file))
    except GuideError as error:
        raise GuideError(f"target {target!r}: score {error}") from error
    what = f"target {target!r}: score {score.file}"
    if not tracks:
        raise GuideError(f"{what} has no notes: export it again, with the notes of the target")
    chosen = _choose(tracks, score.track, what)
    if chosen.is_drum:
        raise GuideError(f"{what}: track {chosen.title} is drums, which have no pitch: choose another, or give a mask")
    stop = max(note.stop for note in chosen.notes)
    if stop > LONGEST_SCORE:
        raise GuideError(f"{what} is {stop / 3600:.1f} hours long: cut it to 3 hours or less")
    samples = render_tones(chosen.notes, sample_rate=SCORE_RATE)
    if float(samples.abs().max()) < SILENT_PEAK:
        raise GuideError(f"{what}: the notes of track {chosen.title} are too soft or too high to be heard: edit them")
    return Audio(samples[None], SCORE_RATE)


@dataclass(frozen=True)
class _Track:
    """What the user can choose: all notes that one track of the file has on one channel."""

    number: int
    name: str
    is_drum: bool
    notes: tuple[Note, ...]

    @property
    def title(self) -> str:
        return f"{self.number} {self.name!r}"

    @property
    def summary(self) -> str:
        count = f"{len(self.notes)} note{'s' if len(self.notes) > 1 else ''}"
        return f"{self.title} ({count}{', drums' if self.is_drum else ''})"


def _tracks(parts: tuple[MidiPart, ...]) -> list[_Track]:
    """Join the programs of each track and channel; a track of several channels becomes several."""
    grouped: dict[tuple[int, int], list[MidiPart]] = {}
    for part in parts:
        grouped.setdefault((part.track, part.channel), []).append(part)
    n_channels = {track: sum(1 for other, _ in grouped if other == track) for track, _ in grouped}
    result = []
    for number, ((track, channel), own) in enumerate(grouped.items(), start=1):
        name = own[0].name
        if n_channels[track] > 1 or not name:
            name = f"{name} channel {channel + 1}".strip()
        notes = sorted((note for part in own for note in part.notes), key=lambda note: (note.start, note.pitch))
        result.append(_Track(number, name, own[0].is_drum, tuple(notes)))
    return result


def _choose(tracks: list[_Track], track: int | str | None, what: str) -> _Track:
    listing = ", ".join(one.summary for one in tracks)
    how = "choose one with Score(…, track=…) or --track, by number or name"
    if track is None:
        pitched = [one for one in tracks if not one.is_drum]
        if len(pitched) > 1:
            raise GuideError(f"{what} has {len(tracks)} tracks: {how}: {listing}")
        return (pitched or tracks)[0]
    if isinstance(track, str):
        named = [one for one in tracks if one.name.casefold() == track.strip().casefold()]
        if len(named) > 1:
            raise GuideError(f"{what} has {len(named)} tracks of the name {track!r}: choose one by number: {listing}")
        if named:
            return named[0]
    number = int(track) if isinstance(track, int) or track.strip().isdecimal() else 0
    if 1 <= number <= len(tracks):
        return tracks[number - 1]
    raise GuideError(f"{what} has no track {track!r}: {how}: {listing}")


def place(
    mimicry: Mimicry,
    mixture: Melody | Iterable[Tensor] | Callable[[], Iterable[Tensor]],
    sample_rate: int,
    *,
    target: str,
) -> Mimicry:
    """Find where in the mixture a mimicry belongs, unless its offset is known.

    Args:
        mimicry: read by `read_mimicry`.
        mixture: its melody, its samples in blocks ``[C, n]``, or what returns these; unused if the offset is known.
        sample_rate: of the blocks, in hertz.
        target: name of what it points at, for messages.

    Returns:
        The mimicry with its offset, in seconds of the mixture.

    Raises:
        GuideError: if no place stands out (see `melody.Alignment.is_clear`).

    Example:
        >>> notes = [Note(0.4 * at, 0.4, 60 + at * at % 31 // 2, 100) for at in range(30)]
        >>> song = render_tones(notes, sample_rate=16000)[None]
        >>> hum = Mimicry(Audio(song[:, 48000:112000], 16000), offset=None)
        >>> round(place(hum, [song], 16000, target="lead").offset, 1)
        3.0
    """
    if mimicry.offset is not None:
        return mimicry
    recording = _read_recording(mimicry)
    if not isinstance(mixture, Melody):
        mixture = melody_of(mixture() if callable(mixture) else mixture, sample_rate)
    found = align(melody_of([recording.samples], recording.sample_rate), mixture)
    cure = "say at which second it begins, with --at or offset"
    if abs(recording.duration - mixture.duration) < _AS_LONG:
        cure = f"it is as long as the mixture: leave --at out (offset=0) if they begin together, or {cure}"
    if found is None:
        raise GuideError(f"target {target!r}: the mimicry has no place in a mixture that is empty or silent: {cure}")
    if not found.is_clear:
        places = f"best at {found.offset:.1f} s, and nearly as well at {found.rival:.1f} s"
        raise GuideError(f"target {target!r}: the mimicry fits nowhere clearly ({places}): {cure}")
    return Mimicry(recording, offset=found.offset)


def _read_recording(mimicry: Mimicry) -> Audio:
    if isinstance(mimicry.recording, Path):
        raise GuideError(f"mimicry {mimicry.recording} has not been read yet: separate with unbraid.separate")
    return mimicry.recording


class ClockedMimicry:
    """A mimicry on the mixture's clock: resampled once, then cut into windows.

    Args:
        mimicry: read, and with its offset.
        sample_rate: of the windows, in hertz.

    Raises:
        GuideError: if it has not been read, or its offset has not been found.

    Example:
        >>> import torch
        >>> held = ClockedMimicry(Mimicry(Audio(torch.ones(1, 4), 2), offset=1.0), sample_rate=2)
        >>> held.crop(0, 4)
        tensor([0., 0., 1., 1.])
    """

    def __init__(self, mimicry: Mimicry, *, sample_rate: int) -> None:
        recording = _read_recording(mimicry)
        if mimicry.offset is None:
            raise GuideError("the offset of a mimicry has not been found yet: separate with unbraid.separate")
        mono = recording.samples.mean(dim=0, keepdim=True)
        self.samples = resample(mono, source_rate=recording.sample_rate, target_rate=sample_rate)[0]
        self.sample_rate = sample_rate
        self.start_sample = round(mimicry.offset * sample_rate)

    def crop(self, start_sample: int, n_samples: int) -> Tensor:
        """Return the samples ``[n]`` from a sample of the mixture on, zeros where the mimicry does not reach.

        Args:
            start_sample: of the mixture at this rate; may be negative or beyond either.
            n_samples: n.
        """
        first = start_sample - self.start_sample
        low, high = max(first, 0), min(first + n_samples, len(self.samples))
        window = self.samples.new_zeros(n_samples)
        if low < high:
            window[low - first : high - first] = self.samples[low:high]
        return window
