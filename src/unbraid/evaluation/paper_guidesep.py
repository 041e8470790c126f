"""What the GuideSep paper measured, as data, to stand beside what is measured here.

SDR in decibels, of BSS eval with a filter of 512 samples, over windows of 4.08 s of the test part of Slakh2100, whose
target and rest were brought to equal peaks.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, Table 2 and section 4.
"""

from __future__ import annotations

from collections.abc import Mapping

OVERALL = "overall"
GROUPS = ("Piano", "Guitar", "Bass", "Strings", "Brass", "Synth", "Pipe", "Reed", "Organ", "Chromatic Percussion")
POLYPHONIC = ("Piano", "Guitar", "Strings", "Synth")
"""Groups that the paper says suffer from chords."""
HUMMING = 13.61
"""Recorded humming of rendered melodies (HumTrans), before other songs."""

Row = Mapping[str, float]


def _row(overall: float, *groups: float) -> Row:
    return {**dict(zip(GROUPS, groups, strict=True)), OVERALL: overall}


TABLE: dict[str, Row] = {
    "full": _row(10.46, 8.34, 10.53, 11.97, 9.64, 9.15, 9.25, 15.58, 13.78, 13.44, 11.53),
    "mimicry": _row(9.60, 7.46, 9.96, 11.19, 8.63, 7.95, 8.13, 14.43, 13.14, 12.39, 8.74),
    "mimicry, pseudo-masks": _row(9.56, 7.99, 10.18, 9.87, 8.72, 8.21, 8.19, 14.81, 13.20, 12.20, 8.26),
    "positive mask": _row(10.09, 7.86, 10.17, 11.45, 9.48, 8.97, 9.14, 15.19, 13.42, 13.08, 11.09),
    "mask prediction, full": _row(8.74, 7.03, 8.72, 8.69, 9.06, 8.03, 8.00, 14.99, 11.94, 11.25, 9.62),
}
"""By what points at the target; the last row is the paper's baseline. The paper's 95 % intervals are 0.06 to 0.55 dB
wide to either side. ``overall`` weights groups by how often they occur."""

INTERVALS: dict[str, Row] = {
    name: dict(zip(GROUPS, values, strict=True))
    for name, values in {
        "full": (0.11, 0.09, 0.12, 0.12, 0.38, 0.20, 0.27, 0.24, 0.22, 0.36),
        "mask prediction, full": (0.09, 0.08, 0.06, 0.13, 0.31, 0.17, 0.26, 0.23, 0.23, 0.31),
        "mimicry": (0.11, 0.10, 0.13, 0.14, 0.45, 0.23, 0.34, 0.27, 0.25, 0.43),
        "mimicry, pseudo-masks": (0.11, 0.10, 0.15, 0.15, 0.40, 0.25, 0.31, 0.26, 0.29, 0.55),
        "positive mask": (0.11, 0.09, 0.13, 0.12, 0.38, 0.19, 0.28, 0.25, 0.23, 0.38),
    }.items()
}
"""Half of the 95 % intervals of the table, by row and group."""
WEIGHTS = dict(zip(GROUPS, (20.71, 27.89, 17.79, 15.23, 2.65, 4.74, 2.72, 3.06, 3.43, 1.78), strict=True))
"""How often groups occur in the paper's windows, in percent."""
