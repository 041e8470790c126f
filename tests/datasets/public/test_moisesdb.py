import json
import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.moisesdb import MOISESDB, hash_fold
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import MOISES_SONGS, beyond_size, make_moisesdb, tone


@pytest.fixture
def root(tmp_path):
    make_moisesdb(tmp_path)
    return tmp_path


def test_every_recorded_track_is_a_stem_in_its_group(root):
    tracks = MOISESDB.index(root, "all")
    assert [track.name for track in tracks] == sorted(MOISES_SONGS)
    stems = tracks[0].stems
    assert [stem.label for stem in stems][:3] == [
        "vocals/lead_female_singer",
        "vocals/background_vocals",
        "bass/bass_guitar",
    ]
    assert {stem.group for stem in stems} == {"vocals", "bass", "drums", "guitar", "percussion"}
    assert tracks[0].details == {"song": "Canción 0", "artist": "Ångström", "genre": "rock"}
    assert [stem.name for track in tracks for stem in track.stems if stem.bleeds] == ["drums/14aa-ove"]
    assert np.array_equal(read_stem(stems[1], 10, 20), tone(1001)[10:20].T)


def test_mono_tracks_are_on_both_sides_of_the_mixture(root):
    track = MOISESDB.index(root, "all")[2]
    total = sum(tone(1020 + k, n_channels=n) for k, n in enumerate((1, 2, 1, 1, 2, 2, 2)))
    assert np.allclose(read_mixture(track, 1000, 2000), total[1000:2000].T, atol=1e-6)
    assert track.mixture is None


def test_without_a_table_songs_are_dealt_to_folds_by_their_identifiers(root):
    by_split = {split: [track.name for track in MOISESDB.index(root, split)] for split in ("train", "test")}
    assert by_split["train"] == [song for song in sorted(MOISES_SONGS) if hash_fold(song) <= 3]
    assert by_split["test"] == [song for song in sorted(MOISES_SONGS) if hash_fold(song) == 5]
    folds = [hash_fold(str(number)) for number in range(500)]
    assert all(70 <= folds.count(fold) <= 130 for fold in (1, 2, 3, 4, 5))


def test_the_published_folds_are_read_where_they_are(root):
    lines = [f"{song},{number}" for number, song in enumerate(MOISES_SONGS, start=1)]
    table = root / "moisesdb_v0.1" / "splits.csv"
    table.write_text("\n".join(["song_id,split", *lines]))
    assert [track.name for track in MOISESDB.index(root, "validation")] == [MOISES_SONGS[3]]
    assert len(MOISESDB.index(root, "train")) == 3
    table.write_text("song_id,split\n" + lines[0])
    with pytest.raises(DatasetError, match="no fold from 1 to 5"):
        MOISESDB.index(root, "train")


def test_faults_are_told(root):
    assert beyond_size(MOISESDB.check(root)) == []
    song = root / "moisesdb_v0.1" / MOISES_SONGS[0]
    next((song / "bass").glob("*.wav")).unlink()
    (root / "moisesdb_v0.1" / MOISES_SONGS[1] / "data.json").write_text("{")
    facts = json.loads((song / "data.json").read_text())
    facts["stems"].append({"stemName": "kazoo", "tracks": []})
    facts["stems"].append({"stemName": "sirens", "tracks": [{"id": "lost", "trackType": "siren"}]})
    (song / "data.json").write_text(json.dumps(facts))
    faults = {fault.path: fault.problem for fault in beyond_size(MOISESDB.check(root))}
    assert f"{MOISES_SONGS[1]}/data.json" in faults
    assert "sirens" in faults[f"{MOISES_SONGS[0]}/data.json"]
    assert "missing" in faults[f"{MOISES_SONGS[0]}/sirens/lost.wav"]
    (root / "moisesdb_v0.1" / MOISES_SONGS[1] / "data.json").unlink()
    with pytest.raises(DatasetError, match="no such file"):
        MOISESDB.index(root, "all")


def test_another_folder_is_not_the_dataset(tmp_path):
    with pytest.raises(DatasetError, match="is not MoisesDB"):
        MOISESDB.check(tmp_path)
