"""Trials that are made here: several models asked for the same sounds of recordings whose stems are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.items import EvaluationItem, ItemSource, find_items
from unbraid.evaluation.scoring import ask
from unbraid.guides.kinds import Label, Target
from unbraid.listening.trials import MIXTURE, REFERENCE, TrialFiles
from unbraid.models.separator import Separator
from unbraid.settings import Settings


class Question(NamedTuple):
    """One sound of one recording, of which all models are asked."""

    source: ItemSource
    prompt: str


def choose_questions(root: Path, models: Sequence[Separator], *, count: int, seed: int = 0) -> list[Question]:
    """Choose recordings, and in each a sound that all models know by one name.

    Sounds take turns, so that no kind of them has the test for itself, as in the listening test of GuideSep.

    Args:
        root: a tree of folders with stems, as `find_items` takes it.
        models: at least one, of different names.
        count: recordings.
        seed: of their choice.

    Raises:
        SettingsError: if the names of models do not tell them apart.
        DatasetError: if fewer recordings have a sound that all models know.
    """
    names = [_method(model) for model in models]
    if not models or len(set(names)) < len(names):
        raise SettingsError("a listening test needs models with different names: give each with -m, once")
    known = set.intersection(*(set(model.vocabulary) | set(model.taught) for model in models))
    asked: dict[str, int] = {}
    questions: list[Question] = []
    for source in _shuffled(find_items(root), seed):
        if len(questions) == count:
            break
        prompts = source.read().prompts
        single = [prompt for prompt in prompts if prompts.count(prompt) == 1 and prompt in known]
        if not single or len(prompts) < 2:
            continue
        prompt = min(single, key=lambda one: asked.get(one, 0))
        asked[prompt] = asked.get(prompt, 0) + 1
        questions.append(Question(source, prompt))
    if len(questions) < count:
        raise DatasetError(
            f"{root} has {len(questions)} recordings with a sound that {', '.join(names)} know by one name, and "
            f"{count} are wanted: ask for fewer trials, or choose other models"
        )
    return questions


def separate_trials(
    questions: Sequence[Question],
    models: Sequence[Separator],
    folder: Path,
    *,
    progress: Callable[[float], None] | None = None,
) -> list[TrialFiles]:
    """Ask every model, and write a trial of each question to a folder; ``progress`` gets the fraction done."""
    trials = []
    for index, (source, prompt) in enumerate(questions):
        trials.append(_make(source.read(), prompt, models, folder / f"{index:03d}-{prompt}"))
        if progress is not None:
            progress((index + 1) / len(questions))
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
        name = _method(model)
        methods[name] = _write(answer.stems[0], item, folder / f"{name}.wav")
    return TrialFiles(f"{item.name}, {prompt}", files[MIXTURE], files[REFERENCE], methods)


def _method(model: Separator) -> str:
    """Return what a model is called in the files of a trial."""
    return Path(model.name).stem


def _write(samples: Tensor, item: EvaluationItem, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, Audio(samples, item.sample_rate), encoding=Encoding("wav", "float"))
    return path
