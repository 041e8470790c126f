import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.listing import folders
from unbraid.datasets.public.medleydb import MEDLEYDB, MEDLEYDB2
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import beyond_size, make_medleydb, make_medleydb2, tone


@pytest.fixture
def root(tmp_path):
    make_medleydb(tmp_path)
    return tmp_path


def test_songs_have_stems_with_their_instruments_and_flags_of_bleed(root):
    tracks = MEDLEYDB.index(root, "all")
    assert [track.name for track in tracks] == [
        "AClassicEducation_NightOwl",
        "AimeeNorwich_Child",
        "Phoenix_ScotchMorris",
    ]
    assert [stem.label for stem in tracks[0].stems] == [
        "drum set",
        "electric bass",
        "clean electric guitar",
        "female singer",
    ]
    assert [track.name for track in tracks if all(stem.bleeds for stem in track.stems)] == ["Phoenix_ScotchMorris"]
    assert tracks[1].stems[3].label == "male singer, female singer"
    assert tracks[0].details["has_bleed"] is False


def test_the_mixture_is_a_file_of_its_own(root):
    track = MEDLEYDB.index(root, "all")[0]
    own = read_mixture(track, 100, 400, distributed=True)
    assert np.allclose(own, 0.9 * read_mixture(track, 100, 400), atol=2e-4)


def test_raw_recordings_know_their_stem(root):
    track = MEDLEYDB.index(root, "raw")[0]
    assert [(stem.name, stem.group) for stem in track.stems][:3] == [
        ("S01/R01", "S01"),
        ("S01/R02", "S01"),
        ("S02/R01", "S02"),
    ]
    assert np.array_equal(read_stem(track.stems[1], 0, 50), tone(3012, n_channels=1)[:50].T)


def test_the_second_edition_finds_its_metadata_in_a_folder_of_its_own(tmp_path):
    make_medleydb2(tmp_path)
    assert [track.dataset for track in MEDLEYDB2.index(tmp_path, "all")] == ["medleydb2"] * 2
    assert beyond_size(MEDLEYDB2.check(tmp_path)) == []
    path = tmp_path / "Metadata" / "FallingSparks_Improvisation1_METADATA.yaml"
    path.unlink()
    assert "put the folder Metadata" in beyond_size(MEDLEYDB2.check(tmp_path))[0].problem


def test_songs_of_both_editions_in_one_folder_are_told_apart_by_the_lists_of_the_project(tmp_path):
    make_medleydb(tmp_path)
    make_medleydb2(tmp_path)
    (tmp_path / "V1").rename(tmp_path / "Audio")
    first = {folder.name for folder in folders(tmp_path / "Audio")}
    for song in folders(tmp_path / "V2"):
        song.rename(tmp_path / "Audio" / song.name)
    assert MEDLEYDB.index(tmp_path, "all") != []
    assert len(MEDLEYDB.index(tmp_path, "all")) == len(MEDLEYDB2.index(tmp_path, "all")) == len(first) + 2
    lists = tmp_path / "medleydb" / "resources"
    lists.mkdir(parents=True)
    (lists / "tracklist_v1.txt").write_text("\n".join(first))
    (lists / "tracklist_v2.txt").write_text("FallingSparks_Improvisation1\n")
    assert {track.name for track in MEDLEYDB.index(tmp_path, "all")} == first
    assert [track.name for track in MEDLEYDB2.index(tmp_path, "all")] == ["FallingSparks_Improvisation1"]
    assert MEDLEYDB2.check(tmp_path)[0].problem == "1 songs, 74 were published"
    (lists / "tracklist_v2.txt").write_text("")
    with pytest.raises(DatasetError, match="none of its songs is of MedleyDB 2"):
        MEDLEYDB2.index(tmp_path, "all")


def test_the_folder_of_one_edition_is_not_the_other(root):
    with pytest.raises(DatasetError, match="give the folder that its archives were unpacked in"):
        MEDLEYDB2.index(root, "all")


def test_faults_are_told(root):
    assert beyond_size(MEDLEYDB.check(root)) == []
    song = root / "V1" / "AimeeNorwich_Child"
    (song / "AimeeNorwich_Child_RAW" / "AimeeNorwich_Child_RAW_01_02.wav").unlink()
    (song / "AimeeNorwich_Child_STEMS" / "AimeeNorwich_Child_STEM_02.wav").write_bytes(b"")
    (root / "V1" / "Phoenix_ScotchMorris" / "Phoenix_ScotchMorris_METADATA.yaml").write_text("stems: {S01: {}}")
    told = {Path(fault.path).name: fault.problem for fault in beyond_size(MEDLEYDB.check(root))}
    assert set(told) == {"AimeeNorwich_Child_RAW_01_02.wav", "AimeeNorwich_Child_STEM_02.wav"} | {
        "Phoenix_ScotchMorris_METADATA.yaml"
    }
    assert told["Phoenix_ScotchMorris_METADATA.yaml"] == "it cannot be understood (KeyError: 'filename')"
    with pytest.raises(DatasetError, match="cannot be understood"):
        MEDLEYDB.index(root, "all")
    with pytest.raises(DatasetError, match="is not MedleyDB 2"):
        MEDLEYDB2.check(song)
