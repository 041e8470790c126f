import mido
import numpy as np
import pytest
import soundfile

from unbraid.datasets.slakh import render_dataset

yaml = pytest.importorskip("yaml")

QUICK = {"seed": 8, "duration": 3.0, "soundfont": ""}
FIELDS = {
    "UUID", "audio_dir", "lmd_midi_dir", "midi_dir", "normalization_factor", "normalized", "overall_gain", "stems",
    "target_peak",
}  # fmt: skip
STEM_FIELDS = {
    "audio_rendered", "inst_class", "integrated_loudness", "is_drum", "midi_program_name", "midi_saved", "plugin_name",
    "program_num",
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("slakh") / "one"
    assert render_dataset(out, tracks=2, jobs=1, **QUICK) == 2
    return out


def folders(dataset):
    return [dataset / "Track00001", dataset / "Track00002"]


def facts(folder):
    return yaml.safe_load((folder / "metadata.yaml").read_text())


def test_the_tree(dataset):
    for folder in folders(dataset):
        names = set(facts(folder)["stems"])
        assert {path.stem for path in (folder / "stems").glob("*.flac")} == names
        assert {path.stem for path in (folder / "MIDI").glob("*.mid")} == names
        assert names == {f"S{index:02d}" for index in range(len(names))}
        top = {path.name for path in folder.iterdir()}
        assert top == {"mix.flac", "stems", "MIDI", "all_src.mid", "metadata.yaml"}


def test_the_mixture_is_the_exact_sum_of_the_stems(dataset):
    for folder in folders(dataset):
        mixture, rate = soundfile.read(folder / "mix.flac", dtype="int16")
        total = np.zeros(mixture.shape, np.int64)
        for path in (folder / "stems").iterdir():
            stem, stem_rate = soundfile.read(path, dtype="int16")
            assert stem_rate == rate == 44100
            assert stem.shape == mixture.shape == (132300, 2)
            total += stem
        assert np.array_equal(total, mixture)
        assert 1000 < np.abs(total).max() < 32767


def test_metadata_has_the_fields_of_slakh(dataset):
    for folder in folders(dataset):
        found = facts(folder)
        assert found.keys() >= FIELDS
        assert (found["audio_dir"], found["midi_dir"]) == ("stems", "MIDI")
        assert len(found["UUID"]) == 32
        mixture, _ = soundfile.read(folder / "mix.flac")
        assert 10 ** (found["target_peak"] / 20) == pytest.approx(np.abs(mixture).max(), rel=1e-4)
        for stem in found["stems"].values():
            assert stem.keys() == STEM_FIELDS
            assert stem["is_drum"] == (stem["inst_class"] == "Drums") == (stem["program_num"] == 128)
            assert stem["plugin_name"].startswith("unbraid ")
            assert stem["integrated_loudness"] < 0
    assert facts(folders(dataset)[0])["UUID"] != facts(folders(dataset)[1])["UUID"]


def test_scores_belong_to_the_stems(dataset):
    for folder in folders(dataset):
        everyone = mido.MidiFile(folder / "all_src.mid")
        stems = facts(folder)["stems"]
        assert [track.name for track in everyone.tracks[1:]] == [stem["midi_program_name"] for stem in stems.values()]
        for name, track in zip(stems, everyone.tracks[1:], strict=True):
            own = mido.MidiFile(folder / "MIDI" / f"{name}.mid")
            assert len(own.tracks[1]) == len(track)
            assert own.length <= 3.0 + 0.01


def test_two_processes_make_the_same_set(dataset, tmp_path):
    render_dataset(tmp_path, tracks=2, jobs=2, **QUICK)
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (dataset, tmp_path)
    )
    assert first == second


def test_mono(tmp_path):
    render_dataset(tmp_path, tracks=1, jobs=1, channels=1, **{**QUICK, "duration": 1.0})
    mixture, _ = soundfile.read(tmp_path / "Track00001" / "mix.flac", dtype="int16")
    stems = [soundfile.read(path, dtype="int16")[0] for path in (tmp_path / "Track00001" / "stems").iterdir()]
    assert mixture.shape == (44100,)
    assert np.array_equal(np.sum(stems, axis=0), mixture)
