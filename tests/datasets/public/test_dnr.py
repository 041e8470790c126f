import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.dnr import DNR, PROMPT_OF, SIZES
from unbraid.datasets.public.reading import read_mixture
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, make_dnr


@pytest.fixture
def root(tmp_path):
    return make_dnr(tmp_path)


@pytest.mark.parametrize("split", DNR.splits)
def test_mixtures_are_the_sums_of_three_stems(root, split):
    tracks = DNR.index(root, split)
    assert [track.name for track in tracks] == [f"{split}/66824", f"{split}/66831"]
    for track in tracks:
        assert [PROMPT_OF[stem.label] for stem in track.stems] == ["speech", "music-mix", "sfx-mix"]
        error = read_mixture(track, 0, track.n_samples) - read_mixture(track, 0, track.n_samples, distributed=True)
        assert np.abs(error).max() < 1e-6


def test_the_root_may_be_the_inner_folder_and_empty_folders_are_passed_over(root):
    assert DNR.index(root / "dnr_v2", "tt") == DNR.index(root, "tt")
    assert [fault.problem for fault in DNR.check(root)] == [
        f"2 mixtures, {size} were published" for size in SIZES.values()
    ]


def test_missing_stems_annotations_and_wrong_rates_are_told(root):
    folder = root / "dnr_v2/tt/66831"
    (folder / "music.wav").unlink()
    (folder / "annots.csv").unlink()
    soundfile.write(root / "dnr_v2/cv/66831/sfx.wav", np.zeros(100), 16000)
    problems = {fault.path: fault.problem for fault in beyond_size(DNR.check(root))}
    assert problems == {
        "cv/66831/sfx.wav": "its rate is 16000 Hz, not 44100",
        "tt/66831/annots.csv": "the file is missing",
        "tt/66831/music.wav": "the file is missing",
    }
    with pytest.raises(DatasetError, match=r"music.wav"):
        DNR.index(root, "tt")
    (root / "empty/tr").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no folder of a mixture in tr, cv, tt"):
        DNR.index(root / "empty", "tr")
    shutil.rmtree(root / "dnr_v2/tr")
    with pytest.raises(DatasetError, match="there are no mixtures"):
        DNR.index(root, "tr")
