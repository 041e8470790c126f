"""Fit how GuideSep judges presence: ``UNBRAID_PACKS=packs python recipes/presence/fit_guidesep_presence.py IN OUT``.

The network stays as it is. Windows of the training packs are asked for by their own guides, and by those of another
window, whose melody does not sound there: with a mimicry, and with a positive mask alone. A logistic regression on what
`models.guidesep_presence.evidence` gathers gives the weights that are stored in the config; windows of the held-out
packs tell what they are worth. UNBRAID_BATCHES batches of 8 are asked (default 8), and half as many held-out ones.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unbraid.datasets.guided_draws import GuidedSettings
from unbraid.datasets.guided_windows import GuidedBatch, GuidedSet
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_presence import N_EVIDENCE, evidence
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights

BATCHES = int(os.environ.get("UNBRAID_BATCHES", "8"))
SETTINGS = (GuidedSettings(), GuidedSettings(p_same_song=1.0))
ASKED = ("mimicry", "mask")


@torch.no_grad()
def show(model: Guidesep, batch: GuidedBatch, asked: str, shift: int) -> torch.Tensor:
    """Ask each mixture with the guides of the item that is ``shift`` further on, and return the evidence."""
    mimicry, positive = batch.mimicry.roll(shift, 0), batch.positive.roll(shift, 0)
    guides = (mimicry, None) if asked == "mimicry" else (None, positive)
    generator = torch.Generator().manual_seed(shift)
    n_levels = model.config.n_evaluations + 1
    drawn = model.separate_window(batch.mixture, *guides, None, generator=generator, n_steps=n_levels)
    heard = None if guides[0] is None else model.transform(mimicry)
    return evidence(model.transform(drawn), model.transform(batch.mixture), mimicry=heard, positive=guides[1])


def collect(model: Guidesep, batches: list[GuidedBatch], asked: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the evidence ``[Q, N_EVIDENCE]`` of all questions, and whether the target sounds ``[Q]``."""
    seen, sounds = [], []
    for batch in batches:
        for shift in (0, 1):
            seen.append(show(model, batch, asked, shift))
            there = batch.references.square().sum(dim=-1) > 0
            sounds.append((there if shift == 0 else torch.zeros_like(there)).float())
    return torch.cat(seen), torch.cat(sounds)


def fit(found: torch.Tensor, sounds: torch.Tensor) -> tuple[float, ...]:
    """Return the weights of a logistic regression, a little of it drawn to zero; absent ones count as present ones."""
    weights = torch.zeros(N_EVIDENCE + 1, requires_grad=True)
    middle, spread = found.mean(dim=0), found.std(dim=0).clamp_min(1e-6)
    balance = torch.where(sounds > 0, 0.5 / sounds.mean(), 0.5 / (1 - sounds.mean()))
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = (found - middle) / spread @ weights[:-1] + weights[-1]
        value = cross_entropy(logits, sounds, weight=balance) + 1e-2 * weights[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    slopes = weights[:-1].detach() / spread
    return (*(round(float(one), 4) for one in slopes), round(float(weights[-1].detach() - (slopes * middle).sum()), 4))


def judge(found: torch.Tensor, sounds: torch.Tensor, weights: tuple[float, ...]) -> dict[str, float]:
    """Return how often the weights are right where targets sound and where not, and the area under the curve."""
    logits = found @ torch.tensor(weights[:-1]) + weights[-1]
    there, gone = logits[sounds > 0], logits[sounds == 0]
    return {
        "questions": len(sounds),
        "right_where_present": round(float((there > 0).float().mean()), 3),
        "right_where_absent": round(float((gone < 0).float().mean()), 3),
        "auc": round(float((there[:, None] > gone).float().mean()), 3),
    }


def main(source: str, out: str) -> None:
    """Ask, fit, judge, store."""
    model = load_model(source)
    assert isinstance(model, Guidesep)
    recipe = load_recipe(Path(__file__).parents[1] / "guidesep.py")
    valid = [recipe.validation.datasets.func(settings)["windows"] for settings in SETTINGS]
    train: list[GuidedSet] = [recipe.batches.func(settings, batch_size=8) for settings in SETTINGS]
    learned = [one[10_000 + index] for one in train for index in range(BATCHES // 2)]
    held_out = [batch for one in valid for batch in one[: BATCHES // 4]]
    rows, scores = [], {}
    for asked in ASKED:
        rows.append(fit(*collect(model, learned, asked)))
        scores[asked] = judge(*collect(model, held_out, asked), rows[-1])
        print(asked, rows[-1], json.dumps(scores[asked]), flush=True)
    model.config = replace(model.config, presence=tuple(rows))
    card = {**json.loads(read_file(Path(source))[0]["card"]), "presence_fit": scores}
    print(save_weights(model, out, card=card))


if __name__ == "__main__":
    main(*sys.argv[1:3])
