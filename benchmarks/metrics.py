"""How fast and how large the metrics are, beside the public programs that they agree with.

    python benchmarks/metrics.py [--duration 60] [--repeats 3] [--threads 1] [--only NAME ...]

Each row runs in a process of its own. The signals are four stereo stems at 44.1 kHz, colored noise that comes and goes,
low-passed at 16 kHz like much music; estimates have leakage, an echo and noise. Programs that are not installed
(museval, fast_bss_eval, torchmetrics, log-wmse-audio-quality) are left out. The last column is the largest difference
in decibels to the public program, over all stems and frames.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unbraid.evaluation import metrics
from unbraid.evaluation.records import processor_name

RATE = 44100
Scores = list[Tensor]


def make_signals(duration: float) -> tuple[Tensor, Tensor]:
    """Return estimates and references ``[4, 2, N]``."""
    generator = torch.Generator().manual_seed(0)
    n_samples = round(duration * RATE)
    noise = torch.randn(4, 2, n_samples, generator=generator, dtype=torch.float64)
    spectrum = torch.fft.rfft(noise)
    frequencies = torch.fft.rfftfreq(n_samples, 1 / RATE)
    corners = torch.tensor([100.0, 400.0, 1500.0, 6000.0], dtype=torch.float64)[:, None, None]
    spectrum /= (1 + (frequencies / corners).square()).sqrt()
    spectrum *= 10 ** (-(frequencies.clamp(min=16_000) - 16_000).clamp(max=1000) * 60 / 1000 / 20)
    place = torch.arange(n_samples) / RATE
    gate = 1.05 + torch.sin(2 * torch.pi * torch.tensor([0.31, 0.7, 1.3, 2.1])[:, None, None] * place)
    reference = torch.fft.irfft(spectrum, n_samples) * gate
    reference[:, 1] = 0.7 * reference[:, 1] + 0.5 * reference[:, 0]
    reference /= reference.square().mean(dim=(-1, -2), keepdim=True).sqrt() * 10
    leaked = reference + 0.1 * reference.roll(1, 0) + 0.2 * reference.roll(40, -1)
    return leaked + 0.005 * torch.randn(reference.shape, generator=generator, dtype=torch.float64), reference


def ours_bss_eval(estimate: Tensor, reference: Tensor) -> Scores:
    """BSSEval v4: four scores of all stems and frames."""
    return list(metrics.bss_eval(estimate=estimate, reference=reference))


def theirs_bss_eval(estimate: Tensor, reference: Tensor) -> Scores:
    """The same by museval."""
    from museval.metrics import bss_eval

    arrays = [signal.transpose(1, 2).numpy() for signal in (reference, estimate)]
    found = bss_eval(*arrays, window=RATE, hop=RATE, compute_permutation=False)
    return [torch.from_numpy(scores) for scores in found[:4]]


def ours_sdr_chunks(estimate: Tensor, reference: Tensor) -> Scores:
    """The SDR of BSSEval v4 alone, median over frames."""
    return [metrics.sdr_chunks(estimate=estimate, reference=reference)]


def theirs_sdr_chunks(estimate: Tensor, reference: Tensor) -> Scores:
    """The same by museval, which has no shorter way."""
    return [theirs_bss_eval(estimate, reference)[0].nanquantile(0.5, dim=-1)]


def ours_sdr_bss_eval(estimate: Tensor, reference: Tensor) -> Scores:
    """SDR with a filter of 512 taps, of each channel."""
    return [metrics.sdr_bss_eval(estimate=estimate, reference=reference)]


def theirs_sdr_bss_eval(estimate: Tensor, reference: Tensor) -> Scores:
    """The same by torchmetrics."""
    from torchmetrics.functional.audio import signal_distortion_ratio

    return [signal_distortion_ratio(estimate, reference, load_diag=1e-6)]


def ours_log_wmse(estimate: Tensor, reference: Tensor) -> Scores:
    """Log-WMSE of each stem."""
    return [metrics.log_wmse(estimate=estimate, reference=reference, mixture=reference.sum(dim=0), sample_rate=RATE)]


def theirs_log_wmse(estimate: Tensor, reference: Tensor) -> Scores:
    """The same by log-wmse-audio-quality."""
    from log_wmse_audio_quality import calculate_log_wmse

    mixture = reference.sum(dim=0).float().numpy()
    pairs = zip(estimate.float().numpy(), reference.float().numpy(), strict=True)
    return [torch.tensor([float(calculate_log_wmse(mixture, one, truth, RATE)) for one, truth in pairs])]


ROWS: dict[str, tuple[Callable[..., Scores], Callable[..., Scores], str]] = {
    "BSSEval v4": (ours_bss_eval, theirs_bss_eval, "museval"),
    "SDR of chunks": (ours_sdr_chunks, theirs_sdr_chunks, "museval"),
    "SDR, 512 taps": (ours_sdr_bss_eval, theirs_sdr_bss_eval, "torchmetrics"),
    "log-WMSE": (ours_log_wmse, theirs_log_wmse, "log_wmse_audio_quality"),
}


def measure(name: str, theirs: bool, given: argparse.Namespace) -> None:
    """Time one program in this process, and print one line of JSON."""
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    function = ROWS[name][1 if theirs else 0]
    function(*(signal[:1, :1] for signal in make_signals(1.0)))  # warms up
    signals = make_signals(given.duration)
    before = _resident_kibibytes()
    times, scores = [], []
    for _ in range(given.repeats):
        started = time.process_time()
        scores = function(*signals)
        times.append(time.process_time() - started)
    peak = _peak_kibibytes() - before
    values = [[float(value) for value in score.flatten()] for score in scores]
    print(json.dumps({"seconds": min(times), "mebibytes": peak / 1024, "scores": values}))


def _resident_kibibytes() -> int:
    """Return what this process holds now, and begin a new peak (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def _peak_kibibytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def run(name: str, theirs: bool, given: argparse.Namespace) -> dict[str, object]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--row", name, "--duration", str(given.duration)]
    command += ["--repeats", str(given.repeats), "--threads", str(given.threads), *(["--theirs"] if theirs else [])]
    threads = str(given.threads)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table, or measure one row of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--row", choices=list(ROWS), help=argparse.SUPPRESS)
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        measure(given.row, given.theirs, given)
        return
    print(
        f"4 stereo stems of {given.duration:g} s at 44.1 kHz, {given.threads} thread(s), best of {given.repeats}, CPU"
    )
    print(f"time; {processor_name()}, load {os.getloadavg()[0]:.1f} before the start\n")
    print(
        "| metric | seconds | MiB above the signals | public program | seconds | MiB | times faster | difference dB |"
    )
    print("|---|--:|--:|---|--:|--:|--:|--:|")
    for name in given.only:
        package = ROWS[name][2]
        mine = run(name, False, given)
        cells = f"| {name} | {mine['seconds']:.2f} | {mine['mebibytes']:.0f} | {package} "
        if importlib.util.find_spec(package) is None:
            print(cells + "| not installed | | | |", flush=True)
            continue
        other = run(name, True, given)
        gap = np.nanmax(np.abs(np.concatenate(mine["scores"]) - np.concatenate(other["scores"])))
        times = other["seconds"] / mine["seconds"]
        print(cells + f"| {other['seconds']:.2f} | {other['mebibytes']:.0f} | {times:.1f} | {gap:.1e} |", flush=True)


if __name__ == "__main__":
    main()
