"""The models that a server offers, and what each of them takes."""

from __future__ import annotations

import copy
import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unbraid.errors import GuideError, ModelError, SettingsError, UnbraidError
from unbraid.guides.kinds import Examples, Guide, Target, spell_targets
from unbraid.models.instglow import Instglow, choose_search
from unbraid.models.instglow_search import SEARCHES
from unbraid.models.queries import tensors_sha256
from unbraid.models.separator import Sampling, Separator
from unbraid.priors import RESIDUAL, find_priors, state_of_priors
from unbraid.separation import Settings
from unbraid.server.labels import LabelFacts
from unbraid.server.shelf import ModelChoice, bytes_of
from unbraid.zoo import PRIOR_SYSTEM, ZOO, check_targets, default_model, load_model, weights_hash

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """One model.

    Args:
        name: what requests call it.
        source: what `load_model` takes.
        sha256: of its weights file, or of the hashes of its priors.
        summary: one line.
        licence: of the weights.
        training_data: what it was trained with.
        separator: the network without its weights, to be asked what it takes.
        n_parameters: numbers in the weights.
        n_bytes: that the weights take in memory.
        model_sha256: of its tensors, by which taught labels know it; empty if it cannot be taught.
    """

    name: str
    source: str
    sha256: str
    summary: str
    licence: str
    training_data: str
    separator: Separator
    n_parameters: int
    n_bytes: int
    model_sha256: str

    @property
    def priors(self) -> tuple[str, ...]:
        """Sources whose priors can be left out; none if it is not put together of priors."""
        return self.separator.vocabulary if self.source == PRIOR_SYSTEM else ()

    @property
    def searches(self) -> tuple[str, ...]:
        """Ways in which it can search, the usual one first; none if it does not search."""
        return tuple(SEARCHES) if isinstance(self.separator, Instglow) else ()

    @property
    def guides(self) -> tuple[str, ...]:
        """Kinds of guide that it takes; spans where it takes examples, of which they are cut."""
        kinds = sorted(kind.__name__ for kind in self.separator.accepts)
        return tuple(kinds + (["Span"] if "Examples" in kinds and "Span" not in kinds else []))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Labels or prompts that it knows."""
        return (*self.separator.vocabulary, *self.separator.taught)

    @property
    def listens(self) -> bool:
        """Whether it learns a label by listening to examples; any other that can be taught is tuned for a while."""
        return Examples in self.separator.accepts

    @property
    def takes_negatives(self) -> bool:
        """Whether examples may also say what the target is not."""
        return Examples in self.separator.accepts and bool(getattr(self.separator.config, "negatives", False))

    def with_labels(self, labels: Sequence[LabelFacts]) -> Separator:
        """Return the network without weights that knows some taught labels, too.

        Raises:
            GuideError: if one was taught to another model, or the model knows its name.
        """
        separator = copy.copy(self.separator)
        separator.taught = dict(self.separator.taught)
        for label in labels:
            if not self.model_sha256 or label.model_sha256 != self.model_sha256:
                versions = " with other weights" if label.model == self.name else ""
                raise GuideError(
                    f"{label.name!r} was taught to {label.model}{versions}, not to {self.name}: choose that model, or "
                    "teach the label again"
                )
            separator.teach(label.name, torch.zeros(separator.query_size or 0))
        return separator

    def chosen(self, choice: ModelChoice) -> Offer:
        """Return the model that is put together as a take asks for it; names of priors are only compared.

        Raises:
            ModelError: if a prior is not there, or too few of them are.
            SettingsError: if it is not made of priors, or does not search so.
        """
        separator = copy.copy(self.separator)
        if choice.priors is not None:
            separator = self._of_priors(choice.priors)
        if choice.search is not None:
            choose_search(separator, choice.search)
        return replace(self, separator=separator, n_bytes=bytes_of(separator))

    def _of_priors(self, names: Sequence[str]) -> Separator:
        if not self.priors:
            raise SettingsError(f"{self.name} is not put together of priors: leave priors out, or use {PRIOR_SYSTEM}")
        unknown = next((name for name in names if name not in {*self.priors, RESIDUAL}), None)
        if unknown is not None:
            raise ModelError(f"there is no prior of {unknown[:80]!r} here: choose among {', '.join(self.priors)}")
        taking_part = [prior.name for prior in find_priors(names)]
        config = self.separator.config
        shapes = dict(zip(config.names, config.priors, strict=True))
        with torch.device("meta"):
            made = Instglow(
                replace(
                    config,
                    names=tuple(taking_part),
                    priors=tuple(shapes[name] for name in taking_part),
                    residual=RESIDUAL in names,
                )
            )
        made.name = self.name
        return made

    @property
    def draws(self) -> bool:
        """Whether it draws at random, and so takes seed, steps and candidates."""
        try:
            self.separator.check_sampling(Sampling())
        except SettingsError:
            return False
        return True


class Catalog:
    """All models that ship, and those that the server was started with; each is looked at once.

    Only what is put together of priors is looked at again, when those in the library have changed.

    Args:
        extra: weights files, or taught labels (``.unbraid``); each is called after its file.

    Example:
        >>> catalog = Catalog()
        >>> "tuss-small" in catalog.names, "instglow" in catalog.names
        (True, True)
    """

    def __init__(self, extra: Sequence[Path] = ()) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Offer] = {}
        self._priors = state_of_priors()
        self._sources = {entry.name: entry.name for entry in ZOO.values() if entry.ships}
        for path in extra:
            if path.stem in self._sources:
                raise ModelError(f"{path}: another model is called {path.stem!r} already: rename the file")
            self._sources[path.stem] = str(path)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all models, those that ship first."""
        return tuple(self._sources)

    def offer(self, name: str) -> Offer:
        """Return a model.

        Raises:
            ModelError: if there is none of this name, or its file is damaged.
        """
        if name not in self._sources:
            raise ModelError(f"there is no model {name[:80]!r} here: choose one of {', '.join(self._sources)}")
        with self._lock:
            if name == PRIOR_SYSTEM and (priors := state_of_priors()) != self._priors:
                self._priors = priors
                self._known.pop(name, None)
            if name not in self._known:
                self._known[name] = _look(name, self._sources[name])
            return self._known[name]

    def offers(self) -> list[Offer]:
        """Return all models that can be loaded; a damaged file of one leaves the others as they are."""
        found = []
        for name in self.names:
            try:
                found.append(self.offer(name))
            except ModelError as error:
                _log.warning("%s is not offered: %s", name, error)
        return found

    def choose(
        self,
        request: Sequence[Guide | Target],
        name: str | None,
        settings: Settings,
        labels: Sequence[LabelFacts] = (),
        *,
        choice: ModelChoice | None = None,
    ) -> Offer:
        """Return the model for a request, and refuse guides that it does not take.

        Args:
            request: guides and targets; files need not have been read.
            name: of the model; None lets the guides choose.
            settings: random draws are refused where it makes none.
            labels: that the request names and that were taught: they choose their model if it is left open.
            choice: what of the model takes part; priors choose the model that is made of them if it is left open.

        Raises:
            ModelError: if there is no such model.
            GuideError: if it does not take a guide, or does not know a label, or a stem is called as the residual.
            SettingsError: if it draws nothing at random, or is not made of priors, and was asked to.
        """
        targets = spell_targets(request)
        if any(target.name == RESIDUAL for target in targets):
            raise GuideError(f"no stem can be called {RESIDUAL!r}, which is what the stems leave: give it another name")
        if name is None and choice is not None and choice.priors is not None:
            name = PRIOR_SYSTEM
        offer = self.offer(self._default(targets, labels) if name is None else name)
        if choice is not None:
            offer = offer.chosen(choice)
        separator = offer.with_labels(labels)
        check_targets(separator, targets)
        if settings.sampling is not None:
            separator.check_sampling(settings.sampling)
        _try_names(separator, targets)
        return offer

    def _default(self, targets: Sequence[Target], labels: Sequence[LabelFacts]) -> str:
        """Return the model that the labels were taught to, if there are any and it is here."""
        offers = self.offers() if labels else []
        learned = {label.model_sha256 for label in labels}
        return next((one.name for one in offers if learned == {one.model_sha256}), default_model(targets))


def _try_names(separator: Separator, targets: Sequence[Target]) -> None:
    """Refuse names that contradict each other, if names are all that is given; other guides have not been read yet."""
    if any(type(guide).__name__ not in {"Label", "Prompts"} for target in targets for guide in target.guides):
        return
    try:
        separator.condition(targets)
    except UnbraidError:
        raise
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return  # the network has no weights here; the names are in order


def _look(name: str, source: str) -> Offer:
    model = load_model(source)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    entry = ZOO.get(name)
    taught = model.taught
    model_sha256 = "" if model.query_size is None else tensors_sha256(model)
    separator = model.to(torch.device("meta"))
    separator.taught = taught
    separator.name = name
    return Offer(
        name=name,
        source=source,
        sha256=_hash_of(name, source),
        summary="a model of your own" if entry is None else entry.summary,
        licence="" if entry is None else entry.licence,
        training_data="" if entry is None else entry.training_data,
        separator=separator,
        n_parameters=n_parameters,
        n_bytes=bytes_of(separator),
        model_sha256=model_sha256,
    )


def _hash_of(name: str, source: str) -> str:
    """Return what tells the weights from all others; of a model that is put together, of all its priors."""
    if name not in ZOO:
        return weights_hash(Path(source))
    if ZOO[name].sha256 is not None:
        return str(ZOO[name].sha256)
    hashes = [f"{prior.name} {weights_hash(prior.path)}" for prior in find_priors(None)]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
