"""Recordings on their way into an encoder: channels, windows, lengths, rates."""

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.recordings import Example
from unbraid.models.layers.recordings import WindowCutter, down_mix

CUTTER = WindowCutter(1000, 3.0, min_samples=100)


def ramp(n_samples: int, rate: int = 1000) -> Audio:
    return Audio(1 + torch.arange(n_samples, dtype=torch.float32)[None], rate)


def windows(cutter: WindowCutter, recording: Audio) -> torch.Tensor:
    return torch.cat(list(cutter.cut(recording)))


def test_down_mix():
    noise = torch.randn(4, 1, 500)
    torch.testing.assert_close(down_mix(torch.cat([noise, noise], dim=1)), noise[:, 0])
    torch.testing.assert_close(down_mix(torch.cat([noise, -2 * noise, noise], dim=1)), -2 * noise[:, 0])
    both = torch.randn(4, 2, 500)
    torch.testing.assert_close(down_mix(both), both.mean(dim=1))
    assert torch.equal(down_mix(torch.zeros(1, 2, 5)), torch.zeros(1, 5))


@pytest.mark.parametrize("n_samples", [100, 2999, 3000])
def test_short_recordings_are_one_window(n_samples):
    assert torch.equal(windows(CUTTER, ramp(n_samples)), ramp(n_samples).samples)


@pytest.mark.parametrize(("n_samples", "starts"), [(3001, [0, 1]), (6000, [0, 3000]), (7000, [0, 2000, 4000])])
def test_windows_cover_the_recording_evenly(n_samples, starts):
    cut = windows(CUTTER, ramp(n_samples))
    assert cut.shape == (len(starts), 3000)
    assert (cut[:, 0] - 1).tolist() == starts
    assert int(cut[-1, -1]) == n_samples


def test_silent_windows_are_left_out():
    samples = torch.zeros(1, 12_000)
    samples[:, 4000] = 0.5
    cut = windows(CUTTER, Audio(samples, 1000))
    assert len(cut) == 1
    assert float(cut[0, 1000]) == 0.5


def test_an_hour_costs_as_much_as_minutes():
    samples = torch.zeros(1, 3_600_000)
    samples[:, 1_800_000:] = 0.1 * (1 + torch.arange(1_800_000) // 3000)
    batches = list(CUTTER.cut(Audio(samples, 1000)))
    cut = torch.cat(batches)
    assert max(len(batch) for batch in batches) == CUTTER.batch_size
    assert len(cut) == CUTTER.max_windows == 120
    steps = (cut[:, 0] * 10).round().diff()
    assert bool((steps == 5).all())  # 600 windows sound: every fifth is taken


@pytest.mark.parametrize("rate", [500, 1000, 44100])
def test_windows_have_the_rate_of_the_network(rate):
    cut = windows(CUTTER, Audio(torch.rand(2, 7 * rate), rate))
    assert cut.shape == (3, 3000)


def test_too_short():
    with pytest.raises(GuideError, match=r"an example of 0.05 s is too short: this model needs at least 0.10 s"):
        windows(CUTTER, ramp(50))
    with pytest.raises(GuideError, match="too short"):
        windows(CUTTER, ramp(198, 2000))
    with pytest.raises(GuideError, match=r"target 'lead': example riff.wav of 0.05 s is too short: this model needs"):
        windows(CUTTER, Example(ramp(50).samples, 1000, "target 'lead': example riff.wav"))
    assert windows(CUTTER, ramp(199, 2000)).shape == (1, 100)  # 99.5 samples are rounded up
