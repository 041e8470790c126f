import importlib.util
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from unbraid.models.film_unet import PRESETS as FILM_UNETS
from unbraid.models.film_unet import FilmUnet
from unbraid.models.lasaft import PRESETS as LASAFTS
from unbraid.models.lasaft import Lasaft
from unbraid.models.layers.locoformer import GroupedRmsNorm
from unbraid.models.layers.unet import Down, Up
from unbraid.models.tuss import DEBUG, PRESETS, Tuss, TussConfig, conventional

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("speed", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["speed"] = module
    sys.path.append(str(SCRIPT.parent))
    spec.loader.exec_module(module)
    return module


speed = load()

VARIANTS: dict[str, TussConfig] = {
    "debug": DEBUG,
    "no presence": replace(DEBUG, presence=False),
    "no start token": replace(DEBUG, sos=False),
    "conventional": conventional(DEBUG, ("source-1", "source-2", "source-3"), anonymous=True),
    "wide kernels": replace(DEBUG, cross=PRESETS["tuss-medium"].cross, n_features=16),
}


def normal(x: Tensor) -> Tensor:
    return x * x.square().mean(dim=-1, keepdim=True).add(1e-5).rsqrt()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("n_prompts", [1, 4])
def test_the_count_agrees_with_the_counter_of_pytorch(
    name: str, n_prompts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GroupedRmsNorm, "forward", lambda _, x: normal(x))  # norms do not count, however they are made
    config = VARIANTS[name]
    model = Tuss(config)
    n_frames = 30
    spectrogram = torch.randn(1, config.n_fft // 2 + 1, n_frames, dtype=torch.complex64)
    indices = torch.arange(n_prompts)[None] if config.prompts else torch.empty(0)
    with FlopCounterMode(display=False) as counter:
        model.estimate_masks(spectrogram, indices)
    counted = counter.get_total_flops()
    assert speed.network_flop(config, n_frames=n_frames, n_prompts=n_prompts) == pytest.approx(counted, rel=1e-9)


@pytest.mark.parametrize(("n_prompts", "published"), [(4, 140), (2, 93)])
def test_the_medium_network_costs_what_is_known_of_it(n_prompts: int, published: float) -> None:
    config = PRESETS["tuss-medium"]
    frames = speed.n_frames(config, 6 * 48000)
    assert frames == 564
    flop = speed.network_flop(config, n_frames=frames, n_prompts=n_prompts) / 6e9
    assert flop == pytest.approx(published, rel=0.02)


def test_a_row_is_measured_in_a_process_of_its_own() -> None:
    arguments = speed.parse(
        ["--presets", "tuss-debug", "--prompts", "2", "--seconds", "1", "--repeats", "1", "--threads", "1", "--no-song"]
    )
    jobs = speed.plan(arguments)
    assert [(job.preset, job.n_prompts, job.precision, job.path) for job in jobs] == [
        ("tuss-debug", 2, "fp32", "network"),
        ("tuss-debug", 2, "bf16", "network"),
    ]
    row = speed.measure(jobs[1], arguments)
    assert row.seconds > 0
    assert row.threads == 1
    assert row.peak_mib > 50
    assert row.error_db < -20
    assert row.real_time_factor == pytest.approx(row.seconds / 1.0)
    assert row.rate == pytest.approx(row.gflop_per_audio_second * 1.0 / row.seconds)


@pytest.mark.parametrize("preset", ["lasaft-debug", "lasaft-audio-debug", "few-shot-debug", "film-unet-classes-debug"])
def test_other_networks_are_measured_in_stereo_by_their_own_window(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "MATRIX", 64)
    arguments = speed.parse(["--presets", preset, "--precision", "bf16", "--repeats", "1", "--no-song"])
    segment = {**LASAFTS, **FILM_UNETS}[preset].segment
    jobs = speed.plan(arguments)
    assert jobs == [speed.Job(preset, count, "bf16", "network", segment) for count in (1, 4)]
    one, four = (speed.measure_here(job, arguments.repeats) for job in jobs)
    for row in (one, four):
        assert (row.n_channels, row.audio_seconds) == (2, segment)
        assert row.seconds > 0
        assert row.error_db < -20
    assert 1.5 < four.gflop_per_audio_second / one.gflop_per_audio_second < 4  # the way down is common to all


def test_searches_are_measured_by_the_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MATRIX", 64)
    arguments = speed.parse(
        [
            "--presets",
            "instglow-debug",
            "--precision",
            "fp32",
            "--search-seconds",
            "1",
            "2",
            "--repeats",
            "1",
            "--no-song",
        ]
    )
    jobs = speed.plan(arguments)
    assert [(job.path, job.n_prompts, job.seconds) for job in jobs] == [
        ("iteration", 2, 1.0), ("frugal iteration", 2, 1.0), ("iteration", 2, 2.0), ("frugal iteration", 2, 2.0),
    ]  # fmt: skip
    plain, frugal, longer = (speed.measure_here(job, 1) for job in jobs[:3])
    assert plain.gflop_per_audio_second == pytest.approx(longer.gflop_per_audio_second, rel=0.05)
    assert 1.2 < frugal.gflop_per_audio_second / plain.gflop_per_audio_second < 1.5  # the way there is gone twice
    assert len({(row.path, row.audio_seconds) for row in (plain, frugal, longer)}) == 3


def test_the_count_of_a_pass_is_that_of_its_layers() -> None:
    model = FilmUnet(FILM_UNETS["film-unet-classes-debug"]).eval()
    counted: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, Up):  # every input is spread over a kernel of each output
            counted.append(2 * inputs[0].numel() * module.conv.weight[0].numel())
        elif isinstance(module, Down | nn.Linear):  # every output is gathered from a kernel of each input
            weight = module.conv.weight if isinstance(module, Down) else module.weight
            counted.append(2 * output.numel() * weight[0].numel())

    for module in model.modules():
        module.register_forward_hook(note)
    flop = speed.window_flop(model, torch.randn(1, 2, 9000), 3)
    assert len(counted) == 4 + 3 * (2 + 4)  # down once, and for each target FiLM and up
    assert flop == sum(counted)


def test_the_fast_form_of_lasaft_computes_no_more_than_the_plain_one() -> None:
    model = Lasaft(LASAFTS["lasaft-debug"]).eval()
    mixture = torch.randn(1, 2, 4000)
    for count, least in ((1, 0.99), (4, 0.6)):
        condition = model.condition(speed.targets_for(model, count))
        with FlopCounterMode(display=False) as counter:
            model(mixture, condition)
        assert least < speed.window_flop(model, mixture, count) / counter.get_total_flops() < 1


def test_songs_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MATRIX", 64)
    jobs = speed.plan(speed.parse(["--presets", "--precision", "fp32", "--songs", "few-shot-debug", "tuss-debug"]))
    assert jobs == [speed.Job(name, 4, "fp32", "separate", 30.0) for name in ("few-shot-debug", "tuss-debug")]
    row = speed.measure_here(replace(jobs[0], seconds=1.5), repeats=1)
    assert (row.preset, row.n_channels, row.error_db) == ("few-shot-debug", 2, None)
    assert row.gflop_per_audio_second > 0


def row(**changes: object) -> object:
    values = {
        "preset": "tuss-small", "n_prompts": 4, "precision": "fp32", "path": "network", "n_channels": 1,
        "audio_seconds": 6.0, "seconds": 3.0, "gflop_per_audio_second": 10.0, "matrix_rate": 50.0, "peak_mib": 400.0,
        "error_db": None, "threads": 2, "provenance": {"processor": "abacus"},
    }  # fmt: skip
    return speed.Row(**{**values, **changes})


def test_the_table_shows_ratio_and_gain() -> None:
    lines = speed.table([row(), row(precision="bf16", seconds=1.0, error_db=-50.0)]).splitlines()
    first, second = lines[2:4]
    assert lines[4:] == ["", '- made by: `{"processor": "abacus"}`']
    assert [cell.strip() for cell in first.split("|")[5:-1]] == [
        "3.000", "0.500", "10.0", "20.0", "50.0", "0.40", "", "400", "",
    ]  # fmt: skip
    assert [cell.strip() for cell in second.split("|")[5:-1]] == [
        "1.000", "0.167", "10.0", "60.0", "50.0", "1.20", "3.00", "400", "-50.0",
    ]  # fmt: skip


def test_runs_in_parts_are_joined_and_newer_rows_replace_older(tmp_path: Path) -> None:
    path = tmp_path / "speed.jsonl"
    assert speed.read_rows(path) == []
    rows = [row(), row(n_prompts=2), row(seconds=1.5)]
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in rows))
    assert [(one.n_prompts, one.seconds) for one in speed.read_rows(path)] == [(4, 1.5), (2, 3.0)]


def test_a_conventional_network_is_measured_with_all_its_outputs() -> None:
    jobs = speed.plan(speed.parse(["--presets", "conventional-medium-3", "--precision", "fp32"]))
    assert [(job.preset, job.n_prompts, job.path) for job in jobs] == [
        ("conventional-medium-3", 3, "network"),
        ("tuss-small", 4, "separate"),
    ]


def test_counts_of_prompts_that_cannot_be_asked_for_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.parse(["--prompts", "7"])
    assert "from 1 to 6" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        speed.parse(["--targets", "5"])
    assert "from 1 to 4" in capsys.readouterr().err
