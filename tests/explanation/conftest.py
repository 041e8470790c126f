"""A small network, and a song."""

import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.models.lasaft import PRESETS, Lasaft


@pytest.fixture(scope="session")
def lasaft():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Lasaft(PRESETS["lasaft-debug"]).eval()


@pytest.fixture
def make_song(tmp_path):
    def make(n_samples, *, sample_rate=44100, n_channels=2, name="song.wav"):
        generator = torch.Generator().manual_seed(0)
        loudness = torch.linspace(0, 6, n_samples).sin().abs()
        samples = 0.3 * loudness * torch.rand(n_channels, n_samples, generator=generator)
        return write_audio(tmp_path / name, Audio(samples, sample_rate), encoding=Encoding("wav", "float")).path

    return make
