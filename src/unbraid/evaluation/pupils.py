"""Models that do not listen, taught what they are asked for: every target's examples become a label first.

Axes: S targets, D numbers of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.examples import resolve_examples
from unbraid.guides.kinds import Examples, Label, Target, output_names
from unbraid.models.separator import Condition, Estimates, Separator
from unbraid.teaching.teacher import Sceneries, render_sceneries, teach
from unbraid.teaching.tuning import TeachSettings

LESSON = "taught"
QUICK = TeachSettings(seconds=1.5, n_songs=2, n_checks=8)
"""What an examination with a hundred tunings can afford; a user's label is compared on twice as many mixtures."""


@dataclass(frozen=True, eq=False)
class PupilCondition:
    """One condition of the model for each target: labels are asked for one at a time, as they were taught."""

    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    groups: tuple[tuple[int, ...], ...] = ()

    def crop(self, start: float, stop: float) -> PupilCondition:
        """Return the conditions of a window, in seconds."""
        return PupilCondition(self.names, tuple(one.crop(start, stop) for one in self.conditions))


class Pupil(Separator):
    """Takes examples, beside its labels, in the place of a model that takes labels only.

    Args:
        model: any that `unbraid.teaching.teach` tunes.
        settings: of the tuning.

    Example:
        >>> from unbraid.zoo import debug_model
        >>> Pupil(debug_model(), TeachSettings(steps=1)).accepts == {Examples, Label}
        True
    """

    def __init__(self, model: Separator, settings: TeachSettings) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self.config, self.name, self.vocabulary = model.config, model.name, model.vocabulary
        self.sample_rate, self.segment, self.step = model.sample_rate, model.segment, model.step
        self.accepts = frozenset({Examples, Label})
        self._scenery: Sceneries | None = None

    def condition(self, targets: Sequence[Target]) -> PupilCondition:
        """Teach the examples of every target; labels of the model are asked for as they are.

        Raises:
            GuideError: if a guide is of another kind, an example cannot be learned from, or the model not be taught.
        """
        resolved = resolve_examples(targets)  # refuses all that can be refused before the first is taught
        return PupilCondition(output_names(targets), tuple(self._condition(target) for target in resolved))

    def _condition(self, target: Target) -> Condition:
        (guide,) = target.guides
        if isinstance(guide, Label):
            return self.model.condition([target])
        if not isinstance(guide, Examples):
            raise GuideError(f"target {target.name!r}: only examples are taught, not {type(guide).__name__}")
        if self._scenery is None:
            self._scenery = render_sceneries(self.settings, self.sample_rate)
        query = teach(self.model, LESSON, guide, settings=self.settings, scenery=self._scenery)
        self.model.teach(LESSON, query.vector)
        condition = self.model.condition([Target(target.name, Label(LESSON))])
        del self.model.taught[LESSON]
        return condition

    def forward(self, mixture: Tensor, condition: PupilCondition) -> Estimates:  # type: ignore[override]
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]``, one target at a time."""
        answers: list[Estimates] = [self.model(mixture, one) for one in condition.conditions]
        presence = [one.presence for one in answers if one.presence is not None]
        told = torch.cat(presence, dim=1) if len(presence) == len(answers) else None
        return Estimates(torch.cat([one.stems for one in answers], dim=1), told)
