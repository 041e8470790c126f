"""The examinations: what is asked of a model, and how its answers are scored.

One protocol so far, ``tuss``, after Saijo et al., "Task-aware unified source separation", ICASSP 2025, section IV,
in three modes:

- all prompts: every source of the mixture is asked for at once (rows L5 and L6 of Table III);
- single prompt: one pass per category, its duplicates together (rows L5s and L6s);
- absent prompt: beside the sources that are there, one is asked for that is not; its answer should be silence.

Everything goes through `unbraid.separation.separate`, the one way in.

Axes: S stems, C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.evaluation import metrics
from unbraid.evaluation.items import EvaluationItem, ItemSource, Reference
from unbraid.evaluation.records import Heard, Record, RecordFile, SourceScore, mean_of, pass_key, provenance
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.scoring import Answer, ask, improvement, score_absent, score_output
from unbraid.guides.kinds import Label, Target
from unbraid.models.instglow import InstglowConfig
from unbraid.models.separator import Separator
from unbraid.models.tuss import CONTRADICTIONS, PROMPTS
from unbraid.settings import Settings

PROTOCOL = "tuss"


class Mode(StrEnum):
    """How a model is asked."""

    ALL = "all-prompts"
    SINGLE = "single-prompt"
    ABSENT = "absent-prompt"


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model under examination.

    Args:
        name: what it is called in records and tables.
        model: any separator whose vocabulary are prompts, or which numbers its outputs; or a floor or ceiling.
        weights: SHA-256 of its weights file, or of its tensors and config.
        trained: for how many steps, where that is known.
    """

    name: str
    model: Separator | ReferenceModel
    weights: str
    trained: int | None = None

    @classmethod
    def enter(
        cls, name: str, model: Separator | ReferenceModel, *, weights: str | None = None, trained: int | None = None
    ) -> Contestant:
        """Put a model in evaluation mode; where there is no hash of a file, take that of its tensors and config."""
        if isinstance(model, ReferenceModel):
            return cls(name, model, model.fingerprint)
        return cls(name, model.eval(), weights or hash_weights(model), trained)

    @property
    def is_anonymous(self) -> bool:
        """Whether the outputs stand for nothing, and are matched freely (networks trained with free permutation)."""
        outputs = self.model.vocabulary
        if not outputs or set(outputs) & set(PROMPTS):
            return False
        groups = self.model.condition([Target(name, Label(name)) for name in outputs]).groups
        return tuple(sorted(index for group in groups for index in group)) == tuple(range(len(outputs)))

    def told(self, settings: Settings) -> dict[str, Any]:
        """Return settings, and what beside weights decides about answers: what was taught, and how priors search."""
        config, told = getattr(self.model, "config", None), asdict(settings)
        if isinstance(config, InstglowConfig):
            told |= {"priors": list(config.names), "search": asdict(config.search)}
        taught = {
            name: hashlib.sha256(vector.cpu().numpy().tobytes()).hexdigest()[:12]
            for name, vector in sorted(self.model.taught.items())
        }
        return {**told, "taught": taught} if taught else told


@dataclass(frozen=True)
class Plan:
    """What an evaluation does.

    Args:
        modes: in this order.
        settings: of the separation.
        seed: of anything random in the making of the items; a part of every record.
        protocol: what it is called in records.
    """

    modes: tuple[Mode, ...] = (Mode.ALL,)
    settings: Settings = field(default_factory=Settings)
    seed: int = 0
    protocol: str = PROTOCOL


@dataclass(frozen=True)
class Skipped:
    """A pass that was not made, and why."""

    model: str
    mode: str
    item: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """All records of a run, those of earlier runs that it continued included, and what was left out."""

    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class _Scored:
    """One prompt of one pass, before it becomes a record; the sounds ``[C, N]`` are those of its first source."""

    prompt: str
    asked: tuple[str, ...]
    seconds: float
    sources: tuple[SourceScore, ...]
    estimate: Tensor
    reference: Tensor | None = None


def evaluate_tuss(
    items: Sequence[ItemSource],
    contestants: Sequence[Contestant],
    *,
    records: RecordFile,
    plan: Plan = Plan(),
    progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Examine models on items; passes that the file already holds are not repeated.

    Args:
        items: where the items are read from, one at a time.
        contestants: models; every one gets every item.
        records: the file that results go to as soon as they are there.
        plan: modes, settings and seed.
        progress: called with the fraction done, 0..1.

    Returns:
        The records of exactly these items, models and modes.

    Raises:
        DatasetError: if an item cannot be read.
    """
    found: list[Record] = []
    skipped: list[Skipped] = []
    for number, source in enumerate(items):
        item = source.read()
        for contestant in contestants:
            for mode in plan.modes:
                reason = obstacle(contestant, mode, item)
                if reason:
                    skipped.append(Skipped(contestant.name, mode.value, item.name, reason))
                    continue
                found.extend(examine_item(contestant, mode, item, plan=plan, records=records))
        if progress is not None:
            progress((number + 1) / len(items))
    return Evaluation(tuple(found), tuple(skipped))


def absent_prompts(present: Sequence[str], vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the prompts whose sound is surely not there: not asked for, and no part or whole of what is.

    Example:
        >>> absent_prompts(["speech", "sfx-mix"], ["speech", "sfx", "sfx-mix", "drums", "music-mix"])
        ('drums', 'music-mix')
    """
    related = set(present)
    for whole, parts in CONTRADICTIONS.items():
        if whole in present:
            related.update(parts)
        if related & set(parts):
            related.add(whole)
    return tuple(name for name in vocabulary if name not in related)


def hash_weights(model: Separator) -> str:
    """Return the SHA-256 of a model's config and of all names, shapes and values of its state."""
    digest = hashlib.sha256(repr(getattr(model, "config", None)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def obstacle(contestant: Contestant, mode: Mode, item: EvaluationItem) -> str | None:
    """Say why a model cannot be asked about an item; None if it can."""
    if contestant.is_anonymous:
        return _obstacle_of_outputs(len(contestant.model.vocabulary), mode, len(item.references))
    unknown = [prompt for prompt in dict.fromkeys(item.prompts) if prompt not in contestant.model.vocabulary]
    if unknown:
        return f"it does not know {' '.join(unknown)}"
    try:
        contestant.model.condition([Target(name, Label(name)) for name in item.prompts])
    except GuideError as error:
        return str(error)
    return None


def _obstacle_of_outputs(n_outputs: int, mode: Mode, n_references: int) -> str | None:
    """Say why a model whose outputs have no names cannot be asked; None if it can."""
    if mode is not Mode.ALL:
        return "its outputs have no names, so it cannot be asked for one"
    if n_references > n_outputs:
        return f"the item has {n_references} sources, and the model {n_outputs} outputs"
    return None


def examine_item(
    contestant: Contestant, mode: Mode, item: EvaluationItem, *, plan: Plan, records: RecordFile
) -> tuple[Record, ...]:
    """Make one pass over one item, or find it in the file."""
    settings = contestant.told(plan.settings)
    key = pass_key(
        protocol=plan.protocol, mode=mode, item=item.name, item_set=item.item_set, fingerprint=item.fingerprint,
        model=contestant.name, weights=contestant.weights, settings=settings, seed=plan.seed,
    )  # fmt: skip
    finished = records.find(key)
    if finished:
        return finished
    scored = list(_EXAMINERS[mode](contestant, item, plan.settings))
    made = tuple(
        Record(
            key=key, block=len(scored), protocol=plan.protocol, mode=mode.value, item_set=item.item_set, item=item.name,
            fingerprint=item.fingerprint, prompt=one.prompt, asked=one.asked, model=contestant.name,
            weights=contestant.weights, settings=settings, seed=plan.seed, n_channels=int(item.mixture.shape[0]),
            sample_rate=item.sample_rate, duration=item.duration, seconds=one.seconds,
            si_sdr=mean_of([score.si_sdr for score in one.sources]),
            si_sdr_improvement=mean_of([improvement(score) for score in one.sources]),
            snr=mean_of([score.snr for score in one.sources]),
            sdr=mean_of([score.sdr for score in one.sources]),
            level_db=mean_of([score.level_db for score in one.sources]),
            presence=mean_of([score.presence for score in one.sources]),
            sources=one.sources, provenance=provenance(),
        )
        for one in scored
    )  # fmt: skip
    sounds = [
        Heard(record, item.mixture, one.estimate, one.reference) for record, one in zip(made, scored, strict=True)
    ]
    records.append(made, heard=sounds)
    return made


def _all_prompts(contestant: Contestant, item: EvaluationItem, settings: Settings) -> Iterator[_Scored]:
    asked = contestant.model.vocabulary if contestant.is_anonymous else item.prompts
    answer = _ask(contestant, item, asked, settings, truth=[one.samples for one in item.references])
    yield from _score(item, item.references, answer, asked, free=contestant.is_anonymous)


def _single_prompt(contestant: Contestant, item: EvaluationItem, settings: Settings) -> Iterator[_Scored]:
    for prompt in dict.fromkeys(item.prompts):
        references = tuple(reference for reference in item.references if reference.prompt == prompt)
        asked = (prompt,) * len(references)
        answer = _ask(contestant, item, asked, settings, truth=[one.samples for one in references])
        yield from _score(item, references, answer, asked, free=False)


def _absent_prompt(contestant: Contestant, item: EvaluationItem, settings: Settings) -> Iterator[_Scored]:
    known = contestant.model.vocabulary
    vocabulary = [name for name in known if name in PROMPTS] if isinstance(contestant.model, ReferenceModel) else known
    for prompt in absent_prompts(item.prompts, vocabulary):
        asked = (*item.prompts, prompt)
        truth = [*(one.samples for one in item.references), None]
        answer = _ask(contestant, item, asked, settings, truth=truth)
        score = score_absent(answer, len(answer.names) - 1, item.mixture)
        yield _Scored(prompt, asked, answer.seconds, (score,), answer.stems[-1])


_EXAMINERS: dict[Mode, Callable[[Contestant, EvaluationItem, Settings], Iterator[_Scored]]] = {
    Mode.ALL: _all_prompts,
    Mode.SINGLE: _single_prompt,
    Mode.ABSENT: _absent_prompt,
}


def _ask(
    contestant: Contestant,
    item: EvaluationItem,
    prompts: Sequence[str],
    settings: Settings,
    *,
    truth: Sequence[Tensor | None],
) -> Answer:
    """Ask for prompts by their names; only floors and ceilings see the truth."""
    targets = [Target(name, Label(name)) for name in prompts]
    return ask(contestant.model, Audio(item.mixture, item.sample_rate), targets, settings=settings, truth=truth)


def _score(
    item: EvaluationItem, references: Sequence[Reference], answer: Answer, asked: Sequence[str], *, free: bool
) -> Iterator[_Scored]:
    """Match outputs with references, within a category or freely, and score each category."""
    truth = torch.stack([reference.samples for reference in references])
    if free:
        order = metrics.best_assignment(metrics.pairwise(estimate=answer.stems, reference=truth, metric=metrics.si_sdr))
    else:
        order = metrics.assign_within_categories(
            estimate=answer.stems, reference=truth, categories=asked, metric=metrics.si_sdr
        )
    scores = [
        score_output(answer, index, reference, item.mixture) for reference, index in zip(references, order, strict=True)
    ]
    prompts = [reference.prompt for reference in references]
    for prompt in dict.fromkeys(prompts):
        members = tuple(score for name, score in zip(prompts, scores, strict=True) if name == prompt)
        first = prompts.index(prompt)
        yield _Scored(prompt, tuple(asked), answer.seconds, members, answer.stems[order[first]], truth[first])
