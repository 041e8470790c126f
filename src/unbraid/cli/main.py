"""The command line: ``unbraid`` and its commands.

Exit codes: 0 all is done; 1 a file, or the work itself, failed; 2 the call asks for something that cannot be, and
nothing was begun; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import unbraid
from unbraid.cli import console
from unbraid.cli.compare import compare
from unbraid.cli.datasets import datasets
from unbraid.cli.doctor import doctor
from unbraid.cli.evaluate import evaluate
from unbraid.cli.explain import explain
from unbraid.cli.export import export
from unbraid.cli.import_checkpoint import import_checkpoint
from unbraid.cli.listen import listen
from unbraid.cli.mask import mask
from unbraid.cli.models import models
from unbraid.cli.priors import priors
from unbraid.cli.render import render
from unbraid.cli.request import GuideCommand
from unbraid.cli.separate import separate
from unbraid.cli.studio import studio
from unbraid.cli.teach import teach
from unbraid.cli.train import train
from unbraid.errors import UnbraidError

WrongUse: type[Exception] = typer.BadParameter.__mro__[1]  # what the parser raises, by the only name that is public


class Door(TyperGroup):
    """The commands in the order in which they are added, and the one place where errors become exit codes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words before the command; without any, show the help."""
        if not args:
            return super().parse_args(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except WrongUse as error:
            raise _refused(error, ctx) from error

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands as they were added: the everyday ones first."""
        del ctx
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error of ours is one line on stderr, Ctrl-C is exit code 130."""
        try:
            return super().invoke(ctx)
        except UnbraidError as error:
            console.complain(error)
            raise typer.Exit(console.exit_code(error)) from error
        except WrongUse as error:
            raise _refused(error, ctx) from error
        except KeyboardInterrupt:
            console.say_stopped()
            raise typer.Exit(console.STOPPED) from None


def _refused(error: Any, ctx: Any) -> typer.Exit:
    """Say on one line what is wrong with the words of the call, and what explains them."""
    message = error.format_message().replace("Value error, ", "").replace(" Did you", " did you").rstrip(".?")
    ours = message.removeprefix("Invalid value: ")
    if ours == message:
        message = f"{message[:1].lower()}{message[1:]}: see {(error.ctx or ctx).command_path} --help"
    else:
        message = ours
    console.complain(console.UsageError(message))
    return typer.Exit(console.MISUSED)


app = typer.Typer(
    cls=Door,
    help="Pull any sound out of a mixture: point at the sound, get that sound, the rest, and how sure it is.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unbraid {unbraid.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    del version


app.command(cls=GuideCommand, short_help="Separate recordings into sounds and the rest.")(separate)
app.command(short_help="Open the studio, a web page to point at sounds.")(studio)
app.command(short_help="Teach a model a sound by examples, and ask for it by name.")(teach)
app.command(short_help="List the models.")(models)
app.add_typer(priors, name="priors", short_help="List, add and remove priors of single sources.")
app.command(short_help="Draw a song to paint a mask on, and read it back.")(mask)
app.command(cls=GuideCommand, short_help="Draw what a model attends to in a song.")(explain)
app.command(short_help="Train a model from a recipe.")(train)
app.command(short_help="Turn a training run into a model.")(export)
app.command(short_help="Make multitrack songs and sounds to train on.")(render)
app.add_typer(datasets, name="datasets", short_help="List and check the public datasets.")
app.command(short_help="Score models where the true sources are known.")(evaluate)
app.command(short_help="Compare two results of evaluate: differences, intervals, tests.")(compare)
app.command(short_help="Make a listening test, and judge its answers.")(listen)
app.command(short_help="Turn a published checkpoint into our format.")(import_checkpoint)
app.command(short_help="Report what this machine has and lacks.")(doctor)


def main() -> None:
    """Run the command line on ``sys.argv``."""
    app(prog_name="unbraid")
