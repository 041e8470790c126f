import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.cases import Replay, choose_cases, hear_cases
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.entrants import Entrants
from unbraid.evaluation.examination import run_examination
from unbraid.evaluation.examinations import PromptExamination
from unbraid.evaluation.folder import FolderExamination
from unbraid.evaluation.html_report import write_html
from unbraid.evaluation.protocols import Mode
from unbraid.evaluation.publishing import publish
from unbraid.evaluation.records import RecordFile
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.zoo import debug_model, save_weights

RATE = 16000


@dataclass(frozen=True)
class Killed(Entrants):
    """A run that ends before the models are there."""

    def enter(self) -> list:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_weights(debug_model(), path)
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("songs")
    for seed, song in enumerate(("one", "two", "three")):
        (root / song).mkdir()
        for number, stem in enumerate(("vocals", "drums")):
            noise = 0.1 * np.random.default_rng(10 * seed + number).standard_normal(RATE // 2)
            soundfile.write(root / song / f"{stem}.flac", noise, RATE)
    return root


def scores(path: Path) -> dict[tuple[str, str], float]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(one["item"], one["prompt"]): one["si_sdr"] for one in lines}


def test_processes_share_the_work_and_one_file(songs: Path, weights: Path, tmp_path: Path) -> None:
    examination, entrants = PromptExamination(Choice(data=songs)), Entrants((str(weights),))
    alone, shared = tmp_path / "alone.jsonl", tmp_path / "shared.jsonl"
    first = run_examination(examination, entrants, alone)
    done: list[float] = []
    second = run_examination(examination, entrants, shared, processes=2, progress=done.append)
    assert scores(shared) == pytest.approx(scores(alone), abs=1e-3)
    assert [one.item for one in second.evaluation.records] == [one.item for one in first.evaluation.records]
    assert done == pytest.approx([1 / 3, 2 / 3, 1.0])
    with pytest.raises(SettingsError, match="0 processes"):
        run_examination(examination, entrants, alone, processes=0)


def test_a_killed_run_goes_on(songs: Path, weights: Path, tmp_path: Path) -> None:
    examination, entrants = PromptExamination(Choice(data=songs)), Entrants((str(weights),))
    path = tmp_path / "results.jsonl"
    few = PromptExamination(Choice(data=songs, tracks=1))
    run_examination(few, entrants, path)
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept + kept.splitlines()[0][:100], encoding="utf-8")  # killed in the middle of a line
    with pytest.raises(KeyboardInterrupt):
        run_examination(examination, Killed(("tuss-small",)), path)
    assert path.read_text(encoding="utf-8") == kept
    run = run_examination(examination, entrants, path)
    assert path.read_text(encoding="utf-8").startswith(kept)
    assert len(run.evaluation.records) == len(path.read_text(encoding="utf-8").splitlines()) == 6


def test_cases_are_asked_for_once_more_and_sound_the_same(songs: Path, weights: Path, tmp_path: Path) -> None:
    examination = PromptExamination(Choice(data=songs), (Mode.ALL, Mode.ABSENT))
    entrants = Entrants((str(weights),))
    run = run_examination(examination, entrants, tmp_path / "results.jsonl")
    chosen = choose_cases(run.evaluation.records, "si_sdr", count=1)
    assert [one.rank for one in chosen] == ["best", "median", "worst"]
    assert chosen[0].score >= chosen[1].score >= chosen[2].score
    cases = hear_cases(chosen, run.units, run.by_unit, entrants.enter())
    assert [case.record.key for case in cases] == [one.record.key for one in chosen]
    for case in cases:
        truth, answer = case.sounds["truth"].double(), case.sounds["answer"].double()
        ratio = 20 * np.log10(float(truth.norm() / (truth - answer).norm()))
        assert ratio == pytest.approx(case.record.snr, abs=0.05)


def test_a_replay_hides_only_what_will_be_heard(songs: Path, weights: Path, tmp_path: Path) -> None:
    run = run_examination(PromptExamination(Choice(data=songs)), Entrants((str(weights),)), tmp_path / "results.jsonl")
    records = run.evaluation.records
    replay = Replay(records, {records[0].key})
    assert replay.find(records[0].key) == ()
    assert replay.find(records[-1].key)


def test_silence_does_not_flatten_the_plots(songs: Path, weights: Path, tmp_path: Path) -> None:
    examination, entrants = FolderExamination(Choice(data=songs)), Entrants((str(weights), "silence"))
    path = tmp_path / "results.jsonl"
    run = run_examination(examination, entrants, path)
    page = publish(examination, entrants, run, path, cases=0)[1].read_text(encoding="utf-8")
    assert "silence: median" not in page
    assert ">-100<" not in page
    assert "<td>silence</td>" in page


def test_far_ceilings_do_not_flatten_the_plots_of_models(songs: Path, weights: Path, tmp_path: Path) -> None:
    run = run_examination(PromptExamination(Choice(data=songs)), Entrants((str(weights),)), tmp_path / "results.jsonl")
    values = {"small": 5.0, "mixture": -8.0, "oracle-irm": 12.0, "oracle-cirm": 55.0}

    def drawn(score: str, *names: str) -> set[str]:
        records = [replace(run.evaluation.records[0], model=name, **{score: values[name]}) for name in names]
        write_html(tmp_path / "page.html", "# Page", records, [], score=score)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        return {name for name in values if f"{name}: median" in page}

    for score in ("si_sdr", "snr"):
        assert drawn(score, *values) == {"small", "mixture", "oracle-irm"}
        assert drawn(score, "mixture", "oracle-cirm") == {"mixture", "oracle-cirm"}


def test_pages_and_sounds_lie_beside_the_records(songs: Path, weights: Path, tmp_path: Path) -> None:
    examination, entrants = FolderExamination(Choice(data=songs)), Entrants((str(weights),))
    path = tmp_path / "results.jsonl"
    run = run_examination(examination, entrants, path)
    written = publish(examination, entrants, run, path, cases=1)
    assert [one.name for one in written] == ["report.md", "report.html"]
    page = written[1].read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("</svg>") == 2
    assert page.count("<audio") == page.count('src="data:image/png;base64,') == 9
    assert "http" not in page.replace("http-equiv", "")
    sounds = sorted((tmp_path / "report-audio").iterdir())
    assert len(sounds) == 9
    assert all(one.name in page for one in sounds)
    assert soundfile.info(sounds[0]).samplerate == RATE


def test_nobody_to_ask_is_an_error_that_says_why(songs: Path, tmp_path: Path) -> None:
    weights = tmp_path / "audio.safetensors"
    save_weights(Lasaft(PRESETS["lasaft-audio-debug"]).eval(), weights)
    examination, entrants = FolderExamination(Choice(data=songs)), Entrants((str(weights),))
    run = run_examination(examination, entrants, tmp_path / "results.jsonl")
    with pytest.raises(DatasetError, match="nothing could be asked"):
        publish(examination, entrants, run, tmp_path / "results.jsonl")


def test_two_files_of_records_may_be_written_at_a_time(tmp_path: Path, songs: Path, weights: Path) -> None:
    run = run_examination(PromptExamination(Choice(data=songs)), Entrants((str(weights),)), tmp_path / "results.jsonl")
    passes = [list(result.records) for result in run.by_unit]
    one, other = RecordFile(tmp_path / "both.jsonl"), RecordFile(tmp_path / "both.jsonl")
    one.append(passes[0])
    other.append(passes[1])
    one.append(passes[2])
    assert len(RecordFile(tmp_path / "both.jsonl").records) == 6
