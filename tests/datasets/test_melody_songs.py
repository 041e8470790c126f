"""Tracks whose notes are known."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.datasets import melody_songs
from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.melody_songs import GROUPS, ComposedSong, MidiSong, folder_songs, recorded_notes
from unbraid.datasets.midi import write_midi
from unbraid.datasets.multitrack_packing import read_multitracks
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

WAV = Encoding("wav", "16")
MELODY = tuple(Note(0.5 * step, 0.4, 60 + step, 90) for step in range(8))


class Tones:
    """Plays every note as a sine at full level, in stereo."""

    def play(self, notes, instrument, *, n_samples):
        time, total = np.arange(n_samples) / 44100, np.zeros(n_samples, np.float32)
        for note in notes:
            sounds = (time >= note.start) & (time < note.stop)
            total += (sounds * np.sin(2 * np.pi * note.hertz * time)).astype(np.float32)
        return np.stack([total, total])


def sounding_hertz(audio, start, stop):
    samples = audio.samples.mean(dim=0).numpy()[int(start * audio.sample_rate) : int(stop * audio.sample_rate)]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * audio.sample_rate / len(samples)


@pytest.fixture
def tones(monkeypatch):
    monkeypatch.setattr(melody_songs, "_player", Tones)


def test_groups_follow_the_families_of_general_midi():
    assert len(GROUPS) == 16
    assert [GROUPS[program // 8] for program in (0, 13, 19, 25, 33, 40, 48, 56, 65, 73, 81, 89)] == [
        *("Piano", "Chromatic Percussion", "Organ", "Guitar", "Bass", "Strings", "Strings", "Brass", "Reed", "Pipe"),
        *("Synth", "Synth"),
    ]


def test_composed_songs_know_their_notes(monkeypatch):
    monkeypatch.setattr(melody_songs, "_player", lambda: None)
    song = ComposedSong(40_001, duration=4.0).make()
    again = ComposedSong(40_001, duration=4.0).make()
    by_label = {stem.label: stem for stem in song.stems}
    assert (by_label["drums"].group, by_label["drums"].notes) == ("", ())
    assert by_label["bass"].group == "Bass"
    assert by_label["vocals"].group == "Voice"
    assert all(len(stem.notes) > 0 for stem in song.stems if stem.group)
    for one, other in zip(song.stems, again.stems, strict=True):
        assert one.notes == other.notes
        assert np.array_equal(one.audio.samples, other.audio.samples)


def test_midi_songs_play_what_is_written(tmp_path, tones):
    parts = [(INSTRUMENTS["Flute"], MELODY), (INSTRUMENTS["Standard Kit"], MELODY)]
    write_midi(tmp_path / "song.mid", parts, tempo=120.0)
    song = MidiSong(tmp_path / "song.mid", duration=4.0).make()
    flute = next(stem for stem in song.stems if stem.program == 73)
    drums = next(stem for stem in song.stems if stem.label == "drums")
    assert (flute.group, flute.label) == ("Pipe", "woodwinds")
    assert [note.pitch for note in flute.notes] == [note.pitch for note in MELODY]
    assert not drums.group
    for note in flute.notes[:3]:
        assert sounding_hertz(flute.audio, note.start + 0.05, note.stop - 0.05) == pytest.approx(note.hertz, abs=3)


def test_without_a_soundfont_midi_cannot_be_played(tmp_path, monkeypatch):
    monkeypatch.setattr(melody_songs, "_player", lambda: None)
    write_midi(tmp_path / "song.mid", [(INSTRUMENTS["Flute"], MELODY)], tempo=120.0)
    with pytest.raises(DatasetError, match="needs a SoundFont"):
        MidiSong(tmp_path / "song.mid").make()


def test_recorded_notes_become_melodies(tmp_path):
    folder = tmp_path / "instr_weresax"
    folder.mkdir()
    time = np.arange(2 * 44100) / 44100
    for name, pitch in (("sax_C4", 60), ("sax_G4", 67), ("sax_C5", 72)):
        wave = np.sin(2 * np.pi * Note(0, 1, pitch, 90).hertz * time).astype(np.float32)
        write_audio(folder / f"{name}.wav", Audio.from_array(0.5 * wave, 44100), encoding=WAV)
    songs = recorded_notes(tmp_path, n_each=2)
    assert [(song.name, song.label) for song in songs] == [("instr_weresax", "woodwinds")] * 2
    stem = songs[0].make().stems[0]
    assert stem.group == "Reed"
    assert {note.pitch for note in stem.notes} <= set(range(60, 73))
    alone = [
        note
        for note in stem.notes
        if note.duration > 0.2
        and not any(one is not note and one.start < note.stop and note.start < one.stop for one in stem.notes)
    ]
    for note in alone[:5]:
        heard = sounding_hertz(stem.audio, note.start + 0.02, note.stop - 0.03)
        assert heard == pytest.approx(note.hertz, rel=0.03)


def test_folders_of_stems_with_midi_beside_them(tmp_path):
    song = tmp_path / "Track1"
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 44100)).astype(np.float32)
    (song / "stems").mkdir(parents=True)
    (song / "MIDI").mkdir()
    for name in ("S00", "S01"):
        write_audio(song / "stems" / f"{name}.wav", Audio.from_array(noise, 44100), encoding=WAV)
    Path(song / "metadata.yaml").write_text(
        "stems:\n"
        "  S00: {inst_class: Brass, program_num: 56, is_drum: false}\n"
        "  S01: {inst_class: Guitar, program_num: 27, is_drum: false}\n"
    )
    write_midi(song / "MIDI" / "S00.mid", [(INSTRUMENTS["Trumpet"], MELODY)], tempo=120.0)
    [made] = [one.make() for one in folder_songs(read_multitracks(tmp_path))]
    trumpet, guitar = made.stems
    assert (trumpet.group, trumpet.program, len(trumpet.notes)) == ("Brass", 56, 8)
    assert trumpet.audio.samples.shape[0] == 1
    assert np.allclose(trumpet.audio.samples[0], noise[0], atol=1e-3)
    assert (guitar.group, guitar.notes, guitar.label) == ("", (), "electric guitar")
