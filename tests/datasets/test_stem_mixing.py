from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.pack import PackWriter, read_pack
from unbraid.datasets.stem_mixing import (
    LABELS,
    StemSettings,
    StemTrainingSet,
    apply_stems,
    read_stereo,
    repeat_sound,
)
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError

SETTINGS = StemSettings(sample_rate=8000, n_samples=2000)


def noise(seed, *, n_channels=2, n_samples=24000):
    return np.random.default_rng(seed).standard_normal((n_channels, n_samples)).astype(np.float32) * 0.1


@pytest.fixture
def songs(source) -> SourcePool:
    """Four songs of all labels in stereo, and a sound that is no stem, at another rate."""
    stems = [
        source(f"song-{song}/{label}", label, noise(10 * song + index), track=f"song-{song}")
        for song in range(4)
        for index, label in enumerate(LABELS)
    ]
    return SourcePool([*stems, source("bang", "sfx", rate=44100)])


def same(one, other):
    tensors = ((one.mixture, other.mixture), (one.references, other.references), (one.queries, other.queries))
    return one.labels == other.labels and all(torch.equal(*pair) for pair in tensors)


def test_published_mixtures_are_sums_of_passages_as_they_were_recorded(songs):
    data = StemTrainingSet(songs, SETTINGS, batch_size=3)
    for step in range(5):
        batch = data[step]
        assert batch.mixture.shape == (3, 2, 2000)
        assert batch.references.shape == batch.queries.shape == (3, 1, 2, 2000)
        assert torch.equal(batch.queries, batch.references)
        for draw, mixture, references, labels in zip(
            data.draw(step), batch.mixture, batch.references, batch.labels, strict=True
        ):
            passages = [read_stereo(songs[one.source], one.start, one.start + one.n_samples) for one in draw.stems]
            assert [songs[one.source].prompt for one in draw.stems] == list(LABELS)
            assert [one.n_samples for one in draw.stems] == [2000] * 4
            np.testing.assert_allclose(mixture, np.sum(passages, axis=0), atol=1e-6)
            np.testing.assert_array_equal(references[0], passages[draw.targets[0]])
            assert labels == (LABELS[draw.targets[0]],)


def test_stems_and_targets_are_drawn_one_by_one(songs):
    draws = [draw for step in range(100) for draw in StemTrainingSet(songs, SETTINGS).draw(step)]
    tracks = {tuple(songs[one.source].track for one in draw.stems) for draw in draws}
    assert len(tracks) > 200  # of 256
    targets = [draw.targets[0] for draw in draws]
    assert all(150 < targets.count(index) < 250 for index in range(4))


def test_a_batch_depends_on_seed_and_step_alone(songs):
    settings = replace(SETTINGS, n_targets=2, p_absent=0.5, p_other=0.5, p_swap=0.5, gain_db=(-6, 6), level_db=-20)
    data = StemTrainingSet(songs, settings, seed=5)
    seventh = data[7]
    assert not same(data[3], seventh)
    assert same(StemTrainingSet(songs, settings, seed=5)[7], seventh)
    assert not same(StemTrainingSet(songs, settings, seed=6)[7], seventh)


def test_absent_targets_are_missing_in_the_mixture_and_have_queries(songs):
    settings = replace(SETTINGS, p_absent=1.0, n_targets=2, level_db=-20.0)
    batch = StemTrainingSet(songs, settings, batch_size=32)[0]
    sounds = batch.references.abs().amax(dim=(2, 3)) > 0
    assert not sounds[:, 0].any()
    assert 8 < sounds[:, 1].sum() < 24
    assert batch.queries.abs().amax(dim=(2, 3)).min() > 0
    assert all(len(set(labels)) == 2 for labels in batch.labels)
    powers = batch.mixture.square().mean(dim=(1, 2))
    assert powers == pytest.approx(0.02 + 0.01 * sounds[:, 1].float(), rel=0.2)  # two or three stems of -20 dBFS
    everyone = StemTrainingSet(songs, replace(settings, n_targets=4), batch_size=32)[0]
    assert everyone.mixture.abs().amax(dim=(1, 2)).min() > 0
    assert not StemTrainingSet(songs, replace(SETTINGS, p_absent=1.0))[0].references.any()


def test_every_stem_can_be_asked_for(songs):
    batch = StemTrainingSet(songs, replace(SETTINGS, n_targets=4))[0]
    torch.testing.assert_close(batch.references.sum(dim=1), batch.mixture)
    assert all(sorted(labels) == sorted(LABELS) for labels in batch.labels)


def test_levels_gains_and_volume(songs):
    settings = replace(SETTINGS, n_targets=4, level_db=-30.0)
    references = StemTrainingSet(songs, settings)[0].references
    levels = 10 * references.square().mean(dim=(2, 3)).log10()
    torch.testing.assert_close(levels, torch.full((8, 4), -30.0), atol=1e-3, rtol=0)
    varied = replace(settings, gain_db=(-6.0, 0.0), volume_db=(-10.0, 10.0))
    data = StemTrainingSet(songs, varied)
    levels = 10 * data[0].references.square().mean(dim=(2, 3)).log10()
    for draw, found in zip(data.draw(0), levels, strict=True):
        expected = [-30 + draw.volume_db + draw.stems[target].gain_db for target in draw.targets]
        assert found.tolist() == pytest.approx(expected, abs=1e-3)
        assert all(-6 <= one.gain_db <= 0 for one in draw.stems)
    volumes = [draw.volume_db for step in range(20) for draw in data.draw(step)]
    assert min(volumes) < -8
    assert max(volumes) > 8


def test_near_silence_is_not_made_loud(source):
    stems = [
        source(label, label, noise(index) * (1e-6 if label == "bass" else 1)) for index, label in enumerate(LABELS)
    ]
    settings = replace(SETTINGS, n_targets=4, level_db=-20.0)
    pool = SourcePool(stems)
    data = StemTrainingSet(pool, settings)
    mix = apply_stems(data.draw(0)[0], pool, settings)
    levels = dict(zip(mix.labels, (20 * mix.references.square().mean(dim=(1, 2)).sqrt().log10()).tolist(), strict=True))
    assert levels["bass"] < -130
    assert levels["drums"] == pytest.approx(-20, abs=1e-3)


def test_channels_are_exchanged(songs):
    plain = StemTrainingSet(songs, SETTINGS)
    draw = plain.draw(0)[0]
    swapped = replace(draw, stems=tuple(replace(one, swapped=True) for one in draw.stems))
    one, other = (apply_stems(each, songs, SETTINGS) for each in (draw, swapped))
    torch.testing.assert_close(one.mixture, other.mixture.flip(0))
    drawn = StemTrainingSet(songs, replace(SETTINGS, p_swap=0.5)).draw(0)
    assert 5 < sum(stem.swapped for each in drawn for stem in each.stems) < 27


def test_one_channel_stands_somewhere_at_the_same_power(source):
    pool = SourcePool([source(label, label, noise(index, n_channels=1)) for index, label in enumerate(LABELS)])
    data = StemTrainingSet(pool, replace(SETTINGS, n_targets=4))
    draw, mix = data.draw(0)[0], apply_stems(data.draw(0)[0], pool, data.settings)
    for target, reference in zip(draw.targets, mix.references, strict=True):
        passage = draw.stems[target]
        mono = torch.from_numpy(pool[passage.source].read(passage.start, passage.start + passage.n_samples))
        torch.testing.assert_close(reference.square().sum(dim=0), mono.square())
    places = [one.place for step in range(10) for each in data.draw(step) for one in each.stems]
    assert min(places) < 0.05
    assert max(places) > 0.95
    left = read_stereo(pool["drums"], 0, 10, place=0.0)
    assert left[0].any()
    assert not left[1].any()


def test_coherent_stems_are_of_one_song_at_one_time(songs):
    draws = StemTrainingSet(songs, replace(SETTINGS, p_coherent=1.0)).draw(0)
    for draw in draws:
        assert len({songs[one.source].track for one in draw.stems}) == 1
        assert len({one.start for one in draw.stems}) == 1


def test_coherent_mixtures_fill_in_what_a_song_lacks(source):
    lonely = [source(f"{label}/{n}", label, noise(n), track=f"{label}/{n}") for label in LABELS for n in range(2)]
    pool = SourcePool(lonely)
    draw = StemTrainingSet(pool, replace(SETTINGS, p_coherent=1.0)).draw(0)[0]
    assert [pool[one.source].prompt for one in draw.stems] == list(LABELS)


def test_other_queries_do_not_overlap_the_target(songs):
    data = StemTrainingSet(songs, replace(SETTINGS, p_other=1.0), batch_size=16)
    for draw in data.draw(0):
        query, target = draw.queries[0], draw.stems[draw.targets[0]]
        assert query.source == target.source
        assert query.start >= target.start + 2000 or query.start + 2000 <= target.start
    batch = data[0]
    assert not torch.equal(batch.queries, batch.references)
    mixed = StemTrainingSet(songs, replace(SETTINGS, p_other=0.5), batch_size=64).draw(0)
    assert 16 < sum(draw.queries[0] is not None for draw in mixed) < 48


def test_a_short_recording_is_its_own_query(source):
    pool = SourcePool([source(label, label, noise(0, n_samples=1500), track=label) for label in LABELS])
    data = StemTrainingSet(pool, replace(SETTINGS, p_other=1.0))
    assert all(draw.queries == (None,) for draw in data.draw(0))
    for draw, reference in zip(data.draw(0), data[0].references, strict=True):
        offset = draw.stems[draw.targets[0]].offset
        assert not reference[..., :offset].any()
        assert reference[..., offset : offset + 1500].any()
        assert not reference[..., offset + 1500 :].any()


def test_silence_of_a_query_is_cut_off():
    samples = torch.zeros(2, 100)
    samples[:, 40:60] = torch.arange(1.0, 21.0)
    assert torch.equal(repeat_sound(samples), samples[:, 40:60].repeat(1, 5))
    assert not repeat_sound(torch.zeros(2, 10)).any()


def test_stereo_comes_through_a_pack(tmp_path):
    with PackWriter(tmp_path / "pack", sample_rate=8000, channel=ChannelChoice.RANDOM) as writer:
        for index, label in enumerate(LABELS):
            writer.add(label, Audio.from_array(noise(index), 8000), prompt=label)
    pool = SourcePool(read_pack(tmp_path / "pack"))
    data = StemTrainingSet(pool, replace(SETTINGS, n_targets=4))
    mix = apply_stems(data.draw(0)[0], pool, data.settings)
    for target, reference in zip(data.draw(0)[0].targets, mix.references, strict=True):
        start = data.draw(0)[0].stems[target].start
        assert np.abs(reference.numpy() - noise(target)[:, start : start + 2000]).max() < 1e-4


def test_what_cannot_work_is_an_error_before_work_starts(source, songs):
    with pytest.raises(DatasetError, match="no source of bass, drums, other"):
        StemTrainingSet(SourcePool([source("a", "vocals")]), SETTINGS)
    with pytest.raises(DatasetError, match="pack it at 44100 Hz"):
        StemTrainingSet(songs, StemSettings())
    for wrong in ({"p_absent": 1.5}, {"n_targets": 5}, {"n_samples": 0}, {"gain_db": (1.0, -1.0)}):
        with pytest.raises(DatasetError, match="stem settings"):
            StemSettings(**wrong)
    with pytest.raises(DatasetError, match="at least two labels"):
        StemSettings(p_absent=0.1, labels=("drums",))
