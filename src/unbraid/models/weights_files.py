"""Weights files as Unbraid writes them: networks come out of a file as they went in.

A weights file is a safetensors file whose header holds the network's config and its card, so that a file alone
is enough to build the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from unbraid.errors import ModelError
from unbraid.models.eight_bits import narrow, widen
from unbraid.models.film_unet import FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_network import GuidesepConfig
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.lasaft import Lasaft
from unbraid.models.lasaft_network import LasaftConfig
from unbraid.models.separator import Separator
from unbraid.models.tuss import Tuss, TussConfig

FORMAT = "unbraid-1"


class Kind(NamedTuple):
    """How the network of a weights file is built: the class, and how its config is read."""

    separator: type[Separator]
    build: Callable[[dict[str, Any]], Separator]


KINDS: dict[str, Kind] = {  # by the word "model" in the header of a weights file
    "tuss": Kind(Tuss, lambda values: Tuss(TussConfig.from_dict(values))),
    "film-unet": Kind(FilmUnet, lambda values: FilmUnet(FilmUnetConfig.from_dict(values))),
    "guidesep": Kind(Guidesep, lambda values: Guidesep(GuidesepConfig.from_dict(values))),
    "lasaft": Kind(Lasaft, lambda values: Lasaft(LasaftConfig.from_dict(values))),
    "instglow": Kind(Instglow, lambda values: Instglow(InstglowConfig.from_dict(values))),
}


def read_weights(path: Path) -> Separator:
    """Build the network of a weights file, in float32.

    Raises:
        ModelError: if the file is damaged or not one of ours.
    """
    card, tensors = read_file(path)
    if card.get("format") != FORMAT or "config" not in card:
        raise ModelError(f"{path}: not an Unbraid weights file: import-checkpoint reads the authors' files")
    kind = KINDS.get(card.get("model", "tuss"))
    if kind is None:
        raise ModelError(f"{path}: holds a {card['model']!r}, which this version does not know: update Unbraid")
    try:
        model = kind.build(json.loads(card["config"]))
        wide = {key: value.float() if value.is_floating_point() else value for key, value in widen(tensors).items()}
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged weights file ({str(error).partition(chr(10))[0]}): get it again") from error
    try:
        model.load_state_dict(wide)
    except RuntimeError as error:
        raise ModelError(f"{path}: damaged weights file ({misfit(model, wide)}): get it again") from error
    return model.eval()


def misfit(network: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """Say how tensors differ from those of a network: what is missing, foreign, or of another shape.

    Example:
        >>> misfit(nn.Linear(3, 2), {"weight": torch.zeros(2, 4), "gain": torch.ones(1), "scale": torch.ones(1)})
        'missing: bias; foreign: gain and 1 more; of another shape: weight [2, 4] instead of [2, 3]'
    """
    wanted = network.state_dict()
    found = {
        "missing": [name for name in wanted if name not in tensors],
        "foreign": [name for name in tensors if name not in wanted],
        "of another shape": [
            f"{name} {list(value.shape)} instead of {list(wanted[name].shape)}"
            for name, value in tensors.items()
            if name in wanted and value.shape != wanted[name].shape
        ],
    }
    return "; ".join(f"{word}: {_first(names)}" for word, names in found.items() if names)


def _first(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def read_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header and the tensors of a safetensors file.

    Raises:
        ModelError: if it is missing, unreadable or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {}), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: cannot be read as safetensors ({error}): give a weights file that unbraid wrote"
        ) from error


def save_weights(
    model: Separator, path: str | Path, *, card: Mapping[str, object] | None = None, dtype: torch.dtype = torch.float32
) -> str:
    """Write a network as one file that `load_model` reads, and return its SHA-256.

    Args:
        model: the network; its config goes into the header.
        path: a temporary name beside it is written first.
        card: what a reader should know of the weights (training data, recipe, scores), as JSON values.
        dtype: of the matrices, ``torch.int8`` for eight bits with scales; vectors (norms, biases, rotary frequencies)
            stay float32, integers what they are.

    Raises:
        ModelError: if the file cannot be written, or this is no network of the house.
    """
    path = Path(path)
    kind = next((name for name, one in KINDS.items() if type(model) is one.separator), None)
    if kind is None:
        raise ModelError(f"a {type(model).__name__} has no weights file: save one of {', '.join(KINDS)}")
    header = {
        "format": FORMAT,
        "model": kind,
        "config": json.dumps(asdict(model.config)),
        "card": json.dumps(dict(card or {})),
    }
    state = model.state_dict()
    stored = narrow(state) if dtype == torch.int8 else {key: _stored(value, dtype) for key, value in state.items()}
    tensors = {key: value.contiguous().cpu() for key, value in stored.items()}
    part = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, part, metadata=header)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise ModelError(f"{path}: cannot be written ({error}): choose another folder") from error
    return weights_hash(path)


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value
    return value.to(dtype if value.squeeze().ndim > 1 else torch.float32)


def weights_hash(path: Path) -> str:
    """Return the SHA-256 of a weights file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
