import numpy as np
import pytest

from unbraid.datasets.multitracks import Instrument, Solos, Songs
from unbraid.errors import DatasetError


@pytest.fixture
def songs(source):
    return [
        source(f"{song}/{name}", label, seed=10 * number + index, track=song)
        for number, song in enumerate(("a", "b", "c"))
        for index, (name, label) in enumerate(
            (("kit", "drums"), ("clean", "electric guitar"), ("lead", "electric guitar"))
        )
    ]


def test_instruments_of_one_class_are_summed_or_kept_apart(songs, dice):
    dataset = Songs(songs)
    summed = dataset.draw(dice, apart=False)
    assert {one.label: len(one.sources) for one in summed.instruments} == {"drums": 1, "electric guitar": 2}
    apart = dataset.draw(dice, apart=True)
    assert [one.label for one in apart.instruments].count("electric guitar") == 2
    assert summed.aligned
    assert len({one.track for one in summed.instruments}) == 1


def test_songs_are_drawn_equally_often(songs, dice):
    dataset = Songs(songs)
    tracks = [dataset.draw(dice, apart=False).instruments[0].track for _ in range(300)]
    assert all(70 < tracks.count(track) < 130 for track in "abc")


def test_songs_need_two_classes(source):
    with pytest.raises(DatasetError, match="stems of two classes"):
        Songs([source("a/kit", "drums", track="a"), source("b/kit", "drums", track="b")])
    with pytest.raises(DatasetError, match="two classes are needed"):
        Solos([source("a/kit", "drums")])


def test_others_are_of_other_tracks(songs, dice):
    dataset = Songs(songs)
    assert {dataset.draw_other(dice, "drums", "a").track for _ in range(30)} == {"b", "c"}
    assert dataset.draw_other(dice, "bagpipes", "a") is None


def test_solos_are_of_two_to_five_classes(source, dice):
    labels = ("drums", "bass", "vocals", "strings", "piano", "brass", "organ")
    solos = Solos([source(f"{label}-{number}", label) for label in labels for number in range(2)])
    drawn = [solos.draw(dice, apart=False) for _ in range(200)]
    assert {len(one.instruments) for one in drawn} == {2, 3, 4, 5}
    assert all(len({part.label for part in one.instruments}) == len(one.instruments) for one in drawn)
    assert not drawn[0].aligned
    gains = [part.gain_db for one in drawn for part in one.instruments]
    assert -6 <= min(gains) < -5 < 5 < max(gains) <= 6
    doubled = [solos.draw(dice, apart=True).instruments for _ in range(50)]
    two = [parts for parts in doubled if len({part.label for part in parts}) < len(parts)]
    assert two
    assert all(len({part.track for part in parts}) == len(parts) for parts in two)


def test_a_chunk_begins_where_a_source_sounds(source, dice):
    samples = np.zeros(10000, dtype=np.float32)
    samples[6000:6500] = 1
    instrument = Instrument("drums", (source("a", "drums", samples, spans=((6000, 6500),)),))
    starts = [instrument.draw_start(dice, 1000) for _ in range(200)]
    assert 5000 < min(starts) < 5300
    assert 6200 < max(starts) < 6500
    assert {instrument.draw_start(dice, 20000) for _ in range(20)} == {0}
