import pytest
import torch
from torch import Tensor

from unbraid.evaluation import metrics, signal_blocks
from unbraid.evaluation.signal_blocks import blocks, correlation, dot, energy, remainder_energy


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("block", [7, 100, 1000, 5000])
@pytest.mark.parametrize("n_lags", [1, 6, 300])
def test_correlations_are_those_of_the_definition(block: int, n_lags: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signal_blocks, "TRANSFORM", block)
    later, earlier = noise(2, 1000), noise(1000, seed=1)
    expected = torch.stack([(later[:, lag:] * earlier[: 1000 - lag]).sum(dim=-1) for lag in range(n_lags)], dim=-1)
    torch.testing.assert_close(correlation(later, earlier, n_lags=n_lags), expected, rtol=0, atol=1e-9)


def test_lags_beyond_the_signal_are_zero():
    found = correlation(noise(3), noise(3, seed=1), n_lags=10)
    torch.testing.assert_close(found[3:], torch.zeros(7, dtype=torch.float64), rtol=0, atol=1e-12)


def test_sums_do_not_depend_on_blocks_and_broadcast(monkeypatch: pytest.MonkeyPatch):
    one, other, gain = noise(3, 1000), noise(1000, seed=1), noise(3, seed=2)
    monkeypatch.setattr(signal_blocks, "BLOCK", 64)
    torch.testing.assert_close(energy(one), one.square().sum(dim=-1))
    torch.testing.assert_close(dot(one, other), (one * other).sum(dim=-1))
    expected = (one - gain[:, None] * other).square().sum(dim=-1)
    torch.testing.assert_close(remainder_energy(one, gain, other), expected)


def test_no_metric_of_whole_signals_holds_more_than_blocks_in_float64(monkeypatch: pytest.MonkeyPatch):
    """Hours in float32 are doubled a block at a time; the answer is that of one block."""
    estimate, reference, rest = (noise(2, 5000, seed=seed).float() for seed in range(3))
    estimate = reference + 0.1 * estimate
    functions = {
        "si_sdr": lambda: metrics.si_sdr(estimate=estimate, reference=reference),
        "snr": lambda: metrics.snr(estimate=estimate, reference=reference),
        "sdr": lambda: metrics.sdr(estimate=estimate, reference=reference),
        "sdr_bss_eval": lambda: metrics.sdr_bss_eval(estimate=estimate, reference=reference, filter_length=64),
        "si_sir": lambda: metrics.si_sir(estimate=estimate, reference=reference, rest=rest),
        "false_output_db": lambda: metrics.false_output_db(estimate=estimate, mixture=reference),
    }
    whole = {name: function() for name, function in functions.items()}
    monkeypatch.setattr(signal_blocks, "BLOCK", 300)
    monkeypatch.setattr(signal_blocks, "TRANSFORM", 300)
    sizes = []
    double = Tensor.double
    monkeypatch.setattr(Tensor, "double", lambda self: sizes.append(self.shape[-1]) or double(self))
    for name, function in functions.items():
        sizes.clear()
        torch.testing.assert_close(function(), whole[name], rtol=0, atol=1e-9)
        assert sizes
        assert max(sizes) <= 512, name


def test_blocks_cover_everything_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signal_blocks, "BLOCK", 8)
    signal = noise(20)
    assert torch.equal(torch.cat([one for (one,) in blocks(signal)]), signal)
    assert [one.shape[-1] for (one,) in blocks(noise(0))] == [0]
