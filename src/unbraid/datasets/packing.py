"""From recordings to a pack: decode, convert, find where they sound, and sum songs to music."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets.activity import MUSDB_ACTIVITY, SOUNDING, ActivityRule, Spans, active_spans
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.folders import StemFile
from unbraid.datasets.pack import PackWriter
from unbraid.datasets.prompt_chain import INSTRUMENTS
from unbraid.datasets.track import Samples

WINDOWED = ("sfx-mix", "music-mix")


@dataclass(frozen=True)
class PackSettings:
    """How a pack is built.

    Args:
        sample_rate: rate of all stored samples in hertz; None keeps each file's own.
        channel: FIRST and MID store one channel, RANDOM stores all.
        activity: which windows of instruments are kept; None keeps each recording whole.
        music_mixes: whether the sum of each song's instruments is added as ``music-mix``, with and without
            vocals.
        train_only: beginnings of the names of tracks that are never held out for validation.
    """

    sample_rate: int | None = None
    channel: ChannelChoice = ChannelChoice.FIRST
    activity: ActivityRule | None = MUSDB_ACTIVITY
    music_mixes: bool = True
    train_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackReport:
    """What a pack was built from: how many recordings, and the names of those left out because they hardly sound."""

    n_sources: int
    left_out: tuple[str, ...]


def build_pack(
    stems: Iterable[StemFile],
    path: Path,
    *,
    settings: PackSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> PackReport:
    """Build a pack from files of any rate and length.

    Args:
        stems: the recordings, as ``read_folder`` finds them.
        path: the pack to make; it must not exist.
        settings: how.
        progress: called with the fraction done.

    Raises:
        DatasetError: if the pack exists or nothing in it would sound.
        AudioReadError: if a file cannot be read.
    """
    chosen = settings or PackSettings()
    ordered = sorted(stems, key=lambda stem: (stem.track, stem.name))
    silent: list[str] = []
    n_done = n_sources = 0
    with PackWriter(path, sample_rate=chosen.sample_rate, channel=chosen.channel) as writer:
        for _, group in groupby(ordered, key=lambda stem: stem.track):
            song = list(group)
            left_out = add_song(writer, [(stem, read_audio(stem.path)) for stem in song], settings=chosen)
            silent.extend(left_out)
            n_done += len(song)
            n_sources += len(song) - len(left_out)
            if progress is not None:
                progress(n_done / len(ordered))
    return PackReport(n_sources, tuple(silent))


def add_song(writer: PackWriter, song: Sequence[tuple[StemFile, Audio]], *, settings: PackSettings) -> tuple[str, ...]:
    """Add the recordings of one track to a pack, and their sums; return the names of those that are silent."""
    silent = []
    instruments: dict[str, tuple[str, Audio]] = {}
    for stem, audio in song:
        converted = writer.convert(audio)
        spans = find_spans(_mono(converted), converted.sample_rate, prompt=stem.prompt, activity=settings.activity)
        if not spans:
            silent.append(stem.name)
            continue
        whole = spans == ((0, converted.n_samples),)
        writer.add(
            stem.name,
            converted,
            prompt=stem.prompt,
            track=stem.track,
            spans=() if whole else spans,
            band_rate=audio.sample_rate,
            train_only=stem.track.startswith(settings.train_only),
        )
        if stem.prompt in INSTRUMENTS:
            instruments[stem.name] = (stem.prompt, converted)
    if settings.music_mixes and len(instruments) == sum(stem.name not in silent for stem, _ in song):
        _add_music(writer, song[0][0].track, instruments)
    return tuple(silent)


def find_spans(samples: Samples, sample_rate: int, *, prompt: str, activity: ActivityRule | None) -> Spans:
    """Return the pieces of a recording that are drawn as items; none if it is silent.

    Instruments follow the activity rule; recordings of many sounds are cut into windows of 8 s, 4 s apart;
    anything else is one piece.
    """
    if prompt in INSTRUMENTS and activity is not None:
        return active_spans(samples, sample_rate, rule=activity)
    if prompt in WINDOWED:
        return active_spans(samples, sample_rate, rule=SOUNDING)
    return ((0, len(samples)),) if np.any(samples) else ()


def _add_music(writer: PackWriter, track: str, instruments: dict[str, tuple[str, Audio]]) -> None:
    """Add the sums of a song's stems, with and without vocals, where at least two sound."""
    rates = {audio.sample_rate for _, audio in instruments.values()}
    channels = {audio.n_channels for _, audio in instruments.values()}
    if len(rates) != 1 or len(channels) != 1:
        return
    sums = {"music-mix": list(instruments)}
    without = [name for name, (prompt, _) in instruments.items() if prompt != "vocals"]
    if len(without) < len(instruments):
        sums["music-mix-instrumental"] = without
    for suffix, names in sums.items():
        if len(names) < 2:
            continue
        length = min(instruments[name][1].n_samples for name in names)
        total = np.sum([_mono(instruments[name][1])[:length] for name in names], axis=0)
        spans = find_spans(total, next(iter(rates)), prompt="music-mix", activity=None)
        if spans:
            writer.add_layers(f"{track}/{suffix}", names, prompt="music-mix", track=track, spans=spans)


def _mono(audio: Audio) -> Samples:
    samples: Samples = audio.samples.mean(dim=0).numpy()
    return samples
