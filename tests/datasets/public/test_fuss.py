import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.fuss import FUSS, FUSS_REVERB, PROMPT_OF, SIZES
from unbraid.datasets.public.reading import read_mixture
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, make_fuss

ROUNDING = 0.5 / 32768


@pytest.fixture
def root(tmp_path):
    return make_fuss(tmp_path / "fuss", n_mixtures=4)


def test_tracks_are_the_lines_of_the_list_with_one_to_four_sources(root):
    tracks = FUSS.index(root, "train")
    assert [track.name for track in tracks] == [f"train/example0000{index}" for index in range(4)]
    assert [stem.name for stem in tracks[2].stems] == ["background0", "foreground0", "foreground1"]
    assert [stem.label for stem in tracks[1].stems] == ["background", "foreground"]
    assert {PROMPT_OF[stem.label] for track in tracks for stem in track.stems} == {"sfx"}
    assert [track.details["n_sources"] for track in tracks] == [1, 2, 3, 4]
    assert {(track.dataset, track.split, track.sample_rate, track.n_samples) for track in tracks} == {
        ("fuss", "train", 16000, 4000)
    }


@pytest.mark.parametrize("split", FUSS.splits)
def test_mixtures_are_the_sums_of_their_sources_up_to_the_rounding_of_16_bits(root, split):
    for track in FUSS.index(root, split):
        error = read_mixture(track, 0, 4000) - read_mixture(track, 0, 4000, distributed=True)
        assert np.abs(error).max() <= (len(track.stems) + 1.01) * ROUNDING


def test_the_whole_miniature_lacks_only_mixtures(root):
    faults = FUSS.check(root)
    assert beyond_size(faults) == []
    assert [fault.problem for fault in faults] == [f"4 mixtures, {size} were published" for size in SIZES.values()]


def test_the_root_may_be_the_folder_itself_but_not_the_other_one(root):
    assert FUSS.index(root / "ssdata", "eval") == FUSS.index(root, "eval")
    make_fuss(root, folder="ssdata_reverb", n_mixtures=2)
    assert len(FUSS_REVERB.index(root, "train")) == 2
    assert FUSS_REVERB.index(root, "train")[0].dataset == "fuss-reverb"
    with pytest.raises(DatasetError, match="ssdata_reverb, not ssdata"):
        FUSS.index(root / "ssdata_reverb", "train")
    with pytest.raises(DatasetError, match="no split 'test'"):
        FUSS.index(root, "test")
    with pytest.raises(DatasetError, match="not FUSS"):
        FUSS.index(root.parent, "train")


def test_a_list_that_names_an_absent_file_is_told(root):
    (root / "ssdata/train/example00001_sources/foreground0_sound.wav").unlink()
    with pytest.raises(DatasetError, match=r"foreground0_sound.wav: .*datasets check fuss"):
        FUSS.index(root, "train")
    fault = beyond_size(FUSS.check(root))[0]
    assert fault.path == "train/example00001_sources/foreground0_sound.wav"
    assert "missing" in fault.problem
    assert "FUSS_ssdata.tar.gz" in fault.cure
    assert len(FUSS.index(root, "validation")) == 4


def test_damaged_wide_and_resampled_files_and_absent_lists_are_told(root):
    base = root / "ssdata"
    (base / "train/example00000.wav").write_bytes(b"RIFF")
    soundfile.write(base / "validation/example00000.wav", np.zeros((4000, 2)), 16000)
    soundfile.write(base / "validation/example00001.wav", np.zeros(11025), 44100)
    (base / "eval_example_list.txt").unlink()
    problems = {fault.path: fault.problem for fault in beyond_size(FUSS.check(root))}
    assert set(problems) == {
        "train/example00000.wav",
        "validation/example00000.wav",
        "validation/example00001.wav",
        "eval_example_list.txt",
    }
    assert problems["validation/example00000.wav"] == "it has 2 channels, not 1"
    assert problems["validation/example00001.wav"] == "its rate is 44100 Hz, not 16000"
    with pytest.raises(DatasetError, match=r"eval_example_list.txt: it is missing"):
        FUSS.index(root, "eval")


def test_lists_that_hold_nothing_or_nonsense_are_told(root):
    path = root / "ssdata/eval_example_list.txt"
    path.write_text("/elsewhere/a.wav\t../b.wav\n")
    assert {"/elsewhere/a.wav", "../b.wav"} <= {fault.path for fault in FUSS.check(root)}
    path.write_bytes(b"\xff\xfe\x00")
    (fault,) = beyond_size(FUSS.check(root))
    assert fault.path == "eval_example_list.txt"
    assert fault.problem.startswith("it cannot be understood (UnicodeDecodeError")
    path.write_text("\n")
    with pytest.raises(DatasetError, match="the list is empty"):
        FUSS.index(root, "eval")


def test_a_mixture_without_sources_is_told(root):
    path = root / "ssdata/train_example_list.txt"
    path.write_text("train/example00000.wav\n")
    with pytest.raises(DatasetError, match="train/example00000 has no sources"):
        FUSS.index(root, "train")
