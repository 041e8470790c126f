import pickle
import time
from collections import Counter
from dataclasses import replace

import pytest
import torch

from unbraid.datasets import prompt_chain
from unbraid.datasets.dice import Dice
from unbraid.datasets.prompt_chain import (
    DNR,
    DNR_DATA_SPECIALIST,
    FUSS,
    INSTRUMENTS,
    MUSDB,
    UNIFIED,
    VCTK_DEMAND,
    WHAM,
    PromptChain,
    PromptRow,
)
from unbraid.errors import DatasetError

N_DRAWS = 60_000

# Probability that a prompt is present, and of whole sets, in 60 000 draws of the published sampler.
PRESENT = {
    2: {"speech": 0.41, "sfx": 0.30, "sfx-mix": 0.31, "music-mix": 0.36, "instrument": 0.11},
    3: {"speech": 0.64, "sfx": 0.33, "sfx-mix": 0.375, "music-mix": 0.46, "instrument": 0.17},
    4: {"speech": 0.70, "sfx": 0.37, "sfx-mix": 0.42, "music-mix": 0.51, "instrument": 0.24},
}
SETS = {
    2: {("music-mix", "sfx-mix"): 0.144, ("sfx-mix", "speech"): 0.138},
    3: {("music-mix", "sfx-mix", "speech"): 0.225},
    4: {("music-mix", "sfx-mix", "speech", "speech"): 0.272, ("bass", "drums", "other", "vocals"): 0.116},
}


def throw(seed):
    return Dice(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=[2, 3, 4])
def drawn(request):
    dice = throw(request.param)
    return request.param, [UNIFIED.draw(dice, request.param) for _ in range(N_DRAWS)]


def test_presence_of_each_prompt_is_that_of_the_published_sampler(drawn):
    n_sources, draws = drawn
    counts = Counter(prompt for names in draws for prompt in set(names))
    for prompt in UNIFIED.prompts:
        expected = PRESENT[n_sources]["instrument" if prompt in INSTRUMENTS else prompt]
        assert counts[prompt] / N_DRAWS == pytest.approx(expected, abs=0.012), prompt


def test_most_frequent_sets_are_those_of_the_published_sampler(drawn):
    n_sources, draws = drawn
    counts = Counter(tuple(sorted(names)) for names in draws)
    for names, expected in SETS[n_sources].items():
        assert counts[names] / N_DRAWS == pytest.approx(expected, abs=0.006), names
    assert counts.most_common(1)[0][0] == next(iter(SETS[n_sources]))


def test_pairs_have_exactly_the_probabilities_of_the_tables():
    dice = throw(0)
    counts = Counter(UNIFIED.draw(dice, 2) for _ in range(N_DRAWS))
    total = sum(row.initial for row in UNIFIED.rows.values())
    for first, row in UNIFIED.rows.items():
        weights = {name: row.following.get(name, 0.0) for name in UNIFIED.prompts}
        for second, weight in weights.items():
            probability = row.initial / total * weight / sum(weights.values())
            error = 5 * (probability * (1 - probability) / N_DRAWS) ** 0.5
            assert counts[first, second] / N_DRAWS == pytest.approx(probability, abs=error), (first, second)


def test_no_draw_holds_what_never_stands_together(drawn):
    for names in set(drawn[1]):
        assert not {"sfx", "sfx-mix"} <= set(names)
        assert not ("music-mix" in names and set(names) & set(INSTRUMENTS))
        assert all(names.count(name) == 1 for name in names if name not in ("speech", "sfx"))


def test_sixty_thousand_draws_take_a_few_seconds():
    dice = throw(1)
    begin = time.process_time()
    for _ in range(N_DRAWS // 4):
        UNIFIED.draw(dice, 4)
    assert time.process_time() - begin < 3.0


def test_number_of_sources_has_its_weights(dice):
    counts = Counter(UNIFIED.draw_count(dice) for _ in range(30_000))
    assert set(counts) == {2, 3, 4}
    assert all(abs(count / 30_000 - 1 / 3) < 0.015 for count in counts.values())


def test_allows_agrees_both_ways():
    for first in UNIFIED.prompts:
        for second in UNIFIED.prompts:
            assert UNIFIED.allows(first, [second]) == UNIFIED.allows(second, [first])
    assert not UNIFIED.allows("sfx", ["speech", "sfx-mix"])
    assert not UNIFIED.allows("drums", ["drums"])
    assert UNIFIED.allows("sfx", ["sfx"] * 4)


def test_tables_are_those_of_the_specification():
    assert [UNIFIED.rows[name].initial for name in ("speech", "sfx", "sfx-mix", "music-mix")] == [0.2] * 4
    assert [UNIFIED.rows[name].initial for name in INSTRUMENTS] == [0.05] * 4
    assert UNIFIED.gains_db["sfx"] == UNIFIED.gains_db["sfx-mix"] == UNIFIED.gains_db["music-mix"] == (-20, 0)
    assert all(UNIFIED.gains_db[name] == (-10, 0) for name in ("speech", *INSTRUMENTS))
    assert UNIFIED.groups["sfx-mix"].probability == UNIFIED.groups["music-mix"].probability == 0.25
    assert UNIFIED.rows["sfx-mix"].following["music-mix"] == 0.4


@pytest.mark.parametrize(
    ("chain", "n_sources", "expected"),
    [
        (VCTK_DEMAND, 2, {("sfx-mix", "speech")}),
        (WHAM, 3, {("sfx-mix", "speech", "speech")}),
        (FUSS, 4, {("sfx",) * 4}),
        (MUSDB, 4, {("bass", "drums", "other", "vocals")}),
        (DNR, 3, {("music-mix", "sfx-mix", "speech")}),
        (DNR_DATA_SPECIALIST, 3, {("music-mix", "sfx-mix", "speech")}),
    ],
)
def test_specialists_draw_their_task(dice, chain, n_sources, expected):
    assert chain.draw_count(dice) in [count for count, _ in chain.n_sources]
    assert {tuple(sorted(chain.draw(dice, n_sources))) for _ in range(200)} == expected


def test_specialists_build_groups_as_specified():
    assert not VCTK_DEMAND.groups
    assert set(DNR.groups) == {"sfx-mix", "music-mix"}
    assert set(DNR_DATA_SPECIALIST.groups) == {"sfx-mix"}


def test_a_dead_end_begins_the_mixture_anew(dice):
    # After "b" nothing may follow: it can only be the last.
    chain = PromptChain(
        {"a": PromptRow(0.5, {"a": 0.5, "b": 0.5}, max_count=3), "b": PromptRow(0.5, {})},
        gains_db={"a": (0.0, 0.0), "b": (0.0, 0.0)},
    )
    assert {chain.draw(dice, 3) for _ in range(100)} == {("a", "a", "a"), ("a", "a", "b")}


def test_an_unreachable_number_of_sources_is_an_error(dice):
    with pytest.raises(DatasetError, match="cannot reach 5 sources"):
        MUSDB.draw(dice, 5)


def test_only_leaves_out_prompts_and_their_groups(dice):
    chain = UNIFIED.only(["speech", "music-mix"])
    assert chain.prompts == ("speech", "music-mix")
    assert set(chain.groups) == {"music-mix"}
    assert {prompt for _ in range(500) for prompt in chain.draw(dice, 3)} == {"speech", "music-mix"}


def test_at_most_bounds_how_often_a_prompt_occurs(dice):
    chain = UNIFIED.at_most({"speech": 1, "sfx": 2, "drums": 5})
    drawn = [chain.draw(dice, 4) for _ in range(3000)]
    assert max(names.count("speech") for names in drawn) == 1
    assert max(names.count("sfx") for names in drawn) == 2
    assert max(names.count("drums") for names in drawn) == 1


def test_rows_must_be_complete():
    with pytest.raises(DatasetError, match="b may follow a prompt but has no row"):
        PromptChain({"a": PromptRow(1.0, {"b": 1.0})}, gains_db={"a": (0.0, 0.0)})
    with pytest.raises(DatasetError, match="a has no gain"):
        PromptChain({"a": PromptRow(1.0, {})}, gains_db={})


def test_chains_travel_between_processes_and_compare_by_value():
    assert pickle.loads(pickle.dumps(UNIFIED)) == UNIFIED
    assert replace(UNIFIED, groups={}) != UNIFIED
    assert prompt_chain.MAX_REJECTIONS == 100
