"""``unbraid mask``: a picture of a song to paint on, and what the paint says."""

from __future__ import annotations

import os
import secrets
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unbraid.cli import console
from unbraid.cli.console import ProgressLine, UsageError, printable
from unbraid.errors import UnbraidError

if TYPE_CHECKING:
    from torch import Tensor

    from unbraid.guides.mask_canvas import CanvasNote

SUFFIX = ".png"
THIN = 0.5  # of the confidence is what softening must leave of a stroke
_MARKS = {"positive": "the sound", "negative": "not the sound"}


def mask(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="The recording.", show_default=False)],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The picture to write; SONG-mask.png by default.", show_default=False),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="MASK", help="Read a mask back and tell what is painted.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a picture that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")] = False,
) -> None:
    """Write the mel spectrogram of a song as a picture: paint what the sound is in green, what it is not in red."""
    try:
        if check is not None:
            if out is not None or force:
                raise UsageError("--check writes nothing: leave out --out and --force, or call it on its own")
            _check(song, check, as_json=as_json, quiet=quiet)
        else:
            _write(song, out, force=force, as_json=as_json, quiet=quiet)
    except UnbraidError as error:
        if as_json:
            console.emit(console.error_document(error))
        raise


def _write(song: Path, out: Path | None, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Write the canvas and tell how to paint on it."""
    from unbraid.guides.mask_canvas import draw_canvas
    from unbraid.guides.mask_files import save_canvas

    out = Path(f"{song.stem}-mask{SUFFIX}") if out is None else out
    _check_place(out, force=force)
    with ProgressLine(1, quiet=quiet) as line:
        line.begin(song.name)
        pixels, note = draw_canvas(song, progress=line.update)
    unfinished = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_canvas(pixels, note, unfinished)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror}): choose another place") from error
    if as_json:
        console.emit({"file": printable(str(song)), "mask": printable(str(out)), **asdict(note)})
    elif not quiet:
        typer.echo(printable(_instructions(song, out, note)))


def _check_place(out: Path, *, force: bool) -> None:
    """Refuse a place where nothing can be written, before any work.

    Raises:
        UsageError: if something is there, or the name does not end in .png.
    """
    if out.suffix.lower() != SUFFIX:
        raise UsageError(f"--out {out}: the name of the picture ends in {SUFFIX}")
    if os.path.lexists(out) and not force:
        raise UsageError(
            f"--out {out}: there already, maybe painted on: give another name, or --force to write over it"
        )
    folder = out.parent
    if out.is_dir() or (folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK))):
        raise UsageError(f"--out {out}: cannot be written here: choose another place")


def _instructions(song: Path, out: Path, note: CanvasNote) -> str:
    from unbraid.guides.mask_grid import FRAMES_PER_SECOND, TOP_HZ

    pace = FRAMES_PER_SECOND / note.frames_per_column
    names = shlex.quote(str(song)), shlex.quote(str(out))
    return "\n".join([
        f"{out}: {note.duration:.2f} s of {song.name}, {note.n_columns} x {note.n_rows} pixels; "
        f"{pace:g} pixels a second to the right, 0 to {TOP_HZ:.0f} Hz upwards",
        "Paint green (0, 255, 0) what is the sound, and red (255, 0, 0) what is not; fainter paint is less sure.",
        "Use a brush of 12 pixels or more, keep the size of the picture, and save it in color as PNG.",
        "Then:",
        f"  unbraid mask {names[0]} --check {names[1]}",
        f"  unbraid separate {names[0]} --mask {names[1]}",
    ])  # fmt: skip


def _check(song: Path, file: Path, *, as_json: bool, quiet: bool) -> None:
    """Read a mask and tell what share is painted on each side, when, and at which frequencies."""
    from unbraid.audio.files import open_audio
    from unbraid.guides.mask import Mask, painted_area, resolve_mask

    with open_audio(song) as reader:
        duration = reader.duration
    read = resolve_mask(Mask(file, soft=False), duration=duration, target=song.stem or "mask")
    same = _shows(file, song)
    if same is False:
        console.warn(f"was drawn from another file than {song.name}, of the same length", file=str(file))
    sides: dict[str, Any] = {}
    for name, side in zip(_MARKS, read.sides, strict=True):
        sides[name] = None if side is None else asdict(painted_area(side))
        if side is not None and _is_thin(side):
            console.warn(f"the {name} strokes are so thin that they count little: paint broader ones", file=str(file))
    if as_json:
        document = {"file": printable(str(song)), "mask": printable(str(file)), "duration": duration}
        console.emit({**document, "same_song": same, **sides})
    elif not quiet:
        lines = [f"  {name:<9} {_describe(sides[name])} ({mark})" for name, mark in _MARKS.items()]
        typer.echo(printable("\n".join([f"{file}: a mask for {duration:.2f} s of {song.name}", *lines])))


def _shows(file: Path, song: Path) -> bool | None:
    """Tell whether a mask was painted on a canvas of this very file; None if it does not say."""
    from unbraid.guides.mask_canvas import hash_of
    from unbraid.guides.mask_files import read_canvas_note

    note = read_canvas_note(file)
    return None if note is None else note.sha256 == hash_of(song)


def _is_thin(side: Tensor) -> bool:
    from unbraid.guides.mask import soften

    return float(soften(side).max()) < THIN * float(side.max())


def _describe(area: dict[str, Any] | None) -> str:
    if area is None:
        return "nothing"
    return (
        f"{area['share']:.1%} of the picture, {area['start']:.2f}-{area['stop']:.2f} s, "
        f"{area['low']:.0f}-{area['high']:.0f} Hz, up to {area['most']:.0%} sure"
    )
