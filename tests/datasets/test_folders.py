import numpy as np
import pytest
import soundfile

from unbraid.datasets.folders import StemFile, open_source, read_folder, read_song_folders, read_stem_folders
from unbraid.errors import DatasetError


@pytest.fixture
def tree(tmp_path):
    """Make a folder of empty files; they are not opened when they are found."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def found(stems: list[StemFile]) -> set[tuple[str, str, str]]:
    return {(stem.name, stem.prompt, stem.track) for stem in stems}


def test_song_folders_at_any_depth(tree):
    path = tree("train/A/vocals.wav", "train/A/drums.wav", "train/A/mixture.wav", "test/B/Bass.flac", "test/B/gtr.ogg")
    assert found(read_folder(path)) == {
        ("train/A/vocals", "vocals", "train/A"),
        ("train/A/drums", "drums", "train/A"),
        ("test/B/Bass", "bass", "test/B"),
        ("test/B/gtr", "other", "test/B"),
    }


def test_songs_whose_names_look_like_stems(tree):
    path = tree("Bass Song/vocals.wav", "Bass Song/bass.wav", "Drum Song/vocals.wav", "Drum Song/bass.wav")
    assert {stem.track for stem in read_folder(path)} == {"Bass Song", "Drum Song"}
    assert {stem.prompt for stem in read_folder(path)} == {"vocals", "bass"}


def test_a_folder_that_is_one_song(tree):
    path = tree("vocals.wav", "drums.wav")
    assert {stem.track for stem in read_folder(path)} == {path.name}


def test_one_folder_per_stem(tree):
    path = tree("drums/1.wav", "drums/deep/2.wav", "Lead Vox/x.mp3", "sfx/dog.ogg", "sfx/dog.wav", ".cache/a.wav")
    # A folder below that of a stem says nothing of its own: the layout must be said.
    with pytest.raises(DatasetError, match="it is not clear what"):
        read_folder(path)
    (path / "drums/deep/2.wav").unlink()
    assert found(read_folder(path)) == {
        ("drums/1", "drums", "drums/1"),
        ("Lead Vox/x", "vocals", "Lead Vox/x"),
        ("sfx/dog.ogg", "sfx", "sfx/dog"),
        ("sfx/dog.wav", "sfx", "sfx/dog"),
    }


def test_files_named_like_stems_in_folders_of_stems(tree):
    path = tree("drums/kick.wav", "drums/snare.wav", "sfx/bass hit.wav", "sfx/rain.wav")
    assert {(stem.name, stem.prompt) for stem in read_folder(path)} == {
        ("drums/kick", "drums"),
        ("drums/snare", "drums"),
        ("sfx/bass hit", "sfx"),
        ("sfx/rain", "sfx"),
    }


def test_files_beside_folders_of_stems_are_refused(tree):
    with pytest.raises(DatasetError, match=r"a\.wav: it lies beside the folders"):
        read_stem_folders(tree("a.wav", "drums/b.wav"))


def test_slakh_layout(tree):
    path = tree("Track1/mix.flac", "Track1/stems/S00.flac", "Track1/stems/S01.flac", "Track1/MIDI/S00.mid")
    (path / "Track1/metadata.yaml").write_text(
        "stems:\n  S00: {inst_class: Drums, program_num: 128}\n  S01: {inst_class: Strings (continued)}\n"
    )
    assert found(read_folder(path)) == {
        ("Track1/S00", "drums", "Track1"),
        ("Track1/S01", "other", "Track1"),
    }
    (path / "Track1/metadata.yaml").write_text("stems: 3")
    with pytest.raises(DatasetError, match="does not list stems as Slakh2100 does"):
        read_folder(path)


def test_unclear_names_are_refused_with_the_cure(tree):
    with pytest.raises(DatasetError, match=r"take7\.wav: it is not clear what 'take7' is: name it for one of speech"):
        read_song_folders(tree("A/take7.wav", "A/drums.wav"))


def test_nothing_to_read(tmp_path, tree):
    with pytest.raises(DatasetError, match="no such folder"):
        read_folder(tmp_path / "missing")
    with pytest.raises(DatasetError, match="no audio file"):
        read_folder(tree("notes.txt", ".hidden/a.wav"))


def table(path, text):
    (path / "list.csv").write_text(text, encoding="utf-8")
    return path / "list.csv"


@pytest.mark.parametrize("head", ["", "path,label\n", "\ufeffPath, Label\n"])
def test_tables_of_paths_and_labels(tree, head):
    path = table(tree("a/1.wav", "2.wav"), head + "a/1.wav,Lead Vox\n\n2.wav,sfxbg\n")
    assert found(read_folder(path)) == {("a/1", "vocals", "a/1"), ("2", "sfx-mix", "2")}
    assert read_folder(path)[0].path == path.parent / "a/1.wav"


def test_tables_with_tracks_and_other_columns(tree):
    path = table(tree("1.wav", "2.wav"), "year,label,track,path\n2020,drums,S,1.wav\n2021,bass,,2.wav\n")
    assert found(read_folder(path)) == {("1", "drums", "S"), ("2", "bass", "2")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "has no lines"),
        ("", "has no lines"),
        ("1.wav,drums\n2.wav\n", "line 2: a path and a label are needed, got 2.wav"),
        ("1.wav,drums\nnowhere.wav,drums\n", "line 2: there is no file"),
        ("path,label\n1.wav,xyz\n", "line 2: it is not clear what 'xyz' is"),
    ],
)
def test_tables_with_mistakes(tree, text, message):
    with pytest.raises(DatasetError, match=message):
        read_folder(table(tree("1.wav"), text))


def test_a_table_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        read_folder(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        read_folder(tmp_path / "binary.csv")


def test_files_open_as_sources(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 2)).astype(np.float32)
    (tmp_path / "song").mkdir()
    soundfile.write(tmp_path / "song/drums.wav", samples, 16000, subtype="FLOAT")
    (stem,) = read_folder(tmp_path)
    source = open_source(stem)
    assert (source.sample_rate, source.n_samples, source.n_channels, source.prompt) == (16000, 2000, 2, "drums")
    np.testing.assert_array_equal(source.read(5, 15, 1), samples[5:15, 1])


def test_what_cannot_be_opened_is_named(tree):
    (stem,) = read_folder(tree("song/drums.wav"))
    with pytest.raises(DatasetError, match=r"drums\.wav: cannot be read piece by piece"):
        open_source(stem)
