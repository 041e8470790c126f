import sys
from pathlib import Path

import pytest
import torch

from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.prompted_items import VALIDATION, PromptedItems, prompt_of, tuss_validation
from unbraid.datasets.public.reading import read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import make_musdb18_hq
from speech_miniatures import make_dnr, make_fuss, make_vctk_demand, make_wham


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    make_vctk_demand(folder / "vctk-demand")
    make_musdb18_hq(folder / "musdb18-hq")
    make_dnr(folder / "dnr")
    make_wham(folder / "whamr-anechoic", reverb=True)
    make_wham(folder / "wham")
    make_fuss(folder / "fuss", n_mixtures=6)
    return {name: folder / name for name in VALIDATION}


def test_each_of_the_five_tasks_has_its_prompts(roots):
    sets = tuss_validation(roots, sample_rate=16000, duration=0.2)
    assert list(sets) == ["vctk-demand", "musdb18-hq", "dnr", "whamr-anechoic", "fuss"]
    assert {name: sets[name][0].prompts[0] for name in sets} == {
        "vctk-demand": ("speech", "sfx-mix"),
        "musdb18-hq": ("drums", "bass", "other", "vocals"),
        "dnr": ("speech", "music-mix", "sfx-mix"),
        "whamr-anechoic": ("speech", "speech", "sfx-mix"),
        "fuss": ("sfx", "sfx"),
    }
    assert [len(items) for items in sets.values()] == [4, 2, 2, 2, 4]
    assert list(tuss_validation({"wham": roots["wham"]}, sample_rate=16000, duration=0.2)) == ["wham"]
    with pytest.raises(DatasetError, match="to validate with"):
        tuss_validation({"demand": Path("x")}, sample_rate=16000, duration=0.2)


def test_mixtures_are_sums_of_the_first_channels_of_a_window_in_the_middle(roots):
    tracks = find("musdb18-hq").index(roots["musdb18-hq"], "validation")
    items = PromptedItems(tracks, 44100, 0.5)
    batch = items[1]
    assert batch.mixture.shape == (1, 22050)
    assert batch.references.shape == (1, 4, 22050)
    assert torch.equal(batch.mixture[0], batch.references[0].sum(dim=0))
    expected = read_stem(tracks[1].stems[2], 11025, 33075)[0]
    assert torch.equal(batch.references[0, 2], torch.from_numpy(expected))
    assert not batch.silent.any()
    with pytest.raises(IndexError):
        items[2]


def test_items_come_at_the_rate_of_the_model_and_short_ones_whole(roots):
    items = tuss_validation({"fuss": roots["fuss"]}, sample_rate=48000, duration=6.0)["fuss"]
    assert [batch.mixture.shape for batch in items] == [(1, 12000)] * 4


def test_silence_is_marked(tmp_path):
    make_fuss(tmp_path, n_mixtures=4)
    batch = PromptedItems(find("fuss").index(tmp_path, "train"), 16000, 6.0)[3]
    assert batch.silent.tolist() == [[False, False, False, True]]


def test_a_label_without_prompt_is_told():
    with pytest.raises(DatasetError, match="'kazoo'"):
        prompt_of(Track("a", "slakh2100", "train", ()), Stem("S00", "kazoo", ()))
