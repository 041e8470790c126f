from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.pack import read_pack
from unbraid.datasets.packing import PackSettings
from unbraid.datasets.recordings import Use, find_recordings, pack_recordings
from unbraid.datasets.taxonomy import PROMPTS
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "audio" / "train"
RATE = 16000


def write(path, seconds, seed=0, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * rate))
    soundfile.write(path, samples, rate)


@pytest.fixture
def few(tmp_path):
    """One recording of every kind."""
    folder = tmp_path / "train"
    write(folder / "multitrack/eif_a/vocals.ogg", 9, 1)
    write(folder / "multitrack/eif_a/drums.ogg", 9, 2)
    write(folder / "multitrack_kira/arp.ogg", 9, 3)
    write(folder / "speech_librispeech/17-1-0000.ogg", 2, 4, rate=8000)
    write(folder / "speech_librispeech/17-2-0000.ogg", 2, 5)
    write(folder / "sfx_mod_sounds/bear_01.ogg", 1, 6)
    write(folder / "sfx_mod_sounds/bear_02.ogg", 1, 7)
    write(folder / "sfx_mod_sounds/rain_light.ogg", 14, 8)
    write(folder / "sfx_mod_sounds/laugh_evil_01.ogg", 1, 9)
    for number, note in enumerate("CDEFGAB"):
        write(folder / f"instr_tonejs/bass-electric_{note}2.ogg", 1, number)
        write(folder / f"instr_tonejs/guitar-acoustic_{note}3.ogg", 1, number)
        write(folder / f"instr_body_percussion/clap_{number}.ogg", 0.2, number)
    (folder / "multitrack/LICENSE.txt").write_text("CC0")
    return folder


def test_files_are_what_their_paths_say(few):
    found = {recording.relative: recording for recording in find_recordings(few)}
    assert len(found) == 8 + 21
    assert found["multitrack/eif_a/vocals.ogg"].rule.prompt == "vocals"
    assert found["multitrack_kira/arp.ogg"].rule.prompt == "other"
    assert found["sfx_mod_sounds/rain_light.ogg"].rule.prompt == "sfx-mix"
    assert found["sfx_mod_sounds/bear_01.ogg"].rule.prompt == "sfx"
    assert found["instr_tonejs/bass-electric_C2.ogg"].rule.use is Use.MELODY
    assert found["instr_tonejs/guitar-acoustic_C3.ogg"].rule.use is Use.CHORDS
    assert found["instr_body_percussion/clap_0.ogg"].rule.use is Use.RHYTHM


def test_what_belongs_together_has_one_group(few):
    groups = {recording.relative: recording.group for recording in find_recordings(few)}
    assert groups["speech_librispeech/17-1-0000.ogg"] == groups["speech_librispeech/17-2-0000.ogg"]
    assert groups["sfx_mod_sounds/bear_01.ogg"] == groups["sfx_mod_sounds/bear_02.ogg"] == "sfx_mod_sounds/bear"
    assert groups["multitrack/eif_a/vocals.ogg"] == groups["multitrack/eif_a/drums.ogg"]
    assert groups["instr_tonejs/bass-electric_C2.ogg"] != groups["instr_tonejs/guitar-acoustic_C3.ogg"]


def test_a_pack_of_recordings(few, tmp_path):
    report = pack_recordings(few, tmp_path / "pack", settings=PackSettings(sample_rate=RATE))
    sources = {source.name.removeprefix("pack/"): source for source in read_pack(tmp_path / "pack")}
    assert SourcePool(sources.values()).prompts == set(PROMPTS)
    assert sources["speech_librispeech/17-1-0000"].band_rate == 8000
    assert {"multitrack/eif_a/music-mix", "instr_body_percussion/phrase-5"} <= set(sources)
    assert sources["instr_tonejs/bass-electric/phrase-0"].prompt == "bass"
    assert sources["instr_tonejs/bass-electric/phrase-0"].n_samples == 12 * RATE
    assert report.n_sources + 1 == len(sources)  # and the music of the one song with two stems
    assert {name.split("/")[0] for name, source in sources.items() if source.train_only} == {
        "multitrack",
        "multitrack_kira",
    }


def test_the_same_recordings_give_the_same_pack(few, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pack_recordings(few, tmp_path / name / "pack", settings=PackSettings(sample_rate=RATE))
    for file in ("samples.i16", "index.json"):
        assert (tmp_path / "one/pack" / file).read_bytes() == (tmp_path / "two/pack" / file).read_bytes()


def test_progress_reaches_one(few, tmp_path):
    fractions = []
    pack_recordings(few, tmp_path / "pack", settings=PackSettings(sample_rate=RATE), progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="none of the known recordings"):
        find_recordings(tmp_path)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not on this machine")
def test_every_prompt_has_real_recordings():
    found = find_recordings(RECORDINGS)
    assert {recording.rule.prompt for recording in found} == set(PROMPTS)
    folders = {path.name for path in RECORDINGS.iterdir() if path.is_dir()} - {"midi_freedoom"}
    assert {recording.relative.split("/")[0] for recording in found} == folders
