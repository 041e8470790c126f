"""Fit the presence head of a network of examples: ``python recipes/presence/fit_example_presence.py IN OUT``.

The network stays as it is. Episodes are drawn as in few_shot_small, but half of the targets do not sound; what the head
is shown of the estimates is computed once (UNBRAID_BATCHES batches, default 200), and the head is fitted to it with
balanced cross entropy, and kept as it was when held-out episodes liked it best.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unbraid.datasets.episodes import EpisodeBatch, EpisodeSet
from unbraid.models.film_unet import FilmUnet
from unbraid.models.layers.resemblance import Evidence, ResemblanceHead
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights

BATCHES, HELD_OUT, STEPS = int(os.environ.get("UNBRAID_BATCHES", "200")), 0.15, 2000


def show(model: FilmUnet, batch: EpisodeBatch) -> Evidence:
    """Separate a batch, and return what the head is shown of it, ``[B, 1]``."""
    embeddings = model.embed_examples(batch.examples)
    negative = batch.negative @ embeddings
    query = model.combine(batch.positive @ embeddings, negative if model.neg is not None else None)
    told = (batch.negative.sum(dim=1) > 0)[:, None]
    rejected = torch.where(told, model.combine(negative), 0.0) if model.neg is not None else torch.zeros_like(query)
    mixture = batch.mixture[batch.owner]
    estimate, _ = model.separate_windows(mixture, query)
    return model.presence_evidence(mixture[:, None], estimate[:, None, None], query[:, None], rejected[:, None])


def collect(model: FilmUnet, source: EpisodeSet, n_batches: int) -> tuple[Evidence, torch.Tensor]:
    """Return what the head is shown of many batches, and whether the targets sound."""
    batches = [source[index] for index in range(n_batches)]
    seen = [show(model, batch) for batch in batches]
    sounds = [(batch.references.square().sum(dim=-1) > 0)[:, None].float() for batch in batches]
    return Evidence(*(torch.cat(parts) for parts in zip(*seen, strict=True))), torch.cat(sounds)


def balanced_loss(head: ResemblanceHead, evidence: Evidence, sounds: torch.Tensor) -> float:
    """Return the cross entropy over as many absent as present targets."""
    with torch.no_grad():
        logits = head(evidence)
    return float(sum(cross_entropy(logits[sounds == kind], sounds[sounds == kind]) for kind in (0, 1)) / 2)


def fit(head: ResemblanceHead, evidence: Evidence, sounds: torch.Tensor) -> dict[str, float]:
    """Fit the head to most of the evidence, and return how often it is right about the rest."""
    n_train = round(len(sounds) * (1 - HELD_OUT))
    weight = 1 / sounds[:n_train].mean() - 1  # absent ones count as much as present ones
    held_out = Evidence(*(part[n_train:] for part in evidence))
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.05)
    best, kept = float("inf"), head.state_dict()
    for step in range(STEPS + 1):
        if step and step % 50 == 0:
            loss_there = balanced_loss(head.eval(), held_out, sounds[n_train:])
            if loss_there < best:
                best, kept = loss_there, {key: value.clone() for key, value in head.state_dict().items()}
        head.train()  # it learns the statistics of its evidence, too
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / STEPS)
        rows = torch.randint(n_train, (256,))
        logits = head(Evidence(*(part[rows] for part in evidence)))
        loss = cross_entropy(logits, sounds[rows], pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.load_state_dict(kept)
    with torch.no_grad():
        right = (head.eval()(held_out) > 0) == (sounds[n_train:] > 0)
    absent, present = (float(right[sounds[n_train:] == kind].float().mean()) for kind in (0, 1))
    return {"questions": len(sounds), "steps": STEPS, "right_where_absent": absent, "right_where_present": present}


def main(source: str, target: str) -> None:
    """Collect, fit, and write."""
    torch.manual_seed(0)
    model = load_model(source)
    assert isinstance(model, FilmUnet)
    assert model.presence is not None
    drawn = load_recipe(Path(__file__).parents[1] / "few_shot_small.py").batches()
    assert isinstance(drawn, EpisodeSet)
    drawn = replace(drawn, settings=replace(drawn.settings, p_absent=0.5), seed=11)
    with torch.no_grad():
        evidence, sounds = collect(model, drawn, BATCHES)
    result = fit(model.presence, evidence, sounds)
    print(result)
    card = {**json.loads(read_file(Path(source))[0]["card"]), "presence_fit": result}
    print(save_weights(model.eval(), target, card=card, dtype=torch.float16))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
