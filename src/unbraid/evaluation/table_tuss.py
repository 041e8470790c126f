"""Table III of the TUSS paper: five datasets, all prompts at once and one at a time.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, section IV. Mixtures are the sums of their
references; songs of MUSDB18-HQ are scored in SNR, channels alone and averaged, all else in SI-SDR on the first channel.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from unbraid.datasets.public.dataset import Track
from unbraid.datasets.public.speech_preparation import sounding
from unbraid.evaluation import paper
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.items import ItemSource
from unbraid.evaluation.paper_table import PaperTable, Reading, mean_over_items, published, write_table
from unbraid.evaluation.protocols import Contestant, Evaluation, Mode, Plan, evaluate_tuss
from unbraid.evaluation.public_items import Need, choice_of, missing_note, prompted_item, tracks_of
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.report import describe_run, item_table, score_tables, single_table, skipped_table

TITLE = "tuss-table3"
MUSDB = "MUSDB-HQ"
FUSS = "FUSS"
NEEDS = (
    Need("VCTK-DEMAND", {"vctk-demand": "test"}),
    Need("WHAM!", {"whamr-anechoic": "tt", "wham": "tt"}),
    Need(FUSS, {"fuss": "eval"}),
    Need(MUSDB, {"musdb18-hq": "test", "musdb18": "test"}),
    Need("DnR", {"dnr": "tt"}),
)
N_SOURCES = (2, 3, 4)  # of FUSS: mixtures of one source are left out

ORDER = ("M0", "M1", "M2", "M3", "M4", "M5", "L3", "L4", "L5", "L5s", "L6", "L6s")
COLUMNS = tuple(f"{column.test_set} {column.prompt}" for column in paper.COLUMNS)
PAPER = PaperTable(
    title="Table III of the TUSS paper",
    source="SNR for MUSDB-HQ, SI-SDR for all others, in dB; means over items. "
    + "; ".join(f"{row}: {(paper.SPECIALIST_MEANING | paper.MEANING)[row]}" for row in ORDER)
    + ".",
    columns=COLUMNS,
    rows={row: published(COLUMNS, *(paper.SPECIALISTS | paper.ROWS)[row]) for row in ORDER},
    against={"": "M5", Mode.SINGLE.value: "L6s"},
    digits=1,
)


def column_of(record: Record) -> str:
    """Return the column of a record."""
    return f"{record.item_set} {record.prompt}"


def value_of(record: Record) -> float | None:
    """Return the score that the table has of a record."""
    return record.snr if record.item_set == MUSDB else record.si_sdr


READING = Reading(column_of, value_of, mean_over_items)


@dataclass(frozen=True)
class TussTable(Examination):
    """Five datasets, and whichever of them are there."""

    choice: Choice

    @property
    def title(self) -> str:
        """What it is called."""
        return TITLE

    def units(self) -> list[Unit]:
        """One for each item of each dataset."""
        found = []
        for name, tracks in tracks_of(replace(self.choice, tracks=None), TITLE, NEEDS).items():
            several = [track for track in tracks if name != FUSS or len(track.stems) in N_SOURCES]
            chosen = choice_of(several, self.choice)
            fitting = sounding(chosen, n_stems=N_SOURCES) if name == FUSS else chosen
            found += [Unit(track.name, functools.partial(self._examine, name, track)) for track in fitting]
        return found

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the table, and the scores behind it."""
        del records
        found = evaluation.records
        sections = [
            f"# {PAPER.title}\n\n{describe_run(found)}\n{missing_note(self.choice, TITLE, NEEDS)}",
            f"## The table\n\n{write_table(found, PAPER, READING)}",
            f"## Scores by prompt\n\n{score_tables(found)}",
            f"## All prompts against one prompt at a time\n\n{single_table(found)}",
            f"## By item\n\n{item_table(found)}",
            f"## Left out\n\n{skipped_table(evaluation.skipped)}",
        ]
        return {f"{TITLE}.md": "\n\n".join(one for one in sections if not one.endswith("\n\n")) + "\n"}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the table."""
        return write_table(evaluation.records, PAPER, READING)

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the row that a mode is held against; the plots are of SI-SDR, so songs have none."""
        rival = PAPER.rival(mode)
        cell = None if rival is None or item_set == MUSDB else PAPER.rows[rival].get(f"{item_set} {target}")
        return {} if cell is None or rival is None else {rival: cell.value}

    def _examine(self, name: str, track: Track, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        read = functools.partial(prompted_item, track, item_set=name, first_channel=name != MUSDB)
        plan = Plan((Mode.ALL, Mode.SINGLE), self.choice.settings, self.choice.seed, TITLE)
        return evaluate_tuss([ItemSource(track.name, read)], contestants, records=records, plan=plan)
