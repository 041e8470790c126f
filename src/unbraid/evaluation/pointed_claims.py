"""What the GuideSep paper claims, and whether it held here.

A claim is a difference that should be above a threshold, 0 unless told otherwise. It is held if the 95 % bootstrap
interval over windows lies above that, not held if it lies below, and else not decided; a single window decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.evaluation.paper_guidesep import GROUPS, HUMMING, OVERALL, POLYPHONIC, TABLE
from unbraid.evaluation.pointed import DIFFUSION, PREDICTION
from unbraid.evaluation.pointed import PROTOCOL as WINDOWS
from unbraid.evaluation.pointed_guides import Balance, Pointing
from unbraid.evaluation.pointed_recordings import HUMMED, MIMICRY, NETWORK, NETWORK_PSEUDO, PLAYED
from unbraid.evaluation.pointed_recordings import PROTOCOL as HUM
from unbraid.evaluation.pointed_records import PointedRecord
from unbraid.evaluation.pointed_report import Records, Score, models_of, paired, select
from unbraid.evaluation.pointed_sampler import PROTOCOL as STEPS
from unbraid.evaluation.records import mean_of
from unbraid.evaluation.report import Mean, bootstrap_mean, row_of
from unbraid.evaluation.statistics import mean_of_items, resample_items

ENOUGH = 0.3  # dB of SDR that a shorter way of sampling may lose
BASS = "Bass"


@dataclass(frozen=True)
class Verdict:
    """A claim beside its numbers.

    Args:
        text: of the claim.
        paper: its difference in dB, where it has one.
        values: of the two sides, in dB.
        difference: mean and interval; None where nothing was measured.
        threshold: that the difference should be above.
        unit: what is compared.
    """

    text: str
    paper: float | None
    values: tuple[float | None, float | None]
    difference: Mean | None
    unit: str = "SDR"
    threshold: float = 0.0

    @property
    def word(self) -> str:
        """Held, not held, not decided, or not measured.

        Example:
            >>> Verdict("more helps", 1.0, (2.0, 1.0), Mean(1.0, (0.5, 1.5), 9)).word
            'held'
        """
        if self.difference is None:
            return "not measured"
        low, high = self.difference.interval or (-np.inf, np.inf)
        if low > self.threshold:
            return "held"
        return "not held" if high < self.threshold else "not decided"


def write_claims(records: Records) -> str:
    """Return the table of claims for every diffusion model, from the records of all pointed protocols.

    Raises:
        ValueError: if no diffusion model was examined.
    """
    models = models_of(records, DIFFUSION)
    if not models:
        raise ValueError("no diffusion model was examined: give one with --model")
    prediction = next(iter(models_of(records, PREDICTION)), None)
    lines = ["# Claims of the GuideSep paper\n", " ".join((__doc__ or "").split("\n\n")[1].split()) + "\n"]
    for model in models:
        mine = [one for one in records if one.model in (model, prediction)]
        lines += [f"## {model}\n", _trained(mine), ""]
        lines += [
            "| claim | score | paper's difference dB | both sides dB | difference dB | windows | verdict |",
            "|---|---|--:|--:|--:|--:|---|",
        ]
        lines += [_row(verdict) for verdict in judge(mine, model, prediction)]
        lines.append("")
    return "\n".join(lines)


def judge(records: Records, model: str, prediction: str | None) -> list[Verdict]:
    """Return the verdicts on all claims about one diffusion model, beside one mask prediction if there is one."""
    peaks = [one for one in records if one.protocol == WINDOWS and one.item_set.endswith(f", {Balance.PEAKS}")]

    def rows(pointing: Pointing, *, bass: bool | None = None, of: str | None = model) -> list[PointedRecord]:
        found = [] if of is None else select(peaks, mode=pointing, model=of)
        return [one for one in found if bass is None or (one.prompt == BASS) == bass]

    full, mimicry, pseudo = Pointing.FULL, Pointing.MIMICRY, Pointing.PSEUDO
    predicted = TABLE["full"][OVERALL] - TABLE["mask prediction, full"][OVERALL]
    verdicts = [
        _contrast("masks beside mimicry help", rows(full), rows(mimicry), paper=_overall(full, mimicry)),
        _contrast(
            "a positive mask alone works: better than mimicry alone",
            rows(Pointing.POSITIVE), rows(mimicry), paper=_overall(Pointing.POSITIVE, mimicry),
        ),
        _contrast("mimicry is listened to: better than no guide", rows(mimicry), rows(Pointing.NONE)),
        _contrast("a positive mask is looked at: better than no guide", rows(Pointing.POSITIVE), rows(Pointing.NONE)),
        _contrast(
            "pseudo-masks help, bass left out",
            rows(pseudo, bass=False), rows(mimicry, bass=False), paper=_without_bass(pseudo, mimicry),
        ),
        _contrast(
            "pseudo-masks hurt bass",
            rows(mimicry, bass=True), rows(pseudo, bass=True), paper=TABLE[mimicry][BASS] - TABLE[pseudo][BASS],
        ),
        _contrast(
            "diffusion is better than mask prediction",
            rows(full), rows(full, of=prediction), paper=predicted,
        ),
        _contrast(
            "diffusion leaves less interference than mask prediction",
            rows(full), rows(full, of=prediction), score=lambda one: one.si_sir, unit="SIR",
        ),
        _apart("polyphonic instruments suffer", rows(full)),
    ]  # fmt: skip
    return [*verdicts, *_humming(records, model), *_steps(records, model)]


def _contrast(
    text: str,
    better: Records,
    worse: Records,
    *,
    paper: float | None = None,
    score: Score = lambda one: one.sdr_bss_eval,
    unit: str = "SDR",
    threshold: float = 0.0,
) -> Verdict:
    """Compare two ways on the same windows."""
    values = paired(better, worse, score)
    sides = (mean_of([score(one) for one in better]), mean_of([score(one) for one in worse]))
    return Verdict(text, paper, sides, bootstrap_mean(values) if values else None, unit, threshold)


def _apart(text: str, records: Records) -> Verdict:
    """Compare groups in which notes sound together with the others; both are resampled."""
    scored = [(one.prompt, one.sdr_bss_eval) for one in records if one.sdr_bss_eval is not None]
    chords = [value for group, value in scored if group in POLYPHONIC]
    melodies = [value for group, value in scored if group in GROUPS and group not in POLYPHONIC]
    paper = _mean_of_groups(lambda group: group not in POLYPHONIC) - _mean_of_groups(lambda group: group in POLYPHONIC)
    difference = None
    if len(chords) > 1 and len(melodies) > 1:
        generator = np.random.default_rng(0)
        means = []
        for values in (melodies, chords):
            array = np.asarray(values, dtype=np.float64)
            means.append(resample_items(array, mean_of_items, generator))
        low, high = np.percentile(means[0] - means[1], [2.5, 97.5])
        value = sum(melodies) / len(melodies) - sum(chords) / len(chords)
        difference = Mean(value, (float(low), float(high)), len(scored))
    return Verdict(text, paper, (mean_of(melodies), mean_of(chords)), difference)


def _humming(records: Records, model: str) -> list[Verdict]:
    """Judge whether recorded humming brings the target out."""
    rows = [one for one in records if one.protocol == HUM and one.model == model]
    verdicts = []
    for kind in (HUMMED, PLAYED):
        here = [one for one in rows if one.item_set == kind and one.mode == MIMICRY]
        values = [one.si_sdr_improvement for one in here if one.si_sdr_improvement is not None]
        sides = (mean_of([one.si_sdr for one in here]), mean_of([one.sources[0].si_sdr_mixture for one in here]))
        difference = bootstrap_mean(values) if values else None
        told = f" (the paper's SDR is {HUMMING})" if kind == HUMMED else ""
        verdicts.append(Verdict(f"{kind} works: above the mixture{told}", None, sides, difference, "SI-SDR"))
    pseudo, alone = ([one for one in rows if one.mode == mode] for mode in (NETWORK_PSEUDO, NETWORK))
    return [*verdicts, _contrast("pseudo-masks help recorded imitations", pseudo, alone)]


def _steps(records: Records, model: str) -> list[Verdict]:
    """Judge whether the published number of evaluations is enough."""
    rows = [one for one in records if one.protocol == STEPS]

    def drawn(evaluations: int) -> list[PointedRecord]:
        return select(rows, mode=f"order 1, {evaluations} evaluations", model=model)

    return [
        _contrast(
            f"a schedule of 8 levels is enough: at most {ENOUGH} dB below 32",
            drawn(7),
            drawn(31),
            threshold=-ENOUGH,
        ),
        _contrast("several draws help: the mean of 8 is better than one",
                  select(rows, mode="mean of 8", model=model), select(rows, mode="one draw", model=model)),
        _contrast("choosing helps: the best of 8 is better than one",
                  select(rows, mode="best of 8", model=model), select(rows, mode="one draw", model=model)),
    ]  # fmt: skip


def _overall(better: str, worse: str) -> float:
    return TABLE[better][OVERALL] - TABLE[worse][OVERALL]


def _without_bass(better: str, worse: str) -> float:
    differences = [TABLE[better][group] - TABLE[worse][group] for group in GROUPS if group != BASS]
    return sum(differences) / len(differences)


def _mean_of_groups(belongs: Callable[[str], bool]) -> float:
    values = [TABLE["full"][group] for group in GROUPS if belongs(group)]
    return sum(values) / len(values)


def _trained(records: Sequence[PointedRecord]) -> str:
    """Say how long models were trained, and how often they are evaluated for one answer."""
    found: dict[str, str] = {}
    for one in records:
        if one.protocol == WINDOWS:
            trained = one.settings.get("training_steps")
            told = "trained for an unknown number of steps" if trained is None else f"trained for {trained} steps"
            drawn = one.settings.get("steps")
            found[one.model] = f"- {one.model}: {one.settings['kind']}, {told}" + (
                "" if drawn is None else f", {drawn} evaluations for an answer"
            )
    return "\n".join(found.values())


def _row(verdict: Verdict) -> str:
    paper = "–" if verdict.paper is None else f"{verdict.paper:+.2f}"
    sides = " / ".join("–" if value is None else f"{value:.2f}" for value in verdict.values)
    difference = verdict.difference
    return row_of(
        verdict.text, verdict.unit, paper, sides, "–" if difference is None else difference,
        0 if difference is None else difference.count, verdict.word,
    )  # fmt: skip
