"""The table of all public datasets."""

from __future__ import annotations

from difflib import get_close_matches

from unbraid.datasets.public.dataset import Dataset
from unbraid.datasets.public.demand import DEMAND
from unbraid.datasets.public.dnr import DNR
from unbraid.datasets.public.fsd50k import FSD50K
from unbraid.datasets.public.fuss import FUSS, FUSS_REVERB
from unbraid.datasets.public.librispeech import LIBRISPEECH
from unbraid.datasets.public.librivox import LIBRIVOX
from unbraid.datasets.public.vctk import VCTK, VCTK_080
from unbraid.datasets.public.vctk_demand import VCTK_DEMAND
from unbraid.datasets.public.wham import WHAM, WHAMR
from unbraid.datasets.public.wham_noise import WHAM_NOISE
from unbraid.datasets.public.wsj0 import WSJ0
from unbraid.errors import DatasetError

SPEECH_AND_EFFECTS: tuple[Dataset, ...] = (
    *(FUSS, FUSS_REVERB, *WHAM, *WHAMR, WHAM_NOISE, VCTK_DEMAND, VCTK, VCTK_080, DEMAND, DNR, FSD50K),
    *(LIBRISPEECH, LIBRIVOX, WSJ0),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (*SPEECH_AND_EFFECTS,)}


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
