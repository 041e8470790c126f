"""The page of a run for a browser: the Markdown report, plots, and cases to hear and see; nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from unbraid.evaluation.cases import Case, write_sounds
from unbraid.evaluation.comparison import score_of
from unbraid.evaluation.drawing import Bars, Boxes, bar_chart, box_plot
from unbraid.evaluation.metrics import SI_SDR_LIMIT_DB
from unbraid.evaluation.records import Record
from unbraid.evaluation.reference_methods import is_reference
from unbraid.evaluation.report import bootstrap_mean, distinct_values
from unbraid.evaluation.spectrogram import hear_levels, paint_spectrogram
from unbraid.evaluation.web_page import render_page

UNITS = {
    "si_sdr": "SI-SDR dB",
    "snr": "SNR dB",
    "sdr": "SDR dB",
    "sdr_chunks": "SDR dB, median of 1 s",
    "sdr_bss_eval": "SDR dB, BSS eval",
    "nll": "negative log-likelihood",
}
SHOWN = {"mixture": "mixture", "truth": "true source", "answer": "answer"}
MAX_FIGURES = 40
FLOOR_DB = -SI_SDR_LIMIT_DB
FAR_DB = 30.0

Marks = Callable[[str, str, str], dict[str, float]]
"""From a set of items, a mode and a target to published values, by the name of their row."""


def no_marks(item_set: str, mode: str, target: str) -> dict[str, float]:
    """Return nothing: no paper has a value for it."""
    del item_set, mode, target
    return {}


def write_html(
    path: Path,
    markdown: str,
    records: Sequence[Record],
    cases: Sequence[Case],
    *,
    score: str,
    marks: Marks = no_marks,
) -> None:
    """Write the page, and the sounds of cases into a folder of its name beside it.

    Args:
        path: of the page, ``.html``.
        markdown: the report.
        records: what the plots are of.
        cases: best, median and worst ones.
        score: what is drawn, such as ``si_sdr``.
        marks: published values beside the bars.

    Raises:
        AudioWriteError: if the sounds cannot be written.
    """
    sections = [_figures(records, score, marks)]
    if cases:
        folder = path.with_name(f"{path.stem}-audio")
        folder.mkdir(parents=True, exist_ok=True)
        shown = "\n".join(_case(case, number, folder, score) for number, case in enumerate(cases, start=1))
        sections.append(f"<h2>Best, median and worst cases</h2>\n{shown}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(markdown, sections), encoding="utf-8")


def _figures(records: Sequence[Record], score: str, marks: Marks) -> str:
    """Draw, for every set of items and mode, boxes of all values and bars of the means."""
    unit = UNITS.get(score, score)
    drawn: list[str] = []
    for item_set in distinct_values(records, lambda one: one.item_set):
        for mode in distinct_values(records, lambda one: one.mode):
            here = [one for one in records if one.item_set == item_set and one.mode == mode]
            values = _by_target(here, score)
            if not values or len(drawn) == MAX_FIGURES:
                continue
            title = f"{item_set}, {mode}"
            boxes = [Boxes(target, series) for target, series in values.items()]
            bars = [
                Bars(
                    target,
                    {name: bootstrap_mean(found) for name, found in series.items()},
                    marks(item_set, mode, target),
                )
                for target, series in values.items()
            ]
            plots = (
                box_plot(boxes, unit=unit, title=f"{title}: all values of {unit}"),
                bar_chart(bars, unit=unit, title=f"{title}: mean {unit}"),
            )
            drawn.append(f"<h3>{escape(title)}</h3>\n" + f'<div class="wide plots">{"".join(plots)}</div>')
    if not drawn:
        return ""
    note = (
        f"<p>{escape(unit)}. Boxes: quartiles, median, whiskers to 1.5 of their distance. Bars: means with 95 % "
        "bootstrap intervals over items; diamonds are published values. What is always at the limit is left out, and "
        f"floors and ceilings that are never within {FAR_DB:.0f} dB of a model.</p>"
    )
    return "<h2>Plots</h2>\n" + "\n".join([note, *drawn])


def _by_target(records: Sequence[Record], score: str) -> dict[str, dict[str, list[float]]]:
    """Gather values by target and model, without those that would flatten all others: limits, far floors, ceilings."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        value = score_of(record, score)
        if value is not None:
            found.setdefault(record.prompt, {}).setdefault(record.model, []).append(value)
    if score == "nll":
        return found
    limited = {target: _near(series) for target, series in found.items()}
    return {target: series for target, series in limited.items() if series}


def _near(series: dict[str, list[float]]) -> dict[str, list[float]]:
    """Leave out what is always at the limit, and floors and ceilings that are far from all models, if there are any."""
    heard = {name: values for name, values in series.items() if max(values) > FLOOR_DB}
    models = [value for name, values in heard.items() if not is_reference(name) for value in values]
    if not models:
        return heard
    low, high = min(models) - FAR_DB, max(models) + FAR_DB
    return {
        name: values
        for name, values in heard.items()
        if not is_reference(name) or any(low <= value <= high for value in values)
    }


def _case(case: Case, number: int, folder: Path, score: str) -> str:
    """Show spectrograms on one scale, and players."""
    files = write_sounds(case, folder, number)
    levels = {name: hear_levels(samples, case.record.sample_rate) for name, samples in case.sounds.items()}
    loudest = max(float(one.max()) for one in levels.values())
    figures = []
    for name, told in SHOWN.items():
        if name in files:
            picture = paint_spectrogram(levels[name], loudest=loudest)
            source = quote(f"{folder.name}/{files[name].name}")
            figures.append(
                f'<figure><img src="{picture}" alt="spectrogram: {told}"><figcaption>{told}</figcaption>'
                f'<audio controls preload="none" src="{source}"></audio></figure>'
            )
    record = case.record
    head = f"{record.prompt}, {record.model}: {case.rank}, {case.score:.2f} {UNITS.get(score, score)}"
    place = f"{record.item_set}: {record.item}, {record.mode}, from {case.start:.1f} s"
    return (
        f'<section class="case"><h3>{escape(head)}</h3><p>{escape(place)}</p>'
        f'<div class="sounds">{"".join(figures)}</div></section>'
    )
