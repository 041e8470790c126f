"""The examinations of models that are told what to listen for: protocols ``examples`` and ``labels``.

Does an example matter? Every condition of `unbraid.evaluation.questions` is put to every model that can follow it, and
the same questions to all of them. The mixture that a model gets is the part that is scored, nothing else.

Axes: S targets, C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.evaluation.protocols import Contestant, Evaluation, Skipped
from unbraid.evaluation.pupils import Pupil
from unbraid.evaluation.questions import (
    Condition,
    Examiner,
    Kind,
    Question,
    Shelf,
    all_conditions,
    fill_shelf,
)
from unbraid.evaluation.records import Heard, Record, RecordFile, SourceScore, mean_of, pass_key, provenance
from unbraid.evaluation.scoring import Answer, ask, improvement, score_absent, score_output
from unbraid.evaluation.tracks import StemTrack, TrackSource
from unbraid.guides.kinds import Examples, Guide, Label, Target
from unbraid.settings import Settings


class Protocol(StrEnum):
    """The two examinations, which differ in their conditions."""

    EXAMPLES = "examples"
    LABELS = "labels"


LABEL_CONDITIONS = (Condition(Kind.LABEL), Condition(Kind.ABSENT_LABEL))


@dataclass(frozen=True)
class GuidedPlan:
    """What an examination does.

    Args:
        protocol: what it is called in records.
        conditions: in this order.
        n_parts: a track is divided into so many equal parts; each is scored with examples from the others.
        example_duration: of an example, in seconds; at most half of a part.
        settings: of the separation.
        seed: of all draws; a part of every record.
    """

    protocol: Protocol = Protocol.EXAMPLES
    conditions: tuple[Condition, ...] = field(default_factory=all_conditions)
    n_parts: int = 2
    example_duration: float = 3.0
    settings: Settings = field(default_factory=Settings)
    seed: int = 0

    @classmethod
    def of_labels(cls, *, settings: Settings, seed: int = 0) -> GuidedPlan:
        """Return the plan of the protocol ``labels``: whole tracks, labels that are there and labels that are not."""
        return cls(Protocol.LABELS, LABEL_CONDITIONS, n_parts=1, settings=settings, seed=seed)


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The questions of one condition about all parts of one track, and the mixture of each part ``[C, N]``."""

    track: StemTrack
    condition: Condition
    parts: tuple[tuple[Tensor, tuple[Question, ...]], ...]

    def limit(self, contestant: Contestant) -> _Sheet:
        """Return the questions whose guides a model can follow."""
        parts = tuple(
            (mixture, tuple(question for question in questions if can_follow(contestant, question.guide)))
            for mixture, questions in self.parts
        )
        return replace(self, parts=parts)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions about all parts."""
        return tuple(question for _, questions in self.parts for question in questions)

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any sample or label of mixtures, answers and examples."""
        digest = hashlib.sha256(str(self.track.sample_rate).encode())
        for mixture, questions in self.parts:
            _feed(digest.update, mixture)
            for question in questions:
                digest.update(
                    f"{question.label} {question.guide if isinstance(question.guide, Label) else ''}".encode()
                )
                for reference in (question.reference, question.other):
                    if reference is not None:
                        _feed(digest.update, reference.samples)
                for recording in _recordings(question.guide):
                    _feed(digest.update, recording.samples)
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class _Scored:
    """One answer, scored: against what was asked for, and against another sound of the mixture."""

    question: Question
    score: SourceScore
    other: SourceScore | None
    seconds: float
    mixture: Tensor
    estimate: Tensor


def evaluate_guided(
    tracks: Sequence[TrackSource],
    contestants: Sequence[Contestant],
    *,
    records: RecordFile,
    plan: GuidedPlan = GuidedPlan(),
    shelf: Shelf | None = None,
    progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Examine models on tracks; passes that the file already holds are not repeated.

    Args:
        tracks: read twice, one at a time: for the examples of other tracks, and to be taken apart.
        contestants: models; every one is asked all that it can follow.
        records: the file that results go to as soon as they are there.
        plan: conditions, settings and seed.
        shelf: recordings of other tracks; None cuts them out of these.
        progress: called with the fraction done, 0..1.

    Returns:
        The records of exactly these tracks, models and conditions, and what was left out.

    Raises:
        DatasetError: if a track cannot be read.
    """
    if shelf is None:
        shelf = fill_shelf(tracks, duration=plan.example_duration, seed=plan.seed)
    found: list[Record] = []
    skipped: list[Skipped] = []
    for number, source in enumerate(tracks):
        track = source.read()
        parts = track.parts(plan.n_parts)
        examiners = [Examiner(track, part, shelf, plan.example_duration, plan.seed, source.name) for part in parts]
        mixtures = [track.mixture(part) for part in parts]
        for condition in plan.conditions:
            drawn = [examiner.questions(condition) for examiner in examiners]
            sheet = _Sheet(track, condition, tuple(zip(mixtures, drawn, strict=True)))
            for contestant in contestants:
                try:
                    found.extend(_examine(contestant, sheet, plan=plan, records=records))
                except GuideError as error:
                    skipped.append(Skipped(contestant.name, condition.title, source.name, str(error)))
        if progress is not None:
            progress((number + 1) / len(tracks))
    return Evaluation(tuple(found), tuple(skipped))


def _examine(contestant: Contestant, sheet: _Sheet, *, plan: GuidedPlan, records: RecordFile) -> tuple[Record, ...]:
    """Put one sheet to one model, or find its answers in the file; one record per label.

    Raises:
        GuideError: if the model cannot follow the guides.
    """
    limited = sheet.limit(contestant)
    if sheet.questions and not limited.questions:
        raise GuideError(obstacle_of(contestant, sheet.questions[0].guide))
    if not sheet.questions:
        return ()
    track, condition = sheet.track, sheet.condition
    settings = _settings(contestant, plan)
    fingerprint = limited.fingerprint
    key = pass_key(
        protocol=plan.protocol, mode=condition.title, item=track.name, item_set=track.item_set,
        fingerprint=fingerprint, model=contestant.name, weights=contestant.weights, settings=settings, seed=plan.seed,
    )  # fmt: skip
    finished = records.find(key)
    if finished:
        return finished
    scored = [one for mixture, questions in limited.parts for one in _ask(contestant, track, mixture, questions, plan)]
    labels = tuple(dict.fromkeys(one.question.label for one in scored))
    made, sounds = [], []
    for label in labels:
        mine = [one for one in scored if one.question.label == label]
        sources = tuple(one.score for one in mine)
        made.append(Record(
            key=key, block=len(labels), protocol=plan.protocol.value, mode=condition.title, item_set=track.item_set,
            item=track.name, fingerprint=fingerprint, prompt=label, asked=labels, model=contestant.name,
            weights=contestant.weights, settings=settings, seed=plan.seed,
            n_channels=int(track.stems[0].samples.shape[0]), sample_rate=track.sample_rate,
            duration=track.n_samples / track.sample_rate, seconds=sum(one.seconds for one in mine),
            si_sdr=mean_of([score.si_sdr for score in sources]),
            si_sdr_improvement=mean_of([improvement(score) for score in sources]),
            snr=mean_of([score.snr for score in sources]),
            sdr=mean_of([score.sdr for score in sources]),
            level_db=mean_of([score.level_db for score in sources]),
            presence=mean_of([score.presence for score in sources]),
            sources=sources, provenance=provenance(),
            others=tuple(one.other for one in mine if one.other is not None),
        ))  # fmt: skip
        truth = mine[0].question.reference
        sounds.append(Heard(made[-1], mine[0].mixture, mine[0].estimate, truth.samples if truth else None))
    records.append(made, heard=sounds)
    return tuple(made)


def _settings(contestant: Contestant, plan: GuidedPlan) -> dict[str, object]:
    """Return what, beside the questions and the weights, decides about the answers."""
    told = {**contestant.told(plan.settings), "n_parts": plan.n_parts, "example_duration": plan.example_duration}
    return {**told, "teaching": asdict(contestant.model.settings)} if isinstance(contestant.model, Pupil) else told


def _ask(
    contestant: Contestant, track: StemTrack, mixture: Tensor, questions: Sequence[Question], plan: GuidedPlan
) -> list[_Scored]:
    """Ask all questions about one part at once, and score the answers."""
    if not questions:
        return []
    targets = [Target(question.label, question.guide) for question in questions]
    audio = Audio(mixture, track.sample_rate)
    truth = [question.reference.samples if question.reference else None for question in questions]
    answer: Answer = ask(contestant.model, audio, targets, settings=plan.settings, truth=truth)
    scored = []
    for index, question in enumerate(questions):
        if question.reference is None:
            score = score_absent(answer, index, mixture)
        else:
            score = score_output(answer, index, question.reference, mixture)
        other = None if question.other is None else score_output(answer, index, question.other, mixture)
        seconds = answer.seconds / len(questions)
        scored.append(_Scored(question, score, other, seconds, mixture, answer.stems[index]))
    return scored


def can_follow(contestant: Contestant, guide: Guide) -> bool:
    """Say whether a model takes such a guide, and knows the label if it is one."""
    model = contestant.model
    if isinstance(guide, Label):
        return Label in model.accepts and guide.name in (*model.vocabulary, *model.taught)
    return type(guide) in model.accepts


def obstacle_of(contestant: Contestant, guide: Guide) -> str:
    """Say why a model cannot follow a guide."""
    if type(guide) not in contestant.model.accepts:
        return f"it takes no {type(guide).__name__}"
    return "it knows none of the labels"


def _recordings(guide: Guide) -> tuple[Audio, ...]:
    if not isinstance(guide, Examples):
        return ()
    positive, negative = guide.recordings
    return (*positive, *negative)


def _feed(update: Callable[[bytes], None], samples: Tensor) -> None:
    update(f"{tuple(samples.shape)}".encode())
    update(samples.contiguous().numpy().tobytes())
