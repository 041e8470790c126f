"""InstGlow: separates with nothing but priors of single sources, one of each, that never heard a mixture.

Source: Zhu, Darefsky, Jiang, Selitskiy, Duan, "Music source separation with generative flow", IEEE SPL 2022. The paper
separates mono at 22.05 kHz and gives sources the phase of the mixture (`with_phase`). That the sources share every bin
of all channels of a mixture at twice that rate is ours.

Axes: B batch, S sources, C channels, N samples, F bins that priors hear, G bins of the mixture at twice their rate,
T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.audio.stft import Stft
from unbraid.errors import GuideError, ModelError, SettingsError
from unbraid.guides.kinds import Label, Target
from unbraid.models.instglow_network import PRIORS, Prior, PriorConfig, check_weights
from unbraid.models.instglow_search import Found, Progress, Watcher, check_priors, search
from unbraid.models.instglow_searches import SEARCHES, SearchConfig, find_search
from unbraid.models.separator import Condition, Estimates, Separator
from unbraid.priors import RESIDUAL

BAND = 2  # the mixture's rate in multiples of the priors'
EPS = 1e-8
WITHIN = {"other": ("guitar", "piano", "strings", "keyboards", "synthesizer", "organ", "brass", "woodwinds")}
"""Sources that a prior of a wider one stands for already, by its name."""


@dataclass(frozen=True)
class InstglowConfig:
    """Names and shapes of the priors that separate together, and how.

    Args:
        names: of the sources.
        priors: the shape of each.
        search: for their latents.
        residual: what the priors leave of a magnitude belongs to a source without a prior, the label ``"residual"``;
            otherwise they share all of it, save where none of them has any. One prior alone always leaves the rest.
        segment: of a window, in seconds.

    Raises:
        ModelError: if there is no prior, or a name is missing or not the only one of its kind.

    Example:
        >>> InstglowConfig(names=("guitar",), priors=(PRIORS["small"],)).search == SEARCHES["default"]
        True
    """

    names: tuple[str, ...]
    priors: tuple[PriorConfig, ...]
    search: SearchConfig = SEARCHES["default"]
    residual: bool = False
    segment: float = 10.0

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.priors) or len(set(self.names)) < len(self.names):
            raise ModelError(f"{len(self.priors)} priors need as many different names, got {list(self.names)}")
        if RESIDUAL in self.names:
            raise ModelError(f"no prior can be called {RESIDUAL!r}: that is what priors leave")
        if self.segment <= 0:
            raise ModelError(f"segment must be positive, got {self.segment}")

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be asked for."""
        return (*self.names, RESIDUAL) if self.residual else self.names

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> InstglowConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON.

        Raises:
            ModelError: if it is something else.
        """
        try:
            priors = tuple(PriorConfig.from_dict(one) for one in values["priors"])
            search_config = SearchConfig(**values["search"])
            return cls(**{**values, "names": tuple(values["names"]), "priors": priors, "search": search_config})
        except (KeyError, TypeError, SettingsError) as error:
            raise ModelError(f"this is not the config of InstGlow: {error}") from error


class Memory:
    """Latents of the window before, with which the next one of the same track begins where the two overlap."""

    def __init__(self) -> None:
        self._start = 0.0
        self._latents: Tensor | None = None

    def keep(self, start: float, latents: Tensor) -> None:
        """Keep the latents ``[1, S, C, T]`` of a window that begins at so many seconds."""
        self._start, self._latents = start, latents

    def recall(self, start: float, fresh: Tensor, frames_per_second: float) -> Tensor:
        """Return latents ``[1, S, C, T]`` to begin with: known ones, and fresh ones of that shape where none are known.

        Example:
            >>> memory = Memory()
            >>> memory.keep(0.0, torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3))
            >>> memory.recall(2.0, torch.zeros(1, 1, 1, 3), 1.0).flatten()
            tensor([3., 0., 0.])
        """
        known, offset = self._latents, round((start - self._start) * frames_per_second)
        if known is None or known.shape[:3] != fresh.shape[:3] or not 0 < offset < known.shape[3]:
            return fresh
        n_known = min(known.shape[3] - offset, fresh.shape[3])
        return torch.cat([known[..., offset : offset + n_known], fresh[..., n_known:]], dim=-1)


@dataclass(frozen=True, eq=False)
class InstglowCondition:
    """The targets of one track: names of the outputs, which priors take part, and which of these each output is of.

    Windows come in order, and each begins with what was found at the end of the one before. One whose beginning (in
    seconds) is not known neither begins so nor is remembered. ``watch`` is told how much of a window is done.
    """

    names: tuple[str, ...]
    priors: tuple[str, ...]
    indices: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...] = ()
    memory: Memory = field(default_factory=Memory)
    start: float | None = None
    watch: Callable[[float], None] | None = None

    def watched_by(self, watch: Callable[[float], None]) -> InstglowCondition:
        """Return the same, which tells somebody of every iteration what part of a window is done."""
        return replace(self, watch=watch)

    def crop(self, start: float, stop: float) -> InstglowCondition:
        """Return what holds for a window: the same, with its beginning."""
        del stop
        return replace(self, start=start)


class Instglow(Separator):
    """The separator: windows of any channels in, stems out; inside, magnitudes of the channels' mean at half the rate.

    All priors take part, whichever sources are asked for, but for those that would claim a sound twice (`rivals`).
    Nothing is normalized: the priors know how loud their sources
    are. A window of pure silence is answered with silence. Accompaniment is a prior of its own, or the sum of the stems
    that are not vocals.

    Attributes:
        watch: is told of every iteration of every window; an exception that it raises ends the separation.

    Example:
        >>> model = Instglow(PRESETS["instglow-debug"]).eval()
        >>> condition = model.condition([Target("guitar", (Label("vocals"),))])
        >>> model(torch.rand(1, 2, 500), condition).stems.shape
        torch.Size([1, 1, 2, 500])
    """

    def __init__(self, config: InstglowConfig) -> None:
        super().__init__()
        self.config = config
        self.priors = nn.ModuleList(Prior(one) for one in config.priors)
        check_priors(self.by_name)
        shape = config.priors[0]
        self.sample_rate = BAND * shape.sample_rate
        self.segment = config.segment
        self.step = BAND * shape.hop_length * shape.n_squeeze
        self.vocabulary = config.labels
        self.accepts = frozenset({Label})
        self.stft = Stft(BAND * shape.n_fft, BAND * shape.hop_length, window="hann", reflect=True)
        self.watch: Watcher | None = None

    @property
    def by_name(self) -> dict[str, Prior]:
        """The priors by the names of their sources."""
        return dict(zip(self.config.names, cast(Iterable[Prior], self.priors), strict=True))

    def check_weights(self) -> None:
        """Raise ModelError if one of the priors is none, though its weights are numbers."""
        for name, prior in self.by_name.items():
            check_weights(prior, name)

    def condition(self, targets: Sequence[Target]) -> InstglowCondition:
        """Look up the prior of each target; it needs exactly one guide, a label.

        Raises:
            GuideError: if a label is unknown or asked for twice, or a guide is of another kind.
        """
        labels: list[str] = []
        for target in targets:
            if len(target.guides) != 1 or not isinstance(target.guides[0], Label):
                raise GuideError(f"target {target.name!r}: this model takes one label for each target")
            label = target.guides[0].name
            if label not in self.vocabulary:
                raise GuideError(f"unknown label {label!r}: this model has priors of {' '.join(self.vocabulary)}")
            if label in labels:
                raise GuideError(f"label {label!r} is asked for twice: ask once")
            labels.append(label)
        priors = rivals(self.config.names, labels)
        indices = tuple(len(priors) if label == RESIDUAL else priors.index(label) for label in labels)
        return InstglowCondition(tuple(target.name for target in targets), priors, indices)

    def forward(self, mixture: Tensor, condition: Condition) -> Estimates:
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]``."""
        assert isinstance(condition, InstglowCondition)
        n_samples, shape = mixture.shape[-1], self.config.priors[0]
        if not bool(mixture.any()):
            return Estimates(mixture.new_zeros(len(mixture), len(condition.indices), *mixture.shape[1:]), None)
        spectrogram = self.stft(functional.pad(mixture.float(), (0, self._spare(n_samples))))  # [B, C, G, T]
        magnitude = spectrogram.mean(dim=1).abs()[:, : shape.n_bins] / BAND
        start = self._recall(condition, magnitude)
        found = self.search(magnitude, priors=condition.priors, start=start, watch=self._watcher(condition))
        if condition.start is not None and len(mixture) == 1:
            condition.memory.keep(condition.start, found.latents)
        shares = self.share(found, magnitude)
        shares = torch.cat([shares, 1 - shares.sum(dim=1, keepdim=True)], dim=1)  # the last one is the residual
        masks = widen(shares[:, list(condition.indices)], spectrogram.shape[-2])[:, :, None]  # [B, S, 1, G, T]
        return Estimates(self.stft.inverse(masks * spectrogram[:, None])[..., :n_samples], None)

    def share(self, found: Found, magnitude: Tensor) -> Tensor:
        """Return the part ``[B, S, F, T]``, 0 to 1, of each source in every bin of magnitudes ``[B, F, T]``."""
        config, n_bins = self.config.search, magnitude.shape[1]
        shares = share(found.anchored(config.anchor)[:, :, :n_bins], exponent=config.exponent)
        if self.config.residual or found.sources.shape[1] == 1:
            shares = shares * share(found.sources[:, :, :n_bins], mixture=magnitude).sum(dim=1, keepdim=True)
        return shares

    def search(
        self,
        magnitude: Tensor,
        *,
        priors: Sequence[str] | None = None,
        start: Tensor | None = None,
        generator: torch.Generator | None = None,
        watch: Watcher | None = None,
    ) -> Found:
        """Do `instglow_search.search` for magnitudes ``[B, F, T]`` at the priors' rate and level.

        Without names of priors all of them take part. Without a generator, what is drawn is the same every time.
        """
        if generator is None:
            generator = torch.Generator().manual_seed(0)
        known = self.by_name
        taking_part = known if priors is None else {name: known[name] for name in priors}
        return search(taking_part, magnitude, config=self.config.search, start=start, generator=generator, watch=watch)

    def _watcher(self, condition: InstglowCondition) -> Watcher:
        """Return what tells both who watches the model and who watches the track."""

        def watch(progress: Progress) -> None:
            if self.watch is not None:
                self.watch(progress)
            if condition.watch is not None:
                condition.watch((progress.iteration + 1) / progress.n_iterations)

        return watch

    def _recall(self, condition: InstglowCondition, magnitude: Tensor) -> Tensor | None:
        """Return what the search of one window begins with, if its place in the track is known."""
        if condition.start is None or len(magnitude) > 1:
            return None
        shape, spread = self.config.priors[0], self.config.search.spread
        fresh = spread * torch.randn(
            1, len(condition.priors), shape.n_channels, magnitude.shape[-1], generator=torch.Generator().manual_seed(0)
        )
        return condition.memory.recall(condition.start, fresh.to(magnitude), self.sample_rate / self.stft.hop_length)

    def _spare(self, n_samples: int) -> int:
        """Return how many zeros fill the last squeezed frame."""
        n_squeeze, hop = self.config.priors[0].n_squeeze, self.stft.hop_length
        n_frames = max(-(-n_samples // hop), self.stft.n_fft // hop) + 1
        n_whole: int = n_frames + (-n_frames) % n_squeeze
        return (n_whole - 1) * hop - n_samples


def rivals(known: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Return which of the known priors search together when some of them are asked for.

    A prior of a wider source (``other``) and those of sources within it (``guitar``) would claim the same sound. The
    wider one takes part unless only narrower ones are asked for; those take part if they are asked for, or all of them
    instead of the wider one.

    Example:
        >>> rivals(("vocals", "other", "guitar", "piano"), ["vocals"])
        ('vocals', 'other')
        >>> rivals(("vocals", "other", "guitar", "piano"), ["guitar"])
        ('vocals', 'guitar', 'piano')
    """
    left_out: set[str] = set()
    for wide, narrow in WITHIN.items():
        if wide in known and wide not in asked and any(name in asked for name in narrow):
            left_out.add(wide)
        elif wide in known:
            left_out.update(name for name in narrow if name not in asked)
    return tuple(name for name in known if name not in left_out)


def combine(
    separators: Sequence[Instglow], *, search_config: SearchConfig | None = None, residual: bool | None = None
) -> Instglow:
    """Put the priors of several separators together in one.

    Args:
        separators: at least one; their priors are copied.
        search_config: how they search together; None is as the first one does.
        residual: whether what they leave is a source, too (`InstglowConfig.residual`); None is as in the first one.

    Raises:
        ModelError: if a name comes twice, or priors hear different spectrograms.

    Example:
        >>> one = Instglow(InstglowConfig(names=("a",), priors=(PRIORS["debug"],)))
        >>> other = Instglow(InstglowConfig(names=("b",), priors=(PRIORS["debug"],)))
        >>> combine([one, other]).vocabulary, combine([one, other], residual=True).vocabulary
        (('a', 'b'), ('a', 'b', 'residual'))
    """
    if not separators:
        raise ModelError("a separation needs at least one prior: name those of the sources in the mixture")
    names = [name for one in separators for name in one.config.names]
    shapes = [shape for one in separators for shape in one.config.priors]
    first = separators[0].config
    model = Instglow(
        InstglowConfig(
            names=tuple(names),
            priors=tuple(shapes),
            search=search_config or first.search,
            residual=first.residual if residual is None else residual,
            segment=first.segment,
        )
    )
    priors = [prior for one in separators for prior in one.priors]
    for mine, theirs in zip(model.priors, priors, strict=True):
        mine.load_state_dict(theirs.state_dict())
    return model.train(separators[0].training)


def choose_search(model: object, search: SearchConfig | str) -> None:
    """Let a separator of priors search in a way that is given, or has a name.

    Raises:
        SettingsError: if it has no priors, or there is no such search.

    Example:
        >>> model = Instglow(PRESETS["instglow-debug"])
        >>> choose_search(model, "quick")
        >>> model.config.search.n_iterations
        12
    """
    if not isinstance(model, Instglow):
        named = getattr(model, "name", "") or type(model).__name__
        raise SettingsError(f"a search is for priors, and {named} has none: leave it out, or use instglow")
    model.config = replace(model.config, search=find_search(search) if isinstance(search, str) else search)


def share(sources: Tensor, *, mixture: Tensor | None = None, exponent: float = 1.0) -> Tensor:
    """Return the part ``[B, S, F, T]``, 0 to 1, that each source has in every bin; what is below zero has none.

    Args:
        sources: magnitudes ``[B, S, F, T]``.
        mixture: magnitudes ``[B, F, T]``: where the sources are less, the rest is nobody's; None leaves no rest, save
            where all are silent.
        exponent: without a mixture, sources share a bin as their magnitudes to this power.

    Example:
        >>> share(torch.tensor([3.0, 1.0, -1.0]).view(1, 3, 1, 1)).flatten()
        tensor([0.7500, 0.2500, 0.0000])
    """
    sources = sources.clamp_min(0)
    total = sources.sum(dim=1, keepdim=True)
    if mixture is not None:
        return sources / (torch.maximum(total, mixture[:, None]) + EPS)
    if exponent == 1:
        return sources / (total + EPS)
    parts: Tensor = (sources / (total + EPS)) ** exponent
    return parts / parts.sum(dim=1, keepdim=True).clamp_min(EPS)


def widen(shares: Tensor, n_bins: int) -> Tensor:
    """Extend shares ``[..., F, T]`` to more bins ``[..., n_bins, T]``: above, that of the upper half in each frame.

    Example:
        >>> widen(torch.tensor([[0.0], [0.0], [0.5], [1.0]]), 6).flatten()
        tensor([0.0000, 0.0000, 0.5000, 1.0000, 0.7500, 0.7500])
    """
    n_heard = shares.shape[-2]
    above = shares[..., n_heard // 2 :, :].mean(dim=-2, keepdim=True)
    return torch.cat([shares, above.expand(*shares.shape[:-2], n_bins - n_heard, -1)], dim=-2)


def with_phase(sources: Tensor, spectrogram: Tensor, *, clamp: bool = True) -> Tensor:
    """Give magnitudes the phase of the mixture, as the paper does.

    Args:
        sources: ``[B, S, F or more, T]``.
        spectrogram: complex ``[B, F, T or more]``.
        clamp: magnitudes below zero are none; as published they turn the phase around.

    Returns:
        Complex ``[B, S, F, T]``.

    Example:
        >>> with_phase(torch.full((1, 1, 2, 1), 3.0), torch.full((1, 1, 1), 2j))
        tensor([[[[0.+3.j]]]])
    """
    n_bins, n_frames = spectrogram.shape[1], sources.shape[-1]
    magnitude = sources[:, :, :n_bins].clamp_min(0) if clamp else sources[:, :, :n_bins]
    return magnitude * torch.sgn(spectrogram[:, None, :, :n_frames])


def preset(names: Sequence[str], size: str, *, search_name: str = "default") -> InstglowConfig:
    """Return the config of priors of one size for some sources.

    Example:
        >>> preset(("vocals", "drums"), "published").priors[1].n_blocks
        12
    """
    return InstglowConfig(names=tuple(names), priors=len(names) * (PRIORS[size],), search=SEARCHES[search_name])


SOURCES = ("vocals", "bass", "drums", "other")
PRESETS: dict[str, InstglowConfig] = {
    "instglow-debug": replace(preset(SOURCES[:2], "debug"), search=SearchConfig(n_iterations=5)),
    "instglow-small": preset(SOURCES, "small"),
    "instglow": preset(SOURCES, "published", search_name="mle"),
    "instglow-map": preset(SOURCES, "published", search_name="map"),
}
