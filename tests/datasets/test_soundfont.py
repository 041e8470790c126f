import shutil

import numpy as np
import pytest

from unbraid.datasets import soundfont
from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.soundfont import FluidPlayer, choose_soundfont, find_soundfont, open_player
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

NOTES = [Note(0.1, 0.4, 60, 100), Note(0.5, 0.4, 64, 100)]


@pytest.fixture(scope="module")
def player():
    found = open_player()
    if found is None:
        pytest.skip("no SoundFont is installed")
    return found


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(DatasetError, match="no SoundFont at"):
        find_soundfont(tmp_path / "none.sf2")
    with pytest.raises(DatasetError, match="no SoundFont at"):
        find_soundfont(tmp_path)
    pytest.importorskip("tinysoundfont")
    (tmp_path / "bad.sf2").write_bytes(b"this is not a SoundFont")
    with pytest.raises(DatasetError, match="not a SoundFont"):
        open_player(tmp_path / "bad.sf2")


def test_the_largest_of_the_usual_places_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(soundfont, "_PLACES", (str(tmp_path), str(tmp_path / "absent")))
    assert find_soundfont() is None
    assert open_player() is None
    (tmp_path / "small.sf2").write_bytes(b"1")
    (tmp_path / "large.sf2").write_bytes(b"12")
    assert find_soundfont() == tmp_path / "large.sf2"


def test_nothing_to_play_with(tmp_path, monkeypatch):
    (tmp_path / "font.sf3").write_bytes(b"1")
    monkeypatch.setattr(soundfont, "_PLACES", (str(tmp_path),))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert choose_soundfont() is None
    assert open_player() is None
    with pytest.raises(DatasetError, match="nothing here can play"):
        choose_soundfont(tmp_path / "font.sf3")


def test_parts_are_played_and_replayed(player):
    piano, drums = INSTRUMENTS["Acoustic Grand Piano"], INSTRUMENTS["Standard Kit"]
    first = player.play(NOTES, piano, n_samples=60000)
    assert first.shape == (2, 60000)
    assert first.dtype == np.float32
    assert np.abs(first[:, :4000]).max() < 1e-4 < np.abs(first).max()
    player.play([Note(0.0, 1.0, 38, 120)], drums, n_samples=3000)
    assert np.array_equal(player.play(NOTES, piano, n_samples=60000), first)


def test_instruments_differ(player):
    sounds = [player.play(NOTES, INSTRUMENTS[name], n_samples=20000) for name in ("Flute", "Harpsichord", "Room Kit")]
    assert not np.allclose(sounds[0], sounds[1], atol=1e-3)
    assert not np.allclose(sounds[1], sounds[2], atol=1e-3)


def test_fluidsynth_plays_the_same_notes_at_the_same_time():
    file = find_soundfont()
    if file is None or shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth or a SoundFont is not installed")
    sound = FluidPlayer(file).play(NOTES, INSTRUMENTS["Acoustic Grand Piano"], n_samples=60000)
    assert sound.shape == (2, 60000)
    assert np.abs(sound[:, :4000]).max() < 0.1 * np.abs(sound).max()
    assert np.abs(sound[:, 4500:15000]).max() > 1e-3


def test_fluidsynth_errors_name_the_file(tmp_path):
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    (tmp_path / "bad.sf2").write_bytes(b"nothing")
    player = FluidPlayer(tmp_path / "bad.sf2")
    with pytest.raises(DatasetError, match=r"bad\.sf2"):
        player.play(NOTES, INSTRUMENTS["Flute"], n_samples=1000)
