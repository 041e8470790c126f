import json
from dataclasses import replace

import pytest
import torch

from unbraid.datasets.draws import MixSettings
from unbraid.datasets.prompt_chain import UNIFIED
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import Batch, TrainingSet
from unbraid.errors import DatasetError

SETTINGS = MixSettings(sample_rate=8000, duration=1.0, p_dropout=0.3, p_absent=0.3)


def same(first: Batch, second: Batch) -> bool:
    tensors = zip(
        (first.mixture, first.references, first.silent), (second.mixture, second.references, second.silent), strict=True
    )
    return first.prompts == second.prompts and all(torch.equal(one, other) for one, other in tensors)


def test_a_batch_is_what_it_says(pool):
    data = TrainingSet(pool, SETTINGS, batch_size=3, seed=5)
    for step in range(20):
        batch = data[step]
        n_prompts = len(batch.prompts[0])
        assert batch.mixture.shape == (3, 8000)
        assert batch.references.shape == (3, n_prompts, 8000)
        assert batch.silent.shape == (3, n_prompts)
        assert batch.silent.dtype == torch.bool
        assert batch.mixture.dtype == batch.references.dtype == torch.float32
        assert all(len(names) == n_prompts for names in batch.prompts)
        assert torch.equal(batch.references.abs().amax(dim=-1) == 0, batch.silent)
        assert batch.mixture.isfinite().all()


def test_a_batch_depends_on_seed_and_step_alone(pool):
    data = TrainingSet(pool, SETTINGS, seed=5)
    seventh = data[7]
    for step in (0, 3, 9):
        assert not same(data[step], seventh)
    assert same(TrainingSet(pool, SETTINGS, seed=5)[7], seventh)
    assert not same(TrainingSet(pool, SETTINGS, seed=6)[7], seventh)


def test_draws_are_those_of_the_batch(pool):
    data = TrainingSet(pool, SETTINGS)
    assert [draw.prompts for draw in data.draw(4)] == data[4].prompts


def test_a_missing_prompt_is_an_error_before_work_starts(source):
    pool = SourcePool([source("a", "speech"), source("b", "drums"), source("c", "sfx")])
    with pytest.raises(DatasetError, match="no source of bass, other, vocals: add recordings"):
        TrainingSet(pool, SETTINGS)
    TrainingSet(pool, replace(SETTINGS, chain=UNIFIED.only(["speech", "drums", "sfx-mix", "music-mix"])))


def test_small_pools_are_not_asked_for_more_than_they_have(source):
    pool = SourcePool([source(prompt, prompt, seed=number) for number, prompt in enumerate(UNIFIED.prompts)])
    data = TrainingSet(pool, replace(SETTINGS, p_dropout=0.0, p_absent=0.0))
    for step in range(100):
        for draw in data.draw(step):
            assert len(set(draw.prompts)) == len(draw.prompts)


def test_draws_can_be_logged(pool):
    lines = [draw.to_json() for draw in TrainingSet(pool, SETTINGS).draw(0)]
    assert all(json.loads(line)["n_samples"] == 8000 for line in lines)
