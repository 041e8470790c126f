import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.datasets.activity import MUSDB_ACTIVITY
from unbraid.datasets.dice import Dice
from unbraid.datasets.draws import MixSettings
from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.training_sources import (
    TRAINING,
    effect_sources,
    instrument_sources,
    music_sources,
    noise_sources,
    roots_in,
    speech_sources,
    tuss_sources,
)
from unbraid.datasets.taxonomy import PROMPTS
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import make_fma_medium, make_moisesdb, make_musdb18_hq
from speech_miniatures import (
    make_demand,
    make_fsd50k,
    make_librivox,
    make_vctk,
    make_vctk_080,
    make_wham_noise,
    make_wsj0,
    noise,
    write,
)

MAKERS = {
    "vctk": make_vctk,
    "vctk-0.80": make_vctk_080,
    "wsj0": make_wsj0,
    "librivox": make_librivox,
    "fsd50k": make_fsd50k,
    "wham-noise": make_wham_noise,
    "demand": make_demand,
    "musdb18-hq": make_musdb18_hq,
    "moisesdb": make_moisesdb,
    "fma-medium": make_fma_medium,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    for name, make in MAKERS.items():
        make(folder / name)
    return folder


def test_every_dataset_of_the_table_gives_sources(folder):
    assert set(MAKERS) == set(TRAINING)
    sources = tuss_sources(roots_in(folder))
    assert {source.name.split("/")[0] for source in sources} == set(TRAINING)
    pool = SourcePool(sources)
    assert pool.prompts == frozenset(PROMPTS)
    for source in sources:
        start, stop = source.spans[0]
        assert source.read(start, min(stop, start + 100)).shape == (min(stop - start, 100),)


def test_batches_are_drawn_from_all_of_them(folder):
    pool = SourcePool(tuss_sources(roots_in(folder)))
    batches = TrainingSet(pool, MixSettings(sample_rate=16000, duration=0.5), batch_size=2, seed=1)
    seen = set()
    for step in range(12):
        batch = batches[step]
        assert batch.mixture.shape == (2, 8000)
        assert torch.allclose(batch.references.sum(dim=1), batch.mixture, atol=1e-4)
        seen |= {prompt for prompts in batch.prompts for prompt in prompts}
    assert seen == set(PROMPTS)


def test_speakers_stay_together_and_held_out_ones_are_not_there(folder):
    sources = speech_sources(find("vctk").index(folder / "vctk", "train"))
    assert {source.track for source in sources} == {"vctk/p225", "vctk/p280", "vctk/p315", "vctk/p362", "vctk/s5"}
    assert {source.prompt for source in sources} == {"speech"}
    assert {source.band_rate for source in sources} == {48000}


def test_speech_that_was_narrow_before_is_known(tmp_path):
    write(tmp_path / "a" / "narrow.wav", np.sin(2 * np.pi * 3000 / 48000 * np.arange(48000)), 48000)
    write(tmp_path / "b" / "wide.wav", noise(1.0, 48000, 1), 48000)
    sources = {source.name: source.band_rate for source in TRAINING["librivox"](tmp_path)}
    assert sources == {"librivox/a/narrow/speech": 8000, "librivox/b/wide/speech": 48000}
    (tmp_path / "keep.txt").write_text("b/wide\n")
    assert [source.name for source in TRAINING["librivox"](tmp_path)] == ["librivox/b/wide/speech"]


def test_the_list_of_wsj0_2mix_chooses_utterances(tmp_path):
    make_wsj0(tmp_path)
    assert len(TRAINING["wsj0"](tmp_path)) == 3
    (tmp_path / "mix_2_spk_tr.txt").write_text("wsj0/si_tr_s/01t/01to030v.wav 1 wsj0/si_tr_s/20g/20ga010m.wav -1\n")
    assert [source.name for source in TRAINING["wsj0"](tmp_path)] == [
        "wsj0/si_tr_s/01t/01to030v/speech",
        "wsj0/si_tr_s/20g/20ga010m/speech",
    ]


def test_the_old_vctk_is_trimmed(folder):
    source = TRAINING["vctk-0.80"](folder / "vctk-0.80")[0]
    assert source.n_samples == 21600
    assert abs(source.read(4800, 9600)).max() > 0.1


def test_noise_is_cut_into_windows_and_heard_through_one_microphone(tmp_path):
    make_wham_noise(tmp_path, seconds=10.0)
    first, second = noise_sources(find("wham-noise").index(tmp_path, "train"))
    assert first.spans == ((0, 384000), (96000, 480000))
    assert second.spans == ((0, 384000), (192000, 576000), (384000, 768000), (576000, 960000))
    assert (first.prompt, first.n_channels, second.n_channels) == ("sfx-mix", 2, 1)
    make_demand(tmp_path, places=("TCAR", "TMETRO"))
    sources = noise_sources(find("demand").index(tmp_path, "train"))
    assert [source.name for source in sources] == ["demand/TCAR/ch01/noise", "demand/TMETRO/ch01/noise"]


def test_effects_of_one_uploader_stay_together(folder):
    sources = effect_sources(find("fsd50k").index(folder / "fsd50k", "dev"))
    assert {source.name.split("/")[1]: source.prompt for source in sources} == {
        "1001": "sfx",
        "1002": "sfx-mix",
        "1003": "sfx-mix",
        "1008": "sfx",
        "1009": "sfx",
    }
    assert {source.track for source in sources} == {"fsd50k/añder"}


def test_instruments_are_drawn_where_they_sound(tmp_path):
    for name in ("mixture", "bass", "other", "vocals"):
        write(tmp_path / "train" / "song" / f"{name}.wav", np.zeros((44100 * 30, 2)), 44100)
    drums = np.zeros((44100 * 30, 2))
    drums[44100 * 14 :] = noise(16.0, 44100, 1)[:, None]
    write(tmp_path / "train" / "song" / "drums.wav", drums, 44100)
    sources = instrument_sources(find("musdb18-hq").index(tmp_path, "train"), activity=MUSDB_ACTIVITY)
    assert [source.prompt for source in sources] == ["drums"]
    assert [start / 44100 for start, _ in sources[0].spans] == [12, 16, 20, 22]
    assert {stop - start for start, stop in sources[0].spans} == {8 * 44100}
    dice = Dice(torch.Generator().manual_seed(0))
    assert SourcePool(sources).draw(dice, "drums").start >= 12 * 44100


def test_recorded_tracks_of_moisesdb_count_by_their_stem(folder):
    sources = instrument_sources(find("moisesdb").index(folder / "moisesdb", "all"), activity=MUSDB_ACTIVITY)
    prompts = {source.name.split("/")[2]: source.prompt for source in sources}
    assert prompts["vocals"] == "vocals"
    assert {prompt for stem, prompt in prompts.items() if stem not in ("bass", "drums", "vocals")} == {"other"}


def test_music_that_is_silent_is_left_out(tmp_path):
    make_fma_medium(tmp_path)
    tracks = find("fma-medium").index(tmp_path, "train")
    assert [source.prompt for source in music_sources(tracks)] == ["music-mix"] * 2
    write(tmp_path / "fma_medium" / "000" / "000002.mp3", np.zeros((44100, 2)), 44100, subtype=None)
    assert len(music_sources(find("fma-medium").index(tmp_path, "train"))) == 1


def test_folders_without_datasets_are_told(tmp_path):
    with pytest.raises(DatasetError, match="holds none of vctk"):
        roots_in(tmp_path)
    with pytest.raises(DatasetError, match="none of vctk"):
        tuss_sources({})
