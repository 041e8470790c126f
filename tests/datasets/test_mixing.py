import numpy as np
import pytest
import torch

from unbraid.datasets.draws import MixDraw, MixSettings, PartDraw, SourceDraw, draw_batch
from unbraid.datasets.mixing import apply, limit_band, normalize_
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError

RATE, N = 8000, 16000


def draw_of(*sources, band_rate=RATE):
    return MixDraw(RATE, N, band_rate, sources)


def part(name, *, start=0, n_samples=N, offset=0, gain_db=0.0):
    return PartDraw(name, 0, start, n_samples, offset, gain_db)


def one(prompt, name, *, gain_db=0.0, asked=True, band_rate=RATE, **more):
    return SourceDraw(prompt, (part(name, **more),), gain_db, band_rate, asked)


def rms_db(samples):
    return 20 * float(torch.log10(samples.square().mean().sqrt()))


def power_above(samples, frequency):
    spectrum = torch.fft.rfft(samples * torch.hann_window(len(samples))).abs().square()
    return float(spectrum[round(frequency * len(samples) / RATE) :].sum() / spectrum.sum())


@pytest.fixture
def small(source):
    return SourcePool(
        [source("a", "speech", seed=1), source("b", "drums", seed=2), source("short", "sfx", seconds=0.5)]
    )


def test_mixture_is_the_sum_of_references_at_their_gains(small):
    item = apply(draw_of(one("speech", "a", gain_db=-3.0), one("drums", "b", gain_db=-9.0, start=100)), small)
    assert item.mixture.shape == (N,)
    assert item.references.shape == (2, N)
    assert item.prompts == ("speech", "drums")
    assert not item.silent.any()
    torch.testing.assert_close(item.mixture, item.references.sum(dim=0))
    assert rms_db(item.references[0]) == pytest.approx(-3.0, abs=1e-3)
    assert rms_db(item.references[1]) == pytest.approx(-9.0, abs=1e-3)


def test_samples_are_those_of_the_crop(small):
    item = apply(draw_of(one("speech", "a", start=1234)), small)
    expected = torch.from_numpy(small["a"].read(1234, 1234 + N))
    torch.testing.assert_close(item.mixture, expected / expected.square().mean().sqrt())


def test_short_sources_are_padded_and_the_padding_counts(small):
    item = apply(draw_of(one("sfx", "short", n_samples=4000, offset=7000)), small)
    assert not item.mixture[:7000].any()
    assert not item.mixture[11000:].any()
    assert item.mixture[7000:11000].all()
    assert rms_db(item.mixture) == pytest.approx(0.0, abs=1e-3)
    assert rms_db(item.mixture[7000:11000]) == pytest.approx(6.02, abs=0.01)


def test_dropped_prompts_still_sound(small):
    sources = (one("speech", "a"), one("drums", "b", asked=False))
    item = apply(draw_of(*sources), small)
    everything = apply(draw_of(one("speech", "a"), one("drums", "b")), small)
    assert item.prompts == ("speech",)
    torch.testing.assert_close(item.mixture, everything.mixture, rtol=0, atol=0)
    torch.testing.assert_close(item.references, everything.references[:1], rtol=0, atol=0)


def test_absent_prompts_change_nothing(small):
    item = apply(draw_of(SourceDraw("vocals"), one("speech", "a")), small)
    assert item.prompts == ("vocals", "speech")
    assert item.silent.tolist() == [True, False]
    assert not item.references[0].any()
    torch.testing.assert_close(item.mixture, apply(draw_of(one("speech", "a")), small).mixture)


def test_parts_of_a_group_have_their_own_gains(small):
    parts = (part("a", gain_db=0.0), part("b", gain_db=-20.0))
    item = apply(draw_of(SourceDraw("music-mix", parts, -6.0, RATE)), small)
    pieces = [
        normalize_(torch.from_numpy(small[name].read(0, N)), gain_db=gain) for name, gain in (("a", 0), ("b", -20))
    ]
    expected = normalize_(pieces[0] + pieces[1], gain_db=-6.0)
    torch.testing.assert_close(item.references[0], expected)


def test_narrow_sources_limit_the_others(small):
    item = apply(draw_of(one("speech", "a", band_rate=4000), one("drums", "b"), band_rate=4000), small)
    assert power_above(item.references[1], 2000) < 1e-6
    assert rms_db(item.references[1]) == pytest.approx(0.0, abs=1e-3)
    # The narrow one is left as it is.
    torch.testing.assert_close(item.references[0], apply(draw_of(one("speech", "a")), small).references[0])


def test_parts_are_limited_to_the_narrowest_part(source):
    pool = SourcePool([source("wide", "sfx", seed=1), source("narrow", "sfx", seed=2, band_rate=4000)])
    parts = (part("wide"), part("narrow", gain_db=-100.0))
    item = apply(draw_of(SourceDraw("sfx-mix", parts, 0.0, 4000)), pool)
    assert power_above(item.mixture, 2000) < 1e-6


def test_other_rates_are_resampled(source):
    seconds = torch.arange(44100) / 22050
    tone = torch.sin(2 * torch.pi * 440 * seconds).numpy()
    pool = SourcePool([source("tone", "other", tone, rate=22050)])
    item = apply(draw_of(one("other", "tone", n_samples=44100, band_rate=22050)), pool)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(N) / RATE) * 2**0.5
    assert (item.mixture - expected)[400:-400].abs().max() < 2e-3


def test_replay_through_json_is_bit_identical(pool, dice):
    settings = MixSettings(sample_rate=RATE, duration=2.0, p_dropout=0.5, p_absent=0.5)
    for draw in draw_batch(dice, pool, settings, 6):
        first, second = apply(draw, pool), apply(MixDraw.from_json(draw.to_json()), pool)
        assert torch.equal(first.mixture, second.mixture)
        assert torch.equal(first.references, second.references)


def test_stored_samples_are_not_changed(source):
    samples = np.random.default_rng(0).standard_normal((1, N)).astype(np.float32)
    pool = SourcePool([source("a", "speech", samples)])
    before = samples.copy()
    apply(draw_of(one("speech", "a", gain_db=-7.0)), pool)
    np.testing.assert_array_equal(samples, before)


def test_a_draw_of_another_pool_is_refused(small):
    with pytest.raises(DatasetError, match="no source called nobody"):
        apply(draw_of(one("speech", "nobody")), small)


def test_silence_is_not_normalized():
    assert not normalize_(torch.zeros(10), gain_db=3.0).any()


@pytest.mark.parametrize("n_samples", [100, 16000, 16001])
def test_limit_band_keeps_low_and_removes_high(n_samples):
    low = torch.sin(2 * torch.pi * 700 * torch.arange(n_samples) / RATE)
    high = torch.sin(2 * torch.pi * 3100 * torch.arange(n_samples) / RATE)
    limited = limit_band(torch.stack([low, high, low + high]), sample_rate=RATE, band_rate=4000)
    assert limited.shape == (3, n_samples)
    torch.testing.assert_close(limited[2], limited[0] + limited[1])
    inside = slice(n_samples // 3, -n_samples // 3)
    assert (limited[0] - low)[inside].abs().max() < 0.05
    assert limited[1][inside].abs().max() < 0.05


def test_limit_band_does_not_wrap_around():
    impulse = torch.zeros(4000)
    impulse[-1] = 1.0
    assert limit_band(impulse, sample_rate=RATE, band_rate=2000)[:1000].abs().max() < 1e-4
