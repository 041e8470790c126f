import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.wsj0 import WSJ0, read_mixing_list
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import make_wsj0


def test_converted_utterances_of_all_discs(tmp_path):
    make_wsj0(tmp_path)
    tracks = WSJ0.index(tmp_path, "si_tr_s")
    assert [track.name for track in tracks] == ["si_tr_s/01t/01to030v", "si_tr_s/01t/01to030w", "si_tr_s/20g/20ga010m"]
    assert [track.details["speaker"] for track in tracks] == ["01t", "01t", "20g"]
    assert WSJ0.check(tmp_path) == []
    assert WSJ0.index(tmp_path / "11-2.1" / "wsj0", "si_tr_s") == tracks[2:]


def test_sphere_files_must_be_converted(tmp_path):
    make_wsj0(tmp_path, converted=False)
    with pytest.raises(DatasetError, match=r"3 files of si_tr_s are compressed SPHERE .*sph2pipe"):
        WSJ0.index(tmp_path, "si_tr_s")
    faults = WSJ0.check(tmp_path)
    assert [(fault.path, fault.problem.split()[0]) for fault in faults] == [
        ("11-1.1/wsj0/si_tr_s", "3"),
        ("11-6.1/wsj0/si_dt_05", "1"),
        ("11-14.1/wsj0/si_et_05", "1"),
    ]
    assert "sph2pipe" in faults[0].cure


def test_one_forgotten_file_and_one_missing_split_are_told(tmp_path):
    make_wsj0(tmp_path)
    (tmp_path / "11-1.1/wsj0/si_tr_s/01t/01to030w.wav").unlink()
    (tmp_path / "11-6.1/wsj0/si_dt_05/050/050a0501.wav").unlink()
    (tmp_path / "11-6.1/wsj0/si_dt_05/050/050a0501.wv1").unlink()
    assert [fault.problem for fault in WSJ0.check(tmp_path)] == [
        "1 files are compressed SPHERE (.wv1) and have no WAV beside them",
        "the folder is missing or empty",
    ]
    with pytest.raises(DatasetError, match="no recordings of si_dt_05"):
        WSJ0.index(tmp_path, "si_dt_05")
    with pytest.raises(DatasetError, match="not WSJ0"):
        WSJ0.check(tmp_path / "11-6.1/wsj0/si_dt_05")


def test_mixing_lists_name_utterances(tmp_path):
    path = tmp_path / "mix_2_spk_tr.txt"
    path.write_text(
        "wsj0/si_tr_s/01t/01to030v.wav 0.76421 wsj0/si_tr_s/20g/20ga010m.wav -0.76421\n"
        "wsj0/si_tr_s/01t/01to030v.wav 1.2 wsj0/si_tr_s/40n/40na010x.wav -1.2\n"
    )
    assert read_mixing_list(path) == {"si_tr_s/01t/01to030v", "si_tr_s/20g/20ga010m", "si_tr_s/40n/40na010x"}
    path.write_text("01to030v 1.2\n")
    with pytest.raises(DatasetError, match="names no utterances"):
        read_mixing_list(path)
