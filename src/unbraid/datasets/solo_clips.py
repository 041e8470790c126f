"""Clips of recordings of one source alone: what a prior learns from, batch by batch.

Axes: B clips of a batch, N samples.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, section 3.1: segments of 5 seconds
that are not silent. Its published code says where silence is, cuts pieces of 7 to 10 seconds, and adds noise below the
last of 16 bits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.datasets.dice import Dice
from unbraid.datasets.folders import AUDIO_SUFFIXES, StemFile, open_source
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import MID_CHANNEL, Samples, Source, is_held_out
from unbraid.errors import DatasetError
from unbraid.library import is_file_name

LSB = 2.0**-15
WINDOW = 0.02  # seconds whose level is one
BLOCK = 60.0  # seconds that are read at once
LABELS: dict[str, tuple[str, ...]] = {  # of the stems in packs, by the source that they are
    "guitar": ("electric guitar", "acoustic guitar"),
    "keyboards": ("keyboards", "piano", "organ", "synthesizer"),
    "other": (
        "other", "electric guitar", "acoustic guitar", "piano", "keyboards", "synthesizer", "organ", "strings", "brass",
        "woodwinds", "accordion", "mallets", "pipe organ", "bagpipes",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ClipSettings:
    """How recordings are cut, and what becomes of a clip.

    Args:
        sample_rate: of the clips, in hertz.
        seconds: shortest and longest clip, drawn evenly; (7, 10) is that of the published code.
        shortest: what is shorter at the end of a recording is left out, in seconds.
        silence_db: what is quieter is silence, in dB of full scale.
        pause: of silences only so many seconds are kept.
        crop: a clip of a batch is a part of so many seconds, drawn anew every time; None takes it whole.
        gain_db: lowest and highest gain, drawn anew every time.
        noise: add less than one step of 16 bits, as magnitudes need a density.

    Raises:
        DatasetError: if a value makes no sense.

    Example:
        >>> ClipSettings(seconds=(7.0, 10.0)).sample_rate
        22050
    """

    sample_rate: int = 22050
    seconds: tuple[float, float] = (5.0, 5.0)
    shortest: float = 3.0
    silence_db: float = -50.0
    pause: float = 1.0
    crop: float | None = None
    gain_db: tuple[float, float] = (0.0, 0.0)
    noise: bool = True

    def __post_init__(self) -> None:
        low, high = self.seconds
        if not 0 < self.shortest <= low <= high or self.pause < 0 or self.sample_rate <= 0:
            raise DatasetError(f"clips of {self.seconds} s make no sense: give shortest <= low <= high, all above 0")
        if self.crop is not None and self.crop <= 0:
            raise DatasetError(f"a crop of {self.crop} s makes no sense: give more than 0, or None")
        if self.gain_db[0] > self.gain_db[1]:
            raise DatasetError(f"gains from {self.gain_db[0]} to {self.gain_db[1]} dB make no sense: exchange them")


@dataclass(frozen=True)
class Clip:
    """A piece of a recording: samples from start to stop, counted without what is left out as silence."""

    source: Source
    start: int
    stop: int

    def read(self, start: int, stop: int) -> Samples:
        """Return samples of the clip, at the rate of the recording, mono."""
        pieces, position = [], 0
        first, last = self.start + start, self.start + stop
        for begin, end in self.source.spans:
            low, high = max(first - position, 0), min(last - position, end - begin)
            if low < high:
                pieces.append(self.source.read(begin + low, begin + high, MID_CHANNEL))
            position += end - begin
        return np.concatenate(pieces)


class SoloBatch(NamedTuple):
    """Clips ``[B, N]`` of one source, each with zeros after its first ``lengths`` ``[B]`` samples."""

    mixture: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class SoloClips:
    """Batches by their number, read when they are asked for; an epoch takes the clips in a new order.

    Args:
        clips: at least one.
        settings: what becomes of a clip.
        batch_size: clips in a batch; what is left of an epoch is dropped.
        seed: another one gives other batches.

    Raises:
        DatasetError: if there are no clips.
    """

    clips: tuple[Clip, ...]
    settings: ClipSettings = field(default_factory=ClipSettings)
    batch_size: int = 32
    seed: int = 1234

    def __post_init__(self) -> None:
        if not self.clips or self.batch_size < 1:
            raise DatasetError("there are no clips to make batches of: give recordings")

    @property
    def seconds(self) -> float:
        """Length of all clips together."""
        return sum((clip.stop - clip.start) / clip.source.sample_rate for clip in self.clips)

    def __getitem__(self, step: int) -> SoloBatch:
        """Return one batch."""
        n_clips = len(self.clips)
        epoch, place = divmod(step, max(1, n_clips // self.batch_size))
        order = np.random.default_rng((self.seed, epoch)).permutation(n_clips)
        chosen = [order[(place * self.batch_size + index) % n_clips] for index in range(self.batch_size)]
        state = np.random.SeedSequence((self.seed, step, 1)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        dice = Dice(generator)
        batch = _stack([self._draw(self.clips[index], dice) for index in chosen])
        return _with_noise(batch, generator) if self.settings.noise else batch

    def _draw(self, clip: Clip, dice: Dice) -> Tensor:
        n_samples, rate = clip.stop - clip.start, clip.source.sample_rate
        crop = n_samples if self.settings.crop is None else min(n_samples, round(self.settings.crop * rate))
        start = dice.integer(n_samples - crop + 1) if crop < n_samples else 0
        gain = 10 ** (dice.between(*self.settings.gain_db) / 20)
        return gain * _at_rate(clip.read(start, start + crop), rate, self.settings.sample_rate)


@dataclass(frozen=True)
class HeldOutClips(Sequence[SoloBatch]):
    """Whole clips in their order, to validate with.

    Args:
        clips: at least one.
        settings: rate and noise; nothing is cropped, and gains are 0 dB.
        batch_size: clips in a batch; the last one may have fewer.
        most: clips, evenly spread, if there are more.
    """

    clips: tuple[Clip, ...]
    settings: ClipSettings = field(default_factory=ClipSettings)
    batch_size: int = 8
    most: int = 64

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self._chosen) / self.batch_size)

    @overload
    def __getitem__(self, index: int) -> SoloBatch: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SoloBatch]: ...

    def __getitem__(self, index: int | slice) -> SoloBatch | Sequence[SoloBatch]:
        """Return one batch."""
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        first = range(len(self))[index] * self.batch_size
        clips = [self.clips[one] for one in self._chosen[first : first + self.batch_size]]
        rate = self.settings.sample_rate
        batch = _stack(
            [_at_rate(clip.read(0, clip.stop - clip.start), clip.source.sample_rate, rate) for clip in clips]
        )
        return _with_noise(batch, torch.Generator().manual_seed(first)) if self.settings.noise else batch

    @property
    def _chosen(self) -> list[int]:
        n_clips, wanted = len(self.clips), min(len(self.clips), self.most)
        return [index * n_clips // wanted for index in range(wanted)]


def open_solos(paths: Sequence[Path], *, source: str, settings: ClipSettings = ClipSettings()) -> list[Source]:
    """Find the recordings of a source, and where they sound: every file is listened to once.

    Args:
        paths: folders of recordings, each of which is of the source and nothing else, at any depth; or packs, or
            folders of packs, of which the stems with the labels of the source are taken (`LABELS`).
        source: its name, such as ``guitar``.
        settings: what silence is.

    Returns:
        Recordings that sound, whose spans are what is left when silences are shortened.

    Raises:
        DatasetError: if there is none, or one cannot be read; or if the name is none of a source.
    """
    if not is_file_name(source):
        raise DatasetError(f"--source {source!r} cannot be the name of a prior's file: use letters, digits and spaces")
    if not paths:
        raise DatasetError(f"there is nothing to learn {source!r} from: give --data a folder of solo recordings")
    found: list[Source] = []
    for path in paths:
        packs = [path] if (path / "index.json").is_file() else sorted(one.parent for one in path.glob("*/index.json"))
        if packs:
            labels = LABELS.get(source, (source,))
            found += [stem for pack in packs for stem in read_pack(pack) if stem.prompt in labels]
        else:
            found += _open_folder(path, source)
    heard = [(one, sounding_spans(one, settings)) for one in found]
    kept = [replace(one, spans=spans) for one, spans in heard if spans]
    if not kept:
        listed, what = ", ".join(map(str, paths)), f"{len(heard)} recordings, all silent" if heard else "no recording"
        raise DatasetError(f"{listed}: {what}: give --data a folder of solo recordings of {source!r}")
    return kept


def sounding_spans(source: Source, settings: ClipSettings) -> tuple[tuple[int, int], ...]:
    """Return what is left of a recording when silences are shortened; nothing if it is silent throughout.

    Example:
        >>> from unbraid.datasets.pack import PackStore
        >>> class Beeps:
        ...     def read(self, start, stop, channel):
        ...         return np.isin(np.arange(start, stop) // 100, (0, 5)).astype(np.float32)
        >>> sounding_spans(Source("beeps", "bass", 100, 700, Beeps()), ClipSettings())
        ((0, 200), (500, 700))
    """
    size = max(1, round(WINDOW * source.sample_rate))
    block = size * round(BLOCK / WINDOW)
    powers = [
        _powers(source.read(start, min(start + block, source.n_samples), MID_CHANNEL), size)
        for start in range(0, source.n_samples, block)
    ]
    loud = np.concatenate(powers) >= 10 ** (settings.silence_db / 10)
    if not loud.any():
        return ()
    allowed = round(settings.pause * source.sample_rate / size)
    index = np.arange(len(loud))
    since = index - np.maximum.accumulate(np.where(loud, index, -1))  # windows since the last loud one
    edges = np.diff(np.concatenate([[False], since <= allowed, [False]]).astype(np.int8))
    pairs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    return tuple((int(start) * size, min(int(stop) * size, source.n_samples)) for start, stop in pairs)


def cut_clips(source: Source, settings: ClipSettings) -> list[Clip]:
    """Cut a recording into clips one after the other; the last one ends where it does, and may overlap.

    Lengths are drawn, always the same ones for a name.

    Example:
        >>> class Silence:
        ...     def read(self, start, stop, channel):
        ...         return np.zeros(stop - start, dtype=np.float32)
        >>> solo = Source("solo", "bass", 100, 1200, Silence())
        >>> [(clip.start, clip.stop) for clip in cut_clips(solo, ClipSettings())]
        [(0, 500), (500, 1000), (700, 1200)]
    """
    rate, n_samples = source.sample_rate, sum(stop - start for start, stop in source.spans)
    rng = np.random.default_rng(_number_of(source.name))
    clips: list[Clip] = []
    start = 0
    while start < n_samples:
        length = round(rng.uniform(*settings.seconds) * rate)
        start, stop = max(0, min(start, n_samples - length)), min(start + length, n_samples)
        if stop - start >= settings.shortest * rate:
            clips.append(Clip(source, start, stop))
        start = stop
    return clips


def split_clips(
    sources: Iterable[Source], settings: ClipSettings, *, held_out: float = 0.02
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Cut all recordings, and divide the clips into those to train and those to validate with: at least one.

    Recordings go to one side or the other with their track, by a hash of its name. Where none is chosen, one is all the
    same; of a single recording it is the last clip.

    Args:
        sources: recordings.
        settings: how they are cut.
        held_out: fraction of the tracks that is validated with.

    Raises:
        DatasetError: if there are fewer than two clips.
    """
    clips = [clip for source in sources for clip in cut_clips(source, settings)]
    tracks = sorted({clip.source.track for clip in clips if not clip.source.train_only}, key=_number_of)
    chosen = {track for track in tracks if is_held_out(track, held_out)} or set(tracks[:1])
    learned = tuple(clip for clip in clips if clip.source.track not in chosen or clip.source.train_only)
    tested = tuple(clip for clip in clips if clip.source.track in chosen and not clip.source.train_only)
    if not learned and tested:
        *before, last = tested
        tested = (last,)
        learned = tuple(one for one in before if one.source is not last.source or one.stop <= last.start)
    if not learned or not tested:
        raise DatasetError(
            f"{len(clips)} clips of {settings.shortest:g} s or more are too few to train and validate with: "
            "give longer recordings, or more of them"
        )
    return learned, tested


def _open_folder(path: Path, source: str) -> list[Source]:
    if not path.is_dir():
        what = "this is a file" if path.exists() else "there is no such folder"
        raise DatasetError(f"{path}: {what}: give a folder of recordings of {source!r} alone")
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in AUDIO_SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    names = [f"{path.resolve().name}/{file.relative_to(path).as_posix()}" for file in files]
    return [_open_file(StemFile(file, name, source, name)) for file, name in zip(files, names, strict=True)]


def _open_file(stem: StemFile) -> Source:
    try:
        return open_source(stem)
    except DatasetError as error:
        raise DatasetError(
            f"{stem.path}: cannot be read as it is ({error.__cause__}): convert it to WAV or FLAC, or take it out of "
            "the folder"
        ) from error


def _powers(samples: Samples, size: int) -> Samples:
    """Return the mean power of windows; the last one may be shorter."""
    starts = np.arange(0, len(samples), size)
    sums = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    return np.asarray(sums / np.diff(np.append(starts, len(samples))), dtype=np.float32)


def _at_rate(samples: Samples, source_rate: int, target_rate: int) -> Tensor:
    """Return samples ``[N]`` at another rate."""
    return resample(torch.from_numpy(samples)[None], source_rate=source_rate, target_rate=target_rate)[0]


def _stack(clips: Sequence[Tensor]) -> SoloBatch:
    padded = torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True)
    return SoloBatch(padded, torch.tensor([len(clip) for clip in clips]))


def _with_noise(batch: SoloBatch, generator: torch.Generator) -> SoloBatch:
    """Put samples on the grid of 16 bits, and add between nothing and one step of it."""
    steps = (batch.mixture / LSB).round() + torch.rand(batch.mixture.shape, generator=generator)
    counts = torch.arange(batch.mixture.shape[1]) < batch.lengths[:, None]
    return SoloBatch(steps * LSB * counts, batch.lengths)


def _number_of(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
