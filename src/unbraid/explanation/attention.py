"""What a LaSAFT network attends to: the weights of its latent sources, over the time of a song.

A song is read and asked about window by window, as long as the model was trained on; only the middle of each window
is kept, where the network hears what is before and behind. So memory does not grow with the length of the song.

Source: Choi et al., "LaSAFT-Net", JAES 70(9), 2022, section 4.7.

Axes: S targets, C channels, N samples, F bins, T frames or columns, L latent sources.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unbraid.audio.files import AudioReader, open_audio
from unbraid.audio.resample import resample
from unbraid.errors import AudioReadError, ModelError, SettingsError
from unbraid.guides.examples import resolve_examples
from unbraid.guides.kinds import Request
from unbraid.models.lasaft import Lasaft
from unbraid.models.separator import Separator
from unbraid.request import read_request
from unbraid.zoo import ZOO

MAX_COLUMNS = 4096
FLOOR_DB = -120.0
SYSTEM = "LaSAFT"


@dataclass(frozen=True, eq=False)
class BlockAttention:
    """What one block of the decoder attends to.

    Args:
        coefficients: float32 ``[S, T, L]``, 0..1; those of one column sum to one.
        times: middle of each column in seconds of the song, ``[T]``.
    """

    coefficients: Tensor
    times: Tensor


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model attends to in a song, beside the song's spectrogram.

    Args:
        labels: names of the targets, in the order of the coefficients.
        blocks: of the decoder, from the one next to the bottleneck to the one next to the output.
        spectrogram: float32 ``[F, T]``, level of the mean power of the channels in dB; a sine of full scale has 0.
        times: middle of each column of the spectrogram in seconds of the song, ``[T]``.
        frequencies: of its rows in hertz, ``[F]``.
    """

    labels: tuple[str, ...]
    blocks: tuple[BlockAttention, ...]
    spectrogram: Tensor
    times: Tensor
    frequencies: Tensor

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all arrays into one NumPy file.

        It holds ``labels``, ``spectrogram``, ``times``, ``frequencies``, and for each block, counted from 1,
        ``coefficients_1`` and ``times_1``.

        Raises:
            OSError: if it cannot be written.
        """
        arrays: dict[str, Any] = {
            "labels": np.array(self.labels),
            "spectrogram": self.spectrogram.numpy(),
            "times": self.times.numpy(),
            "frequencies": self.frequencies.numpy(),
        }
        for number, block in enumerate(self.blocks, 1):
            arrays[f"coefficients_{number}"] = block.coefficients.numpy()
            arrays[f"times_{number}"] = block.times.numpy()
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays)


def explain(
    song: str | os.PathLike[str],
    targets: Request,
    *,
    model: Separator,
    start: float = 0.0,
    duration: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """Gather what a model attends to in a song, or in a part of it, of any length in bounded memory.

    Of a part with more than 4096 frames, neighbors are averaged, so that no array has more columns.

    Args:
        song: the file.
        targets: labels, or examples that are recordings, for a model that takes them.
        model: a LaSAFT network.
        start: of the part, in seconds.
        duration: of the part, in seconds; None is up to the end.
        progress: called with the fraction done, rising.

    Raises:
        ModelError: if the model has no attention over latent sources.
        GuideError: if it does not understand a target.
        AudioReadError: if the song cannot be read, or the part lies outside of it.

    Example:
        >>> import tempfile
        >>> from unbraid.audio.files import Encoding, write_audio
        >>> from unbraid.audio.signal import Audio
        >>> from unbraid.guides.kinds import Label
        >>> from unbraid.models.lasaft import PRESETS
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     song = Path(folder, "song.wav")
        ...     _ = write_audio(song, Audio(torch.ones(2, 44100), 44100), encoding=Encoding("wav", "16"))
        ...     found = explain(song, Label("bass"), model=Lasaft(PRESETS["lasaft-debug"]).eval(), duration=0.5)
        >>> found.labels, [tuple(block.coefficients.shape) for block in found.blocks]
        (('bass',), [(1, 87, 4), (1, 173, 4)])
    """
    network = check_attends(model)
    wanted = resolve_examples(read_request(network, targets))
    with open_audio(song) as reader, torch.inference_mode():
        condition = network.condition(wanted)
        part = _Part.of(reader, network, start=start, duration=duration)
        heard = _Columns(part.n_frames)
        blocks = [_Columns(-(-part.n_frames // factor)) for factor in part.factors]
        for window in part.windows(reader):
            heard.add(_powers(network, window.samples)[:, window.kept(1)], window.first_kept)
            answers = network.attention(window.samples.to(network.device), condition)
            for block, factor, answer in zip(blocks, part.factors, answers, strict=True):
                rows = answer[:, window.kept(factor)].cpu().float()
                block.add(rows.transpose(1, 2), window.first_kept // factor)  # [S, L, T]
            if progress is not None:
                progress(window.done)
    return Explanation(
        labels=condition.names,
        blocks=tuple(
            BlockAttention(block.means.transpose(1, 2).contiguous(), block.means_of(part.times(factor)))
            for block, factor in zip(blocks, part.factors, strict=True)
        ),
        spectrogram=10 * heard.means.clamp_min(10 ** (FLOOR_DB / 10)).log10(),
        times=heard.means_of(part.times(1)),
        frequencies=torch.linspace(0, network.sample_rate / 2, network.config.n_fft // 2 + 1),
    )


def check_attends(model: Separator) -> Lasaft:
    """Return the model, if it weighs latent sources.

    Raises:
        ModelError: if it does not; the message names one that does.
    """
    if isinstance(model, Lasaft):
        return model
    ours = [entry.name for entry in ZOO.values() if entry.file and entry.system == SYSTEM]
    cure = f"use {ours[0]} (-m {ours[0]})" if ours else "use a LaSAFT model, imported or trained"
    raise ModelError(f"{model.name or type(model).__name__} has no attention over latent sources: {cure}")


def _powers(network: Lasaft, samples: Tensor) -> Tensor:
    """Return the mean power of the channels ``[C, N]`` in each bin and frame, ``[F, T]``; 1 is a sine of full scale."""
    amplitudes = network.stft(samples.to(network.device)).abs() * (4 / network.config.n_fft)
    powers: Tensor = amplitudes.square().mean(dim=0).cpu()
    return powers


class _Window(NamedTuple):
    """A window, and which of its frames are kept: in frames of the transform, from the beginning of the part."""

    samples: Tensor
    first: int
    first_kept: int
    stop_kept: int
    done: float

    def kept(self, factor: int) -> slice:
        """Which frames of this window are kept where so many were made one."""
        return slice((self.first_kept - self.first) // factor, -(-(self.stop_kept - self.first) // factor))


@dataclass(frozen=True)
class _Part:
    """What is asked about: samples of the file, and frames of the network's transform."""

    first_sample: int
    n_samples: int
    sample_rate: int
    model_rate: int
    hop_length: int
    window_frames: int
    step: int
    n_there: int  # samples at the network's rate

    @classmethod
    def of(cls, reader: AudioReader, network: Lasaft, *, start: float, duration: float | None) -> _Part:
        """Find the part of a file.

        Raises:
            AudioReadError: if it is empty, or begins outside of the file.
        """
        if not 0 <= start < reader.duration:
            raise AudioReadError(f"{reader.path}: nothing at {start} s: the file is {reader.duration:.2f} s long")
        if duration is not None and not duration > 0:
            raise SettingsError(f"a part of {duration} s is empty: use a positive number of seconds")
        config, rate = network.config, reader.sample_rate
        first = min(round(start * rate), reader.n_samples - 1)
        rest = reader.n_samples - first
        n_samples = rest if duration is None or duration * rate > rest else max(1, round(duration * rate))
        n_there = max(1, n_samples * config.sample_rate // rate)
        return cls(
            first_sample=first,
            n_samples=n_samples,
            sample_rate=rate,
            model_rate=config.sample_rate,
            hop_length=config.hop_length,
            window_frames=config.n_frames,
            step=2**config.n_levels,
            n_there=n_there,
        )

    @property
    def n_frames(self) -> int:
        """Frames of the transform: their middles lie in the part."""
        return self.n_there // self.hop_length + 1

    @property
    def factors(self) -> tuple[int, ...]:
        """How many frames of the transform are one of each block of the decoder."""
        n_levels = self.step.bit_length() - 1
        return tuple(2**level for level in reversed(range(n_levels)))

    def times(self, factor: int) -> Tensor:
        """Return the middle of each frame in seconds of the song, where so many frames were made one."""
        frames = torch.arange(-(-self.n_frames // factor), dtype=torch.float64)
        centers = (frames * factor + (factor - 1) / 2) * self.hop_length / self.model_rate
        return (centers + self.first_sample / self.sample_rate).float()

    def windows(self, reader: AudioReader) -> Iterator[_Window]:
        """Read the part in windows; they overlap, and what is kept of them does not."""
        margin = self.window_frames // 4 // self.step * self.step
        first = 0
        while True:
            is_last = first + self.window_frames >= self.n_frames
            kept = (first + margin if first else 0, self.n_frames if is_last else first + self.window_frames - margin)
            samples = self._read(reader, first, is_last=is_last)
            yield _Window(samples, first, *kept, done=kept[1] / self.n_frames)
            if is_last:
                return
            first += self.window_frames - 2 * margin

    def _read(self, reader: AudioReader, first: int, *, is_last: bool) -> Tensor:
        """Return the samples of the window that begins with a frame, at the network's rate, ``[C, N]``."""
        frame = self.hop_length / self.model_rate * self.sample_rate  # samples of the file
        start = self.first_sample + round(first * frame)
        end = self.first_sample + self.n_samples
        stop = end if is_last else min(end, start + round((self.window_frames - 1) * frame))
        whole = torch.cat(list(reader.blocks(start=start, stop=stop)), dim=1)
        samples = resample(whole, source_rate=self.sample_rate, target_rate=self.model_rate)
        length = self.n_there - first * self.hop_length if is_last else (self.window_frames - 1) * self.hop_length
        return nn.functional.pad(samples, (0, max(0, length - samples.shape[1])))[:, :length]


class _Columns:
    """Means of neighboring frames, as few of them as are needed to have at most ``MAX_COLUMNS``."""

    def __init__(self, n_frames: int) -> None:
        self.n_frames = n_frames
        self._group = -(-n_frames // MAX_COLUMNS)
        self._sums = torch.empty(0)

    def add(self, rows: Tensor, first: int) -> None:
        """Add frames ``[..., t]``, the first of them given by its number."""
        if not self._sums.numel():
            self._sums = torch.zeros(*rows.shape[:-1], -(-self.n_frames // self._group))
        self._sums.index_add_(-1, torch.arange(first, first + rows.shape[-1]) // self._group, rows)

    @property
    def means(self) -> Tensor:
        """Mean of each group ``[..., columns]``; the last group may be smaller."""
        return self._sums / self._sizes

    def means_of(self, values: Tensor) -> Tensor:
        """Return the mean of each group of other values, one for each frame."""
        sums = torch.zeros(len(self._sizes)).index_add_(0, torch.arange(self.n_frames) // self._group, values)
        return sums / self._sizes

    @property
    def _sizes(self) -> Tensor:
        return torch.bincount(torch.arange(self.n_frames) // self._group).float()
