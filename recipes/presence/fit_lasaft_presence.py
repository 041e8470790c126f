"""Fit the presence head of a finished LaSAFT: ``python recipes/presence/fit_lasaft_presence.py IN OUT``.

As fit_presence.py does for TUSS: the network stays as it is, windows are drawn as in lasaft_light.py, but half of the
targets do not sound (UNBRAID_BATCHES mixtures, default 500, all labels of each).
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from fit_presence import BATCHES, fit

from unbraid.datasets.stem_mixing import StemTrainingSet
from unbraid.guides.kinds import Label, Target
from unbraid.models.lasaft import Lasaft, PresenceHead
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights


def collect(model: Lasaft, head: PresenceHead, source: StemTrainingSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the head sees ``[n, features]``, and whether the target sounds ``[n]``."""
    seen: list[torch.Tensor] = []
    hook = head.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    sounds = []
    for index in range(BATCHES):
        batch = source[index]
        labels = list(batch.labels[0])
        model(batch.mixture, model.condition([Target(name, Label(name)) for name in labels]))
        sounds.append((batch.references[0].square().sum((-2, -1)) > 0).float())
    hook.remove()
    return torch.cat(seen), torch.cat(sounds)


def main(source: str, target: str) -> None:
    """Collect, fit, and write."""
    torch.manual_seed(0)
    model = load_model(source)
    assert isinstance(model, Lasaft)
    assert model.presence is not None
    drawn = load_recipe(Path(__file__).parents[1] / "lasaft_light.py").batches()
    assert isinstance(drawn, StemTrainingSet)
    drawn = replace(drawn, settings=replace(drawn.settings, p_absent=0.5, n_targets=4), seed=11)
    with torch.no_grad():
        evidence, sounds = collect(model, model.presence, drawn)
    found = fit(model.presence.layers, evidence, sounds)
    print(found)
    card = {**json.loads(read_file(Path(source))[0]["card"]), "presence_fit": found}
    print(save_weights(model.eval(), target, card=card, dtype=torch.float16))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
