"""The table of all public datasets."""

from __future__ import annotations

from difflib import get_close_matches

from unbraid.datasets.public.dataset import Dataset
from unbraid.errors import DatasetError

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in ()}


def find(name: str) -> Dataset:
    """Return a dataset by its name; case does not matter.

    Raises:
        DatasetError: if there is none; the message names the nearest one.
    """
    if name.lower() in DATASETS:
        return DATASETS[name.lower()]
    near = get_close_matches(name.lower(), DATASETS, n=1, cutoff=0.4)
    advice = f"did you mean {near[0]}?" if near else f"use one of {', '.join(DATASETS)}"
    raise DatasetError(f"there is no dataset {name!r}: {advice}")
