"""Trials that are made here: several models asked for the same sounds of recordings whose stems are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.errors import DatasetError
from unbraid.evaluation.items import EvaluationItem, ItemSource, find_items
from unbraid.evaluation.scoring import ask
from unbraid.guides.kinds import Label, Target
from unbraid.listening.trials import MIXTURE, REFERENCE, TrialFiles
from unbraid.models.separator import Separator
from unbraid.separation import Settings


def separate_trials(
    root: Path,
    models: Sequence[Separator],
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[TrialFiles]:
    """Ask every model for one sound of each of some recordings, and write trials.

    Sounds take turns, so that no kind of them has the test for itself, as in the listening test of GuideSep.

    Args:
        root: a tree of folders with stems, as `find_items` takes it.
        models: with different names; they are asked by names that all of them know.
        folder: to write the trials to.
        count: trials, of as many recordings.
        seed: of the choice of recordings.
        progress: called with the fraction done.

    Raises:
        DatasetError: if fewer recordings have a sound that all models know.
    """
    names = [model.name for model in models]
    if not models or len(set(names)) < len(names):
        raise DatasetError("a listening test needs models with different names: give each with -m, once")
    known = set.intersection(*(set(model.vocabulary) | set(model.taught) for model in models))
    asked: dict[str, int] = {}
    trials: list[TrialFiles] = []
    for source in _shuffled(find_items(root), seed):
        if len(trials) == count:
            break
        item = source.read()
        single = [one.prompt for one in item.references if item.prompts.count(one.prompt) == 1 and one.prompt in known]
        if not single or len(item.references) < 2:
            continue
        prompt = min(single, key=lambda one: asked.get(one, 0))
        asked[prompt] = asked.get(prompt, 0) + 1
        trials.append(_make(item, prompt, models, folder / f"{len(trials):03d}-{prompt}"))
        if progress is not None:
            progress(len(trials) / count)
    if len(trials) < count:
        raise DatasetError(
            f"{root} has {len(trials)} recordings with a sound that {', '.join(names)} know by one name, and {count} "
            "are wanted: ask for fewer trials, or choose other models"
        )
    return trials


def _shuffled(sources: Sequence[ItemSource], seed: int) -> list[ItemSource]:
    return random.Random(seed).sample(list(sources), len(sources))


def _make(item: EvaluationItem, prompt: str, models: Sequence[Separator], folder: Path) -> TrialFiles:
    reference = next(one.samples for one in item.references if one.prompt == prompt)
    files = {
        MIXTURE: _write(item.mixture, item, folder / f"{MIXTURE}.wav"),
        REFERENCE: _write(reference, item, folder / f"{REFERENCE}.wav"),
    }
    methods = {}
    for model in models:
        heard = Audio(item.mixture, item.sample_rate)
        answer = ask(model, heard, [Target(prompt, Label(prompt))], settings=Settings())
        name = Path(model.name).stem
        methods[name] = _write(answer.stems[0], item, folder / f"{name}.wav")
    return TrialFiles(f"{item.name}, {prompt}", files[MIXTURE], files[REFERENCE], methods)


def _write(samples: Tensor, item: EvaluationItem, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, Audio(samples, item.sample_rate), encoding=Encoding("wav", "float"))
    return path
