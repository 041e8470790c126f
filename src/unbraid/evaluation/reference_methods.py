"""Floors and ceilings: what is put beside the models under examination, and answers the same questions.

The mixture itself and silence are what anything has to beat; oracle masks, which are given the true sources, are what
masks can reach; methods without training say how much learning brings. They are asked through `scoring.ask`, as models
are, and are handed the true sources, which only the oracles look at.

Axes: C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.datasets.taxonomy import PROMPTS
from unbraid.errors import GuideError, SettingsError
from unbraid.evaluation.reference_classics import Hpss, Repet
from unbraid.evaluation.reference_masks import MaskKind, OracleMask
from unbraid.evaluation.reference_nmf import Nmf
from unbraid.guides.kinds import Examples, Guide, Label, Prompts, Target, output_names
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES

NMF_PREFIX = "nmf:"
ALL_LABELS = tuple(dict.fromkeys((*PROMPTS, *INSTRUMENT_CLASSES)))


class ReferenceMethod(Protocol):
    """What stands in a table beside the models.

    ``needs_truth`` says whether the true sources are looked at. A method is a frozen dataclass whose ``repr`` names
    all that decides about its answers.
    """

    @property
    def name(self) -> str:
        """What it is called in records and tables, and on the command line."""
        ...

    @property
    def needs_truth(self) -> bool:
        """Whether the true sources are looked at."""
        ...

    def knows(self, label: str) -> bool:
        """Say whether it has an answer of its own for a label or prompt."""
        ...

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Answer all that is asked for.

        Args:
            mixture: ``[C, N]``.
            references: what is asked for, by output name, with its true sound, of the mixture's shape and rate;
                silence where the target is not there. A method without need of the truth reads the names alone.

        Returns:
            One answer per name, of the mixture's shape and rate.
        """
        ...


@dataclass(frozen=True)
class MixtureItself:
    """Answers everything with the mixture: the score before anything was done.

    Example:
        >>> mixture = Audio(torch.ones(1, 4), 8000)
        >>> MixtureItself().separate(mixture, {"bass": mixture})["bass"].samples
        tensor([[1., 1., 1., 1.]])
    """

    name: str = "mixture"
    needs_truth: bool = False

    def knows(self, label: str) -> bool:
        """Say yes to every label."""
        return bool(label)

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Return the mixture for every name."""
        return {name: Audio(mixture.samples.clone(), mixture.sample_rate) for name in references}


@dataclass(frozen=True)
class Silence:
    """Answers everything with silence: perfect where nothing sounds.

    Example:
        >>> Silence().separate(Audio(torch.ones(1, 2), 8000), {"bass": Audio(torch.ones(1, 2), 8000)})["bass"].samples
        tensor([[0., 0.]])
    """

    name: str = "silence"
    needs_truth: bool = False

    def knows(self, label: str) -> bool:
        """Say yes to every label."""
        return bool(label)

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Return zeros for every name."""
        return {name: Audio(torch.zeros_like(mixture.samples), mixture.sample_rate) for name in references}


METHODS: tuple[ReferenceMethod, ...] = (
    MixtureItself(),
    Silence(),
    OracleMask(MaskKind.BINARY),
    OracleMask(MaskKind.RATIO),
    OracleMask(MaskKind.COMPLEX),
    Hpss(),
    Repet(),
)
FLOORS_AND_CEILINGS = ("mixture", "silence", "oracle-ibm", "oracle-irm", "oracle-cirm")
"""Those that need no further package and answer every label."""

REFERENCE_NAMES = (*(method.name for method in METHODS), NMF_PREFIX.rstrip(":"))


def is_reference(name: str) -> bool:
    """Say whether a name in a table is that of a floor or ceiling.

    Example:
        >>> is_reference("oracle-irm"), is_reference("tuss-small")
        (True, False)
    """
    return name in REFERENCE_NAMES


def find_reference(name: str) -> ReferenceMethod | None:
    """Return the method of a name; None if no method is called so.

    ``nmf:FILE`` is non-negative matrix factorization with the bases in a file (`Nmf.save`).

    Raises:
        SettingsError: if the file of bases is not one.

    Example:
        >>> find_reference("oracle-irm").needs_truth, find_reference("tuss-small")
        (True, None)
    """
    if name.startswith(NMF_PREFIX):
        return Nmf.load(Path(name.removeprefix(NMF_PREFIX)))
    return next((method for method in METHODS if method.name == name), None)


@dataclass(frozen=True)
class ReferenceCondition:
    """The outputs that are asked for; none can change places with another one."""

    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...] = ()

    def crop(self, start: float, stop: float) -> ReferenceCondition:
        """Return the same: nothing is on the mixture's clock."""
        del start, stop
        return self


class ReferenceModel:
    """A method where a protocol expects a model: it has a vocabulary, takes guides, and is asked by `scoring.ask`.

    Attributes:
        method: what answers.
        name: of the method.
        vocabulary: the labels and prompts that it answers.
        accepts: labels and prompts, and examples, whose recordings it does not listen to.
        taught: nothing.

    Example:
        >>> model = ReferenceModel(Silence())
        >>> model.condition([Target("bass", Label("bass"))]).names
        ('bass',)
    """

    accepts: frozenset[type[Guide]] = frozenset({Label, Prompts, Examples})

    def __init__(self, method: ReferenceMethod) -> None:
        self.method = method
        self.name = method.name
        self.vocabulary = tuple(label for label in ALL_LABELS if method.knows(label))
        self.taught: dict[str, Tensor] = {}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides about the answers, where a model has that of its weights."""
        return hashlib.sha256(repr(self.method).encode()).hexdigest()

    def condition(self, targets: Sequence[Target]) -> ReferenceCondition:
        """Name the outputs.

        Raises:
            GuideError: if the method has no answer to a target.
        """
        for target in targets:
            if not self.method.knows(target.name):
                raise GuideError(f"{self.name} has no answer to {target.name!r}: it knows {' '.join(self.vocabulary)}")
        return ReferenceCondition(output_names(targets))

    def answer(self, mixture: Audio, targets: Sequence[Target], truth: Sequence[Tensor | None]) -> dict[str, Audio]:
        """Answer all targets about one mixture.

        Args:
            mixture: ``[C, N]``.
            targets: what is asked for.
            truth: the true sound ``[C, N]`` of each target; None where it is not there.

        Raises:
            GuideError: if the method has no answer to a target.
            SettingsError: if there is not one truth per target.
        """
        if len(truth) != len(targets):
            raise SettingsError(f"{self.name}: {len(truth)} true sources for {len(targets)} targets: give one of each")
        names = self.condition(targets).names
        silence = torch.zeros_like(mixture.samples)
        references = {
            name: Audio(silence if samples is None else samples, mixture.sample_rate)
            for name, samples in zip(names, truth, strict=True)
        }
        return self.method.separate(mixture, references)
