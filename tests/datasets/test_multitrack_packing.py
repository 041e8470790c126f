import numpy as np
import pytest
import soundfile

from unbraid.audio.signal import Audio
from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.midi import write_midi
from unbraid.datasets.midi_songs import MidiPart
from unbraid.datasets.multitrack_packing import (
    Stem,
    busiest_excerpt,
    compose_songs,
    open_songs,
    pack_multitracks,
    play_songs,
    read_multitracks,
)
from unbraid.datasets.pack import read_pack
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note


def write(path, seconds=1.0, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal((round(8000 * seconds), 2))
    soundfile.write(path, samples, 8000)


class Clicks:
    """Plays a click for every note, as loud as the note."""

    def play(self, notes, instrument, *, n_samples):
        result = np.zeros((2, n_samples), np.float32)
        for note in notes:
            place = round(note.start * 44100)
            result[:, place : place + 4000] += note.velocity / 127
        return result


def found(path):
    return [(stem.track, stem.name, stem.prompt) for stem in read_multitracks(path)]


def test_stems_are_named_by_file_or_folder(tmp_path):
    for name in ("song/Lead Vox.wav", "song/kick.wav", "song/mixture.wav", "song/thing.wav"):
        write(tmp_path / name)
    assert found(tmp_path) == [
        ("song", "song/Lead Vox", "vocals"),
        ("song", "song/kick", "drums"),
        ("song", "song/thing", "other"),
    ]
    write(tmp_path / "moises" / "one" / "other_keys" / "a7f3.wav")
    write(tmp_path / "moises" / "one" / "bowed_strings" / "b8c1.wav")
    assert [(track, label) for track, _, label in found(tmp_path / "moises")] == [
        ("one", "strings"),
        ("one", "keyboards"),
    ]


def test_slakh(tmp_path):
    yaml = pytest.importorskip("yaml")
    for name in ("mix", "stems/S00", "stems/S01", "stems/S02"):
        write(tmp_path / "Track00001" / f"{name}.flac")
    stems = {
        "S00": {"inst_class": "Guitar", "program_num": 25, "is_drum": False},
        "S01": {"inst_class": "Drums", "program_num": 128, "is_drum": True},
        "S02": {"inst_class": "Pipe"},
    }
    metadata = tmp_path / "Track00001" / "metadata.yaml"
    metadata.write_text(yaml.safe_dump({"stems": stems}))
    assert [(track, label) for track, _, label in found(tmp_path)] == [
        ("Track00001", "acoustic guitar"),
        ("Track00001", "drums"),
        ("Track00001", "woodwinds"),
    ]
    metadata.write_text("[]")
    with pytest.raises(DatasetError, match="as Slakh2100 does"):
        read_multitracks(tmp_path)


def test_tables(tmp_path):
    write(tmp_path / "a.wav")
    table = tmp_path / "songs.csv"
    table.write_text("path,label,track\na.wav,Trumpet,x\n")
    assert found(table) == [("x", "a", "brass")]
    for lines, complaint in (("a.wav,,x\n", "line 2: columns"), ("b.wav,Oboe,x\n", "no file"), ("", "no lines")):
        table.write_text("path,label,track\n" + lines)
        with pytest.raises(DatasetError, match=complaint):
            read_multitracks(table)
    with pytest.raises(DatasetError, match="no stems in it"):
        read_multitracks(tmp_path / "nothing")


def test_a_pack_of_songs(tmp_path):
    write(tmp_path / "songs" / "one" / "bass.wav")
    write(tmp_path / "songs" / "one" / "drums.wav", seed=1)
    silent = Stem("pad", "synthesizer", Audio.from_array(np.zeros(8000, np.float32), 8000))
    tracks = [*open_songs(read_multitracks(tmp_path / "songs")), ("two", [silent])]
    done = []
    assert pack_multitracks(tracks, tmp_path / "pack", sample_rate=4000, progress=done.append, train_only=True) == 2
    bass, drums = read_pack(tmp_path / "pack")
    assert (bass.prompt, drums.prompt, bass.track, bass.n_samples) == ("bass", "drums", "pack/one", 4000)
    assert bass.spans == ((0, 4000),)
    assert bass.train_only
    assert done == [1, 2]


def test_composed_songs_have_one_stem_for_each_instrument():
    ((name, stems),) = compose_songs([9], duration=2.0, player=None)
    assert name == "composed-9"
    assert len({stem.name for stem in stems}) == len(stems) > 1
    assert "drums" in {stem.label for stem in stems}
    assert all(stem.audio.n_samples == 88200 for stem in stems)


def test_midi_songs_are_played_where_they_are_busiest(tmp_path):
    flute = [Note(10 + index, 0.5, 60, 100) for index in range(6)]
    organ = [Note(float(index), 0.5, 60, 50) for index in range(16)]
    parts = [("Flute", flute), ("Church Organ", organ), ("Flute", flute), ("Standard Kit", organ)]
    write_midi(tmp_path / "a.mid", [(INSTRUMENTS[name], notes) for name, notes in parts], tempo=120.0)
    ((name, stems),) = play_songs([tmp_path / "a.mid"], duration=8.0, player=Clicks())
    assert name == "a"
    assert [stem.label for stem in stems] == ["woodwinds", "pipe organ", "drums"]
    total = sum(stem.audio.samples for stem in stems)
    assert float(total.abs().max()) == pytest.approx(0.7, abs=1e-4)
    flutes, organs = stems[0].audio.samples.abs().max(), stems[1].audio.samples.abs().max()
    assert float(flutes / organs) == pytest.approx(4.0, abs=0.01)  # two channels of it, twice as loud


def test_parts_of_few_notes_are_left_out():
    few = MidiPart(0, False, (Note(0.0, 1.0, 60, 90),) * 3)
    many = MidiPart(1, False, (Note(0.0, 1.0, 60, 90),) * 4)
    assert busiest_excerpt([few, many], duration=5.0) == [many]
    assert busiest_excerpt([few], duration=5.0) == []
