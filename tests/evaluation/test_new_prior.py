"""What a new prior brings beside old ones: which stems it is scored on, and what stands for it before."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unbraid.evaluation.tracks import StemTrack, TrackStem

FOLDER = Path(__file__).parents[2] / "recipes" / "claims"


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("new_prior")


def noise(seed: int) -> torch.Tensor:
    return 0.1 * torch.randn(2, 22050, generator=torch.Generator().manual_seed(seed))


def test_stems_have_the_narrowest_prior(claim: ModuleType) -> None:
    names = ["lead vox", "clean_guitar2", "electric bass", "strings", "trumpet", "piano"]
    assert list(claim.by_prior(names, "music").values()) == ["vocals", "guitar", "bass", "strings", "other", "piano"]


def test_before_other_stands_for_the_new_source(claim: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"vocals": "vocals", "clean_guitar": "guitar", "trumpet": "other", "drums": "drums"}
    stems = [TrackStem(name, label, noise(seed)) for seed, (name, label) in enumerate(labels.items())]
    stems[3] = TrackStem("drums", "drums", 0 * noise(3))
    passage = claim.read_passage(StemTrack("song", "music", 44100, tuple(stems)), start=0.1, seconds=0.3)
    assert (passage.kind, set(passage.sources)) == ("recorded", {"vocals", "guitar", "other"})
    truth = {label: samples[None] for label, samples in passage.sources.items()}
    rest = truth["guitar"] + truth["other"]
    answers = {
        ("vocals", "drums", "bass", "other"): {"vocals": truth["vocals"], "other": rest},
        ("vocals", "drums", "bass", "other", "guitar"): truth,
        ("vocals", "drums", "bass", "guitar"): {"vocals": truth["vocals"], "guitar": rest},
    }
    monkeypatch.setattr(claim, "separate", lambda passages, priors, *, search: answers[tuple(priors)])
    lines = [line.split(" | ") for line in claim.rows([passage], "guitar", search="quick")]
    assert [line[2] for line in lines] == ["mixture", "before", "beside other", "instead of other"]
    guitar = [float(line[3].split()[0]) for line in lines]
    assert guitar[0] < -2 < guitar[1] < 1  # one of three, then one of two sources of equal level
    assert guitar[2] > 60
    assert guitar[3] == guitar[1]
    assert [line[4] for line in lines[1:]] == 3 * ["70.00 (1)"]
    assert all(line[5] == line[6] == "" for line in lines)  # neither drums nor bass sound
    assert lines[3][7] == " |"  # nothing stands for the rest
