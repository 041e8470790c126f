"""Every protocol of the papers, on miniature copies of the datasets, with the smallest models."""

import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from typer.testing import CliRunner

from unbraid.cli.main import app
from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.catalog import PAPERS, Wishes, describe_all, find_examination
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination
from unbraid.evaluation.paper_table import (
    Cell,
    Ours,
    PaperTable,
    Reading,
    mean_of_medians,
    mean_of_repeats,
    mean_over_items,
    median_over_items,
    weighted_mean,
    write_table,
)
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.reference_methods import FLOORS_AND_CEILINGS, ReferenceModel, find_reference
from unbraid.models import film_unet, guidesep, instglow, lasaft
from unbraid.models.film_unet import FilmUnet
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_network import TwinShape
from unbraid.models.instglow import Instglow
from unbraid.models.lasaft import Lasaft
from unbraid.models.separator import Separator
from unbraid.zoo import debug_model

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets" / "public"))
from miniatures import (
    make_humtrans,
    make_medleydb,
    make_moisesdb,
    make_musdb18_hq,
    make_slakh2100_redux,
)
from speech_miniatures import make_dnr, make_fuss, make_vctk_demand, make_wham

SHAPE = TwinShape(n_features=8, multipliers=(1, 1), attention=(False, False), n_blocks=1, n_groups=2, patch=8)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset in each folder."""
    root = tmp_path_factory.mktemp("datasets")
    for name, make in {
        "musdb18-hq": make_musdb18_hq, "slakh2100-redux": make_slakh2100_redux, "medleydb": make_medleydb,
        "moisesdb": make_moisesdb, "humtrans": make_humtrans, "vctk-demand": make_vctk_demand, "wham": make_wham,
        "fuss": make_fuss, "dnr": make_dnr,
    }.items():  # fmt: skip
        (root / name).mkdir()
        make(root / name)
    return root


@pytest.fixture(autouse=True)
def remembered_apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def build(name: str, shelf: Path, *, tracks: int | None = 1, repeats: int = 2, seed: int = 0) -> Examination:
    return find_examination(name, Choice(data=shelf, tracks=tracks, seed=seed), Wishes(repeats=repeats))


def run(examination: Examination, folder: Path, **models: Separator | ReferenceModel) -> tuple[Evaluation, str]:
    """Examine all units twice: the second time everything is found in the file."""
    contestants = [Contestant.enter(name.replace("_", "-"), model) for name, model in models.items()]
    path = folder / "results.jsonl"
    results = [unit.examine(contestants, examination.records(path)) for unit in examination.units()]
    again = [unit.examine(contestants, examination.records(path)) for unit in examination.units()]
    assert [one.records for one in again] == [one.records for one in results]
    evaluation = Evaluation(
        tuple(record for one in results for record in one.records),
        tuple(skipped for one in results for skipped in one.skipped),
    )
    (page, *_) = examination.pages(evaluation, examination.records(path)).values()
    assert examination.summary(evaluation) in page
    return evaluation, page


def mixture() -> ReferenceModel:
    method = find_reference("mixture")
    assert method is not None
    return ReferenceModel(method)


def row(page: str, start: str) -> list[str]:
    (line,) = (one for one in page.splitlines() if one.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_tuss_has_five_datasets_and_both_modes(shelf: Path, tmp_path: Path) -> None:
    evaluation, page = run(build("tuss-table3", shelf), tmp_path, debug=debug_model(), floor=mixture())
    sets = {(one.item_set, one.prompt) for one in evaluation.records}
    assert sets == {
        ("VCTK-DEMAND", "speech"), ("VCTK-DEMAND", "sfx-mix"), ("WHAM!", "speech"), ("WHAM!", "sfx-mix"),
        ("FUSS", "sfx"), ("MUSDB-HQ", "vocals"), ("MUSDB-HQ", "drums"), ("MUSDB-HQ", "bass"), ("MUSDB-HQ", "other"),
        ("DnR", "speech"), ("DnR", "music-mix"), ("DnR", "sfx-mix"),
    }  # fmt: skip
    assert {one.mode for one in evaluation.records} == {"all-prompts", "single-prompt"}
    assert {one.n_channels for one in evaluation.records if one.item_set == "MUSDB-HQ"} == {2}
    assert {one.n_channels for one in evaluation.records if one.item_set != "MUSDB-HQ"} == {1}
    speakers = next(one for one in evaluation.records if one.item_set == "WHAM!" and one.prompt == "speech")
    assert [source.stems for source in speakers.sources] == [("s1",), ("s2",)]
    assert row(page, "paper: L5 ")[2:] == [
        "19.8",
        "10.4",
        "8.7",
        "11.9",
        "12.2",
        "8.6",
        "6.3",
        "9.1",
        "5.4",
        "15.1",
        "7.0",
        "8.2",
    ]
    mine = next(
        one for one in evaluation.records if one.model == "floor" and one.item_set == "DnR" and one.prompt == "speech"
    )
    assert row(page, "**floor, all-prompts**")[11].startswith(f"{mine.si_sdr:.2f}")
    assert row(page, "floor, all-prompts, less M5")[11].startswith(f"{mine.si_sdr - 14.5:+.2f}")
    assert "not there" not in page


def test_datasets_that_are_not_there_are_named(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "dnr").symlink_to(shelf / "dnr")
    _, page = run(build("tuss-table3", tmp_path / "some"), tmp_path, debug=debug_model())
    assert "not there, and therefore not measured: VCTK-DEMAND (vctk-demand)" in page
    with pytest.raises(DatasetError, match="holds none of the datasets"):
        build("tuss-table3", tmp_path).units()
    with pytest.raises(SettingsError, match="needs recordings: give --data"):
        find_examination("tuss-table3", Choice()).units()


@pytest.mark.parametrize(
    ("name", "folder"),
    [("tuss-table3", "dnr"), ("fewshot-figure2", "medleydb"), ("instglow-table1", "slakh2100-redux")],
)
def test_the_folder_of_one_dataset_will_do_for_tables_of_several(shelf: Path, name: str, folder: str) -> None:
    assert [one.name for one in build(name, shelf / folder).units()]
    with pytest.raises(DatasetError, match="holds none of the datasets"):
        build(name, shelf / "humtrans").units()
    with pytest.raises(DatasetError, match="there is no such folder: correct --data"):
        build(name, shelf / folder / "nowhere").units()


def test_a_damaged_dataset_is_told_by_its_damage(tmp_path: Path) -> None:
    make_musdb18_hq(tmp_path)
    next(tmp_path.rglob("test/AM Contra*/bass.wav")).unlink()
    with pytest.raises(DatasetError, match=r"bass\.wav: it is missing"):
        build("lasaft-table1", tmp_path).units()


def test_a_folder_of_wham_is_not_taken_for_another_dataset(shelf: Path) -> None:
    names = {one.name.partition("/")[0] for one in build("tuss-table3", shelf / "wham" / "wav16k" / "max").units()}
    assert names == {"tt"}


def test_songs_that_both_editions_of_medleydb_claim_are_asked_once(shelf: Path, tmp_path: Path) -> None:
    for name in ("medleydb", "medleydb2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Audio").symlink_to(shelf / "medleydb" / "V1")
    names = [one.name for one in build("fewshot-figure2", tmp_path, tracks=None).units()]
    assert sorted(names) == ["AClassicEducation_NightOwl", "AimeeNorwich_Child"]


@pytest.mark.parametrize("seed", range(3))
def test_so_many_mixtures_of_fuss_have_several_sources(shelf: Path, seed: int) -> None:
    assert len(build("tuss-table3", shelf / "fuss", tracks=2, seed=seed).units()) == 2


def test_only_tables_that_do_not_say_how_they_score_are_told(shelf: Path, tmp_path: Path) -> None:
    told = "SI-SDR without removal of the mean"
    assert told in run(build("tuss-table3", shelf / "dnr"), tmp_path / "tuss", floor=mixture())[1]
    for name in ("lasaft-table1", "fewshot-table1", "instglow-table1"):
        assert told not in run(build(name, shelf / "musdb18-hq"), tmp_path / name, floor=mixture())[1]


@pytest.fixture(scope="module")
def lasaft_model() -> Separator:
    torch.manual_seed(0)
    return Lasaft(lasaft.PRESETS["lasaft-debug"]).eval()


def test_the_tables_of_lasaft_are_medians_over_songs(shelf: Path, tmp_path: Path, lasaft_model: Separator) -> None:
    evaluation, page = run(build("lasaft-table1", shelf / "musdb18-hq", tracks=None), tmp_path, debug=lasaft_model)
    values = [one.more["sdr_chunks"] for one in evaluation.records if one.prompt == "vocals"]
    assert len(values) == 2
    cells = row(page, "**debug, label**")
    assert cells[1] == "2"
    assert float(cells[2].split()[0]) == pytest.approx(sum(values) / 2, abs=0.006)
    assert float(cells[6].split()[0]) == pytest.approx(
        sum(float(cell.split()[0]) for cell in cells[2:6]) / 4, abs=0.006
    )
    assert row(page, "paper: query-key (small)")[6] == "5.86 ± 0.03"
    assert evaluation.records[0].settings["overlap"] == 0.5
    assert evaluation.records[0].settings["n_latent"] == lasaft_model.config.n_latent
    other, _ = run(build("lasaft-table2", shelf), tmp_path, debug=lasaft_model)
    assert {one.protocol for one in other.records} == {"lasaft-table2"}


def test_audio_queries_are_means_over_the_training_songs(shelf: Path, tmp_path: Path, lasaft_model: Separator) -> None:
    torch.manual_seed(0)
    listener = Lasaft(lasaft.PRESETS["lasaft-audio-debug"]).eval()
    evaluation, page = run(build("lasaft-table3", shelf), tmp_path, listener=listener, labels=lasaft_model)
    assert {one.model for one in evaluation.records} == {"listener"}
    assert set(listener.taught) == {"vocals", "drums", "bass", "other"}
    assert set(evaluation.records[0].settings["taught"]) == set(listener.taught)
    assert {(one.model, one.reason) for one in evaluation.skipped} == {("labels", "it listens to no audio query")}
    assert "| **listener, audio query** | 1 |" in page


@pytest.mark.parametrize(("name", "axis"), [("lasaft-latents", "n_latent"), ("lasaft-fft", "n_fft")])
def test_sweeps_are_sorted_by_what_is_swept(
    shelf: Path, tmp_path: Path, lasaft_model: Separator, name: str, axis: str
) -> None:
    config = lasaft.PRESETS["lasaft-debug"]
    wider = Lasaft(replace(config, n_latent=2 * config.n_latent)).eval()
    evaluation, page = run(build(name, shelf), tmp_path, wide=wider, narrow=lasaft_model)
    wanted = {"sdr_chunks", "sar_chunks"} if axis == "n_latent" else {"sdr_chunks"}
    assert all(wanted <= set(one.more) for one in evaluation.records)
    lines = [line for line in page.splitlines() if "| narrow |" in line or "| wide |" in line]
    assert [("narrow" in line) for line in lines] == [True, False]
    assert lines[0].startswith(f"| {getattr(config, axis)} | narrow | 1 |")


@pytest.fixture(scope="module")
def few_shot_models() -> dict[str, Separator]:
    torch.manual_seed(0)
    presets = film_unet.PRESETS
    return {
        "classes": FilmUnet(presets["film-unet-classes-debug"]).eval(),
        "shots": FilmUnet(replace(presets["few-shot-debug"], negatives=True)).eval(),
    }


def test_few_shot_repeats_draw_other_examples(
    shelf: Path, tmp_path: Path, few_shot_models: dict[str, Separator]
) -> None:
    evaluation, page = run(build("fewshot-table2", shelf), tmp_path, **few_shot_models)
    modes = {(one.model, one.mode, one.seed) for one in evaluation.records}
    assert modes == {("classes", "label", 0), *(("shots", f"same track x{n}", seed) for n in (1, 5) for seed in (0, 1))}
    assert {one.prompt for one in evaluation.records} == {"vocals", "drums", "bass"}
    assert {one.n_channels for one in evaluation.records} == {1}
    ours = [one for one in evaluation.records if one.mode == "same track x1" and one.prompt == "bass"]
    first, second = (one.more["sdr_chunks"] for one in ours)
    assert first != second
    cells = row(page, "**shots, same track x1**")
    assert cells[4].startswith(f"{(first + second) / 2:.2f} ± {abs(first - second) / 2:.2f}")
    assert row(page, "shots, same track x1, less 1-shot")[4].startswith(f"{(first + second) / 2 - 1.40:+.2f}")
    assert row(page, "paper: baseline")[2:] == ["0.35", "0.05", "-0.10"]


@pytest.mark.parametrize("name", ["fewshot-table1", "fewshot-table3"])
def test_the_other_few_shot_tables(
    shelf: Path, tmp_path: Path, few_shot_models: dict[str, Separator], name: str
) -> None:
    evaluation, _ = run(build(name, shelf, repeats=1), tmp_path, shots=few_shot_models["shots"])
    expected = {
        "fewshot-table1": {f"same track x{n}" for n in range(1, 6)},
        "fewshot-table3": {
            "same track x5",
            "other tracks x5",
            "same track, with negatives x5",
            "same track, multi-source x5",
        },
    }[name]
    found = {one.mode for one in evaluation.records}
    assert found == (expected - {"other tracks x5"} if name == "fewshot-table3" else expected)  # one song has no others
    if name == "fewshot-table3":
        models = {"shots": few_shot_models["shots"], "floor": mixture()}
        more, _ = run(build(name, shelf, tracks=2, repeats=1), tmp_path, **models)
        assert {one.mode for one in more.records if one.model == "shots"} == expected
        assert {one.mode for one in more.records if one.model == "floor"} == {"label"}


def test_sub_mixes_of_medleydb_have_one_stem_of_each_class(
    shelf: Path, tmp_path: Path, few_shot_models: dict[str, Separator]
) -> None:
    examination = build("fewshot-figure2", shelf, tracks=None, repeats=1)
    evaluation, page = run(examination, tmp_path, **few_shot_models)
    assert {one.item for one in evaluation.records} == {"AClassicEducation_NightOwl", "AimeeNorwich_Child"}
    assert {one.prompt for one in evaluation.records} == {"bass", "drums", "electric guitar", "vocals"}
    assert row(page, "paper: 5-shot")[-1] == "1.96"
    shots = row(page, "**shots, same track x5**")
    assert float(shots[-1].split()[0]) == pytest.approx(
        sum(float(cell.split()[0]) for cell in shots[2:-1]) / 4, abs=0.006
    )


@pytest.fixture(scope="module")
def priors() -> Instglow:
    torch.manual_seed(0)
    config = instglow.PRESETS["instglow-debug"]
    names = ("vocals", "bass", "drums", "other", "guitar", "piano")
    search = replace(config.search, n_iterations=2)
    model = Instglow(replace(config, names=names, priors=(config.priors[0],) * 6, search=search)).eval()
    with torch.no_grad():  # they begin all alike
        for weight in model.parameters():
            weight.add_(0.01 * torch.randn_like(weight))
    return model


def test_the_table_of_instglow_has_songs_and_sub_mixes(shelf: Path, tmp_path: Path, priors: Instglow) -> None:
    examination = replace(build("instglow-table1", shelf), n_iterations=2)
    evaluation, page = run(examination, tmp_path, priors=priors, floor=mixture())
    assert {(one.item_set, one.prompt, one.mode) for one in evaluation.records if one.model == "priors"} == {
        (name, source, mode)
        for mode in ("MLE", "MAP")
        for name, sources in {
            "MUSDB18": ("vocals", "bass", "drums", "other", "accompaniment"),
            "Slakh2100-submix": ("bass", "drums", "guitar", "piano"),
        }.items()
        for source in sources
    }
    assert {(one.sample_rate, one.n_channels) for one in evaluation.records} == {(22050, 1)}
    floor = {one.prompt: one for one in evaluation.records if one.model == "floor" and one.item_set == "MUSDB18"}
    vocals = next(one for one in evaluation.records if one.mode == "MAP" and one.prompt == "vocals")
    assert vocals.settings["priors"] == ["vocals", "bass", "drums", "other"]
    assert vocals.settings["search"]["prior_weight"] == 0.001
    assert floor["vocals"].sources[0].si_sdr_mixture == vocals.sources[0].si_sdr_mixture
    assert row(page, "paper: InstGlow-MLE")[6] == "9.82"
    assert row(page, "**priors, MAP**")[2].startswith(f"{vocals.sdr:.2f}")
    assert row(page, "priors, MAP, less InstGlow-MAP")[2].startswith(f"{vocals.sdr - 3.66:+.2f}")


def test_the_table_of_instglow_takes_another_search(shelf: Path, tmp_path: Path, priors: Instglow) -> None:
    examination = find_examination("instglow-table1", Choice(data=shelf, tracks=1), Wishes(search="quick"))
    evaluation, page = run(replace(examination, n_iterations=2), tmp_path, priors=priors)
    assert {one.mode for one in evaluation.records} == {"quick"}
    assert {one.settings["search"]["memory"] for one in evaluation.records} == {8}
    assert row(page, "priors, quick, less InstGlow-MLE")
    chosen = find_examination("instglow-table1", Choice(data=shelf), Wishes(search="map"))
    assert list(chosen._searches()) == ["MAP"]


def test_likelihoods_are_measured_by_every_prior(shelf: Path, tmp_path: Path, priors: Instglow) -> None:
    evaluation, page = run(build("instglow-figure2", shelf), tmp_path, priors=priors, debug=debug_model())
    assert len(evaluation.records) == 4 * 6
    assert {one.model for one in evaluation.records} == {f"priors, prior of {name}" for name in priors.config.names}
    values = {(one.prompt, one.asked): one.more["nll"] for one in evaluation.records}
    assert len(set(values.values())) == len(values)
    assert "| priors, prior of bass |" in page
    assert {one.reason for one in evaluation.skipped} == {"it has no priors of single sources"}


@pytest.fixture(scope="module")
def mask_model() -> Guidesep:
    """Predicts masks, which takes one pass instead of seven."""
    torch.manual_seed(0)
    return Guidesep(guidesep.baseline(replace(guidesep.PRESETS["guidesep"], network=SHAPE))).eval()


@pytest.fixture(scope="module")
def pointed_model() -> Guidesep:
    torch.manual_seed(0)
    return Guidesep(replace(guidesep.PRESETS["guidesep"], network=SHAPE)).eval()


def test_the_table_of_guidesep_has_groups_and_four_ways(shelf: Path, tmp_path: Path, mask_model: Guidesep) -> None:
    evaluation, page = run(build("guidesep-table1", shelf), tmp_path, small=mask_model, floor=mixture())
    floor = [one for one in evaluation.records if one.model == "floor"]
    assert {one.settings["kind"] for one in floor} == {"floor or ceiling"}
    assert all(one.si_sdr_improvement == 0 for one in floor)
    assert {one.prompt for one in evaluation.records} == {"Guitar", "Bass", "Strings", "Piano"}
    assert {one.mode for one in evaluation.records} == {"full", "mimicry", "mimicry, pseudo-masks", "positive mask"}
    assert {one.item_set for one in evaluation.records} == {"Slakh2100, equal peaks"}
    assert {one.protocol for one in evaluation.records} == {"guidesep-table1"}
    mine = [one for one in evaluation.records if one.mode == "full" and one.model == "small"]
    full = {one.prompt: one.sdr_bss_eval for one in mine}
    weights = {"Piano": 20.71, "Guitar": 27.89, "Bass": 17.79, "Strings": 15.23}
    overall = sum(weights[name] * value for name, value in full.items()) / sum(weights.values())
    assert float(row(page, "**small, full**")[-1]) == pytest.approx(overall, abs=0.006)
    assert row(page, "paper: full")[2] == "8.34 ± 0.11"
    assert row(page, "small, full, less mask prediction, full")[2].startswith(f"{full['Piano'] - 7.03:+.2f}")
    assert "small, mimicry, less" not in page  # the paper has no such row of mask prediction


def test_humming_points_at_a_melody_before_other_music(shelf: Path, tmp_path: Path, pointed_model: Guidesep) -> None:
    evaluation, page = run(build("guidesep-humming", shelf, tracks=2), tmp_path, small=pointed_model)
    assert {one.mode for one in evaluation.records} == {"mimicry"}
    assert {one.prompt for one in evaluation.records} == {"humming"}
    assert row(page, "paper: humming")[2] == "13.61"
    assert row(page, "small, mimicry, less humming")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "humtrans").symlink_to(shelf / "humtrans")
    with pytest.raises(DatasetError, match="needs humtrans and moisesdb"):
        build("guidesep-humming", tmp_path / "half").units()


def test_every_table_is_listed_with_what_it_needs() -> None:
    text = describe_all()
    for name, entry in PAPERS.items():
        assert f"{name} " in text
        assert f"needs {entry.needs}" in text
    with pytest.raises(SettingsError, match="did you mean lasaft-table"):
        find_examination("lasaft-table", Choice())


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "instglow-figure2"])
def test_one_command_gives_every_table_with_floors_and_ceilings(shelf: Path, tmp_path: Path, name: str) -> None:
    words = ["evaluate", name, "--data", shelf, "-m", "mixture", "--references", "--tracks", 1, "--repeats", 1]
    result = CliRunner().invoke(app, [str(word) for word in (*words, "--cases", 1, "--out", tmp_path / "out")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / f"{name}.md").read_text(encoding="utf-8")
    assert f"- floors and ceilings: {', '.join(f'`{one}`' for one in FLOORS_AND_CEILINGS)}\n" in page
    assert "SHA-256" not in page
    assert "Left out" not in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    undefined = {"silence"} if name.startswith(("lasaft", "fewshot")) else set()  # BSSEval leaves silent frames out
    for floor in set(FLOORS_AND_CEILINGS) - undefined:
        assert any(floor in line and any(sign.isdigit() for sign in line) for line in rows), floor
    html = (tmp_path / "out" / f"{name}.html").read_text(encoding="utf-8")
    assert min(html.count("<table>"), html.count("<svg"), html.count("<audio")) > 0
    assert "nan" not in re.findall(r"[a-z]+", page)


def test_likelihoods_have_no_floor(shelf: Path, tmp_path: Path) -> None:
    words = ["evaluate", "instglow-figure2", "--data", str(shelf), "-m", "mixture", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert "it has no priors of single sources" in result.output
    assert not (tmp_path / "out").exists()


def test_plots_are_marked_with_what_was_published(shelf: Path) -> None:
    marks = {name: build(name, shelf).marks for name in PAPERS}
    assert marks["tuss-table3"]("DnR", "all-prompts", "speech") == {"M5": 14.5}
    assert marks["tuss-table3"]("DnR", "single-prompt", "speech") == {"L6s": 14.5}
    assert marks["tuss-table3"]("MUSDB-HQ", "all-prompts", "vocals") == {}  # in SNR, which is not drawn
    assert marks["lasaft-table3"]("MUSDB18", "audio query", "bass") == {"audio query": 5.30}
    assert marks["lasaft-fft"]("MUSDB18", "label", "bass") == {}
    assert marks["fewshot-table1"]("MUSDB18", "same track x3", "drums") == {"3-shot": 4.71}
    assert marks["fewshot-table3"]("MUSDB18", "other tracks x5", "bass") == {"other tracks": 2.20}
    assert marks["guidesep-table1"]("Slakh2100, equal peaks", "full", "Reed") == {"paper: full": 13.78}
    assert marks["guidesep-humming"]("HumTrans", "mimicry", "humming") == {"paper": 13.61}
    assert marks["instglow-table1"]("Slakh2100-submix", "MAP", "guitar") == {"InstGlow-MAP": 1.51}
    assert marks["instglow-figure2"]("MUSDB18", "likelihood", "bass") == {}


@pytest.mark.parametrize("name", PAPERS)
def test_every_table_can_be_sent_to_another_process(shelf: Path, name: str) -> None:
    examination = build(name, shelf)
    sent = pickle.loads(pickle.dumps(examination))
    assert sent == examination
    assert hash(sent) == hash(examination)
    assert [unit.name for unit in sent.units()] == [unit.name for unit in examination.units()] != []


def make_record(record: Record, item: str, value: float, seed: int = 0) -> Record:
    return replace(record, item=item, seed=seed, si_sdr=value, key=f"{item}{value}{seed}")


def test_statistics_and_differences(shelf: Path, tmp_path: Path) -> None:
    evaluation, _ = run(build("tuss-table3", shelf), tmp_path, floor=mixture())
    base = replace(evaluation.records[0], prompt="speech", mode="all")
    records = [make_record(base, str(n), float(n)) for n in (1, 2, 9)]

    def value(record: Record) -> float | None:
        return record.si_sdr

    assert mean_over_items(records, value) == Ours(4.0, mean_over_items(records, value).interval)
    assert median_over_items(records, value).value == 2.0
    repeats = [
        make_record(base, "a", 1.0, 0),
        make_record(base, "b", 3.0, 0),
        make_record(base, "a", 5.0, 1),
        make_record(base, "b", 3.0, 1),
    ]
    found = mean_of_repeats(repeats, value)
    assert (found.value, found.deviation) == (3.0, 1.0)
    assert mean_of_repeats([], value) is None
    drums = [replace(one, prompt="drums", si_sdr=one.si_sdr + 10) for one in records]
    pooled = mean_of_medians([*records, *drums], value, targets=("speech", "drums"))
    assert pooled.value == 7.0
    assert (pooled.interval[0], pooled.interval[1]) == (6.0, 14.0)  # what belongs together is drawn together
    assert mean_of_medians(records, value, targets=("speech", "drums")) is None
    shares = weighted_mean([*records, *drums], value, weights={"speech": 3.0, "drums": 1.0, "bass": 5.0})
    assert shares.value == 4.0 * 0.75 + 14.0 * 0.25
    assert shares.interval[0] < shares.value < shares.interval[1]
    table = PaperTable(
        "T", "S.", ("speech", "music"), MappingProxyType({"theirs": {"speech": Cell(3.0, 0.5)}}), {"": "theirs"}
    )
    page = write_table(records, table, Reading(lambda one: one.prompt, value, mean_over_items))
    assert row(page, "paper: theirs") == ["paper: theirs", "", "3.00 ± 0.50", "–"]
    assert row(page, "**floor, all**")[1:] == ["3", "4.00 [1.00, 9.00]", "–"]
    assert row(page, "floor, all, less theirs")[2] == "+1.00 [-2.00, +6.00]"


def test_records_of_another_protocol_are_not_mistaken(shelf: Path, tmp_path: Path, lasaft_model: Separator) -> None:
    run(build("lasaft-table1", shelf), tmp_path, debug=lasaft_model)
    before = len(RecordFile(tmp_path / "results.jsonl").records)
    run(build("lasaft-table2", shelf), tmp_path, debug=lasaft_model)
    assert len(RecordFile(tmp_path / "results.jsonl").records) == 2 * before
