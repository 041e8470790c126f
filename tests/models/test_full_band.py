"""From a narrow mono estimate to a stem with all channels and the full band."""

import math

import pytest
import torch

from unbraid.audio.resample import resample
from unbraid.errors import AudioError
from unbraid.evaluation.metrics import sdr
from unbraid.models.layers.full_band import (
    EDGE,
    GUESSED,
    analyze,
    auditory_bands,
    covariance,
    diagonalize,
    full_band,
    power,
    ratio_mask,
    wiener,
)

RATE, N_SAMPLES = 44100, 66150
TIME = torch.arange(N_SAMPLES) / RATE


def narrow(samples: torch.Tensor) -> torch.Tensor:
    """Mean of channels ``[B, C, N]`` at 16 kHz: ``[B, n]``."""
    return resample(samples.mean(dim=1), source_rate=RATE, target_rate=16000)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def above(samples: torch.Tensor, hertz: float) -> torch.Tensor:
    spectrum = torch.fft.rfft(samples)
    spectrum[..., : round(hertz * samples.shape[-1] / RATE)] = 0
    return torch.fft.irfft(spectrum, n=samples.shape[-1])


def pulsed(source: torch.Tensor, hertz: float, *, late: bool) -> torch.Tensor:
    """Let a source sound in every other half period."""
    return source * (((TIME * hertz) % 1 < 0.5) ^ late)


def two_sources() -> tuple[torch.Tensor, torch.Tensor]:
    """Noises that sound at overlapping times, ``[1, 2, N]`` each: one rather left, one rather right."""
    left = pulsed(noise(0, N_SAMPLES), 3.0, late=False) * torch.tensor([[1.0], [0.3]])
    right = pulsed(noise(1, N_SAMPLES), 4.0, late=True) * torch.tensor([[0.2], [0.9]])
    return left[None], right[None]


def balance_db(samples: torch.Tensor) -> float:
    energies = samples.square().sum(dim=-1).flatten()
    return float(10 * (energies[0] / energies[1]).log10())


@pytest.mark.parametrize("n_channels", [1, 2, 3, 8])
@pytest.mark.parametrize("n_samples", [1, 2, 700, 882, 44100, 50003])
def test_length_and_channels_are_kept(n_channels, n_samples):
    mixture = noise(0, 2, n_channels, n_samples)
    before = mixture.clone()
    stem = full_band(narrow(mixture), mixture)
    assert stem.shape == mixture.shape
    assert stem.dtype == torch.float32
    assert bool(stem.isfinite().all())
    assert torch.equal(mixture, before)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_an_estimate_of_everything_returns_the_mixture(n_channels):
    mixture = noise(0, 1, n_channels, N_SAMPLES) + 0.2 * torch.sin(2 * math.pi * 440 * TIME)
    stem = full_band(narrow(mixture), mixture)
    assert float(sdr(estimate=stem, reference=mixture)) > 35
    assert float(sdr(estimate=above(stem, 8000), reference=above(mixture, 8000))) > 30


@pytest.mark.parametrize("doubt", [0.0, 2.0, math.inf])
@pytest.mark.parametrize("kind", ["noise", "silence", "constant"])
def test_a_silent_estimate_returns_silence(kind, doubt):
    mixture = {
        "noise": noise(0, 1, 2, N_SAMPLES),
        "silence": torch.zeros(1, 2, 9000),
        "constant": torch.ones(1, 2, 9000),
    }
    stem = full_band(torch.zeros_like(narrow(mixture[kind])), mixture[kind], doubt=doubt)
    assert float(stem.abs().max()) == 0


@pytest.mark.parametrize("doubt", [0.0, 2.0, math.inf])
def test_silence_and_constants_are_finite(doubt):
    constant = torch.full((1, 2, 9000), 0.5)
    stem = full_band(torch.full((1, 3265), 0.5), constant, doubt=doubt)
    assert float((stem - constant).abs()[..., 2000:-2000].max()) < 0.01
    assert float(full_band(noise(0, 1, 3265), torch.zeros(1, 2, 9000), doubt=doubt).abs().max()) < 1e-3


def test_frames_in_which_the_estimate_is_silent_are_silent():
    mixture = noise(0, 1, 2, N_SAMPLES)
    estimate = narrow(mixture)
    estimate[:, 12000:] = 0
    stem = full_band(estimate, mixture)
    quiet = 12000 * RATE // 16000 + 4 * 882
    assert float(stem[..., quiet:].abs().max()) == 0
    assert float(stem[..., : N_SAMPLES // 2].abs().max()) > 0.1


def test_panned_sources_come_out_panned():
    left, right = two_sources()
    for stem, rest in ((left, right), (right, left)):
        drawn = full_band(narrow(stem), stem + rest)
        assert balance_db(drawn) == pytest.approx(balance_db(stem), abs=2.0)  # that of the mixture is 0 dB
        assert float(sdr(estimate=drawn, reference=stem)) > 10
        assert float(sdr(estimate=stem + rest - drawn, reference=rest)) > 10


def test_what_is_above_the_estimate_is_drawn_out_where_envelopes_tell():
    left, right = two_sources()
    drawn = full_band(narrow(left), left + right)
    high = above(left, 8000)
    assert float(sdr(estimate=above(drawn, 8000), reference=high)) > 8
    assert balance_db(above(drawn, 8000)) == pytest.approx(balance_db(high), abs=4.0)


def test_a_target_that_ends_below_the_edge_takes_nothing_above_it():
    bass = 0.3 * torch.sin(2 * math.pi * 110 * TIME).expand(1, 2, -1)
    cymbals = above(noise(0, 1, 2, N_SAMPLES), 3000)
    drawn = full_band(narrow(bass), bass + cymbals)
    assert float(above(drawn, 8000).square().sum() / above(cymbals, 8000).square().sum()) < 1e-3
    assert float(sdr(estimate=drawn, reference=bass)) > 20


def test_no_bin_is_louder_than_the_mixture():
    mixture = noise(0, 1, 2, N_SAMPLES)
    spectra = analyze(5 * noise(1, 1, 24000), mixture)
    low = spectra[1][..., :EDGE, :]
    stem = wiener(spectra[0], low, first=ratio_mask(spectra[0], low) * low, doubt=0.0)
    assert bool((power(stem).sum(dim=1) <= power(low).sum(dim=1) * 1.0001).all())


def test_the_doubt_goes_from_the_wave_to_the_mask():
    left, right = two_sources()
    scores = [
        float(sdr(estimate=full_band(narrow(left), left + right, doubt=doubt), reference=left))
        for doubt in (0.0, 1.0, 4.0, math.inf)
    ]
    assert scores == sorted(scores, reverse=True)


def test_level_does_not_matter():
    left, right = two_sources()
    loud = full_band(narrow(left), left + right)
    quiet = full_band(1e-4 * narrow(left), 1e-4 * (left + right))
    torch.testing.assert_close(quiet * 1e4, loud, atol=1e-4, rtol=1e-3)


def test_a_batch_equals_its_items():
    left, right = two_sources()
    mixtures = torch.cat([left + right, 0.01 * (left + right), noise(5, 1, 2, N_SAMPLES)])
    estimates = narrow(torch.cat([left, 0.01 * right, noise(6, 1, 2, N_SAMPLES)]))
    together = full_band(estimates, mixtures)
    for index in range(3):
        alone = full_band(estimates[index : index + 1], mixtures[index : index + 1])[0]
        torch.testing.assert_close(together[index], alone, atol=1e-5, rtol=1e-4)


def test_both_rates_have_the_same_bins_and_frames():
    wave = noise(0, 1, 2, N_SAMPLES)
    low, whole = analyze(narrow(wave), wave)
    assert low.shape[1] == EDGE < whole.shape[2] == GUESSED[-1]
    middle = whole[:, :, :EDGE].mean(dim=1)[..., 3:-3]
    assert float((low[..., 3:-3] - middle).abs().square().mean() / middle.abs().square().mean()) < 1e-3


def test_covariances_are_diagonalized_together():
    image = torch.randn(2, 3, EDGE, 20, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    bands = auditory_bands(EDGE)
    target = covariance(image * torch.tensor([1.0, 2.0, 0.1]).view(1, 3, 1, 1), torch.ones(2, EDGE, 20), bands)
    rest = covariance(image.flip(1), torch.ones(2, EDGE, 20), bands)
    away, back, powers = diagonalize(target, rest)
    torch.testing.assert_close(away @ back, torch.eye(3).expand_as(away), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(back @ powers.diag_embed() @ back.transpose(-1, -2), target, atol=0.1, rtol=0.05)
    torch.testing.assert_close(back @ back.transpose(-1, -2), rest, atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("estimate", "mixture", "doubt", "told"),
    [
        ((1, 16000), (2, 44100), 2.0, "must be"),
        ((2, 16000), (1, 2, 44100), 2.0, "must be"),
        ((1, 0), (1, 2, 0), 2.0, "neither empty"),
        ((1, 44100), (1, 2, 44100), 2.0, "16000 Hz"),
        ((1, 16000), (1, 2, 44100), -1.0, "doubt"),
        ((1, 16000), (1, 2, 44100), math.nan, "doubt"),
    ],
)
def test_what_does_not_fit_is_refused(estimate, mixture, doubt, told):
    with pytest.raises(AudioError, match=told):
        full_band(torch.zeros(estimate), torch.zeros(mixture), doubt=doubt)
