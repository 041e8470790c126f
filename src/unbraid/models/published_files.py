"""What all readers of published checkpoints share: files, settings beside them, and tensors that must fit."""

from __future__ import annotations

import pickle
import pickletools
import re
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from unbraid.errors import ModelError

FILLED = re.compile(r"(^|\.)(defaultdict|AttributeDict)$")  # what a pickle fills like a dictionary
N_PICKLES = 4  # before the tensors of a file as PyTorch wrote them up to 1.5


def read_content(path: Path) -> Any:
    """Read all that a checkpoint holds, if that is tensors and plain values only."""
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint file: check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise whatever a file leads them to
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:120]
        raise ModelError(
            f"{path}: not a checkpoint of tensors only ({reason}): give the authors' .pth or .ckpt"
        ) from error


def tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the state dictionary of what `read_content` gave, without prefixes."""
    content = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelError(f"{path}: holds no table of tensors: give the authors' .pth or .ckpt")
    return {key.removeprefix("model.").removeprefix("separator."): value for key, value in content.items()}


class Inert:
    """Stands in for anything that is pickled beside the tensors: it takes whatever it is given, and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class InertTable:
    """Stands in for what a pickle goes on to fill: a plain dictionary."""

    def __new__(cls, *_: object) -> dict[Any, Any]:  # type: ignore[misc]
        """Answer with a dictionary, whatever is given."""
        return {}


def read_inert(path: Path) -> Any:
    """Read a checkpoint that may hold pickled objects beside tensors and plain values.

    Nothing but these is unpickled: every other class or function that the file names is replaced by `Inert`. The few
    modules that PyTorch never lets a checkpoint name (``os``, ``sys``) make the file be refused.

    Raises:
        ModelError: if the file is no checkpoint.
    """
    with safe_globals([(InertTable if FILLED.search(name) else Inert, name) for name in _foreign(path)]):
        return read_content(path)


def _foreign(path: Path) -> list[str]:
    """Return the classes and functions that a checkpoint names; none of what is no checkpoint, which its reader tells.

    What PyTorch knows to be harmless may be among them: it is not replaced.
    """
    try:
        return get_unsafe_globals_in_checkpoint(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError):
        pass  # not in the form of today
    try:
        with path.open("rb") as file:
            steps = chain.from_iterable(pickletools.genops(file) for _ in range(N_PICKLES))
            pairs = [str(named).split(" ", 1) for step, named, _ in steps if step.name == "GLOBAL"]
    except (OSError, ValueError):
        return []
    return [f"{IMPORT_MAPPING.get(module, module)}.{name}" for module, name in pairs]  # named as in Python 2


def read_yaml(path: Path, *, cure: str) -> dict[str, Any]:
    """Read settings; tags that would run code are refused.

    Raises:
        ModelError: if the file is unreadable or holds no table; then the message ends with the cure.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: cannot be read as settings ({str(error).partition(chr(10))[0]})") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds no settings: {cure}")
    return content


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, name: str, what: str) -> None:
    """Load tensors under our names into a network, in the types that it has; nothing may be missing or left over.

    Args:
        network: of the shape that the tensors tell.
        tensors: the translated checkpoint.
        name: of the file, for messages.
        what: the network is, for messages.

    Raises:
        ModelError: if a tensor is missing, of a wrong shape, foreign, or not finite.
    """
    wanted = network.state_dict()
    for key, value in wanted.items():
        shape = tuple(tensors[key].shape) if key in tensors else "nothing"
        if shape != tuple(value.shape):
            raise ModelError(f"{name}: {key} should be {tuple(value.shape)} but the checkpoint gives {shape}")
        if not bool(tensors[key].isfinite().all()):
            raise ModelError(f"{name}: {key} holds what is no finite number: take a checkpoint from before that")
    foreign = sorted(set(tensors) - set(wanted))
    if foreign:
        raise ModelError(f"{name}: tensor {foreign[0]} is none of {what}")
    network.load_state_dict({key: tensors[key].to(value.dtype) for key, value in wanted.items()})
