import numpy as np
import pytest
import soundfile

from unbraid.datasets import solos
from unbraid.datasets.solos import play_solos, record_solos, sing_solos
from unbraid.errors import DatasetError


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(solos, "SOLO_SECONDS", 3.0)
    monkeypatch.setattr(solos, "SHORTEST", 2.0)


class Tones:
    """Plays a tone for every note, and remembers what it played."""

    def __init__(self):
        self.played = []

    def play(self, notes, instrument, *, n_samples):
        self.played.append((instrument.program, [note.pitch for note in notes]))
        tone = np.sin(np.arange(n_samples) * 0.05).astype(np.float32)
        return np.stack([tone, tone])


def write(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(round(44100 * seconds)), 44100)


def test_notes_become_phrases_and_recordings_stay_whole(tmp_path):
    for name in ("a2_f", "c3_f", "e3_f"):
        write(tmp_path / "instr_weresax" / f"{name}.wav", 0.5)
    write(tmp_path / "instr_body_percussion" / "clap.wav", 0.1)
    write(tmp_path / "singing_x" / "song.wav", 2.5)
    write(tmp_path / "singing_x" / "short.wav", 1.0)
    tracks = dict(record_solos(tmp_path))
    labels = {name: [stem.label for stem in stems] for name, stems in tracks.items()}
    assert labels["instr_weresax"] == ["woodwinds"] * 3
    assert labels["instr_body_percussion"] == ["percussion"] * 3
    assert labels["singing_-song"] == ["vocals"]
    assert labels["singing_-short"] == []
    phrase = tracks["instr_weresax"][0].audio
    assert phrase.n_samples == 3 * 44100
    again = dict(record_solos(tmp_path))["instr_weresax"][0].audio
    assert np.array_equal(phrase.samples.numpy(), again.samples.numpy())
    with pytest.raises(DatasetError, match="none of the known recordings"):
        list(record_solos(tmp_path / "singing_x"))


def test_solos_sound_at_one_level(tmp_path):
    write(tmp_path / "singing_x" / "song.wav", 2.5)
    ((_, (stem,)),) = record_solos(tmp_path)
    assert 20 * np.log10(stem.audio.samples.square().mean().sqrt().item()) == pytest.approx(-22, abs=0.1)


def test_classes_are_played_equally_often_and_in_range():
    player = Tones()
    tracks = list(play_solos(1, n_each=1, player=player))
    labels = [stem.label for _, stems in tracks for stem in stems]
    assert len(set(labels)) == len(labels) == 16
    assert {"bagpipes", "whistling", "pipe organ", "accordion"} <= set(labels)
    pitches = dict(player.played)
    assert all(28 <= pitch <= 55 for pitch in pitches[32])
    assert all(48 <= pitch <= 84 for pitch in pitches[109])


def test_singers_and_drummers_alone():
    tracks = list(sing_solos(2, n_each=1))
    assert {stem.label for _, stems in tracks for stem in stems} == {"vocals", "drums"}
