from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.datasets.dice import Dice
from unbraid.datasets.draws import ChannelChoice, MixDraw, MixSettings, draw_batch, draw_n_dropped
from unbraid.datasets.prompt_chain import INSTRUMENTS, UNIFIED, PromptChain, PromptRow
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError

SETTINGS = MixSettings(sample_rate=8000, duration=2.0)


def throw(seed):
    return Dice(torch.Generator().manual_seed(seed))


def fixed(*prompts):
    """A chain that draws these prompts, in this order, if they differ."""
    following = dict(zip(prompts, (*prompts[1:], None), strict=True))
    rows = {
        name: PromptRow(
            float(name == prompts[0]), {other: 1.0 if other == following[name] else 1e-9 for other in prompts}
        )
        for name in prompts
    }
    return PromptChain(rows, n_sources=((len(prompts), 1.0),))


def test_draws_are_replayable_from_the_seed(pool):
    assert draw_batch(throw(1), pool, SETTINGS, 4) == draw_batch(throw(1), pool, SETTINGS, 4)
    assert draw_batch(throw(1), pool, SETTINGS, 4) != draw_batch(throw(2), pool, SETTINGS, 4)


def test_draws_survive_json(pool, dice):
    settings = replace(SETTINGS, p_dropout=0.5, p_absent=0.5)
    for _ in range(20):
        for draw in draw_batch(dice, pool, settings, 2):
            assert MixDraw.from_json(draw.to_json()) == draw


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sources": [{"parts": [{"foo": 1}]}]}', '{"sources": 3}'])
def test_other_json_is_refused(text):
    with pytest.raises(DatasetError, match="not the draw of a mixture"):
        MixDraw.from_json(text)


def test_pieces_fit_into_the_mixture(pool, dice):
    for _ in range(200):
        for draw in draw_batch(dice, pool, SETTINGS, 2):
            for part in (part for source in draw.sources for part in source.parts):
                recording = pool[part.source]
                assert part.n_samples == min(recording.n_samples, 16000)
                assert 0 <= part.start <= recording.n_samples - part.n_samples
                assert 0 <= part.offset <= 16000 - part.n_samples


def test_short_recordings_are_whole_and_lie_anywhere(source, dice):
    pool = SourcePool([source("a", "speech", seconds=0.5), source("b", "drums", seconds=2.0)])
    settings = replace(SETTINGS, chain=fixed("speech", "drums"))
    parts = [draw_batch(dice, pool, settings, 1)[0].sources[0].parts[0] for _ in range(500)]
    assert {(part.start, part.n_samples) for part in parts} == {(0, 4000)}
    offsets = np.array([part.offset for part in parts])
    assert offsets.min() < 600
    assert offsets.max() > 11400
    assert abs(offsets.mean() - 6000) < 700


def test_crops_stay_in_their_span(source, dice):
    pool = SourcePool([source("a", "speech", seconds=9, spans=((8000, 32000),)), source("b", "drums", seconds=2)])
    settings = replace(SETTINGS, chain=fixed("speech", "drums"))
    starts = [draw_batch(dice, pool, settings, 1)[0].sources[0].parts[0].start for _ in range(500)]
    assert min(starts) >= 8000
    assert max(starts) <= 16000
    assert max(starts) - min(starts) > 7000


def test_gains_lie_in_the_range_of_the_prompt(pool, dice):
    gains: dict[str, list[float]] = {}
    for _ in range(300):
        for source in draw_batch(dice, pool, SETTINGS, 1)[0].sources:
            gains.setdefault(source.prompt, []).append(source.gain_db)
    for prompt, values in gains.items():
        low, high = UNIFIED.gains_db[prompt]
        assert low <= min(values)
        assert max(values) <= high
        assert max(values) - min(values) > 0.7 * (high - low)


def test_no_recording_is_used_twice(pool, dice):
    for _ in range(300):
        draw = draw_batch(dice, pool, SETTINGS, 1)[0]
        used = [part.source for source in draw.sources for part in source.parts]
        assert len(used) == len(set(used))


def test_silent_pieces_are_drawn_again(source, dice):
    half = np.concatenate([np.zeros(32000), np.full(8000, 0.1)])
    quiet = np.full(40000, 1e-5)  # -100 dBFS
    pool = SourcePool([source("half", "speech", half), source("quiet", "speech", quiet), source("b", "drums")])
    settings = replace(SETTINGS, chain=fixed("speech", "drums"))
    parts = [draw_batch(dice, pool, settings, 1)[0].sources[0].parts[0] for _ in range(100)]
    assert {part.source for part in parts} == {"half"}
    assert all(part.start + part.n_samples > 32000 for part in parts)
    parts = [draw_batch(dice, pool, replace(settings, floor_db=-120.0), 1)[0].sources[0].parts[0] for _ in range(100)]
    assert {part.source for part in parts} == {"half", "quiet"}


def test_only_silence_is_an_error(source, dice):
    pool = SourcePool([source("a", "speech", np.zeros(8000)), source("b", "drums")])
    with pytest.raises(DatasetError, match="no new piece of speech that sounds"):
        draw_batch(dice, pool, replace(SETTINGS, chain=fixed("speech", "drums")), 1)


def groups_of(pool, dice, prompt, n_draws=3000):
    settings = replace(SETTINGS, chain=replace(fixed("speech", prompt), groups=UNIFIED.groups))
    return [draw_batch(dice, pool, settings, 1)[0].sources[1].parts for _ in range(n_draws)]


def test_music_is_built_of_distinct_instruments(pool, dice):
    drawn = [[pool[part.source].prompt for part in parts] for parts in groups_of(pool, dice, "music-mix")]
    built = [prompts for prompts in drawn if prompts != ["music-mix"]]
    assert len(built) / len(drawn) == pytest.approx(0.25, abs=0.03)
    assert all(set(prompts) <= set(INSTRUMENTS) and len(set(prompts)) == len(prompts) for prompts in built)
    shares = Counter(map(len, built))
    for n_parts, share in {1: 0.1, 2: 0.4, 3: 0.4, 4: 0.1}.items():
        assert shares[n_parts] / len(built) == pytest.approx(share, abs=0.06)
    assert set(Counter(prompt for prompts in built for prompt in prompts)) == set(INSTRUMENTS)


def test_ambiences_are_built_of_effects_with_gains_of_effects(pool, dice):
    drawn = groups_of(pool, dice, "sfx-mix", 1500)
    built = [parts for parts in drawn if pool[parts[0].source].prompt == "sfx"]
    assert len(built) / len(drawn) == pytest.approx(0.25, abs=0.04)
    assert all(pool[part.source].prompt == "sfx" for parts in built for part in parts)
    gains = [part.gain_db for parts in built for part in parts]
    assert -20 <= min(gains) < -18
    assert max(gains) <= 0


def test_groups_are_always_built_where_no_recording_is(source, dice):
    pool = SourcePool([source(f"sfx{number}", "sfx", seed=number) for number in range(5)] + [source("s", "speech")])
    assert all(pool[parts[0].source].prompt == "sfx" for parts in groups_of(pool, dice, "sfx-mix", 50))


def test_groups_make_do_with_the_instruments_that_there_are(source, dice):
    pool = SourcePool([source("b", "bass"), source("d", "drums"), source("s", "speech")])
    drawn = [{pool[part.source].prompt for part in parts} for parts in groups_of(pool, dice, "music-mix", 50)]
    assert {frozenset(prompts) for prompts in drawn} <= {
        frozenset(names) for names in (["bass"], ["drums"], ["bass", "drums"])
    }


def test_rates_follow_the_narrowest_source(source, dice):
    pool = SourcePool(
        [source("a", "speech", band_rate=2000), source("b", "drums", band_rate=6000), source("c", "bass")]
    )
    draw = draw_batch(dice, pool, replace(SETTINGS, chain=fixed("speech", "drums", "bass")), 1)[0]
    assert draw.band_rate == 2000
    assert [made.band_rate for made in draw.sources] == [2000, 6000, 8000]
    settings = replace(SETTINGS, chain=fixed("speech", "drums"), p_match_rates=0.0)
    assert draw_batch(dice, pool, settings, 1)[0].band_rate == 8000


def test_channels(source, dice):
    stereo = np.random.default_rng(0).standard_normal((2, 24000))
    pool = SourcePool([source("a", "speech", stereo), source("b", "drums")])
    settings = replace(SETTINGS, chain=fixed("speech", "drums"))

    def channels(choice):
        chosen = replace(settings, channel=choice)
        return {draw_batch(dice, pool, chosen, 1)[0].sources[0].parts[0].channel for _ in range(30)}

    assert channels(ChannelChoice.FIRST) == {0}
    assert channels(ChannelChoice.RANDOM) == {0, 1}
    assert channels(ChannelChoice.MID) == {-1}


def test_number_of_prompts_is_equal_in_a_batch(pool, dice):
    settings = replace(SETTINGS, p_dropout=0.5, p_absent=0.5)
    sizes = Counter()
    for _ in range(200):
        draws = draw_batch(dice, pool, settings, 4)
        counts = {len(draw.prompts) for draw in draws}
        assert len(counts) == 1
        sizes[counts.pop()] += 1
        assert len({sum(bool(source.parts) for source in draw.sources) for draw in draws}) == 1
    assert set(sizes) == {1, 2, 3, 4, 5, 6}


def test_dropout_leaves_sources_and_repeated_prompts(pool, dice):
    settings = replace(SETTINGS, p_dropout=1.0)
    n_dropped = Counter()
    for _ in range(300):
        draw = draw_batch(dice, pool, settings, 1)[0]
        names = [source.prompt for source in draw.sources]
        hidden = [source.prompt for source in draw.sources if not source.asked]
        assert all(names.count(prompt) == 1 for prompt in hidden)
        assert draw.prompts
        assert all(source.parts for source in draw.sources)
        n_dropped[len(hidden)] += 1
    assert set(n_dropped) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("prompts", "most"),
    [
        ([("a", "b", "c", "d")], 3),
        ([("a", "b", "c", "d"), ("a", "a", "b", "c")], 2),
        ([("a", "a", "b", "b")], 0),
        ([("a", "a", "a", "b")], 1),
        ([("a",)], 0),
    ],
)
def test_number_of_dropped_prompts(dice, prompts, most):
    counts = Counter(draw_n_dropped(dice, prompts, 0.25) for _ in range(8000))
    assert set(counts) == set(range(most + 1))
    if most:
        assert counts[0] / 8000 == pytest.approx(0.75, abs=0.02)
        assert all(abs(counts[number] / 8000 - 0.25 / most) < 0.02 for number in range(1, most + 1))


def test_absent_prompts_could_stand_beside_what_sounds(pool, dice):
    settings = replace(SETTINGS, p_dropout=0.5, p_absent=1.0)
    n_absent = Counter()
    added = Counter()
    for _ in range(400):
        draw = draw_batch(dice, pool, settings, 1)[0]
        sounding = [source.prompt for source in draw.sources if source.parts]
        absent = [source.prompt for source in draw.sources if not source.parts]
        hidden = {source.prompt for source in draw.sources if not source.asked}
        n_absent[len(absent)] += 1
        added.update(absent)
        assert not hidden & set(absent)  # it sounds, though nobody asks for it
        present = list(sounding)
        for prompt in absent:
            assert UNIFIED.allows(prompt, present)
            present.append(prompt)
        assert set(sounding) | set(absent) <= set(UNIFIED.prompts)
    assert n_absent[1] / 400 == pytest.approx(0.5, abs=0.1)
    assert n_absent[2] / 400 == pytest.approx(0.45, abs=0.1)
    assert n_absent[0] < 40  # where speech was dropped beside music-mix and sfx-mix, nothing may be added
    assert set(added) == set(UNIFIED.prompts)


def test_absent_prompts_stand_anywhere(pool, dice):
    settings = replace(SETTINGS, p_absent=1.0, max_absent=1)
    places = Counter()
    for _ in range(600):
        draw = draw_batch(dice, pool, settings, 1)[0]
        if len(draw.sources) == 3:
            places[[bool(source.parts) for source in draw.sources].index(False)] += 1
    assert set(places) == {0, 1, 2}
    assert min(places.values()) > 0.2 * sum(places.values())


def test_no_prompt_is_added_where_none_could_stand(source, dice):
    pool = SourcePool([source("a", "drums"), source("b", "bass")])
    settings = replace(SETTINGS, chain=fixed("drums", "bass"), p_absent=1.0)
    assert set(draw_batch(dice, pool, settings, 1)[0].prompts) == {"drums", "bass"}


def test_stems_of_one_song_start_together(source, dice):
    sources = [
        source(f"{song}/{prompt}", prompt, seconds=9, seed=song, track=f"song {song}")
        for song in range(8)
        for prompt in INSTRUMENTS
    ]
    settings = replace(SETTINGS, chain=fixed(*INSTRUMENTS), p_coherent=1.0)
    for _ in range(30):
        parts = [made.parts[0] for made in draw_batch(dice, SourcePool(sources), settings, 1)[0].sources]
        assert len({part.source.split("/")[0] for part in parts}) == 1
        assert len({part.start for part in parts}) == 1
    songs = [
        {
            made.parts[0].source.split("/")[0]
            for made in draw_batch(dice, SourcePool(sources), replace(settings, p_coherent=0.0), 1)[0].sources
        }
        for _ in range(30)
    ]
    assert any(len(found) > 1 for found in songs)


def test_a_stem_that_is_silent_in_its_song_is_taken_from_another(source, dice):
    sources = [
        source("1/bass", "bass", seconds=4, track="1"),
        source("1/drums", "drums", np.zeros(32000), track="1"),
        source("2/drums", "drums", seconds=4, track="2"),
    ]
    settings = replace(SETTINGS, chain=fixed("bass", "drums"), p_coherent=1.0)
    for _ in range(20):
        made = draw_batch(dice, SourcePool(sources), settings, 1)[0].sources
        assert {source.parts[0].source for source in made} == {"1/bass", "2/drums"}


def test_two_stems_of_one_prompt_come_from_one_song_too(source, dice):
    sources = [source(f"{song}/{number}", "other", seconds=4, track=str(song)) for song in (1, 2) for number in (1, 2)]
    chain = PromptChain({"other": PromptRow(1.0, {"other": 1.0}, max_count=2)}, n_sources=((2, 1.0),))
    settings = replace(SETTINGS, chain=chain, p_coherent=1.0)
    for _ in range(20):
        drawn = sorted(made.parts[0].source for made in draw_batch(dice, SourcePool(sources), settings, 1)[0].sources)
        assert drawn in (["1/1", "1/2"], ["2/1", "2/2"])


@pytest.mark.parametrize("change", [{"p_dropout": -0.1}, {"p_absent": 1.1}, {"duration": 0.0}, {"max_absent": 0}])
def test_settings_are_checked(change):
    with pytest.raises(DatasetError, match="mix settings"):
        replace(SETTINGS, **change)
