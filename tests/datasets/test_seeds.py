import pytest
import torch

from unbraid.datasets.seeds import seed_of
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
