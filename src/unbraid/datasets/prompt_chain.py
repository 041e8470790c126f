"""Which prompts stand together in a training mixture: the Markov chain of TUSS.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, and the tables of its published
training configuration. Prompts are called here what the user calls them: ``sfx-mix`` and ``music-mix``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

from unbraid.datasets.dice import Dice
from unbraid.errors import DatasetError

MAX_REJECTIONS = 100
MAX_RESTARTS = 100
ANY_NUMBER = 100
INSTRUMENTS = ("bass", "drums", "vocals", "other")
N_PARTS = ((1, 0.1), (2, 0.4), (3, 0.4), (4, 0.1))

GAINS_DB: dict[str, tuple[float, float]] = {
    "speech": (-10.0, 0.0),
    "sfx": (-20.0, 0.0),
    "sfx-mix": (-20.0, 0.0),
    "drums": (-10.0, 0.0),
    "bass": (-10.0, 0.0),
    "vocals": (-10.0, 0.0),
    "other": (-10.0, 0.0),
    "music-mix": (-20.0, 0.0),
}


@dataclass(frozen=True)
class PromptRow:
    """One prompt of the chain.

    Args:
        initial: weight of the prompt as the first one of a mixture.
        following: weight of each prompt after this one; a prompt with weight 0, or left out, never stands
            in one mixture with this one.
        max_count: how often the prompt may occur in one mixture.
    """

    initial: float
    following: Mapping[str, float]
    max_count: int = 1


@dataclass(frozen=True)
class GroupRule:
    """How a source of many sounds is built on the fly.

    Args:
        probability: how often it is built rather than taken from one recording.
        parts: the prompts that its parts are taken from.
        distinct: whether no two parts may share a prompt.
    """

    probability: float
    parts: tuple[str, ...]
    distinct: bool


SFX_GROUP = GroupRule(probability=0.25, parts=("sfx",), distinct=False)
MUSIC_GROUP = GroupRule(probability=0.25, parts=INSTRUMENTS, distinct=True)


@dataclass(frozen=True)
class PromptChain:
    """The tables that the prompts of training mixtures are drawn from.

    Args:
        rows: the prompts.
        n_sources: numbers of sources in a mixture, each with its weight.
        groups: the prompts whose sources can be built on the fly.
        gains_db: lowest and highest gain of a source after its normalization, by prompt.

    Raises:
        DatasetError: if a row leads to a prompt that has no row or no gain.

    Example:
        >>> import torch
        >>> len(UNIFIED.draw(Dice(torch.Generator().manual_seed(0)), 3))
        3
    """

    rows: Mapping[str, PromptRow]
    n_sources: tuple[tuple[int, float], ...] = ((1, 0.0), (2, 0.333), (3, 0.333), (4, 0.333))
    groups: Mapping[str, GroupRule] = field(default_factory=dict)
    gains_db: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(GAINS_DB))

    def __post_init__(self) -> None:
        lost = {name for row in self.rows.values() for name in row.following} - set(self.rows)
        if lost:
            raise DatasetError(f"prompt chain: {', '.join(sorted(lost))} may follow a prompt but has no row: add one")
        parts = {part for rule in self.groups.values() for part in rule.parts}
        silent = (set(self.rows) | parts) - set(self.gains_db)
        if silent:
            raise DatasetError(f"prompt chain: {', '.join(sorted(silent))} has no gain: add it to gains_db")

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts of the chain, in the order of its rows."""
        return tuple(self.rows)

    @cached_property
    def _initial(self) -> list[float]:
        return list(accumulate(row.initial for row in self.rows.values()))

    @cached_property
    def _following(self) -> dict[str, list[float]]:
        return {
            name: list(accumulate(row.following.get(other, 0.0) for other in self.rows))
            for name, row in self.rows.items()
        }

    @cached_property
    def _n_cumulative(self) -> list[float]:
        return list(accumulate(weight for _, weight in self.n_sources))

    def allows(self, prompt: str, present: Sequence[str]) -> bool:
        """Tell whether a prompt may stand beside those that are present.

        Example:
            >>> UNIFIED.allows("drums", ["speech", "music-mix"]), UNIFIED.allows("speech", ["speech"])
            (False, True)
        """
        if present.count(prompt) >= self.rows[prompt].max_count:
            return False
        return all(self.rows[other].following.get(prompt, 0.0) > 0 for other in present)

    def draw_count(self, dice: Dice) -> int:
        """Draw the number of sources of a mixture."""
        return self.n_sources[dice.weighted(self._n_cumulative)][0]

    def draw(self, dice: Dice, n_sources: int) -> tuple[str, ...]:
        """Draw the prompts of one mixture, in the order in which they were drawn.

        The first prompt is drawn from the initial weights, each further one from the row of the one before
        it. A prompt that may not stand beside those already there is drawn again; after 100 rejections the
        mixture is begun anew.

        Raises:
            DatasetError: if the tables do not lead to that many prompts.
        """
        for _ in range(MAX_RESTARTS):
            drawn = self._attempt(dice, n_sources)
            if drawn is not None:
                return drawn
        names = ", ".join(self.rows)
        raise DatasetError(f"prompt chain of {names} cannot reach {n_sources} sources: ask for fewer")

    def _attempt(self, dice: Dice, n_sources: int) -> tuple[str, ...] | None:
        names = self.prompts
        drawn: list[str] = []
        rejections = 0
        while len(drawn) < n_sources:
            weights = self._following[drawn[-1]] if drawn else self._initial
            prompt = names[dice.weighted(weights)] if weights[-1] > 0 else None
            if prompt is not None and self.allows(prompt, drawn):
                drawn.append(prompt)
                continue
            rejections += 1
            if prompt is None or rejections == MAX_REJECTIONS:
                return None
        return tuple(drawn)

    def only(self, prompts: Sequence[str]) -> PromptChain:
        """Return the chain without the prompts that are not named; the groups stay.

        Example:
            >>> UNIFIED.only(["speech", "sfx-mix"]).prompts
            ('speech', 'sfx-mix')
        """
        rows = {
            name: replace(row, following={key: value for key, value in row.following.items() if key in prompts})
            for name, row in self.rows.items()
            if name in prompts
        }
        groups = {name: rule for name, rule in self.groups.items() if name in prompts}
        return replace(self, rows=rows, groups=groups)

    def at_most(self, counts: Mapping[str, int]) -> PromptChain:
        """Return the chain with each prompt at most so often in a mixture; prompts not named stay as they are.

        Example:
            >>> UNIFIED.at_most({"speech": 2}).rows["speech"].max_count
            2
        """
        rows = {
            name: replace(row, max_count=min(row.max_count, counts.get(name, row.max_count)))
            for name, row in self.rows.items()
        }
        return replace(self, rows=rows)


def _rows(initial: Mapping[str, float], following: str, max_count: Mapping[str, int]) -> dict[str, PromptRow]:
    """Read a table whose first line names the columns and whose other lines name a row and its weights."""
    head, *lines = (line.split() for line in following.strip().splitlines())
    return {
        name: PromptRow(initial[name], dict(zip(head, map(float, weights), strict=True)), max_count.get(name, 1))
        for name, *weights in lines
    }


UNIFIED = PromptChain(
    _rows(
        {
            "speech": 0.2,
            "sfx": 0.2,
            "sfx-mix": 0.2,
            "bass": 0.05,
            "drums": 0.05,
            "vocals": 0.05,
            "other": 0.05,
            "music-mix": 0.2,
        },
        """
                   speech  sfx     sfx-mix  bass   drums  vocals  other  music-mix
        speech     0.4     0.1     0.2      0.025  0.025  0.025   0.025  0.2
        sfx        0.2     0.5     0        0.025  0.025  0.025   0.025  0.2
        sfx-mix    0.5     0       0        0.025  0.025  0.025   0.025  0.4
        bass       0.0333  0.0333  0.0333   0      0.3    0.3     0.3    0
        drums      0.0333  0.0333  0.0333   0.3    0      0.3     0.3    0
        vocals     0.0333  0.0333  0.0333   0.3    0.3    0       0.3    0
        other      0.0333  0.0333  0.0333   0.3    0.3    0.3     0      0
        music-mix  0.33    0.33    0.33     0      0      0       0      0
        """,
        {"speech": ANY_NUMBER, "sfx": ANY_NUMBER},
    ),
    groups={"sfx-mix": SFX_GROUP, "music-mix": MUSIC_GROUP},
)

VCTK_DEMAND = PromptChain(
    {"speech": PromptRow(0.5, {"sfx-mix": 1.0}), "sfx-mix": PromptRow(0.5, {"speech": 1.0})},
    n_sources=((2, 1.0),),
)

WHAM = PromptChain(
    {
        "speech": PromptRow(0.5, {"speech": 0.75, "sfx-mix": 0.25}, max_count=2),
        "sfx-mix": PromptRow(0.5, {"speech": 1.0}),
    },
    n_sources=((3, 1.0),),
)

FUSS = PromptChain({"sfx": PromptRow(1.0, {"sfx": 1.0}, max_count=4)}, n_sources=((2, 0.33), (3, 0.33), (4, 0.33)))

MUSDB = PromptChain(
    {name: PromptRow(0.25, {other: 0.3 for other in INSTRUMENTS if other != name}) for name in INSTRUMENTS},
    n_sources=((4, 1.0),),
)

_CINEMA = ("speech", "sfx-mix", "music-mix")
DNR = PromptChain(
    {name: PromptRow(0.33, {other: 0.5 for other in _CINEMA if other != name}) for name in _CINEMA},
    n_sources=((3, 1.0),),
    groups={"sfx-mix": SFX_GROUP, "music-mix": MUSIC_GROUP},
)
DNR_DATA_SPECIALIST = replace(DNR, groups={"sfx-mix": SFX_GROUP})
