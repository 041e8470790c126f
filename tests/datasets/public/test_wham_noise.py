import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.wham_noise import WHAM_NOISE
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import make_wham_noise


def test_splits_are_those_of_the_table(tmp_path):
    make_wham_noise(tmp_path)
    names = {split: [track.name for track in WHAM_NOISE.index(tmp_path, split)] for split in WHAM_NOISE.splits}
    assert names == {"train": ["40na_Day0", "40na_Day1"], "valid": ["40na_Day2"], "test": ["40na_Day3"]}
    assert [track.n_channels for track in WHAM_NOISE.index(tmp_path / "high_res_wham", "train")] == [2, 1]
    assert WHAM_NOISE.check(tmp_path) == []


def test_missing_files_columns_and_strange_splits_are_told(tmp_path):
    make_wham_noise(tmp_path)
    table = tmp_path / "high_res_wham/high_res_metadata.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Valid", "Dev"), encoding="utf-8")
    (tmp_path / "high_res_wham/audio/40na_Day0.wav").unlink()
    assert [(fault.path, fault.problem) for fault in WHAM_NOISE.check(tmp_path)] == [
        ("high_res_metadata.csv", "there is no split 'Dev'"),
        ("audio/40na_Day0.wav", "the file is missing"),
    ]
    with pytest.raises(DatasetError, match="40na_Day0"):
        WHAM_NOISE.index(tmp_path, "train")
    with pytest.raises(DatasetError, match="it has no recording of valid"):
        WHAM_NOISE.index(tmp_path, "valid")
    table.write_text("Filename,Split\na.wav,Train\n")
    with pytest.raises(DatasetError, match="no column WHAM! Split"):
        WHAM_NOISE.index(tmp_path, "train")
