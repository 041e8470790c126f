import json

import numpy as np
import pytest
import soundfile

from unbraid.datasets import render
from unbraid.datasets.render import Plan, quantize, render_sounds, render_stems, track_folder
from unbraid.datasets.speech import find_espeak
from unbraid.errors import DatasetError, SettingsError

QUICK = {"seed": 3, "duration": 2.0, "soundfont": ""}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    out = tmp_path_factory.mktemp("packs") / "one"
    assert render_stems(out, tracks=3, jobs=1, **QUICK) == 3
    return out


def test_packs_hold_mono_files_of_the_categories(pack):
    for index in (1, 2, 3):
        files = sorted(track_folder(pack, index).iterdir())
        assert files
        assert {file.stem for file in files} <= {"drums", "bass", "vocals", "other"}
        for file in files:
            info = soundfile.info(file)
            assert (info.channels, info.samplerate, info.frames, info.subtype) == (1, 44100, 88200, "PCM_16")


def test_files_do_not_depend_on_the_number_of_processes(pack, tmp_path):
    render_stems(tmp_path / "two", tracks=3, jobs=2, **QUICK)
    assert contents(tmp_path / "two") == contents(pack)


def test_finished_tracks_are_kept_and_half_written_ones_made_again(pack, tmp_path):
    out = tmp_path / "resumed"
    render_stems(out, tracks=1, jobs=1, **QUICK)
    stamp = (track_folder(out, 1) / "drums.flac").stat().st_mtime_ns
    half = out / ".Track00002.part"
    half.mkdir()
    (half / "drums.flac").write_bytes(b"half")
    seen = []
    assert render_stems(out, tracks=3, jobs=1, progress=seen.append, **QUICK) == 2
    assert (track_folder(out, 1) / "drums.flac").stat().st_mtime_ns == stamp
    assert contents(out) == contents(pack)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert render_stems(out, tracks=3, jobs=2, **QUICK) == 0


def test_a_failure_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(path, integers):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render, "write_flac", full)
    with pytest.raises(DatasetError, match="No space left on device"):
        render_stems(tmp_path / "x", tracks=1, jobs=1, **QUICK)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["render.json"]
    with pytest.raises(DatasetError, match="No space left on device"):
        render_sounds(tmp_path / "y", count=1, seed=1, jobs=1)
    assert not [path for path in (tmp_path / "y").rglob("*") if path.is_file() and path.name != "render.json"]


def test_other_settings_need_another_folder(pack):
    with pytest.raises(SettingsError, match="another seed"):
        render_stems(pack, tracks=3, jobs=1, **{**QUICK, "seed": 4})
    with pytest.raises(SettingsError, match="another duration, channels"):
        render_stems(pack, tracks=3, jobs=1, channels=2, **{**QUICK, "duration": 3.0})
    with pytest.raises(SettingsError, match="another layout"):
        render_sounds(pack, count=1, seed=3, jobs=1)


def test_places_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot render into"):
        render_stems(tmp_path / "file", tracks=1, **QUICK)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "render.json").write_text("{")
    with pytest.raises(SettingsError, match="cannot render into"):
        render_stems(tmp_path / "odd", tracks=1, **QUICK)
    (tmp_path / "odd" / "render.json").write_text(json.dumps([1]))
    with pytest.raises(SettingsError, match="choose another folder"):
        render_stems(tmp_path / "odd", tracks=1, **QUICK)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tracks": 0}, "0 tracks"),
        ({"jobs": 0}, "0 jobs"),
        ({"channels": 3}, "3 channels"),
        ({"duration": 0.1}, "too short"),
        ({"seed": -1}, "negative"),
        ({"soundfont": "/none.sf2"}, "no SoundFont"),
    ],
)
def test_impossible_wishes(tmp_path, changes, words):
    with pytest.raises(DatasetError, match=words):
        render_stems(tmp_path / "x", **{"tracks": 2, **QUICK, **changes})
    assert not list((tmp_path).rglob("Track*"))


def test_item_seeds_differ():
    plan = Plan(1, 2.0, "", 1)
    assert len({plan.item_seed(index) for index in range(1000)}) == 1000
    assert plan.item_seed(1) != Plan(2, 2.0, "", 1).item_seed(1)


def test_quantize_rounds_and_folds():
    samples = np.array([[1.0, -1.0, 0.5], [1.0, 0.0, 0.5]], np.float32)
    assert quantize(samples, channels=2).tolist() == [[32767, 32767], [-32767, 0], [16384, 16384]]
    assert quantize(samples, channels=1).tolist() == [[32767], [-16384], [16384]]


def test_sounds_are_sorted_into_folders(tmp_path):
    kinds = {"sfx", "sfx-mix"} | ({"speech"} if find_espeak() else set())
    out = tmp_path / "a"
    assert render_sounds(out, count=1, seed=5, jobs=1) == len(kinds)
    assert {path.name for path in out.iterdir() if path.is_dir()} == kinds
    before = contents(out)
    (out / "sfx" / "00001.flac").unlink()
    seen = []
    assert render_sounds(out, count=1, seed=5, jobs=1, progress=seen.append) == 1
    assert contents(out) == before
    assert seen == pytest.approx([1 - 1 / len(kinds), 1.0])
    assert all(soundfile.info(out / kind / "00001.flac").channels == 1 for kind in kinds)
    with pytest.raises(DatasetError, match="0 sounds"):
        render_sounds(tmp_path / "c", count=0, seed=5)
