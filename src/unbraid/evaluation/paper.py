"""Table III of the TUSS paper, as data: what the authors measured, to stand beside what is measured here.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, Table III. Decibels: SNR for MUSDB-HQ, SI-SNR
for all others.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of the table: the test set and the prompt."""

    test_set: str
    prompt: str


COLUMNS = (
    Column("VCTK-DEMAND", "speech"),
    Column("VCTK-DEMAND", "sfx-mix"),
    Column("WHAM!", "speech"),
    Column("WHAM!", "sfx-mix"),
    Column("FUSS", "sfx"),
    Column("MUSDB-HQ", "vocals"),
    Column("MUSDB-HQ", "bass"),
    Column("MUSDB-HQ", "drums"),
    Column("MUSDB-HQ", "other"),
    Column("DnR", "speech"),
    Column("DnR", "music-mix"),
    Column("DnR", "sfx-mix"),
)

ROWS: dict[str, tuple[float, ...]] = {
    "M4": (19.2, 8.7, 3.4, 10.2, 8.1, 7.2, 2.5, 6.6, 3.1, 12.0, 3.8, 2.1),
    "M5": (19.4, 10.2, 7.0, 11.2, 9.6, 8.4, 5.7, 8.3, 4.7, 14.5, 5.7, 7.1),
    "L5": (19.8, 10.4, 8.7, 11.9, 12.2, 8.6, 6.3, 9.1, 5.4, 15.1, 7.0, 8.2),
    "L5s": (16.2, 10.2, 8.7, 6.5, 12.2, -6.5, -3.0, -2.9, -5.0, 13.0, -1.5, 0.4),
    "L6": (19.6, 9.8, 8.8, 11.8, 9.0, 7.3, 4.3, 8.3, 3.4, 14.9, 6.5, 7.8),
    "L6s": (18.7, 9.8, 8.8, 10.4, 9.0, 6.5, 3.9, 7.9, 2.4, 14.5, 3.8, 7.2),
}

MEANING = {
    "M4": "conventional, unified, medium",
    "M5": "TUSS, unified, medium",
    "L5": "TUSS, unified, large",
    "L5s": "L5, one prompt at a time",
    "L6": "L5 fine-tuned with prompt dropout",
    "L6s": "L6, one prompt at a time",
}


SPECIALISTS: dict[str, tuple[float, ...]] = {
    "M0": (17.4, 8.5, 9.3, 12.3, 8.3, 9.1, 6.5, 9.3, 5.6, 15.1, 7.0, 8.3),
    "M1": (17.6, 9.0, 9.3, 12.1, 10.2, 9.4, 7.1, 9.0, 5.9, 14.8, 6.9, 8.2),
    "M2": (20.4, 11.6, 8.2, 11.9, 8.3, 9.4, 7.4, 9.9, 6.0, 14.6, 6.1, 7.4),
    "M3": (20.2, 11.6, 8.5, 12.0, 10.2, 9.6, 7.6, 10.2, 5.9, 14.9, 6.6, 7.7),
    "L3": (20.4, 11.5, 10.1, 12.6, 10.0, 10.4, 8.4, 11.1, 6.5, 15.1, 7.0, 7.9),
    "L4": (19.2, 9.1, 6.5, 10.8, 9.9, 7.7, 4.5, 7.5, 4.2, 12.5, 5.6, 4.9),
}
"""The rows that do not take part in `ROWS`: models for one dataset or task, and the large conventional one."""

SPECIALIST_MEANING = {
    "M0": "conventional, one model per dataset, medium",
    "M1": "prompts, one model per dataset, medium",
    "M2": "conventional, one model per task, medium",
    "M3": "prompts, one model per task, medium",
    "L3": "prompts, one model per task, large",
    "L4": "conventional, unified, large",
}


def mean_for(row: str, prompt: str) -> float | None:
    """Average one row over the test sets of a prompt; None if the paper has no such prompt.

    Example:
        >>> round(mean_for("M5", "speech"), 2)
        13.63
    """
    values = [value for value, column in zip(ROWS[row], COLUMNS, strict=True) if column.prompt == prompt]
    return sum(values) / len(values) if values else None


def value_for(row: str, test_set: str, prompt: str) -> float | None:
    """Return one cell; None if the paper has none.

    Example:
        >>> value_for("M5", "MUSDB-HQ", "vocals")
        8.4
    """
    column = Column(test_set, prompt)
    return ROWS[row][COLUMNS.index(column)] if column in COLUMNS else None
