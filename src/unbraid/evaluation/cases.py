"""The best, the median and the worst case of a target: chosen by score, asked for once more, and kept to be heard.

Axes: C channels, N samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.evaluation.comparison import score_of
from unbraid.evaluation.examination import Unit
from unbraid.evaluation.pointed_records import PointedFile
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.records import Heard, Record

RANKS = ("best", "median", "worst")
EXCERPT = 10.0  # seconds
PEAK = 0.98


@dataclass(frozen=True, eq=False)
class Case:
    """One answer to be heard, of ten seconds at most.

    Args:
        rank: best, median or worst.
        record: of it.
        score: in the unit of the score that they were ranked by.
        start: of the excerpt, in seconds.
        sounds: what they are to their samples ``[C, N]``, all with one gain.
    """

    rank: str
    record: Record
    score: float
    start: float
    sounds: dict[str, Tensor]


@dataclass(frozen=True)
class Chosen:
    """A record that will be heard, and why."""

    rank: str
    record: Record
    score: float


class Replay(PointedFile):
    """The records of a run in memory; passes that will be heard again are hidden, so that they are made again."""

    def __init__(self, records: Iterable[Record], hidden: Iterable[str]) -> None:
        hidden = set(hidden)
        self.path = Path()
        self.heard: list[Heard] = []
        self._passes: dict[str, list[Record]] = {}
        for record in records:
            if record.key not in hidden:
                self._passes.setdefault(record.key, []).append(record)

    def append(self, records: Sequence[Record], *, heard: Sequence[Heard] = ()) -> None:
        """Keep the sounds."""
        self._passes.update({records[0].key: list(records)} if records else {})
        self.heard.extend(heard)


def choose_cases(records: Sequence[Record], score: str, *, count: int) -> list[Chosen]:
    """Choose best, median and worst records of the first so many targets (a mode, a target, a model).

    Example:
        >>> choose_cases([], "si_sdr", count=3)
        []
    """
    groups: dict[tuple[str, str, str], list[tuple[float, Record]]] = {}
    for record in records:
        value = score_of(record, score)
        if value is not None:
            groups.setdefault((record.mode, record.prompt, record.model), []).append((value, record))
    chosen = []
    for group in list(groups.values())[:count]:
        ranked = sorted(group, key=lambda pair: -pair[0])
        places = dict(zip(RANKS, (0, (len(ranked) - 1) // 2, len(ranked) - 1), strict=True))
        for rank, place in places.items():
            if place not in [places[one] for one in RANKS[: RANKS.index(rank)]]:
                chosen.append(Chosen(rank, ranked[place][1], ranked[place][0]))
    return chosen


def hear_cases(
    chosen: Sequence[Chosen],
    units: Sequence[Unit],
    results: Sequence[Evaluation],
    contestants: Sequence[Contestant],
) -> list[Case]:
    """Ask for cases once more, and keep what was heard.

    Args:
        chosen: of `choose_cases`.
        units: of the examination.
        results: what each unit gave.
        contestants: all that took part.
    """
    wanted = {(one.record.key, one.record.prompt): one for one in chosen}
    hidden = {key for key, _ in wanted}
    found: dict[tuple[str, str], Heard] = {}
    for unit, result in zip(units, results, strict=True):
        mine = {record.model for record in result.records if record.key in hidden}
        if mine:
            replay = Replay(result.records, hidden)
            unit.examine([one for one in contestants if one.name in mine], replay)
            found.update({(one.record.key, one.record.prompt): one for one in replay.heard})
    return [_cut(one, found[place]) for place, one in wanted.items() if place in found]


def _cut(chosen: Chosen, heard: Heard) -> Case:
    """Cut out the ten seconds in which the reference is loudest, or the answer where there is none."""
    rate = chosen.record.sample_rate
    sounds = {"mixture": heard.mixture, "truth": heard.reference, "answer": heard.estimate}
    present = {name: one.detach().cpu().float() for name, one in sounds.items() if one is not None}
    shortest = min(one.shape[-1] for one in present.values())
    length = min(round(EXCERPT * rate), shortest)
    told = present.get("truth", present["answer"])[:, :shortest].double().square().sum(dim=0)
    energy = torch.cat([torch.zeros(1, dtype=torch.float64), told.cumsum(0)])
    step = max(1, rate // 2)
    starts = range(0, shortest - length + 1, step)
    start = max(starts, key=lambda first: float(energy[first + length] - energy[first]))
    cut = {name: one[:, start : start + length] for name, one in present.items()}
    peak = max(float(one.abs().max()) for one in cut.values())
    gain = PEAK / peak if peak > PEAK else 1.0
    return Case(chosen.rank, chosen.record, chosen.score, start / rate, {name: gain * one for name, one in cut.items()})


def write_sounds(case: Case, folder: Path, number: int) -> dict[str, Path]:
    """Write the sounds of a case as FLAC files and return where they are, by what they are.

    Raises:
        AudioWriteError: if the folder cannot be written to.
    """
    words = re.sub(r"[^a-z0-9]+", "-", f"{case.record.prompt} {case.record.model} {case.rank}".lower()).strip("-")
    written = {}
    for name, samples in case.sounds.items():
        audio = Audio(samples.contiguous(), case.record.sample_rate)
        path = folder / f"{number:02d}-{words}-{name}.flac"
        written[name] = write_audio(path, audio, encoding=Encoding("flac", "16")).path
    return written
