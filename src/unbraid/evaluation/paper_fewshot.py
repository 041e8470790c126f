"""Tables 1 to 3 of the few-shot paper, and what it says of figure 2, as data.

Decibels of SDR of BSSEval v4: the median over frames of a second for each track, the mean over tracks; means over ten
repetitions with other examples, and the deviation of these means. Source: Wang et al., "Few-shot musical source
separation", ICASSP 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

from unbraid.evaluation.paper_table import Cell, published

TARGETS = ("vocals", "drums", "bass")
Rows = Mapping[str, Mapping[str, Cell]]

SEEN: Rows = {
    "baseline": published(TARGETS, 4.07, 4.35, 3.06),
    "1-shot": published(TARGETS, (4.23, 0.88), (4.34, 0.60), (2.71, 0.86)),
    "2-shot": published(TARGETS, (4.64, 0.38), (4.54, 0.39), (3.27, 0.41)),
    "3-shot": published(TARGETS, (4.80, 0.32), (4.71, 0.38), (3.16, 0.45)),
    "4-shot": published(TARGETS, (4.58, 0.39), (4.61, 0.32), (3.08, 0.50)),
    "5-shot": published(TARGETS, (4.72, 0.35), (4.66, 0.25), (3.26, 0.38)),
}
UNSEEN: Rows = {
    "baseline": published(TARGETS, 0.35, 0.05, -0.10),
    "1-shot": published(TARGETS, (2.65, 0.74), (-0.01, 0.64), (1.40, 0.88)),
    "5-shot": published(TARGETS, (3.22, 0.44), (1.18, 0.40), (2.88, 0.35)),
}
CONSTRAINTS: Rows = {
    "same track, single source": published(TARGETS, 4.72, 4.66, 3.26),
    "other tracks": published(TARGETS, 4.34, 4.16, 2.20),
    "same track, multi-source": published(TARGETS, 1.00, 2.03, -0.63),
    "same track, multi-source, trained so": published(TARGETS, 1.63, 3.52, 2.21),
    "same track, with 5 negatives": published(TARGETS, 4.73, 5.21, 3.63),
}
OVERALL = "overall"
MEDLEYDB: Rows = {"baseline": published((OVERALL,), 0.56), "5-shot": published((OVERALL,), 1.96)}
"""Over 14 classes; that of each class was drawn, not printed."""
