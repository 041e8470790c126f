"""What the command line says, and where: results on stdout, complaints and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from unbraid.errors import AudioError, Cancelled, GuideError, ModelError, SettingsError, UnbraidError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FAILED, MISUSED, STOPPED = 1, 2, 130


class UsageError(UnbraidError):
    """Options that contradict each other, or that this machine cannot follow."""


def exit_code(error: UnbraidError) -> int:
    """Return the exit code for an error that ends a command."""
    if isinstance(error, UsageError | SettingsError | GuideError | ModelError):
        return MISUSED
    return STOPPED if isinstance(error, Cancelled) else FAILED


@contextmanager
def preparing(*, as_json: bool = False) -> Iterator[None]:
    """Look for what the call names; whatever is not there, or is in the way, ends it with exit code 2.

    A recording that cannot be read is no wrong word of the call: its error passes.

    Args:
        as_json: print the error on stdout, too.
    """
    try:
        yield
    except (AudioError, Cancelled):
        raise
    except UnbraidError as error:
        if as_json:
            emit(error_document(error))
        complain(error)
        raise typer.Exit(MISUSED) from error


def one_line(error: BaseException, *, file: str | None = None) -> str:
    """Return the message on one line, with the file's name in it.

    Example:
        >>> one_line(UsageError("is empty"), file="song.wav")
        'song.wav: is empty'
    """
    message = " ".join(str(error).split()) or type(error).__name__
    return printable(message if file is None or file in message else f"{file}: {message}")


def printable(text: str) -> str:
    r"""Return text that every stream takes: bytes of file names that are no UTF-8 become question marks.

    Example:
        >>> printable("caf\udce9.wav")
        'caf?.wav'
    """
    return text.encode("utf-8", errors="replace").decode("utf-8")


def complain(error: BaseException, *, file: str | None = None) -> None:
    """Write one line to stderr."""
    typer.echo(f"unbraid: {one_line(error, file=file)}", err=True)


def warn(message: str, *, file: str) -> None:
    """Write one line to stderr about something that went another way than expected, but went."""
    typer.echo(f"unbraid: warning: {one_line(UnbraidError(message), file=file)}", err=True)


def say_stopped() -> None:
    """Tell that Ctrl-C was heard."""
    typer.echo("unbraid: stopped; files that were finished are whole", err=True)


def emit(document: dict[str, Any]) -> None:
    """Write one JSON object as one line to stdout."""
    typer.echo(json.dumps(document, allow_nan=False))


def error_document(error: BaseException, *, file: str | None = None) -> dict[str, Any]:
    """Return an error in the form in which ``--json`` prints it."""
    document: dict[str, Any] = {"error": {"type": type(error).__name__, "message": one_line(error, file=file)}}
    return document if file is None else {"file": file, **document}


class ProgressLine:
    """One line on stderr with a bar and the time left; nothing where stderr is not a terminal.

    Args:
        n_files: how many files there are in all.
        quiet: show nothing, terminal or not.
    """

    def __init__(self, n_files: int, *, quiet: bool = False) -> None:
        self.n_files = n_files
        self.n_begun = 0
        self.shown = not quiet and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressLine:
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, name: str) -> None:
        """Start the bar anew for the next file."""
        self.n_begun += 1
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            of = f"[{self.n_begun}/{self.n_files}] " if self.n_files > 1 else ""
            self._task = self._bar.add_task(f"{of}{printable(name)}", total=1.0)

    def update(self, fraction: float) -> None:
        """Move the bar: the fraction of the file that is done, 0..1."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=fraction)

    def say(self, line: str) -> None:
        """Leave a line above the bar; only where the bar is shown."""
        if self._bar is not None:
            self._bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
