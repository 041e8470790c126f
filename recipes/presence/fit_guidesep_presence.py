"""Fit how GuideSep judges presence: ``UNBRAID_PACKS=packs python recipes/presence/fit_guidesep_presence.py IN OUT``.

No network has a part in it, so that several models can be given, each with the file to write. Windows of the training
packs are asked for by their own guides, by those of another window, whose melody does not sound there, and by
their own where the target was taken out. A logistic regression on what `models.guidesep_presence` gathers, from a
mimicry and from a positive mask, gives the weights that are stored in the config; windows of the held-out packs tell
what they are worth. UNBRAID_BATCHES batches of 4 are asked (default 60).
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unbraid.datasets.guided_draws import GuidedSettings
from unbraid.datasets.guided_windows import GuidedBatch
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_presence import mask_evidence, melody_evidence
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights

BATCHES = int(os.environ.get("UNBRAID_BATCHES", "60"))
SETTINGS = (GuidedSettings(), GuidedSettings(p_same_song=1.0), GuidedSettings(p_same_song=1.0))
OWN, STRANGE, RESTING = "its own guide", "the guide of another window", "the target rests"
WEIGHTS = {OWN: 0.5, STRANGE: 0.25, RESTING: 0.25}


class Evidence:
    """What was gathered from mimicries and masks, and which question each row belongs to."""

    def __init__(self, batches: Iterable[GuidedBatch]) -> None:
        rows: dict[str, list[torch.Tensor]] = {"mimicry": [], "mask": []}
        self.questions: list[str] = []
        for batch in batches:
            sounds = batch.references.abs().amax(dim=-1) > 0
            rest = batch.mixture - batch.gain[:, None] * batch.references
            for question, mixture, shift in ((OWN, batch.mixture, 0), (STRANGE, batch.mixture, 1), (RESTING, rest, 0)):
                mimicry, positive = batch.mimicry.roll(shift, 0), batch.positive.roll(shift, 0)
                asked = sounds & sounds.roll(shift, 0)
                rows["mimicry"].append(melody_evidence(mimicry[asked], mixture[asked]))
                rows["mask"].append(mask_evidence(positive[asked], mixture[asked]))
                self.questions.extend([question] * int(asked.sum()))
        self.rows = {name: torch.cat(parts) for name, parts in rows.items()}

    def of(self, question: str) -> torch.Tensor:
        """Return which rows belong to a question."""
        return torch.tensor([one == question for one in self.questions])


def fit(evidence: Evidence, name: str) -> tuple[float, ...]:
    """Return the weights of a logistic regression, a little of it drawn to zero; absent ones count as present ones."""
    found, sounds = evidence.rows[name], evidence.of(OWN).float()
    balance = sum(share * evidence.of(question) / evidence.of(question).sum() for question, share in WEIGHTS.items())
    weights = torch.zeros(found.shape[1] + 1, requires_grad=True)
    middle, spread = found.mean(dim=0), found.std(dim=0)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = (found - middle) / spread @ weights[:-1] + weights[-1]
        value = cross_entropy(logits, sounds, weight=balance, reduction="sum") + 1e-2 * weights[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    slopes = weights[:-1].detach() / spread
    return (*(round(float(one), 4) for one in slopes), round(float(weights[-1].detach() - (slopes * middle).sum()), 4))


def judge(evidence: Evidence, name: str, weights: tuple[float, ...]) -> dict[str, float]:
    """Return how often the weights are right about each question, and the areas under the curve."""
    logits = evidence.rows[name] @ torch.tensor(weights[:-1]) + weights[-1]
    there = logits[evidence.of(OWN)]
    scores = {"questions": len(logits), "right_where_present": float((there > 0).float().mean())}
    for short, question in (("strange", STRANGE), ("resting", RESTING)):
        gone = logits[evidence.of(question)]
        scores[f"right_where_{short}"] = float((gone < 0).float().mean())
        scores[f"auc_{short}"] = float((there[:, None] > gone).float().mean())
    return {key: round(value, 3) for key, value in scores.items()}


def main(*files: str) -> None:
    """Ask, fit, judge, store."""
    recipe = load_recipe(Path(__file__).parents[1] / "guidesep.py")
    train = [recipe.batches.func(settings, batch_size=4) for settings in SETTINGS]
    learned = Evidence(train[index % len(train)][10_000 + index] for index in range(BATCHES))
    held_out = Evidence(batch for one in SETTINGS[:2] for batch in recipe.validation.datasets.func(one)["windows"])
    rows, scores = [], {}
    for name in learned.rows:
        rows.append(fit(learned, name))
        scores[name] = judge(held_out, name, rows[-1])
        print(name, rows[-1], json.dumps(scores[name]), flush=True)
    for source, out in zip(files[::2], files[1::2], strict=True):
        model, (header, tensors) = load_model(source), read_file(Path(source))
        assert isinstance(model, Guidesep)
        model.config = replace(model.config, presence=tuple(rows))
        card = {**json.loads(header["card"]), "presence_fit": scores}
        in_eight_bits = any(one.dtype == torch.int8 for one in tensors.values())
        print(save_weights(model, out, card=card, dtype=torch.int8 if in_eight_bits else torch.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
