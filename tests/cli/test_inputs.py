"""From words to files."""

from pathlib import Path

import pytest

from unbraid.cli.console import UsageError
from unbraid.cli.inputs import SUFFIXES, Input, check_places, gather


@pytest.fixture
def music(tmp_path):
    for name in ("b.wav", "a.FLAC", "notes.txt", ".hidden.wav", "album/c.mp3", "album/deep/d.m4a", ".cache/e.wav"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "music"


OUT = Path("separated")


def tracks(inputs):
    return [one.track for one in inputs]


def test_files_keep_their_order(music):
    inputs, problems = gather([str(music / "b.wav"), str(music / "a.FLAC")], out=OUT)
    assert inputs == [Input(music / "b.wav", "b"), Input(music / "a.FLAC", "a")]
    assert problems == []


def test_a_folder_stands_for_the_audio_below_it(music):
    inputs, problems = gather([str(music)], out=OUT)
    assert tracks(inputs) == ["a", "b", "album/c", "album/deep/d"]
    assert problems == []


def test_a_glob_that_the_shell_left_alone(music):
    inputs, _ = gather([f"{music}/*.wav"], out=OUT)
    assert tracks(inputs) == ["b"]
    inputs, _ = gather([f"{music}/**/*.m[4p][a3]"], out=OUT)
    assert tracks(inputs) == ["c", "d"]


def test_a_glob_without_matches_is_a_problem_and_the_rest_is_found(music):
    inputs, problems = gather([f"{music}/*.ogg", str(music / "b.wav")], out=OUT)
    assert tracks(inputs) == ["b"]
    [(word, problem)] = problems
    assert word == f"{music}/*.ogg"
    assert "no file matches" in str(problem)


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    path = tmp_path / "take[1].wav"
    path.touch()
    assert gather([str(path)], out=OUT)[0] == [Input(path, "take[1]")]


def test_a_missing_file_is_left_for_the_reader_to_refuse(tmp_path):
    inputs, problems = gather([str(tmp_path / "gone.wav")], out=OUT)
    assert tracks(inputs) == ["gone"]
    assert problems == []


def test_a_folder_without_audio_is_a_problem(tmp_path):
    inputs, [(_, problem)] = gather([str(tmp_path)], out=OUT)
    assert inputs == []
    assert "no audio file" in str(problem)


def test_the_output_folder_is_not_searched(music):
    (music / "separated" / "b").mkdir(parents=True)
    (music / "separated" / "b" / "vocals.wav").touch()
    inputs, _ = gather([str(music)], out=music / "separated")
    assert tracks(inputs) == ["a", "b", "album/c", "album/deep/d"]


def test_a_file_given_twice_is_separated_once(music):
    inputs, _ = gather([str(music / "b.wav"), str(music), str(music / "album" / ".." / "b.wav")], out=OUT)
    assert tracks(inputs) == ["b", "a", "album/c", "album/deep/d"]


def test_names_that_differ_in_the_suffix_keep_it(tmp_path):
    for name in ("song.wav", "Song.flac", "other.wav"):
        (tmp_path / name).touch()
    inputs, _ = gather([str(tmp_path)], out=OUT)
    assert tracks(inputs) == ["Song.flac", "other", "song.wav"]


def test_two_files_for_one_place_are_refused(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "song.wav").touch()
    with pytest.raises(UsageError, match=r"one/song\.wav .*two/song\.wav .*one place"):
        gather([str(tmp_path / "one" / "song.wav"), str(tmp_path / "two" / "song.wav")], out=OUT)


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    def refuse(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder)))
        return iter(())

    monkeypatch.setattr("os.walk", refuse)
    _, [(_, problem)] = gather([str(tmp_path)], out=OUT)
    assert str(tmp_path) in str(problem)
    assert "Permission denied" in str(problem)


def test_suffixes_are_lower_case_with_a_dot():
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES)


@pytest.mark.parametrize(("tracks", "template"), [("a b", "{stem}"), ("a:b a?b", "{track}/{stem}"), ("A a", "{stem}")])
def test_stems_that_would_be_written_over_each_other_are_refused(tracks, template):
    inputs = [Input(Path(f"{number}.wav"), track) for number, track in enumerate(tracks.split())]
    with pytest.raises(UsageError, match=r"0\.wav and 1\.wav would be written to one place"):
        check_places(inputs, template)


@pytest.mark.parametrize("template", ["{track}/{stem}", "{stem}/{track}", "{stem} of {track}"])
def test_tracks_with_places_of_their_own_are_taken(template):
    check_places([Input(Path("a.wav"), "a"), Input(Path("b.wav"), "b")], template)
    check_places([Input(Path("a.wav"), "a")], "{stem}")


@pytest.mark.parametrize("out", ["taken", "taken/deeper"])
def test_an_output_folder_that_is_a_file_is_refused_before_any_work(tmp_path, out):
    (tmp_path / "taken").touch()
    with pytest.raises(UsageError, match="taken is a file, not a folder: choose another output folder"):
        gather(["song.wav"], out=tmp_path / out)


def test_a_pipe_is_told_to_be_saved_first():
    _, [(word, problem)] = gather(["-"], out=OUT)
    assert word == "-"
    assert "save it to a file first" in str(problem)
