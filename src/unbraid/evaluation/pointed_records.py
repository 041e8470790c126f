"""Records of the pointed protocols: those of all protocols, with SDR that forgives filters, and interference.

Axes: C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from unbraid.errors import DatasetError
from unbraid.evaluation import metrics
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.records import Heard, Record, RecordFile, SourceScore, finite, pass_key, provenance
from unbraid.evaluation.scoring import improvement, level_db


@dataclass(frozen=True)
class PointedRecord(Record):
    """One way of pointing at one target, as one model answered it; ``prompt`` is the group of the target.

    ``sdr_bss_eval`` forgives filters of 512 samples, ``si_sir`` is the ratio to interference; both in decibels.
    """

    sdr_bss_eval: float | None = None
    si_sir: float | None = None


class PointedFile(RecordFile):
    """The records of the pointed protocols, appended pass by pass; see `RecordFile`."""

    @property
    def pointed(self) -> tuple[PointedRecord, ...]:
        """All finished records, oldest first."""
        return tuple(record for record in self.records if isinstance(record, PointedRecord))

    def found(self, key: str) -> PointedRecord | None:
        """Return the record of a finished pass, or None."""
        return next((record for record in self.find(key) if isinstance(record, PointedRecord)), None)

    def keep(self, record: PointedRecord, scored: Scored) -> None:
        """Add a pass of one record, and the sounds that it was made from."""
        self.append([record], heard=[Heard(record, scored.mixture, scored.estimate, scored.reference)])

    def _parse(self, line: str, number: int) -> Record:
        try:
            return PointedRecord.from_json(line)
        except ValueError as error:
            raise DatasetError(f"{self.path}, line {number}: {error}; move the file away or choose another") from error


@dataclass(frozen=True, eq=False)
class Scored:
    """One answer ``[C, N]`` beside the truth; without a reference nothing should have come out.

    Args:
        estimate: what a model answered.
        reference: the target as it is in the mixture, or None.
        rest: what else is in the mixture.
        mixture: that was separated.
        presence: what the model says of the target, if it says something.
        seconds: that it took.
    """

    estimate: Tensor
    reference: Tensor | None
    rest: Tensor
    mixture: Tensor
    presence: float | None
    seconds: float


@dataclass(frozen=True)
class Pass:
    """One question to one model, before it is asked.

    Args:
        protocol: what is examined.
        mode: how the target is pointed at, or how the answer is drawn.
        item_set: where the item is from.
        item: unique in its set.
        group: of the target.
        fingerprint: changes with any sample of mixture, truth and guides.
        settings: whatever else decides about the answer.
        seed: of all draws.
    """

    protocol: str
    mode: str
    item_set: str
    item: str
    group: str
    fingerprint: str
    settings: Mapping[str, Any]
    seed: int

    def key(self, contestant: Contestant) -> str:
        """Return what the pass is called in the file."""
        return pass_key(**asdict(self), model=contestant.name, weights=contestant.weights)

    def record(self, contestant: Contestant, scored: Scored, *, sample_rate: int) -> PointedRecord:
        """Score an answer; channels are scored alone and averaged."""
        score = _score(scored, self.item)
        filtered = interference = None
        if scored.reference is not None:
            estimate, truth = scored.estimate, scored.reference
            filtered = finite(float(metrics.sdr_bss_eval(estimate=estimate, reference=truth).nanmean()))
            ratio = metrics.si_sir(estimate=estimate, reference=truth, rest=scored.rest)
            interference = finite(float(ratio.nanmean()))
        return PointedRecord(
            key=self.key(contestant), block=1, protocol=self.protocol, mode=self.mode, item_set=self.item_set,
            item=self.item, fingerprint=self.fingerprint, prompt=self.group, asked=(self.group,),
            model=contestant.name, weights=contestant.weights, settings=self.settings, seed=self.seed,
            n_channels=len(scored.mixture), sample_rate=sample_rate,
            duration=scored.mixture.shape[-1] / sample_rate, seconds=scored.seconds, si_sdr=score.si_sdr,
            si_sdr_improvement=improvement(score), snr=score.snr, sdr=score.sdr, level_db=score.level_db,
            presence=score.presence, sources=(score,), provenance=provenance(), sdr_bss_eval=filtered,
            si_sir=interference,
        )  # fmt: skip


def _score(scored: Scored, name: str) -> SourceScore:
    estimate, truth, mixture = scored.estimate, scored.reference, scored.mixture
    level = level_db(estimate, mixture)
    if truth is None:
        return SourceScore((), name, None, None, None, None, level, scored.presence)
    return SourceScore(
        stems=(name,),
        estimate=name,
        si_sdr=finite(float(metrics.si_sdr(estimate=estimate, reference=truth).nanmean())),
        si_sdr_mixture=finite(float(metrics.si_sdr(estimate=mixture, reference=truth).nanmean())),
        snr=finite(float(metrics.snr(estimate=estimate, reference=truth).nanmean())),
        sdr=finite(float(metrics.sdr(estimate=estimate, reference=truth))),
        level_db=level,
        presence=scored.presence,
    )


def fingerprint_of(tensors: Iterable[Tensor | None]) -> str:
    """Return a hash that changes with the shape and every value of the tensors.

    Example:
        >>> import torch
        >>> fingerprint_of([torch.zeros(2), None]) == fingerprint_of([None, torch.zeros(2)])
        False
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(b"-" if tensor is None else f"{tuple(tensor.shape)}".encode())
        digest.update(b"" if tensor is None else tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
