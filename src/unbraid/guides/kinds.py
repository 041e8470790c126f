"""What a user can say: a closed set of guides, and the targets that they point at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unbraid.errors import GuideError

TASKS: dict[str, tuple[str, ...]] = {
    "enhance": ("speech", "sfx-mix"),
    "music": ("vocals", "drums", "bass", "other"),
    "cinema": ("speech", "music-mix", "sfx-mix"),
}
COUNTED_TASKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "speakers": ("speech", ("sfx-mix",)),
    "events": ("sfx", ()),
}
MAX_COUNT = 8


@dataclass(frozen=True)
class Label:
    """One name from a model's vocabulary, such as ``Label("bass")``."""

    name: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise GuideError("a label is empty: give a name such as 'bass'")


@dataclass(frozen=True, init=False)
class Prompts:
    """An ordered multiset of learned source tokens; each one is a target of its own.

    Args:
        names: ``"speech speech sfx-mix"`` (split at spaces and commas), or a sequence of names.

    Raises:
        GuideError: if there is no name.

    Example:
        >>> Prompts("vocals drums").names
        ('vocals', 'drums')
    """

    names: tuple[str, ...]

    def __init__(self, names: str | Iterable[str]) -> None:
        parts = names.replace(",", " ").split() if isinstance(names, str) else list(names)
        if not parts or not all(isinstance(part, str) and part.strip() for part in parts):
            raise GuideError("prompts are empty: give names such as 'vocals drums'")
        object.__setattr__(self, "names", tuple(parts))

    @classmethod
    def task(cls, task: str) -> Prompts:
        """Return the prompts of a task: ``enhance``, ``music``, ``cinema``, ``speakers=N`` or ``events=N``.

        Raises:
            GuideError: if the task is unknown or its count is not in 1..8.

        Example:
            >>> Prompts.task("speakers=2").names
            ('speech', 'speech', 'sfx-mix')
        """
        if task in TASKS:
            return cls(TASKS[task])
        name, _, count = task.partition("=")
        if name not in COUNTED_TASKS:
            known = ", ".join([*TASKS, *(f"{counted}=N" for counted in COUNTED_TASKS)])
            raise GuideError(f"unknown task {task!r}: choose one of {known}")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_COUNT:
            raise GuideError(f"task {task!r} needs a count from 1 to {MAX_COUNT}, as in {name}=2")
        repeated, rest = COUNTED_TASKS[name]
        return cls((repeated,) * int(count) + rest)


Guide = Label | Prompts


@dataclass(frozen=True, init=False)
class Target:
    """One sound asked for: a name, and one or more guides that hold together.

    Example:
        >>> Target("lead", [Label("vocals")]).name
        'lead'
    """

    name: str
    guides: tuple[Guide, ...]

    def __init__(self, name: str, guides: Guide | Sequence[Guide]) -> None:
        held = (guides,) if isinstance(guides, Label | Prompts) else tuple(guides)
        if not name.strip():
            raise GuideError("a target needs a name")
        if not held:
            raise GuideError(f"target {name!r} has no guide: give at least one")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "guides", held)


Request = Guide | Target | Sequence[Guide | Target]


def spell_targets(request: Request) -> tuple[Target, ...]:
    """Turn what a user gave into targets: a bare guide is a target of its own, prompts spell several.

    Example:
        >>> [target.name for target in spell_targets(Prompts("speech speech"))]
        ['speech', 'speech']
    """
    items = (request,) if isinstance(request, Label | Prompts | Target) else tuple(request)
    if not items:
        raise GuideError("nothing is asked for: give at least one guide")
    targets: list[Target] = []
    for item in items:
        if isinstance(item, Target):
            targets.append(item)
        elif isinstance(item, Prompts):
            targets.extend(Target(name, Label(name)) for name in item.names)
        elif isinstance(item, Label):
            targets.append(Target(item.name, item))
        else:
            raise GuideError(f"{type(item).__name__} is not a guide: give Label, Prompts or Target")
    return tuple(targets)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Number the names that occur more than once: the one place where outputs get their names.

    Example:
        >>> unique_names(["sfx", "speech", "sfx"])
        ('sfx-1', 'speech', 'sfx-2')
    """
    repeated = {name for name in names if names.count(name) > 1}
    seen: dict[str, int] = {}
    result = []
    for name in names:
        if name not in repeated:
            result.append(name)
            continue
        seen[name] = seen.get(name, 0) + 1
        numbered = f"{name}-{seen[name]}"
        while numbered in names:
            seen[name] += 1
            numbered = f"{name}-{seen[name]}"
        result.append(numbered)
    return tuple(result)
