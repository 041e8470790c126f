"""The transform is the textbook's, and its inverse gives every sample back."""

import pytest
import torch

from unbraid.audio.stft import Stft


@pytest.mark.parametrize("n_samples", [1, 31, 32, 33, 100, 640, 1001])
@pytest.mark.parametrize("reflect", [False, True])
@pytest.mark.parametrize("window", ["sqrt-hann", "hann"])
def test_inverse_gives_every_sample_back(n_samples, reflect, window):
    samples = torch.randn(2, 3, n_samples, generator=torch.Generator().manual_seed(n_samples))
    stft = Stft(64, 16, window=window, reflect=reflect)
    spectrogram = stft(samples)
    n_frames = max(n_samples, 33) // 16 + 1 if reflect else -(-n_samples // 16) + 1
    assert spectrogram.shape == (2, 3, 33, n_frames)
    torch.testing.assert_close(stft.inverse(spectrogram, length=n_samples), samples, atol=1e-5, rtol=0)


def test_reflect_is_the_transform_of_the_mirrored_signal():
    samples = torch.randn(200, generator=torch.Generator().manual_seed(0))
    mirrored = torch.cat([samples[1:33].flip(0), samples, samples[-33:-1].flip(0)])
    frames = mirrored.unfold(0, 64, 16) * torch.hann_window(64)
    expected = torch.fft.rfft(frames).T
    torch.testing.assert_close(Stft(64, 16, window="hann", reflect=True)(samples), expected, atol=1e-4, rtol=1e-4)


def test_unknown_window_is_refused():
    with pytest.raises(ValueError, match="sqrt-hann, hann"):
        Stft(64, 16, window="hamming")
