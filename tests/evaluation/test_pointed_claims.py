import math
from collections.abc import Sequence

import pytest
import torch

from unbraid.evaluation import metrics, paper_guidesep
from unbraid.evaluation.pointed_claims import Verdict, judge, write_claims
from unbraid.evaluation.pointed_guides import Balance, Pointing
from unbraid.evaluation.pointed_records import PointedRecord
from unbraid.evaluation.records import SourceScore


def record(item: str, mode: str, sdr: float, **changes: object) -> PointedRecord:
    score = SourceScore((item,), item, sdr, 1.0, sdr, sdr, -6.0, 0.5)
    values = {
        "key": item + mode, "block": 1, "protocol": "pointed", "mode": mode, "item_set": f"set, {Balance.PEAKS}",
        "item": item, "fingerprint": "f", "prompt": "Piano", "asked": ("Piano",), "model": "drawn", "weights": "a",
        "settings": {"kind": "diffusion", "steps": 7, "training_steps": 90}, "seed": 0, "n_channels": 1,
        "sample_rate": 16000, "duration": 4.08, "seconds": 1.0, "si_sdr": sdr, "si_sdr_improvement": sdr - 1.0,
        "snr": sdr, "sdr": sdr, "level_db": -6.0, "presence": 0.5, "sources": (score,), "provenance": {},
        "sdr_bss_eval": sdr, "si_sir": 2 * sdr,
    }  # fmt: skip
    return PointedRecord(**{**values, **changes})


def rows(mode: str, values: Sequence[float], **changes: object) -> list[PointedRecord]:
    return [record(f"item-{index}", mode, value, **changes) for index, value in enumerate(values)]


def verdict(records: Sequence[PointedRecord], start: str) -> Verdict:
    return next(one for one in judge(records, "drawn", "predicted") if one.text.startswith(start))


@pytest.mark.parametrize(
    ("full", "word"),
    [([5.0, 6.0, 7.0], "held"), ([1.0, 2.0, 3.0], "not held"), ([2.0, 6.0, 4.0], "not decided")],
)
def test_a_claim_is_judged_by_the_interval_of_differences(full: list[float], word: str) -> None:
    records = [*rows(Pointing.FULL, full), *rows(Pointing.MIMICRY, [3.0, 4.0, 5.0])]
    found = verdict(records, "masks beside mimicry help")
    assert found.word == word
    assert found.paper == pytest.approx(0.86)
    assert found.values == (pytest.approx(sum(full) / 3), pytest.approx(4.0))


def test_only_equal_peaks_and_the_same_windows_count() -> None:
    song = {"item_set": f"set, {Balance.SONG}"}
    records = [*rows(Pointing.FULL, [9.0, 9.0], **song), *rows(Pointing.MIMICRY, [1.0, 1.0], **song)]
    assert verdict(records, "masks beside mimicry help").word == "not measured"
    one = [*rows(Pointing.FULL, [9.0]), *rows(Pointing.MIMICRY, [1.0, 1.0])]
    assert verdict(one, "masks beside mimicry help").word == "not decided"  # a single pair


def test_diffusion_is_compared_with_mask_prediction_in_both_measures() -> None:
    twin = {"model": "predicted", "settings": {"kind": "mask prediction"}}
    records = [*rows(Pointing.FULL, [3.0, 4.0, 5.0]), *rows(Pointing.FULL, [4.0, 5.0, 6.5], si_sir=1.0, **twin)]
    assert verdict(records, "diffusion is better").word == "not held"
    interference = verdict(records, "diffusion leaves less interference")
    assert interference.word == "held"
    assert interference.unit == "SIR"


def test_bass_is_judged_apart() -> None:
    bass = {"prompt": "Bass"}
    records = [
        *rows(Pointing.PSEUDO, [5.0, 5.0]), *rows(Pointing.MIMICRY, [4.0, 4.5]),
        *(record(f"bass-{index}", Pointing.PSEUDO, 1.0, **bass) for index in range(3)),
        *(record(f"bass-{index}", Pointing.MIMICRY, 2.0 + index, **bass) for index in range(3)),
    ]  # fmt: skip
    assert verdict(records, "pseudo-masks help, bass left out").word == "held"
    hurt = verdict(records, "pseudo-masks hurt bass")
    assert (hurt.word, hurt.paper) == ("held", pytest.approx(1.32))


def test_groups_with_chords_are_compared_with_the_others() -> None:
    chords = rows(Pointing.FULL, [1.0, 1.5, 2.0, 1.0])
    melodies = [record(f"reed-{index}", Pointing.FULL, 6.0 + index, prompt="Reed") for index in range(4)]
    found = verdict([*chords, *melodies], "polyphonic instruments suffer")
    assert found.word == "held"
    assert found.difference is not None
    assert found.difference.value == pytest.approx(7.5 - 1.375)
    assert verdict(chords, "polyphonic instruments suffer").word == "not measured"


@pytest.mark.parametrize(("few", "word"), [(4.9, "held"), (4.0, "not held")])
def test_few_steps_are_enough_if_little_is_lost(few: float, word: str) -> None:
    steps = {"protocol": "pointed-steps"}
    records = [
        *rows("order 1, 7 evaluations", [few, few, few], **steps),
        *rows("order 1, 31 evaluations", [5.0, 5.0, 5.0], **steps),
    ]
    assert verdict(records, "a schedule of 8 levels is enough").word == word


def test_humming_is_held_against_the_mixture_and_the_page_names_the_training() -> None:
    hum = {"protocol": "pointed-hum", "item_set": "humming"}
    records = [*rows("mimicry", [2.0, 3.0, 4.0], **hum), *rows(Pointing.FULL, [5.0])]
    assert verdict(records, "humming works").word == "held"
    assert verdict(records, "humming works").values == (3.0, 1.0)
    page = write_claims(records)
    assert "- drawn: diffusion, trained for 90 steps, 7 evaluations for an answer" in page
    assert "| humming works: above the mixture (the paper's SDR is 13.61) | SI-SDR | – | 3.00 / 1.00 | 2.00 " in page
    with pytest.raises(ValueError, match="no diffusion model"):
        write_claims([])


def test_the_papers_rows_are_complete() -> None:
    table = paper_guidesep.TABLE
    assert all(set(row) == {*paper_guidesep.GROUPS, "overall"} for row in table.values())
    shares = (20.71, 27.89, 17.79, 15.23, 2.65, 4.74, 2.72, 3.06, 3.43, 1.78)
    for row in (table["full"], table["mimicry"], table["positive mask"]):
        weighted = sum(share * row[group] for share, group in zip(shares, paper_guidesep.GROUPS, strict=True)) / 100
        assert weighted == pytest.approx(row["overall"], abs=0.1)


def test_interference_is_what_the_rest_adds_and_nothing_else() -> None:
    def noise(seed: int) -> torch.Tensor:
        return torch.randn(2, 9000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    voice, rest, artifact = noise(0), noise(1), noise(2)
    rest = rest + 0.5 * voice  # not orthogonal
    pure = rest - (rest * voice).sum(-1, keepdim=True) / voice.square().sum(-1, keepdim=True) * voice
    expected = 10 * torch.log10(4 * voice.square().sum(-1) / (0.01 * pure.square().sum(-1)))
    clean = metrics.si_sir(estimate=2 * voice + 0.1 * pure, reference=voice, rest=rest)
    assert torch.allclose(clean, expected)
    apart = artifact - torch.linalg.lstsq(torch.stack([voice[0], rest[0]], 1), artifact[0]).solution @ torch.stack(
        [voice[0], rest[0]]
    )
    noisy = metrics.si_sir(estimate=(2 * voice + 0.1 * pure + 3 * apart)[:1], reference=voice[:1], rest=rest[:1])
    assert torch.allclose(noisy, expected[:1])
    assert metrics.si_sir(estimate=voice, reference=voice, rest=0 * rest).eq(70).all()
    assert metrics.si_sir(estimate=0 * voice, reference=voice, rest=rest).eq(-70).all()
    assert all(map(math.isnan, metrics.si_sir(estimate=voice, reference=0 * voice, rest=rest).tolist()))
