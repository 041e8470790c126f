from pathlib import Path

import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError
from unbraid.listening.trials import find_trials


def make(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_audio(folder / name, Audio(torch.zeros(1, 800), 8000), encoding=Encoding(Path(name).suffix[1:], "16"))


def test_trials_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    make(tmp_path / "b" / "deep", "mixture.wav", "reference.flac", "ours.wav", "theirs.wav")
    make(tmp_path / "ä", "mixture.wav", "reference.wav", "theirs.flac", "ours.wav")
    (tmp_path / "b" / "notes.txt").write_text("x")
    (tmp_path / "b" / "deep" / "._ours.wav").write_bytes(b"x")
    found = find_trials([tmp_path])
    assert [trial.name for trial in found] == [f"{tmp_path.name}/b/deep", f"{tmp_path.name}/ä"]
    assert set(found[0].methods) == {"ours", "theirs"}
    assert found[1].methods["theirs"] == tmp_path / "ä" / "theirs.flac"


def test_a_trial_itself_can_be_given(tmp_path: Path) -> None:
    make(tmp_path / "one", "mixture.wav", "reference.wav", "ours.wav")
    (trial,) = find_trials([tmp_path / "one"])
    assert trial.name == "one"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("mixture.wav", "ours.wav"), "reference is missing"),
        (("ours.wav", "theirs.wav"), "mixture and reference is missing"),
        (("mixture.wav", "reference.wav"), "a file of a method is missing"),
        (("mixture.wav", "reference.wav", "ours.wav", "ours.flac"), "have one name"),
    ],
)
def test_what_is_no_trial(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    make(tmp_path / "one", *names)
    with pytest.raises(DatasetError, match=message):
        find_trials([tmp_path])


def test_all_trials_have_the_same_methods(tmp_path: Path) -> None:
    make(tmp_path / "a", "mixture.wav", "reference.wav", "ours.wav")
    make(tmp_path / "b", "mixture.wav", "reference.wav", "theirs.wav")
    with pytest.raises(DatasetError, match=r"has the methods theirs, and .*/a has ours"):
        find_trials([tmp_path])


def test_nothing_and_nowhere(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no trial"):
        find_trials([tmp_path])
    with pytest.raises(DatasetError, match="is no folder"):
        find_trials([tmp_path / "gone"])
