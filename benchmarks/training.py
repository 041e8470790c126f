"""How fast tuss-small trains, by number of prompts and for its recipe's mix of them.

    python benchmarks/training.py [--threads 2] [--repeats 5] [--precision bf16]

Steps are those of recipes/tuss_small.py, on noise instead of recordings; making batches is not part of the time, as
another process does it. A time is the median of several steps, the numbers taking turns. The mix weighs them as
often as the recipe draws them. Memory is kept as `unbraid train` keeps it, unless --plain-malloc is given.

Machines differ, and one machine differs from day to day: compare the audio per arithmetic, which is the rate of
training divided by that of a product of two float32 matrices in the same run. With --cpu-time, the time of the
processor counts instead of the clock's: on a machine that others use, one thread can be compared so.
"""

from __future__ import annotations

import argparse
import json
import runpy
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from unbraid.allocator import keep_freed_memory
from unbraid.datasets.draws import MixSettings
from unbraid.datasets.track import Samples, Source, SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.evaluation.records import provenance
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.recipe import Recipe
from unbraid.training.tuss_step import TussStep

RECIPE = runpy.run_path(str(Path(__file__).parents[1] / "recipes" / "tuss_small.py"))
CONFIG = PRESETS["tuss-small"]
N_MIXTURES = 4
DRAWS = 300
MATRIX = 2048


@dataclass(frozen=True)
class LoudStore:
    """Anything that is not silent: only the prompts of what is drawn from it are counted."""

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return ones."""
        del channel
        return np.ones(stop - start, dtype=np.float32)


@dataclass(frozen=True)
class NoiseBatch:
    """What the step is given: ``[B, N]``, ``[B, S, N]``, and S prompts for each of the B."""

    mixture: Tensor
    references: Tensor
    prompts: list[tuple[str, ...]]


def make_batch(n_prompts: int) -> NoiseBatch:
    """Make one batch; the first prompts are asked for, again where there are more than prompts."""
    generator = torch.Generator().manual_seed(n_prompts)
    n_samples = round(CONFIG.segment * CONFIG.sample_rate)
    references = 0.1 * torch.randn(N_MIXTURES, n_prompts, n_samples, generator=generator)
    names = tuple(CONFIG.prompts[index % len(CONFIG.prompts)] for index in range(n_prompts))
    return NoiseBatch(references.sum(dim=1), references, [names] * N_MIXTURES)


def count_prompts() -> Counter[int]:
    """Count how often the recipe draws batches of each number of prompts."""
    settings: MixSettings = RECIPE["MIXTURES"]
    rate = settings.sample_rate
    pool = SourcePool(
        Source(f"{prompt}-{take}", prompt, rate, 60 * rate, LoudStore(), track=f"song-{take}")
        for prompt in CONFIG.prompts
        for take in range(8)
        if prompt not in settings.chain.groups
    )
    batches = TrainingSet(pool, settings, batch_size=N_MIXTURES, seed=7)
    return Counter(len(batches.draw(step)[0].prompts) for step in range(DRAWS))


class Trainer:
    """A network, its optimizer, and one step of training."""

    def __init__(self, *, precision: str, clock: Callable[[], float]) -> None:
        torch.manual_seed(0)
        recipe: Recipe = RECIPE["recipe"]
        step: TussStep = RECIPE["STEP"]
        self.loss, self.clip, self.clock = step.loss, recipe.clip, clock
        self.narrow = precision == "bf16"
        self.model = Tuss(CONFIG)
        settings = recipe.optimizer
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
        )

    def step(self, batch: NoiseBatch) -> tuple[float, float, float]:
        """Train on one batch; return the seconds forward, backward, and of clipping and the update."""
        times = [self.clock()]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.narrow):
            loss, _ = self.loss(self.model, batch)
        times.append(self.clock())
        loss.backward()
        times.append(self.clock())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        times.append(self.clock())
        return times[1] - times[0], times[2] - times[1], times[3] - times[2]


def matrix_rate(clock: Callable[[], float]) -> float:
    """Measure this machine's float32 matrix product: the best of several, in GFLOP per second."""
    left, right = torch.randn(2, MATRIX, MATRIX)
    times = []
    for _ in range(6):  # the first one warms up
        started = clock()
        left @ right
        times.append(clock() - started)
    return 2 * MATRIX**3 / min(times[1:]) / 1e9


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="steps of each number of prompts")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--prompts", nargs="*", type=int, help="only these numbers of prompts, without the mix")
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time instead of the clock's")
    parser.add_argument("--plain-malloc", action="store_true", help="leave memory to the C library's own settings")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kept = not given.plain_malloc and keep_freed_memory()
    counts = Counter(dict.fromkeys(given.prompts, 1)) if given.prompts else count_prompts()
    clock = time.process_time if given.cpu_time else time.perf_counter
    rate = matrix_rate(clock)
    trainer = Trainer(precision=given.precision, clock=clock)
    batches = {n_prompts: make_batch(n_prompts) for n_prompts in sorted(counts)}
    for batch in batches.values():
        trainer.step(batch)
    runs: dict[int, list[tuple[float, float, float]]] = {n_prompts: [] for n_prompts in batches}
    for _ in range(given.repeats):
        for n_prompts, batch in batches.items():
            runs[n_prompts].append(trainer.step(batch))
    report(runs, counts, mixed=not given.prompts, matrix_rate=max(rate, matrix_rate(clock)))
    clock_name = "processor time" if given.cpu_time else "clock time"
    memory = "freed memory kept" if kept else "plain malloc"
    how = f"{given.threads} threads, {given.precision}, {clock_name}, {memory}"
    print(f"- {how}; made by: `{json.dumps(provenance(), sort_keys=True)}`")


def report(
    runs: dict[int, list[tuple[float, float, float]]], counts: Counter[int], *, mixed: bool, matrix_rate: float
) -> None:
    """Print one line for each number of prompts, and one for the mix."""
    audio = N_MIXTURES * CONFIG.segment
    print(
        "| prompts | share of batches | forward s | backward s | update s | seconds of audio per second | per TFLOP |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|")
    expected = 0.0
    for n_prompts, steps in runs.items():
        total = median(sum(step) for step in steps)
        share = counts[n_prompts] / counts.total()
        expected += share * total
        parts = " | ".join(f"{median(part):.3f}" for part in zip(*steps, strict=True))
        print(f"| {n_prompts} | {share:.2f} | {parts} | {rates(audio / total, matrix_rate)} |")
    if mixed:
        print(f"| mix | 1.00 | | | | {rates(audio / expected, matrix_rate)} |")
    print(f"\n- matrix product, float32: {matrix_rate:.1f} GFLOP per second")


def rates(audio_rate: float, matrix_rate: float) -> str:
    """Return the last two columns: seconds of audio per second, and per TFLOP that a matrix product would do."""
    return f"{audio_rate:.1f} | {1000 * audio_rate / matrix_rate:.0f}"


if __name__ == "__main__":
    main()
