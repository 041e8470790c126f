import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.layouts import all_layouts
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import (
    make_aligned_pairs,
    make_random_pairs,
    make_song_folders,
    make_stem_folders,
    make_table,
    tone,
    write_sound,
)

LAYOUTS = {dataset.name: dataset for dataset in all_layouts()}
SONGS, STEMS, TABLE, PAIRS = (LAYOUTS[name] for name in ("song-folders", "stem-folders", "table", "pairs"))


def test_songs_have_stems_and_their_mixture(tmp_path):
    make_song_folders(tmp_path)
    assert [track.name for track in SONGS.index(tmp_path, "all")] == ["train/Ein Lied", "train/two", "valid/three"]
    track = SONGS.index(tmp_path, "train")[0]
    assert track.name == "Ein Lied"
    assert {stem.label: stem.group for stem in track.stems} == {
        "Lead Vox": "vocals",
        "kick_in": "drums",
        "gtr 2": "other",
    }
    own = read_mixture(track, 50, 90, distributed=True)
    assert np.allclose(read_mixture(track, 50, 90), own, atol=1e-4)
    assert SONGS.check(tmp_path) == []
    with pytest.raises(DatasetError, match="no folder test"):
        SONGS.index(tmp_path, "test")


def test_every_file_in_a_folder_of_stems_is_a_track(tmp_path):
    make_stem_folders(tmp_path)
    tracks = STEMS.index(tmp_path, "all")
    assert [track.stems[0].label for track in tracks] == ["drums"] * 3 + ["vocals"] * 3
    assert tracks[1].name == "drums/c"
    assert np.array_equal(read_stem(tracks[3].stems[0], 3, 9), tone(8200, n_channels=1)[3:9].T)


def test_tables_tell_what_belongs_together(tmp_path):
    make_table(tmp_path)
    (track,) = TABLE.index(tmp_path, "train")
    assert (track.name, [stem.group for stem in track.stems]) == ("one", ["drums", "bass"])
    assert [stem.label for track in TABLE.index(tmp_path, "validation") for stem in track.stems] == ["vocals", "sfx"]
    assert [track.name for track in TABLE.index(tmp_path, "all")][:2] == ["train/one", "validation/audio/0002"]
    assert len(TABLE.index(tmp_path / "valid.csv", "all")) == 2
    with pytest.raises(DatasetError, match=r"no table test\.csv"):
        TABLE.index(tmp_path, "test")


def test_pairs_of_the_same_names_are_aligned(tmp_path):
    make_aligned_pairs(tmp_path)
    tracks = PAIRS.index(tmp_path, "all")
    assert [(track.name, track.details["pairing"]) for track in tracks] == [("one", "aligned"), ("zwölf", "aligned")]
    rest = read_mixture(tracks[1], 5, 500, distributed=True) - read_stem(tracks[1].stems[0], 5, 500)
    assert np.allclose(rest, tone(8501)[5:500].T, atol=1e-4)


def test_a_mixture_beside_its_target_is_a_pair_too(tmp_path):
    for split in ("train", "valid"):
        write_sound(tmp_path / split / "item" / "mixture.wav", tone(1))
        write_sound(tmp_path / split / "item" / "speech.wav", tone(2))
    assert [track.split for track in PAIRS.index(tmp_path, "all")] == ["train", "validation"]
    (track,) = PAIRS.index(tmp_path, "train")
    assert ([stem.label for stem in track.stems], track.mixture is not None) == (["speech"], True)


def test_pairs_of_other_names_are_drawn_at_random(tmp_path):
    make_random_pairs(tmp_path)
    tracks = PAIRS.index(tmp_path, "all")
    assert {track.details["pairing"] for track in tracks} == {"random"}
    assert [track.stems[0].label for track in tracks] == ["mixture"] * 3 + ["speech"] * 3
    with pytest.raises(DatasetError, match="no folder `mixture`"):
        PAIRS.index(tmp_path / "speech", "all")


def test_faults_are_told(tmp_path):
    make_song_folders(tmp_path)
    write_sound(tmp_path / "train" / "two" / "kick_in.wav", tone(1), rate=48000)
    (fault,) = SONGS.check(tmp_path)
    assert (fault.path, fault.problem) == ("train/two", "its files have rates [44100, 48000]")
    write_sound(tmp_path / "train" / "two" / "xyz.wav", tone(1))
    assert "not clear what 'xyz' is" in SONGS.check(tmp_path)[0].problem
    (tmp_path / "train" / "two" / "bass.flac").write_text("404")
    (fault,) = SONGS.check(tmp_path)
    assert fault.path == "train/two/bass.flac"
    with pytest.raises(DatasetError, match="no such folder"):
        PAIRS.check(tmp_path / "nowhere")
