"""``unbraid listen``: make a listening test, and judge its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli import console
from unbraid.cli.console import ProgressLine, UsageError, printable

if TYPE_CHECKING:
    from unbraid.listening.trials import TrialFiles


class Question(StrEnum):
    """What listeners are asked."""

    QUALITY = "quality"
    TIMBRE = "timbre"


def listen(  # noqa: PLR0913 - one parameter per option
    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDERS...]", help="Trials; with --analyze, files of answers.", show_default=False),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Make trials of recordings with stems instead.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="With --data: name or file; repeat it.", show_default=False
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=100, help="With --data: how many trials.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the test; listening by default.", show_default=False)
    ] = None,
    analyze: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Judge answers: the key of their test.", show_default=False)
    ] = None,
    title: Annotated[str, typer.Option(help="What listeners read at the top.")] = "Listening test",
    part: Annotated[
        list[Question] | None, typer.Option(help="One part of the test alone; both by default.", show_default=False)
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, max=12.0, help="Length of an excerpt.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the names of sounds.")] = 0,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="With --analyze: count all listeners.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")] = False,
) -> None:
    """Make a page on which people judge separated sounds side by side, blind; later, judge their answers."""
    if analyze is not None:
        if out is not None:
            raise UsageError("--out is for making a test, and --analyze for its answers: leave one of them out")
        _judge(analyze, places or [], keep_all=keep_all, as_json=as_json)
        return
    if keep_all:
        raise UsageError("--keep-all is about answers: give --analyze KEY, too")
    if bool(places) == bool(data) or bool(model) != bool(data):
        raise UsageError(
            "it is not clear what is compared: give folders of trials, or --data ROOT and the models, each with -m"
        )
    from unbraid.listening.questionnaire import PARTS, check_place, write_test
    from unbraid.listening.stimuli import make_stimuli

    folder = out or Path("listening")
    with console.preparing(as_json=as_json):
        check_place(folder)
        make = _prepare(places or [], data, model or [], count=trials, seed=seed)
    with ProgressLine(2, quiet=quiet or as_json) as line, TemporaryDirectory() as made:
        line.begin("trials")
        found = make(Path(made), line.update)
        line.begin("sounds")
        stimuli = [make_stimuli(trial, seconds=seconds) for trial in found]
    parts = [PARTS[one.value] for one in part or list(Question)]
    written = write_test(stimuli, folder, title=title, parts=parts, seed=seed)
    if as_json:
        console.emit(
            {"folder": str(written.folder), "key": str(written.key), "pages": written.n_pages, "trials": len(found)}
        )
        return
    typer.echo(
        printable(
            f"{written.folder}: {written.n_pages} pages. Open {written.folder / 'index.html'}, or put the folder on a "
            f"web server.\n{written.key}: tells which sound is which. Keep it from listeners, and later: "
            f"unbraid listen --analyze {written.key} answers-*.json"
        )
    )


def _prepare(
    places: list[Path], data: Path | None, models: list[str], *, count: int, seed: int
) -> Callable[[Path, Callable[[float], None]], list[TrialFiles]]:
    """Find the trials, or choose what they are made of; return what makes them in a folder and tells how far it is."""
    from unbraid.listening.separated import choose_questions, separate_trials
    from unbraid.listening.trials import find_trials
    from unbraid.zoo import load_model

    if data is None:
        found = find_trials(places)
        return lambda folder, progress: found
    loaded = [load_model(name) for name in models]
    questions = choose_questions(data, loaded, count=count, seed=seed)
    return lambda folder, progress: separate_trials(questions, loaded, folder, progress=progress)


def _judge(key: Path, answers: list[Path], *, keep_all: bool, as_json: bool) -> None:
    from unbraid.listening.answers import analyze, write_analysis

    with console.preparing(as_json=as_json):
        found = analyze(key, answers, screen=not keep_all)
    typer.echo(json.dumps(found.to_json(), ensure_ascii=False) if as_json else write_analysis(found).rstrip())
