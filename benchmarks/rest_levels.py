"""How much a model improves a sound, by how loud the rest is: ``python benchmarks/rest_levels.py FOLDER [-m MODEL]``.

FOLDER is a tree of evaluation items (see docs/evaluation.md). All that does not belong to a target is brought to a
level below (or above) it, and everything that sounds is asked for at once. A target that a model improves at 0 dB and
spoils at 12 dB was not clean enough to be left alone; one that it spoils at 0 dB was not recognized.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.evaluation.items import EvaluationItem, find_items
from unbraid.evaluation.metrics import si_sdr
from unbraid.evaluation.records import provenance
from unbraid.evaluation.report import bootstrap_mean, row_of
from unbraid.evaluation.scoring import ask
from unbraid.guides.kinds import Label, Target
from unbraid.models.separator import Separator
from unbraid.separation import Settings
from unbraid.zoo import load_model


def improvements(item: EvaluationItem, model: Separator, levels: list[float]) -> Iterator[tuple[str, float, float]]:
    """Yield the prompt, the level of the target over the rest in dB, and the improvement of SI-SDR in dB.

    Prompts that an item has several references of are passed over: nothing tells their outputs apart.
    """
    targets = [Target(prompt, Label(prompt)) for prompt in item.prompts]
    for index, reference in enumerate(item.references):
        if item.prompts.count(reference.prompt) > 1:
            continue
        rest = torch.stack([one.samples for one in item.references if one is not reference]).sum(dim=0)
        for level in levels:
            mixture = reference.samples + gain(reference.samples, rest, level) * rest
            answer = ask(model, Audio(mixture, item.sample_rate), targets, settings=Settings())
            after, before = (
                float(si_sdr(estimate=one, reference=reference.samples).nanmean())
                for one in (answer.stems[index], mixture)
            )
            yield reference.prompt, level, after - before


def gain(target: Tensor, rest: Tensor, level_db: float) -> Tensor:
    """Return the factor that brings the rest to ``level_db`` below the target.

    Example:
        >>> gain(torch.ones(1, 4), 0.5 * torch.ones(1, 4), 20.0)
        tensor(0.2000)
    """
    return (target.square().sum() / rest.square().sum()).sqrt() * 10 ** (-level_db / 20)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", default="tuss-small")
    parser.add_argument("--levels", type=float, nargs="+", default=[-6.0, 0.0, 6.0, 12.0], metavar="DB")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model).eval()
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    for source in find_items(arguments.folder):
        item = source.read()
        for prompt, level, improvement in improvements(item, model, arguments.levels):
            found.setdefault((item.item_set, prompt), {}).setdefault(level, []).append(improvement)
    print(f"Improvement of SI-SDR in dB by {arguments.model}, by how far the target is above the rest.\n")
    print(row_of("set", "prompt", "items", *(f"{level:+g} dB" for level in arguments.levels)))
    print("|---|---|" + (1 + len(arguments.levels)) * "--:|")
    for (item_set, prompt), by_level in found.items():
        means = [bootstrap_mean(values) for values in by_level.values()]
        print(row_of(item_set, prompt, means[0].count, *means))
    print(f"\n- made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")


if __name__ == "__main__":
    main()
