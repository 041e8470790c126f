"""Channel modes of TUSS and precision, side by side: ``python benchmarks/channels.py FOLDER [-m MODEL]``.

FOLDER is a tree of evaluation items (see docs/evaluation.md); only those with more than one channel are taken.
Every item is separated with its own prompts, in each mode and precision; the table has the mean over items and
prompts, the difference to "each" with its deviation over items, and the time. Bfloat16 is also compared with fp32.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import unbraid
from unbraid.evaluation.items import EvaluationItem, find_items
from unbraid.evaluation.metrics import si_sdr, snr
from unbraid.guides.kinds import Prompts
from unbraid.models.tuss import CHANNEL_MODES, Tuss
from unbraid.zoo import load_model


def separate(item: EvaluationItem, model: Tuss, precision: str) -> tuple[Tensor, float]:
    """Return the stems ``[S, C, N]`` and the seconds that they took."""
    began = time.perf_counter()
    separation = unbraid.separate(
        item.mixture,
        Prompts(item.prompts),
        model=model,
        sample_rate=item.sample_rate,
        settings=unbraid.Settings(precision=precision),
    )
    return torch.stack([stem.samples for stem in separation.stems.values()]), time.perf_counter() - began


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", default="tuss-small")
    arguments = parser.parse_args()
    items = [item for item in (source.read() for source in find_items(arguments.folder)) if len(item.mixture) > 1]
    items = [item for item in items if len(set(item.prompts)) == len(item.prompts)]  # no permutations to resolve
    model = load_model(arguments.model)
    assert isinstance(model, Tuss)
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    exact: dict[tuple[str, str], list[Tensor]] = {}
    for mode in CHANNEL_MODES:
        model.config = replace(model.config, channel_mode=mode)
        for precision in ("fp32", "bf16"):
            for item in items:
                stems, seconds = separate(item, model, precision)
                references = torch.stack([one.samples for one in item.references])
                quality = (float(metric(estimate=stems, reference=references).nanmean()) for metric in (si_sdr, snr))
                rows.setdefault((mode, precision), []).append((*quality, seconds / item.duration))
                exact.setdefault((mode, precision), []).append(stems)
    print(f"{len(items)} items with several channels, {arguments.model}, {torch.get_num_threads()} threads\n")
    print("| mode | precision | SI-SDR dB | SNR dB | SI-SDR less that of each/fp32 | × real time | bf16 error dB |")
    print("|---|---|--:|--:|--:|--:|--:|")
    base = torch.tensor(rows["each", "fp32"])[:, 0]
    for (mode, precision), values in rows.items():
        table = torch.tensor(values)
        difference = table[:, 0] - base
        pairs = zip(exact[mode, precision], exact[mode, "fp32"], strict=True)
        error = [10 * torch.log10((one - other).square().sum() / other.square().sum()) for one, other in pairs]
        narrow = f"{torch.stack(error).mean():.1f}" if precision == "bf16" else ""
        print(
            f"| {mode} | {precision} | {table[:, 0].mean():.2f} | {table[:, 1].mean():.2f} "
            f"| {difference.mean():+.2f} ± {difference.std():.2f} | {table[:, 2].mean():.3f} | {narrow} |"
        )


if __name__ == "__main__":
    main()
