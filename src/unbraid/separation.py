"""The one way from a mixture to its stems: for whole recordings, and for streams of any length.

Axes: B windows of a batch, S stems, C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce

import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.asked_model import AskedModel, is_finite
from unbraid.audio.encoding import MAX_CHANNELS
from unbraid.audio.files import read_audio
from unbraid.audio.resample import StreamResampler, resampled_length
from unbraid.audio.segments import SampleQueue, overlap_add
from unbraid.audio.signal import Audio
from unbraid.errors import AudioError
from unbraid.guides.kinds import Request
from unbraid.guides.on_clock import Recorded, put_on_clock
from unbraid.models.separator import Separator
from unbraid.request import pick_separator, read_request
from unbraid.settings import DEFAULTS, Settings

__all__ = [
    "DEFAULTS",
    "Mixture",
    "SeparatedBlock",
    "Separation",
    "SeparationStream",
    "Settings",
    "residual_of",
    "separate",
    "separate_stream",
]

_BLOCK = 1 << 16  # samples that are resampled at a time

Mixture = Audio | str | os.PathLike[str] | Tensor | npt.ArrayLike
PresenceCurve = tuple[tuple[float, tuple[float, ...]], ...]


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
    asked = AskedModel(separator, wanted, settings=settings, cancel=cancel)
    stream = SeparationStream(
        asked, [audio.samples], sample_rate=audio.sample_rate, n_samples=audio.n_samples, progress=progress
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
    asked = AskedModel(model, wanted, settings=settings, cancel=cancel)
    return SeparationStream(asked, blocks, sample_rate=sample_rate, n_samples=n_samples, progress=progress)


class SeparationStream(Iterator[SeparatedBlock]):
    """A separation under way; made by :func:`separate_stream`.

    Attributes:
        names: of the stems, in the order of ``SeparatedBlock.stems``.
    """

    def __init__(
        self,
        asked: AskedModel,
        blocks: Iterable[Tensor],
        *,
        sample_rate: int,
        n_samples: int | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        self.names = tuple(asked.condition.names)
        self._asked = asked
        self._sample_rate = sample_rate
        self._n_samples = n_samples
        self._progress = progress
        self._mixture, self._stems = SampleQueue(), SampleQueue()  # [C, n], [S * C, n]
        self._scores: list[tuple[float, tuple[float, ...]]] = []
        self._n_out = 0
        self._told = 0.0
        if progress is not None and n_samples:
            asked.watch = lambda seconds: self._tell(seconds * sample_rate / n_samples)
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
        asked, back = self._asked, None
        windows = overlap_add(
            self._at_model_rate(blocks), asked.process, layout=asked.layout, groups=asked.condition.groups
        )
        for piece in windows:
            rate = asked.model.sample_rate
            self._scores.extend((start / rate, tuple(values.tolist())) for start, values in piece.scores)
            rows = piece.estimates.flatten(0, 1)
            back = back or StreamResampler(asked.model.sample_rate, self._sample_rate, len(rows))
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
                self._asked.poll()
                block = whole[:, start : start + _BLOCK].detach().to("cpu", torch.float32, copy=True)
                resampler = resampler or StreamResampler(self._sample_rate, self._asked.model.sample_rate, len(block))
                if len(block) != resampler.n_channels:
                    raise AudioError(f"blocks must all have {resampler.n_channels} channels, got one with {len(block)}")
                n_in += block.shape[1]
                self._mixture.push(block)
                yield resampler.process(block)
        if resampler is None or n_in == 0:
            raise AudioError("the mixture is empty: give at least one sample")
        n_spare = _spare_samples(n_in, self._sample_rate, self._asked.model.sample_rate)
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
    if not is_finite(block):
        second = (start + int((~torch.isfinite(block)).any(dim=0).nonzero()[0])) / sample_rate
        raise AudioError(f"the sample of the mixture at {second:.3f} s is not a finite number: repair the recording")
