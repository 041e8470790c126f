import numpy as np
import pytest
import torch

from unbraid.datasets.seeds import log_uniform, seed_of, uniform
from unbraid.errors import DatasetError


def test_generators_give_seeds_and_move_on():
    generator = torch.Generator().manual_seed(1)
    first, second = seed_of(generator), seed_of(generator)
    assert first != second
    assert first == seed_of(torch.Generator().manual_seed(1))
    assert 0 <= first < 2**62


def test_numbers_stay():
    assert seed_of(0) == 0
    with pytest.raises(DatasetError, match="negative"):
        seed_of(-1)


def test_spreads():
    rng = np.random.default_rng(1)
    even = [uniform(rng, 10.0, 1000.0) for _ in range(2000)]
    octaves = [log_uniform(rng, 10.0, 1000.0) for _ in range(2000)]
    assert all(10 <= value <= 1000 for value in even + octaves)
    assert np.mean(np.array(even) < 100) == pytest.approx(0.09, abs=0.03)
    assert np.mean(np.array(octaves) < 100) == pytest.approx(0.5, abs=0.05)
