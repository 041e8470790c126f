"""Tables 1 to 3 of the LaSAFT paper, as data.

Decibels of SDR of BSSEval v4 on the 50 songs of MUSDB18's test part; deviations over three trainings where they were
printed. Source: Choi et al., "LaSAFT-Net v2", JAES 70(9), 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

from unbraid.evaluation.paper_table import Cell, published

FOUR = ("vocals", "drums", "bass", "other")
_COLUMNS = (*FOUR, "average")
Rows = Mapping[str, Mapping[str, Cell]]

LISTENING: Rows = {
    "LaSAFT-GPoCM (small)": published(_COLUMNS, 6.96, 5.84, 5.24, 4.54, 5.64),
    "baseline": published(_COLUMNS, (7.04, 0.05), (6.06, 0.83), (5.14, 0.06), (4.55, 0.21), (5.70, 0.07)),
    "query": published(_COLUMNS, (7.10, 0.15), (6.06, 0.10), (5.29, 0.04), (4.71, 0.04), (5.79, 0.05)),
    "key": published(_COLUMNS, (7.05, 0.01), (6.03, 0.03), (5.32, 0.06), (4.68, 0.12), (5.77, 0.03)),
    "query-key (small)": published(_COLUMNS, (7.20, 0.03), (6.11, 0.04), (5.48, 0.04), (4.65, 0.12), (5.86, 0.03)),
}
MODELS: Rows = {
    "X-UMX": published(_COLUMNS, 6.61, 6.47, 5.43, 4.64, 5.79),
    "D3Net": published(_COLUMNS, 7.24, 7.01, 5.25, 4.53, 6.01),
    "Demucs": published(_COLUMNS, 6.84, 6.86, 7.01, 4.42, 6.28),
    "ResUNetDecouple+": published(_COLUMNS, 8.98, 6.62, 6.04, 5.29, 6.73),
    "Meta-TasNet": published(_COLUMNS, 6.40, 5.91, 5.58, 4.19, 5.52),
    "AMSS-Net": published(_COLUMNS, 6.78, 5.92, 5.10, 4.51, 5.58),
    "LaSAFT-GPoCM (large)": published(_COLUMNS, 7.33, 5.68, 5.63, 4.87, 5.88),
    "query-key (large)": published(_COLUMNS, (7.78, 0.16), (6.25, 0.24), (5.64, 0.20), (5.09, 0.03), (6.19, 0.02)),
}
QUERIES: Rows = {
    "Lee et al.": published(_COLUMNS, 5.48, 4.59, 3.45, 3.26, 4.20),
    "audio query": published(_COLUMNS, 7.04, 5.77, 5.30, 4.53, 5.65),
}
SWEPT_SAR: Mapping[int, float] = {16: 6.24, 32: 6.22, 64: 6.11}
"""Mean SAR of the three architectures by the number of latent sources; SDR was drawn, not printed."""
