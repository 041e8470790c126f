"""How much memory separating a file takes, from a minute to hours: ``python benchmarks/memory.py --help``.

Every length runs in a process of its own, so that its peak resident memory is its own. Each process makes a stereo
file of noise at 44.1 kHz, 16 bits, in a folder that is removed afterwards, and separates it into files. The memory of
the process before the file is opened (Python, torch, the model) is listed too.

A table in Markdown goes to stdout, as much as is known after each length goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from unbraid.audio.files import AudioWriter, Encoding
from unbraid.delivery import DeliveryOptions, separate_file
from unbraid.guides.kinds import Label, Prompts, Request, spell_targets
from unbraid.models.separator import Estimates, Separator
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.request import load_separator
from unbraid.separation import Settings
from unbraid.zoo import ZOO, debug_model

RATE = 44_100
MINUTES = (1, 10, 60, 180)
SPOOL_BYTES, INPUT_BYTES = 4, 2  # of a sample of each output while it is written, and of the input


class _Plain:
    """The condition of the model that only scales."""

    names = ("vocals", "drums", "bass", "other")
    groups = ()

    def crop(self, start: float, stop: float) -> _Plain:
        """Return itself."""
        del start, stop
        return self


class Scaler(Separator):
    """Four stems that are the mixture at a quarter of its level: what separation takes without a network."""

    sample_rate, segment = RATE, 4.0
    accepts, vocabulary = frozenset({Label, Prompts}), _Plain.names

    def condition(self, targets: object) -> _Plain:
        """Return the same for all targets."""
        del targets
        return _Plain()

    def forward(self, mixture: torch.Tensor, condition: object) -> Estimates:
        """Scale windows ``[B, C, N]``."""
        del condition
        return Estimates(mixture[:, None].expand(-1, 4, -1, -1) / 4, torch.ones(len(mixture), 4))


def model_named(name: str) -> Separator:
    """Load a model; an architecture without weights gets random ones, which take as much memory."""
    if name == "scaler":
        return Scaler().eval()
    if name == "tuss-debug":
        return debug_model()
    if name in PRESETS and not (name in ZOO and ZOO[name].file):
        return Tuss(PRESETS[name]).eval()
    return load_separator(name)


def write_noise(path: Path, *, n_samples: int) -> None:
    """Write a file of stereo noise, a second at a time."""
    generator = torch.Generator().manual_seed(0)
    encoding = Encoding("wav", "16")
    with AudioWriter(path, sample_rate=RATE, n_channels=2, encoding=encoding) as writer:
        for start in range(0, n_samples, RATE):
            block = torch.rand(2, min(RATE, n_samples - start), generator=generator)
            writer.write(writer.quantize(block - 0.5))


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(model_name: str, minutes: float, prompts: str, settings: Settings, folder: str) -> dict[str, float]:
    """Separate a file of a length, in this process; sizes in bytes, time in seconds."""
    song = Path(folder, "song.wav")
    write_noise(song, n_samples=round(minutes * 60 * RATE))
    model, targets = model_named(model_name), request(prompts)
    before, started = peak_bytes(), time.perf_counter()
    options = DeliveryOptions(settings=settings)
    manifest = separate_file(song, targets, Path(folder, "out"), model=model, options=options)
    assert manifest.input["n_samples"] == manifest.stems[0].n_samples
    return {"before": before, "peak": peak_bytes(), "seconds": time.perf_counter() - started}


def request(prompts: str) -> Request:
    """Spell what is asked for."""
    return Prompts(prompts)


def measure_apart(model_name: str, minutes: float, prompts: str, settings: Settings) -> dict[str, float]:
    """Measure in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        n_outputs = len(spell_targets(request(prompts))) + 2  # the residual, and what separate_file wants to spare
        needed = minutes * 60 * RATE * 2 * (SPOOL_BYTES * n_outputs + INPUT_BYTES)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SystemExit(f"{folder}: {needed / 1e9:.1f} GB are needed: set TMPDIR to a larger disk")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(measure, (model_name, minutes, prompts, settings, folder))


def row(minutes: float, result: dict[str, float]) -> str:
    """One line of the table."""
    before, peak = (result[key] / 2**20 for key in ("before", "peak"))
    factor = result["seconds"] / (60 * minutes)
    return f"| {minutes:g} | {before:.0f} | {peak:.0f} | {peak - before:.0f} | {result['seconds']:.1f} | {factor:.4f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default="tuss-small", help="a name, a preset, a weights file, or 'scaler' (no network)"
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=MINUTES)
    parser.add_argument("--prompts", default="vocals drums bass other")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args(arguments)
    settings = Settings(precision=given.precision)
    results = []
    for minutes in given.minutes:
        result = measure_apart(given.model, minutes, given.prompts, settings)
        results.append({"minutes": minutes, **result})
        print(row(minutes, result), file=sys.stderr, flush=True)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    what = f"{given.model}, {given.precision}, stereo 44.1 kHz, stems {given.prompts!r}"
    print(f"{what}; {machine}, {datetime.now(UTC):%Y-%m-%d}\n")
    print("| minutes | MiB before | peak MiB | MiB for the work | seconds | times real time |")
    print("|--:|--:|--:|--:|--:|--:|")
    print("\n".join(row(result["minutes"], result) for result in results))
    if given.json:
        given.json.write_text(
            json.dumps({"model": given.model, "precision": given.precision, "results": results}, indent=2)
        )


if __name__ == "__main__":
    main()
