"""The canvas shows the song, in tints that are no paint."""

import numpy as np
import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import open_audio, write_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import AudioReadError, GuideError
from unbraid.guides import mask_canvas
from unbraid.guides.mask_canvas import CanvasNote, draw_canvas, hash_of, hear_frames
from unbraid.guides.mask_grid import frames_of, hear_mel


def save(path, samples, rate):
    write_audio(path, Audio(samples, rate), encoding=Encoding("wav", "float"))
    return path


def noise(n_samples, n_channels=2):
    return 0.1 * torch.randn(n_channels, n_samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@pytest.mark.parametrize("seconds", [0.001, 0.5, 16.4, 40.0])
def test_streamed_frames_are_those_of_the_whole_song(tmp_path, rate, seconds):
    samples = noise(round(seconds * rate))
    with open_audio(save(tmp_path / "a.wav", samples, rate)) as reader:
        streamed = torch.cat(list(hear_frames(reader)), dim=1)
    whole = hear_mel(resample(samples.mean(dim=0, keepdim=True), source_rate=rate, target_rate=16000)[0])
    assert streamed.shape == whole.shape
    torch.testing.assert_close(streamed, whole, atol=1e-5, rtol=1e-4)


def test_what_is_drawn_is_the_loudness_in_place(tmp_path):
    samples = torch.zeros(1, 32000)
    samples[0, 16000:] = torch.sin(torch.arange(16000) * 2 * torch.pi * 500 / 16000)
    told = []
    pixels, note = draw_canvas(save(tmp_path / "a.wav", samples, 16000), progress=told.append)
    assert pixels.shape == (320, frames_of(2.0), 3)
    assert (note.n_columns, note.n_rows, note.frames_per_column) == (126, 320, 1)
    assert (note.duration, note.n_samples, note.sample_rate) == (2.0, 32000, 16000)
    assert note.sha256 == hash_of(tmp_path / "a.wav")
    assert told[-1] == 1.0
    light = pixels[:280].astype(int).sum(axis=2)  # above the ticks
    brightest = light[:, 90].argmax()
    assert brightest in range(320 - 4 * 19, 320 - 4 * 15)
    assert light[brightest, 100] > 2 * light[brightest, 30]


def test_every_tint_is_blue(tmp_path):
    pixels, _ = draw_canvas(save(tmp_path / "a.wav", noise(90 * 16000), 16000))
    for other in (0, 1):
        assert (pixels[..., 2].astype(int) - pixels[..., other] >= 30).all()
    silent, _ = draw_canvas(save(tmp_path / "b.wav", torch.zeros(1, 1600), 16000))
    assert (silent[..., 2].astype(int) - silent[..., 1] >= 30).all()


def test_ticks_count_seconds(tmp_path):
    pixels, _ = draw_canvas(save(tmp_path / "a.wav", torch.zeros(1, 12 * 16000), 16000))
    bright = pixels[-1, :, 0] > 100
    assert bright.nonzero()[0].tolist() == [round(second * 62.5) for second in range(1, 12)] + [750]
    assert (pixels[-10, :, 0] > 100).nonzero()[0].tolist() == [625]


def test_frames_of_long_songs_share_columns(tmp_path, monkeypatch):
    song = save(tmp_path / "a.wav", noise(50 * 16000), 16000)
    whole, _ = draw_canvas(song)
    monkeypatch.setattr(mask_canvas, "MAX_COLUMNS", 700)
    pixels, note = draw_canvas(song)
    n_frames = frames_of(50.0)
    assert note.frames_per_column == -(-n_frames // 700)
    assert pixels.shape[1] == note.n_columns == -(-n_frames // note.frames_per_column)
    columns = np.pad(whole[:280], ((0, 0), (0, -n_frames % note.frames_per_column), (0, 0)))
    shared = columns.reshape(280, note.n_columns, note.frames_per_column, 3).max(axis=2)
    assert (shared == pixels[:280]).all()


def test_what_is_no_song(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF1234WAVEjunk")
    with pytest.raises(AudioReadError):
        draw_canvas(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1}', '{"version": 2}', CanvasNote(0.0, 1, 1, "", 1, 1, 1).to_text()],
)
def test_notes_that_are_damaged_or_of_another_version(text):
    with pytest.raises(GuideError, match="make it anew"):
        CanvasNote.from_text(text)


def test_a_song_of_one_sample_has_a_canvas(tmp_path):
    pixels, note = draw_canvas(save(tmp_path / "a.wav", noise(1), 44100))
    assert pixels.shape == (note.n_rows, note.n_columns, 3)
