"""``unbraid models``: what there is to separate with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import console

if TYPE_CHECKING:
    from unbraid.zoo import ZooEntry


POINTERS = {  # kind of guide: the options that give it
    "Prompts": "--prompts, --task",
    "Label": "--label",
    "Examples": "--example, --not",
    "Mimicry": "--hum, --at",
    "Score": "--score, --track, --at",
    "Mask": "--mask, --not-mask",
}


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everything known.")] = False,
) -> None:
    """List the models: how a sound is pointed at, what they know, what they were trained with, under which license."""
    from unbraid.zoo import ZOO

    described = {name: describe(entry) for name, entry in ZOO.items()}
    if as_json:
        console.emit(described)
        return
    for name, entry in described.items():
        typer.echo(name + ("" if entry["ships"] else "  (architecture only, no weights)"))
        typer.echo(f"  {entry['system']}: {entry['summary']}")
        typer.echo(f"  guides: {'; '.join(f'{kind} ({how})' for kind, how in entry['pointed_at_with'].items())}")
        if entry["vocabulary"]:
            typer.echo(f"  knows: {', '.join(entry['vocabulary'])}")
        if entry["ships"]:
            typer.echo(f"  license: {entry['licence']}; trained with {entry['training_data']}")


def describe(entry: ZooEntry) -> dict[str, Any]:
    """Return what the table says of a model, and what its weights file says where it ships."""
    from unbraid.priors import SHIPPED, shipped_path
    from unbraid.zoo import load_model

    pointers = {kind: POINTERS[kind] for kind in POINTERS if kind in entry.guides}
    known = {**asdict(entry), "ships": entry.ships, "pointed_at_with": pointers}
    if not entry.ships:
        return known
    own = None if entry.path is not None else [shipped_path(name) for name in SHIPPED]  # priors of the user are no part
    model = load_model(entry.name, priors=own)
    return {
        **known,
        "sample_rate": model.sample_rate,
        "segment": model.segment,
        "vocabulary": list(model.vocabulary),
        "can_be_taught": model.query_size is not None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
