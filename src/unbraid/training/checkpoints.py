"""Checkpoints: one safetensors file that holds all of a run, its JSON state in the header; never a pickle.

A run's folder:

    runs/NAME/
      last.safetensors        everything that resuming needs
      best/epoch-00012.safetensors   weights of the best epochs, and of those kept in any case
      log.jsonl
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from unbraid.errors import RecipeError
from unbraid.training.schedule import PlateauState
from unbraid.training.stopping import PatienceState

LAST = "last.safetensors"
BEST = "best"
CARD = "card.json"
FORMAT = "unbraid checkpoint 1"
GROUPS: tuple[Literal["weights", "average", "optimizer", "random"], ...] = ("weights", "average", "optimizer", "random")


@dataclass(frozen=True)
class Epoch:
    """A kept epoch: its validation loss (None where nothing was validated) and the name of its file."""

    epoch: int
    loss: float | None
    file: str


@dataclass
class Progress:
    """How far a run has come.

    Args:
        step: steps done, those included whose gradient was not finite.
        skipped: steps whose gradient was not finite, so that nothing was updated.
        seconds: time spent, over all sessions.
        audio_seconds: audio trained on.
        best: kept for their loss, the best one first.
        plateau: what the schedule has seen.
        patience: what was waited for.
    """

    step: int = 0
    skipped: int = 0
    seconds: float = 0.0
    audio_seconds: float = 0.0
    best: list[Epoch] = field(default_factory=list)
    plateau: PlateauState = field(default_factory=PlateauState)
    patience: PatienceState = field(default_factory=PatienceState)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON."""
        best = [Epoch(**one) for one in values["best"]]
        states = {
            "plateau": PlateauState(**values["plateau"]),
            "patience": PatienceState(**values.get("patience", {})),  # older checkpoints have none
        }
        return cls(**{**values, "best": best, **states})


@dataclass(frozen=True)
class Checkpoint:
    """All of a run.

    Args:
        progress: how far it has come.
        weights: of the network.
        average: their moving average; empty if there is none.
        optimizer: moments by "parameter/moment".
        random: states of the generators, by device.
    """

    progress: Progress
    weights: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an older one stays whole until the new one is."""
    tensors = {f"{group}/{name}": value for group in GROUPS for name, value in getattr(checkpoint, group).items()}
    _write(path, tensors, {"progress": json.dumps(asdict(checkpoint.progress))})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        RecipeError: if it is missing, damaged, or something else.
    """
    tensors, header = _read(path)
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in GROUPS}
    try:
        progress = Progress.from_dict(json.loads(header["progress"]))
        for key, value in tensors.items():
            group, _, name = key.partition("/")
            groups[group][name] = value
    except (KeyError, TypeError, ValueError) as error:
        raise RecipeError(f"{path}: is not a checkpoint of a run ({error}): resume from another folder") from error
    return Checkpoint(progress, **groups)


def save_weights_of_epoch(path: Path, weights: Mapping[str, Tensor], epoch: Epoch) -> None:
    """Write the weights of one epoch, with its number and loss in the header."""
    _write(path, {f"weights/{name}": value for name, value in weights.items()}, {"epoch": json.dumps(asdict(epoch))})


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights out of a checkpoint or of a kept epoch; the moving average if the checkpoint has one.

    Raises:
        RecipeError: if the file is missing, damaged, or something else.
    """
    tensors, _ = _read(path)
    parts: dict[str, dict[str, Tensor]] = {"weights/": {}, "average/": {}}
    for prefix, part in parts.items():
        part.update({name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)})
    return parts["average/"] or parts["weights/"]


def best_files(folder: Path) -> list[Path]:
    """Return the files of the best epochs of a run, the best one first.

    Raises:
        RecipeError: if the run has no checkpoint, or none of its epochs was validated.
    """
    best = load_checkpoint(folder / LAST).progress.best
    if not best:
        raise RecipeError(f"{folder}: no epoch of this run was validated yet: train longer")
    return [folder / BEST / one.file for one in best]


def optimizer_tensors(optimizer: Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Return the moments of an optimizer by "parameter/moment"."""
    return {
        f"{name}/{moment}": value
        for name, parameter in module.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(optimizer: Optimizer, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put stored moments back, each to the device of its parameter."""
    parameters = dict(module.named_parameters())
    for key, value in tensors.items():
        name, _, moment = key.rpartition("/")
        if name not in parameters:
            raise RecipeError(f"the checkpoint is of another network: it has moments of {name!r}; use another folder")
        on_device = moment != "step" or optimizer.defaults.get("fused")
        optimizer.state[parameters[name]][moment] = value.to(parameters[name].device) if on_device else value


def random_states() -> dict[str, Tensor]:
    """Return the states of the generators of all devices."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states |= {f"cuda:{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_random(states: Mapping[str, Tensor]) -> None:
    """Put the states of the generators back, of the devices that are here."""
    torch.set_rng_state(states["cpu"])
    for index in range(torch.cuda.device_count()):
        if f"cuda:{index}" in states:
            torch.cuda.set_rng_state(states[f"cuda:{index}"], index)


def _write(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write beside the final name, flush, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(ready, temporary, metadata={"format": FORMAT, **header})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"{path}: cannot be written ({error}): make room, or choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise RecipeError(f"{path}: is not a checkpoint of a run: give a file that `unbraid train` wrote")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: there is no such checkpoint: train first") from error
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"{path}: is damaged ({error}): delete it, or use another one") from error
