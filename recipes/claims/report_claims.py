"""Make the tables of the claims: ``python recipes/claims/report_claims.py OUT > claims.md``.

A claim compares two runs, or two ways of asking one run, on the same songs, classes and seeds. It is held if the
difference has the paper's sign, in all seeds, and its 95 % bootstrap interval over songs (seeds averaged first) leaves
out everything below 0.05 dB; not held if the same is true of the other sign; else not decided.
"""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unbraid.evaluation.paper_guided import ABLATION, AUDIO, FEW_SHOT
from unbraid.evaluation.questions import Condition, Kind
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.report import bootstrap_mean

SMALLEST = 0.05  # dB: less is no difference
FEW, STEMS = ("vocals", "drums", "bass"), ("vocals", "drums", "bass", "other")
Scores = Mapping[tuple[str, str], float]  # by song and class
"""SDR of one run under one condition."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a run, how it is asked, and what the paper has."""

    run: str
    condition: Condition
    paper: float | None = None

    def __str__(self) -> str:
        return f"{self.run}, {self.condition.title}"


@dataclass(frozen=True)
class Claim:
    """`better` is above `worse`."""

    text: str
    better: Side
    worse: Side
    classes: tuple[str, ...]


def lasaft(name: str, paper: float | None = None, kind: Kind = Kind.LABEL) -> Side:
    """Return a side of LaSAFT."""
    return Side(name, Condition(kind, 0 if kind is Kind.LABEL else 1), paper)


def shots(name: str, count: int, row: str | None, kind: Kind = Kind.SAME_TRACK) -> Side:
    """Return a side of few-shot separation, with the mean of a row of the paper."""
    paper = None if row is None else statistics.mean(FEW_SHOT[row].values())
    return Side(name, Condition(kind, count) if count else Condition(Kind.LABEL), paper)


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "What listens in LaSAFT": tuple(
        Claim(text, lasaft(better, ABLATION[better]["average"]), lasaft(worse, ABLATION[worse]["average"]), STEMS)
        for text, better, worse in (
            ("listening helps", "lasaft query-key", "lasaft baseline"),
            ("it is better than version 1", "lasaft query-key", "lasaft v1"),
            ("a query that listens helps", "lasaft +query", "lasaft baseline"),
            ("keys that listen help", "lasaft +key", "lasaft baseline"),
        )
    ),
    "Audio queries": (
        Claim("labels are better than class means of queries", lasaft("lasaft query-key", 5.86),
              lasaft("audio, query-key, self", AUDIO["average"]), STEMS),
        Claim("with the listening that the paper describes, which its release leaves out, class means are better",
              lasaft("audio, query-key, self"), lasaft("audio, deaf, self"), STEMS),
        Claim("training with other passages helps to follow one of the same track",
              lasaft("audio, query-key, other", None, Kind.SAME_TRACK),
              lasaft("audio, query-key, self", None, Kind.SAME_TRACK), STEMS),
        Claim("a recording of the right instrument is better than one of another",
              lasaft("audio, query-key, self", None, Kind.SAME_TRACK),
              lasaft("audio, query-key, self", None, Kind.WRONG), STEMS),
    ),
    "Classes seen in training": (
        *(Claim(f"examples against the class: {count}", shots(f"{count}-shot", count, f"{count}-shot"),
                shots("classes", 0, "classes"), FEW) for count in (1, 2, 3, 4, 5)),
        Claim("five examples are better than one", shots("5-shot", 5, "5-shot"), shots("1-shot", 1, "1-shot"), FEW),
        Claim("the right example is better than a wrong one", shots("5-shot", 5, None),
              shots("5-shot", 5, None, Kind.WRONG), FEW),
    ),
    "Classes left out of training": (
        *(Claim(f"examples against the class: {count}",
                shots(f"unseen, {count}-shot", count, f"unseen, {count}-shot"),
                shots("unseen, classes", 0, "unseen, classes"), FEW) for count in (1, 5)),
        Claim("five examples are better than one", shots("unseen, 5-shot", 5, "unseen, 5-shot"),
              shots("unseen, 1-shot", 1, "unseen, 1-shot"), FEW),
    ),
    "What the examples are like": (
        Claim("examples of the same track are better than those of others", shots("5-shot", 5, "5-shot"),
              shots("5-shot", 5, "other tracks", Kind.OTHER_TRACK), FEW),
        Claim("clean examples are better than mixed ones", shots("5-shot", 5, "5-shot"),
              shots("5-shot", 5, "multi-source", Kind.MULTI_SOURCE), FEW),
        Claim("training with mixed ones helps with mixed ones",
              shots("5-shot, multi-source", 5, "multi-source, trained", Kind.MULTI_SOURCE),
              shots("5-shot", 5, "multi-source", Kind.MULTI_SOURCE), FEW),
        Claim("negatives help", shots("5-shot, negatives", 5, "negatives", Kind.NEGATIVES),
              shots("5-shot", 5, "5-shot"), FEW),
    ),
}  # fmt: skip


def read_scores(out: Path) -> tuple[dict[tuple[str, str, int], Scores], list[Record], list[dict[str, object]]]:
    """Return SDR by run, condition and seed; all records; the facts of all runs."""
    scores: dict[tuple[str, str, int], dict[tuple[str, str], float]] = defaultdict(dict)
    records: list[Record] = []
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.json"))]
    for one in facts:
        folder = out / f"{str(one['name']).replace(', ', '-').replace(' ', '-')}-{one['seed']}"
        for record in RecordFile(folder / "results.jsonl").records:
            records.append(record)
            if record.sdr is not None:
                scores[record.model, record.mode, one["seed"]][record.item, record.prompt] = record.sdr
    return dict(scores), records, facts


def compare(claim: Claim, scores: Mapping[tuple[str, str, int], Scores]) -> str | None:
    """Write the row of a claim; None if one of its sides was not run."""

    def of(side: Side, seed: int) -> Scores:
        return scores.get((side.run, side.condition.title, seed), {})

    seeds = [seed for seed in range(100) if of(claim.better, seed) and of(claim.worse, seed)]
    theirs = None
    if claim.better.paper is not None and claim.worse.paper is not None:
        theirs = claim.better.paper - claim.worse.paper
    paper = "–" if theirs is None else f"{theirs:+.2f}"
    head = f"| {claim.text} | {claim.better} | {claim.worse} | {paper} | {len(seeds)} |"
    by_song: dict[str, list[float]] = defaultdict(list)
    per_seed, levels = [], ([], [])
    for seed in seeds:
        better, worse = of(claim.better, seed), of(claim.worse, seed)
        keys = sorted(key for key in better.keys() & worse.keys() if key[1] in claim.classes)
        for key in keys:
            by_song[key[0]].append(better[key] - worse[key])
        if keys:
            per_seed.append(statistics.mean(better[key] - worse[key] for key in keys))
            for level, side in zip(levels, (better, worse), strict=True):
                level.append(statistics.mean(side[key] for key in keys))
    if not per_seed:
        return None
    mean = bootstrap_mean([statistics.mean(values) for values in by_song.values()])
    low, high = mean.interval or (float("-inf"), float("inf"))
    verdict = "not decided"
    expected = 1.0 if theirs is None or theirs >= 0 else -1.0
    for sign, word in ((expected, "held"), (-expected, "not held")):
        if all(sign * value > 0 for value in per_seed) and min(sign * low, sign * high) > SMALLEST:
            verdict = word
    spread = f" ± {statistics.stdev(per_seed):.2f}" if len(per_seed) > 1 else ""
    pair = " / ".join(f"{statistics.mean(level):.2f}" for level in levels)
    difference = f"{statistics.mean(per_seed):+.2f}{spread} [{low:+.2f}, {high:+.2f}]"
    return f"{head} {pair} | {difference} | {len(by_song)} | {verdict} |"


def main(out: Path) -> None:
    """Print the page."""
    scores, _, facts = read_scores(out)
    print("# Small-scale claims\n")
    print("SDR of the whole signal in dB, mean over songs and classes; ± is the spread over seeds, brackets the 95 %")
    print("bootstrap interval over songs. The paper's difference is between means of its table (museval, MUSDB18).\n")
    not_run: list[str] = []
    for title, claims in CLAIMS.items():
        rows = {claim.text: compare(claim, scores) for claim in claims}
        not_run += [text for text, row in rows.items() if row is None]
        if not any(rows.values()):
            continue
        print(f"## {title}\n")
        print(
            "| claim | better | worse | paper's difference dB | seeds | SDR of both | difference dB | songs | verdict |"
        )
        print("|---|---|---|--:|--:|--:|--:|--:|---|")
        print("\n".join(row for row in rows.values() if row) + "\n")
    if not_run:
        print(f"Not run: {'; '.join(not_run)}.\n")
    columns = ("name", "seed", "steps", "seconds_of_audio", "seconds_of_training", "parameters", "machine")
    print("## Runs\n\n| " + " | ".join(name.replace("_", " ") for name in columns) + " |\n|" + "---|" * len(columns))
    for one in facts:
        print("| " + " | ".join(str(one[name]) for name in columns) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
