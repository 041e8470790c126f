import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.datasets.public.vctk_demand import PROMPT_OF, VCTK_DEMAND
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, make_vctk_demand


@pytest.fixture
def root(tmp_path):
    return make_vctk_demand(tmp_path)


def test_the_noise_is_what_the_clean_speech_leaves(root):
    for track in VCTK_DEMAND.index(root, "test"):
        speech, noise = (read_stem(stem, 0, track.n_samples) for stem in track.stems)
        assert [PROMPT_OF[stem.label] for stem in track.stems] == ["speech", "sfx-mix"]
        noisy, _ = soundfile.read(root / "noisy_testset_wav" / f"{track.name}.wav", dtype="float32")
        assert np.allclose(noise[0], noisy - speech[0], atol=1e-7)
        assert 0.025 < noise.std() < 0.035
        assert np.allclose(read_mixture(track, 0, track.n_samples)[0], noisy, atol=1e-6)
        assert np.array_equal(read_mixture(track, 0, track.n_samples, distributed=True)[0], noisy)


def test_two_speakers_of_the_28_validate(root):
    speakers = {
        split: sorted({track.details["speaker"] for track in VCTK_DEMAND.index(root, split)})
        for split in VCTK_DEMAND.splits
    }
    assert speakers == {
        "train": ["p228"],
        "validation": ["p226", "p287"],
        "train-28spk": ["p226", "p228", "p287"],
        "train-56spk": ["p234", "p238"],
        "test": ["p232", "p257"],
    }


def test_logs_tell_noise_and_level_wherever_they_lie(root):
    assert VCTK_DEMAND.index(root, "test")[1].details == {"speaker": "p232", "noise": "bus", "snr_db": 7.5}
    (root / "logfiles").mkdir()
    (root / "log_testset.txt").rename(root / "logfiles/log_testset.txt")
    assert VCTK_DEMAND.index(root, "test")[0].details["snr_db"] == 2.5
    (root / "logfiles/log_testset.txt").unlink()
    assert VCTK_DEMAND.index(root, "test")[0].details == {"speaker": "p232"}
    (root / "log_testset.txt").write_text("p232_001 bus\n")
    with pytest.raises(DatasetError, match="p232_001 bus"):
        VCTK_DEMAND.index(root, "test")


def test_an_archive_that_repeats_its_name_inside(root):
    folder = root / "noisy_testset_wav"
    folder.rename(root / "inner")
    folder.mkdir()
    (root / "inner").rename(folder / "noisy_testset_wav")
    assert len(VCTK_DEMAND.index(root, "test")) == 4
    assert beyond_size(VCTK_DEMAND.check(root)) == []


def test_what_is_missing_or_damaged_is_told(root):
    assert [fault.path for fault in VCTK_DEMAND.check(root)] == [
        "noisy_trainset_28spk_wav",
        "noisy_trainset_56spk_wav",
        "noisy_testset_wav",
    ]
    (root / "clean_testset_wav/p232_001.wav").unlink()
    soundfile.write(root / "clean_testset_wav/p232_005.wav", np.zeros(4000), 16000)
    soundfile.write(root / "noisy_testset_wav/p257_001.wav", np.zeros(7), 48000)
    faults = {fault.path: fault.problem for fault in beyond_size(VCTK_DEMAND.check(root))}
    assert faults["clean_testset_wav/p232_001.wav"] == "the file is missing"
    assert faults["clean_testset_wav/p232_005.wav"] == "its rate is 16000 Hz, not 48000"
    assert faults["noisy_testset_wav/p257_001.wav"].startswith("its files differ in length: noisy_")
    with pytest.raises(DatasetError, match="p232_001"):
        VCTK_DEMAND.index(root, "test")
    for path in (root / "noisy_trainset_56spk_wav").glob("p*.wav"):
        path.unlink()
        (root / "clean_trainset_56spk_wav" / path.name).unlink()
    with pytest.raises(DatasetError, match="no recordings of train-56spk"):
        VCTK_DEMAND.index(root, "train-56spk")
