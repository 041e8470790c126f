import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.datasets.public.slakh2100 import SLAKH2100, SLAKH2100_REDUX
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import beyond_size, make_slakh2100, make_slakh2100_redux, tone, write_slakh_track, write_sound


@pytest.fixture
def root(tmp_path):
    make_slakh2100_redux(tmp_path)
    return tmp_path


def test_the_redux_edition_has_its_splits_and_the_omitted_tracks(root):
    names = {split: [track.name for track in SLAKH2100_REDUX.index(root, split)] for split in SLAKH2100_REDUX.splits}
    assert names == {
        "train": ["Track00001", "Track00003"],
        "validation": ["Track01501"],
        "test": ["Track01876"],
        "omitted": ["Track00002"],
    }


def test_stems_that_were_not_rendered_or_are_not_there_are_left_out(root):
    track = SLAKH2100_REDUX.index(root, "train")[0]
    assert [stem.name for stem in track.stems] == ["S00", "S01", "S02", "S03", "S04"]
    assert track.stems[0].label == "Guitar/Distortion Guitar"
    assert track.stems[3].group == "Strings (continued)"
    assert track.stems[0].score == track.stems[0].recordings[0].path.parents[1] / "MIDI" / "S00.mid"
    assert track.details["overall_gain"] == 0.18


def test_the_mixture_is_the_sum(root):
    track = SLAKH2100_REDUX.index(root, "test")[0]
    assert track.n_channels == 1
    assert np.array_equal(read_stem(track.stems[1], 7, 99), tone(10_000 + 1876, n_channels=1)[7:99].T)
    own = read_mixture(track, 0, 44100, distributed=True)
    assert np.abs(read_mixture(track, 0, 44100) - own).max() < 1e-4


def test_the_first_edition_tells_its_splits_by_numbers_or_by_folders(tmp_path):
    make_slakh2100(tmp_path)
    assert [track.name for track in SLAKH2100.index(tmp_path, "train")] == ["Track00001", "Track00002"]
    assert [track.name for track in SLAKH2100.index(tmp_path, "validation")] == ["Track01501"]
    assert [track.name for track in SLAKH2100.index(tmp_path, "test")] == ["Track01876"]
    with pytest.raises(DatasetError, match="no split 'omitted'"):
        SLAKH2100.index(tmp_path, "omitted")
    (tmp_path / "test").mkdir()
    (tmp_path / "Track01876").rename(tmp_path / "test" / "Track01876")
    assert [track.name for track in SLAKH2100.index(tmp_path, "test")] == ["Track01876"]


def test_faults_are_told(root):
    told = {(fault.path, fault.problem) for fault in beyond_size(SLAKH2100_REDUX.check(root))}
    assert ("train/Track00001", "stem S05 is missing") in told
    assert all("S05" in problem for _, problem in told)
    train = root / "slakh2100_flac_redux" / "train"
    (train / "Track00001" / "mix.flac").unlink()
    (train / "Track00003" / "metadata.yaml").write_text("stems: [")
    write_sound(train / "Track00001" / "stems" / "S02.flac", tone(1, rate=16000), rate=16000)
    told = {
        fault.path: fault.problem for fault in beyond_size(SLAKH2100_REDUX.check(root)) if "S05" not in fault.problem
    }
    assert "cannot be understood" in told["train/Track00003/metadata.yaml"]
    assert told["train/Track00001/mix.flac"] == "it is missing"
    with pytest.raises(DatasetError, match="cannot be understood"):
        SLAKH2100_REDUX.index(root, "train")


def test_stems_can_be_wav_files_and_silent_about_rendering(tmp_path):
    write_slakh_track(tmp_path / "Track00001", seed=1)
    folder = tmp_path / "Track00001"
    facts = yaml.safe_load((folder / "metadata.yaml").read_text())
    facts["stems"] = {"S00": {"inst_class": "Guitar"}}
    (folder / "metadata.yaml").write_text(yaml.safe_dump(facts))
    (folder / "stems" / "S00.flac").unlink()
    write_sound(folder / "stems" / "S00.wav", tone(4))
    (track,) = SLAKH2100.index(tmp_path, "train")
    assert [(stem.label, stem.recordings[0].path.name) for stem in track.stems] == [("Guitar/", "S00.wav")]


def test_another_folder_is_not_the_dataset(tmp_path):
    (tmp_path / "Trackside").mkdir()
    with pytest.raises(DatasetError, match="is not Slakh2100"):
        SLAKH2100.check(tmp_path)
