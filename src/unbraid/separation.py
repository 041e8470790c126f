"""The one way from a mixture to its stems: for whole recordings, and for streams of any length.

Axes: B windows of a batch, S stems, C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol, runtime_checkable

import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.encoding import MAX_CHANNELS
from unbraid.audio.files import read_audio
from unbraid.audio.resample import StreamResampler, resampled_length
from unbraid.audio.segments import SampleQueue, WindowLayout, overlap_add
from unbraid.audio.signal import Audio
from unbraid.errors import AudioError, Cancelled, ModelError, SettingsError
from unbraid.guides.kinds import Request, Target
from unbraid.guides.on_clock import Recorded, put_on_clock
from unbraid.models.separator import Condition, Joinable, Sampling, Separator
from unbraid.request import pick_separator, read_request

PRECISIONS = ("fp32", "bf16")
_BLOCK = 1 << 16  # samples that are resampled at a time
_ACCELERATOR_BATCH = 8  # windows; a processor is fastest with one, which stays in its cache

Mixture = Audio | str | os.PathLike[str] | Tensor | npt.ArrayLike
PresenceCurve = tuple[tuple[float, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Settings:
    """How a separation is computed; the sound that it aims at is the same for all of them.

    Args:
        overlap: fraction of a window that the next one covers again, in [0, 0.9).
        segment: length of a window in seconds; None is the length that the model was trained on.
        batch_size: windows that are processed at a time; None is 1 on the CPU and 8 elsewhere.
        precision: ``"fp32"``, or ``"bf16"`` for matrix products in bfloat16.
        sampling: how a model that draws its answers at random draws them; None leaves it to the model.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> Settings(overlap=0.5).segment is None
        True
    """

    overlap: float = 0.25
    segment: float | None = None
    batch_size: int | None = None
    precision: str = "fp32"
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        WindowLayout(1, self.overlap, 1 if self.batch_size is None else self.batch_size)  # refuses these two
        if self.segment is not None and not (self.segment > 0 and math.isfinite(self.segment)):
            raise SettingsError(f"segment {self.segment} is out of range: use a positive number of seconds")
        if self.precision not in PRECISIONS:
            raise SettingsError(f"unknown precision {self.precision!r}: use one of {', '.join(PRECISIONS)}")


DEFAULTS = Settings()


@runtime_checkable
class Slow(Condition, Protocol):
    """A condition whose windows take long each, so that one can be watched, and left before its end."""

    def watched_by(self, watch: Callable[[float], None]) -> Condition:
        """Return the same condition, which tells how much of a window is done, 0..1; what that raises ends it."""
        ...


@dataclass(frozen=True, eq=False)
class SeparatedBlock:
    """The next samples of a separation, at the mixture's rate.

    Args:
        mixture: float32 ``[C, n]``, the samples as they came in.
        stems: float32 ``[S, C, n]``.
    """

    mixture: Tensor
    stems: Tensor

    @property
    def residual(self) -> Tensor:
        """What the stems leave of the mixture, ``[C, n]``; see :func:`residual_of`."""
        return residual_of(self.mixture, self.stems)


@dataclass(frozen=True, eq=False)
class Separation:
    """A mixture taken apart; everything has its rate, its channels and its length.

    Args:
        stems: name to sound, in the order in which the targets were given.
        residual: ``mixture - sum(stems)`` in float32, the stems added up first, from the first to the last.
        presence: name to the probability that the target sounds in the mixture, from 0 to 1: the mean over the
            quarter of the windows where it is highest. None where the model does not know.
        presence_curve: beginning in seconds of each window, and its probabilities in the order of the stems; empty
            where the model does not know.
    """

    stems: dict[str, Audio]
    residual: Audio
    presence: dict[str, float | None]
    presence_curve: PresenceCurve = field(default=(), repr=False)


def separate(
    mixture: Mixture,
    targets: Request,
    *,
    model: Separator | str | os.PathLike[str] | None = None,
    sample_rate: int | None = None,
    settings: Settings = DEFAULTS,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Separation:
    """Take a recording apart, in memory.

    The mixture is never modified; levels, length, rate and channels come back as they went in. Neither the random
    state nor any other global setting of torch is touched, and a model that is being trained stays in training mode.

    Args:
        mixture: a file, an :class:`Audio`, or samples ``[N]`` or ``[C, N]`` of any type, 1 to 8 channels.
        targets: the sounds asked for: guides, targets, or a list of them.
        model: a separator, the name of a model, or the path of its weights; None is the one that
            :func:`unbraid.zoo.default_model` chooses by the kinds of guide.
        sample_rate: of an array or tensor, in hertz; files and ``Audio`` know theirs.
        settings: windows and precision.
        progress: called with the fraction done, rising, and with 1.0 at the end.
        cancel: called at least once for each batch of windows; True stops the separation.

    Returns:
        Stems, residual and presence.

    Raises:
        AudioError: if the mixture cannot be read, is empty, holds NaN or infinite samples, has no known rate or more
            than 8 channels.
        GuideError: if the model does not understand a guide.
        ModelError: if there is no such model, or it answers with what is no sound.
        Cancelled: if ``cancel`` said so.

    Example:
        >>> from unbraid.guides.kinds import Prompts
        >>> from unbraid.zoo import debug_model
        >>> result = separate(torch.zeros(2, 8000), Prompts("vocals drums"), model=debug_model(), sample_rate=8000)
        >>> list(result.stems), result.residual.samples.shape
        (['vocals', 'drums'], torch.Size([2, 8000]))
    """
    separator = pick_separator(model, targets)
    wanted = read_request(separator, targets)
    audio = _as_audio(mixture, sample_rate)
    _check_block(audio.samples, start=0, sample_rate=audio.sample_rate)
    if audio.n_samples == 0:
        raise AudioError("the mixture is empty: give at least one sample")
    wanted = put_on_clock(wanted, Recorded.of(audio))
    network = _Network(separator, _condition(separator, wanted, settings), settings, cancel)
    stream = SeparationStream(
        network, [audio.samples], sample_rate=audio.sample_rate, n_samples=audio.n_samples, progress=progress
    )
    return _collect(stream, audio)


def separate_stream(
    model: Separator,
    blocks: Iterable[Tensor],
    targets: Request,
    *,
    sample_rate: int,
    n_samples: int | None = None,
    settings: Settings = DEFAULTS,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> SeparationStream:
    """Take a stream apart in bounded memory: blocks go in, separated blocks come out as they become final.

    The result does not depend on how the stream is cut into blocks, to the last bit.

    Args:
        model: the separator.
        blocks: float32 ``[C, n]``, any n, one C from 1 to 8; never modified, and copied, so that memory can be reused.
        targets: the sounds asked for; examples from the mixture itself are given as recordings, not as spans.
        sample_rate: of the blocks, in hertz.
        n_samples: length of the whole, if it is known: only to tell the fraction done.
        settings: windows and precision.
        progress: called with the fraction done, rising, and with 1.0 at the end; where the length is not known, only
            at the end.
        cancel: called at least once for each batch of windows; True stops the separation.

    Returns:
        An iterator of :class:`SeparatedBlock`; together they are exactly as long as the stream.

    Raises:
        GuideError: at once, if the model does not understand a guide.
        AudioError: at once or while iterating, for blocks that :func:`separate` would refuse.
        ModelError: while iterating, if the model answers with what is no sound.
        Cancelled: while iterating, if ``cancel`` said so.

    Example:
        >>> from unbraid.guides.kinds import Label
        >>> from unbraid.zoo import debug_model
        >>> stream = separate_stream(debug_model(), torch.zeros(2, 9000).split(500, 1), Label("bass"), sample_rate=8000)
        >>> stream.names, sum(block.residual.shape[1] for block in stream)
        (('bass',), 9000)
    """
    if sample_rate <= 0:
        raise AudioError(f"sample_rate must be positive, got {sample_rate}")
    wanted = read_request(model, targets)
    network = _Network(model, _condition(model, wanted, settings), settings, cancel)
    return SeparationStream(network, blocks, sample_rate=sample_rate, n_samples=n_samples, progress=progress)


class SeparationStream(Iterator[SeparatedBlock]):
    """A separation under way; made by :func:`separate_stream`.

    Attributes:
        names: of the stems, in the order of ``SeparatedBlock.stems``.
    """

    def __init__(
        self,
        network: _Network,
        blocks: Iterable[Tensor],
        *,
        sample_rate: int,
        n_samples: int | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        self.names = tuple(network.condition.names)
        self._network = network
        self._sample_rate = sample_rate
        self._n_samples = n_samples
        self._progress = progress
        self._mixture, self._stems = SampleQueue(), SampleQueue()  # [C, n], [S * C, n]
        self._scores: list[tuple[float, tuple[float, ...]]] = []
        self._n_out = 0
        self._told = 0.0
        if progress is not None and n_samples:
            network.watch = lambda seconds: self._tell(seconds * sample_rate / n_samples)
        self._run = self._separate(blocks)

    def __next__(self) -> SeparatedBlock:
        return next(self._run)

    @property
    def presence(self) -> dict[str, float | None]:
        """Presence of each stem in what has been processed so far; see :class:`Separation`."""
        if not self._scores:
            return dict.fromkeys(self.names)
        scores = torch.tensor([values for _, values in self._scores], dtype=torch.float64)  # [windows, S]
        highest = scores.sort(dim=0, descending=True).values[: math.ceil(len(scores) / 4)]
        return dict(zip(self.names, highest.mean(dim=0).tolist(), strict=True))

    @property
    def presence_curve(self) -> PresenceCurve:
        """Presence in each window processed so far; see :class:`Separation`."""
        return tuple(self._scores)

    def _separate(self, blocks: Iterable[Tensor]) -> Iterator[SeparatedBlock]:
        network, back = self._network, None
        windows = overlap_add(
            self._at_model_rate(blocks), network.process, layout=network.layout, groups=network.condition.groups
        )
        for piece in windows:
            rate = network.model.sample_rate
            self._scores.extend((start / rate, tuple(values.tolist())) for start, values in piece.scores)
            rows = piece.estimates.flatten(0, 1)
            back = back or StreamResampler(network.model.sample_rate, self._sample_rate, len(rows))
            self._stems.push(back.process(rows))
            yield from self._emit()
        if back is not None:
            self._stems.push(back.process(torch.zeros(back.n_channels, 0), last=True))
            yield from self._emit()
        if self._progress is not None:
            self._progress(1.0)

    def _at_model_rate(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Check and keep the mixture's blocks, and pass them on at the model's rate."""
        resampler, n_in = None, 0
        for whole in blocks:
            _check_block(whole, start=n_in, sample_rate=self._sample_rate)
            for start in range(0, whole.shape[1], _BLOCK):
                self._network.poll()
                block = whole[:, start : start + _BLOCK].detach().to("cpu", torch.float32, copy=True)
                resampler = resampler or StreamResampler(self._sample_rate, self._network.model.sample_rate, len(block))
                if len(block) != resampler.n_channels:
                    raise AudioError(f"blocks must all have {resampler.n_channels} channels, got one with {len(block)}")
                n_in += block.shape[1]
                self._mixture.push(block)
                yield resampler.process(block)
        if resampler is None or n_in == 0:
            raise AudioError("the mixture is empty: give at least one sample")
        n_spare = _spare_samples(n_in, self._sample_rate, self._network.model.sample_rate)
        yield resampler.process(torch.zeros(resampler.n_channels, n_spare), last=True)

    def _emit(self) -> Iterator[SeparatedBlock]:
        """Pair what is final of the stems with the mixture."""
        n_ready = min(self._mixture.n_samples, self._stems.n_samples)
        if not n_ready:
            return
        self._n_out += n_ready
        stems = self._stems.pop(n_ready).view(len(self.names), self._mixture.n_rows, n_ready)
        yield SeparatedBlock(self._mixture.pop(n_ready), stems)
        if self._n_samples:
            self._tell(self._n_out / self._n_samples)

    def _tell(self, done: float) -> None:
        """Tell what part is done, if that is news."""
        if self._progress is not None and self._told < done < 1:
            self._told = done
            self._progress(done)


def _condition(model: Separator, targets: Sequence[Target], settings: Settings) -> Condition:
    """Make the condition of a track."""
    condition = model.condition(targets)
    return condition if settings.sampling is None else model.sample_with(condition, settings.sampling)


class _Network:
    """A model, what it is asked for, and how it is run on windows."""

    def __init__(
        self, model: Separator, condition: Condition, settings: Settings, cancel: Callable[[], bool] | None
    ) -> None:
        self.model = model
        self.condition = condition.watched_by(self._see) if isinstance(condition, Slow) else condition
        self.watch: Callable[[float], None] = lambda seconds: None
        self._under_way = (0.0, 0.0)
        self._precision = settings.precision
        self._cancel = cancel
        first = next(itertools.chain(model.parameters(), model.buffers()), torch.empty(0))
        self._device = first.device
        segment = model.segment if settings.segment is None else settings.segment
        self.layout = WindowLayout(
            length=max(1, round(segment * model.sample_rate)),
            overlap=settings.overlap,
            step=model.step,
            batch_size=settings.batch_size or (1 if self._device.type == "cpu" else _ACCELERATOR_BATCH),
        )

    def poll(self) -> None:
        """Stop if the caller wants to."""
        if self._cancel is not None and self._cancel():
            raise Cancelled("stopped before the end of the mixture, as asked")

    def _see(self, done: float) -> None:
        """Watch a part 0..1 of the windows under way being done."""
        self.poll()
        start, length = self._under_way
        self.watch(start + done * length)

    def process(self, windows: Tensor, starts: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Separate ``[B, C, n]`` into ``[B, S, C, n]``, and tell the presence ``[B, S]``."""
        self.poll()
        rate, n_samples = self.model.sample_rate, windows.shape[-1]
        self._under_way = starts[0] / rate, len(starts) * self.layout.stride / rate
        conditions = [self.condition.crop(start / rate, (start + n_samples) / rate) for start in starts]
        first, *others = conditions
        if all(condition is first for condition in others):
            return self._forward(windows, first, starts[0])
        if isinstance(first, Joinable):
            return self._forward(windows, first.join(others), starts[0])
        answers = [
            self._forward(window[None], condition, start)
            for window, condition, start in zip(windows, conditions, starts, strict=True)
        ]
        scores = [presence for _, presence in answers if presence is not None]
        return torch.cat([stems for stems, _ in answers]), torch.cat(scores) if scores else None

    def _forward(self, windows: Tensor, condition: Condition, start: int) -> tuple[Tensor, Tensor | None]:
        is_bf16 = self._precision == "bf16"
        with (
            _evaluating(self.model),
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=is_bf16),
        ):
            stems, presence = self.model(windows.to(self._device), condition)
        if stems.shape[1] != len(self.condition.names):
            n_asked = len(self.condition.names)
            raise ModelError(f"the model was asked for {n_asked} sounds and gave {stems.shape[1]}: correct its forward")
        if not (_is_finite(stems) and (presence is None or _is_finite(presence))):
            second = start / self.model.sample_rate
            cure = "use precision fp32" if is_bf16 else "check the weights"
            raise ModelError(f"the model's answer is not finite in the window at {second:.2f} s: {cure}")
        return stems, presence


def _spare_samples(n_samples: int, rate: int, model_rate: int) -> int:
    """Samples of silence for the end of a recording that comes back shorter from the model's rate; cut off again."""
    n_there = resampled_length(n_samples, source_rate=rate, target_rate=model_rate)
    n_back = resampled_length(n_there, source_rate=model_rate, target_rate=rate)
    return -(-rate // model_rate) if n_back < n_samples else 0


def residual_of(mixture: Tensor, stems: Iterable[Tensor]) -> Tensor:
    """What stems leave of a mixture: ``mixture - ((stem 0 + stem 1) + stem 2 …)``, in the precision of the tensors.

    Args:
        mixture: ``[C, n]``.
        stems: at least one ``[C, n]``, or ``[S, C, n]``.

    Example:
        >>> residual_of(torch.tensor([[1.0]]), torch.tensor([[[0.25]], [[0.5]]]))
        tensor([[0.2500]])
    """
    return mixture - reduce(torch.add, stems)


def _collect(stream: SeparationStream, mixture: Audio) -> Separation:
    """Put the blocks of a stream together."""
    rate = mixture.sample_rate
    *stems, residual = (torch.empty(mixture.samples.shape) for _ in [*stream.names, "residual"])
    position = 0
    for block in stream:
        part = slice(position, position + block.mixture.shape[1])
        for stem, samples in zip(stems, block.stems, strict=True):
            stem[:, part] = samples
        residual[:, part] = block.residual
        position = part.stop
    return Separation(
        stems={name: Audio(stem, rate) for name, stem in zip(stream.names, stems, strict=True)},
        residual=Audio(residual, rate),
        presence=stream.presence,
        presence_curve=stream.presence_curve,
    )


def _as_audio(mixture: Mixture, sample_rate: int | None) -> Audio:
    if isinstance(mixture, Audio):
        audio = mixture
    elif isinstance(mixture, str | os.PathLike):
        audio = read_audio(mixture)
    elif sample_rate is None:
        raise AudioError("an array does not tell its rate: give sample_rate, such as sample_rate=44100")
    else:
        audio = Audio.from_array(mixture, sample_rate)
    if sample_rate is not None and audio.sample_rate != sample_rate:
        raise AudioError(f"the mixture has {audio.sample_rate} Hz, not {sample_rate}: leave sample_rate out")
    return audio


def _check_block(block: Tensor, *, start: int, sample_rate: int) -> None:
    """Refuse what is no sound; ``start`` is the block's first sample."""
    if block.ndim != 2 or not 1 <= len(block) <= MAX_CHANNELS:
        raise AudioError(f"samples must be [1 to {MAX_CHANNELS} channels, samples], got shape {tuple(block.shape)}")
    if not _is_finite(block):
        second = (start + int((~torch.isfinite(block)).any(dim=0).nonzero()[0])) / sample_rate
        raise AudioError(f"the sample of the mixture at {second:.3f} s is not a finite number: repair the recording")


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are finite; a sum that is settles it in a fraction of the time."""
    return math.isfinite(float(tensor.detach().sum())) or bool(torch.isfinite(tensor).all())


@contextmanager
def _evaluating(model: Separator) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its parts back afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True
