"""The model that ships, on the recording that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unbraid
from unbraid.audio.files import read_audio
from unbraid.evaluation.metrics import si_sdr_improvement

DEMO = Path(__file__).parents[2] / "demo" / "francium"


@pytest.fixture(scope="module")
def separation() -> unbraid.Separation:
    return unbraid.separate(DEMO / "mixture.flac", unbraid.Prompts.task("music"))


@pytest.mark.parametrize(("stem", "least_db"), [("drums", 3.0), ("vocals", 0.0)])
def test_it_separates(separation, stem, least_db):
    mixture, reference = read_audio(DEMO / "mixture.flac"), read_audio(DEMO / f"{stem}.flac")
    estimate = separation.stems[stem].samples
    better = si_sdr_improvement(estimate=estimate, reference=reference.samples, mixture=mixture.samples)
    assert float(better.mean()) > least_db


def test_stems_and_residual_are_the_mixture(separation):
    mixture = read_audio(DEMO / "mixture.flac")
    total = sum(stem.samples for stem in separation.stems.values()) + separation.residual.samples
    torch.testing.assert_close(total, mixture.samples, rtol=0, atol=1e-6)


def test_presence_is_a_probability(separation):
    assert all(0 <= presence <= 1 for presence in separation.presence.values())


def test_bfloat16_is_close(separation):
    narrow = unbraid.separate(
        DEMO / "mixture.flac", unbraid.Prompts.task("music"), settings=unbraid.Settings(precision="bf16")
    )
    for name, stem in separation.stems.items():
        error = (narrow.stems[name].samples - stem.samples).square().sum() / stem.samples.square().sum()
        assert 10 * torch.log10(error) < -35
