"""From the guides on the command line to targets, in the order in which they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from unbraid.cli.console import UsageError

if TYPE_CHECKING:
    from unbraid.guides.kinds import Guide, Target

ORDER = "unbraid.order"


class GuideCommand(TyperCommand):
    """A command that remembers the order of its options across their names.

    ``--target lead --label vocals --target beat --label drums`` means something only in this order, which the
    parser keeps for each option alone.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, and leave the name of every option in the order of the command line."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


def spell(order: Sequence[str], values: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Put the values of several repeatable options back into the order of the command line.

    Example:
        >>> spell(["label", "target", "label"], {"label": ["bass", "vocals"], "target": ["lead"]})
        [('label', 'bass'), ('target', 'lead'), ('label', 'vocals')]
    """
    rest = {name: iter(given) for name, given in values.items()}
    return [(name, next(rest[name])) for name in order if name in values]


def read_targets(words: Sequence[tuple[str, str]]) -> list[Guide | Target]:
    """Turn guides in order into a request; what follows ``--target`` belongs to that target.

    Args:
        words: pairs of an option (``prompts``, ``task``, ``label``, ``target``) and its value.

    Raises:
        UsageError: if there is no guide.
        GuideError: if a guide is malformed or a target has none.

    Example:
        >>> [target.name for target in read_targets([("target", "lead"), ("label", "vocals")])]
        ['lead']
    """
    from unbraid.guides.kinds import Label, Prompts, Target

    request: list[Guide | Target] = []
    name: str | None = None
    held: list[Guide] = []
    for option, value in words:
        if option == "target":
            if name is not None:
                request.append(Target(name, held))
            name, held = value, []
            continue
        guide = Label(value) if option == "label" else Prompts.task(value) if option == "task" else Prompts(value)
        if name is None:
            request.append(guide)
        else:
            held.append(guide)
    if name is not None:
        request.append(Target(name, held))
    if not request:
        raise UsageError("nothing is asked for: give --prompts, --task or --label, such as --task music")
    return request
