"""A training run as a value: a recipe is a Python file of 30 to 80 lines that names `recipe`.

    recipe = Recipe(model=..., batches=..., loss=..., sample_rate=44100)

or a function `recipe()` that returns one; what it takes by name is asked for on the command line.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from torch import Tensor, nn

from unbraid.errors import RecipeError, UnbraidError
from unbraid.training.schedule import Schedule
from unbraid.training.stopping import Patience

PRECISIONS = ("fp32", "bf16")


class Mixtures(Protocol):
    """What the loop itself needs to know of a batch: it has mixtures ``[B, N]``."""

    @property
    def mixture(self) -> Tensor:
        """Mixtures ``[B, N]``."""
        ...


class BatchSource(Protocol):
    """Training data without end: batch k is a pure function of k, so that a run can resume anywhere."""

    def __getitem__(self, index: int, /) -> Mixtures:
        """Return batch number `index`."""
        ...


Scores = Mapping[str, Sequence[float]]
PrepareFunction = Callable[[nn.Module, BatchSource], None]
LossFunction = Callable[[nn.Module, Any], tuple[Tensor, Mapping[str, Tensor | float]]]
ScoreFunction = Callable[[nn.Module, Any], Scores]


@dataclass(frozen=True)
class AdamW:
    """Settings of the optimizer; the defaults are those of TUSS."""

    weight_decay: float = 1e-2
    eps: float = 1e-8
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass(frozen=True)
class Validation:
    """What is measured at the end of every epoch.

    Args:
        datasets: makes the batches of each dataset; called once per run.
        score: measures one batch: any number of named values, each a list of numbers; "loss" has one per
            item. Every name is averaged over a dataset, then over the datasets, all of equal weight; numbers
            that are not defined (NaN) do not count.
    """

    datasets: Callable[[], Mapping[str, Sequence[Mixtures]]]
    score: ScoreFunction


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run.

    Args:
        model: builds the network; called after the seed is set.
        batches: builds the endless training data.
        loss: loss of one batch, a scalar, and numbers to log.
        sample_rate: of the mixtures, in hertz.
        prepare: what is done to the network once, before the first step of a run, with the training data.
        card: what a reader of the weights should know, as JSON values.
        steps: where the run ends; None trains until it is stopped, or to the end of the schedule's decay.
        accumulation: batches per step.
        optimizer: settings of AdamW.
        schedule: learning rate.
        clip: largest norm of the gradient, over all parameters.
        average: decay per step of an exponential moving average of the weights, such as 0.999, which then is
            what is validated and kept; None keeps the weights themselves.
        validation: measured at the end of every epoch, or None.
        patience: ends the run when its epochs no longer improve; None never.
        epoch_steps: steps per epoch.
        n_best: how many of the best epochs are kept.
        keep_every: every so many epochs one is kept in any case; None keeps none.
        precision: "fp32", or "bf16" for mixed precision.
        compile: compile the parts of the network with `torch.compile`.
        seed: of weights and dropout; batches have their own.
        n_workers: processes that make batches beside the training; 0 makes them in between.
        log_steps: steps between two lines of the log.
        checkpoint_minutes: between two checkpoints.

    Raises:
        RecipeError: if a value makes no sense.
    """

    model: Callable[[], nn.Module]
    batches: Callable[[], BatchSource]
    loss: LossFunction
    sample_rate: int
    prepare: PrepareFunction | None = None
    card: Mapping[str, object] = field(default_factory=dict)
    steps: int | None = None
    accumulation: int = 1
    optimizer: AdamW = field(default_factory=AdamW)
    schedule: Schedule = field(default_factory=Schedule)
    clip: float = 5.0
    average: float | None = None
    validation: Validation | None = None
    patience: Patience | None = None
    epoch_steps: int = 2500
    n_best: int = 5
    keep_every: int | None = 25
    precision: str = "bf16"
    compile: bool = False
    seed: int = 20240618
    n_workers: int = 1
    log_steps: int = 50
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise RecipeError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        positive = ("sample_rate", "accumulation", "clip", "epoch_steps", "n_best", "log_steps", "checkpoint_minutes")
        for name in positive:
            if getattr(self, name) <= 0:
                raise RecipeError(f"{name} must be positive, got {getattr(self, name)}")
        if self.n_workers < 0 or (self.steps is not None and self.steps < 0):
            raise RecipeError(f"steps and n_workers must not be negative, got {self.steps}, {self.n_workers}")
        if self.average is not None and not 0 < self.average < 1:
            raise RecipeError(f"average must lie between 0 and 1, got {self.average}")
        if self.schedule.plateau is not None and self.validation is None:
            raise RecipeError("a plateau needs a validation to look at: give both or neither")
        if self.patience is not None and self.validation is None:
            raise RecipeError("patience needs a validation to look at: give both or neither")


def load_recipe(path: Path, *, settings: Mapping[str, Any] | None = None) -> Recipe:
    """Run a recipe file and return its recipe.

    Args:
        path: of the file.
        settings: what a recipe that is a function takes, by name: ``def recipe(*, source: str) -> Recipe``.

    Raises:
        RecipeError: if there is no such file, it fails, it names no recipe, or takes other settings.
    """
    if not path.is_file():
        raise RecipeError(f"{path}: there is no such recipe: give the path of a Python file")
    found = getattr(_run_file(path), "recipe", None)
    settings = dict(settings or {})
    _check_settings(found, settings, path)
    made = _call(partial(found, **settings), path) if callable(found) else found
    if not isinstance(made, Recipe):
        raise RecipeError(f"{path}: names no recipe: write `recipe = Recipe(...)` or `def recipe() -> Recipe`")
    return made


def _check_settings(found: object, settings: Mapping[str, Any], path: Path) -> None:
    """Refuse settings that a recipe does not take, and the lack of those that it needs."""
    parameters = inspect.signature(found).parameters if callable(found) else {}
    foreign = [name for name in settings if name not in parameters]
    if foreign:
        takes = f"it takes {_options(parameters)}" if parameters else "it takes none"
        raise RecipeError(f"{path}: this recipe takes no {_options(foreign)}: {takes}")
    needed = [name for name, one in parameters.items() if one.default is one.empty and name not in settings]
    if needed:
        raise RecipeError(f"{path}: this recipe needs {_options(needed)}: add it")


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def _run_file(path: Path) -> ModuleType:
    name = f"unbraid_recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RecipeError(f"{path}: is not a Python file: a recipe ends in .py")
    module, loader = importlib.util.module_from_spec(spec), spec.loader
    sys.modules[name] = module  # classes that the recipe defines look themselves up there
    _call(lambda: loader.exec_module(module), path)
    return module


def _call(function: Callable[[], object], path: Path) -> object:
    """Call something of a recipe file, and say where in the file it failed."""
    try:
        return function()
    except UnbraidError:
        raise
    except SyntaxError as error:
        raise RecipeError(f"{error.filename}: line {error.lineno}: {error.msg}") from error
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        raise RecipeError(f"{path}: {where}{type(error).__name__}: {error}") from error
