"""Records of the pointed protocols to pages of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from unbraid.evaluation import paper_guidesep
from unbraid.evaluation.paper_guidesep import OVERALL, TABLE
from unbraid.evaluation.pointed import DIFFUSION, PREDICTION
from unbraid.evaluation.pointed_guides import ABSENT, OFF, Balance, Pointing
from unbraid.evaluation.pointed_guides import TABLE as POINTINGS
from unbraid.evaluation.pointed_records import PointedRecord
from unbraid.evaluation.pointed_windows import ORDER
from unbraid.evaluation.protocols import Skipped
from unbraid.evaluation.records import mean_of
from unbraid.evaluation.report import (
    REPEATS_NOTE,
    Repeats,
    area_under_curve,
    bootstrap_mean,
    describe_run,
    distinct_values,
    models_or_floors,
    row_of,
    skipped_table,
)

ALL = "**all**"
Records = Sequence[PointedRecord]
Score = Callable[[PointedRecord], float | None]

NOTE = (
    "SDR is that of BSS eval, with a filter of 512 samples; SIR is the energy of the target in the estimate over that "
    "of what the rest adds to it, SI-SDR counts artifacts as well. Means over windows with 95 % bootstrap intervals."
)


def write_windows_report(records: Records) -> str:
    """Return the page of the protocol ``pointed``.

    Raises:
        ValueError: if there is no record.
    """
    if not records:
        raise ValueError("there is nothing to report: no pass was made")
    sections = [
        "# Evaluation: pointed protocol\n\n" + describe_run(records),
        "## Scores by guide\n\n" + guide_tables(records),
        "## Beside the paper\n\n" + beside_table(records),
        "## Mimicry that is off\n\n" + off_table(records),
        "## What is not there\n\n" + absent_table(records),
    ]
    return _page(sections)


def write_door_report(records: Records, skipped: Sequence[Skipped], *, title: str) -> str:
    """Return the page of the protocol ``pointed-hum`` or ``pointed-songs``: means by set, and every item.

    Raises:
        ValueError: if there is no record.
    """
    if not records:
        raise ValueError("there is nothing to report: no pass was made")
    sections = [
        f"# Evaluation: {title} protocol\n\n" + describe_run(records),
        "## Scores by guide\n\n" + score_tables(records, by_group=False),
        "## By item\n\n" + item_table(records),
        "## Left out\n\n" + skipped_table(skipped),
    ]
    return _page(sections)


def write_sampler_report(records: Records) -> str:
    """Return the page of the protocol ``pointed-steps``.

    Raises:
        ValueError: if there is no record.
    """
    if not records:
        raise ValueError("there is nothing to report: no pass was made")
    return _page(["# Evaluation: pointed-steps protocol\n\n" + describe_run(records), sampler_table(records)])


def _page(sections: Iterable[str]) -> str:
    return "\n\n".join(section for section in sections if not section.endswith("\n\n")) + "\n"


def guide_tables(records: Records) -> str:
    """Write one table per set of windows: the guides of the paper and sung mimicry, groups and models down."""
    return score_tables([one for one in records if one.mode in (*POINTINGS, Pointing.SUNG)])


def score_tables(records: Records, *, by_group: bool = True) -> str:
    """Write one table per set: ways of pointing, groups and models down, scores across."""
    tables = []
    for item_set in distinct_values(records, lambda one: one.item_set):
        rows = [one for one in records if one.item_set == item_set]
        tables.append(f"### {item_set}\n\n{_score_table(rows, by_group=by_group)}")
    note = f"{NOTE} {REPEATS_NOTE}" if len(models_or_floors(records)) < len({one.model for one in records}) else NOTE
    return "\n\n".join([note, *tables]) if tables else ""


def _score_table(rows: Records, *, by_group: bool) -> str:
    scores: tuple[Score, ...] = (
        lambda one: one.sdr_bss_eval, lambda one: one.si_sdr, lambda one: one.si_sdr_improvement,
        lambda one: one.si_sir, lambda one: one.presence,
    )  # fmt: skip
    lines = [
        "| guide | group | model | items | SDR | SI-SDR | SI-SDR improvement | SIR | presence |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    repeats = Repeats()
    for mode in distinct_values(rows, lambda one: one.mode):
        for group in (ALL, *(groups_of(rows) if by_group else ())):
            for model in distinct_values(rows, lambda one: one.model):
                here = select(rows, mode=mode, model=model, group=group)
                scored = [one for one in here if one.si_sdr is not None]
                if scored:
                    row = (len(scored), *(mean_over(scored, score) for score in scores))
                    if not repeats.found(model, group, *row):
                        lines.append(row_of(mode, group, model, *row))
    return "\n".join(lines)


def beside_table(records: Records) -> str:
    """Put SDR by group, with equal peaks as in the paper, beside its table."""
    rows = [one for one in records if one.item_set.endswith(f", {Balance.PEAKS}")]
    if not rows:
        return ""
    groups = (*paper_guidesep.GROUPS, *(group for group in groups_of(rows) if group not in paper_guidesep.GROUPS))
    lines = [
        "SDR in dB, target and rest brought to equal peaks. The paper's windows are from the test songs of Slakh2100, "
        "which are not these, and it trained 300,000 steps: the relations between rows can be compared. Overall is "
        "the mean over groups here, and weighted by how often groups occur there.\n",
        "| row | " + " | ".join([*groups, OVERALL]) + " |",
        "|---|" + "--:|" * (len(groups) + 1),
    ]
    repeats = Repeats()
    for model in distinct_values(rows, lambda one: one.model):
        for mode in distinct_values(rows, lambda one: one.mode):
            means = [mean_of([one.sdr_bss_eval for one in select(rows, mode=mode, model=model, group=group)])
                     for group in groups]  # fmt: skip
            if any(mean is not None for mean in means) and not repeats.found(model, *means):
                lines.append(row_of(f"{model}, {mode}", *map(_number, [*means, mean_of(means)])))
    for name, row in TABLE.items():
        lines.append(row_of(f"paper: {name}", *(_number(row.get(group)) for group in (*groups, OVERALL))))
    return "\n".join(lines)


def off_table(records: Records) -> str:
    """Say what it costs when mimicry is late, flat, in another octave, partial, or sung."""
    lines = [
        "Each differs in one thing from the melody as it is, played by a plain synthesizer. SI-SDR in dB: of the "
        "answer, and less that of the exact melody, on the same windows.\n",
        "| mimicry | model | windows | SI-SDR | less that of the exact melody | presence |",
        "|---|---|--:|--:|--:|--:|",
    ]
    head = len(lines)
    for mode in (Pointing.EXACT, *OFF, Pointing.MIMICRY, Pointing.SUNG):
        for model in models_or_floors(records):
            here = [one for one in select(records, mode=mode, model=model) if one.item_set.endswith(Balance.SONG)]
            pairs = paired(here, select(records, mode=Pointing.EXACT, model=model), lambda one: one.si_sdr)
            if pairs:
                presence = mean_over(here, lambda one: one.presence)
                level = mean_over(here, lambda one: one.si_sdr)
                lines.append(row_of(mode, model, len(pairs), level, bootstrap_mean(pairs), presence))
    return "\n".join(lines) if len(lines) > head else ""


def absent_table(records: Records) -> str:
    """Say what comes out where nothing should, and how well presence tells it from sounds that are there."""
    lines = [
        "The level is the energy of the answer relative to the mixture, in dB; lower is better. The areas under the "
        "ROC curve compare these answers with those for played mimicry of targets that sound.\n",
        "| question | model | windows | level dB | level where present | presence where absent | "
        "presence where present | AUC of presence | AUC of level |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    head = len(lines)
    for mode in ABSENT:
        for model in distinct_values(records, lambda one: one.model):
            absent = select(records, mode=mode, model=model)
            sets = {one.item_set for one in absent}
            present = [one for one in select(records, mode=Pointing.MIMICRY, model=model) if one.item_set in sets]
            if absent:
                lines.append(
                    row_of(
                        mode, model, len(absent),
                        *(mean_over(side, lambda one: one.level_db) for side in (absent, present)),
                        *(mean_over(side, lambda one: one.presence) for side in (absent, present)),
                        area_under_curve(absent, present, lambda one: one.presence),
                        area_under_curve(absent, present, lambda one: one.level_db),
                    )
                )  # fmt: skip
    return "\n".join(lines) if len(lines) > head else ""


def item_table(records: Records) -> str:
    """List every item and way of pointing, models side by side."""
    models = models_or_floors(records)
    cells = {(one.item_set, one.item, one.mode, one.model): one for one in records}
    lines = [
        "SDR / SI-SDR (improvement over the mixture) / SIR / presence.\n",
        "| set | item | guide | " + " | ".join(models) + " |",
        "|---|---|---|" + "--:|" * len(models),
    ]
    for item_set, item, mode in dict.fromkeys(key[:3] for key in cells):
        row = [_cell(cells.get((item_set, item, mode, model))) for model in models]
        if any(cell != "–" for cell in row):
            lines.append(row_of(item_set, item, mode, *row))
    return "\n".join(lines)


def sampler_table(records: Records) -> str:
    """List samplers by their quality and time."""
    lines = [
        "From the same start noise, told by played mimicry. Clean data are extrapolated in orders 2 and 3. The best "
        "of several draws is the one that is found again best in the mixture; their mean is taken sample by sample. "
        f"{NOTE}\n",
        "| sampler | model | windows | SDR | SI-SDR | SIR | presence | seconds |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for model in distinct_values(records, lambda one: one.model):
        for mode in distinct_values(records, lambda one: one.mode):
            here = select(records, mode=mode, model=model)
            if here:
                scores: tuple[Score, ...] = (
                    lambda one: one.sdr_bss_eval, lambda one: one.si_sdr, lambda one: one.si_sir,
                    lambda one: one.presence,
                )  # fmt: skip
                seconds = mean_of([one.seconds for one in here])
                means = (mean_over(here, score) for score in scores)
                lines.append(row_of(mode, model, len(here), *means, _number(seconds)))
    return "\n".join(lines)


def select(records: Iterable[PointedRecord], *, mode: str, model: str, group: str = ALL) -> list[PointedRecord]:
    """Return the records of one way of pointing, model and group."""
    return [one for one in records if one.mode == mode and one.model == model and group in (ALL, one.prompt)]


def paired(better: Records, worse: Records, score: Score) -> list[float]:
    """Return differences of a score on the same items of the same sets, in their order.

    Groups are not averaged: every item counts once.
    """
    right = {(one.item_set, one.item): score(one) for one in worse}
    found = []
    for one in better:
        first, second = score(one), right.get((one.item_set, one.item))
        if first is not None and second is not None:
            found.append(first - second)
    return found


def groups_of(records: Records) -> list[str]:
    """Return the groups that occur: those of instruments in their order, then others by name."""
    here = {one.prompt for one in records}
    return [*(group for group in ORDER if group in here), *sorted(here - set(ORDER))]


def models_of(records: Records, kind: str) -> list[str]:
    """Return the names of the models of a kind, `DIFFUSION` or `PREDICTION`."""
    assert kind in (DIFFUSION, PREDICTION)
    return distinct_values([one for one in records if one.settings.get("kind") == kind], lambda one: one.model)


def mean_over(records: Records, score: Score) -> str:
    """Average a score over records, with its interval; – where none is defined."""
    values = [value for value in map(score, records) if value is not None]
    return str(bootstrap_mean(values)) if values else "–"


def _cell(record: PointedRecord | None) -> str:
    if record is None or record.si_sdr is None:
        return "–"
    improvement = "" if record.si_sdr_improvement is None else f" ({record.si_sdr_improvement:+.1f})"
    scores = (record.sdr_bss_eval, record.si_sir, record.presence)
    filtered, interference, presence = ("–" if value is None else f"{value:.2f}" for value in scores)
    return f"{filtered} / {record.si_sdr:.2f}{improvement} / {interference} / {presence}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
