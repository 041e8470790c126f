"""From a run to its pages: Markdown, and the same for a browser with plots and cases."""

from __future__ import annotations

from pathlib import Path

from unbraid.errors import DatasetError
from unbraid.evaluation.cases import choose_cases, hear_cases
from unbraid.evaluation.examination import Enter, Examination, Run
from unbraid.evaluation.html_report import write_html


def publish(examination: Examination, entrants: Enter, run: Run, path: Path, *, cases: int = 4) -> list[Path]:
    """Write all pages of a run into the folder of its records.

    Args:
        examination: that was run.
        entrants: who took part; they are asked once more for what can be heard on the page.
        run: its results.
        path: of the file of records.
        cases: of so many targets, best, median and worst are kept to be heard; 0 asks for none.

    Returns:
        The files, Markdown first.

    Raises:
        DatasetError: if there is no record, because nobody could be asked.
    """
    evaluation = run.evaluation
    if not evaluation.records:
        reasons = dict.fromkeys(f"{one.model}: {one.reason}" for one in evaluation.skipped)
        raise DatasetError(f"nothing could be asked ({'; '.join(reasons)}): choose other models or recordings")
    pages = examination.pages(evaluation, examination.records(path))
    chosen = choose_cases(evaluation.records, examination.score, count=cases)
    kept = hear_cases(chosen, run.units, run.by_unit, entrants.enter()) if chosen else []
    written = []
    for number, (name, text) in enumerate(pages.items()):
        page = path.with_name(name)
        page.write_text(text, encoding="utf-8")
        written.append(page)
        if number == 0:
            page = page.with_suffix(".html")
            write_html(page, text, evaluation.records, kept, score=examination.score, marks=examination.marks)
            written.append(page)
    return sorted(written, key=lambda page: page.suffix != ".md")
