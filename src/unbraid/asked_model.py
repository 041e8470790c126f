"""A model that is asked for sounds, and run on windows: what whole recordings and streams have in common.

Axes: B windows of a batch, S stems, C channels, n samples of one window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from unbraid.audio.segments import WindowLayout
from unbraid.errors import Cancelled, ModelError
from unbraid.guides.kinds import Target
from unbraid.models.separator import Condition, Joinable, Separator
from unbraid.settings import Settings

_ACCELERATOR_BATCH = 8  # windows; a processor is fastest with one, which stays in its cache


@runtime_checkable
class Slow(Condition, Protocol):
    """A condition whose windows take long each, so that one can be watched, and left before its end."""

    def watched_by(self, watch: Callable[[float], None]) -> Condition:
        """Return the same condition, which tells how much of a window is done, 0..1; what that raises ends it."""
        ...


class AskedModel:
    """A model, what it is asked for, and how it is run on windows.

    Args:
        model: the separator.
        targets: what it is asked for, on the mixture's clock.
        settings: windows and precision.
        cancel: see :func:`unbraid.separation.separate`.

    Attributes:
        condition: of the track.
        layout: of its windows, at the model's rate.
        watch: told how many seconds are done, before the windows that they lie in are.

    Raises:
        GuideError: if the model does not understand a guide.
    """

    def __init__(
        self,
        model: Separator,
        targets: Sequence[Target],
        *,
        settings: Settings,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        condition = model.condition(targets)
        if settings.sampling is not None:
            condition = model.sample_with(condition, settings.sampling)
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
        if not (is_finite(stems) and (presence is None or is_finite(presence))):
            second = start / self.model.sample_rate
            cure = "use precision fp32" if is_bf16 else "check the weights"
            raise ModelError(f"the model's answer is not finite in the window at {second:.2f} s: {cure}")
        return stems, presence


def is_finite(tensor: Tensor) -> bool:
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
