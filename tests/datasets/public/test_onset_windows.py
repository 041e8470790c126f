import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.audio.resample import resample
from unbraid.datasets.dice import Dice
from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.humtrans import HUMTRANS
from unbraid.datasets.public.onset_windows import (
    N_SAMPLES,
    OnsetWindow,
    consecutive_starts,
    draw_window,
    hear,
    hear_solo,
    notes_in,
    notes_of,
    targets_of,
    windows_of,
)
from unbraid.datasets.public.slakh2100 import SLAKH2100_REDUX
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import make_humtrans, make_slakh2100_redux, tone, write_notes, write_sound

RATE = 44100


@pytest.fixture
def track(tmp_path):
    """Eleven seconds of piano and bass, whose mixture is their sum, and a drum kit."""
    n_samples = 11 * RATE
    parts = {
        name: tone(seed, n_channels=2, n_samples=n_samples) for seed, name in enumerate(("piano", "bass", "drums"))
    }
    labels = {"piano": "Piano/Harpsichord", "bass": "Bass/Slap Bass 1", "drums": "Drums/Drums"}
    stems = []
    for name, samples in parts.items():
        write_sound(tmp_path / f"{name}.flac", samples)
        starts = [0.5, 1.0, 4.5, 4.7, 9.0] if name == "piano" else [2.0, 10.5, 30.0]
        write_notes(tmp_path / f"{name}.mid", starts, duration=0.2)
        recording = Recording(tmp_path / f"{name}.flac", RATE, n_samples, 2)
        stems.append(Stem(name, labels[name], (recording,), score=tmp_path / f"{name}.mid"))
    write_sound(tmp_path / "mix.flac", sum(parts.values()))
    mixture = Recording(tmp_path / "mix.flac", RATE, n_samples, 2)
    return Track("Track00001", "slakh2100", "test", tuple(stems), mixture)


def test_drums_and_stems_without_a_score_are_no_targets(track):
    assert [(stem.name, group) for stem, group in targets_of(track)] == [("piano", "Piano"), ("bass", "Bass")]
    bare = Track("t", "slakh2100", "test", (Stem("S00", "Piano/Harpsichord", track.stems[0].recordings),))
    assert targets_of(bare) == []


def test_windows_of_an_examination_begin_at_the_first_note_that_the_last_one_does_not_reach(track):
    windows = windows_of(track)
    assert [(window.stem.name, round(window.start, 3)) for window in windows] == [
        ("piano", 0.5),
        ("piano", 4.7),
        ("piano", 9.0),
        ("bass", 2.0),
        ("bass", 10.5),  # the note at 30 s lies behind the end
    ]
    assert [window.group for window in windows_of(track, group="Bass")] == ["Bass", "Bass"]
    assert consecutive_starts([]) == ()


def test_windows_of_training_begin_at_any_note_of_any_stem(track):
    dice = Dice(torch.Generator().manual_seed(1))
    drawn = [draw_window(track, dice) for _ in range(300)]
    found = {(window.stem.name, round(window.start, 3)) for window in drawn}
    assert found == {*(("piano", start) for start in (0.5, 1.0, 4.5, 4.7, 9.0)), ("bass", 2.0), ("bass", 10.5)}
    assert 100 < sum(window.stem.name == "bass" for window in drawn) < 200


def test_a_track_without_notes_has_no_window(track):
    silent = Track("t", "slakh2100", "test", track.stems[2:])
    assert draw_window(silent, Dice(torch.Generator())) is None
    (track.stems[0].score).write_bytes(b"MThd")
    with pytest.raises(DatasetError, match="or take the track out"):
        notes_of(track.stems[0])


def test_notes_are_cut_to_the_window(track):
    window = OnsetWindow(track, track.stems[0], "Piano", 0.6)
    starts = [(round(note.start, 2), round(note.duration, 2)) for note in notes_in(window)]
    assert starts == [(0.0, 0.1), (0.4, 0.2), (3.9, 0.18)]
    assert all(isinstance(note, Note) for note in notes_in(window))


def test_a_window_holds_the_stem_and_the_rest_of_the_song_with_a_peak_of_one(track):
    sounds = hear(OnsetWindow(track, track.stems[0], "Piano", 4.7))
    assert sounds.mixture.shape == sounds.target.shape == sounds.background.shape == (N_SAMPLES,)
    for one in (sounds.mixture, sounds.target, sounds.background):
        assert np.abs(one).max() == pytest.approx(1.0, abs=1e-6)
    assert np.allclose(sounds.mixture, sounds.gain * (sounds.target + sounds.background), atol=1e-5)
    whole = resample(torch.from_numpy(tone(0, n_samples=11 * RATE)[:, 0])[None], source_rate=RATE, target_rate=16000)[0]
    expected = whole[round(4.7 * 16000) : round(4.7 * 16000) + N_SAMPLES].numpy()
    found = sounds.target * np.abs(expected).max()
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 40
    rest = (tone(1, n_samples=11 * RATE) + tone(2, n_samples=11 * RATE))[:, 0]
    background = resample(torch.from_numpy(rest)[None], source_rate=RATE, target_rate=16000)[0]
    background = background[round(4.7 * 16000) : round(4.7 * 16000) + N_SAMPLES].numpy()
    correlation = np.corrcoef(background, sounds.background)[0, 1]
    assert correlation > 0.999


@pytest.mark.parametrize("start", [0.0, 0.01, 10.5])
def test_at_both_ends_of_a_file_there_is_silence(track, start):
    solo = hear_solo(OnsetWindow(track, track.stems[1], "Bass", start))
    assert solo.shape == (N_SAMPLES,)
    heard = min(N_SAMPLES, round((11 - start) * 16000))
    assert np.abs(solo[heard + 200 :]).max(initial=0) < 1e-4
    assert np.square(solo[:heard]).mean() > 1e-4


def test_miniature_slakh_and_humming_have_windows(tmp_path):
    make_slakh2100_redux(tmp_path / "slakh")
    (found,) = SLAKH2100_REDUX.index(tmp_path / "slakh", "test")
    assert {window.group for window in windows_of(found)} == {"Guitar", "Bass", "Strings", "Piano"}
    make_humtrans(tmp_path / "hum")
    hum = HUMTRANS.index(tmp_path / "hum", "test")[0]
    window = draw_window(hum, Dice(torch.Generator().manual_seed(0)))
    assert window.group == ""
    assert hear_solo(window).shape == (N_SAMPLES,)
