"""Who takes part in an examination: models by name or file, with what was taught to them, floors and ceilings."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unbraid.errors import ModelError, SettingsError
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.pupils import Pupil
from unbraid.evaluation.reference_methods import REFERENCE_NAMES, ReferenceModel, find_reference
from unbraid.guides.kinds import Examples
from unbraid.models.instglow import Instglow, choose_search
from unbraid.models.instglow_searches import read_search
from unbraid.models.queries import add_query, is_for, load_query
from unbraid.models.separator import Separator
from unbraid.teaching.tuning import TeachSettings
from unbraid.zoo import PRIOR_SYSTEM, ZOO, load_model, read_file, weights_hash


@dataclass(frozen=True)
class Entrants:
    """Models that are loaded where they are needed, in one process or in several.

    Args:
        names: of models, weights files, or methods of `unbraid.evaluation.reference_methods`; each once.
            ``instglow:vocals,drums.safetensors`` names the priors that separate together.
        device: where the networks run.
        taught: files of labels that were taught to some of them.
        lessons: how examples are taught to models that take labels only; None leaves them as they are.
        search: of the priors among them, as `read_search` reads it; it follows their names. None leaves it to them.

    Raises:
        SettingsError: if there is no such search.

    Example:
        >>> [one.name for one in Entrants(("tuss-small",)).enter()]
        ['tuss-small']
    """

    names: tuple[str, ...]
    device: str = "cpu"
    taught: tuple[Path, ...] = ()
    lessons: TeachSettings | None = None
    search: str | None = None

    def __post_init__(self) -> None:
        if self.search is not None:
            read_search(self.search)

    def enter(self) -> list[Contestant]:
        """Load the models; a file is called by its name without folder and suffix, where that is unique.

        Raises:
            ModelError: if a model is unknown or cannot be loaded.
            SettingsError: if a method needs a package that is not there, or nobody searches who shall.
            GuideError: if a taught label is none, or was taught to none of the models.
        """
        loaded: dict[str, Contestant] = {}
        for name in dict.fromkeys(self.names):
            method = find_reference(name)
            if method is not None:
                loaded[method.name] = Contestant.enter(method.name, ReferenceModel(method))
                continue
            if name.startswith(f"{PRIOR_SYSTEM}:"):
                priors = name.partition(":")[2].split(",")
                loaded[name] = Contestant.enter(name, load_model(PRIOR_SYSTEM, device=self.device, priors=priors))
                continue
            entry = ZOO.get(name)
            short = name if entry is not None or Path(name).stem in loaded else Path(name).stem
            path = Path(name) if entry is None else entry.path
            loaded[short] = Contestant.enter(
                short,
                _load(name, self.device),
                weights=weights_hash(path) if path else None,
                trained=_steps(path),
            )
        _add_taught(list(loaded.values()), self.taught)
        contestants = list(loaded.values()) if self.search is None else _let_search(loaded.values(), self.search)
        return [self._prepare(contestant) for contestant in contestants]

    def _prepare(self, contestant: Contestant) -> Contestant:
        """Let examples be taught to a model that can only be taught them, if that is wanted."""
        model = contestant.model
        if self.lessons is None or isinstance(model, ReferenceModel) or Examples in model.accepts:
            return contestant
        return replace(contestant, name=f"{contestant.name}-taught", model=Pupil(model, self.lessons))


def _load(name: str, device: str) -> Separator:
    """Load a model; who asks for one that there is not is told of floors and ceilings too."""
    try:
        return load_model(name, device=device)
    except ModelError as error:
        if name in ZOO or Path(name).exists():
            raise
        raise ModelError(f"{error}; floors and ceilings are {', '.join(REFERENCE_NAMES)}:FILE") from error


def _add_taught(contestants: Sequence[Contestant], files: Sequence[Path]) -> None:
    """Let every model know the labels that were taught to it."""
    for file in files:
        query = load_query(file)
        models = [one.model for one in contestants if not isinstance(one.model, ReferenceModel)]
        pupils = [model for model in models if is_for(query, model)]
        for pupil in pupils or models[:1]:  # who refuses it, with the reason
            add_query(pupil, query)


def _let_search(contestants: Collection[Contestant], search: str) -> list[Contestant]:
    """Let priors search so; others stay as they are."""
    if not any(isinstance(one.model, Instglow) for one in contestants):
        names = ", ".join(one.name for one in contestants)
        raise SettingsError(f"a search is for priors, and there are none in {names}: leave it out, or use -m instglow")
    return [_searching(one, search) if isinstance(one.model, Instglow) else one for one in contestants]


def _searching(contestant: Contestant, search: str) -> Contestant:
    choose_search(contestant.model, read_search(search))
    return replace(contestant, name=f"{contestant.name} ({search})")


def _steps(path: Path | None) -> int | None:
    """Return for how many steps a model was trained, if its file tells."""
    if path is None or path.suffix != ".safetensors":
        return None
    steps = json.loads(read_file(path)[0].get("card", "{}")).get("steps")
    return steps if isinstance(steps, int) else None
