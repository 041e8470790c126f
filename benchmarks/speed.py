"""How fast the networks are, next to what this machine can do: ``python benchmarks/speed.py --help``.

Every row runs in a process of its own, so that its peak memory is its own. The columns are explained in
docs/evaluation.md, section "Speed".
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tuss_flop import n_frames, network_flop

from unbraid.audio.signal import Audio
from unbraid.evaluation.records import provenance
from unbraid.guides.kinds import Label, Mimicry, Target
from unbraid.models.film_unet import PRESETS as FILM_UNETS
from unbraid.models.film_unet import FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.guidesep import PRESETS as GUIDESEPS
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_network import FULL_BAND_RATE, GuidesepConfig
from unbraid.models.instglow import PRESETS as INSTGLOWS
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.lasaft import PRESETS as LASAFTS
from unbraid.models.lasaft import Lasaft
from unbraid.models.lasaft_network import LasaftConfig
from unbraid.models.separator import Separator
from unbraid.models.tuss import PRESETS, Tuss, TussConfig
from unbraid.separation import Settings, separate

PROMPTS = ("vocals", "drums", "bass", "other", "speech", "sfx")
Config = TussConfig | LasaftConfig | FilmUnetConfig | GuidesepConfig | InstglowConfig
POINTED: dict[str, Config] = {**LASAFTS, **FILM_UNETS, **GUIDESEPS, **INSTGLOWS}
N_ITERATIONS = 5
MOST_TARGETS = 4
PRECISIONS = ("fp32", "bf16")
MATRIX = 2048
SONG_PRESET = "tuss-small"
SONG_SECONDS = 30.0


@dataclass(frozen=True)
class Row:
    """One measurement; rates in GFLOP per second, memory in MiB, error in decibels."""

    preset: str
    n_prompts: int
    precision: str
    path: str
    n_channels: int
    audio_seconds: float
    seconds: float
    gflop_per_audio_second: float
    matrix_rate: float
    peak_mib: float
    error_db: float | None
    threads: int
    provenance: dict[str, object]

    @property
    def real_time_factor(self) -> float:
        """Seconds of computing per second of audio."""
        return self.seconds / self.audio_seconds

    @property
    def rate(self) -> float:
        """Useful arithmetic per second of computing, in GFLOP."""
        return self.gflop_per_audio_second / self.real_time_factor


def matrix_rate(repeats: int = 5) -> float:
    """Measure this machine's fp32 matrix product: the best of several, in GFLOP per second."""
    left, right = torch.randn(2, MATRIX, MATRIX)
    return 2 * MATRIX**3 / best_time(lambda: left @ right, repeats) / 1e9


def best_time(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of several runs after one that warms up, in seconds."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def peak_mib() -> float:
    """Return the highest resident memory of this process so far."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20


def count_flop(work: Callable[[], object], *, plain: bool = False) -> float:
    """Count the arithmetic of the matrix products and convolutions of a pass, as it is made.

    With gradients, networks take the plain way (``plain``), without the zeros that fill up kernels in inference.
    """
    with torch.set_grad_enabled(plain), FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def targets_for(model: Separator, count: int) -> list[Target]:
    """Return as many targets as asked for, that the model knows and that go together.

    A network of examples is taught them with random vectors: what it would hear of examples, it hears once per track.
    """
    if isinstance(model, Guidesep):
        hum = Mimicry(Audio(0.1 * torch.sin(0.1 * torch.arange(SONG_SECONDS * 16000))[None], 16000))
        return [Target(f"sound {number}", hum) for number in range(count)]
    if isinstance(model, Tuss):
        names = model.config.outputs or PROMPTS
    elif model.vocabulary:
        names = model.vocabulary
    else:
        names = tuple(f"sound {number}" for number in range(count))
        for name in names:
            model.teach(name, torch.randn(model.query_size or 0))
    return [Target(name, Label(name)) for name in names[:count]]


@dataclass(frozen=True)
class Job:
    """What one row measures."""

    preset: str
    n_prompts: int
    precision: str
    path: str
    seconds: float


@dataclass(frozen=True)
class Work:
    """Something to time: called with a precision, it does ``count`` times what a row is about.

    To count the GFLOP of a second of audio takes memory too.
    """

    run: Callable[[str], Tensor]
    count_gflop: Callable[[], float]
    n_channels: int
    count: int = 1


def network_work(job: Job) -> Work:
    """Prepare the network alone, on one window of noise: of one channel for TUSS, of two for the others."""
    config = config_of(job.preset)
    n_channels = 1 if isinstance(config, TussConfig) else 2
    model, mixture = make_model(config), make_noise(n_channels, job.seconds, rate_of(config))[None]
    condition = model.condition(targets_for(model, job.n_prompts))

    def run(precision: str) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return model(mixture, condition).stems

    return Work(run, lambda: window_flop(model, mixture, job.n_prompts) / job.seconds / 1e9, n_channels)


def song_work(job: Job) -> Work:
    """Prepare `unbraid.separate` on stereo noise at 44.1 kHz: windows, overlap and resampling included."""
    config = config_of(job.preset)
    model = make_model(config)
    targets = targets_for(model, job.n_prompts)
    mixture = Audio(make_noise(2, job.seconds, 44100), 44100)

    def run(precision: str) -> Tensor:
        stems = separate(mixture, targets, model=model, settings=Settings(precision=precision)).stems
        return torch.stack([stem.samples for stem in stems.values()])

    window = make_noise(2, config.segment, rate_of(config))[None]
    return Work(run, lambda: window_flop(model, window, job.n_prompts) / config.segment / 1e9, n_channels=2)


def step_work(job: Job) -> Work:
    """Prepare one evaluation of a diffusion network, that of the condition included, on one window."""
    model = make_model(config_of(job.preset))
    assert isinstance(model, Guidesep)
    mixture = make_noise(1, job.seconds, model.config.sample_rate)
    condition = model.channels(model.listen(mixture, mixture, None, None), model.analyze(mixture))
    noisy = torch.randn(1, 2, *condition.shape[-2:])

    def run(precision: str) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return model.conditioned(condition)(noisy, torch.tensor(1.0))

    return Work(run, lambda: count_flop(lambda: run("fp32")) / job.seconds / 1e9, n_channels=1)


def iteration_work(job: Job) -> Work:
    """Prepare iterations of a search with priors on a window of noise, and what comes before them."""
    config = config_of(job.preset)
    assert isinstance(config, InstglowConfig)
    search = replace(config.search, n_iterations=N_ITERATIONS, tolerance=0.0, recompute="frugal" in job.path)
    model = make_model(replace(config, search=search))
    assert isinstance(model, Instglow)
    shape = config.priors[0]
    magnitude = torch.rand(1, shape.n_bins, round(job.seconds * shape.sample_rate / shape.hop_length))

    def run(precision: str) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return model.search(magnitude).sources

    return Work(run, lambda: count_flop(lambda: run("fp32")) / N_ITERATIONS / job.seconds / 1e9, 1, N_ITERATIONS)


def window_flop(model: Separator, mixture: Tensor, count: int) -> float:
    """Count the arithmetic of one window ``[1, C, N]``: of TUSS from its config, of the others on the pass itself."""
    if isinstance(model, Tuss):
        n_passes = 1 if model.config.channel_mode == "mid" else mixture.shape[1]
        frames = n_frames(model.config, mixture.shape[-1])
        return n_passes * network_flop(model.config, n_frames=frames, n_prompts=count)
    condition = model.condition(targets_for(model, count))
    return count_flop(lambda: model(mixture, condition), plain=isinstance(model, FilmUnet))


SEARCH_PATHS = {"iteration": iteration_work, "frugal iteration": iteration_work}
PATHS = {"network": network_work, "separate": song_work, "step": step_work, **SEARCH_PATHS}


def measure_here(job: Job, repeats: int) -> Row:
    """Measure one row in this process; the matrix product is timed before and after, and the better rate counts."""
    rate = matrix_rate()
    work = PATHS[job.path](job)
    elapsed = best_time(lambda: work.run(job.precision), repeats) / work.count
    peak = peak_mib()
    error = None if job.precision == "fp32" else error_db(work.run(job.precision), work.run("fp32"))
    return Row(
        preset=job.preset,
        n_prompts=job.n_prompts,
        precision=job.precision,
        path=job.path,
        n_channels=work.n_channels,
        audio_seconds=job.seconds,
        seconds=elapsed,
        gflop_per_audio_second=work.count_gflop(),
        matrix_rate=max(rate, matrix_rate()),
        peak_mib=peak,
        error_db=error,
        threads=torch.get_num_threads(),
        provenance=dict(provenance()),
    )


def config_of(preset: str) -> Config:
    """Return the config of a preset of any model."""
    return PRESETS[preset] if preset in PRESETS else POINTED[preset]


def rate_of(config: Config) -> int:
    """Return the rate of the windows that a model takes, in hertz."""
    if isinstance(config, GuidesepConfig | InstglowConfig):
        return FULL_BAND_RATE
    return config.sample_rate


def make_model(config: Config) -> Separator:
    """Build a network with random weights: speed does not depend on them."""
    torch.manual_seed(0)
    if isinstance(config, TussConfig):
        return Tuss(config).eval()
    if isinstance(config, InstglowConfig):
        separator = Instglow(config).eval()
        for name, weight in separator.named_parameters():
            if "coupling.last" in name:
                torch.nn.init.normal_(weight, std=0.01)  # it would be an identity
        return separator
    if isinstance(config, GuidesepConfig):
        model = Guidesep(config).eval()
        torch.nn.init.normal_(model.network.last.weight, std=0.1)  # it would answer with silence
        return model
    return Lasaft(config).eval() if isinstance(config, LasaftConfig) else FilmUnet(config).eval()


def make_noise(n_channels: int, seconds: float, sample_rate: int) -> Tensor:
    """Make quiet noise ``[C, N]``, always the same."""
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(n_channels, round(seconds * sample_rate), generator=generator)


def error_db(estimate: Tensor, reference: Tensor) -> float:
    """Return the energy of the difference relative to the reference, in decibels."""
    difference = (estimate.double() - reference.double()).square().sum()
    return float(10 * torch.log10(difference / reference.double().square().sum()))


def table(rows: Sequence[Row]) -> str:
    """Write the rows as a Markdown table, each bf16 row with its gain over the fp32 row, and the machine below."""
    slow = {
        (row.preset, row.n_prompts, row.path, row.audio_seconds): row.seconds for row in rows if row.precision == "fp32"
    }
    lines = [
        "| preset | path | prompts | precision | seconds | real-time factor | GFLOP / s of audio | GFLOP / s "
        "| matrix product GFLOP / s | ratio | times fp32 | peak MiB | error dB |",
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        reference = slow.get((row.preset, row.n_prompts, row.path, row.audio_seconds))
        gain = f"{reference / row.seconds:.2f}" if reference and row.precision != "fp32" else ""
        error = "" if row.error_db is None else f"{row.error_db:.1f}"
        lines.append(
            f"| {row.preset} | {row.path}, {row.n_channels} ch, {row.audio_seconds:.3g} s | {row.n_prompts} "
            f"| {row.precision} | {row.seconds:.3f} | {row.real_time_factor:.3f} | {row.gflop_per_audio_second:.1f} "
            f"| {row.rate:.1f} | {row.matrix_rate:.1f} | {row.rate / row.matrix_rate:.2f} | {gain} "
            f"| {row.peak_mib:.0f} | {error} |"
        )
    machines = dict.fromkeys(json.dumps(row.provenance, sort_keys=True) for row in rows)
    return "\n".join([*lines, "", *(f"- made by: `{machine}`" for machine in machines)])


def read_rows(path: Path) -> list[Row]:
    """Read the rows of earlier runs; a later measurement of the same thing replaces the earlier one."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [Row(**json.loads(line)) for line in lines]
    return list({(row.preset, row.n_prompts, row.precision, row.path, row.audio_seconds): row for row in rows}.values())


def plan(arguments: argparse.Namespace) -> list[Job]:
    """List the rows to measure."""
    jobs = []
    for preset in arguments.presets:
        config = config_of(preset)
        if isinstance(config, InstglowConfig):
            choices = itertools.product(arguments.search_seconds, SEARCH_PATHS, arguments.precision)
            jobs += [Job(preset, len(config.names), precision, path, seconds) for seconds, path, precision in choices]
            continue
        if isinstance(config, TussConfig):
            seconds, counts = arguments.seconds, [len(config.outputs)] if config.outputs else arguments.prompts
        else:
            seconds, counts = config.segment, arguments.targets
        if isinstance(config, GuidesepConfig) and config.noise is not None:
            jobs += [Job(preset, 1, precision, "step", seconds) for precision in arguments.precision]
        jobs += [
            Job(preset, count, precision, "network", seconds) for count in counts for precision in arguments.precision
        ]
    return jobs + [
        Job(preset, 1 if isinstance(config_of(preset), GuidesepConfig) else 4, precision, "separate", SONG_SECONDS)
        for preset in arguments.songs
        for precision in arguments.precision
    ]


def measure(job: Job, arguments: argparse.Namespace) -> Row:
    """Measure one row in a process of its own."""
    options = ["--threads", str(arguments.threads), "--repeats", str(arguments.repeats)]
    command = [sys.executable, __file__, "--row", json.dumps(asdict(job)), *options]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Row(**json.loads(answer.stdout.splitlines()[-1]))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    names = [*PRESETS, *POINTED]
    parser = argparse.ArgumentParser(description="Measure the speed of networks next to this machine's matrix product.")
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), choices=names, metavar="NAME")
    parser.add_argument("--prompts", nargs="+", type=int, default=[2, 4], metavar="N", help="of TUSS, at most 6")
    parser.add_argument("--targets", nargs="+", type=int, default=[1, 4], metavar="N", help="of others, at most 4")
    parser.add_argument("--precision", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the mono window of TUSS")
    parser.add_argument(
        "--search-seconds", nargs="+", type=float, default=[10.0], metavar="S", help="of priors' windows"
    )
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--songs", nargs="+", default=[SONG_PRESET], choices=names, metavar="NAME", help="30 s of stereo, whole way"
    )
    parser.add_argument("--no-song", dest="songs", action="store_const", const=[], help="leave these out")
    parser.add_argument("--out", type=Path, help="add rows to this JSON-lines file; the table then shows all of it")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if not all(1 <= count <= len(PROMPTS) for count in chosen.prompts):
        parser.error(f"--prompts takes counts from 1 to {len(PROMPTS)}")
    if not all(1 <= count <= MOST_TARGETS for count in chosen.targets):
        parser.error(f"--targets takes counts from 1 to {MOST_TARGETS}")
    return chosen


def main() -> None:
    """Measure and print."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    if arguments.row:
        print(json.dumps(asdict(measure_here(Job(**json.loads(arguments.row)), arguments.repeats))))
        return
    rows = []
    for job in plan(arguments):
        row = measure(job, arguments)
        print(f"{job.preset} {job.n_prompts} {job.precision} {job.path}: {row.seconds:.3f} s", file=sys.stderr)
        rows.append(row)
        if arguments.out:
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
    print(table(read_rows(arguments.out) if arguments.out else rows))


if __name__ == "__main__":
    main()
