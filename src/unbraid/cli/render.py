"""`unbraid render`: multitrack music and sounds to train and to test on, made here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from unbraid.cli.console import preparing


class Layout(Enum):
    """What the folders hold."""

    SLAKH = "slakh"
    STEMS = "stems"
    SOUNDS = "sounds"


def render(
    out: Annotated[Path, typer.Argument(help="Folder to write to; what is finished there is kept.")],
    *,
    tracks: Annotated[int, typer.Option(min=1, help="Tracks that shall be there; sounds: files of each kind.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    duration: Annotated[float, typer.Option(min=1.0, help="Length of each track in seconds.")] = 60.0,
    soundfont: Annotated[
        str | None, typer.Option(help="SoundFont to play with; '' for built-in synthesis. [default: an installed one]")
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="slakh: Slakh2100; stems: one file per category; sounds: effects and speech.")
    ] = Layout.SLAKH,
    mono: Annotated[bool, typer.Option("--mono", help="One channel instead of two.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one per core]")] = None,
) -> None:
    """Compose and render songs with their true stems, or sound effects, ambiences and speech."""
    from unbraid.datasets.render import render_sounds, render_stems
    from unbraid.datasets.slakh import render_dataset
    from unbraid.datasets.soundfont import choose_soundfont

    with preparing():
        choose_soundfont(soundfont or None)
    channels = 1 if mono else 2
    console = Console(highlight=False)
    started = time.monotonic()
    with _display(console) as progress:
        if layout is Layout.SOUNDS:
            made = render_sounds(out, count=tracks, seed=seed, jobs=jobs, channels=channels, progress=progress)
        else:
            write = render_dataset if layout is Layout.SLAKH else render_stems
            made = write(
                out,
                tracks=tracks,
                seed=seed,
                duration=duration,
                soundfont=soundfont,
                jobs=jobs,
                channels=channels,
                progress=progress,
            )
    seconds = time.monotonic() - started
    rate = "" if layout is Layout.SOUNDS or not made else f", {made * duration / seconds:.1f} times real time"
    what = "files" if layout is Layout.SOUNDS else "tracks"
    console.print(f"{out}: {made} {what} made in {seconds:.0f} s{rate}", soft_wrap=True)


@contextmanager
def _display(console: Console) -> Iterator[Callable[[float], None] | None]:
    """Show a bar on a terminal, and nothing in a pipe."""
    if not console.is_terminal:
        yield None
        return
    columns = TextColumn("rendering"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("rendering", total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
