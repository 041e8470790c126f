"""The table of all public datasets."""

from __future__ import annotations

from difflib import get_close_matches

from unbraid.datasets.public.dataset import Dataset
from unbraid.datasets.public.demand import DEMAND
from unbraid.datasets.public.dnr import DNR
from unbraid.datasets.public.fma import FMA_MEDIUM, FMA_SMALL
from unbraid.datasets.public.fsd50k import FSD50K
from unbraid.datasets.public.fuss import FUSS, FUSS_REVERB
from unbraid.datasets.public.humtrans import HUMTRANS
from unbraid.datasets.public.layouts import all_layouts
from unbraid.datasets.public.librispeech import LIBRISPEECH
from unbraid.datasets.public.librivox import LIBRIVOX
from unbraid.datasets.public.medleydb import MEDLEYDB, MEDLEYDB2
from unbraid.datasets.public.moisesdb import MOISESDB
from unbraid.datasets.public.musdb18 import MUSDB18
from unbraid.datasets.public.musdb18_hq import MUSDB18_HQ
from unbraid.datasets.public.slakh2100 import SLAKH2100, SLAKH2100_REDUX
from unbraid.datasets.public.vctk import VCTK, VCTK_080
from unbraid.datasets.public.vctk_demand import VCTK_DEMAND
from unbraid.datasets.public.wham import WHAM, WHAMR
from unbraid.datasets.public.wham_noise import WHAM_NOISE
from unbraid.datasets.public.wsj0 import WSJ0
from unbraid.errors import DatasetError

_MUSIC = (
    *(MUSDB18, MUSDB18_HQ, MOISESDB, SLAKH2100, SLAKH2100_REDUX, MEDLEYDB, MEDLEYDB2, FMA_SMALL, FMA_MEDIUM),
    HUMTRANS,
)
_SPEECH_AND_EFFECTS = (
    *(FUSS, FUSS_REVERB, *WHAM, *WHAMR, WHAM_NOISE, VCTK_DEMAND, VCTK, VCTK_080, DEMAND, DNR, FSD50K),
    *(LIBRISPEECH, LIBRIVOX, WSJ0),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (*_MUSIC, *_SPEECH_AND_EFFECTS, *all_layouts())}
"""All datasets by their names."""


def find(name: str) -> Dataset:
    """Return a dataset by its name; case does not matter.

    Raises:
        DatasetError: if there is none; the message names the nearest one.

    Example:
        >>> find("musdb18-hq").title
        'MUSDB18-HQ'
    """
    if name.lower() in DATASETS:
        return DATASETS[name.lower()]
    near = get_close_matches(name.lower(), DATASETS, n=1, cutoff=0.4)
    advice = f"did you mean {near[0]}?" if near else f"use one of {', '.join(DATASETS)}"
    raise DatasetError(f"there is no dataset {name!r}: {advice}")
