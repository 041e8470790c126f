"""Records to a page of Markdown: means with confidence intervals, comparisons, and every item by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.evaluation import paper
from unbraid.evaluation.metrics import presence_auc
from unbraid.evaluation.protocols import Evaluation, Mode, Skipped
from unbraid.evaluation.records import Record, mean_of
from unbraid.evaluation.reference_methods import is_reference
from unbraid.evaluation.statistics import mean_of_items, resample_items

CONFIDENCE = 0.95
MUSDB = "musdb"
REPEATS_NOTE = "Floors and ceilings do not depend on what points at a sound: rows that would say the same are left out."
Score = Callable[[Record], float | None]


@dataclass(frozen=True)
class Mean:
    """A mean over items, and the interval that bootstrap over items gives; None for a single item."""

    value: float
    interval: tuple[float, float] | None
    count: int

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.2f}"
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}, {high:.2f}]"


def bootstrap_mean(values: Sequence[float], *, seed: int = 0) -> Mean:
    """Return the mean and its 95 % confidence interval by the percentile bootstrap.

    Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13; 10,000 resamples.

    Args:
        values: one per item, at least one.
        seed: of the resampling; the same seed gives the same interval.

    Raises:
        ValueError: if there are no values.

    Example:
        >>> str(bootstrap_mean([1.0, 1.0, 1.0]))
        '1.00 [1.00, 1.00]'
    """
    if not values:
        raise ValueError("there is nothing to average: give at least one value")
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1:
        return Mean(float(array[0]), None, 1)
    drawn = resample_items(array, mean_of_items, np.random.default_rng(seed))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Mean(float(array.mean()), (float(low), float(high)), len(array))


def write_report(evaluation: Evaluation) -> str:
    """Return the whole page.

    Raises:
        ValueError: if there is no record.
    """
    records = evaluation.records
    if not records:
        raise ValueError("there is nothing to report: no pass was made")
    sections = [
        "# Evaluation: TUSS protocol\n\n" + describe_run(records),
        "## Scores by prompt\n\n" + score_tables(records),
        "## All prompts against one prompt at a time\n\n" + single_table(records),
        "## Prompts that are not there\n\n" + absent_table(records),
        "## Beside the paper\n\n" + paper_table(records),
        "## By item\n\n" + item_table(records),
        "## Which stems made the references\n\n" + stem_table(records),
        "## Left out\n\n" + skipped_table(evaluation.skipped),
    ]
    return "\n\n".join(section for section in sections if not section.endswith("\n\n")) + "\n"


SCORES = (
    "dB; mean over items with a 95 % bootstrap interval over items; sources of one prompt are averaged first; SI-SDR "
    "without removal of the mean, limited to ±70 dB; channels scored alone and averaged"
)
MOST_NAMES = 10


def describe_run(records: Sequence[Record]) -> str:
    """Say what was measured, on what, with which settings, and how it was scored."""
    return f"{describe_origin(records)}\n- {SCORES}"


def describe_origin(records: Sequence[Record]) -> str:
    """Say what was measured, on what, with which settings."""
    models = {record.model: record.weights for record in records}
    floors = [model for model in models if is_reference(model)]
    items = {(record.item_set, record.item): record.duration for record in records}
    lines = [
        f"- model `{model}`, weights SHA-256 `{weights}`" for model, weights in models.items() if model not in floors
    ]
    lines.extend(["- floors and ceilings: " + ", ".join(f"`{name}`" for name in floors)] if floors else [])
    lines.append(f"- {len(items)} items, {sum(items.values()):.0f} s of audio")
    lines.extend(f"- settings: `{settings}`" for settings in _distinct(record.settings for record in records))
    lines.append(f"- seed {', '.join(sorted({str(record.seed) for record in records}))}")
    lines.extend(f"- made by: `{machine}`" for machine in _distinct(record.provenance for record in records))
    return "\n".join(lines)


def score_tables(records: Sequence[Record]) -> str:
    """Write one table per set of items and mode: prompts and models down, scores across.

    Floors and ceilings answer a prompt alone as they do among others; they are not repeated.
    """
    tables = []
    for item_set in distinct_values(records, lambda record: record.item_set):
        repeats = Repeats()
        for mode in (Mode.ALL, Mode.SINGLE):
            rows = [one for one in records if one.item_set == item_set and one.mode == mode.value]
            if rows:
                tables.append(f"### {item_set}, {mode.value}\n\n{_score_table(rows, repeats)}")
    return "\n\n".join(tables)


def single_table(records: Sequence[Record]) -> str:
    """Compare both modes on the same items, beside the paper's L5 to L5s and L6 to L6s."""
    pairs = _pairs([one for one in records if not is_reference(one.model)])
    if not pairs:
        return ""
    lines = [
        "What changes when a model is asked for one prompt at a time, in dB of SI-SDR on the same items. The paper's "
        "columns are the same difference between its rows, averaged over its test sets.\n",
        "| prompt | model | items | all prompts | single prompt | change | L5 to L5s | L6 to L6s |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for (prompt, model), values in sorted(pairs.items()):
        together, alone = (bootstrap_mean([pair[index] for pair in values]) for index in (0, 1))
        change = bootstrap_mean([pair[1] - pair[0] for pair in values])
        published = [_change(prompt, before, after) for before, after in (("L5", "L5s"), ("L6", "L6s"))]
        lines.append(
            row_of(prompt, model, change.count, f"{together.value:.2f}", f"{alone.value:.2f}", change, *published)
        )
    return "\n".join(lines)


def absent_table(records: Sequence[Record]) -> str:
    """Report what prompts answer whose sound is not there, and how well presence tells the two apart."""
    absent = [record for record in records if record.mode == Mode.ABSENT.value]
    if not absent:
        return ""
    lines = [
        "Each prompt is asked for beside all that are there. The level is the energy of the answer relative to the "
        "mixture; the areas under the ROC curve compare these answers with those for sounds that are there.\n",
        "| prompt | model | questions | level dB | presence where absent | presence where present | AUC of presence "
        "| AUC of level |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for model in distinct_values(absent, lambda record: record.model):
        mine = [record for record in absent if record.model == model]
        present = [record for record in records if record.model == model and record.mode == Mode.ALL.value]
        for prompt in [] if is_reference(model) else distinct_values(mine, lambda record: record.prompt):
            here = [[one for one in rows if one.prompt == prompt] for rows in (mine, present)]
            lines.append(_absent_row(prompt, model, here[0], here[1]))
        lines.append(_absent_row("**all**", model, mine, present))
    return "\n".join(lines)


def paper_table(records: Sequence[Record]) -> str:
    """Put MUSDB scores beside Table III, and name the paper's means where only the prompt is the same."""
    together = [record for record in records if record.mode == Mode.ALL.value]
    parts = []
    musdb = [record for record in together if record.item_set == MUSDB]
    if musdb:
        head = "SNR on MUSDB songs; comparable where these are the 50 songs of MUSDB18-HQ's test part.\n\n"
        parts.append(head + _beside(musdb, lambda one: one.snr, lambda row, one: paper.value_for(row, "MUSDB-HQ", one)))
    others = [record for record in together if record.item_set != MUSDB]
    if others:
        head = (
            "SI-SDR on the other items. The recordings are not the paper's, so this shows only the order of "
            "magnitude: the paper's values are means over all its test sets with that prompt (SNR for instruments).\n\n"
        )
        parts.append(head + _beside(others, lambda one: one.si_sdr, paper.mean_for))
    parts.append("\n".join(f"- {row}: {meaning}" for row, meaning in paper.MEANING.items()) if parts else "")
    return "\n\n".join(part for part in parts if part)


def item_table(records: Sequence[Record]) -> str:
    """List every item, prompt and mode, models side by side: SI-SDR (improvement), SNR."""
    models = models_or_floors(records)
    scored = [record for record in records if record.mode != Mode.ABSENT.value and record.model in models]
    cells = {(one.item_set, one.item, one.mode, one.prompt, one.model): one for one in scored}
    lines = [
        "SI-SDR (improvement over the mixture) / SNR / presence.\n",
        "| item | mode | prompt | " + " | ".join(models) + " |",
        "|---|---|---|" + "--:|" * len(models),
    ]
    for item_set, item, mode, prompt in dict.fromkeys(key[:4] for key in cells):
        row = [cells.get((item_set, item, mode, prompt, model)) for model in models]
        lines.append(row_of(f"{item_set}: {item}", mode, prompt, *(_cell(one) for one in row)))
    return "\n".join(lines)


def stem_table(records: Sequence[Record]) -> str:
    """List how the stems of each item became references."""
    lines = ["| item | prompt | stems |", "|---|---|---|"]
    scored = [one for one in records if one.mode != Mode.ABSENT.value]
    rows = ((f"{one.item_set}: {one.item}", one.prompt, _stems(one)) for one in scored)
    lines.extend(row_of(*row) for row in dict.fromkeys(rows))
    return "\n".join(lines)


def skipped_table(skipped: Sequence[Skipped]) -> str:
    """List the passes that were not made, by reason."""
    reasons: dict[tuple[str, str, str], dict[str, None]] = {}
    for one in skipped:
        reasons.setdefault((one.model, one.mode, one.reason), {})[one.item] = None
    return "\n".join(
        f"- {model}, {mode}: {reason} ({_names(tuple(items))})" for (model, mode, reason), items in reasons.items()
    )


def _names(items: Sequence[str]) -> str:
    """List the first few names, and count the others."""
    more = len(items) - MOST_NAMES
    return ", ".join(items[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _score_table(rows: Sequence[Record], repeats: Repeats) -> str:
    lines = ["| prompt | model | items | SI-SDR | SI-SDR improvement | SNR |", "|---|---|--:|--:|--:|--:|"]
    scores: tuple[Score, ...] = (lambda one: one.si_sdr, lambda one: one.si_sdr_improvement, lambda one: one.snr)
    for prompt in distinct_values(rows, lambda record: record.prompt):
        for model in distinct_values(rows, lambda record: record.model):
            here = [one for one in rows if one.prompt == prompt and one.model == model]
            if here:
                row = (len(here), *(mean_with_interval(here, score) for score in scores))
                if not repeats.found(model, prompt, *row):
                    lines.append(row_of(prompt, model, *row))
    return "\n".join(lines)


def _absent_row(prompt: str, model: str, absent: Sequence[Record], present: Sequence[Record]) -> str:
    scores: tuple[Score, ...] = (lambda one: one.presence, lambda one: one.level_db)
    areas = [area_under_curve(absent, present, score) for score in scores]
    return row_of(
        prompt,
        model,
        len(absent),
        mean_with_interval(absent, scores[1]),
        mean_with_interval(absent, scores[0]),
        mean_with_interval(present, scores[0]),
        *areas,
    )


def area_under_curve(absent: Sequence[Record], present: Sequence[Record], score: Score) -> str:
    """Say how well a score tells what is there from what is not: the area under the ROC curve; – without both."""
    found = [(score(one), there) for rows, there in ((absent, False), (present, True)) for one in rows]
    known = [(value, there) for value, there in found if value is not None]
    if len({there for _, there in known}) < 2:
        return "–"
    return f"{presence_auc(scores=[value for value, _ in known], present=[there for _, there in known]):.3f}"


def _beside(rows: Sequence[Record], score: Score, published: Callable[[str, str], float | None]) -> str:
    models = distinct_values(rows, lambda record: record.model)
    lines = [
        "| prompt | " + " | ".join([*models, *paper.ROWS]) + " |",
        "|---|" + "--:|" * (len(models) + len(paper.ROWS)),
    ]
    for prompt in distinct_values(rows, lambda record: record.prompt):
        mine = [
            mean_with_interval([one for one in rows if one.prompt == prompt and one.model == model], score)
            for model in models
        ]
        theirs = [published(row, prompt) for row in paper.ROWS]
        lines.append(row_of(prompt, *mine, *("–" if value is None else f"{value:.1f}" for value in theirs)))
    return "\n".join(lines)


def _pairs(records: Sequence[Record]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return SI-SDR in both modes, by prompt and model, of the items that have both."""
    found: dict[tuple[str, str, str, str, str], float] = {}
    for one in records:
        if one.si_sdr is not None:
            found[one.prompt, one.model, one.item_set, one.item, one.mode] = one.si_sdr
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for (prompt, model, item_set, item, mode), value in found.items():
        alone = found.get((prompt, model, item_set, item, Mode.SINGLE.value))
        if mode == Mode.ALL.value and alone is not None:
            pairs.setdefault((prompt, model), []).append((value, alone))
    return pairs


def _change(prompt: str, before: str, after: str) -> str:
    first, second = paper.mean_for(before, prompt), paper.mean_for(after, prompt)
    return "–" if first is None or second is None else f"{second - first:+.1f}"


def mean_with_interval(rows: Sequence[Record], score: Score) -> str:
    """Average a score over records, with its interval; – where none is defined."""
    values = [value for value in map(score, rows) if value is not None]
    return str(bootstrap_mean(values)) if values else "–"


def _cell(record: Record | None) -> str:
    if record is None or record.si_sdr is None:
        return "–"
    presence = mean_of([source.presence for source in record.sources])
    told = "" if presence is None else f" / {presence:.2f}"
    improvement = "" if record.si_sdr_improvement is None else f" ({record.si_sdr_improvement:+.1f})"
    return f"{record.si_sdr:.1f}{improvement} / {'–' if record.snr is None else f'{record.snr:.1f}'}{told}"


def _stems(record: Record) -> str:
    return "; ".join(" + ".join(source.stems) for source in record.sources)


def row_of(*cells: object) -> str:
    """Write a row of a table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def distinct_values(records: Iterable[Record], key: Callable[[Record], str]) -> list[str]:
    """Return the values of a key, each once, in the order of the records."""
    return list(dict.fromkeys(key(record) for record in records))


def models_or_floors(records: Iterable[Record]) -> list[str]:
    """Return the models, where there are any; else the floors and ceilings."""
    names = distinct_values(records, lambda record: record.model)
    return [name for name in names if not is_reference(name)] or names


class Repeats:
    """Tells rows of floors and ceilings that would say again what stands above.

    Their answers do not depend on what points at a sound, so that every further way of pointing gives the same numbers.

    Example:
        >>> repeats = Repeats()
        >>> [repeats.found("mixture", "bass", 9, "1.00"), repeats.found("mixture", "bass", 9, "1.00")]
        [False, True]
        >>> [repeats.found("tuss-small", 1), repeats.found("tuss-small", 1)]
        [False, False]
    """

    def __init__(self) -> None:
        self._rows: set[tuple[object, ...]] = set()

    def found(self, model: str, *cells: object) -> bool:
        """Say whether a floor or ceiling had such a row before, and remember it."""
        row = (model, *cells)
        known = is_reference(model) and row in self._rows
        self._rows.add(row)
        return known


def _distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(json.dumps(value, sort_keys=True) for value in values))
