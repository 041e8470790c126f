"""From the tracks of public datasets to what the protocols take; nothing is read before it is examined.

Axes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.prompted_items import prompt_of
from unbraid.datasets.public.reading import read_stem
from unbraid.errors import DatasetError, WrongRootError
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.items import Chosen, EvaluationItem, Reference, choose_items


@dataclass(frozen=True)
class Need:
    """A dataset that a table needs.

    Args:
        title: what the paper calls it.
        splits: names of datasets that will do, the best one first, each with the split that is taken.
    """

    title: str
    splits: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The datasets that will do."""
        return tuple(self.splits)

    def __hash__(self) -> int:
        return hash((self.title, self.names))


def find_roots(folder: Path, needs: Sequence[Need]) -> dict[str, tuple[str, Path]]:
    """Find datasets in a folder: each in a folder of its name, or else the folder is one of them itself.

    Args:
        folder: given by ``--data``.
        needs: of the table.

    Returns:
        By title, the name of the dataset and where it lies; those that are not there are missing.

    Raises:
        DatasetError: if there is none.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder: correct --data")
    found = {}
    for need in needs:
        here = [(name, folder / name) for name in need.names if (folder / name).is_dir()]
        if here:
            found[need.title] = here[0]
    if not found:
        found = {
            need.title: (name, folder)
            for need in needs
            for name in reversed(need.names)  # the best one is the last to be set
            if _is_dataset(folder, name, need.splits[name])
        }
    if not found:
        wanted = "; ".join(f"{need.title}: {' or '.join(need.names)}" for need in needs)
        raise DatasetError(f"{folder} holds none of the datasets ({wanted}): put each into a folder of its name")
    return found


def _is_dataset(folder: Path, name: str, split: str) -> bool:
    """Tell whether a folder is a dataset, which may be damaged: that is told when its tracks are wanted."""
    try:
        find(name).index(folder, split)
    except WrongRootError:
        return False
    except DatasetError:
        return True
    return True


def tracks_of(choice: Choice, title: str, needs: Sequence[Need]) -> dict[str, list[Track]]:
    """Return the tracks of all datasets that are there, by what the paper calls these; ``choice.tracks`` of each.

    Raises:
        SettingsError: if no folder is given.
        DatasetError: if there is none, or one is damaged.
    """
    roots = find_roots(choice.folder(title), needs)
    splits = {need.title: need.splits for need in needs}
    return {
        name: choice_of(find(dataset).index(root, splits[name][dataset]), choice)
        for name, (dataset, root) in roots.items()
    }


def choice_of(tracks: Sequence[Chosen], choice: Choice) -> list[Chosen]:
    """Choose some of the tracks by the seed; a larger number keeps those of a smaller one."""
    return choose_items(tracks, count=choice.tracks, seed=choice.seed)


def missing_note(choice: Choice, title: str, needs: Sequence[Need]) -> str:
    """Say which datasets of a table are not there; nothing where all are."""
    roots = find_roots(choice.folder(title), needs)
    lost = [f"{need.title} ({' or '.join(need.names)})" for need in needs if need.title not in roots]
    return f"- not there, and therefore not measured: {', '.join(lost)}" if lost else ""


def samples_of(stem: Stem, track: Track, start: int = 0, stop: int | None = None) -> Tensor:
    """Read a range of a stem as ``[C, N]``, with the channels and the length of its track."""
    stop = track.n_samples if stop is None else stop
    return torch.from_numpy(read_stem(stem, start, stop, n_channels=track.n_channels))


def prompted_item(track: Track, *, item_set: str, first_channel: bool) -> EvaluationItem:
    """Read a track as TUSS is examined: every stem a reference by its prompt, the mixture is their sum.

    Stems that are silent throughout are left out.

    Args:
        track: of a dataset whose labels have prompts.
        item_set: what the paper calls the dataset.
        first_channel: take the first channel only.

    Raises:
        DatasetError: if a file cannot be read, a label has no prompt, or all is silent.
    """
    read = {stem.name: samples_of(stem, track) for stem in track.stems}
    samples = {name: one[:1] if first_channel else one for name, one in read.items()}
    sounding = [stem for stem in track.stems if samples[stem.name].any()]
    if not sounding:
        raise DatasetError(f"track {track.name} of {track.dataset} is silent throughout: take it out")
    references = tuple(Reference(prompt_of(track, stem), samples[stem.name], (stem.name,)) for stem in sounding)
    total = torch.stack([one.samples for one in references]).sum(dim=0)
    silent = tuple(stem.name for stem in track.stems if stem not in sounding)
    return EvaluationItem(track.name, item_set, track.sample_rate, total, references, silent)
