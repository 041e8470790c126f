"""``unbraid datasets``: what the public datasets are, how their files should lie, and whether they do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import console
from unbraid.cli.console import UsageError
from unbraid.errors import DatasetError

if TYPE_CHECKING:
    from unbraid.datasets.public.dataset import Dataset

MOST_FAULTS = 50

datasets = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@datasets.callback(invoke_without_command=True)
def list_all(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everything known.")] = False,
) -> None:
    """List the public datasets: names, titles, licenses and where they are to be had; see show and check."""
    if ctx.invoked_subcommand is not None:
        return
    from unbraid.datasets.public.catalog import DATASETS

    if as_json:
        console.emit({name: describe(dataset) for name, dataset in DATASETS.items()})
        return
    for name, dataset in DATASETS.items():
        typer.echo(f"{name}  {dataset.title}")
        typer.echo(f"  {dataset.licence}")
        typer.echo(f"  {dataset.url}")


@datasets.command(short_help="Print how the files of a dataset should lie.")
def show(name: Annotated[str, typer.Argument(help="Name of a dataset, as the list has it.")]) -> None:
    """Print how the files of a dataset should lie, its splits, its license, and the paper to cite."""
    dataset = _named(name)
    typer.echo(f"{dataset.name}  {dataset.title}")
    typer.echo(f"  {dataset.url}")
    typer.echo(f"  license: {dataset.licence}")
    typer.echo(f"  splits: {', '.join(dataset.splits)}")
    typer.echo("  files:")
    for line in dataset.tree.strip("\n").splitlines():
        typer.echo(f"    {line}".rstrip())
    typer.echo("  cite:")
    for line in dataset.citation.splitlines():
        typer.echo(f"    {line.strip()}")


@datasets.command(short_help="Tell what is missing or damaged in a dataset.")
def check(
    name: Annotated[str, typer.Argument(help="Name of a dataset, as the list has it.")],
    root: Annotated[Path, typer.Argument(help="The folder that it was unpacked in.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all faults.")] = False,
) -> None:
    """Tell what is missing or damaged in a dataset and how that is cured; exit code 1 if anything is."""
    with console.preparing(as_json=as_json):
        dataset = _named(name)
        faults = dataset.check(root)
    if as_json:
        console.emit({"dataset": dataset.name, "root": str(root), "faults": [asdict(fault) for fault in faults]})
    else:
        for fault in faults[:MOST_FAULTS]:
            typer.echo(console.printable(f"{fault.path}: {fault.problem}: {fault.cure}"))
        if len(faults) > MOST_FAULTS:
            typer.echo(f"... and {len(faults) - MOST_FAULTS} more: --json prints all")
        told = "is whole" if not faults else f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        typer.echo(console.printable(f"{dataset.title} in {root}: {told}"))
    if faults:
        raise typer.Exit(console.FAILED)


def _named(name: str) -> Dataset:
    from unbraid.datasets.public.catalog import find

    try:
        return find(name)
    except DatasetError as error:
        raise UsageError(str(error)) from error


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return what is known of a dataset, as JSON values."""
    known = ("title", "licence", "url", "citation", "tree")
    return {**{key: getattr(dataset, key) for key in known}, "splits": list(dataset.splits)}
