from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.datasets.episode_draws import EpisodeSettings, read_sum
from unbraid.datasets.episodes import EpisodeSet
from unbraid.datasets.multitracks import Solos, Songs
from unbraid.errors import DatasetError

N, RATE = 800, 8000
PLAIN = EpisodeSettings(RATE, N)
LABELS = ("vocals", "drums", "bass", "piano")


@pytest.fixture
def songs(source):
    return Songs(
        [
            source(f"{song}/{label}", label, seconds=2.0, seed=10 * number + index, track=song)
            for number, song in enumerate(("a", "b", "c"))
            for index, label in enumerate((*LABELS, "other"))
        ]
    )


@pytest.fixture
def solos(source):
    return Solos([source(f"solo/{label}", label, seconds=2.0, seed=index) for index, label in enumerate(LABELS)])


def episodes(dataset, settings, n=40, batch_size=4):
    drawn = EpisodeSet(dataset, settings, batch_size=batch_size)
    return [episode for step in range(n) for episode in drawn.draw(step)]


def source_of(chunk):
    return chunk.sources[0]


def test_a_batch_depends_on_seed_and_number_alone(songs, solos):
    data = EpisodeSet({"songs": songs, "solos": solos}, PLAIN, batch_size=3, seed=5)
    first, again = data[7], EpisodeSet({"songs": songs, "solos": solos}, PLAIN, batch_size=3, seed=5)[7]
    assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(first, again, strict=True))
    assert data.draw(7) != data.draw(8)
    assert data.draw(7) != replace(data, seed=6).draw(7)
    assert first.mixture.shape == (3, N)
    assert first.references.shape == (3, N)
    assert first.examples.shape == (15, N)
    assert first.positive.sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert not first.negative.any()


def test_the_reference_is_an_instrument_of_the_mixture(songs):
    data = EpisodeSet({"songs": songs}, PLAIN, batch_size=4)
    (draw, *_), batch = data.draw(0), data[0]
    (target,) = draw.targets
    sources = {source.name: source for source in songs.sources}
    parts = [read_sum([sources[source_of(chunk)]], chunk.start, N) for chunk in draw.instruments]
    np.testing.assert_allclose(batch.mixture[0].numpy(), sum(parts), atol=1e-6)
    np.testing.assert_array_equal(batch.references[0].numpy(), parts[target.place])
    assert sources[source_of(draw.instruments[target.place])].prompt == target.label == batch.labels[0]


def test_examples_are_of_the_same_track_and_never_overlap_the_target(songs):
    for episode in episodes({"songs": songs}, PLAIN):
        (target,) = episode.targets
        chunk = episode.instruments[target.place]
        for index in target.positive:
            example = episode.examples[index]
            assert example.chunk.sources == chunk.sources
            assert abs(example.chunk.start - chunk.start) >= N
            assert example.companion is None


def test_negative_examples_are_of_other_instruments_of_the_mixture(songs, solos):
    settings = replace(PLAIN, n_negative=(3, 3), p_without_negative=0.3)
    found = episodes({"songs": songs, "solos": solos}, settings)
    for episode in found:
        (target,) = episode.targets
        here = {chunk.sources for chunk in episode.instruments}
        for index in target.negative:
            assert episode.examples[index].chunk.sources in here - {episode.instruments[target.place].sources}
    without = [episode for episode in found if not episode.targets[0].negative]
    assert 0.15 < len(without) / len(found) < 0.45
    assert all(len(episode.targets[0].negative) in (0, 3) for episode in found)


def test_targets_of_one_mixture_share_their_examples(songs):
    settings = replace(PLAIN, n_positive=(3, 3), n_negative=(3, 3), n_targets=4)
    found = episodes({"songs": songs}, settings, batch_size=8)
    assert all(len(episode.targets) == 4 for episode in found)
    n_examples = sum(len(episode.examples) for episode in found) / len(found)
    assert n_examples < 18  # 24 were not shared
    batch = EpisodeSet({"songs": songs}, settings, batch_size=8)[0]
    assert batch.owner.tolist() == [0] * 4 + [1] * 4
    assert not ((batch.positive > 0) & (batch.negative > 0)).any()
    assert batch.negative.sum(dim=1).tolist() == pytest.approx([1] * 8)


def test_the_target_is_all_that_mixed_examples_share(songs, solos):
    for episode in episodes({"songs": songs, "solos": solos}, replace(PLAIN, n_positive=(2, 3), p_mixed=0.5)):
        for target in episode.targets:
            companions = [episode.examples[index].companion for index in target.positive]
            assert None in companions or len({source_of(one) for one in companions}) > 1
            assert all(
                one is None or source_of(one) != source_of(episode.examples[target.positive[0]].chunk)
                for one in companions
            )
    mixed = [
        example.companion is not None
        for episode in episodes({"s": songs}, replace(PLAIN, p_mixed=0.5))
        for example in episode.examples
    ]
    assert 0.4 < sum(mixed) / len(mixed) < 0.6
    one = episodes({"s": songs}, replace(PLAIN, n_positive=(1, 1), p_mixed=1.0), n=3)
    assert all(example.companion is None for episode in one for example in episode.examples)


def test_mixed_examples_are_no_negative_ones(songs):
    settings = replace(PLAIN, n_positive=(3, 3), n_negative=(2, 2), n_targets=3, p_mixed=0.5)
    for episode in episodes({"songs": songs}, settings):
        assert all(episode.examples[index].companion is None for target in episode.targets for index in target.negative)


def test_classes_that_are_held_out_are_never_targets_but_sound(songs):
    settings = replace(PLAIN, targets=("bass", "piano"), n_targets=2, p_absent=0.3)
    found = episodes({"songs": songs}, settings)
    assert {target.label for episode in found for target in episode.targets} == {"bass", "piano"}
    assert any("vocals" in source_of(chunk) for episode in found for chunk in episode.instruments)
    assert any("other" in source_of(chunk) for episode in found for chunk in episode.instruments)


def test_absent_targets_are_silent_and_do_not_sound(source):
    data = Songs(
        [
            source(f"{song}/{label}", label, seconds=2.0, seed=index, track=song)
            for song, labels in (("a", ("drums", "bass")), ("b", ("piano", "vocals", "organ")))
            for index, label in enumerate(labels)
        ]
    )
    absent = 0
    for episode in episodes({"songs": data}, replace(PLAIN, p_absent=0.5)):
        (target,) = episode.targets
        here = {source_of(chunk) for chunk in episode.instruments}
        if target.place is None:
            absent += 1
            assert all(source_of(episode.examples[index].chunk) not in here for index in target.positive)
    assert absent > 20
    batch = EpisodeSet({"songs": data}, replace(PLAIN, p_absent=1.0), batch_size=2)[0]
    assert not batch.references.any()
    assert batch.mixture.any()


def test_examples_of_other_tracks(songs):
    for episode in episodes({"songs": songs}, replace(PLAIN, p_other_track=1.0)):
        (target,) = episode.targets
        for index in target.positive:
            song, label = source_of(episode.examples[index].chunk).split("/")
            assert label == target.label
            assert song != source_of(episode.instruments[0]).split("/")[0]


def test_two_instruments_of_one_class_are_two_targets(source):
    parts = [
        source(f"a/{name}", label, seconds=2.0, seed=index, track="a")
        for index, (name, label) in enumerate((("clean", "piano"), ("felt", "piano"), ("kit", "drums")))
    ]
    settings = replace(PLAIN, n_targets=3, p_apart=1.0, p_other_track=1.0)
    for episode in episodes({"songs": Songs(parts)}, settings, n=5):
        for target in episode.targets:
            if target.label == "piano":
                own = episode.instruments[target.place].sources
                assert all(episode.examples[index].chunk.sources == own for index in target.positive)
    summed = EpisodeSet({"songs": Songs(parts)}, replace(settings, p_apart=0.0), batch_size=2).draw(0)
    assert {len(chunk.sources) for chunk in summed[0].instruments} == {1, 2}


def test_gains(songs):
    settings = replace(PLAIN, volume_db=(-6.0, -6.0), example_gain_db=(2.0, 2.0))
    plain, quiet = EpisodeSet({"s": songs}, PLAIN)[0], EpisodeSet({"s": songs}, settings)[0]
    assert float(quiet.mixture.std() / plain.mixture.std()) == pytest.approx(10 ** (-6 / 20), abs=0.05)
    assert float(quiet.examples.std() / plain.examples.std()) == pytest.approx(10 ** (-4 / 20), abs=0.05)


def test_silence_is_never_drawn(source):
    loud = np.zeros(16000, dtype=np.float32)
    loud[:8000] = np.random.default_rng(0).standard_normal(8000)
    data = Songs(
        [source("a/b", "bass", loud, track="a"), source("a/d", "drums", loud, track="a")],
    )
    sources = {one.name: one for one in data.sources}
    for episode in episodes({"s": data}, PLAIN, n=10):
        for chunk in (*episode.instruments, *(example.chunk for example in episode.examples)):
            assert np.square(read_sum([sources[source_of(chunk)]], chunk.start, N)).mean() > 1e-6
    short = Songs([source(f"a/{one}", one, loud[:N], track="a") for one in ("bass", "drums")])
    with pytest.raises(DatasetError, match="too short or too quiet"):
        EpisodeSet({"s": short}, PLAIN).draw(0)


def test_data_sets_are_drawn_by_their_weights(songs, solos):
    data = {"songs": songs, "solos": solos}
    for weights, low, high in (({}, 0.4, 0.6), ({"solos": 3.0}, 0.65, 0.85)):
        drawn = EpisodeSet(data, PLAIN, batch_size=10, weights=weights)
        episodes = [episode for step in range(20) for episode in drawn.draw(step)]
        share = sum(source_of(episode.instruments[0]).startswith("solo") for episode in episodes) / len(episodes)
        assert low < share < high


def test_data_that_does_not_fit(songs, solos):
    with pytest.raises(DatasetError, match="give positive ones"):
        EpisodeSet({"songs": songs}, PLAIN, weights={"songs": 0.0})
    with pytest.raises(DatasetError, match="at least one"):
        EpisodeSet({}, PLAIN)
    with pytest.raises(DatasetError, match="at 8000 Hz: pack it at 22050 Hz"):
        EpisodeSet({"songs": songs})
    with pytest.raises(DatasetError, match="no class that may be a target"):
        EpisodeSet({"songs": songs}, replace(PLAIN, targets=("bagpipes",)))
    with pytest.raises(DatasetError, match="the same name"):
        EpisodeSet({"songs": songs, "again": songs}, PLAIN)
    draws = EpisodeSet({"songs": songs}, PLAIN).draw(0)
    with pytest.raises(DatasetError, match="other data"):
        EpisodeSet({"solos": solos}, PLAIN).apply(draws)


@pytest.mark.parametrize(
    "wrong", [{"p_mixed": 1.5}, {"n_positive": (0, 2)}, {"n_negative": (3, 2)}, {"n_targets": 0}, {"volume_db": (1, 0)}]
)
def test_settings_are_checked(wrong):
    with pytest.raises(DatasetError, match="episode settings"):
        EpisodeSettings(**wrong)
