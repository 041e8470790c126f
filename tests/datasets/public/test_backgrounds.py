import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.datasets.dice import Dice
from unbraid.datasets.public.backgrounds import Backgrounds
from unbraid.datasets.public.moisesdb import MOISESDB
from unbraid.datasets.public.onset_windows import N_SAMPLES
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import make_moisesdb


def dice(seed: int) -> Dice:
    return Dice(torch.Generator().manual_seed(seed))


@pytest.fixture
def tracks(tmp_path):
    make_moisesdb(tmp_path)
    return MOISESDB.index(tmp_path, "all")


def test_a_background_depends_on_its_dice_alone(tracks):
    backgrounds = Backgrounds(tracks)
    first = backgrounds.draw(dice(1))
    assert (first.shape, first.dtype) == ((N_SAMPLES,), np.float32)
    assert np.array_equal(first, backgrounds.draw(dice(1)))
    assert not np.array_equal(first, backgrounds.draw(dice(2)))


def test_more_windows_are_louder(tracks):
    few, many = (Backgrounds(tracks, n_windows=(n, n)) for n in (1, 8))
    powers = [np.mean([np.square(one.draw(dice(seed))).sum() for seed in range(8)]) for one in (few, many)]
    assert 3 < powers[1] / powers[0] < 24


def test_quiet_stems_are_no_background(tracks):
    for track in tracks:
        for stem in track.stems:
            path = stem.recordings[0].path
            head = path.read_bytes()[:44]
            path.write_bytes(head + bytes(path.stat().st_size - 44))
    with pytest.raises(DatasetError, match="too quiet"):
        Backgrounds(tracks).draw(dice(0))
    with pytest.raises(DatasetError, match="no stem"):
        Backgrounds([])
