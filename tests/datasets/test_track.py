import numpy as np
import pytest
import soundfile

from unbraid.datasets.track import FileStore, Item, LayeredStore, Source, SourcePool, is_held_out
from unbraid.errors import DatasetError


def test_defaults_of_a_source(source):
    made = source("a", "drums", seconds=2)
    assert (made.band_rate, made.track, made.spans) == (8000, "a", ((0, 16000),))


def test_band_rate_is_never_above_the_rate(source):
    assert source("a", "drums", band_rate=48000).band_rate == 8000


@pytest.mark.parametrize("span", [(-1, 5), (5, 5), (0, 24001)])
def test_a_span_outside_of_the_recording_is_refused(source, span):
    with pytest.raises(DatasetError, match="span lies outside"):
        source("a", "drums", spans=(span,))


def test_an_empty_source_is_refused(source):
    with pytest.raises(DatasetError, match="no samples"):
        source("a", "drums", np.zeros((1, 0)))


def test_reading_outside_is_refused(source):
    with pytest.raises(DatasetError, match="0 to 24001"):
        source("a", "drums").read(0, 24001)


def test_file_store_reads_ranges_and_channels(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    store = FileStore(tmp_path / "a.wav")
    np.testing.assert_array_equal(store.read(10, 20, 1), samples[10:20, 1])
    np.testing.assert_allclose(store.read(10, 20, -1), samples[10:20].mean(axis=1), rtol=1e-6)
    assert store.read(0, 5, 0).dtype == np.float32


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "bad.wav").write_text("no audio")
    with pytest.raises(DatasetError, match=r"bad\.wav: cannot be read"):
        FileStore(tmp_path / "bad.wav").read(0, 5, 0)


def test_layers_are_summed(source):
    first, second = source("a", "drums", seed=1), source("b", "bass", seed=2)
    both = LayeredStore((first.store, second.store))
    np.testing.assert_allclose(both.read(5, 50, 0), first.read(5, 50) + second.read(5, 50))


def test_every_span_is_one_item(source, dice):
    pool = SourcePool(
        [source("long", "drums", spans=((0, 10), (10, 20), (20, 30))), source("short", "drums", spans=((0, 5),))]
    )
    drawn = [pool.draw(dice, "drums") for _ in range(4000)]
    assert sum(item.source.name == "short" for item in drawn) / 4000 == pytest.approx(0.25, abs=0.03)
    assert Item(pool["long"], 10, 20) in drawn


def test_weights_go_by_the_longest_beginning(source, dice):
    sources = [source(name, "sfx") for name in ("real/a", "real/never/b", "made/c")]
    pool = SourcePool(sources, weights={"real/": 3.0, "real/never": 0.0})
    names = [pool.draw(dice, "sfx").source.name for _ in range(4000)]
    assert names.count("real/a") / 4000 == pytest.approx(0.75, abs=0.03)
    assert "real/never/b" not in names


def test_a_prompt_whose_weights_are_zero_is_not_there(source, dice):
    pool = SourcePool([source("a", "sfx"), source("b", "drums")], weights={"b": 0.0})
    assert pool.prompts == {"sfx"}
    assert pool.n_sources == {"sfx": 1}
    with pytest.raises(DatasetError, match="no source of drums, only of sfx"):
        pool.draw(dice, "drums")


def test_names_are_unique_and_known(source):
    with pytest.raises(DatasetError, match="two sources are called a"):
        SourcePool([source("a", "sfx"), source("a", "drums")])
    with pytest.raises(DatasetError, match="no source called b"):
        SourcePool([source("a", "sfx")])["b"]
    with pytest.raises(DatasetError, match="no sources"):
        SourcePool([])


def test_companions_are_of_the_same_track(source):
    song = [source("1/drums", "drums", track="1"), source("1/bass", "bass", track="1")]
    pool = SourcePool([*song, source("2/bass", "bass", track="2")])
    assert pool.companions("1", "bass") == [song[1]]
    assert pool.companions("2", "drums") == []


@pytest.fixture
def songs(source):
    return [
        source(f"{number}/{prompt}", prompt, track=f"song {number}", seconds=0.01)
        for number in range(400)
        for prompt in ("drums", "bass")
    ]


def test_split_keeps_tracks_whole_and_has_the_expected_size(songs):
    train, validation = SourcePool(songs).split(0.1)
    assert len(train.sources) + len(validation.sources) == 800
    tracks = [{source.track for source in side.sources.values()} for side in (train, validation)]
    assert not tracks[0] & tracks[1]
    assert 20 <= len(tracks[1]) <= 60


def test_split_is_the_same_when_sources_are_added(songs):
    few = SourcePool(songs[:400]).split(0.2)[1]
    many = SourcePool(songs).split(0.2)[1]
    assert set(few.sources) == {name for name in many.sources if name in {source.name for source in songs[:400]}}
    assert set(SourcePool(songs).split(0.2, salt="other")[1].sources) != set(many.sources)


def test_split_never_holds_out_what_is_for_training_only(songs, source):
    rare = [source(f"rare/{number}", "vocals", train_only=True, seconds=0.01) for number in range(50)]
    assert "vocals" not in SourcePool([*songs, *rare]).split(0.5)[1].prompts


def test_split_keeps_weights(songs):
    pool = SourcePool(songs, weights={"": 0.5, "1": 0.0})
    assert all(side._weights == pool._weights for side in pool.split(0.3))


def test_a_side_without_sources_is_an_error(source):
    with pytest.raises(DatasetError, match="leaves a side empty"):
        SourcePool([source("a", "sfx")]).split(0.5)


def test_hash_is_fixed():
    held_out = [name for name in map(str, range(20)) if is_held_out(name, 0.3)]
    assert held_out == ["0", "6", "13"]
    assert set(held_out) <= {name for name in map(str, range(20)) if is_held_out(name, 0.6)}


def test_summary_counts(source):
    pool = SourcePool([source("a", "sfx", seconds=2), source("b", "sfx", seconds=1, spans=((0, 5), (5, 10)))])
    assert pool.summary() == {"sfx": (2, 3, 3.0)}


def test_source_is_a_value(source):
    made = source("a", "sfx")
    assert isinstance(made, Source)
    with pytest.raises(AttributeError):
        made.name = "b"
