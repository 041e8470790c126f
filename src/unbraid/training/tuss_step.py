"""How TUSS and its conventional baselines are trained and measured, for use in recipes.

Axes: B batch, S stems, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from unbraid.errors import RecipeError
from unbraid.models.losses import (
    SETTINGS,
    LossSettings,
    MatchedLoss,
    permuted_loss,
    presence_loss,
    prompted_loss,
    prompted_metric,
    si_sdr,
    sorted_loss,
)

QUIET_ENERGY = 1e-12


class PromptedBatch(Protocol):
    """Mixtures ``[B, N]``, their references ``[B, S, N]``, and the S prompts of each."""

    @property
    def mixture(self) -> Tensor:
        """Mixtures ``[B, N]``."""
        ...

    @property
    def references(self) -> Tensor:
        """What the prompts stand for, ``[B, S, N]``; zeros where a source is absent."""
        ...

    @property
    def prompts(self) -> Sequence[Sequence[str]]:
        """Prompts of each mixture, in the order of the references."""
        ...


class Matched(NamedTuple):
    """Losses and order, the references ``[B, S, N]`` in that order, and which of them are interchangeable.

    ``names`` are the prompts of the references; ``groups`` are equal where estimates may change places.
    """

    loss: MatchedLoss
    references: Tensor
    names: Sequence[Sequence[str]]
    groups: Sequence[Sequence[str]]


Matching = Callable[[Tensor, PromptedBatch, Tensor | None, LossSettings], Matched]


def by_prompt(estimates: Tensor, batch: PromptedBatch, mixture: Tensor | None, settings: LossSettings) -> Matched:
    """Match within each prompt: for prompted networks."""
    loss = prompted_loss(
        estimate=estimates, reference=batch.references, prompts=batch.prompts, mixture=mixture, settings=settings
    )
    return Matched(loss, batch.references, batch.prompts, batch.prompts)


def by_permutation(estimates: Tensor, batch: PromptedBatch, mixture: Tensor | None, settings: LossSettings) -> Matched:
    """Match in the best of all orders, with silence added: for networks whose outputs have no names."""
    loss = permuted_loss(estimate=estimates, reference=batch.references, mixture=mixture, settings=settings)
    n_missing = estimates.shape[1] - batch.references.shape[1]
    names = [[*row, *["nothing"] * n_missing] for row in batch.prompts]
    return Matched(loss, pad(batch.references, (0, 0, 0, n_missing)), names, [["any"] * len(row) for row in names])


def by_name(estimates: Tensor, batch: PromptedBatch, mixture: Tensor | None, settings: LossSettings) -> Matched:
    """Match outputs with the sorted prompts: for networks of one task, whose outputs have fixed names."""
    loss = sorted_loss(
        estimate=estimates, reference=batch.references, prompts=batch.prompts, mixture=mixture, settings=settings
    )
    rows = [sorted(range(len(row)), key=row.__getitem__) for row in batch.prompts]
    references = torch.stack([one[order] for one, order in zip(batch.references, rows, strict=True)])
    names = [sorted(row) for row in batch.prompts]
    return Matched(loss, references, names, names)


class WindowSeparator(Protocol):
    """A network that can be trained here."""

    def separate_windows(self, mixture: Tensor, prompts: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor | None]:
        """Separate ``[B, N]`` into ``[B, S, N]``, with logits of presence ``[B, S]`` or None."""
        ...


@dataclass(frozen=True)
class TussStep:
    """Loss and scores of a network on batches of prompted mixtures.

    Args:
        matching: `by_prompt`, `by_permutation` or `by_name`.
        presence_weight: weight of the binary cross entropy of presence; 0 leaves it out, as published.
        relative_silence: an output whose source is absent is quiet enough 30 dB below the mixture. Without
            it (as published) the loss rewards ever smaller outputs, which matters only where single prompts
            are absent.
        settings: where the separation loss saturates.
    """

    matching: Matching = by_prompt
    presence_weight: float = 0.0
    relative_silence: bool = False
    settings: LossSettings = SETTINGS

    def loss(self, model: nn.Module, batch: PromptedBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the training loss of a batch, and its parts.

        Raises:
            RecipeError: if presence is to be trained and the network does not estimate it.
        """
        estimates, logits = self._separate(model, batch)
        matched = self._match(estimates, batch)
        sounds = (_energy(matched.references) > 0).to(matched.loss.losses.dtype)
        losses = matched.loss.losses
        numbers: dict[str, Tensor | float] = {
            "loss/sounding": ((losses * sounds).sum() / sounds.sum().clamp_min(1)).detach(),
        }
        total = losses.mean()
        if self.presence_weight > 0:
            if logits is None:
                raise RecipeError(
                    "presence_weight is set, but the network has no presence: build it with presence=True"
                )
            presence = presence_loss(logits=logits, reference=matched.references, order=matched.loss.order)
            numbers["loss/presence"] = presence.detach()
            total = total + self.presence_weight * presence
        return total, numbers

    def score(self, model: nn.Module, batch: PromptedBatch) -> dict[str, list[float]]:
        """Return what is validated: loss, SI-SDR, its improvement, levels of outputs of absent sources, presence.

        "loss" has one number per item and "si_sdr" one per source, in dB; "si_sdr_improvement/PROMPT" is over
        the mixture; "false_output" is the level of outputs whose source is absent, relative to the mixture, in
        dB; "presence" is 1 where the network is right about whether a source sounds, and 0 where it is not.
        """
        estimates, logits = self._separate(model, batch)
        matched = self._match(estimates, batch)
        references = matched.references
        values = prompted_metric(si_sdr, estimate=estimates, reference=references, prompts=matched.groups)
        better = values - si_sdr(estimate=batch.mixture[:, None], reference=references)
        scores = {
            "loss": matched.loss.losses.mean(dim=1).tolist(),
            "si_sdr": values.flatten().tolist(),
            "si_sdr_improvement": better.flatten().tolist(),
        }
        for row, names in zip(better.tolist(), matched.names, strict=True):
            for value, name in zip(row, names, strict=True):
                scores.setdefault(f"si_sdr_improvement/{name}", []).append(value)
        sounds = _energy(references) > 0
        level = _energy(estimates.gather(1, matched.loss.order[..., None].expand_as(estimates)))
        relative = 10 * torch.log10((level + QUIET_ENERGY) / (_energy(batch.mixture)[:, None] + QUIET_ENERGY))
        scores["false_output"] = relative[~sounds].tolist()
        if logits is not None:
            right = (logits.gather(1, matched.loss.order) > 0) == sounds
            scores["presence"] = right.float().flatten().tolist()
        return scores

    def _separate(self, model: nn.Module, batch: PromptedBatch) -> tuple[Tensor, Tensor | None]:
        return cast(WindowSeparator, model).separate_windows(batch.mixture, batch.prompts)

    def _match(self, estimates: Tensor, batch: PromptedBatch) -> Matched:
        mixture = batch.mixture if self.relative_silence else None
        return self.matching(estimates, batch, mixture, self.settings)


def _energy(signals: Tensor) -> Tensor:
    return signals.float().square().sum(dim=-1)
