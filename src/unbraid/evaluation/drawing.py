"""Plots as SVG text: boxes and bars, for pages that need nothing from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from unbraid.evaluation.report import Mean

COLORS = ("#3b6fb6", "#d1682e", "#3f8f5b", "#8a5fb0", "#b8435a", "#7a6a4f", "#2f9aa0", "#8b8b2f")
HEIGHT, TOP, LEFT, BOTTOM, RIGHT = 320, 24, 56, 88, 16
LANE, GAP = 26, 22
N_TICKS = 6


@dataclass(frozen=True)
class Boxes:
    """One place on the axis: values by the name of the series."""

    label: str
    series: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Bars:
    """One place on the axis: means by the name of the series, and published values to mark beside them."""

    label: str
    series: Mapping[str, Mean]
    marks: Mapping[str, float] = field(default_factory=dict)


def ticks_of(low: float, high: float, *, count: int = N_TICKS) -> list[float]:
    """Return round numbers that cover a range, evenly spaced.

    Example:
        >>> ticks_of(-1.3, 8.2)
        [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    span = max(high - low, 1e-9) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(span))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class _Axis:
    """From values to heights in the picture."""

    ticks: Sequence[float]

    def __call__(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        share = (min(max(value, low), high) - low) / (high - low)
        return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)


def box_plot(groups: Sequence[Boxes], *, unit: str, title: str) -> str:
    """Draw boxes from quartile to quartile with the median, whiskers to 1.5 of their distance, and what lies beyond.

    Source: Tukey, "Exploratory data analysis", 1977.

    Args:
        groups: at least one value in all.
        unit: of the values, written at the axis.
        title: for those who do not see it.
    """
    names = _names(groups)
    values = [value for group in groups for series in group.series.values() for value in series]
    axis = _Axis(ticks_of(min(values), max(values)))
    shapes, places = [], []
    x = float(LEFT + GAP)
    for group in groups:
        begin = x
        for name in (one for one in names if group.series.get(one)):
            shapes.append(_box(x, axis, np.asarray(group.series[name], dtype=np.float64), _color(names, name), name))
            x += LANE
        places.append(((begin + max(x, begin + LANE)) / 2, group.label))
        x = max(x, begin + LANE) + GAP
    return _picture(x, axis, shapes, places, names, unit=unit, title=title)


def bar_chart(groups: Sequence[Bars], *, unit: str, title: str) -> str:
    """Draw means as bars from zero, with their intervals, and published values as diamonds.

    Args:
        groups: at least one mean in all.
        unit: of the values, written at the axis.
        title: for those who do not see it.
    """
    names = _names(groups)
    means = [mean for group in groups for mean in group.series.values()]
    ends = [end for mean in means for end in (mean.interval or (mean.value, mean.value))]
    marks = [mark for group in groups for mark in group.marks.values()]
    axis = _Axis(ticks_of(min(0.0, *ends, *marks), max(0.0, *ends, *marks)))
    shapes, places = [], []
    x = float(LEFT + GAP)
    for group in groups:
        begin = x
        for name in (one for one in names if one in group.series):
            shapes.append(_bar(x, axis, group.series[name], _color(names, name), name))
            x += LANE
        for name, mark in group.marks.items():
            shapes.append(_diamond(x, axis(mark), f"{name}: {mark:.2f}"))
            x += LANE / 2
        places.append(((begin + max(x, begin + LANE)) / 2, group.label))
        x = max(x, begin + LANE) + GAP
    return _picture(x, axis, shapes, places, names, unit=unit, title=title)


def _names(groups: Sequence[Boxes] | Sequence[Bars]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group.series))


def _color(names: Sequence[str], name: str) -> str:
    return COLORS[names.index(name) % len(COLORS)]


def _box(x: float, axis: _Axis, values: np.ndarray[tuple[int], np.dtype[np.float64]], color: str, name: str) -> str:
    low, median, high = (float(one) for one in np.percentile(values, [25, 50, 75]))
    reach = 1.5 * (high - low)
    inside = values[(values >= low - reach) & (values <= high + reach)]
    foot, head = float(inside.min()), float(inside.max())
    middle, width = x + LANE / 2, LANE - 8
    told = f"{name}: median {median:.2f}, quartiles {low:.2f} to {high:.2f}, {len(values)} values"
    dots = "".join(
        f'<circle cx="{middle}" cy="{axis(float(one))}" r="2" fill="none" stroke="{color}"/>'
        for one in values
        if not foot <= one <= head
    )
    return (
        f"<g><title>{escape(told)}</title>"
        f'<line x1="{middle}" x2="{middle}" y1="{axis(head)}" y2="{axis(foot)}" stroke="{color}"/>'
        f'<rect x="{x + 4}" y="{axis(high)}" width="{width}" height="{max(axis(low) - axis(high), 1):.1f}" '
        f'fill="{color}" fill-opacity="0.35" stroke="{color}"/>'
        f'<line x1="{x + 4}" x2="{x + 4 + width}" y1="{axis(median)}" y2="{axis(median)}" stroke="{color}" '
        f'stroke-width="2.5"/>{dots}</g>'
    )


def _bar(x: float, axis: _Axis, mean: Mean, color: str, name: str) -> str:
    top, bottom = sorted((axis(mean.value), axis(0.0)))
    middle = x + LANE / 2
    whisker = ""
    if mean.interval is not None:
        low, high = (axis(end) for end in mean.interval)
        whisker = f'<path d="M{middle} {low}V{high}M{middle - 4} {low}h8M{middle - 4} {high}h8" class="whisker"/>'
    return (
        f"<g><title>{escape(f'{name}: {mean}')}</title>"
        f'<rect x="{x + 3}" y="{top}" width="{LANE - 6}" height="{max(bottom - top, 1):.1f}" fill="{color}" '
        f'fill-opacity="0.75"/>{whisker}</g>'
    )


def _diamond(x: float, y: float, told: str) -> str:
    middle = x + LANE / 4
    return (
        f"<g><title>{escape(told)}</title>"
        f'<path d="M{middle} {y - 5}l5 5l-5 5l-5 -5z" fill="none" stroke="currentColor" stroke-width="1.5"/></g>'
    )


def _picture(
    width: float,
    axis: _Axis,
    shapes: Sequence[str],
    places: Sequence[tuple[float, str]],
    names: Sequence[str],
    *,
    unit: str,
    title: str,
) -> str:
    """Put shapes between an axis, the labels of their places, and a legend."""
    legend_width = sum(26 + 7 * len(name) for name in names) + LEFT
    full = max(width + RIGHT, float(legend_width), 320.0)
    kinds = {tick: "zero" if tick == 0 else "grid" for tick in axis.ticks}
    lines = "".join(
        f'<line x1="{LEFT}" x2="{full - RIGHT}" y1="{axis(tick)}" y2="{axis(tick)}" class="{kinds[tick]}"/>'
        f'<text x="{LEFT - 6}" y="{axis(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in axis.ticks
    )
    foot = HEIGHT - BOTTOM + 14
    labels = "".join(
        f'<text x="{x:.0f}" y="{foot}" text-anchor="end" transform="rotate(-35 {x:.0f} {foot})">{escape(label)}</text>'
        for x, label in places
    )
    legend, x = "", LEFT
    for name in names:
        legend += f'<rect x="{x}" y="4" width="12" height="12" fill="{_color(names, name)}"/>'
        legend += f'<text x="{x + 16}" y="14">{escape(name)}</text>'
        x += 26 + 7 * len(name)
    middle = (HEIGHT - BOTTOM + TOP) / 2
    return (
        f'<svg role="img" viewBox="0 0 {full:.0f} {HEIGHT}" width="{full:.0f}" height="{HEIGHT}">'
        f"<title>{escape(title)}</title>{lines}"
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(unit)}</text>'
        f"{''.join(shapes)}{labels}{legend}</svg>"
    )
