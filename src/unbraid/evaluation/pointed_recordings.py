"""GuideSep through the door that everyone uses, told by real humming; protocol ``pointed-hum``.

Masks that nobody painted claim the same bins on both sides, which the door refuses. They are given to the network
alone, mono at 16 kHz; so is the humming without them, to compare, and in its place the target itself: what nobody can
imitate better.

Axes: C channels, N samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from unbraid.audio.files import read_audio
from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError, GuideError
from unbraid.evaluation.pointed import PointedPlan, answer
from unbraid.evaluation.pointed_guides import Guides, Question
from unbraid.evaluation.pointed_records import Pass, PointedFile, PointedRecord, Scored, fingerprint_of
from unbraid.evaluation.protocols import Contestant, Skipped
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.scoring import ask
from unbraid.evaluation.tracks import dice_of
from unbraid.guides.kinds import Guide, Mask, Mimicry, Target
from unbraid.guides.mask_draws import draw_mask, simulate_mask
from unbraid.guides.mask_grid import SAMPLE_RATE, hear_mel
from unbraid.guides.pseudo_masks import pseudo_masks

PROTOCOL = "pointed-hum"
IMITATIONS = ("hum.flac", "mimic.flac")
HUMMED, PLAYED = "humming", "played imitation"
MIMICRY = "mimicry"
NETWORK, NETWORK_PSEUDO = "mimicry, network alone", "mimicry, pseudo-masks, network alone"
NETWORK_PERFECT = "the target itself as mimicry, network alone"
Way = tuple[Guide, ...] | Guides
"""Guides for the door, or what the network itself is given."""


@dataclass(frozen=True, eq=False)
class Imitated:
    """A recording whose target somebody imitated: samples ``[C, N]`` at one rate."""

    name: str
    kind: str
    instrument: str
    sample_rate: int
    mixture: Tensor
    target: Tensor
    rest: Tensor
    imitation: Audio

    @property
    def heard(self) -> tuple[Audio, Audio, Audio]:
        """Mixture, target and rest."""
        rate = self.sample_rate
        return Audio(self.mixture, rate), Audio(self.target, rate), Audio(self.rest, rate)


def find_imitated(root: Path) -> list[Path]:
    """Find the folders with a mixture, its target, the rest, and somebody's humming or playing, in a tree.

    Raises:
        DatasetError: if there is none.
    """
    found = sorted(file.parent for name in IMITATIONS for file in root.rglob(name))
    if not found:
        raise DatasetError(f"{root} holds no folder with {' or '.join(IMITATIONS)}: see docs/evaluation.md")
    return found


def read_imitated(folder: Path) -> Imitated:
    """Read one of them.

    Raises:
        DatasetError: if a file is missing, or lengths or rates differ.
    """
    imitation = next((folder / name for name in IMITATIONS if (folder / name).is_file()), None)
    try:
        parts = [read_audio(folder / f"{name}.flac") for name in ("mixture", "target", "rest")]
        facts: dict[str, Any] = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        if imitation is None or len({(one.sample_rate, one.n_samples) for one in parts}) > 1:
            raise DatasetError(f"{folder}: mixture, target and rest differ in rate or length: cut them alike")
        return Imitated(
            name=folder.name,
            kind=HUMMED if imitation.name == IMITATIONS[0] else PLAYED,
            instrument=str(facts.get("instrument", folder.name)),
            sample_rate=parts[0].sample_rate,
            mixture=parts[0].samples,
            target=parts[1].samples,
            rest=parts[2].samples,
            imitation=read_audio(imitation),
        )
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder}: {error}: put mixture, target, rest and metadata.json there") from error


def evaluate_imitated(
    folders: Sequence[Path],
    contestants: Sequence[Contestant],
    *,
    records: PointedFile,
    plan: PointedPlan,
    progress: Callable[[float], None] | None = None,
) -> tuple[tuple[PointedRecord, ...], tuple[Skipped, ...]]:
    """Point at targets with real imitations, alone and with masks.

    Args:
        folders: from `find_imitated`.
        contestants: models; floors and ceilings, to which guides are nothing, are asked once about the same sounds.
        records: the file that results go to.
        plan: seed of the masks, and settings of the separation; questions and steps are not read.
        progress: called with the fraction done, 0..1.

    Returns:
        The records of exactly these recordings and models, and what was refused, with the reason.
    """
    found: list[PointedRecord] = []
    skipped: list[Skipped] = []
    for number, folder in enumerate(folders):
        one = read_imitated(folder)
        answered: set[tuple[str, bool]] = set()
        for mode, way in _ways(one, plan.seed).items():
            for contestant in contestants:
                if isinstance(contestant.model, ReferenceModel):
                    asked = (contestant.name, isinstance(way, Guides))  # as it was recorded, or as the network hears it
                    if asked in answered:
                        continue
                    answered.add(asked)
                entry = Pass(
                    protocol=PROTOCOL, mode=mode, item_set=one.kind, item=one.name, group=one.instrument,
                    fingerprint=fingerprint_of((one.mixture, one.target, one.imitation.samples, *_parts(way))),
                    settings={**plan.settings(contestant), **asdict(plan.separation)}, seed=plan.seed,
                )  # fmt: skip
                try:
                    found.append(_ask_once(contestant, one, way, entry, records=records, plan=plan))
                except GuideError as error:
                    skipped.append(Skipped(contestant.name, mode, one.name, str(error)))
        if progress is not None:
            progress((number + 1) / len(folders))
    return tuple(found), tuple(skipped)


def _ways(one: Imitated, seed: int) -> dict[str, Way]:
    """Return the ways of pointing at the target of a recording."""
    imitation, mixture, target = (narrow(audio) for audio in (one.imitation, *one.heard[:2]))
    imitation = functional.pad(imitation[: len(mixture)], (0, max(0, len(mixture) - len(imitation))))
    pseudo = pseudo_masks(hear_mel(imitation), hear_mel(mixture))
    painted = simulate_mask(hear_mel(target), draw_mask(dice_of("mask", seed, one.name).generator))
    mimicry = Mimicry(one.imitation)
    return {
        MIMICRY: (mimicry,),
        "mimicry, positive mask": (mimicry, Mask(painted, soft=False)),
        "positive mask": (Mask(painted, soft=False),),
        NETWORK: Guides(imitation),
        NETWORK_PSEUDO: Guides(imitation, *pseudo),
        NETWORK_PERFECT: Guides(target),
    }


def _parts(way: Way) -> Iterator[Tensor | None]:
    """Yield what a way of pointing adds to the recording."""
    if isinstance(way, Guides):
        yield from way.parts
        return
    for guide in way:
        if isinstance(guide, Mask):
            yield from guide.sides


def _ask_once(
    contestant: Contestant, one: Imitated, way: Way, entry: Pass, *, records: PointedFile, plan: PointedPlan
) -> PointedRecord:
    record = records.found(entry.key(contestant))
    if record is None:
        if isinstance(way, Guides):
            mixture, target, rest = (narrow(audio) for audio in one.heard)
            question = Question(mixture, way, target, rest)
            scored = answer(contestant, question, seed=plan.seed, label=one.instrument, steps=plan.steps)
            record = entry.record(contestant, scored, sample_rate=SAMPLE_RATE)
        else:
            asked = [Target(one.instrument, way)]
            given = ask(contestant.model, one.heard[0], asked, settings=plan.separation, truth=[one.target])
            scored = Scored(given.stems[0], one.target, one.rest, one.mixture, given.presence[0], given.seconds)
            record = entry.record(contestant, scored, sample_rate=one.sample_rate)
        records.keep(record, scored)
    return record


def narrow(audio: Audio) -> Tensor:
    """Return the mean of the channels at 16 kHz, ``[N]``.

    Example:
        >>> import torch
        >>> narrow(Audio(torch.zeros(2, 44100), 44100)).shape
        torch.Size([16000])
    """
    mean = audio.samples.mean(dim=0, keepdim=True)
    return resample(mean, source_rate=audio.sample_rate, target_rate=SAMPLE_RATE)[0]
