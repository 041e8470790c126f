"""A paper's table with our rows in it: what the authors measured, what was measured here, and the difference."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unbraid.evaluation.records import Record
from unbraid.evaluation.reference_methods import is_reference
from unbraid.evaluation.report import CONFIDENCE, Mean, bootstrap_mean, distinct_values, row_of
from unbraid.evaluation.statistics import N_RESAMPLES, mean_of_items, resample_items

Value = Callable[[Record], float | None]


@dataclass(frozen=True)
class Cell:
    """A published value, and the deviation that was printed beside it."""

    value: float
    deviation: float | None = None

    def show(self, digits: int) -> str:
        """Return it as it was printed, with so many digits."""
        text = f"{self.value:.{digits}f}"
        return text if self.deviation is None else f"{text} ± {self.deviation:.{digits}f}"


@dataclass(frozen=True)
class Ours:
    """What was measured here: a value, its 95 % interval by bootstrap, and a deviation where a table prints one."""

    value: float
    interval: tuple[float, float] | None = None
    deviation: float | None = None

    def __str__(self) -> str:
        text = f"{self.value:.2f}"
        if self.deviation is not None:
            text += f" ± {self.deviation:.2f}"
        return text if self.interval is None else f"{text} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"

    def less(self, published: float) -> str:
        """Return the difference to a published value, which is taken as it is."""
        moved = None if self.interval is None else (self.interval[0] - published, self.interval[1] - published)
        text = f"{self.value - published:+.2f}"
        return text if moved is None else f"{text} [{moved[0]:+.2f}, {moved[1]:+.2f}]"


Statistic = Callable[[Sequence[Record], Value], Ours | None]
"""From the records of one cell and their score to the number that the table prints."""


@dataclass(frozen=True)
class PaperTable:
    """A table or figure of a paper, as data.

    Args:
        title: such as "Table III of the TUSS paper".
        source: the paper, and what its numbers are.
        columns: in their order.
        rows: published values by row and column; a column may be missing.
        against: the row that our rows of a mode are held against; "" is for every other mode. Where records tell of
            what kind a model is, the kind follows the mode and a comma.
        digits: behind the point, as they were printed.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]
    against: Mapping[str, str] = field(default_factory=dict)
    digits: int = 2

    def rival(self, mode: str, *, kind: str = "") -> str | None:
        """Return the row that a mode, and a kind of model, is held against."""
        if kind:
            return self.against.get(f"{mode}, {kind}")
        return self.against.get(mode, self.against.get(""))


@dataclass(frozen=True)
class Reading:
    """How records become the cells of a table.

    Args:
        column: of a record; "" where it belongs to none.
        value: its score.
        statistic: over the records of a cell.
        whole: columns over all records of a row, by name, with statistics of their own.
    """

    column: Callable[[Record], str]
    value: Value
    statistic: Statistic
    whole: Mapping[str, Statistic] = field(default_factory=dict)

    def cells(self, records: Sequence[Record], columns: Sequence[str]) -> dict[str, Ours | None]:
        """Return the cells of one row."""
        plain = [name for name in columns if name not in self.whole]
        cells = {
            name: self.statistic([one for one in records if self.column(one) == name], self.value) for name in plain
        }
        return cells | {name: statistic(records, self.value) for name, statistic in self.whole.items()}


def published(columns: Sequence[str], *values: float | tuple[float, float] | None) -> dict[str, Cell]:
    """Write a row: a value for every column, with its deviation as a pair; None leaves a column out.

    Example:
        >>> published(("vocals", "bass"), (7.1, 0.2), None)
        {'vocals': Cell(value=7.1, deviation=0.2)}
    """
    pairs = ((one if isinstance(one, tuple) else (one, None)) for one in values)
    return {
        column: Cell(value, deviation)
        for column, (value, deviation) in zip(columns, pairs, strict=True)
        if value is not None
    }


def mean_over_items(records: Sequence[Record], value: Value) -> Ours | None:
    """Average over items; records of one item are averaged first."""
    values = _by_item(records, value)
    if not values:
        return None
    mean: Mean = bootstrap_mean(values)
    return Ours(mean.value, mean.interval)


def median_over_items(records: Sequence[Record], value: Value) -> Ours | None:
    """Take the median over items, with the percentile bootstrap of it."""
    values = np.asarray(_by_item(records, value), dtype=np.float64)
    if len(values) == 0:
        return None
    drawn = resample_items(values, lambda drawn: np.median(drawn, axis=1), np.random.default_rng(0))
    return _with_interval(float(np.median(values)), drawn, count=len(values))


def mean_of_medians(records: Sequence[Record], value: Value, *, targets: Sequence[str]) -> Ours | None:
    """Average the medians of targets; items are drawn with all their targets, so that these stay together.

    Returns:
        None where a target has no value.
    """
    parts = [{(one.item_set, one.item): value(one) for one in records if one.prompt == name} for name in targets]
    items = sorted({item for part in parts for item in part})
    table = np.array([[_number(part.get(item)) for part in parts] for item in items], dtype=np.float64)
    if not items or np.isnan(table).all(axis=0).any():
        return None

    def average(drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return mean_of_items(np.nanmedian(drawn, axis=1))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of draws in which a target has no value at all
        drawn = resample_items(table, average, np.random.default_rng(0), count=N_RESAMPLES // 5)
    return _with_interval(float(np.nanmedian(table, axis=0).mean()), drawn[~np.isnan(drawn)], count=len(items))


def weighted_mean(records: Sequence[Record], value: Value, *, weights: Mapping[str, float]) -> Ours | None:
    """Average the means of targets by weights, over those that are there; items are drawn within each target."""
    groups = {name: _by_item([one for one in records if one.prompt == name], value) for name in weights}
    known = {name: np.asarray(values, dtype=np.float64) for name, values in groups.items() if values}
    if not known:
        return None
    total = sum(weights[name] for name in known)
    dice = np.random.default_rng(0)
    mean, drawn = 0.0, np.zeros(N_RESAMPLES)
    for name, values in known.items():
        share = weights[name] / total
        mean += share * float(values.mean())
        drawn += share * resample_items(values, mean_of_items, dice)
    return _with_interval(mean, drawn, count=max(map(len, known.values())))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _with_interval(value: float, drawn: npt.NDArray[np.float64], *, count: int) -> Ours:
    """Add the percentile interval of what resampling gave; none for a single item."""
    if count < 2 or len(drawn) == 0:
        return Ours(value)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Ours(value, (float(low), float(high)))


def mean_of_repeats(records: Sequence[Record], value: Value) -> Ours | None:
    """Average over items in every repetition, which is its seed; then the mean and deviation of these means."""
    repeats: dict[int, list[float]] = {}
    for record in records:
        found = value(record)
        if found is not None:
            repeats.setdefault(record.seed, []).append(found)
    if not repeats:
        return None
    means = [sum(values) / len(values) for values in repeats.values()]
    over_items = mean_over_items(records, value)
    deviation = float(np.std(means)) if len(means) > 1 else None
    return Ours(sum(means) / len(means), over_items.interval if over_items else None, deviation)


def _by_item(records: Sequence[Record], value: Value) -> list[float]:
    items: dict[tuple[str, str], list[float]] = {}
    for record in records:
        found = value(record)
        if found is not None:
            items.setdefault((record.item_set, record.item), []).append(found)
    return [sum(values) / len(values) for values in items.values()]


def write_table(records: Sequence[Record], table: PaperTable, reading: Reading) -> str:
    """Write the table: the paper's rows, ours, and ours less the paper's.

    Args:
        records: of one protocol.
        table: of the paper.
        reading: how records become cells.
    """
    lines = [
        f"{table.source} Our rows have 95 % bootstrap intervals over items; differences take the published value as "
        "it is.\n",
        "| row | items | " + " | ".join(table.columns) + " |",
        "|---|--:|" + "--:|" * len(table.columns),
    ]
    for name, row in table.rows.items():
        shown = (row[one].show(table.digits) if one in row else "–" for one in table.columns)
        lines.append(row_of(f"paper: {name}", "", *shown))
    differences = []
    for mode in distinct_values(records, lambda one: one.mode):
        for model in distinct_values(records, lambda one: one.model):
            mine = [one for one in records if one.mode == mode and one.model == model]
            cells = reading.cells(mine, table.columns)
            if not any(cells.values()):
                continue
            count = len({(one.item_set, one.item) for one in mine if reading.value(one) is not None})
            ours = ("–" if cells.get(name) is None else cells[name] for name in table.columns)
            lines.append(row_of(f"**{model}, {mode}**", count, *ours))
            rival = table.rival(mode, kind=str(mine[0].settings.get("kind", "")))
            if rival is not None and not is_reference(model):
                differences.append(_difference(f"{model}, {mode}", rival, cells, table))
    return "\n".join([*lines, *differences])


def _difference(title: str, rival: str, cells: Mapping[str, Ours | None], table: PaperTable) -> str:
    row = table.rows[rival]
    shown = []
    for name in table.columns:
        cell = cells.get(name)
        shown.append("–" if cell is None or name not in row else cell.less(row[name].value))
    return row_of(f"{title}, less {rival}", "", *shown)
