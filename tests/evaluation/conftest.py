"""A separator whose answers are known: every prompt is a band of frequencies, and every source a tone in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import GuideError
from unbraid.evaluation.items import EvaluationItem, ItemSource, Reference
from unbraid.guides.kinds import Label, Prompts, Target, unique_names
from unbraid.models.separator import Estimates, Separator

RATE = 8000
BANDS = {
    "speech": [(900.0, 1500.0), (300.0, 900.0)],  # the second speaker of an item comes out first
    "sfx": [(1500.0, 2100.0)],
    "drums": [(2100.0, 2700.0)],
    "vocals": [(2700.0, 3300.0)],
}
TONES = {"speech-1": 600.0, "speech-2": 1200.0, "sfx": 1800.0, "drums": 2400.0, "vocals": 3000.0}


@dataclass(frozen=True)
class BandCondition:
    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    bands: tuple[tuple[float, float], ...]

    def crop(self, start: float, stop: float) -> "BandCondition":
        return self


class BandSeparator(Separator):
    """Cuts bands out of the mixture; presence is whether one holds a hundredth of the energy."""

    def __init__(self, vocabulary: Sequence[str] = tuple(BANDS), *, anonymous: bool = False) -> None:
        super().__init__()
        self.sample_rate, self.segment = RATE, 1.0
        self.accepts = frozenset({Label, Prompts})
        self.vocabulary = tuple(vocabulary)
        self.anonymous = anonymous
        self.gain = nn.Parameter(torch.ones(()))
        self.n_calls = 0

    def condition(self, targets: Sequence[Target]) -> BandCondition:
        names = [target.name for target in targets]
        if not set(names) <= set(self.vocabulary):
            raise GuideError(f"unknown prompt among {names}")
        flat = [band for bands in BANDS.values() for band in bands]
        if self.anonymous:
            bands = [flat[self.vocabulary.index(name)] for name in names]
            groups = (tuple(range(len(names))),)
        else:
            bands = [BANDS[name][names[:index].count(name)] for index, name in enumerate(names)]
            same = {name: tuple(i for i, one in enumerate(names) if one == name) for name in names}
            groups = tuple(group for group in same.values() if len(group) > 1)
        return BandCondition(unique_names(names), groups, tuple(bands))

    def forward(self, mixture: Tensor, condition: BandCondition) -> Estimates:  # type: ignore[override]
        self.n_calls += 1
        spectrum = torch.fft.rfft(mixture)
        frequencies = torch.fft.rfftfreq(mixture.shape[-1], 1 / RATE)
        stems = torch.stack(
            [
                torch.fft.irfft(spectrum * ((frequencies >= low) & (frequencies < high)), mixture.shape[-1])
                for low, high in condition.bands
            ],
            dim=1,
        )
        stems = stems * self.gain
        total = mixture.square().sum(dim=(-1, -2))[:, None].clamp(min=1e-12)
        presence = (stems.square().sum(dim=(-1, -2)) / total > 0.01).float()
        return Estimates(stems, None if self.anonymous else presence)


def tone_item(*tones: str, name: str = "item", seconds: float = 2.0, n_channels: int = 1) -> EvaluationItem:
    """Make an item of tones, each in the middle of the band of its prompt."""
    times = torch.arange(round(seconds * RATE)) / RATE
    references = tuple(
        Reference(
            tone.partition("-")[0],
            0.1 * torch.sin(2 * torch.pi * TONES[tone] * times).float().expand(n_channels, -1).clone(),
            (tone,),
        )
        for tone in tones
    )
    mixture = torch.stack([reference.samples for reference in references]).sum(dim=0)
    return EvaluationItem(name, "tones", RATE, mixture, references)


@pytest.fixture
def separator_class() -> type[BandSeparator]:
    return BandSeparator


@pytest.fixture
def make_item() -> Callable[..., ItemSource]:
    def make(*tones: str, **settings: Any) -> ItemSource:
        item = tone_item(*tones, **settings)
        return ItemSource(item.name, lambda: item)

    return make
