"""What a separator is examined on: a mixture, and its true sources grouped by prompt.

An item is a folder of stems: MUSDB songs, one folder per track with one file per category, or the tree
``<kind>/<item>/`` with a ``metadata.json`` that names the kind and the stems. Names become prompts by this rule,
and every result says which stems made which reference:

1. in recordings of speech and singing a word of `SCENES` means sfx-mix, in those of music and singing one of `SONG`
   means vocals; any other name is looked up in `unbraid.datasets.taxonomy`;
2. if that says nothing, or nothing that belongs to the item's kind (the horn among street noises is no
   instrument), the kind decides (`KINDS`);
3. single events beside a background (sfx and sfx-mix) are all asked for as sfx, as in FUSS;
4. a music bed beside vocals or instruments is their accompaniment: other;
5. speech and sfx stay one reference per stem, all else is summed per prompt;
6. stems that are silent throughout are left out.

Axes: C channels, N samples.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from unbraid.audio.files import read_audio
from unbraid.audio.signal import Audio
from unbraid.datasets.taxonomy import PROMPTS, is_mixture, prompt_of
from unbraid.errors import DatasetError
from unbraid.models.tuss import CONTRADICTIONS

REPEATED = ("speech", "sfx")
KINDS: dict[str, tuple[str, frozenset[str]]] = {  # kind: the prompt of unclear names, and which others belong there
    "speech": ("sfx-mix", frozenset({"speech", "sfx-mix", "music-mix"})),
    "sfx": ("sfx", frozenset({"speech", "sfx", "sfx-mix", "music-mix"})),
    "music": ("other", frozenset({"vocals", "drums", "bass", "other", "music-mix"})),
    "singing": ("other", frozenset({"vocals", "drums", "bass", "other", "sfx-mix", "music-mix"})),
}
ANY_KIND = ("other", frozenset(PROMPTS))
SCENES = frozenset({"city", "crowd", "forest", "rain", "sea", "street", "traffic", "waves", "wind"})
SONG = frozenset({"singing", "song", "voice"})
UNNAMED = frozenset({"target", "rest"})
EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})
MUSDB_STEMS = frozenset({"vocals", "drums", "bass", "other"})


@dataclass(frozen=True, eq=False)
class Reference:
    """One true source: its prompt, its samples ``[C, N]``, and the names of the stems that were summed."""

    prompt: str
    samples: Tensor
    stems: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EvaluationItem:
    """One question and its answer.

    Args:
        name: unique within the set.
        item_set: what kind of set it is from, such as ``open/music`` or ``musdb``.
        sample_rate: in hertz.
        mixture: ``[C, N]``.
        references: the sources; those of a repeated prompt are entries of their own.
        silent: names of stems that were left out because they are silent.
    """

    name: str
    item_set: str
    sample_rate: int
    mixture: Tensor
    references: tuple[Reference, ...]
    silent: tuple[str, ...] = ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompt of every reference."""
        return tuple(reference.prompt for reference in self.references)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.mixture.shape[-1] / self.sample_rate

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any sample, prompt, or the rate."""
        digest = hashlib.sha256(f"{self.sample_rate} {' '.join(self.prompts)}\n".encode())
        for samples in (self.mixture, *(reference.samples for reference in self.references)):
            digest.update(f"{tuple(samples.shape)}".encode())
            digest.update(samples.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class ItemSource:
    """Where an item comes from; nothing is read before ``read`` is called."""

    name: str
    read: Callable[[], EvaluationItem]


def find_folders(root: Path) -> dict[str, Path]:
    """Find the folders with at least two stems in a tree, by name, sorted; see `find_items`.

    Raises:
        DatasetError: if there is no such folder, or no item in it.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder: give one with a folder of stems per item")
    top = root / "test" if (root / "test").is_dir() else root
    folders = [folder for folder in sorted([top, *top.rglob("*")]) if folder.is_dir() and _is_item(folder)]
    if not folders:
        raise DatasetError(f"{root} holds no folder with two or more stems: see the layouts in docs/evaluation.md")
    return {_name(folder, top): folder for folder in folders}


def find_items(root: Path, *, distributed_mixture: bool = False) -> list[ItemSource]:
    """Find the items in a tree of folders, sorted by name.

    A folder is an item if it holds at least two stems (audio files that are no mixture). Where there is a ``test``
    folder at the top, as in MUSDB18-HQ, only that is searched. Folders without stems, and those whose stems are named
    ``target`` and ``rest`` (which no prompt stands for), are passed over.

    Args:
        root: any folder; an item folder itself is fine.
        distributed_mixture: take the mixture file as it is, instead of the sum of the stems as in the paper.

    Raises:
        DatasetError: if there is no such folder, or no item in it.
    """
    return [
        ItemSource(name, partial(read_item, folder, distributed_mixture=distributed_mixture))
        for name, folder in find_folders(root).items()
    ]


class Named(Protocol):
    """Something that has a name."""

    @property
    def name(self) -> str:
        """Unique among its like."""
        ...


Chosen = TypeVar("Chosen", bound=Named)


def choose_items(items: Sequence[Chosen], *, count: int | None, seed: int) -> list[Chosen]:
    """Choose some of the items by the seed; a larger count keeps those of a smaller one.

    Example:
        >>> items = [ItemSource(name, read=lambda: None) for name in "abcdef"]
        >>> few, more = (choose_items(items, count=count, seed=1) for count in (2, 4))
        >>> {item.name for item in few} < {item.name for item in more}
        True
    """
    if count is None or count >= len(items):
        return list(items)
    shuffled = random.Random(seed).sample(list(items), len(items))
    chosen = {item.name for item in shuffled[:count]}
    return [item for item in items if item.name in chosen]


@dataclass(frozen=True, eq=False)
class FolderStems:
    """The stems of one folder, as they lie there.

    Args:
        name: of the item.
        item_set: what kind of set it is from.
        kind: of recording, as its metadata says; empty where it does not.
        sample_rate: of all stems, in hertz.
        samples: ``[C, N]`` by the name of the stem, all of one shape; those that sound.
        silent: names of stems that are silent throughout.
    """

    name: str
    item_set: str
    kind: str
    sample_rate: int
    samples: Mapping[str, Tensor]
    silent: tuple[str, ...]


def read_stems(folder: Path) -> FolderStems:
    """Read one folder of stems; mono stems are spread over the channels of the widest, shorter ones are padded.

    Raises:
        DatasetError: if rates or channels differ, or all is silent.
    """
    metadata = _metadata(folder)
    files = stem_files(folder, metadata)
    stems = {name: read_audio(path) for name, path in files.items()}
    rates = {audio.sample_rate for audio in stems.values()}
    if len(rates) > 1:
        raise DatasetError(f"{folder}: stems have sample rates {sorted(rates)}: bring them to one")
    samples = _align({name: audio.samples for name, audio in stems.items()})
    sounding = {name: one for name, one in samples.items() if one.any()}
    if not sounding:
        raise DatasetError(f"{folder}: all stems are silent: take the folder out")
    return FolderStems(
        name=str(metadata.get("id", folder.name)),
        item_set=_item_set(folder, metadata, files),
        kind=str(metadata.get("kind", "")),
        sample_rate=rates.pop(),
        samples=sounding,
        silent=tuple(name for name in samples if name not in sounding),
    )


def read_item(folder: Path, *, distributed_mixture: bool = False) -> EvaluationItem:
    """Read one folder of stems.

    Mono stems are spread over the channels of the widest, shorter ones are padded with silence.

    Raises:
        DatasetError: if rates differ, all is silent, or the mixture file is asked for and missing.
    """
    stems = read_stems(folder)
    references = group_stems(stems.samples, map_stems(list(stems.samples), kind=stems.kind))
    rate = stems.sample_rate
    if distributed_mixture:
        total = _read_mixture(folder, rate, references[0].samples.shape).samples
    else:
        total = torch.stack([reference.samples for reference in references]).sum(dim=0)
    return EvaluationItem(stems.name, stems.item_set, rate, total, references, stems.silent)


def map_stems(names: Sequence[str], *, kind: str = "") -> dict[str, str]:
    """Give every stem of an item its prompt, by the rule at the top of this file.

    Args:
        names: of all stems of the item.
        kind: speech, sfx, music or singing; anything else counts as music.

    Example:
        >>> map_stems(["speaker1", "speaker2", "city"], kind="speech")
        {'speaker1': 'speech', 'speaker2': 'speech', 'city': 'sfx-mix'}
    """
    prompts = {name: _prompt_of_stem(name, kind) for name in names}
    found = set(prompts.values())
    if {"sfx", "sfx-mix"} <= found:
        prompts = {name: "sfx" if prompt == "sfx-mix" else prompt for name, prompt in prompts.items()}
    if "music-mix" in found and found & set(CONTRADICTIONS["music-mix"]):
        prompts = {name: "other" if prompt == "music-mix" else prompt for name, prompt in prompts.items()}
    return prompts


def group_stems(stems: Mapping[str, Tensor], prompts: Mapping[str, str]) -> tuple[Reference, ...]:
    """Make the references: speech and sfx stem by stem, everything else summed per prompt.

    Args:
        stems: samples ``[C, N]`` by name, all of one shape.
        prompts: the prompt of each name.
    """
    references: list[Reference] = []
    for prompt in dict.fromkeys(prompts.values()):
        names = tuple(name for name in stems if prompts[name] == prompt)
        groups = [(name,) for name in names] if prompt in REPEATED else [names]
        references.extend(
            Reference(prompt, torch.stack([stems[name] for name in group]).sum(dim=0), group) for group in groups
        )
    return tuple(references)


def stem_files(folder: Path, metadata: Mapping[str, Any] | None = None) -> dict[str, Path]:
    """Return the stems of a folder by name: those that its metadata lists, else all audio files but mixtures."""
    listed = [stem for stem in (metadata or {}).get("stems", []) if isinstance(stem, dict) and "file" in stem]
    if listed:
        return {str(stem.get("name", Path(stem["file"]).stem)): folder / stem["file"] for stem in listed}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file())
    return {path.stem: path for path in files if not is_mixture(path.stem)}


def _prompt_of_stem(name: str, kind: str) -> str:
    words = set(re.findall(r"[a-z]+", name.lower()))
    fallback, fitting = KINDS.get(kind, ANY_KIND)
    if kind in ("singing", "music") and words & SONG:
        return "vocals"
    prompt = "sfx-mix" if kind in ("speech", "singing") and words & SCENES else prompt_of(name)
    return prompt if prompt in fitting else fallback


def _is_item(folder: Path) -> bool:
    names = set(stem_files(folder, _metadata(folder)))
    return len(names) >= 2 and not names <= UNNAMED


def _metadata(folder: Path) -> dict[str, Any]:
    path = folder / "metadata.json"
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not JSON ({error}): repair it or remove it") from error
    if not isinstance(values, dict):
        raise DatasetError(f"{path} is not a JSON object: repair it or remove it")
    return values


def _item_set(folder: Path, metadata: Mapping[str, Any], names: Collection[str]) -> str:
    if set(names) == MUSDB_STEMS and (folder / "mixture.wav").is_file():
        return "musdb"
    return "/".join(str(metadata[name]) for name in ("part", "kind") if name in metadata) or "stems"


def _name(folder: Path, top: Path) -> str:
    return folder.name if folder == top else folder.relative_to(top).as_posix()


def _align(stems: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring stems to one shape: mono over all channels, silence at the end."""
    n_channels = max(samples.shape[0] for samples in stems.values())
    n_samples = max(samples.shape[1] for samples in stems.values())
    aligned = {}
    for name, samples in stems.items():
        if samples.shape[0] not in (1, n_channels):
            raise DatasetError(
                f"stem {name} has {samples.shape[0]} channels beside one of {n_channels}: bring them to one"
            )
        aligned[name] = pad(samples.expand(n_channels, -1), (0, n_samples - samples.shape[1]))
    return aligned


def _read_mixture(folder: Path, sample_rate: int, shape: torch.Size) -> Audio:
    for path in sorted(folder.iterdir()):
        if is_mixture(path.stem) and path.suffix.lower() in EXTENSIONS:
            mixture = read_audio(path)
            if mixture.sample_rate != sample_rate or mixture.samples.shape != shape:
                raise DatasetError(
                    f"{path} differs from its stems in rate, channels or length: use the sum of the stems"
                )
            return mixture
    raise DatasetError(f"{folder} has no mixture file: use the sum of the stems")
