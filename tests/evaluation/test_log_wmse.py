import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from unbraid.evaluation import log_wmse as module
from unbraid.evaluation.log_wmse import BEST, log_wmse

STORED = np.load(Path(__file__).with_name("oracle_vectors.npz"))
CASES = list(json.loads(str(STORED["wmse"])))
RATE = 44100


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def score(estimate: Tensor, reference: Tensor, mixture: Tensor, rate: int = RATE) -> float:
    return float(log_wmse(estimate=estimate, reference=reference, mixture=mixture, sample_rate=rate))


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_the_public_program_to_five_thousandths(name: str):
    tolerance = 0.05 if name == "inaudible" else 0.005  # few samples are loud enough to count, and some only just
    parts = [torch.from_numpy(STORED[f"wmse/{name}/{part}"]) / 32768 for part in ("estimate", "reference", "mixture")]
    assert score(*parts) == pytest.approx(float(STORED[f"wmse/{name}/score"]), abs=tolerance)


@pytest.mark.parametrize(("rate", "tolerance"), [(44_100, 0.005), (48_000, 0.01), (16_000, 0.01)])
def test_the_public_program_agrees_where_it_is_installed(rate: int, tolerance: float):
    theirs = pytest.importorskip("log_wmse_audio_quality", reason="log-wmse-audio-quality is not installed")
    reference = 0.1 * noise(2, 200_000).float()
    mixture = reference + 0.1 * noise(2, 200_000, seed=1).float()
    for gain in (1.0, 0.1, 0.01, 0.001):
        estimate = reference + 0.1 * gain * noise(2, 200_000, seed=2).float()
        expected = theirs.calculate_log_wmse(mixture.numpy(), estimate.numpy(), reference.numpy(), rate)
        assert score(estimate, reference, mixture, rate) == pytest.approx(float(expected), abs=tolerance)


def test_silence_is_judged_by_what_remains():
    mixture, silence = noise(1, 20_000), torch.zeros(1, 20_000)
    assert score(silence, silence, mixture) == pytest.approx(BEST)
    assert score(mixture, silence, mixture) == pytest.approx(0, abs=1e-6)
    assert score(0.1 * mixture, silence, mixture) == pytest.approx(-4 * math.log(0.01), abs=1e-3)
    assert score(silence, mixture, mixture) == pytest.approx(0, abs=1e-6)
    assert math.isnan(score(mixture, mixture, silence))


def test_channels_in_which_the_mixture_is_silent_do_not_count():
    mixture = noise(2, 5000)
    reference, estimate = 0.5 * mixture, 0.4 * mixture
    alone = score(estimate[:1], reference[:1], mixture[:1])
    mixture[1] = 0
    assert score(estimate, reference, mixture) == pytest.approx(alone)


def test_the_level_of_all_three_does_not_matter_and_that_of_the_estimate_does():
    mixture, rest = noise(1, 20_000), noise(1, 20_000, seed=1)
    reference = mixture - rest
    estimate = reference + 0.1 * rest
    before = score(estimate, reference, mixture)
    assert score(1e-3 * estimate, 1e-3 * reference, 1e-3 * mixture) == pytest.approx(before, abs=1e-6)
    assert score(2 * estimate, reference, mixture) < before - 5


def test_what_hearing_is_dull_for_counts_less():
    time = torch.arange(44_100, dtype=torch.float64) / RATE
    mixture = noise(1, 44_100)
    silence = torch.zeros_like(mixture)
    scores = [score(0.1 * torch.sin(2 * torch.pi * f * time)[None], silence, mixture) for f in (50, 3000, 18_000)]
    assert scores[1] < scores[0] - 10
    assert scores[1] < scores[2] - 10


def test_leading_axes_are_judged_alone_and_the_mixture_broadcasts():
    estimate, reference, mixture = noise(3, 2, 4000), noise(3, 2, 4000, seed=1), noise(2, 4000, seed=2)
    together = log_wmse(estimate=estimate, reference=reference, mixture=mixture, sample_rate=RATE)
    assert together.shape == (3,)
    assert together.dtype == torch.float64
    assert together[1].item() == pytest.approx(score(estimate[1], reference[1], mixture))


def test_blocks_do_not_change_the_score(monkeypatch: pytest.MonkeyPatch):
    reference, mixture = noise(2, 30_000), noise(2, 30_000, seed=1)
    estimate = reference + 0.2 * noise(2, 30_000, seed=2)
    whole = score(estimate, reference, mixture)
    for block in (700, 4096, 29_999):
        monkeypatch.setattr(module, "_BLOCK", block)
        assert score(estimate, reference, mixture) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("n_samples", [1, 2, 100])
def test_short_signals_have_a_score(n_samples: int):
    mixture = noise(1, n_samples)
    assert score(0.1 * mixture, 0 * mixture, mixture) == pytest.approx(-4 * math.log(0.01), abs=0.01)


def test_signals_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="9 and 10 samples"):
        score(noise(1, 9), noise(1, 10), noise(1, 10))


def test_an_estimate_with_nan_has_no_score_and_one_without_samples_is_refused():
    signals = noise(2, 4000)
    broken = signals.clone()
    broken[0, 9] = math.nan
    assert math.isnan(score(broken, signals, signals))
    assert math.isnan(score(signals, signals, broken))
    with pytest.raises(ValueError, match="the signals have no samples"):
        score(signals[:, :0], signals[:, :0], signals[:, :0])
