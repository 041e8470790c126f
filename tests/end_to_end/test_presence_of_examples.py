"""Presence of what examples point at, by the model that ships, on the recording that ships."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

import unbraid
from unbraid import Audio, Examples, Label, Span, Target
from unbraid.audio.files import read_audio
from unbraid.models.film_unet import FilmUnet
from unbraid.teaching import add_query, load_query, save_query, teach

DEMO = Path(__file__).parents[2] / "demo" / "francium"
RATE = 44100
STEMS = ("vocals", "drums", "other")
STORED = {  # of the weights that ship; numbers of another processor may differ in the third decimal
    ("drums", "other"): {"vocals": 0.549, "drums": 0.953, "other": 0.785, "noise": 0.169},
    ("drums",): {"vocals": 0.193, "drums": 0.919, "other": 0.070, "noise": 0.185},
    ("other",): {"vocals": 0.255, "drums": 0.326, "other": 0.778, "noise": 0.097},
}
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def model() -> FilmUnet:
    loaded = unbraid.load_model("few-shot-small")
    assert isinstance(loaded, FilmUnet)
    return loaded


@cache
def cut(stem: str, start: float, stop: float) -> Audio:
    return Audio(read_audio(DEMO / f"{stem}.flac").samples[:, round(start * RATE) : round(stop * RATE)], RATE)


@cache
def noise() -> Audio:
    return Audio(0.1 * torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0)), RATE)


@cache
def mixture(*parts: str) -> Audio:
    return Audio(torch.stack([cut(part, 0, 3.5).samples for part in parts]).sum(dim=0), RATE)


@pytest.mark.parametrize("parts", STORED)
def test_the_numbers_are_those_of_the_weights(model, parts):
    targets = [Target(stem, Examples(cut(stem, 3.5, 6.5))) for stem in STEMS] + [Target("noise", Examples(noise()))]
    presence = unbraid.separate(mixture(*parts), targets, model=model).presence
    assert presence == pytest.approx(STORED[parts], abs=TOLERANCE)
    right = min(presence[part] for part in parts)
    wrong = [value for name, value in presence.items() if name not in parts]
    assert right > max(wrong) + 0.1
    assert right > presence["noise"] + 0.4


def test_a_span_of_the_mixture_is_an_example(model):
    song = Audio(torch.cat([mixture("drums", "other").samples, cut("drums", 3.5, 6.5).samples], dim=1), RATE)
    spoken = unbraid.separate(song, Target("drums", [Span(3.6, 6.4), Span(0, 1, sounds=False)]), model=model)
    assert spoken.presence["drums"] > 0.8


def test_what_was_taught_is_judged_as_its_examples(model, tmp_path):
    examples = Examples(cut("drums", 3.5, 6.5))
    save_query(teach(model, "kit", examples), tmp_path / "kit.unbraid")
    bare = teach(model, "kit", examples)
    bare = replace(bare, name="bare", vector=bare.vector[: model.query_size])  # as labels were stored before
    save_query(bare, tmp_path / "bare.unbraid")
    for name in ("kit", "bare"):
        add_query(model, load_query(tmp_path / f"{name}.unbraid"))
    asked = [Label("kit"), Label("bare"), Target("examples", examples)]
    answer = unbraid.separate(mixture("other"), asked, model=model)
    assert torch.equal(answer.stems["kit"].samples, answer.stems["examples"].samples)
    assert torch.equal(answer.stems["kit"].samples, answer.stems["bare"].samples)
    assert answer.presence["kit"] == pytest.approx(answer.presence["examples"], abs=1e-6)
    assert answer.presence["bare"] > answer.presence["kit"] + 0.2  # by the head of before
    model.taught.clear()
