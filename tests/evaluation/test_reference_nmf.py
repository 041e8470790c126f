import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.metrics import sdr
from unbraid.evaluation.reference_methods import ReferenceModel, find_reference
from unbraid.evaluation.reference_nmf import Nmf, NmfSettings, train_bases

RATE = 8000
SETTINGS = NmfSettings(n_bases=6, n_iterations=60)


def notes(partials: tuple[float, ...], seed: int, n_channels: int = 1) -> Tensor:
    """Notes of a scale in random order, with a timbre given by their partials."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(RATE // 4) / RATE
    pitches = [300.0, 400.0, 500.0]
    order = torch.randint(len(pitches), (12,), generator=generator).tolist()
    played = [
        sum(level * torch.sin(2 * torch.pi * pitches[one] * k * time) for k, level in enumerate(partials, start=1))
        for one in order
    ]
    return 0.2 * torch.cat([one * torch.hann_window(len(time)) for one in played]).expand(n_channels, -1)


DULL, SHARP = (1.0, 0.0, 0.3), (0.0, 1.0, 0.0, 0.8, 0.0, 0.9)


@pytest.fixture(scope="module")
def method() -> Nmf:
    pytest.importorskip("sklearn", reason="needs the extra references")
    solos = {"organ": [Audio(notes(DULL, 1), RATE)], "brass": [Audio(notes(SHARP, 2), RATE)]}
    return train_bases(solos, settings=SETTINGS)


def test_bases_of_solos_separate_another_mixture(method: Nmf):
    organ, brass = notes(DULL, 11, 2), notes(SHARP, 12, 2)
    mixture = Audio(organ + brass, RATE)
    truth = {"organ": Audio(organ, RATE), "brass": Audio(brass, RATE)}
    answers = method.separate(mixture, truth)
    for name, reference in truth.items():
        floor = float(sdr(estimate=mixture.samples, reference=reference.samples))
        assert float(sdr(estimate=answers[name].samples, reference=reference.samples)) > floor + 8
    torch.testing.assert_close(answers["organ"].samples + answers["brass"].samples, mixture.samples, atol=1e-5, rtol=0)


def test_another_rate_comes_back_as_it_went_in(method: Nmf):
    mixture = Audio(torch.randn(1, 11_025, generator=torch.Generator().manual_seed(0)), 11_025)
    answers = method.separate(mixture, {"organ": mixture, "brass": mixture})
    assert {(one.n_samples, one.sample_rate) for one in answers.values()} == {(11_025, 11_025)}


def test_silence_stays_silence(method: Nmf):
    silence = Audio(torch.zeros(1, 3000), RATE)
    assert not method.separate(silence, {"organ": silence, "brass": silence})["organ"].samples.any()


def test_learning_is_repeatable_and_a_file_brings_it_back(method: Nmf, tmp_path: Path):
    solos = {"organ": [Audio(notes(DULL, 1), RATE)], "brass": [Audio(notes(SHARP, 2), RATE)]}
    assert repr(train_bases(solos, settings=SETTINGS)) == repr(method)
    method.save(tmp_path / "bases.safetensors")
    again = find_reference(f"nmf:{tmp_path / 'bases.safetensors'}")
    assert repr(again) == repr(method)
    assert ReferenceModel(again).vocabulary == ("organ", "brass")
    others = [Nmf({"organ": rows}, RATE, SETTINGS) for rows in (torch.ones(6, 9), torch.zeros(6, 9))]
    assert all(repr(one) != repr(other) for one, other in itertools.combinations([method, *others], 2))


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path):
    pytest.importorskip("sklearn", reason="needs the extra references")
    tone, silence = Audio(notes(DULL, 1), RATE), Audio(torch.zeros(1, 3000), RATE)
    with pytest.raises(DatasetError, match="8000 and 16000 Hz"):
        train_bases({"organ": [tone], "brass": [Audio(tone.samples, 16_000)]})
    with pytest.raises(DatasetError, match="got no Hz"):
        train_bases({})
    with pytest.raises(DatasetError, match="brass: none of its recordings sounds"):
        train_bases({"organ": [tone], "brass": [silence]}, settings=SETTINGS)
    save_file({"organ": torch.ones(2, 9)}, tmp_path / "weights.safetensors")
    with pytest.raises(SettingsError, match="of something else"):
        Nmf.load(tmp_path / "weights.safetensors")
