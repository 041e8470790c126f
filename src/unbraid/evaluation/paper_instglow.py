"""Table I of the InstGlow paper, as data.

Decibels: the median, over segments of a minute, of SDR of the whole segment. Supervised systems are the authors' own
models of MUSDB18. Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

from unbraid.evaluation.paper_table import Cell, published

MUSDB, SLAKH = "MUSDB18", "Slakh2100-submix"
ACCOMPANIMENT = "accompaniment"
COLUMNS = (
    *(f"{MUSDB} {name}" for name in ("vocals", "bass", "drums", "other", ACCOMPANIMENT)),
    *(f"{SLAKH} {name}" for name in ("bass", "drums", "guitar", "piano")),
)

TABLE: Mapping[str, Mapping[str, Cell]] = {
    "InstGlow-MLE": published(COLUMNS, 3.92, 2.58, 3.85, 2.37, 9.82, 1.54, 6.14, 1.85, 0.80),
    "InstGlow-MAP": published(COLUMNS, 3.66, 2.51, 3.70, 1.99, 9.52, 1.39, 5.95, 1.51, 0.51),
    "LQ-VAE": published(COLUMNS, 0.16, None, None, None, 4.47, None, None, None, None),
    "GAN-prior": published(COLUMNS, -0.44, 0.48, -0.40, 0.32, 4.29, 0.09, 0.85, -0.01, -0.42),
    "Conv-TasNet": published(COLUMNS, 7.00, 4.19, 5.25, 3.94, 12.84, 4.97, 9.95, None, None),
    "Demucs (v2)": published(COLUMNS, 7.14, 5.50, 6.74, 4.16, 12.94, 5.48, 10.21, None, None),
    "Open-Unmix": published(COLUMNS, 6.86, 4.88, 6.35, 3.86, 12.75, 4.66, 8.64, None, None),
    "Wave-U-Net": published(COLUMNS, 5.06, 2.63, 3.74, 1.95, 7.02, 0.01, 3.91, None, None),
}
