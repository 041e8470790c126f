import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.draws import MixSettings
from unbraid.datasets.pack import PackWriter, read_pack
from unbraid.datasets.prompt_chain import UNIFIED
from unbraid.datasets.track import SourcePool
from unbraid.datasets.training_set import TrainingSet
from unbraid.errors import DatasetError, RecipeError
from unbraid.training.feed import N_AHEAD, feed


class Numbers:
    def __getitem__(self, index):
        return torch.full((2, 3), float(index))


class BreaksAtThree:
    def __getitem__(self, index):
        if index == 3:
            raise DatasetError("song.wav: is missing: put it back")
        return torch.full((2, 3), float(index))


class DiesAtThree:
    def __getitem__(self, index):
        if index == 3:
            os._exit(9)
        return torch.full((2, 3), float(index))


def take(batches, n):
    return [float(next(batches)[0, 0]) for _ in range(n)]


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_batches_come_in_order_from_any_start(n_workers):
    with feed(Numbers(), start=5, stride=3, n_workers=n_workers) as batches:
        assert take(batches, 7) == [5, 8, 11, 14, 17, 20, 23]


@pytest.mark.parametrize("n_workers", [0, 1])
def test_the_global_generator_is_left_alone(n_workers):
    before = torch.get_rng_state()
    with feed(Numbers(), start=0, n_workers=n_workers) as batches:
        next(batches)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def children():
    """Tell which processes were begun since: other tests may have left some of their own."""
    before = set(multiprocessing.active_children())
    return lambda: [one for one in multiprocessing.active_children() if one not in before]


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_errors_of_the_source_arrive_as_they_are_after_all_batches_before_them(n_workers, children):
    with feed(BreaksAtThree(), start=0, n_workers=n_workers) as batches:
        assert take(batches, 3) == [0, 1, 2]
        with pytest.raises(DatasetError, match=r"^song.wav: is missing: put it back$"):
            next(batches)
    assert not children()


def test_mixtures_of_a_pack_arrive_as_they_would_be_made_here(tmp_path):
    noise = np.random.default_rng(0)
    with PackWriter(tmp_path / "pack") as writer:
        for prompt in UNIFIED.prompts:
            samples = noise.standard_normal(8000) * 0.1
            writer.add(prompt, Audio.from_array(samples, 8000), prompt=prompt)
    settings = MixSettings(sample_rate=8000, duration=1.0, p_dropout=0.3, p_absent=0.3)
    data = TrainingSet(SourcePool(read_pack(tmp_path / "pack")), settings, batch_size=2, seed=1)
    with feed(data, start=10, n_workers=2) as batches:
        for step in range(10, 16):
            here, there = data[step], next(batches)
            assert there.prompts == here.prompts
            for name in ("mixture", "references", "silent"):
                assert torch.equal(getattr(there, name), getattr(here, name))
            there.mixture.mul_(2)  # the batch is the receiver's own


def test_a_worker_that_dies_is_noticed(monkeypatch):
    monkeypatch.setattr("unbraid.training.feed.PATIENCE_SECONDS", 0.1)
    with feed(DiesAtThree(), start=3, n_workers=1) as batches, pytest.raises(RecipeError, match="exit code 9"):
        next(batches)


def test_workers_outlive_signals_and_end_with_the_block(children):
    with feed(Numbers(), start=0, n_workers=1) as batches:
        next(batches)
        (worker,) = children()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
        assert take(batches, 3 * N_AHEAD) == list(range(1, 3 * N_AHEAD + 1))
    assert not children()


def test_workers_end_when_the_training_process_is_killed(monkeypatch):
    monkeypatch.setattr("unbraid.training.feed.PATIENCE_SECONDS", 0.1)
    inner, outer = multiprocessing.Pipe()

    def training():
        with feed(Numbers(), start=0, n_workers=1) as batches:
            next(batches)
            inner.send(multiprocessing.active_children()[0].pid)
            time.sleep(60)

    trainer = multiprocessing.get_context("fork").Process(target=training)
    trainer.start()
    worker = outer.recv()
    trainer.kill()
    trainer.join()
    deadline = time.monotonic() + 20
    while _is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(worker)


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
