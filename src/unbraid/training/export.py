"""From a run to a weights file that separates: the end of a training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from unbraid.errors import RecipeError, SettingsError
from unbraid.models.separator import Separator
from unbraid.models.weights_files import misfit, save_weights
from unbraid.training.averaging import mean_weights
from unbraid.training.checkpoints import CARD, LAST, best_files, load_checkpoint, load_weights
from unbraid.training.recipe import Recipe

STORED = {32: torch.float32, 16: torch.float16, 8: torch.int8}  # by bits


def export_run(
    recipe: Recipe,
    folder: Path,
    out: Path,
    *,
    n_best: int = 0,
    bits: int = 32,
    card: Mapping[str, object] | None = None,
) -> str:
    """Write the weights of a run as a file that `load_model` reads, and return its SHA-256.

    Args:
        recipe: of the run; it knows the shape of the network.
        folder: of the run.
        out: the file to write.
        n_best: average so many of the best epochs, as TUSS does with five; 0 takes the last checkpoint (the
            moving average if the recipe keeps one).
        bits: of a number in a matrix: 32, 16, or 8 with scales (`unbraid.models.eight_bits`).
        card: what a reader should know; added are what the recipe knew of the run, its seed, how long the whole run
            took, and steps and seconds of audio up to what is exported: the last of the averaged epochs.

    Raises:
        RecipeError: if the run has no such weights, or they are of another network than the recipe's.
        ModelError: if the file cannot be written, or the network is none that Unbraid can load.
        SettingsError: if numbers of so many bits are not stored.
    """
    if bits not in STORED:
        raise SettingsError(f"{bits} bits are not stored: choose one of {', '.join(map(str, STORED))}")
    model = recipe.model()
    if not isinstance(model, Separator):
        raise RecipeError(f"cannot export a {type(model).__name__}: only separators have a weights file")
    progress = load_checkpoint(folder / LAST).progress
    epochs = progress.best[:n_best]
    weights = mean_weights(best_files(folder)[:n_best]) if n_best else load_weights(folder / LAST)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise RecipeError(
            f"{folder}: its weights are of another network than the recipe's ({misfit(model, weights)}): "
            "give another --run"
        ) from error
    steps = [(one.epoch + 1) * recipe.epoch_steps for one in epochs]
    last = max(steps, default=progress.step)
    facts = {
        "steps": last,
        "seconds_of_audio": round(progress.audio_seconds * last / max(1, progress.step)),
        "seconds_of_training": round(progress.seconds),
        "seed": recipe.seed,
        "averaged_epochs": len(epochs),
        "averaged_steps": steps,
    }
    known = json.loads((folder / CARD).read_text(encoding="utf-8")) if (folder / CARD).is_file() else {}
    return save_weights(model, out, card={**known, **(card or {}), **facts}, dtype=STORED[bits])
