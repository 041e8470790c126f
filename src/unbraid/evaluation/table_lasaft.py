"""Tables 1 to 3 of the LaSAFT paper, and its sweeps over latent sources and FFT windows.

Source: Choi et al., "LaSAFT-Net v2", JAES 70(9), 2022, section 4. SDR of BSSEval v4 on the 50 test songs of MUSDB18:
the median over frames of one second for each song, then over songs; windows overlap by half.

Axes: S stems, C channels, N samples.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Track
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.comparison import score_of
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.items import Reference
from unbraid.evaluation.paper_lasaft import FOUR, LISTENING, MODELS, QUERIES, SWEPT_SAR, Rows
from unbraid.evaluation.paper_table import PaperTable, Reading, mean_of_medians, median_over_items, write_table
from unbraid.evaluation.protocols import Contestant, Evaluation, Skipped
from unbraid.evaluation.public_items import Need, choice_of, find_roots, samples_of, tracks_of
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.report import describe_origin, distinct_values, row_of, skipped_table
from unbraid.evaluation.sheets import Asked, Scorer, Sheet, examine_sheets, score_bss_eval, score_chunks
from unbraid.evaluation.tracks import sounds
from unbraid.guides.kinds import Examples, Label
from unbraid.models.lasaft import Lasaft

OVERLAP = 0.5
MUSDB = "MUSDB18"
TEST = Need(MUSDB, {"musdb18-hq": "test", "musdb18": "test"})
TRAIN = Need(MUSDB, {"musdb18-hq": "train", "musdb18": "train"})
AVERAGE = "average"
READING = Reading(
    lambda record: record.prompt,
    lambda record: record.more.get("sdr_chunks"),
    median_over_items,
    whole={AVERAGE: functools.partial(mean_of_medians, targets=FOUR)},
)
LABEL, QUERY = "label", "audio query"


class LasaftTitle(StrEnum):
    """The tables and sweeps."""

    TABLE1 = "lasaft-table1"
    TABLE2 = "lasaft-table2"
    TABLE3 = "lasaft-table3"
    LATENTS = "lasaft-latents"
    FFT = "lasaft-fft"


TITLES = {
    LasaftTitle.TABLE1: "Table 1 of the LaSAFT paper: listening",
    LasaftTitle.TABLE2: "Table 2 of the LaSAFT paper: other models",
    LasaftTitle.TABLE3: "Table 3 of the LaSAFT paper: audio queries",
    LasaftTitle.LATENTS: "Figure 11 of the LaSAFT paper: the number of latent sources",
    LasaftTitle.FFT: "Figure 12 of the LaSAFT paper: the length of the FFT window",
}
SWEPT_SCORES = ("sdr_chunks", "sar_chunks")
SWEPT = {LasaftTitle.LATENTS: "n_latent", LasaftTitle.FFT: "n_fft"}
PUBLISHED: Mapping[LasaftTitle, tuple[Rows, str]] = {
    LasaftTitle.TABLE1: (LISTENING, "query-key (small)"),
    LasaftTitle.TABLE2: (MODELS, "query-key (large)"),
    LasaftTitle.TABLE3: (QUERIES, "audio query"),
}
"""The rows of each table, and the one that ours are held against."""


def table_of(which: LasaftTitle) -> PaperTable:
    """Return a published table; the sweeps are figures, which have none.

    Raises:
        KeyError: if it is a sweep.
    """
    rows, rival = PUBLISHED[which]
    return PaperTable(
        title=TITLES[which],
        source="SDR in dB of BSSEval v4 on MUSDB18: medians over frames of 1 s, then over songs; the average is that "
        "of the four medians, and what stands behind ± the deviation over three trainings.",
        columns=(*FOUR, AVERAGE),
        rows=rows,
        against={"": rival},
    )


@dataclass(frozen=True)
class LasaftTable(Examination):
    """One of the tables or sweeps; the models that are given make its rows."""

    choice: Choice
    which: LasaftTitle

    @property
    def title(self) -> str:
        """What it is called."""
        return self.which.value

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr_chunks"

    def units(self) -> list[Unit]:
        """One for each song of the test part."""
        (tracks,) = tracks_of(self.choice, self.title, (TEST,)).values()
        teach = functools.cache(self._teach) if self.which is LasaftTitle.TABLE3 else None
        return [Unit(track.name, functools.partial(self._examine, track, teach)) for track in tracks]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the table or sweep."""
        del records
        found = evaluation.records
        sections = [
            f"# {TITLES[self.which]}\n\n{describe_origin(found)}",
            f"## The table\n\n{self._table(found)}",
            f"## Left out\n\n{skipped_table(evaluation.skipped)}",
        ]
        return {f"{self.title}.md": "\n\n".join(one for one in sections if not one.endswith("\n\n")) + "\n"}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the table."""
        return self._table(evaluation.records)

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the paper's own models."""
        del item_set, mode
        if self.which in SWEPT:
            return {}
        rows, rival = PUBLISHED[self.which]
        return {rival: rows[rival][target].value} if target in rows[rival] else {}

    def _table(self, records: Sequence[Record]) -> str:
        if self.which in SWEPT:
            return sweep_table(records, SWEPT[self.which])
        return write_table(records, table_of(self.which), READING)

    def _examine(
        self,
        track: Track,
        teach: Callable[[Contestant], str | None] | None,
        contestants: Sequence[Contestant],
        records: RecordFile,
    ) -> Evaluation:
        scorer: Scorer = score_bss_eval if self.which is LasaftTitle.LATENTS else score_chunks
        settings = replace(self.choice.settings, overlap=OVERLAP)
        mode = QUERY if teach else LABEL
        obstacles = {one.name: teach(one) if teach else None for one in contestants}
        able = [one for one in contestants if obstacles[one.name] is None]
        sheets = self._sheets(track, mode)
        found = examine_sheets(sheets, able, records=records, settings=settings, scorer=scorer)
        unable = [Skipped(name, mode, track.name, reason) for name, reason in obstacles.items() if reason]
        return Evaluation(found.records, (*found.skipped, *unable))

    def _sheets(self, track: Track, mode: str) -> Iterator[Sheet]:
        stems = {stem.label: samples_of(stem, track) for stem in track.stems}
        asked = tuple(Asked(Label(name), Reference(name, stems[name], (name,))) for name in FOUR if name in stems)
        mixture = torch.stack(list(stems.values())).sum(dim=0)
        yield Sheet(self.title, mode, MUSDB, track.name, track.sample_rate, mixture, asked, seed=self.choice.seed)

    def _teach(self, contestant: Contestant) -> str | None:
        """Let a model know the mean query of every stem over the training songs; say why not where it cannot."""
        model = contestant.model
        if isinstance(model, ReferenceModel):
            return None
        if not isinstance(model, Lasaft) or Examples not in model.accepts:
            return "it listens to no audio query"
        (dataset, root), *_ = find_roots(self.choice.folder(self.title), (TRAIN,)).values()
        songs = choice_of(find(dataset).index(root, TRAIN.splits[dataset]), self.choice)
        for name in FOUR:
            if name in model.taught:
                continue
            queries = [query for song in songs for query in _queries(model, song, name)]
            if not queries:
                return f"no training song has {name}"
            model.teach(name, torch.stack(queries).mean(dim=0))
        return None


def _queries(model: Lasaft, song: Track, label: str) -> Iterator[Tensor]:
    """Embed all windows of a stem that sound, one after the other, as long as those that the model is trained on."""
    length = round(model.segment * song.sample_rate)
    for stem in (one for one in song.stems if one.label == label):
        for start in range(0, max(1, song.n_samples - length + 1), length):
            passage = samples_of(stem, song, start, min(start + length, song.n_samples))
            if sounds(passage):
                yield model.embed(Examples([Audio(passage, song.sample_rate)]))


def sweep_table(records: Sequence[Record], axis: str) -> str:
    """Average the medians of the four stems for every model, sorted by what is swept; beside it SAR."""
    lines = [
        "Medians over songs, averaged over the four stems, in dB, with 95 % bootstrap intervals over songs. The paper "
        "shows SDR as a figure only; for 16, 32 and 64 latent sources it gives the mean SAR of its three "
        "architectures.\n",
        f"| {axis} | model | songs | SDR | SAR | SAR in the paper |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    rows = []
    for model in distinct_values(records, lambda one: one.model):
        mine = [one for one in records if one.model == model]
        means = [mean_of_medians(mine, functools.partial(_score, name), targets=FOUR) for name in SWEPT_SCORES]
        place = mine[0].settings.get(axis)
        theirs = SWEPT_SAR.get(place) if axis == "n_latent" and place is not None else None
        shown = ("–" if value is None else value for value in (*means, theirs))
        songs = len({one.item for one in mine})
        rows.append((place is None, place or 0, row_of(place or "–", model, songs, *shown)))
    return "\n".join([*lines, *(row for _, _, row in sorted(rows))])


def _score(name: str, record: Record) -> float | None:
    return score_of(record, name)
