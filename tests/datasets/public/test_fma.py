import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.fma import FMA_MEDIUM, FMA_SMALL
from unbraid.datasets.public.reading import read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import beyond_size, make_fma_medium, make_fma_small


@pytest.fixture
def root(tmp_path):
    make_fma_medium(tmp_path)
    return tmp_path


def test_medium_holds_small_and_leaves_out_what_has_no_sound(root):
    names = {split: [track.name for track in FMA_MEDIUM.index(root, split)] for split in FMA_MEDIUM.splits}
    assert names == {"train": ["000002", "000010"], "validation": ["000005"], "test": ["001482"]}
    track = FMA_MEDIUM.index(root / "fma_medium", "test")[0]
    assert track.details == {"genre": "Hip-Hop", "artist": "Ölaf", "subset": "medium"}


def test_ranges_of_clips_are_read(root):
    track = FMA_MEDIUM.index(root, "train")[0]
    samples = read_stem(track.stems[0], 20_000, 30_000)
    assert samples.shape == (2, 10_000)
    assert 0.01 < float((samples**2).mean() ** 0.5) < 0.2


def test_clips_without_sound_are_faults(root):
    (fault,) = beyond_size(FMA_MEDIUM.check(root))
    assert fault.path == "fma_medium/099/099134.mp3"
    assert "go on without the clip" in fault.cure
    (root / "fma_medium" / "000" / "000005.mp3").unlink()
    assert {fault.path for fault in beyond_size(FMA_MEDIUM.check(root))} == {fault.path, "fma_medium/000/000005.mp3"}
    with pytest.raises(DatasetError, match="no clip of validation"):
        FMA_MEDIUM.index(root, "validation")


def test_small_has_a_folder_of_its_own(tmp_path):
    make_fma_small(tmp_path)
    assert [track.name for track in FMA_SMALL.index(tmp_path, "train")] == ["000002"]
    with pytest.raises(DatasetError, match="is not FMA medium"):
        FMA_MEDIUM.index(tmp_path, "train")
    (tmp_path / "fma_metadata" / "tracks.csv").write_text("track_id,title\n2,Food\n")
    with pytest.raises(DatasetError, match="not the table of FMA"):
        FMA_SMALL.index(tmp_path, "train")
