"""The examinations of this project: ``tuss``, ``labels``, ``examples``, and those by mimicry and masks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from unbraid.evaluation import pointed_report
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.guided_report import condition_tables, write_guided_report
from unbraid.evaluation.items import ItemSource, choose_items
from unbraid.evaluation.pointed import DIFFUSION, PointedPlan, evaluate_pointed
from unbraid.evaluation.pointed_claims import write_claims
from unbraid.evaluation.pointed_recordings import evaluate_imitated, find_imitated
from unbraid.evaluation.pointed_records import PointedFile, PointedRecord
from unbraid.evaluation.pointed_sampler import evaluate_sampler
from unbraid.evaluation.pointed_songs import evaluate_songs
from unbraid.evaluation.pointed_windows import WindowSource
from unbraid.evaluation.protocols import PROTOCOL, Contestant, Evaluation, Mode, Plan, Skipped, evaluate_tuss
from unbraid.evaluation.questions import Kind, Shelf, all_conditions, fill_shelf
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.report import score_tables, write_report
from unbraid.evaluation.tracks import TrackSource, by_stem, find_tracks

REPORT = "report.md"


@dataclass(frozen=True)
class PromptExamination(Examination):
    """The protocol ``tuss``: sources by prompts, together, one at a time, and ones that are not there."""

    choice: Choice
    modes: tuple[Mode, ...] = (Mode.ALL,)

    @property
    def title(self) -> str:
        """What it is called."""
        return PROTOCOL

    def units(self) -> list[Unit]:
        """One for each item."""
        return [Unit(item.name, functools.partial(self._examine, item)) for item in self.choice.items(self.title)]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the report."""
        del records
        return {REPORT: write_report(evaluation)}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the scores."""
        return score_tables(evaluation.records)

    def _examine(self, item: ItemSource, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        plan = Plan(modes=self.modes, settings=self.choice.settings, seed=self.choice.seed)
        return evaluate_tuss([item], contestants, records=records, plan=plan)


@dataclass(frozen=True)
class GuidedExamination(Examination):
    """The protocols ``labels`` and, where there are examples, ``examples``."""

    choice: Choice
    n_examples: int = 0
    kinds: tuple[Kind, ...] = tuple(Kind)

    @property
    def title(self) -> str:
        """What it is called."""
        return self._plan().protocol.value

    def units(self) -> list[Unit]:
        """One for each track; passages of the others are cut when the first is examined."""
        tracks, plan = self.choice.songs(), self._plan()

        @functools.cache
        def shelf() -> Shelf:
            return fill_shelf(tracks, duration=plan.example_duration, seed=plan.seed)

        return [Unit(track.name, functools.partial(self._examine, track, shelf)) for track in tracks]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the report."""
        del records
        return {REPORT: write_guided_report(evaluation)}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the scores."""
        return condition_tables(evaluation.records)

    def _plan(self) -> GuidedPlan:
        settings, seed = self.choice.settings, self.choice.seed
        if not self.n_examples:
            return GuidedPlan.of_labels(settings=settings, seed=seed)
        conditions = all_conditions(range(1, self.n_examples + 1))
        asked = tuple(condition for condition in conditions if condition.kind in self.kinds)
        return GuidedPlan(conditions=asked, settings=settings, seed=seed)

    def _examine(
        self,
        track: TrackSource,
        shelf: Callable[[], Shelf],
        contestants: Sequence[Contestant],
        records: RecordFile,
    ) -> Evaluation:
        return evaluate_guided([track], contestants, records=records, plan=self._plan(), shelf=shelf())


class Pointing(StrEnum):
    """What is examined with mimicry and masks."""

    WINDOWS = "pointed"
    STEPS = "pointed-steps"
    HUM = "pointed-hum"
    SONGS = "pointed-songs"


@dataclass(frozen=True)
class PointedExamination(Examination):
    """The protocols of mimicry and masks; several may share one file of records."""

    choice: Choice
    pointing: Pointing = Pointing.WINDOWS

    @property
    def title(self) -> str:
        """What it is called."""
        return self.pointing.value

    def units(self) -> list[Unit]:
        """One for each window, recording or song."""
        choice = self.choice
        if self.pointing is Pointing.HUM:
            folders = find_imitated(choice.folder(self.title))
            return [Unit(one.name, functools.partial(self._imitated, one)) for one in folders]
        if self.pointing is Pointing.SONGS:
            found = find_tracks(choice.folder(self.title), labels=by_stem)
            songs = choose_items(found, count=choice.tracks, seed=choice.seed)
            return [Unit(one.name, functools.partial(self._song, one)) for one in songs]
        return [
            Unit(f"window {number}", functools.partial(self._window, source))
            for number, source in enumerate(choice.windows())
        ]

    def records(self, path: Path) -> PointedFile:
        """Open the file of records."""
        return PointedFile(path)

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr_bss_eval"

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the page of the protocol, and that of the paper's claims where a diffusion model took part."""
        mine = pointed_only(evaluation.records)
        pages = {f"{self.title}.md": self._page(mine, evaluation.skipped)}
        models = {(one.model, one.weights) for one in mine}
        known = [one for one in pointed_only(records.records) if (one.model, one.weights) in models]
        if any(one.settings.get("kind") == DIFFUSION for one in known):
            pages["pointed-claims.md"] = write_claims(known)
        return pages

    def _page(self, records: Sequence[PointedRecord], skipped: Sequence[Skipped]) -> str:
        if self.pointing is Pointing.WINDOWS:
            return pointed_report.write_windows_report(records)
        if self.pointing is Pointing.STEPS:
            return pointed_report.write_sampler_report(records)
        return pointed_report.write_door_report(records, skipped, title=self.title)

    def _plan(self, contestants: Sequence[Contestant]) -> PointedPlan:
        trained = {one.name: one.trained for one in contestants if one.trained}
        return PointedPlan(seed=self.choice.seed, trained=trained, separation=self.choice.settings)

    def _window(self, source: WindowSource, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        assert isinstance(records, PointedFile)
        evaluate = evaluate_sampler if self.pointing is Pointing.STEPS else evaluate_pointed
        return Evaluation(evaluate([source], contestants, records=records, plan=self._plan(contestants)), ())

    def _imitated(self, folder: Path, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        assert isinstance(records, PointedFile)
        plan = self._plan(contestants)
        return Evaluation(*evaluate_imitated([folder], contestants, records=records, plan=plan))

    def _song(self, song: TrackSource, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        assert isinstance(records, PointedFile)
        plan = self._plan(contestants)
        return Evaluation(evaluate_songs([song], contestants, records=records, plan=plan), ())


def pointed_only(records: Sequence[Record]) -> tuple[PointedRecord, ...]:
    """Return the records of mimicry and masks."""
    return tuple(record for record in records if isinstance(record, PointedRecord))
