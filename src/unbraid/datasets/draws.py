"""The random numbers of training mixtures, drawn before any mixing, so that every mixture can be replayed.

Source: Saijo et al., ICASSP 2025 (TUSS), section IV, and its published training configuration. Where this
differs: a recording, not only an item of it, is used once in a mixture; a piece counts as silent below a floor,
not only where it is zero; a group without recordings is always built on the fly. Absent prompts, stems taken
from one song, and sources of unequal rates are additions of this project; all three are off by default.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import accumulate
from math import ceil

import numpy as np

from unbraid.datasets.dice import Dice
from unbraid.datasets.prompt_chain import INSTRUMENTS, N_PARTS, UNIFIED, GroupRule, PromptChain
from unbraid.datasets.track import MID_CHANNEL, Source, SourcePool
from unbraid.errors import DatasetError

MAX_REDRAWS = 100
_N_PARTS_CUMULATIVE = list(accumulate(weight for _, weight in N_PARTS))


class ChannelChoice(Enum):
    """Which channel of a source is taken."""

    FIRST = "first"
    RANDOM = "random"
    MID = "mid"


@dataclass(frozen=True)
class MixSettings:
    """How mixtures are drawn.

    Args:
        sample_rate: of the mixtures, in hertz.
        duration: of the mixtures, in seconds.
        chain: which prompts stand together.
        channel: which channel of a source is taken.
        p_dropout: probability that prompts are left out while their sources still sound.
        p_absent: probability that prompts are added whose sources do not sound.
        max_absent: how many such prompts at most.
        p_coherent: probability that the instruments of a mixture are taken from one song, at one time.
        p_match_rates: probability that all sources are limited to the band of the narrowest one.
        floor_db: a piece of a source whose level (dBFS) is below this counts as silent.

    Raises:
        DatasetError: if a probability is not in 0..1, or a size is not positive.
    """

    sample_rate: int = 48000
    duration: float = 6.0
    chain: PromptChain = UNIFIED
    channel: ChannelChoice = ChannelChoice.FIRST
    p_dropout: float = 0.0
    p_absent: float = 0.0
    max_absent: int = 2
    p_coherent: float = 0.0
    p_match_rates: float = 1.0
    floor_db: float = -80.0

    def __post_init__(self) -> None:
        for name in ("p_dropout", "p_absent", "p_coherent", "p_match_rates"):
            if not 0 <= getattr(self, name) <= 1:
                raise DatasetError(f"mix settings: {name} is {getattr(self, name)}: give a probability from 0 to 1")
        if self.sample_rate <= 0 or self.n_samples <= 0 or self.max_absent < 1:
            raise DatasetError("mix settings: sample_rate, duration and max_absent must be positive")

    @property
    def n_samples(self) -> int:
        """Length of the mixtures in samples."""
        return round(self.duration * self.sample_rate)


@dataclass(frozen=True)
class PartDraw:
    """One piece of one recording.

    ``start`` and ``n_samples`` count samples of the recording, ``offset`` samples of the mixture;
    ``channel`` -1 is the mean of all channels. ``gain_db`` counts only among several parts.
    """

    source: str
    channel: int
    start: int
    n_samples: int
    offset: int
    gain_db: float


@dataclass(frozen=True)
class SourceDraw:
    """One source of a mixture: a piece, the sum of several, or none where the prompt is absent.

    ``band_rate`` is the sampling rate whose band the parts are limited to before they are summed.
    ``asked`` is False where the source sounds but its prompt was left out.
    """

    prompt: str
    parts: tuple[PartDraw, ...] = ()
    gain_db: float = 0.0
    band_rate: int = 0
    asked: bool = True


@dataclass(frozen=True)
class MixDraw:
    """All random numbers of one mixture; ``band_rate`` is the rate whose band all sources are limited to."""

    sample_rate: int
    n_samples: int
    band_rate: int
    sources: tuple[SourceDraw, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts that are asked for, in order."""
        return tuple(source.prompt for source in self.sources if source.asked)

    def to_json(self) -> str:
        """Return the draw as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MixDraw:
        """Read what ``to_json`` wrote.

        Raises:
            DatasetError: if the text is something else.
        """
        try:
            plain = json.loads(text)
            sources = tuple(
                SourceDraw(**{**source, "parts": tuple(PartDraw(**part) for part in source["parts"])})
                for source in plain["sources"]
            )
            return cls(**{**plain, "sources": sources})
        except (ValueError, TypeError, KeyError) as error:
            raise DatasetError(f"this is not the draw of a mixture ({error}): give what to_json wrote") from error


class _MixSampler:
    """Draws the sources of one mixture, each recording at most once."""

    def __init__(self, dice: Dice, pool: SourcePool, settings: MixSettings) -> None:
        self.dice, self.pool, self.settings = dice, pool, settings
        self.used: set[str] = set()
        self.anchor: PartDraw | None = None

    def source(self, prompt: str, *, asked: bool) -> SourceDraw:
        """Draw a source: one recording, or a group that is built on the fly."""
        rule = self.settings.chain.groups.get(prompt)
        recorded = prompt in self.pool.prompts
        if rule is not None and (not recorded or self.dice.chance(rule.probability)):
            parts = self._group(rule, coherent=self.dice.chance(self.settings.p_coherent))
        else:
            parts = (self._part(prompt, coherent=prompt in INSTRUMENTS),)
        low, high = self.settings.chain.gains_db[prompt]
        rates = [self.pool[part.source].band_rate for part in parts]
        return SourceDraw(prompt, parts, self.dice.between(low, high), min(rates), asked)

    def follow(self, prompts: Sequence[str]) -> None:
        """From now on take instruments from one song: that of a first piece, drawn at random."""
        prompt = prompts[self.dice.integer(len(prompts))]
        self.anchor = self._piece(prompt)

    def _group(self, rule: GroupRule, *, coherent: bool) -> tuple[PartDraw, ...]:
        known = [prompt for prompt in rule.parts if prompt in self.pool.prompts]
        n_parts = N_PARTS[self.dice.weighted(_N_PARTS_CUMULATIVE)][0]
        prompts: list[str] = []
        most = len(known) if rule.distinct else sum(self.pool.n_sources[prompt] for prompt in known)
        for _ in range(min(n_parts, most)):
            prompts.append(known[self.dice.integer(len(known))])
            if rule.distinct:
                known.remove(prompts[-1])
        if coherent and rule.distinct:
            self.follow(prompts)
        return tuple(self._part(prompt, coherent=rule.distinct) for prompt in prompts)

    def _part(self, prompt: str, *, coherent: bool) -> PartDraw:
        """Draw a piece that sounds, of a recording that is not in the mixture yet."""
        if coherent and self.anchor is not None:
            part = self._companion(prompt, self.anchor)
            if part is not None:
                self.used.add(part.source)
                return part
        for _ in range(MAX_REDRAWS):
            part = self._piece(prompt)
            if part.source not in self.used and self._sounds(part):
                self.used.add(part.source)
                return part
        raise DatasetError(
            f"{MAX_REDRAWS} draws gave no new piece of {prompt} that sounds: add recordings or lower floor_db"
        )

    def _piece(self, prompt: str) -> PartDraw:
        item = self.pool.draw(self.dice, prompt)
        wanted = ceil(self.settings.n_samples * item.source.sample_rate / self.settings.sample_rate)
        spare = item.stop - item.start - wanted
        start = item.start + (self.dice.integer(spare + 1) if spare > 0 else 0)
        n_samples = min(wanted, item.stop - start)
        offset = self.dice.integer(self._room(item.source, n_samples) + 1)
        return PartDraw(item.source.name, self._channel(item.source), start, n_samples, offset, self._gain(prompt))

    def _companion(self, prompt: str, anchor: PartDraw) -> PartDraw | None:
        """Return the same moment of the anchor's song in another stem, if that sounds."""
        first = self.pool[anchor.source]
        stems = self.pool.companions(first.track, prompt)
        stems = [stem for stem in stems if stem.name not in self.used]
        if not stems:
            return None
        source = stems[self.dice.integer(len(stems))]
        scale = source.sample_rate / first.sample_rate
        start = round(anchor.start * scale)
        n_samples = min(round(anchor.n_samples * scale), source.n_samples - start)
        if n_samples <= 0:
            return None
        part = PartDraw(source.name, self._channel(source), start, n_samples, anchor.offset, self._gain(prompt))
        return part if self._sounds(part) else None

    def _room(self, source: Source, n_samples: int) -> int:
        """Return how many samples of the mixture a piece leaves free."""
        return max(0, self.settings.n_samples - ceil(n_samples * self.settings.sample_rate / source.sample_rate))

    def _channel(self, source: Source) -> int:
        if self.settings.channel is ChannelChoice.RANDOM:
            return self.dice.integer(source.n_channels)
        return MID_CHANNEL if self.settings.channel is ChannelChoice.MID else 0

    def _gain(self, prompt: str) -> float:
        return self.dice.between(*self.settings.chain.gains_db[prompt])

    def _sounds(self, part: PartDraw) -> bool:
        samples = self.pool[part.source].read(part.start, part.start + part.n_samples, part.channel)
        return float(np.dot(samples, samples)) > len(samples) * 10 ** (self.settings.floor_db / 10)


def draw_batch(dice: Dice, pool: SourcePool, settings: MixSettings, n_mixtures: int) -> tuple[MixDraw, ...]:
    """Draw mixtures that all ask for equally many prompts.

    The number of sources is drawn once, then the prompts of each mixture, then how many prompts all of them
    lose (only prompts that are unique in their mixture) and how many absent ones all of them gain, and at
    last the sources.

    Raises:
        DatasetError: if the pool has no sounding source for a prompt.
    """
    n_sources = settings.chain.draw_count(dice)
    prompts = [settings.chain.draw(dice, n_sources) for _ in range(n_mixtures)]
    n_dropped = draw_n_dropped(dice, prompts, settings.p_dropout)
    dropped = [_draw_dropped(dice, names, n_dropped) for names in prompts]
    absent = _draw_absent(dice, prompts, dropped, settings)
    return tuple(
        _draw_mix(_MixSampler(dice, pool, settings), *choice) for choice in zip(prompts, dropped, absent, strict=True)
    )


def draw_n_dropped(dice: Dice, prompts: Sequence[Sequence[str]], probability: float) -> int:
    """Draw how many prompts every mixture of a batch loses: none with 1 - probability, else 1 … the most.

    At least one prompt stays, and prompts that occur more than once in a mixture are never dropped.
    """
    n_sources = len(prompts[0])
    n_repeated = max(sum(names.count(name) > 1 for name in names) for names in prompts)
    most = min(n_sources - n_repeated, n_sources - 1)
    return 1 + dice.integer(most) if most > 0 and dice.chance(probability) else 0


def _draw_dropped(dice: Dice, names: Sequence[str], n_dropped: int) -> frozenset[int]:
    unique = [index for index, name in enumerate(names) if names.count(name) == 1]
    return frozenset(unique.pop(dice.integer(len(unique))) for _ in range(n_dropped))


def _draw_absent(
    dice: Dice, prompts: Sequence[Sequence[str]], dropped: Sequence[frozenset[int]], settings: MixSettings
) -> list[list[str]]:
    """Draw prompts that could stand beside everything that sounds, but do not sound; equally many for all."""
    if not dice.chance(settings.p_absent):
        return [[] for _ in prompts]
    n_wanted = 1 + dice.integer(settings.max_absent)
    absent = []
    for names, indices in zip(prompts, dropped, strict=True):
        hidden = {names[index] for index in indices}
        gained: list[str] = []
        for _ in range(n_wanted):
            present = [*names, *gained]
            legal = [name for name in settings.chain.prompts if name not in hidden]
            legal = [name for name in legal if settings.chain.allows(name, present)]
            if legal:
                gained.append(legal[dice.integer(len(legal))])
        absent.append(gained)
    n_absent = min(map(len, absent))
    return [gained[:n_absent] for gained in absent]


def _draw_mix(sampler: _MixSampler, prompts: Sequence[str], dropped: frozenset[int], absent: Sequence[str]) -> MixDraw:
    dice, settings = sampler.dice, sampler.settings
    instruments = [prompt for prompt in prompts if prompt in INSTRUMENTS]
    if len(instruments) > 1 and dice.chance(settings.p_coherent):
        sampler.follow(instruments)
    sources = [sampler.source(prompt, asked=index not in dropped) for index, prompt in enumerate(prompts)]
    rate = settings.sample_rate
    if dice.chance(settings.p_match_rates):
        rate = min([rate, *(source.band_rate for source in sources)])
    for prompt in absent:
        sources.insert(dice.integer(len(sources) + 1), SourceDraw(prompt))
    return MixDraw(settings.sample_rate, settings.n_samples, rate, tuple(sources))
