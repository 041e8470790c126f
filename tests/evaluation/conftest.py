"""A separator whose answers are known: every prompt is a band of frequencies, and every source a tone in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import GuideError
from unbraid.evaluation.items import EvaluationItem, ItemSource, Reference
from unbraid.evaluation.tracks import StemTrack, TrackSource, TrackStem
from unbraid.guides.kinds import Examples, Label, Prompts, Target, unique_names
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
    bands: tuple[tuple[float, ...], ...]

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


INSTRUMENTS = {
    "lead": ("vocals", 500.0),
    "choir": ("vocals", 900.0),
    "kit": ("drums", 1300.0),
    "clean guitar": ("electric guitar", 1700.0),
    "jazz guitar": ("electric guitar", 2100.0),
    "grand": ("piano", 2500.0),
}
WIDTH = 50.0


def tones_in(samples: Tensor) -> frozenset[str]:
    """Return the instruments whose tone is among the loud ones of a recording; noise has none."""
    energy = torch.fft.rfft(samples.mean(dim=0)).abs().square()
    frequencies = torch.fft.rfftfreq(samples.shape[-1], 1 / RATE)
    share = {
        name: float(energy[(frequencies - tone).abs() < WIDTH].sum() / energy.sum())
        for name, (_, tone) in INSTRUMENTS.items()
    }
    return frozenset(name for name, one in share.items() if one > 0.05)


class Listener(Separator):
    """Follows examples: cuts out the tones that all positive ones have and no negative one has."""

    def __init__(self, *, deaf: bool = False, loses_negatives: bool = False) -> None:
        super().__init__()
        self.sample_rate, self.segment = RATE, 2.0
        self.accepts = frozenset({Label, Examples})
        self.vocabulary = ("vocals", "drums", "bass")
        self.deaf, self.loses_negatives = deaf, loses_negatives
        self.gain = nn.Parameter(torch.ones(()))
        self.heard: list[tuple[Target, ...]] = []

    def condition(self, targets: Sequence[Target]) -> BandCondition:
        self.heard.append(tuple(targets))
        names = [self._tones(target) for target in targets]
        bands = tuple(tuple(INSTRUMENTS[name][1] for name in sorted(one)) for one in names)
        return BandCondition(unique_names([target.name for target in targets]), (), bands)

    def _tones(self, target: Target) -> frozenset[str]:
        (guide,) = target.guides
        if isinstance(guide, Label):
            return frozenset(name for name, (label, _) in INSTRUMENTS.items() if label == guide.name)
        assert isinstance(guide, Examples)
        positive, negative = guide.recordings
        if negative and self.loses_negatives:
            raise GuideError("this model takes no negative examples: leave them out")
        found = frozenset.intersection(*(tones_in(one.samples) for one in positive))
        return found - frozenset().union(*(tones_in(one.samples) for one in negative))

    def forward(self, mixture: Tensor, condition: BandCondition) -> Estimates:  # type: ignore[override]
        spectrum = torch.fft.rfft(mixture)
        frequencies = torch.fft.rfftfreq(mixture.shape[-1], 1 / RATE)
        stems = []
        for tones in condition.bands:
            mask = torch.zeros_like(frequencies)
            for tone in tones:
                mask[(frequencies - tone).abs() < WIDTH] = 1.0
            stems.append(torch.fft.irfft(spectrum * (0.5 if self.deaf else mask), mixture.shape[-1]))
        stacked = torch.stack(stems, dim=1) * self.gain
        total = mixture.square().sum(dim=(-1, -2))[:, None]
        presence = (stacked.square().sum(dim=(-1, -2)) > 1e-3 * total).float()
        return Estimates(stacked, presence)


def tone_track(*names: str, name: str = "song", seconds: float = 4.0, n_channels: int = 1) -> StemTrack:
    """Make a track whose stems are steady tones."""
    times = torch.arange(round(seconds * RATE)) / RATE
    stems = tuple(
        TrackStem(
            one,
            INSTRUMENTS[one][0],
            0.1 * torch.sin(2 * torch.pi * INSTRUMENTS[one][1] * times).float().expand(n_channels, -1).clone(),
        )
        for one in names
    )
    return StemTrack(name, "tones", RATE, stems)


@pytest.fixture(scope="session")
def listener_class() -> type[Listener]:
    return Listener


@pytest.fixture(scope="session")
def make_track() -> Callable[..., TrackSource]:
    def make(*names: str, **settings: Any) -> TrackSource:
        track = tone_track(*names, **settings)
        return TrackSource(track.name, lambda: track)

    return make


@pytest.fixture(scope="session")
def songs_of_tones(make_track: Callable[..., TrackSource]) -> list[TrackSource]:
    """Three tracks; every label but piano sounds in two or more of them."""
    return [
        make_track("lead", "kit", "clean guitar", "jazz guitar", name="one"),
        make_track("choir", "lead", "kit", name="two"),
        make_track("clean guitar", "kit", "grand", name="three"),
    ]
