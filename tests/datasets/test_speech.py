import numpy as np
import pytest

from unbraid.datasets import speech
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.speech import draw_speech, find_espeak, render_speech
from unbraid.errors import DatasetError

needs_espeak = pytest.mark.skipif(find_espeak() is None, reason="espeak-ng is not installed")


def test_draws_replay_and_vary():
    draws = [draw_speech(seed) for seed in range(40)]
    assert draws == [draw_speech(seed) for seed in range(40)]
    assert len({draw.text for draw in draws}) == 40
    assert len({draw.voice for draw in draws}) > 15
    assert all(0 <= draw.pitch < 100 and draw.rate > 80 for draw in draws)


@needs_espeak
def test_speech_is_spoken():
    for seed in range(4):
        sound = render_speech(draw_speech(seed))
        assert sound.shape[0] == 2
        assert sound.dtype == np.float32
        assert 1.0 < sound.shape[1] / SAMPLE_RATE < 30.0
        assert 0.02 < np.abs(sound).max() <= 0.9 + 1e-6
        assert np.isfinite(sound).all()
    assert np.array_equal(sound, render_speech(draw_speech(3)))


def test_without_the_program(monkeypatch):
    monkeypatch.setattr(speech, "find_espeak", lambda: None)
    with pytest.raises(DatasetError, match="apt install espeak-ng"):
        render_speech(draw_speech(1))


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_a_program_that_fails(monkeypatch, program):
    monkeypatch.setattr(speech, "find_espeak", lambda: program)
    with pytest.raises(DatasetError, match="espeak-ng failed with voice"):
        render_speech(draw_speech(1))
