"""``unbraid explain``: a picture of what a model attends to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import ProgressLine, UsageError, printable
from unbraid.cli.request import ORDER, add_taught, read_targets, spell
from unbraid.errors import ModelError

if TYPE_CHECKING:
    from unbraid.guides.kinds import Guide
    from unbraid.models.separator import Separator

SUFFIX, ARRAYS = ".png", ".npz"
Words = list[str] | None


def explain(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: typer.Context,
    song: Annotated[Path, typer.Argument(metavar="SONG", help="The recording.", show_default=False)],
    label: Annotated[
        Words, typer.Option(metavar="NAME", help="One sound by its name; repeat it. All that it knows, if left out.")
    ] = None,
    example: Annotated[
        Words, typer.Option(metavar="FILE", help="For a model that takes examples: a recording of the sound.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="MODEL", help="A LaSAFT model: a name or a file.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The picture; SONG-attention.png by default.", show_default=False),
    ] = None,
    start: Annotated[str, typer.Option(metavar="TIME", help="Where to begin, such as 0:10 or 10.5.")] = "0",
    duration: Annotated[
        float | None, typer.Option(help="Seconds from there on; up to the end by default.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")] = False,
) -> None:
    """Draw what a LaSAFT model attends to in a song, over time, and save the numbers beside the picture."""
    begin = _read_time(start)
    out = Path(f"{song.stem}-attention{SUFFIX}") if out is None else out
    if out.suffix.lower() != SUFFIX:
        raise UsageError(f"--out {out}: the name of the picture ends in {SUFFIX}")
    words = spell(ctx.meta[ORDER], {"label": label or [], "example": example or []})
    request = read_targets(words) if words else []
    from unbraid.explanation.attention import check_attends
    from unbraid.explanation.attention import explain as explain_song
    from unbraid.explanation.picture import check_drawing, draw_explanation
    from unbraid.guides.kinds import spell_targets
    from unbraid.zoo import load_model

    check_drawing()
    name = model or _shipped()
    network = load_model(name)
    check_attends(network)
    targets = spell_targets(request or _all_labels(network))
    add_taught(network, targets)
    _check_place(out)
    with ProgressLine(1, quiet=quiet) as line:
        line.begin(song.name)
        found = explain_song(song, targets, model=network, start=begin, duration=duration, progress=line.update)
    try:
        found.save(out.with_suffix(ARRAYS))
        title = f"Attention over latent sources: {Path(name).stem} in {printable(song.name)}"
        draw_explanation(found, out, title=title)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror}): choose another place") from error
    typer.echo(printable(f"{out}: {', '.join(found.labels)}; the numbers are in {out.with_suffix('.npz')}"))


def _read_time(text: str) -> float:
    from unbraid.guides.kinds import read_clock

    seconds = read_clock(text)
    if seconds is None:
        raise UsageError(f"--start {text} is no time: write 0:10 or 10.5")
    return seconds


def _shipped() -> str:
    """Return the LaSAFT model that ships.

    Raises:
        ModelError: if there is none.
    """
    from unbraid.explanation.attention import SYSTEM
    from unbraid.zoo import ZOO

    ours = [entry.name for entry in ZOO.values() if entry.file and entry.system == SYSTEM]
    if not ours:
        raise ModelError("no LaSAFT model ships with this version: give one that is imported or trained with -m FILE")
    return ours[0]


def _all_labels(network: Separator) -> list[Guide]:
    from unbraid.guides.kinds import Label

    if not network.vocabulary:
        raise UsageError(f"{network.name} knows no labels: give recordings of sounds with --example")
    return [Label(name) for name in network.vocabulary]


def _check_place(out: Path) -> None:
    """Make the folder of the picture, and find out whether it can be written to."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot make the folder ({error.strerror}): choose another") from error
    if any(place.is_dir() for place in (out, out.with_suffix(ARRAYS))) or not os.access(out.parent, os.W_OK):
        raise UsageError(f"--out {out}: cannot be written here: choose another place")
