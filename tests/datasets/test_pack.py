import json
import pickle

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.pack import PackWriter, convert, read_pack
from unbraid.errors import DatasetError


def noise(n_samples, *, n_channels=1, level=0.1, rate=8000, seed=0):
    samples = np.random.default_rng(seed).uniform(-level, level, (n_channels, n_samples))
    return Audio.from_array(samples, rate)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pack"


def test_samples_come_back_as_they_went_in(path):
    loud, quiet = noise(1000, level=3.0), noise(500, level=1e-4, seed=1)
    with PackWriter(path) as writer:
        writer.add("loud", loud, prompt="drums", track="song", spans=((0, 10), (10, 1000)), train_only=True)
        writer.add("quiet", quiet, prompt="sfx")
    first, second = read_pack(path)
    assert (first.name, first.prompt, first.track, first.spans) == (
        "pack/loud",
        "drums",
        "pack/song",
        ((0, 10), (10, 1000)),
    )
    assert (first.train_only, second.train_only) == (True, False)
    assert (second.track, second.spans) == ("pack/quiet", ((0, 500),))
    for source, audio in ((first, loud), (second, quiet)):
        peak = audio.samples.abs().max()
        read = torch.from_numpy(source.read(0, source.n_samples))
        assert (read - audio.samples[0]).abs().max() <= 0.51 * peak / 32767
        np.testing.assert_array_equal(source.read(100, 200), read[100:200])


def test_rates_change_and_are_remembered(path):
    seconds = torch.arange(48000) / 16000
    tone = Audio(torch.sin(2 * torch.pi * 300 * seconds)[None], 16000)
    with PackWriter(path, sample_rate=44100) as writer:
        writer.add("narrow", tone, prompt="speech")
        writer.add("wide", noise(96000, rate=96000), prompt="sfx")
        writer.add("told", noise(44100, rate=44100), prompt="sfx", band_rate=8000)
    narrow, wide, told = read_pack(path)
    assert (narrow.sample_rate, narrow.band_rate, narrow.n_samples) == (44100, 16000, 132300)
    assert (wide.sample_rate, wide.band_rate) == (44100, 44100)
    assert told.band_rate == 8000
    expected = torch.sin(2 * torch.pi * 300 * torch.arange(132300) / 44100)
    assert (torch.from_numpy(narrow.read(0, 132300)) - expected)[500:-500].abs().max() < 1e-3


@pytest.mark.parametrize(
    ("choice", "n_channels"), [(ChannelChoice.FIRST, 1), (ChannelChoice.MID, 1), (ChannelChoice.RANDOM, 2)]
)
def test_channels_are_chosen_when_packing(path, choice, n_channels):
    stereo = noise(100, n_channels=2)
    with PackWriter(path, channel=choice) as writer:
        writer.add("a", stereo, prompt="other")
    (source,) = read_pack(path)
    assert source.n_channels == n_channels
    mid = stereo.samples.mean(dim=0).numpy()
    expected = stereo.samples[0].numpy() if choice is not ChannelChoice.MID else mid
    np.testing.assert_allclose(source.read(0, 100), expected, atol=1e-5)
    if choice is ChannelChoice.RANDOM:
        np.testing.assert_allclose(source.read(0, 100, 1), stereo.samples[1].numpy(), atol=1e-5)
        np.testing.assert_allclose(source.read(0, 100, -1), mid, atol=1e-5)
        with pytest.raises(DatasetError, match="channel 2 of 2"):
            source.read(0, 100, 2)


def test_layers_are_sums(path):
    first, second = noise(100), noise(80, seed=1)
    with PackWriter(path) as writer:
        writer.add("a", first, prompt="drums", track="song", train_only=True)
        writer.add("b", second, prompt="bass", track="song")
        writer.add_layers("mix", ["a", "b"], prompt="music-mix", track="song", spans=((0, 40),))
    mix = read_pack(path)[2]
    assert (mix.n_samples, mix.prompt, mix.track, mix.spans, mix.train_only) == (
        80,
        "music-mix",
        "pack/song",
        ((0, 40),),
        True,
    )
    np.testing.assert_allclose(mix.read(10, 80), first.samples[0, 10:80] + second.samples[0, 10:80], atol=2e-5)


def test_layers_must_fit(path):
    with PackWriter(path) as writer:
        writer.add("a", noise(100), prompt="drums")
        writer.add("b", noise(100, rate=16000), prompt="bass")
        with pytest.raises(DatasetError, match="differ in rate"):
            writer.add_layers("mix", ["a", "b"], prompt="music-mix")
        with pytest.raises(DatasetError, match="c was added before"):
            writer.add_layers("mix", ["a", "c"], prompt="music-mix")


@pytest.mark.parametrize(
    "samples", [np.zeros((1, 10)), np.full((1, 10), np.nan), np.full((1, 10), np.inf), np.zeros((1, 0))]
)
def test_silent_and_broken_recordings_are_refused(path, samples):
    with PackWriter(path) as writer:
        writer.add("good", noise(10), prompt="sfx")
        with pytest.raises(DatasetError, match="bad: the recording is silent or not finite"):
            writer.add("bad", Audio.from_array(samples, 8000), prompt="sfx")
    assert [source.name for source in read_pack(path)] == ["pack/good"]


def test_names_are_unique(path):
    with PackWriter(path) as writer:
        writer.add("a", noise(10), prompt="sfx")
        with pytest.raises(DatasetError, match="two recordings are called a"):
            writer.add("a", noise(10), prompt="sfx")


def test_nothing_half_written_stays(path):
    with pytest.raises(DatasetError, match="two recordings"), PackWriter(path) as writer:
        _ = [writer.add("a", noise(10), prompt="sfx") for _ in range(2)]
    assert not list(path.parent.iterdir())


def test_an_empty_pack_is_an_error(path):
    with pytest.raises(DatasetError, match="nothing was added"), PackWriter(path):
        pass
    assert not list(path.parent.iterdir())


def test_an_existing_folder_is_never_overwritten(path):
    path.mkdir()
    with pytest.raises(DatasetError, match="exists already"):
        PackWriter(path)


@pytest.fixture
def written(path):
    with PackWriter(path) as writer:
        writer.add("a", noise(100), prompt="sfx")
    return path


def test_sources_travel_between_processes(written):
    (source,) = read_pack(written)
    source.read(0, 10)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy.read(0, 100), source.read(0, 100))
    assert len(pickle.dumps(source)) < 2000


def test_a_moved_pack_keeps_its_names(written):
    moved = written.rename(written.with_name("elsewhere"))
    assert read_pack(moved)[0].name == "pack/a"


def test_read_samples_can_be_changed(written):
    (source,) = read_pack(written)
    source.read(0, 10)[:] = 0
    assert source.read(0, 10).any()


def test_what_is_no_pack_is_refused(tmp_path, written):
    with pytest.raises(DatasetError, match="is not a pack"):
        read_pack(tmp_path / "nowhere")
    with (written / "samples.i16").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DatasetError, match="has 201 bytes, not 200"):
        read_pack(written)
    index = json.loads((written / "index.json").read_text())
    (written / "index.json").write_text(json.dumps({**index, "version": 99}))
    with pytest.raises(DatasetError, match="not a pack of version 1"):
        read_pack(written)
    (written / "index.json").write_text("{")
    with pytest.raises(DatasetError, match="is not a pack"):
        read_pack(written)


def test_conversion_leaves_the_original_alone():
    stereo = noise(100, n_channels=2)
    before = stereo.samples.clone()
    convert(stereo, sample_rate=16000, channel=ChannelChoice.MID).samples.zero_()
    convert(stereo, sample_rate=None, channel=ChannelChoice.RANDOM)
    assert torch.equal(stereo.samples, before)
