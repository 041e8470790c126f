"""Tables 1 to 3 of the few-shot paper, and its figure 2 on sub-mixes of MedleyDB.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, sections 3 and 4. The whole track is scored, in
mono; examples are random passages of the target's own track, or of others, that sound, drawn anew ten times.

Axes: C channels (always 1), N samples.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.datasets.dice import Dice
from unbraid.datasets.public.dataset import Track
from unbraid.datasets.public.grouping import few_shot_submixes
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.items import Reference
from unbraid.evaluation.paper_fewshot import CONSTRAINTS, MEDLEYDB, OVERALL, SEEN, TARGETS, UNSEEN, Rows
from unbraid.evaluation.paper_table import PaperTable, Reading, mean_of_repeats, weighted_mean, write_table
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.public_items import Need, choice_of, samples_of, tracks_of
from unbraid.evaluation.questions import Condition, Kind, draw_companions
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.report import describe_origin, skipped_table
from unbraid.evaluation.sheets import Asked, Sheet, examine_sheets, score_chunks_alone
from unbraid.evaluation.tracks import MAX_REDRAWS, Part, dice_of, draw_start, sounds
from unbraid.guides.kinds import Examples, Guide, Label

MUSDB, MEDLEY = "MUSDB18", "MedleyDB"
EXAMPLE = 3.0  # seconds, at most half of a track
SHOTS = 5
REPEATS = 10
NEEDS = {
    MUSDB: (Need(MUSDB, {"musdb18-hq": "test", "musdb18": "test"}),),
    MEDLEY: (Need("MedleyDB 1", {"medleydb": "all"}), Need("MedleyDB 2", {"medleydb2": "all"})),
}


class FewshotTitle(StrEnum):
    """The tables and the figure."""

    TABLE1 = "fewshot-table1"
    TABLE2 = "fewshot-table2"
    TABLE3 = "fewshot-table3"
    FIGURE2 = "fewshot-figure2"


def shots(*counts: int) -> dict[Condition, str]:
    """Return the rows of the class-conditioned baseline and of so many examples."""
    named = {Condition(Kind.SAME_TRACK, count): f"{count}-shot" for count in counts}
    return {Condition(Kind.LABEL): "baseline", **named}


@dataclass(frozen=True)
class FewshotPlan:
    """One of the tables: its heading, its dataset, its questions and the rows they are held against, its numbers."""

    heading: str
    dataset: str
    rivals: Mapping[Condition, str]
    rows: Rows


PLANS = {
    FewshotTitle.TABLE1: FewshotPlan("Table 1 of the few-shot paper: seen classes", MUSDB, shots(1, 2, 3, 4, 5), SEEN),
    FewshotTitle.TABLE2: FewshotPlan(
        "Table 2 of the few-shot paper: classes that training did not have", MUSDB, shots(1, 5), UNSEEN
    ),
    FewshotTitle.TABLE3: FewshotPlan(
        "Table 3 of the few-shot paper: other examples",
        MUSDB,
        {
            Condition(Kind.SAME_TRACK, SHOTS): "same track, single source",
            Condition(Kind.OTHER_TRACK, SHOTS): "other tracks",
            Condition(Kind.MULTI_SOURCE, SHOTS): "same track, multi-source",
            Condition(Kind.NEGATIVES, SHOTS): "same track, with 5 negatives",
        },
        CONSTRAINTS,
    ),
    FewshotTitle.FIGURE2: FewshotPlan("Figure 2 of the few-shot paper: MedleyDB", MEDLEY, shots(5), MEDLEYDB),
}


@dataclass(frozen=True, eq=False)
class Song:
    """A track, mono, by classes: ``[1, N]`` each; the mixture is the sum of all.

    Args:
        name: unique in its dataset.
        sample_rate: in hertz.
        parts: what sounds, by class.
        targets: the classes that are asked for.
    """

    name: str
    sample_rate: int
    parts: Mapping[str, Tensor]
    targets: tuple[str, ...]

    @property
    def n_samples(self) -> int:
        """Length."""
        return int(next(iter(self.parts.values())).shape[-1])

    @property
    def whole(self) -> Part:
        """All of it: examples may come from anywhere."""
        return Part(0, self.n_samples)


def read_song(dataset: str, track: Track) -> Song:
    """Read a track; classes that are silent are no part of it."""
    read = {stem.label: samples_of(stem, track).mean(dim=0, keepdim=True) for stem in track.stems}
    parts = {name: one for name, one in read.items() if sounds(one)}
    targets = tuple(name for name in parts if dataset != MUSDB or name in TARGETS)
    return Song(track.name, track.sample_rate, parts, targets)


@dataclass(frozen=True)
class FewshotTable(Examination):
    """One of the tables; models that take labels make the baseline's row, those that take examples the others."""

    choice: Choice
    which: FewshotTitle
    repeats: int = REPEATS

    @property
    def title(self) -> str:
        """What it is called."""
        return self.which.value

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr_chunks"

    @property
    def plan(self) -> FewshotPlan:
        """What is asked, of what."""
        return PLANS[self.which]

    def units(self) -> list[Unit]:
        """One for each track; of MedleyDB, those without bleed that have two classes or more."""
        name = self.plan.dataset
        everything = replace(self.choice, tracks=None)
        found = tracks_of(everything, self.title, NEEDS[name]).values()
        tracks = list({track.name: track for one in found for track in one}.values())  # editions may share a folder
        tracks = choice_of(few_shot_submixes(tracks) if name == MEDLEY else tracks, self.choice)
        return [Unit(track.name, functools.partial(self._examine, track, tuple(tracks))) for track in tracks]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the table."""
        del records
        found = evaluation.records
        sections = [
            f"# {self.plan.heading}\n\n{describe_origin(found)}",
            f"## The table\n\n{self._table(found)}",
            f"## Left out\n\n{skipped_table(evaluation.skipped)}",
        ]
        return {f"{self.title}.md": "\n\n".join(one for one in sections if not one.endswith("\n\n")) + "\n"}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the table."""
        return self._table(evaluation.records)

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the row that a mode is held against."""
        del item_set
        rival = {one.title: name for one, name in self.plan.rivals.items()}.get(mode)
        cell = self.plan.rows.get(rival or "", {}).get(target)
        return {} if cell is None or rival is None else {rival: cell.value}

    def _table(self, records: Sequence[Record]) -> str:
        against = {condition.title: rival for condition, rival in self.plan.rivals.items()}
        classes = sorted({one.prompt for one in records})
        columns = TARGETS if self.plan.dataset == MUSDB else (*classes, OVERALL)
        overall = functools.partial(weighted_mean, weights=dict.fromkeys(classes, 1.0))
        whole = {} if self.plan.dataset == MUSDB else {OVERALL: overall}
        source = (
            "SDR in dB of BSSEval v4: the median over frames of 1 s, the mean over tracks; what stands behind ± is the "
            "deviation of the means of repetitions with other examples, ten in the paper."
        )
        table = PaperTable(self.plan.heading, source, columns, self.plan.rows, against)
        reading = Reading(lambda one: one.prompt, lambda one: one.more.get("sdr_chunks"), mean_of_repeats, whole)
        return write_table(records, table, reading)

    def _examine(
        self, track: Track, tracks: tuple[Track, ...], contestants: Sequence[Contestant], records: RecordFile
    ) -> Evaluation:
        """Ask everything of models; floors and ceilings, which hear no examples, are asked once."""
        floors = [one for one in contestants if isinstance(one.model, ReferenceModel)]
        asked = {
            tuple(self.plan.rivals): [one for one in contestants if one not in floors],
            (Condition(Kind.LABEL),): floors,
        }
        song = read_song(self.plan.dataset, track)
        others = tuple(one for one in tracks if one.name != track.name)
        found = [
            examine_sheets(
                self._sheets(song, others, conditions), able, records=records,
                settings=replace(self.choice.settings, overlap=0.5), scorer=score_chunks_alone,
            )
            for conditions, able in asked.items() if able and song.targets
        ]  # fmt: skip
        return Evaluation(
            tuple(record for one in found for record in one.records),
            tuple(skipped for one in found for skipped in one.skipped),
        )

    def _sheets(self, song: Song, others: tuple[Track, ...], conditions: Sequence[Condition]) -> Iterator[Sheet]:
        """Yield every condition as often as it is repeated; what cannot be asked is left out."""
        mixture = torch.stack(list(song.parts.values())).sum(dim=0)
        drawer = Drawer(song, others, self.choice.seed)
        for condition in conditions:
            for repeat in range(1 if condition.kind is Kind.LABEL else self.repeats):
                guides = {name: drawer.guide(condition, name, repeat) for name in song.targets}
                asked = tuple(
                    Asked(guide, Reference(name, song.parts[name], (name,)))
                    for name, guide in guides.items()
                    if guide is not None
                )
                if asked:
                    yield Sheet(
                        self.title, condition.title, self.plan.dataset, song.name, song.sample_rate, mixture, asked,
                        seed=1000 * self.choice.seed + repeat,
                    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drawer:
    """Draws what points at the targets of a song; the same for every model, and others in every repetition.

    Args:
        song: that is separated.
        others: tracks that examples of other tracks are cut out of.
        seed: of all draws.
    """

    song: Song
    others: tuple[Track, ...]
    seed: int

    def guide(self, condition: Condition, target: str, repeat: int) -> Guide | None:
        """Return what points at a target; None where that cannot be."""
        count, kind = condition.n_examples, condition.kind
        dice = dice_of(self.seed, repeat, self.song.name, target, condition.title)
        if kind is Kind.LABEL:
            return Label(target)
        if kind is Kind.OTHER_TRACK:
            found = self._elsewhere(target, count, dice)
            return Examples(found) if found else None
        rest = [name for name in self.song.parts if name != target]
        companions = draw_companions(rest, count, dice) if kind is Kind.MULTI_SOURCE else ()
        if kind is Kind.MULTI_SOURCE and not companions:
            return None
        positive = self._here(target, count, dice, companions)
        if kind is not Kind.NEGATIVES:
            return Examples(positive) if positive else None
        wrong = [rest[dice.integer(len(rest))] for _ in range(count if rest else 0)]
        negative = [one for name in wrong for one in self._here(name, 1, dice)]
        return Examples(positive, negative) if positive and negative else None

    def _here(self, target: str, count: int, dice: Dice, companions: Sequence[str] = ()) -> list[Audio]:
        """Cut passages that sound out of the song itself; none where not enough are found."""
        song, samples = self.song, self.song.parts[target]
        length = min(round(EXAMPLE * song.sample_rate), song.n_samples // 2)
        found = []
        for index in range(count):
            start = draw_start(samples, [song.whole], length, dice)
            if start is None:
                return []
            passage = samples[:, start : start + length].clone()
            if companions and companions[index]:
                passage += song.parts[companions[index]][:, start : start + length]
            found.append(Audio(passage, song.sample_rate))
        return found

    def _elsewhere(self, target: str, count: int, dice: Dice) -> list[Audio]:
        """Cut one passage of the class out of each of so many other tracks; fewer where there are fewer."""
        left = [track for track in self.others if any(stem.label == target for stem in track.stems)]
        found: list[Audio] = []
        while left and len(found) < count:
            track = left.pop(dice.integer(len(left)))
            stem = next(stem for stem in track.stems if stem.label == target)
            length = min(round(EXAMPLE * track.sample_rate), track.n_samples // 2)
            for _ in range(MAX_REDRAWS):
                start = dice.integer(track.n_samples - length + 1)
                passage = samples_of(stem, track, start, start + length).mean(dim=0, keepdim=True)
                if sounds(passage):
                    found.append(Audio(passage, track.sample_rate))
                    break
        return found
