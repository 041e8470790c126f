"""Taught labels on the server: those that were uploaded, and those in the library that a session can take over."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import GuideError
from unbraid.guides.spec import TaughtSpec
from unbraid.library import library
from unbraid.models.queries import MAX_BYTES, Query, label_files, load_query
from unbraid.server.folder import DataFolder
from unbraid.server.records import FileRow
from unbraid.server.refusals import Conflict, NotFound

_FACTS = "label.json"
_HEAD_BYTES = 8  # of a safetensors file: the length of its header, which is JSON


@dataclass(frozen=True)
class LabelFacts:
    """What a taught label is called, and to which model it was taught.

    Args:
        name: of the label.
        model: what the model was called where it was taught; only to be shown.
        model_sha256: of the model's tensors: the label fits no other.
    """

    name: str
    model: str
    model_sha256: str

    @classmethod
    def of(cls, query: Query) -> LabelFacts:
        """Return the facts of a label without its numbers."""
        return cls(query.name, query.model, query.model_sha256)


def looks_like_label(head: bytes) -> bool:
    """Tell by its first bytes whether a file may be a taught label: a small safetensors file.

    Example:
        >>> looks_like_label((200).to_bytes(8, "little") + b'{"__metadata__"'), looks_like_label(b"RIFF....WAVEfmt ")
        (True, False)
    """
    return int.from_bytes(head[:_HEAD_BYTES], "little") <= MAX_BYTES and head[_HEAD_BYTES:].startswith(b"{")


def keep_facts(folder: Path, path: Path) -> LabelFacts:
    """Read a label that was uploaded, and write its facts down beside it.

    Raises:
        GuideError: if it is none, or damaged.
    """
    facts = LabelFacts.of(load_query(path))
    if len(facts.name) > 200 or not facts.name.isprintable():
        raise GuideError(f"{path}: the name of this label cannot be shown: teach it again under a shorter one")
    (folder / _FACTS).write_text(json.dumps(vars(facts)), encoding="utf-8")
    return facts


def facts_of(folder: DataFolder, row: FileRow) -> LabelFacts:
    """Return the facts of an uploaded label.

    Raises:
        Conflict: if it has not been read yet, or is none.
    """
    if row.kind != "label" or row.state != "ready":
        waits = {"analyzing": "it has not been read yet: try again", "teaching": "it is being taught: wait for it"}
        why = row.error or waits.get(row.state, "it is no taught label")
        raise Conflict(f"{row.name} cannot be used as a label: {why}")
    return LabelFacts(**json.loads((folder.file(row.id) / _FACTS).read_text(encoding="utf-8")))


def facts_of_request(folder: DataFolder, taught: Iterable[TaughtSpec], files: dict[str, FileRow]) -> list[LabelFacts]:
    """Return the facts of all taught labels that a request names.

    Raises:
        Conflict: if one has not been read yet.
        GuideError: if a file holds a label of another name.
    """
    found = []
    for spec in taught:
        facts = facts_of(folder, files[spec.file])
        if facts.name != spec.name:
            raise GuideError(f"{files[spec.file].name} holds the label {facts.name!r}, not {spec.name!r}: ask for that")
        found.append(facts)
    return found


def library_labels() -> dict[LabelFacts, Path]:
    """Return the labels in the library of whoever runs the server, with their files."""
    return {LabelFacts.of(query): path for path, query in label_files(library())}


def library_label(name: str, model_sha256: str) -> Path:
    """Return where a label of the library lies; what is asked for is only compared.

    Raises:
        NotFound: if it is not there.
    """
    for facts, path in library_labels().items():
        if (facts.name, facts.model_sha256) == (name, model_sha256):
            return path
    raise NotFound(f"there is no label {name[:80]!r} of this model in the library: unbraid teach makes one")
