import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.fsd50k import FSD50K
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import FSD50K_CLIPS, beyond_size, make_fsd50k


def test_clips_come_in_the_order_of_the_tables(tmp_path):
    make_fsd50k(tmp_path)
    assert [track.name for track in FSD50K.index(tmp_path, "dev")] == list(FSD50K_CLIPS["dev"])
    assert [track.name for track in FSD50K.index(tmp_path, "validation")] == ["1003", "1004", "1009"]
    assert len(FSD50K.index(tmp_path, "train")) == 7
    assert [track.name for track in FSD50K.index(tmp_path, "eval")] == ["100", "209"]


def test_labels_are_those_of_the_annotators_with_the_ground_truth_beside(tmp_path):
    make_fsd50k(tmp_path)
    track = FSD50K.index(tmp_path, "validation")[-1]
    assert track.stems[0].label == "Owl"
    assert track.details == {
        "labels": "Bird,Wild_animals,Animal",
        "collection": "Owl",
        "licence": "http://creativecommons.org/licenses/by-nc/3.0/",
        "uploader": "añder",
    }


def test_without_the_metadata_the_ground_truth_labels(tmp_path):
    make_fsd50k(tmp_path, metadata=False)
    track = FSD50K.index(tmp_path, "eval")[0]
    assert track.stems[0].label == "Bark,Dog,Animal"
    assert track.details == {"labels": "Bark,Dog,Animal", "collection": ""}
    assert [fault.path for fault in beyond_size(FSD50K.check(tmp_path))] == [
        "FSD50K.metadata/collection/collection_dev.csv",
        "FSD50K.metadata/collection/collection_eval.csv",
    ]


def test_damage_is_told(tmp_path):
    make_fsd50k(tmp_path)
    assert beyond_size(FSD50K.check(tmp_path)) == []
    (tmp_path / "FSD50K.dev_audio/1004.wav").unlink()
    (tmp_path / "FSD50K.ground_truth/vocabulary.csv").unlink()
    assert [fault.path for fault in beyond_size(FSD50K.check(tmp_path))] == [
        "FSD50K.ground_truth/vocabulary.csv",
        "FSD50K.dev_audio/1004.wav",
    ]
    assert len(FSD50K.index(tmp_path, "train")) == 7
    with pytest.raises(DatasetError, match=r"1004.wav"):
        FSD50K.index(tmp_path, "validation")
    (tmp_path / "FSD50K.metadata/dev_clips_info_FSD50K.json").write_text("[1]")
    with pytest.raises(DatasetError, match=r"dev_clips_info_FSD50K.json: cannot be read"):
        FSD50K.index(tmp_path, "train")
    (tmp_path / "FSD50K.ground_truth/eval.csv").write_text("fname,labels,mids\n")
    with pytest.raises(DatasetError, match="there is no clip of eval"):
        FSD50K.index(tmp_path, "eval")
    (tmp_path / "FSD50K.ground_truth/dev.csv").write_text("fname,labels\n1,Dog\n")
    with pytest.raises(DatasetError, match="no column split"):
        FSD50K.index(tmp_path, "dev")
    with pytest.raises(DatasetError, match="not FSD50K"):
        FSD50K.check(tmp_path / "FSD50K.dev_audio")
