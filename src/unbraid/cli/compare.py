"""``unbraid compare``: do two results differ, by how much, and on which tracks?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli import console
from unbraid.cli.console import UsageError


def compare(
    a: Annotated[Path, typer.Argument(help="Results of `unbraid evaluate`: results.jsonl or its folder.")],
    b: Annotated[Path, typer.Argument(help="The results to hold against them.")],
    *,
    first: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Whose records of A, where it has several models.")
    ] = None,
    second: Annotated[str | None, typer.Option(metavar="MODEL", help="Whose records of B.")] = None,
    score: Annotated[
        str, typer.Option(help="What is compared: si_sdr, si_sdr_improvement, snr, sdr, sdr_chunks, presence, ...")
    ] = "si_sdr",
    tracks: Annotated[int, typer.Option(min=0, help="List so many tracks that rose most, and that fell most.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Also write the page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of Markdown.")] = False,
) -> None:
    """Compare two results on the tracks that both have: paired differences, intervals, tests."""
    from unbraid.evaluation.comparison import compare as compare_sides
    from unbraid.evaluation.comparison import comparison_document, read_side, write_comparison

    with console.preparing(as_json=as_json):
        found = compare_sides(read_side(a, model=first), read_side(b, model=second), score=score)
        page = write_comparison(found, count=tracks)
        if out is not None:
            _write(page, out)
    if as_json:
        console.emit(dict(comparison_document(found, count=tracks)))
    else:
        typer.echo(page, nl=False)


def _write(page: str, out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror}): choose another place") from error
