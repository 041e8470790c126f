"""The models: one plain table, and the way from a name or a file to a separator.

A weights file is a safetensors file whose header holds the network's config and its card, so that a file alone
is enough to build the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unbraid.errors import ModelError
from unbraid.models.separator import Separator
from unbraid.models.tuss import PRESETS, Tuss, TussConfig

WEIGHTS = Path(__file__).parent / "weights"
FORMAT = "unbraid-1"


@dataclass(frozen=True)
class ZooEntry:
    """One model that ships.

    Attributes:
        name: what `load_model` takes.
        system: the published system that it belongs to.
        file: name of its weights in the package, or None where only the architecture is offered.
        sha256: of that file.
        guides: the kinds of guide that it takes.
        licence: of the weights.
        training_data: what it was trained with, and under which licences.
        summary: one line for a list.
    """

    name: str
    system: str
    file: str | None
    sha256: str | None
    guides: tuple[str, ...]
    licence: str
    training_data: str
    summary: str

    @property
    def path(self) -> Path | None:
        """Where the weights lie."""
        return None if self.file is None else WEIGHTS / self.file


def _architecture(name: str, summary: str) -> ZooEntry:
    return ZooEntry(name, "TUSS", None, None, ("Label", "Prompts"), "-", "-", summary)


ZOO: dict[str, ZooEntry] = {
    entry.name: entry
    for entry in (
        ZooEntry(
            name="tuss-small",
            system="TUSS",
            file="tuss-small.safetensors",
            sha256="59e1a01f23bcd3cfe0a82d84b761e713886daaec3a9c5013373c1cc583a13925",
            guides=("Label", "Prompts"),
            licence="CC-BY-4.0",
            training_data="composed music, synthesized sounds, and recordings under CC0, CC-BY, MIT; see its card",
            summary="sized for a CPU; 44.1 kHz; reports presence",
        ),
        _architecture("tuss-debug", "the smallest network, for tests"),
        _architecture("tuss-medium", "the paper's medium size: import the authors' checkpoint, or train it"),
        _architecture("tuss-large", "the paper's large size: import the authors' checkpoint, or train it"),
    )
}


def load_model(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Separator:
    """Load a separator by the name of a shipped model, or from a weights file.

    Args:
        name_or_path: a name that ``unbraid models`` lists, or the path of a ``.safetensors`` file that Unbraid
            wrote.
        device: where its tensors live.

    Returns:
        The separator, ready for inference.

    Raises:
        ModelError: if there is no such model, it ships without weights, the file is damaged or foreign, or the
            device does not exist.
    """
    entry = ZOO.get(str(name_or_path))
    path = Path(name_or_path)
    if entry is not None:
        if entry.path is None:
            raise ModelError(
                f"{entry.name} ships without weights: import the authors' checkpoint (unbraid import-checkpoint) "
                "or train it, then give the file's path"
            )
        path = entry.path
    elif not path.exists():
        names = ", ".join(one.name for one in ZOO.values() if one.file) or "none"
        raise ModelError(
            f"unknown model {str(name_or_path)!r}: shipped are {names}; or give the path of a weights file"
        )
    try:
        return read_weights(path).to(device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {str(device)!r} cannot be used: {str(error).partition(chr(10))[0]}") from error


def read_weights(path: Path) -> Separator:
    """Build the network of a weights file, in float32.

    Raises:
        ModelError: if the file is damaged or not one of ours.
    """
    card, tensors = read_file(path)
    if card.get("format") != FORMAT or "config" not in card:
        raise ModelError(f"{path}: not an Unbraid weights file: import-checkpoint reads the authors' files")
    try:
        model = Tuss(TussConfig.from_dict(json.loads(card["config"])))
        model.load_state_dict({key: value.float() for key, value in tensors.items()})
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: damaged weights file ({str(error).partition(chr(10))[0]})") from error
    return model.eval()


def read_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header and the tensors of a safetensors file.

    Raises:
        ModelError: if it is missing, unreadable or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {}), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as safetensors ({error})") from error


def save_weights(
    model: Tuss, path: str | Path, *, card: Mapping[str, object] | None = None, dtype: torch.dtype = torch.float32
) -> str:
    """Write a network as one file that `load_model` reads, and return its SHA-256.

    Args:
        model: the network; its config goes into the header.
        path: a temporary name beside it is written first.
        card: what a reader should know of the weights (training data, recipe, scores), as JSON values.
        dtype: of the matrices; vectors (norms, biases, rotary frequencies) stay float32.
    """
    path = Path(path)
    header = {"format": FORMAT, "config": json.dumps(asdict(model.config)), "card": json.dumps(dict(card or {}))}
    tensors = {
        key: value.to(dtype if value.squeeze().ndim > 1 else torch.float32).contiguous().cpu()
        for key, value in model.state_dict().items()
    }
    part = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, part, metadata=header)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise ModelError(f"{path}: cannot be written ({error}): choose another folder") from error
    return weights_hash(path)


def weights_hash(path: Path) -> str:
    """Return the SHA-256 of a weights file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def debug_model(*, seed: int = 0) -> Tuss:
    """Return the smallest separator with random weights: for tests and examples, it separates nothing.

    The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Tuss(PRESETS["tuss-debug"]).eval()
