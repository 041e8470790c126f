import json
from pathlib import Path

import pytest

from unbraid.errors import DatasetError
from unbraid.listening.answers import analyze, flip_test, write_analysis

METHODS = ("reference", "anchor", "ours", "theirs")
PAGES = {f"page{index}": ("timbre", f"song {index}") for index in range(4)}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    pages = {
        page: {"part": part, "trial": trial, "stimuli": {f"{page}-{method}": method for method in METHODS}}
        for page, (part, trial) in PAGES.items()
    }
    file = tmp_path / "test.key.json"
    file.write_text(json.dumps({"format": "unbraid-listening-1", "test": "t1", "title": "Ears", "pages": pages}))
    return file


def answer(tmp_path: Path, listener: str, *, test: str = "t1", **scores: float) -> Path:
    given = {"reference": 98, "anchor": 20, "ours": 70, "theirs": 50, **scores}
    found = [
        {"trial": page, "stimulus": f"{page}-{method}", "score": score + 0.5 * (index == 1)}
        for index, page in enumerate(PAGES)
        for method, score in given.items()
    ]
    file = tmp_path / f"answers-{listener}.json"
    file.write_text(
        json.dumps({"format": "unbraid-listening-answers-1", "test": test, "listener": listener, "answers": found})
    )
    return file


def test_means_are_over_listeners(tmp_path: Path, key: Path) -> None:
    files = [answer(tmp_path, "ann", ours=80), answer(tmp_path, "bob", ours=60), answer(tmp_path, "cy", ours=70)]
    found = analyze(key, files)
    ours = next(one for one in found.verdicts if one.method == "ours")
    assert ours.mean.value == pytest.approx(70.125)
    assert ours.mean.count == 3
    assert ours.mean.interval is not None
    assert ours.mean.interval[0] < 70 < ours.mean.interval[1]
    assert ours.median == pytest.approx(70, abs=0.5)
    assert [one.method for one in found.verdicts] == ["reference", "ours", "theirs", "anchor"]
    (difference,) = found.differences
    assert (difference.better, difference.worse) == ("ours", "theirs")
    assert difference.mean.value == pytest.approx(20)
    assert difference.p == 0.25


def test_listeners_who_cannot_tell_the_truth_are_left_out_unless_all_are_kept(tmp_path: Path, key: Path) -> None:
    files = [answer(tmp_path, "ann"), answer(tmp_path, "deaf", reference=80), answer(tmp_path, "lazy", anchor=95)]
    found = analyze(key, files)
    assert [bool(one.objection) for one in found.listeners] == [False, True, True]
    assert "rated the true sound below 90 on 4 of 4 pages" in found.listeners[1].objection
    assert next(one for one in found.verdicts if one.method == "anchor").mean.value == pytest.approx(20.125)
    kept = analyze(key, files, screen=False)
    assert next(one for one in kept.verdicts if one.method == "anchor").mean.count == 3
    text = write_analysis(found)
    assert "1 of 3 listeners count" in text
    assert "| timbre | ours | 70.12 | 70 |" in text


def test_nobody_left(tmp_path: Path, key: Path) -> None:
    with pytest.raises(DatasetError, match="--keep-all"):
        analyze(key, [answer(tmp_path, "deaf", reference=10)])
    with pytest.raises(DatasetError, match="no answers"):
        analyze(key, [])


def test_damaged_and_foreign_answers(tmp_path: Path, key: Path) -> None:
    with pytest.raises(DatasetError, match="answers another test"):
        analyze(key, [answer(tmp_path, "ann", test="t2")])
    with pytest.raises(DatasetError, match="answers of 'ann' already"):
        analyze(key, [answer(tmp_path, "ann"), answer(tmp_path, "ann")])
    with pytest.raises(DatasetError, match="out of range"):
        analyze(key, [answer(tmp_path, "ann", ours=101)])
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(DatasetError, match="cannot be read as answers"):
        analyze(key, [bad])
    with pytest.raises(DatasetError, match="is not a key"):
        analyze(answer(tmp_path, "ann"), [answer(tmp_path, "ann")])


def test_unfinished_answers(tmp_path: Path, key: Path) -> None:
    file = answer(tmp_path, "ann")
    content = json.loads(file.read_text())
    content["answers"].pop()
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="1 ratings are missing"):
        analyze(key, [file])


def test_flips_of_many_listeners_are_drawn() -> None:
    assert flip_test([1.0, -1.0, 0.5, -0.5]) == 1.0
    assert flip_test(20 * [1.0]) < 0.001
    assert flip_test(20 * [1.0], seed=1) == flip_test(20 * [1.0], seed=1)
    assert flip_test([0.0, 0.0]) == 1.0
