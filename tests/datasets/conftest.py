"""Sources in memory, for tests that need no files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from unbraid.datasets.dice import Dice
from unbraid.datasets.prompt_chain import UNIFIED
from unbraid.datasets.track import MID_CHANNEL, Source, SourcePool

RATE = 8000


@dataclass(frozen=True)
class ArrayStore:
    samples: np.ndarray  # [C, N]

    def read(self, start, stop, channel):
        if channel == MID_CHANNEL:
            return self.samples[:, start:stop].mean(axis=0, dtype=np.float32)
        return self.samples[channel, start:stop].copy()


def make_source(name, prompt, samples=None, *, rate=RATE, seconds=3.0, seed=0, **more) -> Source:
    if samples is None:
        samples = np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32) * 0.1
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    return Source(name, prompt, rate, samples.shape[1], ArrayStore(samples), n_channels=len(samples), **more)


@pytest.fixture
def source() -> Callable[..., Source]:
    return make_source


@pytest.fixture
def pool() -> SourcePool:
    """Five sources of noise of every prompt, of different lengths."""
    return SourcePool(
        make_source(f"{prompt}/{number}", prompt, seconds=0.3 + number, seed=100 * index + number)
        for index, prompt in enumerate(UNIFIED.prompts)
        for number in range(5)
    )


@pytest.fixture
def dice() -> Dice:
    return Dice(torch.Generator().manual_seed(7))
