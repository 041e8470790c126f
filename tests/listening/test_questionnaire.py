import base64
import json
import re
from pathlib import Path

import pytest
import soundfile
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import SettingsError
from unbraid.listening.questionnaire import PARTS, QUALITY, TIMBRE, write_test
from unbraid.listening.stimuli import Stimuli

NAMES = ("mixture", "reference", "anchor", "ours")


def stimuli(name: str) -> Stimuli:
    sounds = {what: Audio(torch.full((1, 400), 0.1 * (1 + index)), 8000) for index, what in enumerate(NAMES)}
    return Stimuli(name, sounds, -23.0, 1.5)


def read_test(folder: Path) -> dict:
    text = (folder / "test.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r"window\.TEST = (.*);\n", text, re.DOTALL).group(1))


def test_the_folder_is_whole_and_the_key_lies_outside(tmp_path: Path) -> None:
    written = write_test([stimuli("one"), stimuli("two")], tmp_path / "test", parts=list(PARTS.values()), title="Ears")
    test, key = read_test(written.folder), json.loads(written.key.read_text(encoding="utf-8"))
    assert written.n_pages == 4
    assert written.key == tmp_path / "test.key.json"
    assert test["title"] == key["title"] == "Ears"
    assert test["id"] == key["test"]
    assert {page["id"] for page in test["trials"]} == set(key["pages"])
    for page in test["trials"]:
        facts = key["pages"][page["id"]]
        judged = set(facts["stimuli"].values())
        assert judged == (set(NAMES) if page["part"] == "quality" else set(NAMES) - {"mixture"})
        assert sorted(facts["stimuli"]) == page["stimuli"]
        assert page["shown"] not in page["stimuli"]
        shown, _ = soundfile.read(written.folder / "audio" / f"{page['shown']}.flac")
        assert shown[0] == pytest.approx(0.1 if page["part"] == "quality" else 0.2, abs=1e-3)
    for file in ("index.html", "style.css", "player.js", "listen.js"):
        assert (written.folder / file).stat().st_size > 500


def test_nothing_in_the_folder_tells_which_sound_is_which(tmp_path: Path) -> None:
    written = write_test([stimuli("secret")], tmp_path / "test", parts=[TIMBRE])
    told = (written.folder / "test.js").read_text(encoding="utf-8")
    assert "ours" not in told
    assert "anchor" not in told
    assert "secret" not in told
    assert {file.stem for file in (written.folder / "audio").iterdir()}.isdisjoint(NAMES)


def test_scripts_hold_the_same_bytes_as_the_files(tmp_path: Path) -> None:
    written = write_test([stimuli("one")], tmp_path / "test", parts=[QUALITY])
    for file in (written.folder / "audio").glob("*.flac"):
        text = file.with_suffix(".js").read_text(encoding="ascii")
        name, data = re.fullmatch(r'\(window\.SOUNDS \?\?= \{\}\)\["(\w+)"\] = "(.*)";\n', text).groups()
        assert name == file.stem
        assert base64.b64decode(data) == file.read_bytes()


def test_a_seed_gives_the_same_names_and_another_gives_others(tmp_path: Path) -> None:
    tests = [
        read_test(write_test([stimuli("one")], tmp_path / str(index), parts=[TIMBRE], seed=seed).folder)
        for index, seed in enumerate((3, 3, 4))
    ]
    assert tests[0] == tests[1]
    assert tests[0]["trials"][0]["id"] != tests[2]["trials"][0]["id"]


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "mine.txt").write_text("x")
    with pytest.raises(SettingsError, match="is there already"):
        write_test([stimuli("one")], tmp_path / "test", parts=[TIMBRE])
    assert (tmp_path / "test" / "mine.txt").read_text() == "x"
    (tmp_path / "other.key.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"key\.json: is there already"):
        write_test([stimuli("one")], tmp_path / "other", parts=[TIMBRE])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.key.json", "test"]


def test_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one trial"):
        write_test([], tmp_path / "test", parts=[TIMBRE])


def test_tests_of_other_sounds_are_other_tests_though_they_have_one_seed(tmp_path: Path) -> None:
    first, same = (write_test([stimuli("one")], tmp_path / name, parts=[TIMBRE], seed=0) for name in ("a", "b"))
    louder = stimuli("one")
    sounds = {name: Audio(0.5 * audio.samples, audio.sample_rate) for name, audio in louder.sounds.items()}
    other = write_test([Stimuli("one", sounds, -23.0, 1.5)], tmp_path / "c", parts=[TIMBRE], seed=0)
    names = [read_test(written.folder)["id"] for written in (first, same, other)]
    assert names[0] == names[1] != names[2]
    assert json.loads(other.key.read_text(encoding="utf-8"))["test"] == names[2]
