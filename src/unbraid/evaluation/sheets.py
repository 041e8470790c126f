"""One mixture and all that is asked about it at once: what the papers' tables are made of.

Axes: S targets, C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.evaluation.bss_eval import Framing, bss_eval, sdr_chunks
from unbraid.evaluation.guided import can_follow, obstacle_of
from unbraid.evaluation.items import Reference
from unbraid.evaluation.pointed_records import fingerprint_of
from unbraid.evaluation.protocols import Contestant, Evaluation, Skipped
from unbraid.evaluation.records import Heard, Record, RecordFile, finite, pass_key, provenance
from unbraid.evaluation.scoring import Answer, ask, improvement, score_output
from unbraid.guides.kinds import Examples, Guide, Label, Target
from unbraid.settings import Settings

SHAPE = ("n_latent", "n_fft", "query_listening", "key_listening")  # of LaSAFT
More = Mapping[str, float | None]
Scorer = Callable[[Tensor, Tensor, int], Sequence[More]]
"""From estimates and references ``[S, C, N]`` and their rate to further scores, one set for each."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One sound that is asked for: what points at it, and its truth."""

    guide: Guide
    reference: Reference

    @property
    def label(self) -> str:
        """What it counts for in tables."""
        return self.reference.prompt


@dataclass(frozen=True, eq=False)
class Sheet:
    """A mixture, and what is asked about it in one pass.

    Args:
        protocol: what it is called in records.
        mode: how targets are pointed at.
        item_set: where the mixture is from.
        item: unique in its set.
        sample_rate: in hertz.
        mixture: ``[C, N]``.
        asked: at least one.
        sums: answers that are also scored together, by the name that they have together.
        seed: of all draws behind it.
    """

    protocol: str
    mode: str
    item_set: str
    item: str
    sample_rate: int
    mixture: Tensor
    asked: tuple[Asked, ...]
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any sample of mixture, truth and examples, and with what is asked."""
        digest = hashlib.sha256(f"{self.sample_rate} {self.sums}".encode())
        digest.update(fingerprint_of([self.mixture]).encode())
        for one in self.asked:
            name = one.guide.name if isinstance(one.guide, Label) else ""
            recordings = [recording.samples for recording in _recordings(one.guide)]
            digest.update(f"{one.label} {name}".encode())
            digest.update(fingerprint_of([one.reference.samples, *recordings]).encode())
        return digest.hexdigest()[:16]


def examine_sheets(
    sheets: Iterator[Sheet],
    contestants: Sequence[Contestant],
    *,
    records: RecordFile,
    settings: Settings,
    scorer: Scorer,
) -> Evaluation:
    """Put sheets to models; passes that the file holds are not repeated.

    Args:
        sheets: read one at a time.
        contestants: each is asked what it can follow.
        records: the file that results go to.
        settings: of the separation.
        scorer: gives what stands in ``more``.
    """
    found: list[Record] = []
    skipped: list[Skipped] = []
    for sheet in sheets:
        for contestant in contestants:
            limited = tuple(one for one in sheet.asked if can_follow(contestant, one.guide))
            if not limited:
                reason = obstacle_of(contestant, sheet.asked[0].guide)
                skipped.append(Skipped(contestant.name, sheet.mode, sheet.item, reason))
                continue
            try:
                asked = replace(sheet, asked=limited)
                found.extend(_examine(contestant, asked, records=records, settings=settings, scorer=scorer))
            except GuideError as error:
                skipped.append(Skipped(contestant.name, sheet.mode, sheet.item, str(error)))
    return Evaluation(tuple(found), tuple(skipped))


def _examine(
    contestant: Contestant, sheet: Sheet, *, records: RecordFile, settings: Settings, scorer: Scorer
) -> tuple[Record, ...]:
    told = settings_of(contestant, settings)
    fingerprint = sheet.fingerprint
    key = pass_key(
        protocol=sheet.protocol, mode=sheet.mode, item=sheet.item, item_set=sheet.item_set, fingerprint=fingerprint,
        model=contestant.name, weights=contestant.weights, settings=told, seed=sheet.seed,
    )  # fmt: skip
    finished = records.find(key)
    if finished:
        return finished
    targets = [Target(one.label, one.guide) for one in sheet.asked]
    truth = [one.reference.samples for one in sheet.asked]
    audio = Audio(sheet.mixture, sheet.sample_rate)
    answer = _with_sums(ask(contestant.model, audio, targets, settings=settings, truth=truth), sheet)
    references = [one.reference for one in sheet.asked] + [
        _sum_of([one.reference for one in sheet.asked if one.label in parts], name)
        for name, parts in sheet.sums.items()
        if _has(sheet, parts)
    ]
    more = scorer(answer.stems, torch.stack([one.samples for one in references]), sheet.sample_rate)
    made, heard = [], []
    for index, reference in enumerate(references):
        score = score_output(answer, index, reference, sheet.mixture)
        made.append(Record(
            key=key, block=len(references), protocol=sheet.protocol, mode=sheet.mode, item_set=sheet.item_set,
            item=sheet.item, fingerprint=fingerprint, prompt=reference.prompt,
            asked=tuple(one.label for one in sheet.asked), model=contestant.name, weights=contestant.weights,
            settings=told, seed=sheet.seed, n_channels=len(sheet.mixture), sample_rate=sheet.sample_rate,
            duration=sheet.mixture.shape[-1] / sheet.sample_rate, seconds=answer.seconds / len(references),
            si_sdr=score.si_sdr, si_sdr_improvement=improvement(score), snr=score.snr, sdr=score.sdr,
            level_db=score.level_db, presence=score.presence, sources=(score,), provenance=provenance(),
            more=more[index],
        ))  # fmt: skip
        heard.append(Heard(made[-1], sheet.mixture, answer.stems[index], reference.samples))
    records.append(made, heard=heard)
    return tuple(made)


def settings_of(contestant: Contestant, settings: Settings) -> dict[str, Any]:
    """Return what decides about the answers, and what of its shape a model is told from its like by in a table."""
    config = getattr(contestant.model, "config", None)
    shape = {name: getattr(config, name) for name in SHAPE if hasattr(config, "n_latent")}
    return {**contestant.told(settings), **shape}


def _has(sheet: Sheet, parts: Sequence[str]) -> bool:
    return set(parts) <= {one.label for one in sheet.asked}


def _with_sums(answer: Answer, sheet: Sheet) -> Answer:
    """Add the sums of answers to answers."""
    labels = [one.label for one in sheet.asked]
    sums = {name: parts for name, parts in sheet.sums.items() if _has(sheet, parts)}
    totals = [answer.stems[[labels.index(part) for part in parts]].sum(dim=0, keepdim=True) for parts in sums.values()]
    return Answer(
        (*answer.names, *sums),
        torch.cat([answer.stems, *totals]),
        (*answer.presence, *(None for _ in sums)),
        answer.seconds,
    )


def _sum_of(references: Sequence[Reference], name: str) -> Reference:
    total = torch.stack([one.samples for one in references]).sum(dim=0)
    return Reference(name, total, tuple(stem for one in references for stem in one.stems))


def no_more(estimate: Tensor, reference: Tensor, sample_rate: int) -> list[More]:
    """Give no further score."""
    del reference, sample_rate
    return [{} for _ in estimate]


def score_chunks(estimate: Tensor, reference: Tensor, sample_rate: int) -> list[More]:
    """Give the SDR of BSSEval v4, median over frames of one second; frames with a silent stem are left out for all."""
    scores = sdr_chunks(estimate=estimate, reference=reference, framing=_seconds(sample_rate))
    return [{"sdr_chunks": finite(float(score))} for score in scores]


def score_chunks_alone(estimate: Tensor, reference: Tensor, sample_rate: int) -> list[More]:
    """Give the same for every target by itself."""
    pairs = zip(estimate, reference, strict=True)
    return [score_chunks(one[None], truth[None], sample_rate)[0] for one, truth in pairs]


def score_bss_eval(estimate: Tensor, reference: Tensor, sample_rate: int) -> list[More]:
    """Give all four numbers of BSSEval v4, medians over frames of one second."""
    scores = bss_eval(estimate=estimate, reference=reference, framing=_seconds(sample_rate)).median()
    names = ("sdr_chunks", "isr_chunks", "sir_chunks", "sar_chunks")
    return [
        {name: finite(float(score[index])) for name, score in zip(names, scores, strict=True)}
        for index in range(len(estimate))
    ]


def _seconds(sample_rate: int) -> Framing:
    return Framing(window=sample_rate, hop=sample_rate)


def _recordings(guide: Guide) -> tuple[Audio, ...]:
    if not isinstance(guide, Examples):
        return ()
    positive, negative = guide.recordings
    return (*positive, *negative)
