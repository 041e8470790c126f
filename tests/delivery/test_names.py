import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.delivery.names import NameTemplate, check_distinct, file_name, free_name
from unbraid.errors import GuideError, SettingsError


@pytest.mark.parametrize(
    ("text", "stem", "manifest"),
    [
        ("{track}/{stem}", "song/vocals", "song/manifest.json"),
        ("{track} - {stem}", "song - vocals", "song.manifest.json"),
        ("{stem}/{track}", "vocals/song", "song.manifest.json"),
        ("{track}/stems/{stem}", "song/stems/vocals", "song/stems/manifest.json"),
        ("{track}/{stem}/{track}", "song/vocals/song", "song/manifest.json"),
        ("all/{track}/{stem}/x", "all/song/vocals/x", "all/song/manifest.json"),
        ("all/{stem}", "all/vocals", "all/song.manifest.json"),
        ("{track}_{stem}/a", "song_vocals/a", "song.manifest.json"),
        ("{stem}", "vocals", "song.manifest.json"),
    ],
)
def test_paths(text, stem, manifest):
    template = NameTemplate(text)
    assert str(template.stem("song", "vocals")) == stem
    assert str(template.manifest("song")) == manifest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{track}", "has no {stem}"),
        ("", "has no {stem}"),
        ("{stem}/{artist}", "unknown field {artist}: use {track} and {stem}"),
        ("{stem.__class__}", "unknown field"),
        ("{stem[0]}", "unknown field"),
        ("{0}{stem}", "unknown field"),
        ("{}{stem}", "unknown field"),
        ("{stem:>10}", "formats a field"),
        ("{stem!r}", "formats a field"),
        ("{stem", "cannot be understood"),
        ("{{{stem}}}", "cannot hold"),
        ("/tmp/{stem}", "not a path inside"),
        ("../{stem}", "not a path inside"),
        ("a/../../{stem}", "not a path inside"),
        ("./{stem}", "not a path inside"),
        ("a//{stem}", "not a path inside"),
        ("{stem}/", "not a path inside"),
        ("a\\{stem}", "cannot hold"),
        ("C:{stem}", "cannot hold"),
        ("a\0{stem}", "cannot hold"),
    ],
)
def test_templates_that_are_refused(text, message):
    with pytest.raises(SettingsError) as caught:
        NameTemplate(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(), st.text(), st.sampled_from(["{track}/{stem}", "{stem}", "{track} {stem}/{stem}.{track}"]))
def test_no_name_leaves_the_folder(track, stem, text):
    template = NameTemplate(text)
    for path in (template.stem(track, stem), template.manifest(track)):
        assert not path.is_absolute()
        assert all(part not in ("", ".", "..") and not part.startswith(".") for part in path.parts)
        assert all("\0" not in part and "\\" not in part and part == part.strip() for part in path.parts)


def test_folders_of_a_track_become_folders():
    assert str(NameTemplate().stem("album/../01: one", "lead/voc")) == "album/01_ one/lead_voc"


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("vocals", "vocals"), ("Лёд 音 🎺", "Лёд 音 🎺"), ("e\u0301", "é"), ("a/b\\c:d", "a_b_c_d"), ("", "_"),
        ("...", "_"),
        (".hidden", "_hidden"), ("end. . ", "end"), ("NUL", "_NUL"), ("com1.x", "_com1.x"), ("console", "console"),
        ("a\nb\tc", "a_b_c"), ("\udcff", "\udcff"),
    ],
)  # fmt: skip
def test_file_names(name, result):
    assert file_name(name) == result


def test_names_that_fall_together():
    template = NameTemplate("{stem}")
    with pytest.raises(GuideError, match="'Lead' and 'lead' would be written to one file, lead: give the target"):
        check_distinct((name, template.stem("", name)) for name in ("bass", "Lead", "lead"))
    with pytest.raises(GuideError, match="one file"):
        check_distinct((name, template.stem("", name)) for name in ("a/b", "a:b"))
    check_distinct((name, template.stem("", name)) for name in ("a", "b"))


def test_a_name_too_long_for_a_file_is_refused_before_any_work():
    template = NameTemplate("{stem}")
    check_distinct([("é" * 100, template.stem("", "é" * 100))])
    with pytest.raises(GuideError, match="too long for a file: give the target a shorter one"):
        check_distinct([("é" * 101, template.stem("", "é" * 101))])


@given(st.lists(st.sampled_from(["a.wav", "A.wav", "a-2.wav", "a/b", "a:b", ".wav", "noise"]), max_size=12))
def test_free_names_lie_side_by_side(names):
    taken = []
    for name in names:
        taken.append(free_name(name, taken))
        assert file_name(taken[-1]) == taken[-1]
    assert len({name.casefold() for name in taken}) == len(names)
