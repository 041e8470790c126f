from pathlib import Path

import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.loudness import loudness_lufs, peak_db
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError
from unbraid.listening.stimuli import low_anchor, make_stimuli
from unbraid.listening.trials import TrialFiles, find_trials

RATE = 16_000


def noise(seed: int, seconds: float, level: float, channels: int = 1, rate: int = RATE) -> Audio:
    generator = torch.Generator().manual_seed(seed)
    return Audio(level * torch.randn(channels, round(seconds * rate), generator=generator), rate)


def trial_of(folder: Path, sounds: dict[str, Audio]) -> TrialFiles:
    for name, audio in sounds.items():
        write_audio(folder / f"{name}.wav", audio, encoding=Encoding("wav", "float"))
    return find_trials([folder])[0]


def test_all_sounds_of_a_trial_are_equally_loud_and_long(tmp_path: Path) -> None:
    reference = noise(1, 8.0, 0.02)
    reference.samples[:, : 3 * RATE] *= 0.01  # the louder part begins at second 3
    trial = trial_of(tmp_path, {"mixture": noise(2, 8.0, 0.3), "reference": reference, "ours": noise(3, 8.0, 0.001)})
    made = make_stimuli(trial, seconds=4.0)
    assert made.start >= 3.0
    assert set(made.sounds) == {"mixture", "reference", "ours", "anchor"}
    for name, audio in made.sounds.items():
        assert audio.samples.shape == (1, 4 * RATE), name
        assert loudness_lufs(audio.samples, RATE) == pytest.approx(-23.0, abs=0.1), name
        assert audio.samples[:, 0].abs().max() < 1e-3  # faded in


def test_peaks_lower_the_whole_trial_so_that_it_stays_matched(tmp_path: Path) -> None:
    clicks = Audio(torch.zeros(1, 3 * RATE), RATE)
    clicks.samples[0, 800::1600] = 0.9
    trial = trial_of(tmp_path, {"mixture": noise(2, 3.0, 0.1), "reference": noise(1, 3.0, 0.1), "ours": clicks})
    made = make_stimuli(trial, seconds=3.0, loudness=-20.0)
    levels = [loudness_lufs(audio.samples, RATE) for audio in made.sounds.values()]
    assert made.loudness < -20.5
    assert levels == pytest.approx(len(levels) * [made.loudness], abs=0.1)
    assert max(peak_db(audio.samples) for audio in made.sounds.values()) == pytest.approx(-1.0, abs=0.01)


def test_the_anchor_has_nothing_above_3500_hertz() -> None:
    samples = noise(4, 1.0, 0.1).samples
    power = torch.fft.rfft(low_anchor(samples, RATE)).abs().square().flatten()
    whole = torch.fft.rfft(samples).abs().square().flatten()
    assert float(power[3700:].sum()) < 1e-4 * float(whole[3700:].sum())
    assert float(power[100:3000].sum()) == pytest.approx(float(whole[100:3000].sum()), rel=0.02)


def test_rates_and_channels_come_together(tmp_path: Path) -> None:
    sounds = {"mixture": noise(1, 2, 0.1, 2), "reference": noise(2, 2, 0.1, 2), "ours": noise(3, 2, 0.1, 1, 8000)}
    made = make_stimuli(trial_of(tmp_path, sounds), seconds=2.0)
    assert {tuple(audio.samples.shape) for audio in made.sounds.values()} == {(2, 2 * RATE)}


def test_an_estimate_of_silence_stays_silent(tmp_path: Path) -> None:
    quiet = Audio(torch.zeros(1, 2 * RATE), RATE)
    trial = trial_of(tmp_path, {"mixture": noise(1, 2, 0.1), "reference": noise(2, 2, 0.1), "ours": quiet})
    assert not make_stimuli(trial, seconds=2.0).sounds["ours"].samples.any()


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        ({"ours": noise(3, 1.5, 0.1)}, "ours lasts 1.50 s and the reference 2.00 s"),
        ({"reference": Audio(torch.zeros(1, 2 * RATE), RATE)}, "the reference is silent"),
        ({"ours": noise(3, 2.0, 0.1, 2)}, "ours has 2 channels and the reference 1"),
        ({"anchor": noise(3, 2.0, 0.1)}, "anchor is made here"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, sounds: dict[str, Audio], message: str) -> None:
    whole = {"mixture": noise(1, 2, 0.1), "reference": noise(2, 2, 0.1), "ours": noise(3, 2, 0.1), **sounds}
    with pytest.raises(DatasetError, match=message):
        make_stimuli(trial_of(tmp_path, whole), seconds=2.0)


def test_excerpts_have_a_sensible_length(tmp_path: Path) -> None:
    trial = TrialFiles("x", tmp_path / "m.wav", tmp_path / "r.wav", {"ours": tmp_path / "o.wav"})
    with pytest.raises(DatasetError, match="out of range"):
        make_stimuli(trial, seconds=0.1)
