"""What the papers on labels and examples measured, as data, to stand beside what is measured here.

Decibels of SDR on the 50 songs of MUSDB18's test part, by museval; here SDR is that of the whole signal.

Sources: Wang et al., "Few-shot musical source separation", ICASSP 2022, Tables 1 to 3; Choi et al., "LaSAFT-Net v2",
JAES 70(9), 2022, Tables of the ablation and of audio queries.
"""

from __future__ import annotations

from collections.abc import Mapping

Row = Mapping[str, float]


def _few(vocals: float, drums: float, bass: float) -> Row:
    return {"vocals": vocals, "drums": drums, "bass": bass}


def _four(vocals: float, drums: float, bass: float, other: float, average: float) -> Row:
    return {"vocals": vocals, "drums": drums, "bass": bass, "other": other, "average": average}


FEW_SHOT: dict[str, Row] = {
    "classes": _few(4.07, 4.35, 3.06),
    "1-shot": _few(4.23, 4.34, 2.71),
    "2-shot": _few(4.64, 4.54, 3.27),
    "3-shot": _few(4.80, 4.71, 3.16),
    "4-shot": _few(4.58, 4.61, 3.08),
    "5-shot": _few(4.72, 4.66, 3.26),
    "unseen, classes": _few(0.35, 0.05, -0.10),
    "unseen, 1-shot": _few(2.65, -0.01, 1.40),
    "unseen, 5-shot": _few(3.22, 1.18, 2.88),
    "other tracks": _few(4.34, 4.16, 2.20),
    "multi-source": _few(1.00, 2.03, -0.63),
    "multi-source, trained": _few(1.63, 3.52, 2.21),
    "negatives": _few(4.73, 5.21, 3.63),
}
"""Five examples where a row does not say otherwise; "unseen" networks were trained without these three classes."""

ABLATION: dict[str, Row] = {
    "lasaft v1": _four(6.96, 5.84, 5.24, 4.54, 5.64),
    "lasaft baseline": _four(7.04, 6.06, 5.14, 4.55, 5.70),
    "lasaft +query": _four(7.10, 6.06, 5.29, 4.71, 5.79),
    "lasaft +key": _four(7.05, 6.03, 5.32, 4.68, 5.77),
    "lasaft query-key": _four(7.20, 6.11, 5.48, 4.65, 5.86),
    "lasaft large": _four(7.78, 6.25, 5.64, 5.09, 6.19),
}
AUDIO: Row = _four(7.04, 5.77, 5.30, 4.53, 5.65)
