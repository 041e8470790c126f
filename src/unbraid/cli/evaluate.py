"""``unbraid evaluate``: examine models on recordings whose true sources are known."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import ProgressLine, preparing

if TYPE_CHECKING:
    from unbraid.evaluation.entrants import Entrants
    from unbraid.evaluation.examination import Examination


class Classes(StrEnum):
    """What the stems of a track are called."""

    INSTRUMENTS = "instruments"
    STEMS = "stems"


class Precision(StrEnum):
    """The arithmetic of the network."""

    FP32 = "fp32"
    BF16 = "bf16"


def evaluate(  # noqa: PLR0913 - one parameter per option
    protocol: Annotated[
        str, typer.Argument(help="A folder of recordings and their stems, or an examination that --list lists.")
    ] = "",
    *,
    listed: Annotated[bool, typer.Option("--list", help="List the examinations and the recordings they need.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A tree of folders with stems, or packs; of a paper's table, its dataset, or a folder of them."
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Name or file; repeat it to compare.")
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="Also the mixture itself, silence, and oracle masks.")
    ] = False,
    tracks: Annotated[
        int | None, typer.Option(min=1, help="So many items, chosen by the seed; pointed: windows of each group.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of items and of drawn mixtures.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of results.jsonl and the reports; a killed run continues.")] = Path(
        "evaluation"
    ),
    processes: Annotated[int, typer.Option(min=1, metavar="N", help="So many items at a time.")] = 1,
    cases: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of so many targets: best, median and worst case to hear and see.")
    ] = 4,
    single_prompt: Annotated[
        bool, typer.Option("--single-prompt", help="Also ask for one category at a time.")
    ] = False,
    absent: Annotated[bool, typer.Option("--absent", help="Also ask for what is not there.")] = False,
    distributed_mixture: Annotated[
        bool, typer.Option("--distributed-mixture", help="Take mixture files, not the sum of the stems.")
    ] = False,
    held_out: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of packs: only this fraction of its tracks, as in training."),
    ] = None,
    composed: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="All but tuss: also compose N songs; without --data, only these."),
    ] = 0,
    classes: Annotated[
        Classes, typer.Option(help="Examples, labels: ask for 18 instruments, or for vocals, drums, bass and other.")
    ] = Classes.INSTRUMENTS,
    examples: Annotated[int, typer.Option(min=1, max=20, help="Examples: up to so many of each sound.")] = 5,
    repeats: Annotated[
        int, typer.Option(min=1, metavar="N", help="Few-shot tables: so often, with other examples each time.")
    ] = 10,
    duration: Annotated[
        float, typer.Option(min=1.0, help="Examples, labels: seconds of a song that is composed, or cut out of a pack.")
    ] = 12.0,
    taught: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Labels: one that `unbraid teach` made; repeat it.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help='Examples: such as "two of a kind"; repeat it. All if left out.'),
    ] = None,
    teach: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="STEPS", help="Examples: teach them, in so many steps, to models that take labels only."
        ),
    ] = None,
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Of the windows.")] = 0.25,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, ...")] = "cpu",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the network.")] = Precision.FP32,
) -> None:
    """Score models on recordings whose true sources are known, and write reports."""
    from unbraid.errors import SettingsError
    from unbraid.evaluation.catalog import Wishes, default_models, describe_all, find_examination
    from unbraid.evaluation.choice import Choice
    from unbraid.evaluation.entrants import Entrants
    from unbraid.evaluation.pupils import QUICK
    from unbraid.evaluation.reference_methods import FLOORS_AND_CEILINGS
    from unbraid.separation import Settings

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
    wishes = Wishes(single=single_prompt, absent=absent, examples=examples, repeats=repeats, only=tuple(only or ()))
    try:
        with preparing():
            examination = find_examination(protocol, choice, wishes)
        floors = FLOORS_AND_CEILINGS if references else ()
        lessons = None if teach is None else replace(QUICK, steps=teach, seed=seed)
        entrants = Entrants((*(model or default_models(protocol)), *floors), device, tuple(taught or ()), lessons)
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
