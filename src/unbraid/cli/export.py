"""`unbraid export`: turn a run into a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unbraid.cli import console


def export(
    recipe: Annotated[Path, typer.Argument(help="The run's recipe, such as recipes/tuss_small.py.")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write, ending in .safetensors.")],
    source: Annotated[str | None, typer.Option(help="What a prior is of, as it was told to train.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run. [default: runs/RECIPE, or runs/RECIPE-SOURCE]")
    ] = None,
    best: Annotated[
        int, typer.Option(min=0, help="Average so many of the best epochs; 0 takes the last checkpoint.")
    ] = 0,
    bits: Annotated[
        Literal["32", "16", "8"], typer.Option(help="Of the numbers in matrices: 16 are half the size, 8 a quarter.")
    ] = "32",
    card: Annotated[Path | None, typer.Option(help="JSON file with what a reader should know of the weights.")] = None,
) -> None:
    """Write the weights of a training run as a model that separate -m takes."""
    from unbraid.training.export import export_run
    from unbraid.training.recipe import load_recipe

    folder = run or Path("runs") / (f"{recipe.stem}-{source}" if source else recipe.stem)
    with console.preparing():
        made = load_recipe(recipe, settings={"source": source} if source else {})
        digest = export_run(made, folder, out, n_best=best, bits=int(bits), card=_read_card(card))
    typer.echo(f"{out}: {out.stat().st_size} bytes, SHA-256 {digest}")


def _read_card(path: Path | None) -> dict[str, object]:
    import json

    from unbraid.errors import RecipeError

    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read as a card ({error}): give a JSON file") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: a card is a JSON object, not a {type(content).__name__}")
    return content
