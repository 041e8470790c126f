import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.reading import read_mixture
from unbraid.datasets.public.wham import PROMPT_OF, SIZES, WHAM, WHAMR, WhamVariant, wham
from unbraid.errors import DatasetError, SettingsError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, litter, make_wham, write

ROUNDING = 0.5 / 32768
BY_NAME = {dataset.name: dataset for dataset in (*WHAM, *WHAMR)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("wham")
    for rate in ("8k", "16k"):
        make_wham(root, rate=rate)
        make_wham(root, rate=rate, reverb=True)
    return root


@pytest.mark.parametrize("name", BY_NAME)
def test_every_variant_is_the_sum_of_its_parts(root, name):
    dataset = BY_NAME[name]
    for split in dataset.splits:
        tracks = dataset.index(root, split)
        assert len(tracks) == 2
        for track in tracks:
            rate = 8000 if name.endswith("8k") else 16000
            assert (track.sample_rate, track.n_samples, track.dataset) == (rate, rate // 4, name)
            error = read_mixture(track, 0, track.n_samples) - read_mixture(track, 0, track.n_samples, distributed=True)
            assert np.abs(error).max() <= (len(track.stems) + 1.01) * ROUNDING
    assert [fault.problem for fault in dataset.check(root)] == [
        f"2 mixtures, {size} were published" for size in SIZES.values()
    ]


def test_the_parts_of_each_kind_of_mixture(root):
    def parts(name):
        return [(stem.name, PROMPT_OF[stem.label]) for stem in BY_NAME[name].index(root, "tt")[0].stems]

    assert parts("wham") == [("s1", "speech"), ("s2", "speech"), ("noise", "sfx-mix")]
    assert parts("wham-clean-8k") == [("s1", "speech"), ("s2", "speech")]
    assert parts("whamr-single") == [("s1", "speech"), ("noise", "sfx-mix")]


def test_rooms_take_the_files_that_are_named_for_them(root):
    def folder(name):
        return BY_NAME[name].index(root, "cv")[0].stems[0].recordings[0].path.parent.name

    assert [folder(name) for name in ("wham", "whamr", "whamr-anechoic")] == ["s1", "s1_reverb", "s1_anechoic"]


def test_names_tell_utterances_and_levels(root):
    track = BY_NAME["wham"].index(root, "tr")[0]
    assert track.name == "tr/01to030v_0.76421_20ga010m_-0.76421"
    assert track.details == {
        "s1_utterance": "01to030v",
        "s2_utterance": "20ga010m",
        "s1_gain_db": 0.76421,
        "s2_gain_db": -0.76421,
    }


def test_names_that_tell_nothing_are_names_all_the_same(tmp_path):
    make_wham(tmp_path)
    for folder in ("mix_both", "s1", "s2", "noise"):
        write(tmp_path / f"wav16k/max/tr/{folder}/день_a_b_c.wav", np.full(40, 0.1), 16000)
    track = BY_NAME["wham"].index(tmp_path, "tr")[-1]
    assert (track.name, track.details) == ("tr/день_a_b_c", {})


def test_a_missing_part_is_told(tmp_path):
    make_wham(tmp_path)
    name = "01to030v_0.76421_20ga010m_-0.76421.wav"
    (tmp_path / "wav16k/max/tt/s2" / name).unlink()
    (tmp_path / "wav16k/max/tr/mix_both" / name).unlink()
    dataset = BY_NAME["wham"]
    with pytest.raises(DatasetError, match="s2"):
        dataset.index(tmp_path, "tt")
    assert len(dataset.index(tmp_path, "tr")) == 1
    assert [fault.path for fault in beyond_size(dataset.check(tmp_path))] == [f"tr/mix_both/{name}", f"tt/s2/{name}"]
    assert beyond_size(BY_NAME["wham-single"].check(tmp_path)) == []


def test_what_was_not_made_is_told(tmp_path):
    litter(tmp_path)
    with pytest.raises(DatasetError, match=r"not WHAM! \(wav16k/max, mix_both\)"):
        BY_NAME["wham"].index(tmp_path, "tr")
    make_wham(tmp_path / "2speakers_wham", length="min")
    with pytest.raises(DatasetError, match="WHAMR!"):
        BY_NAME["whamr"].check(tmp_path)
    assert len(wham(WhamVariant(length="min")).index(tmp_path, "tr")) == 2
    for path in (tmp_path / "2speakers_wham/wav16k/min/cv/mix_both").glob("*.wav"):
        path.unlink()
    with pytest.raises(DatasetError, match="there are no mixtures"):
        wham(WhamVariant(length="min")).index(tmp_path, "cv")
    with pytest.raises(SettingsError, match="'44k'"):
        WhamVariant(rate="44k")


def test_a_part_that_is_shorter_than_its_mixture_is_told(tmp_path):
    make_wham(tmp_path)
    path = next((tmp_path / "wav16k/max/tt/noise").glob("*.wav"))
    write(path, np.zeros(7), 16000)
    (fault,) = beyond_size(BY_NAME["wham"].check(tmp_path))
    assert fault.path == f"tt/mix_both/{path.name}"
    assert fault.problem.startswith(f"its files differ in length: noise/{path.name} has 7, ")


def test_trees_name_the_folders():
    assert "wav8k/max/" in BY_NAME["whamr-clean-8k"].tree
    assert "s1_reverb/" in BY_NAME["whamr-clean-8k"].tree
    assert "noise/" not in BY_NAME["whamr-clean-8k"].tree
