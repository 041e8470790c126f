from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.guided_packs import Imitation, Melody, MelodyEntry, MelodyWindow, write_melodies
from unbraid.datasets.pack import PackWriter
from unbraid.datasets.track import Source
from unbraid.errors import DatasetError
from unbraid.evaluation.pointed_windows import (
    N_SAMPLES,
    HeldSamples,
    Melodies,
    choose_windows,
    composed_melodies,
    pack_melodies,
)
from unbraid.guides.notes import Note

RATE = 16000
LENGTH = 2 * N_SAMPLES


def source(name: str, track: str, seed: int, level: float = 0.1) -> Source:
    samples = (level * np.random.default_rng(seed).standard_normal(LENGTH)).astype(np.float32)
    return Source(name, "piano", RATE, LENGTH, HeldSamples(samples), track=track)


def melody(stem: Source, group: str, starts: Sequence[int], kinds: Sequence[str] = ("instrument", "hum")) -> Melody:
    places = iter(range(0, 100 * N_SAMPLES, N_SAMPLES))
    windows = [MelodyWindow(start, tuple(Imitation(next(places), kind, "") for kind in kinds)) for start in starts]
    length = len(starts) * len(kinds) * N_SAMPLES
    samples = np.repeat(np.arange(1.0, 1 + length // N_SAMPLES, dtype=np.float32), N_SAMPLES)
    mimicry = Source(f"{stem.name}/mimicry", "mimicry", RATE, length, HeldSamples(samples), track=stem.track)
    return Melody(stem, mimicry, group, 0, (Note(0.0, 1.0, 60, 90),), tuple(windows))


@pytest.fixture
def songs() -> Melodies:
    stems = [source(f"song-{index}/{name}", f"song-{index}", 10 * index + number)
             for index in range(3) for number, name in enumerate(("a", "b", "c"))]  # fmt: skip
    targets = [melody(one, "Piano" if one.name.endswith("a") else "Bass", (0, 100, 90_000)) for one in stems]
    return Melodies("set", [one for one in targets if not one.source.name.endswith("c")], stems)


def test_a_window_is_a_target_the_rest_of_its_song_and_its_imitations(songs: Melodies) -> None:
    window = next(one for one in (read() for read in choose_windows(songs, count=None, seed=0))
                  if one.name == "song-1/a@90000")  # fmt: skip
    by_name = {one.name: one for one in songs.sources}
    n_left = LENGTH - 90_000
    assert window.group == "Piano"
    assert window.item_set == "set"
    assert window.start == 90_000 / RATE
    assert torch.equal(window.target[:n_left], torch.from_numpy(by_name["song-1/a"].read(90_000, LENGTH)))
    assert not window.target[n_left:].any()
    rest = by_name["song-1/b"].read(90_000, LENGTH) + by_name["song-1/c"].read(90_000, LENGTH)
    assert torch.equal(window.rest[:n_left], torch.from_numpy(rest))
    assert window.played is not None
    assert window.played.eq(5).all()
    assert window.sung is not None
    assert window.sung.eq(6).all()


def test_every_stem_has_its_turn_and_more_windows_begin_with_the_fewer(songs: Melodies) -> None:
    names = [[read().name for read in choose_windows(songs, count=count, seed=1)] for count in (3, 5)]
    assert len({name.split("@")[0] for name in names[0]}) == 6
    assert names[1][:6] == names[0]
    orders = {tuple(read().name for read in choose_windows(songs, count=3, seed=seed)) for seed in range(5)}
    assert len(orders) > 1
    groups = [read().group for read in choose_windows(songs, count=5, seed=1)]
    assert groups == ["Piano", "Bass"] * 5


def test_the_stranger_is_of_another_song(songs: Melodies) -> None:
    far = [source("far/x", "far", 99), source("far/y", "far", 98)]
    player = melody(far[0], "Piano", (0, 0, 0, 0), ("instrument",))
    marked = Melodies("set", [songs.targets[0], player], [*songs.sources, *far])
    near = next(read() for read in choose_windows(marked, count=None, seed=0) if read().name.startswith("song-0/a"))
    assert near.stranger is not None
    assert set(near.stranger.tolist()) <= {1.0, 2.0, 3.0, 4.0}
    alone = Melodies("set", [songs.targets[0]], songs.sources)
    assert all(read().stranger is None for read in choose_windows(alone, count=None, seed=0))


def test_windows_whose_rest_is_silent_are_passed_over() -> None:
    stems = [source("song/a", "song", 0), source("song/b", "song", 1, level=0.0)]
    assert choose_windows(Melodies("set", [melody(stems[0], "Piano", (0,))], stems), count=None, seed=0) == []


def test_packs_are_read_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "packs" / "one", sample_rate=RATE) as writer:
        for name in ("song/a", "song/b"):
            noise = 0.1 * np.random.default_rng(len(name)).standard_normal((1, N_SAMPLES)).astype(np.float32)
            writer.add(name, Audio.from_array(noise, RATE), prompt="piano", track="song")
        writer.add("song/a/mimicry", Audio.from_array(noise, RATE), prompt="mimicry", track="song")
    window = MelodyWindow(0, (Imitation(0, "instrument", ""),))
    write_melodies(
        tmp_path / "packs" / "one",
        [MelodyEntry("song/a", "song/a/mimicry", "Piano", 0, (Note(0.0, 1.0, 60, 90),), (window,))],
    )
    (found,) = pack_melodies(tmp_path / "packs")
    (read,) = choose_windows(found, count=None, seed=0)
    assert found.name == "one"
    assert read().sung is None
    assert read().rest.abs().max() > 0.1  # the mimicry is no part of the song
    with pytest.raises(DatasetError, match="is no pack of melodies"):
        pack_melodies(tmp_path)


def test_composed_songs_need_no_file_and_come_out_the_same() -> None:
    first, second = (composed_melodies(count=1, seed=3, duration=9.0) for _ in range(2))
    windows = [read() for read in choose_windows(first, count=1, seed=0)]
    again = [read() for read in choose_windows(second, count=1, seed=0)]
    assert windows
    assert all(one.played is not None and one.sung is not None for one in windows)
    assert [one.name for one in windows] == [one.name for one in again]
    assert all(torch.equal(one.target, other.target) for one, other in zip(windows, again, strict=True))
    assert {one.source.track for one in first.targets} == {"composed-10030000"}
