"""What listeners answered: who is to be counted, and how each method was rated.

Source: ITU-R BS.1534-3, sections 4.1.2 (post-screening: listeners who rate the hidden reference below 90 in more than
15 % of all pages, or the anchor above 90 in as many) and 9 (means and 95 % confidence intervals).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.errors import DatasetError
from unbraid.evaluation.report import Mean, bootstrap_mean
from unbraid.listening.questionnaire import FORMAT
from unbraid.listening.stimuli import ANCHOR
from unbraid.listening.trials import REFERENCE

ANSWERS = "unbraid-listening-answers-1"
LEAST_REFERENCE = MOST_ANCHOR = 90
TOLERATED = 0.15  # of the pages
N_FLIPS = 10_000


@dataclass(frozen=True)
class Rating:
    """One sound, as one listener rated it, 0 to 100."""

    listener: str
    part: str
    trial: str
    method: str
    score: float


@dataclass(frozen=True)
class Screened:
    """Whether a listener counts, and if not, why not."""

    listener: str
    n_pages: int
    objection: str = ""


@dataclass(frozen=True)
class Verdict:
    """The rating of a method in one part; the mean is over listeners, of their means over trials."""

    part: str
    method: str
    mean: Mean
    median: float


@dataclass(frozen=True)
class Difference:
    """How much better one method was rated than another, listener by listener; ``p`` is that of a sign-flip test."""

    part: str
    better: str
    worse: str
    mean: Mean
    p: float


@dataclass(frozen=True)
class Analysis:
    """The outcome of a listening test."""

    title: str
    listeners: tuple[Screened, ...]
    verdicts: tuple[Verdict, ...]
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "title": self.title,
            "listeners": [vars(one) for one in self.listeners],
            "ratings": [{**vars(one), "mean": _plain(one.mean)} for one in self.verdicts],
            "differences": [{**vars(one), "mean": _plain(one.mean)} for one in self.differences],
        }


def analyze(key: Path, answers: Iterable[Path], *, screen: bool = True) -> Analysis:
    """Read the answers of a test, and judge.

    Args:
        key: that was written beside the test.
        answers: the files that listeners sent, one each.
        screen: leave out those who could not tell the true sound, or the anchor.

    Raises:
        DatasetError: if a file is damaged or of another test, one listener is there twice, or nobody is left.
    """
    pages = _read(key, FORMAT, "a key")
    ratings: list[Rating] = []
    listeners: list[Screened] = []
    for file in answers:
        found = _ratings(file, pages)
        if any(found[0].listener == one.listener for one in listeners):
            raise DatasetError(f"{file}: there are answers of {found[0].listener!r} already: take one file out")
        verdict = _screen(found) if screen else Screened(found[0].listener, _count(found))
        listeners.append(verdict)
        ratings += [] if verdict.objection else found
    if not listeners:
        raise DatasetError("there are no answers: give the files that listeners saved")
    if not ratings:
        raise DatasetError("no listener passed the screening: --keep-all counts them nevertheless")
    parts = list(dict.fromkeys(one.part for one in ratings))
    verdicts = [one for part in parts for one in _verdicts(part, ratings)]
    differences = [one for part in parts for one in _differences(part, ratings)]
    return Analysis(str(pages["title"]), tuple(listeners), tuple(verdicts), tuple(differences))


def _read(path: Path, expected: str, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as {what} of a listening test ({error}): check the path") from error
    if not isinstance(content, dict) or content.get("format") != expected:
        raise DatasetError(f"{path}: is not {what} of a listening test: give the file that the test wrote")
    return content


def _ratings(file: Path, key: dict[str, Any]) -> list[Rating]:
    content = _read(file, ANSWERS, "answers")
    if content.get("test") != key["test"]:
        raise DatasetError(f"{file}: answers another test: give those of {key['title']!r}")
    ratings, seen = [], set()
    try:
        listener = str(content["listener"])
        for one in content["answers"]:
            page, score = key["pages"][one["trial"]], float(one["score"])
            method = page["stimuli"][one["stimulus"]]
            if not 0 <= score <= 100 or (one["trial"], method) in seen:
                raise ValueError(f"a rating of {method} in {page['trial']} is out of range, or there twice")
            seen.add((one["trial"], method))
            ratings.append(Rating(listener, page["part"], page["trial"], method, score))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{file}: holds damaged answers ({error}): ask for the file again") from error
    missing = sum(len(page["stimuli"]) for page in key["pages"].values()) - len(ratings)
    if missing:
        raise DatasetError(f"{file}: {missing} ratings are missing: let {listener!r} finish the test")
    return ratings


def _screen(ratings: Sequence[Rating]) -> Screened:
    n_pages = _count(ratings)
    lost = sum(one.method == REFERENCE and one.score < LEAST_REFERENCE for one in ratings)
    fooled = sum(one.method == ANCHOR and one.score > MOST_ANCHOR for one in ratings)
    objection = ""
    if lost > TOLERATED * n_pages:
        objection = f"rated the true sound below {LEAST_REFERENCE} on {lost} of {n_pages} pages"
    elif fooled > TOLERATED * n_pages:
        objection = f"rated the anchor above {MOST_ANCHOR} on {fooled} of {n_pages} pages"
    return Screened(ratings[0].listener, n_pages, objection)


def _count(ratings: Sequence[Rating]) -> int:
    return len({(one.part, one.trial) for one in ratings})


def _by_listener(part: str, method: str, ratings: Sequence[Rating]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for one in ratings:
        if one.part == part and one.method == method:
            scores.setdefault(one.listener, []).append(one.score)
    return {listener: math.fsum(values) / len(values) for listener, values in scores.items()}


def _methods(part: str, ratings: Sequence[Rating]) -> list[str]:
    return list(dict.fromkeys(one.method for one in ratings if one.part == part))


def _verdicts(part: str, ratings: Sequence[Rating]) -> list[Verdict]:
    verdicts = []
    for method in _methods(part, ratings):
        scores = [one.score for one in ratings if one.part == part and one.method == method]
        means = list(_by_listener(part, method, ratings).values())
        verdicts.append(Verdict(part, method, bootstrap_mean(means), float(np.median(scores))))
    return sorted(verdicts, key=lambda one: -one.mean.value)


def _differences(part: str, ratings: Sequence[Rating]) -> list[Difference]:
    """Compare all methods in pairs, but for the hidden reference and the anchor."""
    differences = []
    for one, other in combinations([m for m in _methods(part, ratings) if m not in (REFERENCE, ANCHOR)], 2):
        mine, theirs = (_by_listener(part, method, ratings) for method in (one, other))
        values = [mine[listener] - theirs[listener] for listener in mine]
        turned = sum(values) < 0
        better, worse = (other, one) if turned else (one, other)
        gains = [-value for value in values] if turned else values
        differences.append(Difference(part, better, worse, bootstrap_mean(gains), flip_test(gains)))
    return differences


def flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return how probable so large a mean is if every difference could as well have the other sign; two-sided.

    All signs are tried for up to 13 values, 10,000 drawn ones otherwise.

    Example:
        >>> flip_test([1.0, 1.0, 1.0])
        0.25
    """
    values = np.asarray(differences, np.float64)
    if len(values) <= 13:
        signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
    else:
        drawn = np.random.default_rng(seed).integers(2, size=(N_FLIPS - 1, len(values)))
        signs = np.concatenate([np.ones((1, len(values)), np.int64), 1 - 2 * drawn])
    sums = np.abs(signs @ values)
    return float((sums >= abs(values.sum()) - 1e-9).mean())


def _plain(mean: Mean) -> dict[str, Any]:
    return {"value": mean.value, "interval": mean.interval, "count": mean.count}


def write_analysis(analysis: Analysis) -> str:
    """Return the outcome as Markdown."""
    kept = [one for one in analysis.listeners if not one.objection]
    lines = [
        f"# {analysis.title}",
        "",
        f"{len(kept)} of {len(analysis.listeners)} listeners count; means over them with 95 % bootstrap intervals.",
        *[f"- left out: {one.listener} {one.objection}" for one in analysis.listeners if one.objection],
        "",
        "| part | method | mean | median |",
        "|---|---|--:|--:|",
        *[f"| {one.part} | {one.method} | {one.mean} | {one.median:.0f} |" for one in analysis.verdicts],
    ]
    if analysis.differences:
        lines += ["", "| part | better | than | by | p |", "|---|---|---|--:|--:|"]
        lines += [
            f"| {one.part} | {one.better} | {one.worse} | {one.mean} | {one.p:.3f} |" for one in analysis.differences
        ]
    return "\n".join(lines) + "\n"
