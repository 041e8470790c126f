from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.multitrack_packing import compose_songs
from unbraid.datasets.pack import PackWriter, read_pack
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError
from unbraid.evaluation.tracks import (
    Part,
    StemTrack,
    TrackStem,
    by_instrument,
    by_stem,
    composed_tracks,
    dice_of,
    draw_start,
    find_tracks,
    pool_tracks,
)

RATE = 8000


def track(**stems: tuple[str, list[float]]) -> StemTrack:
    made = tuple(TrackStem(name, label, torch.tensor([values])) for name, (label, values) in stems.items())
    return StemTrack("song", "set", RATE, made)


BAND = track(left=("guitar", [1.0, 2.0, 3.0]), voice=("vocals", [10.0, 20.0, 30.0]), right=("guitar", [5.0, 0.0, 5.0]))


def test_the_mixture_is_the_sum_of_all_stems_and_a_reference_that_of_a_label() -> None:
    assert BAND.mixture(Part(0, 3)).tolist() == [[16.0, 22.0, 38.0]]
    assert BAND.mixture(Part(1, 2)).tolist() == [[22.0]]
    guitars = BAND.reference("guitar", Part(0, 2))
    assert guitars.samples.tolist() == [[6.0, 2.0]]
    assert (guitars.prompt, guitars.stems) == ("guitar", ("left", "right"))
    assert BAND.labels == ("guitar", "vocals")


def test_soloists_are_those_that_sound_loudest_first() -> None:
    assert [one.stems for one in BAND.soloists("guitar", Part(0, 3))] == [("right",), ("left",)]
    assert [one.stems for one in BAND.soloists("guitar", Part(1, 2))] == [("left",)]


def test_stems_without_a_class_sound_and_are_not_asked_for() -> None:
    noisy = track(voice=("vocals", [1.0]), hum=("", [1.0]))
    assert noisy.labels == ("vocals",)
    assert noisy.mixture(Part(0, 1)).tolist() == [[2.0]]


def test_passages_are_drawn_where_it_sounds() -> None:
    samples = torch.zeros(1, 1000)
    samples[:, 600:700] = 0.5
    for seed in range(20):
        start = draw_start(samples, [Part(0, 400), Part(500, 800)], 100, dice_of(seed))
        assert start is None or 501 <= start <= 700
    assert draw_start(samples, [Part(0, 400)], 100, dice_of(0)) is None
    assert draw_start(samples, [Part(600, 650)], 100, dice_of(0)) is None


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for song in ("one", "two"):
        folder = tmp_path / "songs" / song
        folder.mkdir(parents=True)
        for number, stem in enumerate(("lead vox", "drums", "clean_guitar", "clean_guitar2", "hum")):
            noise = 0.1 * np.random.default_rng(number).standard_normal(RATE // 2)
            soundfile.write(folder / f"{stem}.flac", noise, RATE)
    return tmp_path / "songs"


def test_folders_are_read_stem_by_stem(recordings: Path) -> None:
    one, two = find_tracks(recordings, labels=by_instrument)
    assert (one.name, two.name) == ("one", "two")
    found = {stem.name: stem.label for stem in one.read().stems}
    assert found == {
        "lead vox": "vocals", "drums": "drums", "clean_guitar": "electric guitar",
        "clean_guitar2": "electric guitar", "hum": "",
    }  # fmt: skip
    (coarse, _) = find_tracks(recordings, labels=by_stem)
    assert coarse.read().labels == ("other", "drums", "vocals")


def pack(path: Path, *, rate: int = RATE, seconds: float = 4.0) -> SourcePool:
    with PackWriter(path, sample_rate=rate) as writer:
        for song in range(4):
            for number, label in enumerate(("vocals", "electric guitar", "other")):
                if song == 3 and number:
                    continue  # a song of one label is no mixture
                noise = 0.1 * torch.randn(1, round(seconds * rate), generator=torch.Generator().manual_seed(number))
                writer.add(f"{song}/{label}", Audio(noise, rate), prompt=label, track=f"song-{song}")
    return SourcePool(read_pack(path))


def test_passages_are_cut_out_of_packs(tmp_path: Path) -> None:
    pool = pack(tmp_path / "pack")
    tracks = pool_tracks(pool, labels=by_instrument, count=3, seed=1, duration=1.5)
    assert len({one.name for one in tracks}) == 3
    cut = tracks[0].read()
    assert (cut.n_samples, cut.sample_rate) == (12000, RATE)
    assert {stem.name.split("/")[-1]: stem.label for stem in cut.stems} == {
        "vocals": "vocals", "electric guitar": "electric guitar", "other": "",
    }  # fmt: skip
    again = pool_tracks(pool, labels=by_instrument, count=2, seed=1, duration=1.5)
    assert [one.name for one in again] == [one.name for one in tracks[:2]]
    assert torch.equal(again[0].read().stems[0].samples, cut.stems[0].samples)
    other = pool_tracks(pool, labels=by_stem, count=4, seed=2, duration=1.5)
    assert len(other) == 3
    assert {name for one in other for name in one.read().labels} == {"vocals", "other"}
    with pytest.raises(DatasetError, match="no track has 9 s of two labels"):
        pool_tracks(pool, labels=by_instrument, count=1, seed=0, duration=9.0)


def test_songs_are_composed_that_training_packs_have_not() -> None:
    first, second = composed_tracks(labels=by_stem, count=2, seed=3, duration=1.0, player=None)
    assert first.name != second.name
    song = first.read()
    assert song.item_set == "composed"
    assert set(song.labels) <= {"vocals", "drums", "bass", "other"}
    assert song.sample_rate == 44100
    assert all(stem.samples.abs().max() > 0 for stem in song.stems)
    ((name, stems),) = compose_songs([10_030_000], duration=1.0, player=None)
    assert name == song.name == first.name
    assert torch.equal(stems[0].audio.samples, song.stems[0].samples)
