"""``unbraid evaluate``: examine models on recordings whose true sources are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unbraid.cli import evaluate_options as options
from unbraid.cli.console import ProgressLine, preparing
from unbraid.cli.evaluate_options import Classes, Precision
from unbraid.cli.separate import SearchOption

if TYPE_CHECKING:
    from unbraid.evaluation.entrants import Entrants
    from unbraid.evaluation.examination import Examination


def evaluate(  # noqa: PLR0913 - one parameter per option
    protocol: options.Protocol = "",
    *,
    listed: options.Listed = False,
    data: options.Data = None,
    model: options.Models = None,
    search: SearchOption = None,
    references: options.References = False,
    tracks: options.Tracks = None,
    seed: options.Seed = 0,
    out: options.Out = Path("evaluation"),
    processes: options.Processes = 1,
    cases: options.Cases = 4,
    single_prompt: options.SinglePrompt = False,
    absent: options.Absent = False,
    distributed_mixture: options.DistributedMixture = False,
    held_out: options.HeldOut = None,
    composed: options.Composed = 0,
    classes: options.ClassesOption = Classes.INSTRUMENTS,
    examples: options.Examples = 5,
    repeats: options.Repeats = 10,
    duration: options.Duration = 12.0,
    taught: options.Taught = None,
    only: options.Only = None,
    teach: options.Teach = None,
    overlap: options.Overlap = 0.25,
    device: options.Device = "cpu",
    precision: options.PrecisionOption = Precision.FP32,
) -> None:
    """Score models on recordings whose true sources are known, and write reports."""
    from unbraid.errors import SettingsError
    from unbraid.evaluation.catalog import Wishes, default_models, describe_all, find_examination
    from unbraid.evaluation.choice import Choice
    from unbraid.evaluation.entrants import Entrants
    from unbraid.evaluation.pupils import QUICK
    from unbraid.evaluation.reference_methods import FLOORS_AND_CEILINGS
    from unbraid.settings import Settings

    if listed or not protocol:
        typer.echo(describe_all())
        return
    choice = Choice(
        data=data,
        tracks=tracks,
        seed=seed,
        composed=composed,
        held_out=held_out,
        instruments=classes is Classes.INSTRUMENTS,
        duration=duration,
        distributed_mixture=distributed_mixture,
        settings=Settings(overlap=overlap, precision=precision.value),
    )
    wishes = Wishes(single_prompt, absent, examples, repeats, tuple(only or ()), search)
    try:
        with preparing():
            examination = find_examination(protocol, choice, wishes)
        floors = FLOORS_AND_CEILINGS if references else ()
        lessons = None if teach is None else replace(QUICK, steps=teach, seed=seed)
        models = model or default_models(protocol)
        entrants = Entrants((*models, *floors), device, tuple(taught or ()), lessons, search)
        _examine(examination, entrants, out, processes=processes, cases=cases)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


def _examine(examination: Examination, entrants: Entrants, out: Path, *, processes: int, cases: int) -> None:
    """Run an examination, write its pages, and say what is worth a look at once."""
    from unbraid.evaluation.examination import no_empty_folder, run_examination
    from unbraid.evaluation.publishing import publish

    path = out / "results.jsonl"
    with no_empty_folder(out):
        with ProgressLine(1) as line:
            line.begin("evaluate")
            run = run_examination(examination, entrants, path, processes=processes, progress=line.update)
        written = publish(examination, entrants, run, path, cases=cases)
    summary = examination.summary(run.evaluation)
    typer.echo("\n".join([*([summary, ""] if summary else []), *map(str, written)]))
