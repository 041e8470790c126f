"""Records of the protocols ``examples`` and ``labels`` to a page of Markdown.

Means are over tracks; parts of a track, and the classes of one track where classes are pooled, are averaged first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from unbraid.evaluation.guided import Protocol
from unbraid.evaluation.paper_guided import ABLATION, AUDIO, FEW_SHOT
from unbraid.evaluation.protocols import Evaluation
from unbraid.evaluation.questions import Kind
from unbraid.evaluation.records import Record, SourceScore, mean_of
from unbraid.evaluation.reference_methods import is_reference
from unbraid.evaluation.report import (
    REPEATS_NOTE,
    Repeats,
    area_under_curve,
    bootstrap_mean,
    describe_run,
    distinct_values,
    mean_with_interval,
    models_or_floors,
    row_of,
    skipped_table,
)

ALL = "**all**"
POINTED = (Kind.LABEL, Kind.SAME_TRACK, Kind.OTHER_TRACK, Kind.NEGATIVES, Kind.MULTI_SOURCE)
UNANSWERED = (Kind.ABSENT, Kind.ABSENT_LABEL, Kind.NOISE, Kind.SILENCE)
Score = Callable[[Record], float | None]


def write_guided_report(evaluation: Evaluation) -> str:
    """Return the whole page.

    Raises:
        ValueError: if there is no record.
    """
    records = evaluation.records
    if not records:
        raise ValueError("there is nothing to report: no pass was made")
    sections = [
        f"# Evaluation: {records[0].protocol} protocol\n\n" + describe_run(records),
        "## Scores by condition\n\n" + condition_tables(records),
        "## What an example changes\n\n" + contrast_table(records),
        "## The wrong instrument\n\n" + wrong_table(records),
        "## Two of a kind\n\n" + pair_table(records),
        "## What is not there\n\n" + nothing_table(records),
        "## Beside the papers\n\n" + beside_table(records),
        "## Left out\n\n" + skipped_table(evaluation.skipped),
    ]
    return "\n\n".join(section for section in sections if not section.endswith("\n\n")) + "\n"


def condition_tables(records: Sequence[Record]) -> str:
    """Write one table per set of tracks: conditions, classes and models down, scores across."""
    tables = []
    for item_set in distinct_values(records, lambda one: one.item_set):
        rows = [one for one in records if one.item_set == item_set and kind_of(one) in POINTED]
        if rows:
            tables.append(f"### {item_set}\n\n{_condition_table(rows)}")
    compared = tables and len(models_or_floors(records)) < len({one.model for one in records})
    return "\n\n".join([*([REPEATS_NOTE] if compared else []), *tables])


def _condition_table(rows: Sequence[Record]) -> str:
    scores: tuple[Score, ...] = (
        lambda one: one.sdr, lambda one: one.si_sdr, lambda one: one.si_sdr_improvement, lambda one: one.presence,
    )  # fmt: skip
    lines = [
        "| condition | class | model | tracks | SDR | SI-SDR | SI-SDR improvement | presence |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    repeats = Repeats()
    for mode in distinct_values(rows, lambda one: one.mode):
        for label in (ALL, *sorted({one.prompt for one in rows if one.mode == mode})):
            for model in distinct_values(rows, lambda one: one.model):
                here = [one for one in rows if one.mode == mode and one.model == model and label in (ALL, one.prompt)]
                if here:
                    tracks = len({one.item for one in here})
                    row = (tracks, *(_mean(by_track(here, score)) for score in scores))
                    if not repeats.found(model, label, *row):
                        lines.append(row_of(mode, label, model, *row))
    return "\n".join(lines)


@dataclass(frozen=True)
class Contrast:
    """Two ways of pointing at the same sound; ``paper`` has the rows of Table 3 that differ in the same way."""

    better: Kind
    worse: Kind
    paper: tuple[str, str] | None = None


CONTRASTS = (
    Contrast(Kind.SAME_TRACK, Kind.WRONG),
    Contrast(Kind.SAME_TRACK, Kind.OTHER_TRACK, ("5-shot", "other tracks")),
    Contrast(Kind.NEGATIVES, Kind.SAME_TRACK, ("negatives", "5-shot")),
    Contrast(Kind.MULTI_SOURCE, Kind.SAME_TRACK, ("multi-source", "5-shot")),
    Contrast(Kind.PAIR_NEGATIVES, Kind.PAIR),
    Contrast(Kind.SAME_TRACK, Kind.LABEL, ("5-shot", "classes")),
)


def contrast_table(records: Sequence[Record]) -> str:
    """Compare ways of pointing at the same sounds, with as many examples; zero for a model that does not listen."""
    found: list[str] = []
    for contrast in CONTRASTS:
        for model in models_or_floors(records):
            mine = [one for one in records if one.model == model]
            for count in sorted({count_of(one) for one in mine if kind_of(one) is contrast.better}):
                found.extend(_contrast_rows(mine, contrast, count))
    if not found:
        return ""
    lines = [
        "SI-SDR against the sound that was meant, in dB: how much more the first way gives than the second, on the "
        "same tracks and classes. The paper's column is the mean difference of SDR over vocals, drums and bass, with "
        "five examples.\n",
        "| first | second | class | model | tracks | difference | paper |",
        "|---|---|---|---|--:|--:|--:|",
    ]
    return "\n".join([*lines, *found])


def _contrast_rows(rows: Sequence[Record], contrast: Contrast, count: int) -> Iterable[str]:
    left = {_place(one): one for one in rows if kind_of(one) is contrast.better and count_of(one) == count}
    fewer = 0 if contrast.worse is Kind.LABEL else count
    right = {_place(one): one for one in rows if kind_of(one) is contrast.worse and count_of(one) == fewer}
    pairs = {
        key: first - second
        for key in left.keys() & right.keys()
        if (first := left[key].si_sdr) is not None and (second := right[key].si_sdr) is not None
    }
    for label in (ALL, *sorted({label for *_, label in pairs})):
        tracks: dict[tuple[str, str], list[float | None]] = {}
        for (item_set, item, prompt), value in sorted(pairs.items()):
            if label in (ALL, prompt):
                tracks.setdefault((item_set, item), []).append(value)
        if tracks:
            names = (next(iter(one.values())).mode for one in (left, right))
            model = next(iter(left.values())).model
            paper = _paper_difference(contrast, label) if count == 5 else "–"
            yield row_of(*names, label, model, len(tracks), _mean([mean_of(one) for one in tracks.values()]), paper)


def _paper_difference(contrast: Contrast, label: str) -> str:
    if contrast.paper is None:
        return "–"
    first, second = (FEW_SHOT[row] for row in contrast.paper)
    labels = list(first) if label == ALL else [label]
    if not set(labels) <= set(first):
        return "–"
    return f"{sum(first[one] - second[one] for one in labels) / len(labels):+.2f}"


def wrong_table(records: Sequence[Record]) -> str:
    """Say how much of the sound that was meant, and of the one that the examples are of, is in the answer."""
    rows = [one for one in records if kind_of(one) is Kind.WRONG]
    lines = [
        "The examples are of another instrument of the same mixture. SI-SDR in dB against the sound of the class, and "
        "against that other instrument, which is what a model that listens draws out.\n",
        "| condition | class | model | tracks | against the class | against the instrument of the examples |",
        "|---|---|---|--:|--:|--:|",
    ]
    for model in distinct_values(rows, lambda one: one.model):
        for label in _labels(rows, model):
            here = [one for one in rows if one.model == model and label in (ALL, one.prompt)]
            tracks = len({one.item for one in here})
            scores = (by_track(here, lambda one: one.si_sdr), by_track(here, _si_sdr_of_others))
            lines.append(row_of(here[0].mode, label, model, tracks, *map(_mean, scores)))
    return "\n".join(lines) if rows else ""


def pair_table(records: Sequence[Record]) -> str:
    """Say whether two instruments of one class are told apart by an example of each, and by one of what it is not."""
    rows = [one for one in records if kind_of(one) in (Kind.PAIR, Kind.PAIR_NEGATIVES)]
    lines = [
        "Both are in the mixture, and each is asked for with examples of itself. SI-SDR in dB against the right one "
        "and against the other one. Right: the share of pairs whose two answers fit better as they were asked for than "
        "exchanged; ties count half, so that a model that does not listen has 0.50.\n",
        "| condition | class | model | tracks | against the right one | against the other | difference | pairs "
        "| right |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for model in distinct_values(rows, lambda one: one.model):
        mine = [one for one in rows if one.model == model]
        for mode, label in product(distinct_values(mine, lambda one: one.mode), _labels(rows, model)):
            here = [one for one in mine if one.mode == mode and label in (ALL, one.prompt)]
            if here:
                verdicts = [verdict for one in here for verdict in pair_verdicts(one.sources, one.others)]
                values = (by_track(here, score) for score in (lambda one: one.si_sdr, _si_sdr_of_others, _margin))
                tracks = len({one.item for one in here})
                right = f"{sum(verdicts) / len(verdicts):.2f}" if verdicts else "–"
                lines.append(row_of(mode, label, model, tracks, *map(_mean, values), len(verdicts), right))
    return "\n".join(lines) if rows else ""


def pair_verdicts(sources: Sequence[SourceScore], others: Sequence[SourceScore]) -> list[float]:
    """Judge pairs that stand one after the other: 1 where each answer fits its own instrument, 0 where exchanged.

    Example:
        >>> right = SourceScore(("a",), "a", 5.0, 0.0, 5.0, 5.0, -3.0, None)
        >>> wrong = SourceScore(("b",), "a", -5.0, 0.0, 0.0, 0.0, -3.0, None)
        >>> pair_verdicts([right, right, wrong, wrong], [wrong, wrong, wrong, wrong])
        [1.0, 0.5]
    """
    found = []
    for first in range(0, len(sources) - 1, 2):
        own = [one.si_sdr for one in sources[first : first + 2]]
        exchanged = [one.si_sdr for one in others[first : first + 2]]
        values = [value for value in (*own, *exchanged) if value is not None]
        if len(values) == 4:
            straight, crossed = values[0] + values[1], values[2] + values[3]
            found.append(0.5 if straight == crossed else float(straight > crossed))
    return found


def nothing_table(records: Sequence[Record]) -> str:
    """Say what comes out where nothing should, and how well presence tells it from sounds that are there."""
    rows = [one for one in records if kind_of(one) in UNANSWERED]
    lines = [
        "The level is the energy of the answer relative to the mixture, in dB; lower is better. The areas under the "
        "ROC curve compare these answers with those for sounds that are there, asked for in the same way (noise: by "
        "examples of the same track).\n",
        "| condition | class | model | questions | level dB | presence where absent | presence where present | "
        "AUC of presence | AUC of level |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    scores: tuple[Score, ...] = (lambda one: one.presence, lambda one: one.level_db)
    for mode in distinct_values(rows, lambda one: one.mode):
        for model in distinct_values(rows, lambda one: one.model):
            absent = [one for one in rows if one.mode == mode and one.model == model]
            for label in [one for one in _labels(absent, model) if one not in ("noise", "silence")] if absent else ():
                here = [one for one in absent if label in (ALL, one.prompt)]
                present = [one for one in _there(records, here[0]) if one.model == model and label in (ALL, one.prompt)]
                areas = (area_under_curve(here, present, score) for score in scores)
                means = (
                    mean_with_interval(side, score)
                    for side, score in ((here, scores[1]), (here, scores[0]), (present, scores[0]))
                )
                lines.append(row_of(mode, label, model, len(here), *means, *areas))
    return "\n".join(lines) if rows else ""


def _there(records: Sequence[Record], absent: Record) -> list[Record]:
    """Return the records of sounds that are there, asked for in the same way."""
    kind = Kind.LABEL if kind_of(absent) is Kind.ABSENT_LABEL else Kind.SAME_TRACK
    there = [one for one in records if kind_of(one) is kind]
    counts = {count_of(one) for one in there}
    count = count_of(absent) if count_of(absent) in counts else max(counts, default=0)
    return [one for one in there if count_of(one) == count]


def beside_table(records: Sequence[Record]) -> str:
    """Put SDR by class beside the papers' tables, and say that songs, training data and framing differ."""
    labels = ("vocals", "drums", "bass", "other")
    rows = [one for one in records if kind_of(one) in POINTED and one.prompt in labels]
    if not rows:
        return ""
    lines = [
        "SDR in dB: here of the whole signal, on these tracks; in the papers by museval (median of seconds), on the "
        "test songs of MUSDB18, after training on data that is not ours. The relations between rows can be compared, "
        "the numbers show the order of magnitude.\n",
        "| row | " + " | ".join(labels) + " |",
        "|---|--:|--:|--:|--:|",
    ]
    repeats = Repeats()
    for model in distinct_values(rows, lambda one: one.model):
        mine = [one for one in rows if one.model == model]
        for mode in distinct_values(mine, lambda one: one.mode):
            here = [[one for one in mine if one.mode == mode and one.prompt == label] for label in labels]
            means = [_mean(by_track(one, lambda row: row.sdr)) for one in here]
            if not repeats.found(model, *means):
                lines.append(row_of(f"{model}, {mode}", *means))
    papers = {f"few-shot paper: {name}": row for name, row in FEW_SHOT.items()} if _has_examples(records) else {}
    if any(one.prompt == "other" for one in rows):
        papers |= {f"LaSAFT paper: {name}": row for name, row in {**ABLATION, "audio query": AUDIO}.items()}
    for name, row in papers.items():
        lines.append(row_of(name, *(f"{row[label]:.2f}" if label in row else "–" for label in labels)))
    return "\n".join(lines)


def _labels(rows: Sequence[Record], model: str) -> list[str]:
    """Return the classes that have rows of their own for a model; floors and ceilings have one for all of them."""
    return [ALL] if is_reference(model) else [ALL, *sorted({one.prompt for one in rows if one.model == model})]


def by_track(rows: Iterable[Record], score: Score) -> list[float | None]:
    """Return one mean per track, over its classes."""
    found: dict[tuple[str, str], list[float | None]] = {}
    for one in rows:
        found.setdefault((one.item_set, one.item), []).append(score(one))
    return [mean_of(values) for values in found.values()]


def kind_of(record: Record) -> Kind | None:
    """Return the kind of condition of a record; None if it is of another protocol."""
    if record.protocol not in set(Protocol):
        return None
    name, _, count = record.mode.rpartition(" x")
    return Kind(name if name and count.isdecimal() else record.mode)


def count_of(record: Record) -> int:
    """Return how many examples the condition of a record has."""
    name, _, count = record.mode.rpartition(" x")
    return int(count) if name and count.isdecimal() else 0


def _si_sdr_of_others(record: Record) -> float | None:
    return mean_of([one.si_sdr for one in record.others])


def _margin(record: Record) -> float | None:
    other = _si_sdr_of_others(record)
    return None if record.si_sdr is None or other is None else record.si_sdr - other


def _place(record: Record) -> tuple[str, str, str]:
    return record.item_set, record.item, record.prompt


def _has_examples(records: Sequence[Record]) -> bool:
    return any(count_of(one) for one in records)


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return str(bootstrap_mean(known)) if known else "–"
