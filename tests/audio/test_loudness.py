import math

import numpy as np
import pytest
import torch

from unbraid.audio.loudness import k_weighting, loudness_lufs, peak_db, rms_db
from unbraid.errors import AudioError

STANDARD_48K = [  # ITU-R BS.1770-4, tables 1 and 2
    ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]),
    ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]),
]


def sine(rate: int, *, frequency: float = 997.0, level_db: float = 0.0, seconds: float = 5.0) -> torch.Tensor:
    time = torch.arange(round(rate * seconds), dtype=torch.float64) / rate
    return (10 ** (level_db / 20) * torch.sin(2 * math.pi * frequency * time)).float()


def test_filters_are_those_of_the_standard_at_48_khz() -> None:
    frequencies = np.linspace(0, 0.5, 4097)
    delay = np.exp(-2j * np.pi * frequencies)
    expected = np.ones_like(delay)
    for numerator, denominator in STANDARD_48K:
        expected = expected * np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
    np.testing.assert_allclose(k_weighting(frequencies, 48000), expected, atol=1e-8)


@pytest.mark.parametrize("rate", [32000, 44100, 48000, 96000, 192000, 11025])
def test_full_scale_sine_in_one_channel_of_two_reads_minus_three(rate: int) -> None:
    stereo = torch.stack([sine(rate), torch.zeros(5 * rate)])
    assert loudness_lufs(stereo, rate) == pytest.approx(-3.01, abs=0.01 if rate in (44100, 48000) else 0.05)


def test_two_channels_read_three_decibels_more_than_one() -> None:
    mono = sine(48000, level_db=-23)[None]
    assert loudness_lufs(mono.repeat(2, 1), 48000) - loudness_lufs(mono, 48000) == pytest.approx(3.01, abs=0.01)


# EBU Tech 3341, cases 1 to 5: stereo sines of 1 kHz in phase, (level in dBFS, seconds)
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23.0, 20)], -23.0),
        ([(-33.0, 20)], -33.0),
        ([(-36.0, 10), (-23.0, 60), (-36.0, 10)], -23.0),
        ([(-72.0, 10), (-36.0, 10), (-23.0, 60), (-36.0, 10), (-72.0, 10)], -23.0),
        ([(-26.0, 20), (-20.0, 20.1), (-26.0, 20)], -23.0),
    ],
)
def test_reference_sequences_of_the_ebu(parts: list[tuple[float, float]], expected: float) -> None:
    mono = torch.cat([sine(48000, frequency=1000, level_db=level, seconds=seconds) for level, seconds in parts])
    assert loudness_lufs(mono.repeat(2, 1), 48000) == pytest.approx(expected, abs=0.1)


def test_reference_with_five_channels_of_the_ebu() -> None:
    left, center, surround = (sine(48000, frequency=1000, level_db=level) for level in (-28.0, -24.0, -30.0))
    low = sine(48000, frequency=1000)  # the low-frequency channel does not count, however loud it is
    samples = torch.stack([left, left, center, low, surround, surround])
    assert loudness_lufs(samples, 48000) == pytest.approx(-23.0, abs=0.1)
    assert loudness_lufs(samples[[0, 1, 2, 4, 5]], 48000) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(("n_channels", "side"), [(4, 2), (5, 4), (6, 5), (7, 6), (8, 7)])
def test_sides_weigh_more_than_the_front(n_channels: int, side: int) -> None:
    readings = []
    for channel in (0, side):
        samples = torch.zeros(n_channels, 48000)
        samples[channel] = sine(48000, level_db=-20, seconds=1)
        readings.append(loudness_lufs(samples, 48000))
    assert readings[1] - readings[0] == pytest.approx(10 * math.log10(1.41), abs=1e-4)


def test_level_moves_the_reading_by_as_much() -> None:
    noise = torch.randn(2, 30_000, generator=torch.Generator().manual_seed(0)) * 0.1
    assert loudness_lufs(noise * 0.5, 8000) - loudness_lufs(noise, 8000) == pytest.approx(-6.0206, abs=1e-3)


def test_long_signals_are_measured_without_a_seam() -> None:
    tone = sine(8000, level_db=-20, seconds=35)[None]
    assert loudness_lufs(tone, 8000) == pytest.approx(loudness_lufs(tone[:, : 8000 * 4], 8000), abs=2e-3)


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_silence_and_short_clips_have_no_loudness(rate: int) -> None:
    shortest = math.ceil(0.4 * rate)
    assert loudness_lufs(torch.zeros(2, rate), rate) == -math.inf
    assert loudness_lufs(torch.zeros(2, 0), rate) == -math.inf
    assert loudness_lufs(sine(rate)[None, : shortest - 1], rate) == -math.inf
    assert math.isfinite(loudness_lufs(sine(rate)[None, :shortest], rate))
    assert loudness_lufs(sine(rate, level_db=-80)[None], rate) == -math.inf


def test_samples_are_not_modified() -> None:
    samples = sine(8000)[None]
    before = samples.clone()
    loudness_lufs(samples, 8000)
    rms_db(samples)
    peak_db(samples)
    assert torch.equal(samples, before)


def test_plain_levels() -> None:
    assert rms_db(sine(48000)[None]) == pytest.approx(-3.0103, abs=1e-3)
    assert peak_db(torch.tensor([[0.1, -0.5]])) == pytest.approx(-6.0206, abs=1e-4)
    assert peak_db(torch.tensor([[2.0]])) == pytest.approx(6.0206, abs=1e-4)
    for level in (rms_db, peak_db):
        assert level(torch.zeros(2, 5)) == -math.inf
        assert level(torch.zeros(2, 0)) == -math.inf
        assert math.isnan(level(torch.tensor([[math.nan, 0.0]])))


def test_values_that_are_not_finite_have_no_loudness() -> None:
    samples = sine(8000)[None].clone()
    samples[0, 9000] = math.nan
    assert math.isnan(loudness_lufs(samples, 8000))


def test_wrong_shapes_and_rates_are_refused() -> None:
    for samples in (torch.zeros(9, 8000), torch.zeros(8000)):
        with pytest.raises(AudioError, match="samples must be"):
            loudness_lufs(samples, 8000)
    with pytest.raises(AudioError, match="sample_rate"):
        loudness_lufs(torch.zeros(1, 8000), 4000)
