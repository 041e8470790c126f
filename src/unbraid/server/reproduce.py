"""A take as text: the command line, and the Python code, that make the same stems without the server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from unbraid.delivery.names import free_name
from unbraid.guides.kinds import Examples, Guide, Label, Mask, Mimicry, Prompts, Score, Span, Target
from unbraid.guides.spec import (
    ExamplesSpec,
    FileSpec,
    GuideSpec,
    LabelSpec,
    MaskSpec,
    MimicrySpec,
    PassageSpec,
    PromptsSpec,
    RequestSpec,
    ScoreSpec,
    SpanSpec,
    TargetSpec,
    TaskSpec,
    TaughtSpec,
    document_of,
    read_request_spec,
    taught_specs,
)
from unbraid.server.records import TakeRow
from unbraid.server.schemas import CodeDocument
from unbraid.server.shelf import CHOOSING
from unbraid.server.studio import Studio

_OPTIONS = ("overlap", "precision", "seed", "steps", "candidates", "search")
_DRAWS = ("seed", "steps", "candidates")
_ELSEWHERE = (*_DRAWS, *CHOOSING)


def code_of(studio: Studio, take: TakeRow) -> CodeDocument:
    """Return how to make a take again."""
    rows = studio.store.files_of_take(take.id)
    names = _side_by_side({row.id: row.name for row in rows})
    request = read_request_spec(take.targets)
    source = PurePath(studio.catalog.offer(take.model).source).name
    writer = _Writer(names)
    command = ["unbraid", "separate", _argument(names[take.song]), "-m", source]
    if take.settings.get("priors") is not None:
        command += ["--priors", ",".join(take.settings["priors"])]
    command += writer.words(request)
    for option in _OPTIONS:
        if take.settings.get(option) is not None:
            command += [f"--{option}", str(take.settings[option])]
    taught = [names[spec.file] for spec in taught_specs(request)]
    for name in taught:
        command += ["--taught", _argument(name)]
    python = _python(names[take.song], writer.targets(request), source, take.settings, taught)
    return CodeDocument(
        command=shlex.join(command),
        python=python,
        files={name: file_id for file_id, name in names.items()},
        documents=writer.documents,
    )


def _side_by_side(names: dict[str, str]) -> dict[str, str]:
    """Give files names that lie side by side in one folder."""
    found: dict[str, str] = {}
    for file_id, name in names.items():
        found[file_id] = free_name(name, found.values())
    return found


def _argument(name: str) -> str:
    return f"./{name}" if name.startswith("-") else name


def _number(value: float) -> str:
    """Return a number as the command line reads it: without an exponent.

    Example:
        >>> _number(12.50), _number(0.00001)
        ('12.5', '0.00001')
    """
    return f"{value:.9f}".rstrip("0").rstrip(".")


class _Writer:
    """Turns specs into words and code; files go by their names."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self.documents: dict[str, str] = {}

    def words(self, request: RequestSpec) -> list[str]:
        """Return the options of the command line: names first, for what follows --target belongs to it."""
        words: list[str] = []
        for item in sorted(request, key=lambda one: isinstance(one, TargetSpec)):
            guides = item.guides if isinstance(item, TargetSpec) else (item,)
            words += ["--target", item.name] if isinstance(item, TargetSpec) else []
            words += [word for guide in guides for word in self._guide_words(guide)]
        return words

    def _guide_words(self, spec: GuideSpec) -> list[str]:
        return [word for pair in self._pairs(spec) for word in pair]

    def _pairs(self, spec: GuideSpec) -> Iterator[tuple[str, str]]:
        if isinstance(spec, LabelSpec | TaughtSpec):
            yield "--label", spec.name
        elif isinstance(spec, PromptsSpec):
            yield "--prompts", " ".join(spec.names)
        elif isinstance(spec, TaskSpec):
            yield "--task", spec.task
        elif isinstance(spec, SpanSpec):
            yield "--example" if spec.sounds else "--not", f"{_number(spec.start)}-{_number(spec.stop)}"
        elif isinstance(spec, ExamplesSpec):
            yield from (("--example", self._recording_word(one)) for one in spec.positive)
            yield from (("--not", self._recording_word(one)) for one in spec.negative)
        elif isinstance(spec, MaskSpec):
            sides = self._mask_files(spec)
            yield from (pair for pair in zip(("--mask", "--not-mask"), map(_given, sides), strict=True) if pair[1])
        else:
            yield "--hum" if isinstance(spec, MimicrySpec) else "--score", _argument(self._names[spec.file])
            if isinstance(spec, ScoreSpec) and spec.track is not None:
                yield "--track", str(spec.track)
            if spec.offset != 0:
                yield "--at", "auto" if spec.offset is None else _number(spec.offset)

    def _recording_word(self, one: FileSpec | PassageSpec) -> str:
        if isinstance(one, FileSpec):
            return _argument(self._names[one.file])
        return f"{_number(one.start)}-{_number(one.stop)}"

    def _mask_files(self, spec: MaskSpec) -> tuple[str | None, str | None]:
        """Return the names of both sides; shapes become a document of their own."""
        if spec.shapes is None:
            return self._name(spec.positive), self._name(spec.negative)
        text = json.dumps(document_of(spec.shapes), indent=1)
        for known, written in self.documents.items():
            if written == text:
                return known, None
        name = f"shapes-{len(self.documents) + 1}.json"
        self.documents[name] = text
        return name, None

    def _name(self, word: str | None) -> str | None:
        return None if word is None else self._names[word]

    def targets(self, request: RequestSpec) -> list[str]:
        """Return the targets as Python."""
        return [
            f"unbraid.Target({item.name!r}, [{', '.join(map(self._guide_code, item.guides))}])"
            if isinstance(item, TargetSpec)
            else self._guide_code(item)
            for item in request
        ]

    def _guide_code(self, spec: GuideSpec) -> str:  # noqa: PLR0911
        if isinstance(spec, LabelSpec | TaughtSpec):
            return _call(Label, spec.name)
        if isinstance(spec, PromptsSpec):
            return _call(Prompts, " ".join(spec.names))
        if isinstance(spec, TaskSpec):
            return f"unbraid.Prompts.task({spec.task!r})"
        if isinstance(spec, SpanSpec):
            return _call(Span, spec.start, spec.stop, **({} if spec.sounds else {"sounds": False}))
        if isinstance(spec, ExamplesSpec):
            sides = [[self._recording_code(one) for one in side] for side in (spec.positive, spec.negative)]
            negative = f", negative=[{', '.join(sides[1])}]" if sides[1] else ""
            return f"unbraid.Examples([{', '.join(sides[0])}]{negative})"
        if isinstance(spec, MaskSpec):
            painted, against = self._mask_files(spec)
            other = {} if against is None else {"negative": against}
            return _call(Mask, painted, **other, **({} if spec.soft else {"soft": False}))
        if isinstance(spec, MimicrySpec):
            return _call(Mimicry, self._names[spec.file], offset=spec.offset)
        chosen: dict[str, object] = {} if spec.track is None else {"track": spec.track}
        return _call(Score, self._names[spec.file], **chosen, offset=spec.offset)

    def _recording_code(self, one: FileSpec | PassageSpec) -> str:
        return repr(self._names[one.file]) if isinstance(one, FileSpec) else _call(Span, one.start, one.stop)


def _given(name: str | None) -> str:
    return "" if name is None else _argument(name)


def _call(kind: type[Guide | Examples | Target], *values: object, **named: object) -> str:
    given = [*map(repr, values), *(f"{name}={value!r}" for name, value in named.items())]
    return f"unbraid.{kind.__name__}({', '.join(given)})"


def _preparing(model: str, settings: dict[str, Any], taught: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what to import, and the lines that put a model together: nothing if it is as it ships."""
    imports, lines = [], []
    given = "" if settings.get("priors") is None else f", priors={settings['priors']!r}"
    if settings.get("search") is not None:
        imports.append("from unbraid.models.instglow import choose_search")
        lines.append(f"choose_search(model, {settings['search']!r})")
    if taught:
        imports.append("from unbraid.teaching import add_query, load_query")
        lines += [f"add_query(model, load_query({name!r}))" for name in taught]
    if not given and not lines:
        return [], []
    return imports, ["", f"model = unbraid.load_model({model!r}{given})", *lines]


def _python(song: str, targets: list[str], model: str, settings: dict[str, Any], taught: Sequence[str]) -> str:
    imports, preparing = _preparing(model, settings, taught)
    lines = ["import unbraid", *imports, *preparing, "", "request = ["]
    lines += [f"    {target}," for target in targets]
    lines += ["]"]
    plain = [f"{name}={value!r}" for name, value in settings.items() if value is not None and name not in _ELSEWHERE]
    drawn = [f"{name}={settings[name]!r}" for name in _DRAWS if settings.get(name) is not None]
    given = [*plain, *([f"sampling=unbraid.Sampling({', '.join(drawn)})"] if drawn else [])]
    more = f", settings=unbraid.Settings({', '.join(given)})" if given else ""
    given_model = "model" if preparing else repr(model)
    lines += [
        f"separation = unbraid.separate({song!r}, request, model={given_model}{more})",
        "print(list(separation.stems))",
    ]
    return "\n".join(lines) + "\n"
