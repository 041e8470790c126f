"""Fit the presence head of finished weights: ``python recipes/presence/fit_presence.py IN OUT``.

The network stays as it is. Mixtures are drawn as in tuss_small, but most of them with prompts of sources that do not
sound, so that both answers are about as frequent; what the head sees of them is computed once, and the head, as it is,
is fitted further to it with balanced cross entropy, and kept as it was when held-out mixtures liked it best.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unbraid.datasets.training_set import TrainingSet
from unbraid.models.tuss import PresenceHead, Tuss
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights

BATCHES, HELD_OUT, STEPS, RATE = int(os.environ.get("UNBRAID_BATCHES", "500")), 0.15, 3000, 5e-4


def collect(model: Tuss, head: PresenceHead, source: TrainingSet, batches: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the head sees ``[n, features]``, and whether the source sounds ``[n]``."""
    seen: list[torch.Tensor] = []
    hook = head.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(0, 1)))
    sounds = []
    for index in batches:
        batch = source[index]
        model.separate_windows(batch.mixture, batch.prompts)
        sounds.append((batch.references.square().sum(-1) > 0).flatten().float())
    hook.remove()
    return torch.cat(seen), torch.cat(sounds)


def balanced_loss(layers: nn.Module, evidence: torch.Tensor, sounds: torch.Tensor) -> float:
    """Return the cross entropy over as many absent as present sources."""
    with torch.no_grad():
        logits = layers(evidence).squeeze(-1)
    return float(sum(cross_entropy(logits[sounds == kind], sounds[sounds == kind]) for kind in (0, 1)) / 2)


def fit(layers: nn.Module, evidence: torch.Tensor, sounds: torch.Tensor) -> dict[str, float]:
    """Fit a head to most of the evidence ``[n, features]``, and return how often it is right about the rest."""
    n_train = round(len(sounds) * (1 - HELD_OUT))
    weight = sounds[:n_train].mean().reciprocal_().sub_(1)  # absent ones are as many as present ones
    optimizer = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=0.05)
    best, kept = float("inf"), layers.state_dict()
    for step in range(STEPS):
        if step % 50 == 0:
            held_out = balanced_loss(layers, evidence[n_train:], sounds[n_train:])
            if held_out < best:
                best, kept = held_out, {key: value.clone() for key, value in layers.state_dict().items()}
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        rows = torch.randint(n_train, (512,))
        loss = cross_entropy(layers(evidence[rows]).squeeze(-1), sounds[rows], pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    layers.load_state_dict(kept)
    with torch.no_grad():
        right = (layers(evidence[n_train:]).squeeze(-1) > 0) == (sounds[n_train:] > 0)
    absent, present = (float(right[sounds[n_train:] == kind].float().mean()) for kind in (0, 1))
    return {"questions": len(sounds), "steps": STEPS, "right_where_absent": absent, "right_where_present": present}


def main(source: str, target: str) -> None:
    """Collect, fit, and write."""
    torch.manual_seed(0)
    model = load_model(source)
    assert isinstance(model, Tuss)
    assert model.presence is not None
    drawn = load_recipe(Path(__file__).parents[1] / "tuss_small.py").batches()
    drawn = replace(drawn, settings=replace(drawn.settings, p_absent=1.0, max_absent=3, p_dropout=0.3), seed=11)
    with torch.no_grad():
        evidence, sounds = collect(model, model.presence, drawn, range(BATCHES))
    found = fit(model.presence.layers, evidence, sounds)
    print(found)
    card = {**json.loads(read_file(Path(source))[0]["card"]), "presence_fit": found}
    print(save_weights(model.eval(), target, card=card, dtype=torch.float16))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
