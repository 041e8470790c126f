"""``unbraid priors``: what InstGlow can separate with, and how to add to it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import console

if TYPE_CHECKING:
    from unbraid.priors import PriorFile

priors = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@priors.callback(invoke_without_command=True)
def list_all(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everything known.")] = False,
) -> None:
    """List the priors of single sources, those that ship and your own; add and remove change your own."""
    if ctx.invoked_subcommand is not None:
        return
    from unbraid.priors import damaged_priors, known_priors

    for problem in damaged_priors():
        typer.echo(f"unbraid: warning: {console.printable(problem)}", err=True)
    known = known_priors()
    if as_json:
        console.emit({name: describe(prior) for name, prior in known.items()})
        return
    if not known:
        typer.echo("There are no priors yet: train one with recipes/instglow_small.py, then unbraid priors add FILE.")
    for prior in known.values():
        typer.echo(f"{prior.name}  ({'ships' if prior.ships else 'yours'})")
        typer.echo(f"  {prior.n_parameters / 1e6:.2f} M parameters, hears {prior.sample_rate} Hz; {_training(prior)}")
        typer.echo(f"  {prior.path}")


@priors.command(short_help="Copy a prior to your library.")
def add(file: Annotated[Path, typer.Argument(help="Weights of a prior, as unbraid export writes them.")]) -> None:
    """Copy a prior to your library: from then on it is known by the name of its source."""
    from unbraid.priors import add_prior

    added = add_prior(file)
    typer.echo(f"{added.name}: added as {added.path}")


@priors.command(short_help="Remove a prior from your library.")
def remove(source: Annotated[str, typer.Argument(help="The source that the prior is of.")]) -> None:
    """Remove a prior from your library; those that ship stay."""
    from unbraid.priors import remove_prior

    typer.echo(f"{source}: removed {remove_prior(source)}")


def describe(prior: PriorFile) -> dict[str, Any]:
    """Return what is known of a prior, as JSON values."""
    return {**asdict(prior), "path": str(prior.path), "card": dict(prior.card)}


def _training(prior: PriorFile) -> str:
    card = prior.card
    if "imported_from" in card:
        return f"imported from {card['imported_from']}"
    steps = f"trained for {card['steps']} steps" if "steps" in card else "training unknown"
    data = card.get("training_data")
    listed = ", ".join(map(str, data)) if isinstance(data, list) else data
    return f"{steps} with {listed}" if listed else steps
