"""The claims of the papers: which runs there are, and how a difference is judged."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from unbraid.evaluation.questions import Condition, Kind
from unbraid.evaluation.records import Record, RecordFile

FOLDER = Path(__file__).parents[2] / "recipes" / "claims"
LABEL = Condition(Kind.LABEL)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("report_claims")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("run_claims")


def write_run(out: Path, name: str, seed: int, sdr: dict[str, float], condition: Condition = LABEL) -> None:
    """Write what a run leaves: facts, and one record for each song."""
    stem = f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    facts = {
        "name": name, "seed": seed, "steps": 10, "seconds_of_audio": 5, "seconds_of_training": 3, "parameters": 7,
        "machine": "m",
    }  # fmt: skip
    file = RecordFile(out / stem / "results.jsonl")
    for song, value in sdr.items():
        file.append([
            Record(
                key=song, block=1, protocol="examples", mode=condition.title, item_set="drawn", item=song,
                fingerprint="f", prompt="vocals", asked=("vocals",), model=name, weights="w", settings={}, seed=0,
                n_channels=1, sample_rate=22050, duration=1.0, seconds=0.1, si_sdr=value, si_sdr_improvement=value,
                snr=value, sdr=value, level_db=0.0, presence=None, sources=(), provenance={},
            )
        ])  # fmt: skip
    (out / f"{stem}.json").write_text(json.dumps(facts), encoding="utf-8")


def verdict(report: ModuleType, out: Path, better: float | None, worse: float | None) -> str | None:
    claim = report.Claim(
        "one is better", report.Side("classes", LABEL, better), report.Side("1-shot", LABEL, worse), ("vocals",)
    )
    return report.compare(claim, report.read_scores(out)[0])


@pytest.mark.parametrize(
    ("differences", "word"),
    [
        ([[1.0, 1.2, 0.8], [0.9, 1.1, 1.0]], "held"),
        ([[-1.0, -1.2, -0.8]], "not held"),
        ([[1.0, -1.2, 0.8]], "not decided"),
        ([[1.0, 1.2, 0.8], [-0.1, -0.1, -0.1]], "not decided"),
        ([[2.0]], "not decided"),
        ([[0.03, 0.02, 0.04]], "not decided"),
    ],
)
def test_a_claim_is_judged_by_songs_and_seeds(
    report: ModuleType, tmp_path: Path, differences: list[list[float]], word: str
) -> None:
    for seed, values in enumerate(differences):
        write_run(tmp_path, "classes", seed, {f"song-{index}": 3.0 + value for index, value in enumerate(values)})
        write_run(tmp_path, "1-shot", seed, {f"song-{index}": 3.0 for index in range(len(values))})
    row = verdict(report, tmp_path, 5.0, 4.0)
    assert row.endswith(f" | {word} |")
    assert "| +1.00 |" in row  # of the paper
    turned = {"held": "not held", "not held": "held"}.get(word, word)
    assert verdict(report, tmp_path, 4.0, 5.0).endswith(f" | {turned} |")


def test_both_sides_and_the_spread_over_seeds_are_shown(report: ModuleType, tmp_path: Path) -> None:
    for seed, value in enumerate((4.0, 6.0)):
        write_run(tmp_path, "classes", seed, {"a": value, "b": value, "only here": 99.0})
        write_run(tmp_path, "1-shot", seed, {"a": 1.0, "b": 3.0})
    row = verdict(report, tmp_path, None, None)
    assert "| – | 2 | 5.00 / 2.00 | +3.00 ± 1.41 [+2.00, +4.00] | 2 | held |" in row


def test_what_was_not_run_is_said(report: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, "classes", 0, {"a": 1.0})
    assert verdict(report, tmp_path, 1.0, 0.0) is None
    report.main(tmp_path)
    page = capsys.readouterr().out
    assert [title for title in report.CLAIMS if f"## {title}\n" in page] == []
    assert all(claim.text in page for claims in report.CLAIMS.values() for claim in claims)
    assert "| classes | 0 | 10 | 5 | 3 | 7 | m |" in page


def test_every_claim_is_about_runs_that_are_made_and_conditions_that_are_asked(
    report: ModuleType, runs: ModuleType
) -> None:
    for claims in report.CLAIMS.values():
        for claim in claims:
            for side in (claim.better, claim.worse):
                assert side.run in runs.ORDER
                assert side.condition in runs.make_run(side.run, 0).conditions, side


def test_every_variant_is_run_once(runs: ModuleType) -> None:
    variants = {**runs.lasaft_runs.VARIANTS, **runs.few_shot_runs.VARIANTS}
    assert sorted(runs.ORDER) == sorted(variants)
    names = [runs.make_run(name, seed).file_name for name in runs.ORDER for seed in range(2)]
    assert len(set(names)) == len(names)
    for name in runs.ORDER:
        recipe = runs.make_run(name, 3).recipe(Path("packs"), 10)
        assert (recipe.seed, recipe.steps, recipe.sample_rate) == (3, 10, 22050)
    for name in ("audio, deaf, self", "classes"):
        model = runs.make_run(name, 0).recipe(Path("packs"), 10).model()
        assert model.sample_rate == 22050
        assert 1.4 < 2 * model.segment < 4.1
