"""The training loop: any network, any batches; steps until the time, the steps, or the patience is over.

A step is: batches, loss, gradient, norm, learning rate, update. A step whose gradient is not finite updates
nothing. An epoch is a number of steps, and ends with a validation. On one process a run that is stopped and
resumed equals one that never was, to the bit, unless its learning rate follows the clock.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.training.averaging import MovingAverage
from unbraid.training.checkpoints import (
    BEST,
    CARD,
    LAST,
    Checkpoint,
    Epoch,
    Progress,
    load_checkpoint,
    optimizer_tensors,
    random_states,
    restore_optimizer,
    restore_random,
    save_checkpoint,
    save_weights_of_epoch,
)
from unbraid.training.feed import feed
from unbraid.training.log import Entry, Meter, write_entry
from unbraid.training.place import AUTO, Place, make_fabric
from unbraid.training.recipe import LossFunction, Mixtures, Recipe
from unbraid.training.stopping import stop_signals
from unbraid.training.validation import Datasets, validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Outcome", "Place", "check_folder", "train"]

MAX_SKIPPED_IN_A_ROW = 100


@dataclass(frozen=True)
class Outcome:
    """What a session of training came to.

    Args:
        progress: of the run, over all its sessions.
        finished: whether the run is at its end, or was stopped on the way.
        gave_up: whether it is at its end because its patience is over.
        steps: done in this session.
        audio_rate: seconds of audio trained on per second of this session, validations included.
        is_main: whether this process is the first of all, the one that reports.
    """

    progress: Progress
    finished: bool
    gave_up: bool
    steps: int
    audio_rate: float
    is_main: bool


def check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse a folder in which a run would be written over another one.

    Raises:
        RecipeError: if it holds a run, and that is not to be continued.
    """
    if (folder / LAST).exists() and not resume:
        raise RecipeError(f"{folder}: holds a run already: add --resume, or choose another --out")


def train(
    recipe: Recipe,
    folder: Path,
    *,
    minutes: float | None = None,
    resume: bool = False,
    place: Place = AUTO,
    report: Callable[[Entry], None] | None = None,
) -> Outcome:
    """Train until the recipe's end, the time, or a signal; what was reached is in a checkpoint.

    Args:
        recipe: the run.
        folder: of the run; made if missing.
        minutes: length of this session.
        resume: continue from the checkpoint in the folder, or begin where there is none.
        place: device and processes.
        report: called with every entry of the log.

    Raises:
        RecipeError: if the folder holds a run and `resume` is not set, the checkpoint is of another network,
            the loss stays not finite, or Lightning Fabric is not installed.
    """
    check_folder(folder, resume=resume)

    def session(fabric: Fabric) -> Outcome:
        run = Run(recipe, folder, fabric, report)
        if (folder / LAST).exists():
            run.restore(load_checkpoint(folder / LAST))
        else:
            run.prepare()
        fabric.barrier()  # nobody writes before everyone has read
        with stop_signals() as stopped:
            return run.go(math.inf if minutes is None else 60 * minutes, stopped)

    with _made(folder):
        outcome: Outcome = make_fabric(recipe.precision, place).launch(session)
    return outcome


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder of a run; what was made is removed again if the run fails before it writes anything."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(f"{folder}: cannot be made ({error}): choose another --out") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):  # a folder that is not empty stays, and with it those that it lies in
            for one in missing:
                one.rmdir()
        raise


class Objective(nn.Module):
    """A network together with its loss, so that several processes synchronize what the loss calls."""

    def __init__(self, model: nn.Module, loss: LossFunction) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Any) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss of a batch, and numbers to log."""
        loss, numbers = self.loss(self.model, batch)
        return loss, {"loss": loss.detach(), **numbers}


class Run:
    """A run in this process: network, optimizer, schedule, and how far they have come."""

    def __init__(
        self, recipe: Recipe, folder: Path, fabric: Fabric, report: Callable[[Entry], None] | None = None
    ) -> None:
        self.recipe, self.folder, self.fabric, self.report = recipe, folder, fabric, report
        torch.manual_seed(recipe.seed)
        self.model = recipe.model()
        settings = recipe.optimizer
        # moved first: the optimizer's fused kernel is chosen by where the weights lie
        fabric.to_device(self.model)
        optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=0.0,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=fabric.device.type in ("cpu", "cuda"),
        )
        self.objective, self.optimizer = fabric.setup(Objective(self.model, recipe.loss), optimizer)
        if recipe.compile:
            torch._dynamo.config.recompile_limit = 64  # one shape per number of prompts, fixed shapes are fastest
            for part in self.model.children():  # not the whole: prompts are words, and words cannot be compiled
                part.compile(dynamic=False)
        self.average = None if recipe.average is None else MovingAverage(self.model, recipe.average)
        self.progress = Progress()
        self.meter = Meter()
        self.datasets: Datasets = {} if recipe.validation is None else recipe.validation.datasets()
        self.source = recipe.batches()
        self.skipped_in_a_row = 0
        self.saved_at = time.monotonic()
        torch.manual_seed(recipe.seed + fabric.global_rank)

    def prepare(self) -> None:
        """Do what the recipe wants to be done before the first step of all, and keep what is to be known of the run."""
        if self.recipe.prepare is not None:
            self.recipe.prepare(self.model, self.source)
            if self.recipe.average is not None:
                self.average = MovingAverage(self.model, self.recipe.average)
        if self.recipe.card and self.fabric.is_global_zero:
            (self.folder / CARD).write_text(json.dumps(dict(self.recipe.card)), encoding="utf-8")

    def go(self, seconds: float, stopped: Callable[[], bool]) -> Outcome:
        """Train for so many seconds, to the end of the recipe, or until stopped; then save."""
        began, before = time.monotonic(), replace(self.progress)
        self.saved_at, self.meter = began, Meter()
        with self._feed() as batches:
            while True:
                finished = self._is_finished()
                if self._all_stop(finished or stopped() or time.monotonic() - began >= seconds):
                    break
                self._step(batches)
                self.progress.seconds = before.seconds + time.monotonic() - began
                self._after_step()
        self.progress.seconds = before.seconds + time.monotonic() - began
        self.save()
        duration = max(time.monotonic() - began, 1e-9)
        return Outcome(
            progress=self.progress,
            finished=finished,
            gave_up=self.progress.patience.is_over(self.recipe.patience),
            steps=self.progress.step - before.step,
            audio_rate=(self.progress.audio_seconds - before.audio_seconds) / duration,
            is_main=self.fabric.is_global_zero,
        )

    def _after_step(self) -> None:
        """Log, validate and save where it is time to."""
        if self.progress.step % self.recipe.log_steps == 0:
            self._log(self.meter.entry())
        if self.progress.step % self.recipe.epoch_steps == 0:
            self._end_epoch()
            self.save()
        elif time.monotonic() - self.saved_at >= 60 * self.recipe.checkpoint_minutes:
            self.save()

    def save(self) -> None:
        """Write the checkpoint, then remove epochs that were outdone; of several processes the first one does."""
        self.saved_at = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        checkpoint = Checkpoint(
            progress=self.progress,
            weights=self.model.state_dict(),
            average={} if self.average is None else self.average.weights,
            optimizer=optimizer_tensors(self._plain_optimizer(), self.model),
            random=random_states(),
        )
        save_checkpoint(self.folder / LAST, checkpoint)
        best = {one.file for one in self.progress.best}
        for path in (self.folder / BEST).glob("epoch-*.safetensors"):
            if path.name not in best and not self._is_milestone(int(path.stem.removeprefix("epoch-"))):
                path.unlink()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue where a checkpoint was written.

        Raises:
            RecipeError: if it is of another network than the recipe's.
        """
        try:
            self.model.load_state_dict(checkpoint.weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise RecipeError(
                f"{self.folder}: its checkpoint is of another network than the recipe: {reason}"
            ) from error
        if self.average is not None:
            self.average.load(checkpoint.average or checkpoint.weights)
        restore_optimizer(self._plain_optimizer(), self.model, checkpoint.optimizer)
        self.progress = checkpoint.progress
        restore_random(checkpoint.random)
        if self.fabric.global_rank > 0:  # the checkpoint has the generators of the first process only
            torch.manual_seed(self.recipe.seed + self.fabric.global_rank + self.progress.step)

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = self.optimizer.optimizer
        return optimizer

    def _feed(self) -> AbstractContextManager[Iterator[Mixtures]]:
        """All processes take turns in one stream, so that their number does not change the data."""
        first = self.progress.step * self.recipe.accumulation * self.fabric.world_size
        return feed(
            self.source,
            start=first + self.fabric.global_rank,
            stride=self.fabric.world_size,
            n_workers=self.recipe.n_workers,
        )

    def _step(self, batches: Iterator[Mixtures]) -> None:
        numbers = [self._backward(next_batch, last) for next_batch, last in self._take(batches)]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        rate = self._learning_rate()
        if bool(torch.isfinite(norm)):
            self._update(rate)
            for one in numbers:
                self.meter.add(one)
            self.meter.add({"grad_norm": norm, "learning_rate": rate})
        else:
            self._skip()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1

    def _take(self, batches: Iterator[Mixtures]) -> Iterator[tuple[Mixtures, bool]]:
        """Yield the batches of one step, each with whether it is the last."""
        for index in range(self.recipe.accumulation):
            began = time.perf_counter()
            batch = next(batches)
            audio_seconds = batch.mixture.shape[0] * batch.mixture.shape[-1] / self.recipe.sample_rate
            audio_seconds *= self.fabric.world_size
            self.meter.add_batch(audio_seconds=audio_seconds, waited=time.perf_counter() - began)
            self.progress.audio_seconds += audio_seconds
            yield self.fabric.to_device(batch), index == self.recipe.accumulation - 1

    def _backward(self, batch: Mixtures, last: bool) -> dict[str, Tensor | float]:
        """Add the gradient of one batch; the last one of a step synchronizes the processes."""
        with self.fabric.no_backward_sync(self.objective, enabled=not last):
            loss, numbers = self.objective(batch)
            self.fabric.backward(loss / self.recipe.accumulation)
        found: dict[str, Tensor | float] = numbers
        return found

    def _learning_rate(self) -> float:
        progress = self.progress
        schedule = self.recipe.schedule
        return schedule.learning_rate(progress.step, seconds=progress.seconds, scale=progress.plateau.scale)

    def _update(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, n_updates=self.progress.step - self.progress.skipped)
        self.skipped_in_a_row = 0

    def _skip(self) -> None:
        self.progress.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise RecipeError(
                f"the gradient was not finite in {self.skipped_in_a_row} steps in a row, at step {self.progress.step}: "
                "lower the learning rate, or look for broken data"
            )

    def _is_finished(self) -> bool:
        steps, progress = self.recipe.steps, self.progress
        reached = steps is not None and progress.step >= steps
        over = self.recipe.schedule.is_over(progress.step, seconds=progress.seconds)
        return reached or over or progress.patience.is_over(self.recipe.patience)

    def _all_stop(self, wish: bool) -> bool:
        """Say whether any process wants to stop: they look at their own clocks, but must stop together."""
        if self.fabric.world_size == 1:
            return wish
        return bool(self.fabric.all_reduce(torch.tensor(float(wish)), reduce_op="sum"))

    def _end_epoch(self) -> None:
        """Validate, let schedule and patience look at the loss, and keep the weights if they are among the best."""
        began = time.perf_counter()
        epoch = self.progress.step // self.recipe.epoch_steps - 1
        loss: float | None = None
        if self.recipe.validation is not None:
            scores = self._validate()
            loss = scores["val/loss"]
            entry: Entry = {"epoch": epoch, **scores}
            if self.recipe.schedule.plateau is not None:
                plateau = self.recipe.schedule.plateau
                self.progress.plateau = self.progress.plateau.observe(loss, epoch=epoch, plateau=plateau)
            if self.recipe.patience is not None:
                self.progress.patience = self.progress.patience.observe(loss, self.recipe.patience)
                entry["bad_epochs"] = self.progress.patience.bad_epochs
            self._log(entry)
        self._keep(epoch, loss)
        self.meter.skip_time(time.perf_counter() - began)

    def _validate(self) -> dict[str, float]:
        """Measure the averaged weights if there are any."""
        assert self.recipe.validation is not None
        own = None
        if self.average is not None:
            own = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.model.load_state_dict(self.average.weights)
        self.model.eval()
        try:
            return validate(self.model, self.datasets, self.recipe.validation.score, self.fabric)
        finally:
            self.model.train()
            if own is not None:
                self.model.load_state_dict(own)

    def _keep(self, epoch: int, loss: float | None) -> None:
        """Write the weights of an epoch that is among the best, or one of those kept in any case."""
        kept = Epoch(epoch, loss, f"epoch-{epoch:05d}.safetensors")
        if loss is not None and math.isfinite(loss):
            ranked = sorted([*self.progress.best, kept], key=lambda one: (one.loss, one.epoch))
            self.progress.best = ranked[: self.recipe.n_best]
        if self.fabric.is_global_zero and (kept in self.progress.best or self._is_milestone(epoch)):
            weights = self.model.state_dict() if self.average is None else self.average.weights
            save_weights_of_epoch(self.folder / BEST / kept.file, weights, kept)

    def _is_milestone(self, epoch: int) -> bool:
        return self.recipe.keep_every is not None and (epoch + 1) % self.recipe.keep_every == 0

    def _log(self, numbers: Entry | dict[str, float]) -> None:
        progress = self.progress
        entry: Entry = {"step": progress.step, "seconds": progress.seconds, "skipped": progress.skipped, **numbers}
        if self.fabric.is_global_zero:
            write_entry(self.folder, entry)
            if self.report is not None:
                self.report(entry)
