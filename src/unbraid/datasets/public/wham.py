"""WHAM! and WHAMR!: two speakers and noise from bars and streets, without and with a room around the speakers.

Sources: Wichern et al., "WHAM!: Extending speech separation to noisy environments", Interspeech 2019; Maciejewski et
al., "WHAMR!: Noisy and reverberant single-channel speech separation", ICASSP 2020. The mixtures are the sums of their
parts up to the rounding of 16-bit samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unbraid.datasets.public.dataset import Dataset, Fault, Recording, Stem, Track
from unbraid.datasets.public.headers import recordings_of
from unbraid.datasets.public.listing import (
    base_of,
    check_split,
    files,
    length_faults,
    relative,
    size_fault,
    sound_faults,
)
from unbraid.errors import DatasetError, SettingsError

SPLITS = ("tr", "cv", "tt")
SIZES = {"tr": 20_000, "cv": 5_000, "tt": 3_000}
PROMPT_OF: Mapping[str, str] = {"speech": "speech", "noise": "sfx-mix"}

PARTS: Mapping[str, tuple[str, ...]] = {"both": ("s1", "s2", "noise"), "clean": ("s1", "s2"), "single": ("s1", "noise")}
LENGTHS = ("max", "min")
ROOMS = ("", "anechoic", "reverb")
RATES = {"8k": 8_000, "16k": 16_000}
_CURE = "make the mixtures again with the scripts of the dataset (they need WSJ0 and the noise)"


@dataclass(frozen=True)
class WhamVariant:
    """Which of the mixtures that the scripts make.

    Args:
        mixture: ``both`` (two speakers and noise), ``clean`` (two speakers) or ``single`` (one speaker and noise).
        rate: ``16k`` or ``8k``.
        length: ``max`` (as long as the longer speaker) or ``min`` (as the shorter one).
        room: empty for WHAM!; ``anechoic`` or ``reverb`` for WHAMR!, whose files are named for it.

    Raises:
        SettingsError: if there is no such variant.

    Example:
        >>> WhamVariant(room="reverb").folders()
        {'mixture': 'mix_both_reverb', 's1': 's1_reverb', 's2': 's2_reverb', 'noise': 'noise'}
    """

    mixture: str = "both"
    rate: str = "16k"
    length: str = "max"
    room: str = ""

    def __post_init__(self) -> None:
        legal = {"mixture": tuple(PARTS), "rate": tuple(RATES), "length": LENGTHS, "room": ROOMS}
        for name, values in legal.items():
            if getattr(self, name) not in values:
                raise SettingsError(f"WHAM!: {name} is {getattr(self, name)!r}: use one of {', '.join(values)}")

    @property
    def name(self) -> str:
        """The name of the dataset, such as ``wham``, ``wham-clean-8k`` or ``whamr-anechoic``."""
        words = ["whamr" if self.room else "wham"]
        words += ["anechoic"] if self.room == "anechoic" else []
        words += [
            word for word, usual in ((self.mixture, "both"), (self.rate, "16k"), (self.length, "max")) if word != usual
        ]
        return "-".join(words)

    def folders(self) -> dict[str, str]:
        """Return the folder of the mixture and of each of its parts."""
        room = f"_{self.room}" if self.room else ""
        parts = {part: part if part == "noise" else part + room for part in PARTS[self.mixture]}
        return {"mixture": f"mix_{self.mixture}{room}", **parts}


def index_wham(root: Path, split: str, *, variant: WhamVariant) -> list[Track]:
    """Return the mixtures of a split by name; stems are ``s1``, ``s2`` and ``noise``.

    Args:
        root: the folder that holds ``wav16k`` and ``wav8k``.
        split: ``tr``, ``cv`` or ``tt``.
        variant: which mixtures.

    Raises:
        DatasetError: if there is no such split or variant, or a mixture lacks a part.
    """
    check_split(split, SPLITS, title=_title(variant))
    folders = {part: _base(root, variant) / split / name for part, name in variant.folders().items()}
    names = [path.name for path in files(folders["mixture"], ".wav")]
    if not names:
        raise DatasetError(f"{folders['mixture']}: there are no mixtures: {_CURE}")
    found = recordings_of((folder / name for name in names for folder in folders.values()), dataset=variant.name)
    return [_track(split, variant, {part: found[folder / name] for part, folder in folders.items()}) for name in names]


def check_wham(root: Path, *, variant: WhamVariant) -> list[Fault]:
    """Tell which mixtures and parts are missing or damaged.

    Raises:
        DatasetError: if the root holds nothing of this variant.
    """
    base = _base(root, variant)
    faults = []
    for split in SPLITS:
        folders = {part: base / split / name for part, name in variant.folders().items()}
        names = {part: {path.name for path in files(folder, ".wav")} for part, folder in folders.items()}
        mixtures = names["mixture"]
        faults += size_fault(
            relative(folders["mixture"], base),
            found=len(mixtures),
            expected=SIZES[split],
            what="mixtures",
            cure=_CURE,
        )
        every = sorted(set().union(*names.values()))
        groups = [[folder / name for folder in folders.values()] for name in every]
        paths = [path for group in groups for path in group]
        faults += length_faults(base, groups, cure=_CURE)
        faults += sound_faults(base, paths, sample_rates=(RATES[variant.rate],), n_channels=(1,), cure=_CURE)
    return faults


def _base(root: Path, variant: WhamVariant) -> Path:
    title = _title(variant)
    holds = [f"{split}/{name}" for split in SPLITS for name in variant.folders().values() if name != "noise"]
    below = f"wav{variant.rate}/{variant.length}"
    inside = [below, *(f"{name}/{below}" for name in ("2speakers_wham", "wham", "whamr", "2speakers"))]
    return base_of(root, inside=inside, holds=holds, title=f"{title} ({below}, {variant.folders()['mixture']})")


def _title(variant: WhamVariant) -> str:
    return "WHAMR!" if variant.room else "WHAM!"


def _track(split: str, variant: WhamVariant, found: Mapping[str, Recording]) -> Track:
    name = found["mixture"].path.stem
    stems = tuple(
        Stem(part, "noise" if part == "noise" else "speech", (found[part],)) for part in PARTS[variant.mixture]
    )
    return Track(f"{split}/{name}", variant.name, split, stems, found["mixture"], _levels(name))


def _levels(name: str) -> dict[str, str | float | bool]:
    """Return what the name of a mixture tells: ``01to030v_0.76421_20ga010m_-0.76421`` names utterances and levels."""
    words = name.split("_")
    if len(words) != 4:
        return {}
    try:
        levels = {"s1_gain_db": float(words[1]), "s2_gain_db": float(words[3])}
    except ValueError:
        return {}
    return {"s1_utterance": words[0], "s2_utterance": words[2], **levels}


_CITATION = """G. Wichern, J. Antognini, M. Flynn, L. R. Zhu, E. McQuinn, D. Crow, E. Manilow, J. Le Roux, "WHAM!:
Extending speech separation to noisy environments", Proc. Interspeech, 2019, pp. 1368-1372."""
_CITATION_ROOM = """M. Maciejewski, G. Wichern, E. McQuinn, J. Le Roux, "WHAMR!: Noisy and reverberant single-channel
speech separation", Proc. ICASSP, 2020, pp. 696-700."""
_LICENCE = (
    "noise and scripts: CC BY-NC 4.0, no commercial use; the speech is WSJ0 (LDC93S6A), under the licence of the LDC"
)
_TREE = """
wav{rate}/{length}/
  tr/
    {mixture}/
      01to030v_0.76421_20ga010m_-0.76421.wav    mono; the same name in every folder
{parts}
  cv/
  tt/
"""


def wham(variant: WhamVariant) -> Dataset:
    """Return WHAM! or WHAMR! in one of its variants.

    Example:
        >>> wham(WhamVariant(mixture="clean", rate="8k", length="min")).name
        'wham-clean-8k-min'
    """
    parts = "\n".join(f"    {folder}/" for part, folder in variant.folders().items() if part != "mixture")
    mixture = variant.folders()["mixture"]
    return Dataset(
        name=variant.name,
        title=f"{_title(variant)} ({variant.rate}, {variant.length}, {mixture})",
        citation=_CITATION_ROOM if variant.room else _CITATION,
        licence=_LICENCE,
        url="http://wham.whisper.ai/",
        tree=_TREE.format(rate=variant.rate, length=variant.length, mixture=mixture, parts=parts),
        splits=SPLITS,
        index=partial(index_wham, variant=variant),
        check=partial(check_wham, variant=variant),
    )


WHAM = tuple(wham(WhamVariant(mixture, rate)) for mixture in PARTS for rate in ("16k", "8k"))
WHAMR = tuple(
    wham(WhamVariant(mixture, rate, room=room))
    for room in ("reverb", "anechoic")
    for mixture in PARTS
    for rate in ("16k", "8k")
)
