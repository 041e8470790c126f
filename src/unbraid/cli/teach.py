"""``unbraid teach``: examples in, a label out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import console
from unbraid.cli.console import ProgressLine, UsageError
from unbraid.cli.request import read_recording
from unbraid.errors import UnbraidError

if TYPE_CHECKING:
    from unbraid.models.queries import Query

STEPS = 200


def teach(  # noqa: PLR0913 - one parameter per option
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the sound is to be called.")],
    *,
    example: Annotated[list[str], typer.Option(metavar="FILE", help="A recording of the sound alone; repeatable.")],
    negative: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="FILE", help="A recording of what the sound is not; repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Who learns it: a name or a weights file; the first that listens to examples if left out.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write, ending in .unbraid. [default: NAME.unbraid in the library]"),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the tuning, for models that do not listen.")] = STEPS,
    seed: Annotated[int, typer.Option(min=0, help="Of the mixtures that it is tuned with.")] = 0,
    start: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Begin at this label of the model; the best one if left out.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Write over a label that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")] = False,
) -> None:
    """Teach a model a sound once, from a few seconds of it, and ask for it by name from then on."""
    try:
        from unbraid.guides.kinds import Examples, Target
        from unbraid.models.queries import save_query
        from unbraid.teaching.library import check_name
        from unbraid.teaching.teacher import teach as learn
        from unbraid.teaching.tuning import TeachSettings
        from unbraid.zoo import default_model, load_model

        examples = Examples(*([read_recording(one) for one in side] for side in (example, negative or [])))
        separator = load_model(model or default_model([Target(name or "sound", examples)]), device=device)
        check_name(name, separator)
        _check_reach(name, model)
        path = _place(name, out, force=force)
        with ProgressLine(1, quiet=quiet) as line:
            line.begin(name)
            query = learn(
                separator,
                name,
                examples,
                start=start,
                settings=TeachSettings(steps=steps, seed=seed),
                progress=line.update,
            )
        save_query(query, path)
    except UnbraidError as error:
        if as_json:
            console.emit(console.error_document(error))
        raise
    if as_json:
        console.emit(_document(query, path))
    elif not quiet:
        typer.echo(_describe(query, path))


def _check_reach(name: str, model: str | None) -> None:
    """Refuse a name that --label would take for something else where no model is named.

    Raises:
        UsageError: if the model that is chosen for labels knows the name.
    """
    from unbraid.guides.kinds import Label, Target
    from unbraid.zoo import ZOO, default_model

    chosen = default_model([Target("sound", Label("sound"))])
    if model is None and name in ZOO[chosen].vocabulary:
        raise UsageError(f"{chosen} knows {name!r} already, and would be asked for it: teach it under another name")


def _place(name: str, out: Path | None, *, force: bool) -> Path:
    """Return the file to write, which is in nobody's way.

    Raises:
        UsageError: if it is there already, or nothing can be written there.
    """
    from unbraid.models.queries import SUFFIX
    from unbraid.teaching.library import place_of

    path = place_of(name) if out is None else out / f"{name}{SUFFIX}" if out.is_dir() else out
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: a taught label is found by its ending: let the file end in {SUFFIX}")
    if path.exists() and not force:
        raise UsageError(f"{path}: there already: give another name, or --force to write over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path.parent}: cannot be made ({error.strerror}): choose another place with -o") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path}: cannot be written: choose another place with -o")
    return path


def _document(query: Query, path: Path) -> dict[str, Any]:
    described = {"name": query.name, "model": query.model, "model_sha256": query.model_sha256}
    return {"query": str(path), **described, **query.facts}


def _describe(query: Query, path: Path) -> str:
    facts: dict[str, Any] = dict(query.facts)
    if facts["method"] != "tuned":
        return f"{query.name} -> {path}"
    before, after = (f"{facts[side]['si_sdr_improvement']:+.1f} dB" for side in ("before", "after"))
    if not facts["best_step"]:
        return f"{query.name} (the same as {facts['start']!r}, {before}: tuning found nothing better) -> {path}"
    return f"{query.name} (from {facts['start']!r}: {before}, after tuning {after}) -> {path}"
