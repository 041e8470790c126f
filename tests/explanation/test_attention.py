"""What a network attends to, gathered over a song."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio, write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import AudioReadError, GuideError, ModelError, SettingsError
from unbraid.explanation import attention as room
from unbraid.explanation.attention import explain
from unbraid.guides.kinds import Examples, Label, Prompts
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.zoo import ZOO, debug_model, load_model

HOP, WINDOW = 128, 31 * 128  # of the debug network, in samples
BOTH = Prompts("vocals drums")


def labels(*names):
    return [Label(name) for name in names]


def loudness(mixture, condition):
    """Stand in for a network: the coefficients are the energy of a frame, and one minus that."""
    energies = mixture.square().mean(dim=0)
    energies = torch.nn.functional.pad(energies, (HOP // 2, HOP)).unfold(0, HOP, HOP).mean(dim=-1)
    n_frames = mixture.shape[1] // HOP + 1
    answers = []
    for factor in (2, 1):
        padded = torch.nn.functional.pad(energies[:n_frames], (0, -n_frames % factor)).view(-1, factor).mean(dim=-1)
        answers.append(torch.stack([padded, 1 - padded], dim=-1).expand(len(condition.names), -1, -1))
    return answers


@pytest.mark.parametrize("n_samples", [1, 100, 3000, WINDOW])
def test_a_song_that_fits_in_a_window_is_what_the_model_says(lasaft, make_song, n_samples):
    song = make_song(n_samples)
    found = explain(song, labels("vocals", "bass"), model=lasaft)
    wanted = lasaft.attention(
        read_audio(song).samples, lasaft.condition(room.read_request(lasaft, labels("vocals", "bass")))
    )
    assert found.labels == ("vocals", "bass")
    for block, coefficients in zip(found.blocks, wanted, strict=True):
        torch.testing.assert_close(block.coefficients, coefficients, rtol=0, atol=1e-6)
        assert len(block.times) == block.coefficients.shape[1]


@pytest.mark.parametrize("n_samples", [WINDOW + 1, 20_000, 64 * HOP, 64 * HOP - 1])
def test_windows_join_without_a_seam(lasaft, make_song, monkeypatch, n_samples):
    monkeypatch.setattr(Lasaft, "attention", lambda self, mixture, condition: loudness(mixture, condition))
    song = make_song(n_samples)
    samples, done = read_audio(song).samples, []
    found = explain(song, Label("bass"), model=lasaft, progress=done.append)
    condition = lasaft.condition(room.read_request(lasaft, Label("bass")))
    for block, coefficients in zip(found.blocks, loudness(samples, condition), strict=True):
        torch.testing.assert_close(block.coefficients, coefficients, rtol=0, atol=1e-6)
    amplitudes = lasaft.stft(samples).abs() * 4 / lasaft.config.n_fft
    wanted = 10 * amplitudes.square().mean(dim=0).clamp_min(1e-12).log10()
    torch.testing.assert_close(found.spectrogram, wanted, rtol=0, atol=1e-2)
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert (len(done) > 1) == (n_samples > 32 * HOP)


def test_coefficients_of_the_network_over_a_longer_song(lasaft, make_song):
    found = explain(make_song(30_000), labels("vocals", "other"), model=lasaft)
    assert [tuple(block.coefficients.shape) for block in found.blocks] == [(2, 118, 4), (2, 235, 4)]
    for block in found.blocks:
        torch.testing.assert_close(block.coefficients.sum(-1), torch.ones(2, len(block.times)))
        assert float(block.coefficients.std(dim=1).max()) > 0.01
    torch.testing.assert_close(found.times, torch.arange(235) * HOP / 44100)
    torch.testing.assert_close(found.blocks[0].times[:2], torch.tensor([0.5, 2.5]) * HOP / 44100)
    torch.testing.assert_close(found.frequencies[[0, -1]], torch.tensor([0.0, 22050.0]))


def test_a_part_is_the_same_as_a_file_of_it(lasaft, make_song, tmp_path):
    song = make_song(30_000)
    cut = Audio(read_audio(song).samples[:, 4410 : 4410 + 8820].contiguous(), 44100)
    alone = write_audio(tmp_path / "part.wav", cut, encoding=Encoding("wav", "float")).path
    part, whole = (
        explain(song, Label("bass"), model=lasaft, start=0.1, duration=0.2),
        explain(alone, Label("bass"), model=lasaft),
    )
    for one, other in zip(part.blocks, whole.blocks, strict=True):
        assert torch.equal(one.coefficients, other.coefficients)
        torch.testing.assert_close(one.times, other.times + 0.1)
    assert explain(song, Label("bass"), model=lasaft, start=0.6, duration=9).times[-1] <= 30_000 / 44100


@pytest.mark.parametrize(("sample_rate", "n_channels"), [(8000, 1), (48000, 3), (96000, 2)])
def test_other_rates_and_channels(lasaft, make_song, sample_rate, n_channels):
    song = make_song(sample_rate // 3, sample_rate=sample_rate, n_channels=n_channels)
    found = explain(song, Label("bass"), model=lasaft)
    assert found.blocks[-1].coefficients.shape == (1, 115, 4)
    assert torch.isfinite(found.spectrogram).all()


def test_a_full_scale_sine_has_0_db_and_silence_the_floor(lasaft, make_song, tmp_path):
    sine = torch.sin(torch.arange(44100) * 2 * torch.pi * 32 / 256)[None]
    song = write_audio(tmp_path / "sine.wav", Audio(sine, 44100), encoding=Encoding("wav", "float")).path
    found = explain(song, Label("bass"), model=lasaft)
    assert float(found.spectrogram[32, 10:-10].mean()) == pytest.approx(0, abs=0.01)
    silence = write_audio(tmp_path / "none.wav", Audio(sine * 0, 44100), encoding=Encoding("wav", "float")).path
    assert float(explain(silence, Label("bass"), model=lasaft).spectrogram.max()) == -120


def test_long_songs_are_averaged(lasaft, make_song, monkeypatch):
    song = make_song(30_000)
    fine = explain(song, Label("bass"), model=lasaft)
    monkeypatch.setattr(room, "MAX_COLUMNS", 50)
    found = explain(song, Label("bass"), model=lasaft)
    assert found.spectrogram.shape[1] == len(found.times) == 47  # 235 frames, five at a time
    assert [block.coefficients.shape[1] for block in found.blocks] == [40, 47]
    torch.testing.assert_close(found.blocks[1].coefficients, fine.blocks[1].coefficients.unflatten(1, (47, 5)).mean(2))
    torch.testing.assert_close(found.times, fine.times.view(47, 5).mean(1))
    torch.testing.assert_close(found.blocks[0].coefficients[:, -1], fine.blocks[0].coefficients[:, -1:].mean(1))


def test_the_arrays_come_back(lasaft, make_song, tmp_path):
    found = explain(make_song(5000), labels("vocals", "bass"), model=lasaft)
    found.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        assert set(stored) == {"labels", "spectrogram", "times", "frequencies", "coefficients_1", "coefficients_2",
                               "times_1", "times_2"}  # fmt: skip
        assert list(stored["labels"]) == ["vocals", "bass"]
        assert np.array_equal(stored["coefficients_2"], found.blocks[1].coefficients.numpy())
        assert np.array_equal(stored["times_1"], found.blocks[0].times.numpy())
        assert np.array_equal(stored["spectrogram"], found.spectrogram.numpy())


def test_a_network_that_does_not_listen_attends_to_the_same_all_the_time(make_song):
    model = Lasaft(replace(PRESETS["lasaft-debug"], query_listening=False, key_listening=False)).eval()
    found = explain(make_song(9000), Label("bass"), model=model)
    for block in found.blocks:
        torch.testing.assert_close(block.coefficients, block.coefficients[:, :1].expand_as(block.coefficients))


def test_examples_point_where_the_model_takes_them(make_song):
    model = Lasaft(PRESETS["lasaft-audio-debug"]).eval()
    song = make_song(5000)
    assert explain(song, Examples(song), model=model).labels == ("song",)


def test_what_cannot_be_explained_is_refused(lasaft, make_song):
    song = make_song(5000)
    with pytest.raises(ModelError, match="Tuss has no attention over latent sources: use "):
        explain(song, BOTH, model=debug_model())
    with pytest.raises(ModelError, match="tuss-small has no attention"):
        explain(song, BOTH, model=load_model("tuss-small"))
    with pytest.raises(GuideError, match="did you mean 'vocals'"):
        explain(song, Label("vocal"), model=lasaft)
    with pytest.raises(AudioReadError, match=r"song.wav: nothing at 9 s: the file is 0\.11 s long"):
        explain(song, Label("bass"), model=lasaft, start=9)
    with pytest.raises(SettingsError, match="positive number of seconds"):
        explain(song, Label("bass"), model=lasaft, duration=0)
    with pytest.raises(AudioReadError, match="no such file"):
        explain("nothing.wav", Label("bass"), model=lasaft)


def test_the_message_names_a_model_that_attends(make_song, monkeypatch):
    entry = replace(ZOO["tuss-small"], name="lasaft-x", system="LaSAFT")
    monkeypatch.setattr(room, "ZOO", {"lasaft-x": entry})
    with pytest.raises(ModelError, match=r"use lasaft-x \(-m lasaft-x\)"):
        explain(make_song(100), BOTH, model=debug_model())
