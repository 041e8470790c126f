"""The process that separates: one for each device, with the models in its memory.

It takes short regions first: whole songs that are under way rest between two windows while a region is separated, and
share its time, window by window, when there are several (`turns`). It is told
``("run", Order)``, ``("cancel", token)`` and ``("stop",)``, and says ``("step", token)`` when another one has its turn,
``("began", token, names)``, ``("progress", token, n_samples)``, ``("done", token, result)``,
``("failed", token, type, message)`` and ``("cancelled", token)``, and ``("models", "", count, bytes)`` of its memory.

Axes: S stems, C channels, n samples of one block.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from unbraid.audio.signal import Audio
from unbraid.delivery.manifest import decibels, describe_model, versions
from unbraid.errors import Cancelled, SettingsError, UnbraidError
from unbraid.guides.examples import check_span
from unbraid.guides.kinds import Span, spell_targets
from unbraid.guides.mask import FRAMES_PER_SECOND
from unbraid.guides.on_clock import Recorded, put_on_clock
from unbraid.guides.region import cut_to_region
from unbraid.guides.spec import RequestSpec, load_targets, read_request_spec, taught_specs
from unbraid.models.instglow import choose_search
from unbraid.models.queries import add_query, load_query
from unbraid.models.separator import Sampling, Separator
from unbraid.request import read_request
from unbraid.separation import SeparationStream, Settings, separate_stream
from unbraid.server.folder import size_of
from unbraid.server.shelf import CHOOSING, ModelChoice, Shelf
from unbraid.server.sounds import SoundFolder, SoundFormat, SoundWriter
from unbraid.server.turns import Turns, is_urgent
from unbraid.zoo import load_model

RESIDUAL = "residual"
RESULT = "result.json"
_REPORT_SECONDS = 0.2
_BOUNDS = {"segment": (0.1, 600.0), "batch_size": (1, 64)}  # so that no job holds up all others, or takes all memory
_NO_MEMORY = "there is not enough memory for this model: choose a smaller one, or a region"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenFile:
    """A file that guides speak of: its place, the name that its user knows, and its format if it is sound."""

    place: Path
    name: str
    sound: SoundFormat | None


@dataclass(frozen=True)
class Order:
    """One separation.

    Args:
        token: by which it is spoken of.
        folder: where the stems go.
        song: where the samples are, and in which format.
        song_format: of the song.
        files: by the words that stand for them in ``targets``.
        targets: JSON values, see `guides.spec`.
        model: a name or the path of a weights file, and what of it takes part.
        model_bytes: what its weights take in memory.
        settings: fields of `Settings`, and of `Sampling` if random draws are asked for.
        region: first and last second; None is the whole song.
    """

    token: str
    folder: Path
    song: Path
    song_format: SoundFormat
    files: dict[str, GivenFile]
    targets: list[Any]
    model: ModelChoice
    model_bytes: int
    settings: dict[str, Any]
    region: tuple[float, float] | None = None


def settings_of(values: dict[str, Any]) -> Settings:
    """Build settings from the values of a request; what is None is left to the model, and what chooses it left out.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> settings_of({"overlap": 0.5, "seed": 1}).sampling
        Sampling(seed=1, steps=None, candidates=1)
    """
    given = {name: value for name, value in values.items() if value is not None and name not in CHOOSING}
    for name, (least, most) in _BOUNDS.items():
        if not least <= given.get(name, least) <= most:
            raise SettingsError(f"{name} {given[name]} is out of range: use {least} to {most} on a server")
    drawn = {name: given.pop(name) for name in ("seed", "steps", "candidates") if name in given}
    return Settings(**given, sampling=Sampling(**drawn) if drawn else None)


def main(connection: Connection, device: str, models_bytes: int) -> None:
    """Serve until told to stop."""
    _Worker(connection, device, models_bytes).serve()


@dataclass(eq=False)
class _Running:
    """A separation under way: every step of the iterator makes one block final."""

    order: Order
    steps: Generator[None]
    cancelled: bool = False
    reported: float = 0.0


class _Worker:
    def __init__(self, connection: Connection, device: str, models_bytes: int) -> None:
        self._connection = connection
        self._shelf = Shelf(lambda choice: _load(choice, device), most_bytes=models_bytes)
        self._running: dict[str, _Running] = {}
        self._turns = Turns()
        self._told: str | None = None
        self._stopped = False

    def serve(self) -> None:
        """Step what is most urgent, and listen in between."""
        while not self._stopped:
            self._listen(None if not self._running else 0)
            if self._running and not self._stopped:
                self._step(self._turns.next())

    def _listen(self, patience: float | None) -> None:
        """Hear everything that has been said; wait for it if there is nothing else to do."""
        while not self._stopped and self._connection.poll(patience):
            word, *values = self._connection.recv()
            patience = 0
            if word == "run":
                [order] = values
                self._running[order.token] = _Running(order, self._separate(order))
                self._turns.join(order.token, is_urgent=is_urgent(order.region))
            elif word == "cancel" and values[0] in self._running:
                self._running[values[0]].cancelled = True
            elif word == "stop":
                self._stopped = True

    def _is_cancelled(self, token: str) -> bool:
        self._listen(0)
        return self._stopped or self._running[token].cancelled

    def _step(self, token: str) -> None:
        running, begun = self._running[token], time.monotonic()
        if token != self._told:
            self._told = token
            self._connection.send(("step", token))
        try:
            if self._is_cancelled(token):
                raise Cancelled("cancelled")
            next(running.steps)
            self._turns.spend(token, time.monotonic() - begun)
            return
        except StopIteration:
            result = json.loads((running.order.folder / RESULT).read_text(encoding="utf-8"))
            self._connection.send(("done", token, result))
        except Cancelled:
            self._connection.send(("cancelled", token))
        except UnbraidError as error:
            self._connection.send(("failed", token, type(error).__name__, _in_users_words(str(error), running.order)))
        except (torch.OutOfMemoryError, MemoryError):
            self._connection.send(("failed", token, "ModelError", _NO_MEMORY))
        except OSError as error:
            message = f"the stems cannot be stored ({error.strerror}): free some space in the data folder"
            self._connection.send(("failed", token, "DiskFull", message))
        except Exception as error:
            if torch.cuda.is_initialized():  # the device may be lost to this process
                raise
            _log.exception("a separation failed")
            is_full = "memory" in str(error)  # how torch says so on the processor
            message = _NO_MEMORY if is_full else "the server made a mistake with this: its log tells more"
            self._connection.send(("failed", token, "ModelError", message))
        running.steps.close()
        del self._running[token]
        self._turns.leave(token)

    def _separate(self, order: Order) -> Generator[None]:
        """Separate; every step makes another block final."""
        with self._shelf.lend(order.model, n_bytes=order.model_bytes) as model:
            self._connection.send(("models", "", len(self._shelf), self._shelf.n_bytes))
            context = _context_of(order, model)
            stream = self._stream(order, model, context)
            names = (*stream.names, RESIDUAL)
            self._connection.send(("began", order.token, names))
            sound = SoundFormat(order.song_format.sample_rate, order.song_format.n_channels, context.n_wanted)
            with ExitStack() as stack:
                writers = [
                    stack.enter_context(SoundWriter(order.folder / str(index), sound)) for index in range(len(names))
                ]
                yield from self._write(order, stream, writers, context)
            self._finish(order, stream, writers, describe_model(model), context.start)

    def _write(
        self, order: Order, stream: SeparationStream, writers: list[SoundWriter], context: _Context
    ) -> Generator[None]:
        """Write what is asked for of every block that has become final."""
        skipped = context.n_before
        for block in stream:
            part = slice(max(0, skipped), max(0, skipped) + context.n_wanted - writers[0].n_samples)
            skipped -= block.mixture.shape[1]
            for writer, samples in zip(writers, [*block.stems, block.residual], strict=True):
                writer.write(samples[:, part])
            self._report(order.token, writers[0].n_samples)
            yield

    def _stream(self, order: Order, model: Separator, context: _Context) -> SeparationStream:
        """Put the guides on the clock of what will be separated, and begin."""
        song = SoundFolder(order.song, order.song_format)
        duration = order.song_format.n_samples / order.song_format.sample_rate
        spec = read_request_spec(order.targets)
        request = load_targets(spec, files=lambda word: _open(order.files[word]), duration=duration)
        rate = order.song_format.sample_rate
        with _taught(model, spec, order):
            placed = put_on_clock(read_request(model, spell_targets(request)), _recorded(song, duration))
            if order.region is not None:
                placed = cut_to_region(placed, start=context.start / rate, stop=context.stop / rate)
            return separate_stream(
                model,
                song.blocks(context.start, context.stop),
                placed,
                sample_rate=rate,
                n_samples=context.stop - context.start,
                settings=settings_of(order.settings),
                cancel=lambda: self._is_cancelled(order.token),
            )

    def _report(self, token: str, n_samples: int) -> None:
        running, now = self._running[token], time.monotonic()
        if now - running.reported > _REPORT_SECONDS:
            running.reported = now
            self._connection.send(("progress", token, n_samples))

    @staticmethod
    def _finish(
        order: Order, stream: SeparationStream, writers: list[SoundWriter], model: dict[str, Any], start_sample: int
    ) -> None:
        """Describe what was made; with the description, the result is whole."""
        start = start_sample / order.song_format.sample_rate
        names = (*stream.names, RESIDUAL)
        stems = [
            {"name": name, "presence": stream.presence.get(name), "peak_db": decibels(writer.peak**2)}
            for name, writer in zip(names, writers, strict=True)
        ]
        result = {
            "stems": stems,
            "presence_curve": [[start + second, *values] for second, values in stream.presence_curve],
            "n_samples": writers[0].n_samples,
            "stored_bytes": size_of(order.folder),
            "model": model,
            "versions": versions(),
        }
        (order.folder / RESULT).write_text(json.dumps(result, allow_nan=False), encoding="utf-8")


def _load(choice: ModelChoice, device: str) -> Separator:
    """Load a model in the way that a take asks for it."""
    model = load_model(choice.source, device=device, priors=choice.priors)
    if choice.search is not None:
        choose_search(model, choice.search)
    return model


@dataclass(frozen=True)
class _Context:
    """Which samples of the song are separated, and how many of them are asked for, behind the first ``n_before``."""

    start: int
    stop: int
    n_before: int
    n_wanted: int


def _context_of(order: Order, model: Separator) -> _Context:
    """Widen a region that is shorter than the model's window: the network looks at as much in any case."""
    rate, n_samples = order.song_format.sample_rate, order.song_format.n_samples
    if order.region is None:
        return _Context(0, n_samples, 0, n_samples)
    first, last = (min(n_samples, round(second * rate)) for second in order.region)
    missing = max(0.0, model.segment - (last - first) / rate)
    start = max(0.0, _on_grid(order.region[0] - missing / 2))
    stop = min(n_samples, last + round(missing / 2 * rate))
    return _Context(round(start * rate), stop, first - round(start * rate), last - first)


def _on_grid(second: float) -> float:
    """Return the last frame of masks before a second, so that paint stays where it is."""
    return math.floor(second * FRAMES_PER_SECOND) / FRAMES_PER_SECOND


def _recorded(song: SoundFolder, duration: float) -> Recorded:
    def cut(span: Span) -> Audio:
        check_span(span, duration)
        start, stop = (round(second * song.sound.sample_rate) for second in (span.start, span.stop))
        return song.read(start, stop)

    return Recorded(duration, song.sound.sample_rate, cut, song.blocks)


@contextmanager
def _taught(model: Separator, request: RequestSpec, order: Order) -> Iterator[None]:
    """Let a model know the taught labels of one request, while it turns guides into its own tensors."""
    known = dict(model.taught)
    try:
        for spec in taught_specs(request):
            add_query(model, load_query(order.files[spec.file].place))
        yield
    finally:
        model.taught = known


def _open(file: GivenFile) -> Path | Audio:
    """Return a recording as sound, and any other file as its path."""
    if file.sound is None:
        return file.place
    return SoundFolder(file.place, file.sound).read(0, file.sound.n_samples)


def _in_users_words(message: str, order: Order) -> str:
    """Name files as the user does."""
    for file in order.files.values():
        message = message.replace(str(file.place), file.name)
    return message
