import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio.resample import StreamResampler, resample, resampled_length
from unbraid.errors import AudioError

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000)


def tone(frequency: float, rate: int, seconds: float = 0.5) -> torch.Tensor:
    time = torch.arange(round(rate * seconds), dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * frequency * time).float()[None]


@settings(max_examples=60, deadline=None)
@given(
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
    n_channels=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
)
def test_blocks_of_any_size_give_the_same_samples(
    rates: tuple[int, int], n_channels: int, cuts: list[int], seed: int
) -> None:
    source, target = rates
    signal = torch.randn(n_channels, sum(cuts), generator=torch.Generator().manual_seed(seed))
    before = signal.clone()
    resampler = StreamResampler(source, target, n_channels)
    blocks = signal.split(cuts, dim=1)
    pieces = [resampler.process(block, last=i == len(cuts) - 1) for i, block in enumerate(blocks)]
    joined = torch.cat(pieces, dim=1)
    assert joined.shape == (n_channels, math.floor(sum(cuts) * target / source + 0.5))
    assert all(piece.is_contiguous() or source == target for piece in pieces)
    torch.testing.assert_close(joined, resample(signal, source_rate=source, target_rate=target), rtol=0, atol=0)
    assert torch.equal(signal, before)


def test_a_stream_longer_than_the_inner_blocks_gives_the_same_samples() -> None:
    signal = torch.randn(2, 200_001, generator=torch.Generator().manual_seed(0))
    resampler = StreamResampler(44100, 48000, 2)
    pieces = [resampler.process(block) for block in signal.split(70_000, dim=1)]
    pieces.append(resampler.process(signal[:, :0], last=True))
    assert torch.equal(torch.cat(pieces, dim=1), resample(signal, source_rate=44100, target_rate=48000))


@pytest.mark.parametrize(("source", "target"), [(44100, 48000), (48000, 44100), (8000, 44100), (44100, 88200)])
def test_a_tone_keeps_its_place_and_level(source: int, target: int) -> None:
    out = resample(tone(1000, source), source_rate=source, target_rate=target)
    edge = round(0.05 * target)
    error = (out - tone(1000, target))[:, edge:-edge]
    assert error.abs().max() < 1e-6


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_what_the_lower_rate_cannot_hold_is_removed(rate: int) -> None:
    out = resample(tone(0.6 * rate, 2 * rate + 100), source_rate=2 * rate + 100, target_rate=rate)
    edge = round(0.05 * rate)
    assert out[:, edge:-edge].abs().max() < 1e-6


def test_there_and_back_returns_the_signal() -> None:
    signal = tone(440, 44100) * 0.5 + tone(15000, 44100) * 0.2
    up = resample(signal, source_rate=44100, target_rate=96000)
    back = resample(up, source_rate=96000, target_rate=44100)
    assert back.shape == signal.shape
    assert (back - signal)[:, 2000:-2000].abs().max() < 1e-5


def test_equal_rates_return_every_bit() -> None:
    signal = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 999)).astype(np.float32))
    assert torch.equal(resample(signal, source_rate=44100, target_rate=44100), signal)


@pytest.mark.parametrize(("n_samples", "expected"), [(0, 0), (1, 1), (2, 1), (3, 2)])
def test_halves_round_up(n_samples: int, expected: int) -> None:
    assert resampled_length(n_samples, source_rate=2, target_rate=1) == expected
    assert resample(torch.ones(2, n_samples), source_rate=16000, target_rate=8000).shape == (2, expected)


def test_long_lengths_are_exact_integers() -> None:
    assert resampled_length(10**15 + 1, source_rate=44100, target_rate=44100) == 10**15 + 1


@pytest.mark.parametrize("rates", [(0, 8000), (8000, 0), (-1, 8000)])
def test_rates_must_be_positive(rates: tuple[int, int]) -> None:
    with pytest.raises(AudioError, match="positive"):
        StreamResampler(*rates, 1)


def test_wrong_shapes_and_late_blocks_are_refused() -> None:
    resampler = StreamResampler(8000, 16000, 2)
    with pytest.raises(AudioError, match="block must be"):
        resampler.process(torch.zeros(1, 4))
    with pytest.raises(AudioError, match="samples must be"):
        resample(torch.zeros(4), source_rate=1, target_rate=1)
    resampler.process(torch.zeros(2, 4), last=True)
    with pytest.raises(AudioError, match="last block"):
        resampler.process(torch.zeros(2, 4))
