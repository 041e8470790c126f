import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.dataset import Fault
from unbraid.datasets.public.listing import (
    base_of,
    check_split,
    fault_of,
    files,
    folders,
    length_faults,
    read_lines,
    read_table,
    reason_of,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import litter, write


def test_litter_is_passed_over(tmp_path):
    litter(tmp_path)
    for name in ("b.WAV", "ä.wav", "a.flac", "note.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.wav").mkdir()
    assert [path.name for path in files(tmp_path, ".wav", ".flac")] == ["a.flac", "b.WAV", "ä.wav"]
    assert [path.name for path in folders(tmp_path)] == ["folder.wav"]
    assert files(tmp_path / "nowhere", ".wav") == folders(tmp_path / "nowhere") == []


def test_the_base_is_the_root_or_a_folder_in_it(tmp_path):
    (tmp_path / "Corpus" / "train").mkdir(parents=True)
    assert base_of(tmp_path, inside=("Corpus",), holds=("train", "test"), title="X") == tmp_path / "Corpus"
    assert base_of(tmp_path / "Corpus", inside=("Corpus",), holds=("test", "train"), title="X") == tmp_path / "Corpus"
    with pytest.raises(DatasetError, match=r"this is not X .it holds none of test"):
        base_of(tmp_path, inside=("Corpus",), holds=("test",), title="X")
    with pytest.raises(DatasetError, match="there is no such folder"):
        base_of(tmp_path / "nowhere", inside=(), holds=("test",), title="X")


@pytest.mark.parametrize("given", ["music", "music/Corpus/train", "music/Corpus/train/song", "music/Corpus/README.md"])
def test_a_root_a_little_too_high_or_too_low_is_told_where_the_dataset_lies(tmp_path, given):
    (tmp_path / "music" / "Corpus" / "train" / "song").mkdir(parents=True)
    (tmp_path / "music" / "Corpus" / "README.md").write_text("read me")
    with pytest.raises(DatasetError) as told:
        base_of(tmp_path / given, inside=(), holds=("train", "test"), title="X")
    assert str(told.value).endswith(f"it seems to lie in {tmp_path / 'music' / 'Corpus'}")
    assert ("it is a file" in str(told.value)) == given.endswith(".md")


def test_what_lies_elsewhere_keeps_its_path(tmp_path):
    assert relative(tmp_path / "a" / "b.wav", tmp_path) == "a/b.wav"
    assert relative(Path("/elsewhere/b.wav"), tmp_path) == "/elsewhere/b.wav"


def test_an_error_about_a_file_becomes_its_fault(tmp_path):
    error = DatasetError(f"{tmp_path / 'list.txt'}: it is missing: get it again")
    assert fault_of(error, tmp_path, cure="get it again") == Fault("list.txt", "it is missing", "get it again")
    assert fault_of(error, tmp_path, cure="other").problem == "it is missing: get it again"


def test_reasons_are_one_line():
    assert reason_of(ValueError("a\n  b")) == "it cannot be understood (ValueError: a b)"


def test_what_belongs_together_is_equally_long(tmp_path):
    for name, length in {"mix": 100, "noise": 90, "speech": 100}.items():
        write(tmp_path / "one" / f"{name}.wav", np.zeros(length), 16000)
        write(tmp_path / "two" / f"{name}.wav", np.zeros(length), 16000 if name != "noise" else 8000)
    (tmp_path / "one" / "cut.wav").write_bytes(b"RIFF")
    names = ("mix.wav", "noise.wav", "speech.wav", "cut.wav", "absent.wav")
    groups = [[tmp_path / folder / name for name in names] for folder in ("one", "two")]
    assert length_faults(tmp_path, groups, cure="again") == [
        Fault(
            "one/mix.wav", "its files differ in length: one/noise.wav has 90, one/speech.wav has 100 samples", "again"
        )
    ]


def test_splits_are_checked():
    check_split("train", ("train", "test"), title="X")
    with pytest.raises(DatasetError, match="X has no split 'dev': choose one of train, test"):
        check_split("dev", ("train", "test"), title="X")


def test_lists_and_tables_with_marks_blanks_and_long_rows(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\ufeffa\t1\r\n\r\n  b \n", encoding="utf-8")
    assert read_lines(path) == ["a\t1", "b"]
    path.write_text('\ufeffname,split\n"a, b",train,more\nc\n', encoding="utf-8")
    assert read_table(path, columns=("name",)) == [{"name": "a, b", "split": "train"}, {"name": "c", "split": ""}]
    with pytest.raises(DatasetError, match="no column size"):
        read_table(path, columns=("name", "size"))
    path.write_bytes(b"\xff\xfe\x00")
    for read in (read_lines, lambda path: read_table(path, columns=())):
        with pytest.raises(DatasetError, match="cannot be understood"):
            read(path)
    path.write_text("")
    with pytest.raises(DatasetError, match="no column name"):
        read_table(path, columns=("name",))


def test_sizes_are_compared():
    assert size_fault("a", found=3, expected=3, what="clips", cure="x") == []
    assert size_fault("a", found=2, expected=3, what="clips", cure="x") == [
        Fault("a", "2 clips, 3 were published", "x")
    ]


def test_each_file_has_at_most_one_fault(tmp_path):
    write(tmp_path / "good.wav", np.zeros(10), 16000)
    write(tmp_path / "wide and slow.wav", np.zeros((10, 2)), 8000)
    write(tmp_path / "empty.wav", np.zeros(0), 16000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "good.wav").read_bytes()[:50])
    paths = [tmp_path / f"{name}.wav" for name in ("good", "wide and slow", "empty", "cut", "absent")]
    faults = sound_faults(tmp_path, paths, sample_rates=(16000, 48000), n_channels=(1,), cure="again")
    assert [(fault.path, fault.problem) for fault in faults] == [
        ("absent.wav", "the file is missing"),
        ("cut.wav", "the file is cut off, its end is missing"),
        ("empty.wav", "the file holds no samples"),
        ("wide and slow.wav", "its rate is 8000 Hz, not 16000 or 48000"),
    ]
    assert {fault.cure for fault in faults} == {"again"}
