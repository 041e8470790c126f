"""Mel filter banks against the formulas of the scales, worked by hand."""

import math

import pytest
import torch

from unbraid.audio.mel import hz_to_mel, mel_filter_bank, mel_to_hz


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_scales_are_inverse(scale):
    hz = torch.linspace(0, 24000, 500, dtype=torch.float64)
    torch.testing.assert_close(mel_to_hz(hz_to_mel(hz, scale=scale), scale=scale), hz)


@pytest.mark.parametrize(
    ("scale", "hz", "mel"),
    [
        ("slaney", 200.0, 3.0),
        ("slaney", 1000.0, 15.0),
        ("slaney", 6400.0, 42.0),
        ("slaney", 4000.0, 15 + 27 * math.log(4) / math.log(6.4)),
        ("htk", 700.0, 2595 * math.log10(2)),
        ("htk", 6300.0, 2595.0),
    ],
)
def test_scales(scale, hz, mel):
    assert float(hz_to_mel(torch.tensor(hz, dtype=torch.float64), scale=scale)) == pytest.approx(mel)


def plain_bank(sample_rate, n_fft, n_mels, f_min, f_max, to_mel, to_hz):
    """Triangles one by one, in plain Python."""
    low, high = to_mel(f_min), to_mel(f_max)
    edges = [to_hz(low + (high - low) * i / (n_mels + 1)) for i in range(n_mels + 2)]
    rows = []
    for below, center, above in zip(edges, edges[1:], edges[2:], strict=False):
        row = []
        for index in range(n_fft // 2 + 1):
            hz = index * sample_rate / n_fft
            if below < hz <= center:
                row.append((hz - below) / (center - below))
            elif center < hz < above:
                row.append((above - hz) / (above - center))
            else:
                row.append(0.0)
        rows.append(row)
    return torch.tensor(rows), torch.tensor(edges)


def htk(hz):
    return 2595 * math.log10(1 + hz / 700)


def htk_back(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def slaney(hz):
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def slaney_back(mel):
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


@pytest.mark.parametrize(("scale", "there", "back"), [("htk", htk, htk_back), ("slaney", slaney, slaney_back)])
@pytest.mark.parametrize(("f_min", "f_max"), [(0.0, 4000.0), (60.0, 3200.0)])
def test_bank(scale, there, back, f_min, f_max):
    plain, edges = plain_bank(8000, 256, 20, f_min, f_max, there, back)
    sizes = {"sample_rate": 8000, "n_fft": 256, "n_mels": 20, "f_min": f_min, "f_max": f_max}
    bank = mel_filter_bank(**sizes, scale=scale)
    assert bank.shape == (20, 129)
    assert bank.dtype == torch.float32
    torch.testing.assert_close(bank, plain, atol=1e-5, rtol=1e-4)
    by_area = mel_filter_bank(**sizes, scale=scale, norm="area")
    torch.testing.assert_close(by_area, plain * (2 / (edges[2:] - edges[:-2]))[:, None], atol=1e-7, rtol=1e-4)


def test_triangles_have_height_or_area_one():
    fine = {"sample_rate": 8000, "n_fft": 1 << 15, "n_mels": 10}
    assert torch.allclose(mel_filter_bank(**fine).amax(dim=1), torch.ones(10), atol=0.01)
    area = mel_filter_bank(**fine, norm="area").sum(dim=1) * 8000 / (1 << 15)
    assert torch.allclose(area, torch.ones(10), atol=0.01)


def test_inner_bins_are_shared_out_completely():
    bank = mel_filter_bank(sample_rate=22050, n_fft=1024, n_mels=128)
    assert torch.allclose(bank.sum(dim=0)[2:-20], torch.ones(491), atol=1e-5)


def test_bands_that_are_narrower_than_bins_are_empty():
    def n_empty(n_fft):
        bank = mel_filter_bank(sample_rate=22050, n_fft=n_fft, n_mels=128)
        return int((bank.sum(dim=1) == 0).sum())

    assert n_empty(1024) == 0
    assert n_empty(256) > 0


def test_slaney_tells_the_lowest_bands_of_the_example_encoder_apart():
    def rank(scale):
        return int(torch.linalg.matrix_rank(mel_filter_bank(sample_rate=22050, n_fft=1024, n_mels=128, scale=scale)))

    assert rank("slaney") == 128
    assert rank("htk") < 128


@pytest.mark.parametrize(
    "wrong",
    [{"f_min": 5000.0}, {"f_max": 4001.0}, {"f_min": -1.0}, {"n_mels": 0}, {"scale": "bark"}, {"norm": "slaney"}],
)
def test_values_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"bands|one of"):
        mel_filter_bank(**{"sample_rate": 8000, "n_fft": 256, "n_mels": 20, **wrong})
