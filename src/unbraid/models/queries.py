"""Taught labels as files: the vector that stands for a sound in one model, and how it was made.

Axes: D numbers of a query.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.models.separator import Separator

FORMAT = "unbraid-query-1"
SUFFIX = ".unbraid"
MAX_BYTES = 1 << 20  # the vector and its facts are some kilobytes; anything else under this suffix is not read


@dataclass(frozen=True, eq=False)
class Query:
    """A label that a model was taught.

    Attributes:
        name: of the label.
        model: what the model is called: a name of the zoo, or the path of its weights.
        model_sha256: of its tensors, see :func:`tensors_sha256`; the vector means nothing to any other model.
        vector: float32 ``[D]``, what the model asks with, and what else it remembers behind it.
        facts: how it was made, as JSON values.
    """

    name: str
    model: str
    model_sha256: str
    vector: Tensor
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def add_query(separator: Separator, query: Query) -> None:
    """Let a separator take the label of a query; its weights stay as they are.

    Raises:
        GuideError: if the query was made for another model.

    Example:
        >>> from unbraid.zoo import debug_model
        >>> model = debug_model()
        >>> add_query(model, Query("riff", "tuss-debug", tensors_sha256(model), torch.zeros(model.query_size)))
        >>> list(model.taught)
        ['riff']
    """
    if not is_for(query, separator):
        here = separator.name or type(separator).__name__
        versions = " with other weights" if query.model == here else ""
        raise GuideError(
            f"{query.name!r} was taught to {query.model}{versions}, not to {here}: "
            f"separate with {query.model} (-m), or teach it again"
        )
    separator.teach(query.name, query.vector)


def is_for(query: Query, separator: Separator) -> bool:
    """Tell whether a query was made for this separator."""
    return separator.holds(query.vector) and query.model_sha256 == tensors_sha256(separator)


def tensors_sha256(model: Separator) -> str:
    """Return the SHA-256 of a model's tensors, which depends neither on their file nor on the device."""
    return _sha256(model.state_dict())


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash the name, the type and the bytes of each tensor, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_query(query: Query, path: str | Path) -> None:
    """Write a query as one file; a temporary name beside it is written first.

    Raises:
        GuideError: if it cannot be written, or its vector is not finite.
    """
    path = Path(path)
    if not bool(query.vector.isfinite().all()):
        raise GuideError(f"{path}: the vector of {query.name!r} is not finite: teach it again")
    tensors = {"query": query.vector.detach().cpu().float().contiguous()}
    header = {
        "format": FORMAT,
        "name": query.name,
        "model": query.model,
        "model_sha256": query.model_sha256,
        "vector_sha256": _sha256(tensors),
        "facts": json.dumps(dict(query.facts), allow_nan=False),
    }
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part, metadata=header)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        raise GuideError(f"{path}: cannot be written ({error}): choose another place with -o") from error
    finally:
        part.unlink(missing_ok=True)


def load_query(path: str | Path) -> Query:
    """Read a query from its file.

    Raises:
        GuideError: if it is missing, damaged, or something else.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        with safe_open(path, "pt") as file:
            header = dict(file.metadata() or {})
            tensors = {"query": file.get_tensor("query")}
        if header["format"] != FORMAT:
            raise ValueError("of another format")
        if header.get("vector_sha256") not in {None, _sha256(tensors)}:  # older files have none
            raise ValueError("changed since it was written")
        vector = tensors["query"].float()
        query = Query(header["name"], header["model"], header["model_sha256"], vector, json.loads(header["facts"]))
    except OSError as error:
        raise GuideError(f"{path}: cannot be read ({os.strerror(error.errno or 0).lower()})") from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise GuideError(f"{path}: not a taught label, or damaged: give a file that unbraid teach wrote") from error
    if not query.name.strip() or vector.ndim != 1 or not bool(vector.isfinite().all()):
        raise GuideError(f"{path}: a taught label without a name or with a damaged vector: teach it again")
    return query


def label_files(*folders: Path) -> Iterator[tuple[Path, Query]]:
    """Yield all labels that lie in folders, with their files; damaged ones are passed over.

    Example:
        >>> list(label_files(Path("/there/is/no/such/folder")))
        []
    """
    for folder in folders:
        try:
            paths = sorted(folder.glob(f"*{SUFFIX}"))
        except OSError:
            continue
        for path in paths:
            try:
                yield path, load_query(path)
            except GuideError:
                continue
