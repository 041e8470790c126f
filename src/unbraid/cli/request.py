"""From the guides on the command line to targets, in the order in which they were given."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from unbraid.cli.console import UsageError

if TYPE_CHECKING:
    from unbraid.guides.kinds import Guide, Recording, Target
    from unbraid.models.separator import Separator

ORDER = "unbraid.order"
SPAN_LIKE = re.compile(r"[\d:.,s\s]*[-\u2013][-\u2013\d:.,s\s]*")
SIDES = ("example", "negative")
MELODIES = ("hum", "score")
MODIFIERS = {"at": "--at", "track": "--track"}


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

    Before the first ``--target``, every label and prompt is a target of its own, and all other guides are one, which
    ``--as`` may name; it stands where the first of them stood.

    Args:
        words: pairs of an option (``prompts``, ``task``, ``label``, ``example``, ``negative``, ``hum``, ``score``,
            ``mask``, ``anti_mask``, ``target``, ``named``) or of one that says more of the guide before it (``at``,
            ``track``), and its value.

    Raises:
        UsageError: if there is no guide, a name without anything to be named, a name for two sounds, or a place without
            a melody.
        GuideError: if a guide is malformed or a target has none.

    Example:
        >>> [target.name for target in read_targets([("target", "lead"), ("label", "vocals")])]
        ['lead']
        >>> read_targets([("example", "riff.wav"), ("example", "0:12-0:16")])[0].title
        'riff'
        >>> read_targets([("hum", "tune.wav"), ("mask", "chorus.png")])[0].name
        'tune'
    """
    from unbraid.guides.kinds import Label, Prompts, Target

    name = _name_of([value for option, value in words if option == "named"])
    groups: list[tuple[str, list[tuple[str, str]]]] = [("", [])]
    for option, value in words:
        if option == "target":
            groups.append((value, []))
        elif option != "named":
            groups[-1][1].append((option, value))
    (_, free), *targets = groups
    guides = _read_guides(free, "")
    pointing = [guide for guide in guides if not isinstance(guide, Label | Prompts)]
    if name is not None and not pointing:
        raise UsageError(
            f"--as {name} names what --example, --hum, --score or --mask point at, and there is none before the first "
            "--target: give one, or leave --as out"
        )
    request: list[Guide | Target] = []
    for guide in guides:
        if guide not in pointing:
            request.append(guide)
        elif guide is pointing[0]:
            joined = name is not None or len(pointing) > 1
            request.append(Target(name or pointing[0].title, pointing) if joined else guide)
    request += [Target(title, _read_guides(held, f"target {title!r}: ")) for title, held in targets]
    _check_names([title for title, _ in targets] + ([name] if name else []), request)
    if not request:
        raise UsageError(
            "nothing is asked for: give --prompts, --task, --label, --priors, --example, --hum, --score or --mask, "
            "such as --task music"
        )
    return request


def _check_names(given: Sequence[str], request: Sequence[Guide | Target]) -> None:
    """Refuse a name that the user gave to one sound and that another has too: prompts alone are numbered."""
    from unbraid.guides.kinds import spell_targets

    titles = [target.name for target in spell_targets(request)] if request else []
    for name in given:
        if titles.count(name) > 1:
            raise UsageError(
                f"two sounds are called {name!r}: give one another name with --target or --as; all that points at one "
                "sound follows a single --target"
            )


def _name_of(names: Sequence[str]) -> str | None:
    if len(names) > 1:
        raise UsageError("--as is given twice: begin several targets with --target NAME --example FILE instead")
    if names and not names[0].strip():
        raise UsageError("--as is empty: give the stem a name, such as --as guitar")
    return names[0] if names else None


def _read_guides(words: Sequence[tuple[str, str]], where: str) -> list[Guide]:
    """Turn the words of one target into guides; all examples become one, where the first of them stood."""
    from unbraid.guides.kinds import Examples, Label, Prompts

    recordings = {side: [read_recording(value) for option, value in words if option == side] for side in SIDES}
    if recordings["negative"] and not recordings["example"]:
        raise UsageError(f"{where}--not tells what the sound is not: give --example, too, a recording of what it is")
    melodies = [f"--{option}" for option, _ in words if option in MELODIES]
    if len(melodies) > 1:
        raise UsageError(
            f"{where}{' and '.join(melodies)} are given: a target has one melody; begin others with --target"
        )
    guides: list[Guide] = []
    for index, (option, value) in enumerate(words):
        if option in SIDES:
            if not any(isinstance(guide, Examples) for guide in guides):
                guides.append(Examples(recordings["example"], recordings["negative"]))
        elif option in MELODIES:
            more = [(after, said) for after, said in words[index + 1 :] if after in MODIFIERS]
            guides.append(_read_melody(option, value, more, where))
        elif option in MODIFIERS:
            if not any(before in MELODIES for before, _ in words[:index]):
                raise UsageError(
                    f"{where}{MODIFIERS[option]} {value} follows no --hum or --score: put it behind its own"
                )
        elif option == "label":
            guides.append(Label(value))
        elif option in ("prompts", "task"):
            guides.append(Prompts.task(value) if option == "task" else Prompts(value))
    mask = _read_mask(
        [value for option, value in words if option == "mask"],
        [value for option, value in words if option == "anti_mask"],
        where,
    )
    return guides if mask is None else [*guides, mask]


def _read_melody(option: str, value: str, more: list[tuple[str, str]], where: str) -> Guide:
    """Turn ``--hum FILE --at TIME`` or ``--score FILE --track N --at TIME`` into a guide."""
    from unbraid.guides.kinds import Mimicry, Score

    if not value.strip():
        raise UsageError(f"{where}--{option} is empty: give a file")
    said = dict(more)
    if len(said) < len(more):
        raise UsageError(f"{where}--{option} {value} is told its place or track twice: say each once")
    offset = _read_offset(said["at"]) if "at" in said else 0.0
    if option == "hum":
        if "track" in said:
            raise UsageError(f"{where}--track {said['track']} is for --score, not for --hum {value}: leave it out")
        return Mimicry(value, offset=offset)
    track = said.get("track")
    return Score(value, track=int(track) if track is not None and track.isdecimal() else track, offset=offset)


def _read_offset(text: str) -> float | None:
    """Read where a melody begins in the song: a time, with a minus if it begins before it, or ``auto``."""
    from unbraid.guides.kinds import read_clock

    if text.strip() == "auto":
        return None
    sign, clock = (-1, text.strip()[1:]) if text.strip().startswith("-") else (1, text)
    seconds = read_clock(clock)
    if seconds is None:
        raise UsageError(f"--at {text} is no time: give seconds such as 12.5, a clock time such as 1:02, or auto")
    return sign * seconds


def _read_mask(positive: Sequence[str], negative: Sequence[str], where: str) -> Guide | None:
    from unbraid.guides.kinds import Mask

    for option, given in (("--mask", positive), ("--not-mask", negative)):
        if len(given) > 1:
            raise UsageError(
                f"{where}{option} is given {len(given)} times: a target has one; begin others with --target"
            )
        if given and not given[0].strip():
            raise UsageError(f"{where}{option} is empty: give a file")
    if not positive and not negative:
        return None
    return Mask(positive[0] if positive else None, negative[0] if negative else None)


def read_recording(text: str) -> Recording:
    """Read one example: a file, or a span of the song itself; a file that is called like a span wins.

    Raises:
        UsageError: if it is empty, a point in time, or neither a file nor a span but made of figures.
        GuideError: if it is an empty span.

    Example:
        >>> read_recording("0:12-0:16").title
        '12-16s'
    """
    from unbraid.guides.kinds import Span, read_clock

    if not text.strip():
        raise UsageError("an example is empty: give a file, or a span of the song such as 0:12-0:16")
    is_file = os.path.exists(text)  # Path.exists raises where a name is too long
    if not is_file and read_clock(text) is not None:
        raise UsageError(
            f"an example lasts from one time to another, and {text} is one: give a span, such as 0:12-0:16"
        )
    span = None if is_file else Span.parse(text)
    if span is None and not is_file and SPAN_LIKE.fullmatch(text):
        raise UsageError(f"{text} is no span, and no file is called so: write one as 0:12-0:16, or 12-16.5")
    return span or Path(text)


def read_priors(texts: Sequence[str] | None) -> list[str] | None:
    """Read the names or files of priors, with commas between them; None if none are given.

    Raises:
        UsageError: if one is empty.

    Example:
        >>> read_priors(["vocals, drums", "mine/kazoo.safetensors"])
        ['vocals', 'drums', 'mine/kazoo.safetensors']
    """
    if not texts:
        return None
    given = ",".join(texts)
    words = [word.strip() for word in given.split(",")]
    if not all(words):
        raise UsageError(f"--priors {given!r} names nothing in one place: give sources, such as --priors vocals,drums")
    return words


def check_labels(priors: Sequence[str], words: Sequence[tuple[str, str]], *, delivered: bool) -> None:
    """Refuse labels that only other priors answer, and to lose what priors leave or put it where the stems' rest is.

    Args:
        priors: as they were named.
        words: pairs of an option and its value, in their order.
        delivered: whether what the stems leave is written.

    Raises:
        UsageError: if so.
        ModelError: if a prior is missing or damaged.
    """
    from unbraid.priors import RESIDUAL, find_priors, known_priors

    names = {prior.name for prior in find_priors(priors)} | ({RESIDUAL} & set(priors))
    labels = [value for option, value in words if option == "label"]
    foreign = next((label for label in labels if label not in names and label in {RESIDUAL, *known_priors()}), None)
    if foreign is not None:
        raise UsageError(f"--label {foreign} is not among --priors {','.join(priors)}: add it to them")
    if RESIDUAL in labels and delivered:
        before = words[: words.index(("label", RESIDUAL))]
        if not any(option == "target" for option, _ in before):
            raise UsageError(
                "--label residual would lie in the file of what the stems leave: call it --target unexplained --label "
                "residual, or leave all labels out, and residual is what the priors do not explain"
            )
    if RESIDUAL in priors and not words and not delivered:
        raise UsageError("--priors asks for the residual, and --no-residual leaves it out: take one of them away")


def prior_labels(words: Sequence[str]) -> list[Guide | Target]:
    """Return what is asked for where nothing but priors is named: the source of every one.

    What they leave is not among them, as it is what the stems leave.

    Raises:
        ModelError: if one is missing or damaged.
    """
    from unbraid.guides.kinds import Label
    from unbraid.priors import find_priors

    return [Label(prior.name) for prior in find_priors(words)]


def taught_model(files: Sequence[Path]) -> str | None:
    """Return what the model is called that taught labels belong to; None without labels, or if it is not there.

    Raises:
        GuideError: if a file is no taught label.
    """
    from unbraid.teaching import load_query
    from unbraid.zoo import ZOO

    names = [load_query(file).model for file in files]
    return next((name for name in names if name in ZOO or os.path.isfile(name)), None)


def add_taught(model: Separator, targets: Sequence[Target], files: Sequence[Path] = ()) -> None:
    """Let a model know labels that it was taught: those of the files, and those asked for that lie in the library.

    Raises:
        GuideError: if a file is no taught label, or a label is one of another model.
    """
    from unbraid.guides.kinds import Label
    from unbraid.teaching import add_query, any_query, find_query, load_query

    for file in files:
        add_query(model, load_query(file))
    asked = [guide.name for target in targets for guide in target.guides if isinstance(guide, Label)]
    for name in dict.fromkeys(asked):
        query = None if name in (*model.vocabulary, *model.taught) else find_query(name, model) or any_query(name)
        if query is not None:
            add_query(model, query)  # refuses what only another model was taught
