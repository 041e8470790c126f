import importlib

import pytest
import torch
from torch import Tensor

from unbraid.errors import SettingsError
from unbraid.evaluation.perceptual import pesq, stoi

RATE = 16000


def speech_like(seconds: float = 3.0, seed: int = 0) -> Tensor:
    """Syllables of a buzz through two resonances, with pauses."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 20 * torch.sin(2 * torch.pi * 0.7 * time)
    phase = 2 * torch.pi * torch.cumsum(pitch, 0) / RATE
    voice = sum(torch.sin(k * phase) / (1 + ((k * 120 - 700) / 400) ** 2) for k in range(1, 30))
    syllables = (torch.sin(2 * torch.pi * 2.3 * time) > -0.3).float()
    breath = 0.02 * torch.randn(len(time), generator=generator)
    return 0.1 * (voice + breath) * torch.nn.functional.avg_pool1d(syllables[None], 801, 1, 400)[0]


def noisy(speech: Tensor, level: float) -> Tensor:
    return speech + level * torch.randn(speech.shape, generator=torch.Generator().manual_seed(1))


def test_pesq_is_that_of_its_package():
    package = pytest.importorskip("pesq", reason="needs the extra perceptual")
    speech = speech_like()
    rows = torch.stack([noisy(speech, 0.001), noisy(speech, 0.05)])
    found = pesq(estimate=rows, reference=speech, sample_rate=RATE)
    expected = [package.pesq(RATE, speech.double().numpy(), one.double().numpy(), "wb") for one in rows]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert found[0] > found[1] + 0.5
    assert pesq(estimate=torch.zeros_like(speech), reference=speech, sample_rate=RATE).isnan()
    assert pesq(estimate=speech, reference=torch.zeros_like(speech), sample_rate=RATE).isnan()
    assert pesq(estimate=speech[:9], reference=speech[:9], sample_rate=RATE).isnan()


@pytest.mark.parametrize("extended", [False, True])
def test_stoi_is_that_of_its_package(extended: bool):
    package = pytest.importorskip("pystoi", reason="needs the extra perceptual")
    speech = speech_like()
    rows = torch.stack([noisy(speech, 0.001), noisy(speech, 0.1)])
    found = stoi(estimate=rows, reference=speech, sample_rate=10_000, extended=extended)
    expected = [package.stoi(speech.double().numpy(), one.double().numpy(), 10_000, extended) for one in rows]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert found[0] > found[1]
    other_rate = stoi(estimate=rows[0], reference=speech, sample_rate=RATE, extended=extended)
    assert other_rate.item() == pytest.approx(package.stoi(speech.numpy(), rows[0].numpy(), RATE, extended), abs=0.01)
    assert stoi(estimate=speech, reference=torch.zeros_like(speech), sample_rate=RATE).isnan()
    assert stoi(estimate=speech[:9], reference=speech[:9], sample_rate=RATE).isnan()
    brief = torch.cat([speech[:3000], torch.zeros(8000)])
    assert stoi(estimate=brief, reference=brief, sample_rate=10_000, extended=extended).isnan()


@pytest.mark.parametrize(("measure", "name"), [(pesq, "pesq"), (stoi, "pystoi")])
def test_a_missing_package_is_named(measure, name: str, monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(SettingsError, match=rf"{name} is not installed .*unbraid\[perceptual\]"):
        measure(estimate=torch.ones(9), reference=torch.ones(9), sample_rate=RATE)


@pytest.mark.parametrize("measure", [pesq, stoi])
def test_signals_of_different_lengths_are_refused(measure):
    pytest.importorskip("pesq" if measure is pesq else "pystoi", reason="needs the extra perceptual")
    with pytest.raises(ValueError, match="9 and 10 samples"):
        measure(estimate=torch.ones(9), reference=torch.ones(10), sample_rate=RATE)
