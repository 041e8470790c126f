"""`unbraid train`: run a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unbraid.cli.console import preparing

if TYPE_CHECKING:
    from rich.console import Console

    from unbraid.training.log import Entry
    from unbraid.training.loop import Outcome
    from unbraid.training.recipe import Recipe


def train(  # noqa: PLR0913 - one parameter per option
    recipe: Annotated[Path, typer.Argument(help="Python file that names `recipe`, such as recipes/tuss_small.py.")],
    *,
    source: Annotated[
        str | None, typer.Option(help="What a prior is of, such as guitar; for recipes of priors.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Folder of recordings to train with; may be repeated. For such recipes.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes, with a checkpoint.")] = None,
    steps: Annotated[int | None, typer.Option(help="End the run at this step, instead of the recipe's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, or begin it.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. [default: runs/RECIPE, or runs/RECIPE-SOURCE]")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"] | None, typer.Option(help="Arithmetic of the network, instead of the recipe's.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="One per GPU, or several on the CPU.")] = 1,
) -> None:
    """Train a model from a recipe; Ctrl-C, SIGTERM and --minutes stop it cleanly, --resume continues it."""
    from rich.console import Console

    from unbraid.allocator import keep_freed_memory
    from unbraid.training.loop import Place, check_folder
    from unbraid.training.loop import train as run
    from unbraid.training.recipe import load_recipe

    settings = {name: value for name, value in (("source", source), ("data", data)) if value}
    folder = out or Path("runs") / (f"{recipe.stem}-{source}" if source else recipe.stem)
    with preparing():
        made = _override(load_recipe(recipe, settings=settings), steps=steps, precision=precision)
        check_folder(folder, resume=resume)
        _check_source(folder, source)
    keep_freed_memory()
    console = Console(highlight=False)
    with _display(console) as report:
        place = Place(device=device, n_processes=processes)
        outcome = run(made, folder, minutes=minutes, resume=resume, place=place, report=report)
    if outcome.is_main:
        console.print(_summary(outcome, folder), soft_wrap=True)


def _check_source(folder: Path, source: str | None) -> None:
    """Refuse to continue the prior of one source as that of another.

    Raises:
        RecipeError: if so.
    """
    import json

    from unbraid.errors import RecipeError
    from unbraid.training.checkpoints import CARD, LAST

    card = folder / CARD
    known = json.loads(card.read_text(encoding="utf-8")).get("source") if card.is_file() else None
    if None not in (source, known) and source != known and (folder / LAST).exists():
        raise RecipeError(f"{folder}: holds a prior of {known!r}, not of {source!r}: choose another --out")


def _override(recipe: Recipe, *, steps: int | None, precision: str | None) -> Recipe:
    recipe = recipe if steps is None else replace(recipe, steps=steps)
    return recipe if precision is None else replace(recipe, precision=precision)


@contextmanager
def _display(console: Console) -> Iterator[Callable[[Entry], None]]:
    """Show entries of the log: one moving line on a terminal, and a line per validation anywhere."""
    status = console.status("training ...") if console.is_terminal else None

    def report(entry: Entry) -> None:
        if "val/loss" in entry:
            console.print(_line(entry, ("epoch", "step", "val/loss", "val/si_sdr_improvement")), soft_wrap=True)
        elif status is not None:
            status.update(_line(entry, ("step", "loss", "learning_rate", "grad_norm", "audio_rate", "data_wait")))

    if status is None:
        yield report
        return
    with status:
        yield report


def _line(entry: Entry, names: tuple[str, ...]) -> str:
    values = [(name, entry[name]) for name in names if entry.get(name) is not None]
    return "  ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values)


def _summary(outcome: Outcome, folder: Path) -> str:
    progress = outcome.progress
    state = "finished" if outcome.finished else "stopped; --resume continues it"
    if outcome.gave_up:
        state = f"finished, with no improvement for {progress.patience.bad_epochs} epochs"
    skipped = f", {progress.skipped} skipped" if progress.skipped else ""
    best = f", best val/loss {progress.best[0].loss:.4g}" if progress.best else ""
    return (
        f"{folder}: {state}. Step {progress.step} ({outcome.steps} in this session{skipped}), "
        f"{outcome.audio_rate:.1f} s of audio per second{best}"
    )
