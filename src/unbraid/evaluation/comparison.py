"""Two results side by side: paired differences of every target, and the tracks that moved most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.pointed_records import PointedFile
from unbraid.evaluation.records import Record, mean_of
from unbraid.evaluation.report import Mean, bootstrap_mean, row_of
from unbraid.evaluation.statistics import sign_flip_test, wilcoxon_signed_rank

SCORES = ("si_sdr", "si_sdr_improvement", "snr", "sdr", "level_db", "presence", "sdr_bss_eval", "si_sir")
RESULTS = "results.jsonl"
ALL = "all"


@dataclass(frozen=True)
class Side:
    """The records of one model.

    Args:
        title: what it is called in tables.
        records: as they lie in the file.
    """

    title: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Move:
    """One track and target in both results."""

    item_set: str
    item: str
    mode: str
    target: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """The second less the first."""
        return self.second - self.first


@dataclass(frozen=True)
class Contrast:
    """A target, over all tracks that both results have of it.

    Args:
        mode: how it was asked for.
        target: its name, or `ALL`.
        first: mean of the first result.
        second: mean of the second.
        difference: the second less the first, with its 95 % bootstrap interval over tracks.
        wilcoxon: p-value of the signed-rank test.
        permutation: p-value of the sign-flip test.
        better: tracks in which the second is higher.
    """

    mode: str
    target: str
    first: float
    second: float
    difference: Mean
    wilcoxon: float
    permutation: float
    better: int


@dataclass(frozen=True)
class Comparison:
    """What two results have in common.

    Args:
        titles: of both.
        score: that was compared.
        contrasts: by mode and target; where a mode has several targets, all of them pooled come last.
        moves: the pairs, those that fell farthest first.
        only_first: how many records have no partner in the second result.
        only_second: how many have none in the first.
        changed: pairs whose recordings or truth are not the same, which therefore were left out.
    """

    titles: tuple[str, str]
    score: str
    contrasts: tuple[Contrast, ...]
    moves: tuple[Move, ...]
    only_first: int
    only_second: int
    changed: int


def read_side(path: Path, *, model: str | None = None) -> Side:
    """Read a file of records, or the one in a folder.

    Args:
        path: of the file or folder.
        model: whose records; may be left out where there is only one.

    Raises:
        DatasetError: if there is no such file, or no record in it.
        SettingsError: if there is no such model, or there are several and none is named.
    """
    file = path / RESULTS if path.is_dir() else path
    if not file.is_file():
        raise DatasetError(f"{path}: there are no results: give a results.jsonl of unbraid evaluate, or its folder")
    records = PointedFile(file).records
    models = list(dict.fromkeys(record.model for record in records))
    if not models:
        raise DatasetError(f"{file} holds no finished records: run unbraid evaluate again, it goes on")
    if model is None and len(models) > 1:
        raise SettingsError(f"{file} holds records of {', '.join(models)}: say whose with --first and --second")
    chosen = model or models[0]
    if chosen not in models:
        raise SettingsError(f"{file} holds no records of {chosen}, only of {', '.join(models)}: choose one of them")
    return Side(chosen, tuple(record for record in records if record.model == chosen))


def score_of(record: Record, score: str) -> float | None:
    """Return a score by its name; None where the record has none."""
    found = record.more.get(score) if score in record.more else getattr(record, score, None)
    return float(found) if isinstance(found, int | float) else None


def compare(first: Side, second: Side, *, score: str = "si_sdr") -> Comparison:
    """Pair two results by protocol, mode, track and target.

    Several records of one pair (other seeds, examples, settings) are averaged. Pairs count only if the mixture and the
    truth are the same, which shows in the scores of the mixture; where nothing was asked for that is there, only if
    the fingerprint is.

    Args:
        first: what the second is held against.
        second: the other one.
        score: one of `SCORES`, or a name in ``more``.

    Raises:
        DatasetError: if they have no pair with this score.
    """
    sides = [_by_place(side.records, score) for side in (first, second)]
    shared = [place for place in sides[0] if place in sides[1]]
    equal = [place for place in shared if set(sides[0][place]) & set(sides[1][place])]
    moves = []
    for place in equal:
        _, mode, item_set, item, target = place
        pair = [side[place] for side in sides]
        values = [mean_of([pair[side][one] for one in pair[0] if one in pair[1]]) for side in (0, 1)]
        assert values[0] is not None
        assert values[1] is not None
        moves.append(Move(item_set, item, mode, target, values[0], values[1]))
    if not moves:
        raise DatasetError(
            f"{first.title} and {second.title} have no {score} of the same recordings in common{_ways(first, second)}: "
            f"evaluate both on one set, or compare another --score ({', '.join(_scores(first, second))})"
        )
    titles = (first.title, second.title)
    if titles[0] == titles[1]:
        titles = (f"{titles[0]} (first)", f"{titles[1]} (second)")
    return Comparison(
        titles=titles,
        score=score,
        contrasts=tuple(_contrasts(moves)),
        moves=tuple(sorted(moves, key=lambda move: move.difference)),
        only_first=len(sides[0]) - len(shared),
        only_second=len(sides[1]) - len(shared),
        changed=len(shared) - len(equal),
    )


def _ways(first: Side, second: Side) -> str:
    """Say that both were asked in other ways, if that is so."""
    modes = [list(dict.fromkeys(record.mode for record in side.records)) for side in (first, second)]
    return "" if set(modes[0]) & set(modes[1]) else f" (asked by {', '.join(modes[0])}; by {', '.join(modes[1])})"


def _scores(first: Side, second: Side) -> tuple[str, ...]:
    """Return the names of all scores that records have."""
    return (*SCORES, *sorted({name for side in (first, second) for record in side.records for name in record.more}))


Place = tuple[str, str, str, str, str]


def _by_place(records: Sequence[Record], score: str) -> dict[Place, dict[str, float]]:
    """Return scores by protocol, mode, set, item and target, and there by what they were scored against."""
    found: dict[Place, dict[str, list[float]]] = {}
    for one in records:
        value = score_of(one, score)
        if value is not None:
            place = (one.protocol, one.mode, one.item_set, one.item, one.prompt)
            found.setdefault(place, {}).setdefault(_truth(one), []).append(value)
    return {
        place: {name: sum(values) / len(values) for name, values in group.items()} for place, group in found.items()
    }


def _truth(record: Record) -> str:
    """Return what changes with the mixture and the truth, but not with how the target was asked for."""
    known = [(source.stems, round(source.si_sdr_mixture, 6)) for source in record.sources if source.si_sdr_mixture]
    return repr(known) if known and len(known) == len(record.sources) else record.fingerprint


def _contrasts(moves: Sequence[Move]) -> list[Contrast]:
    found: list[Contrast] = []
    for mode in dict.fromkeys(move.mode for move in moves):
        here = [move for move in moves if move.mode == mode]
        targets = list(dict.fromkeys(move.target for move in here))
        found.extend(_contrast(mode, name, [move for move in here if move.target == name]) for name in targets)
        if len(targets) > 1:
            found.append(_contrast(mode, ALL, here))
    return found


def _contrast(mode: str, target: str, moves: Sequence[Move]) -> Contrast:
    """Average the targets of each track first, then compare tracks."""

    def means(value: Callable[[Move], float]) -> list[float]:
        tracks: dict[tuple[str, str], list[float]] = {}
        for move in moves:
            tracks.setdefault((move.item_set, move.item), []).append(value(move))
        return [sum(values) / len(values) for values in tracks.values()]

    differences = means(lambda move: move.difference)
    firsts, seconds = means(lambda move: move.first), means(lambda move: move.second)
    return Contrast(
        mode=mode,
        target=target,
        first=sum(firsts) / len(firsts),
        second=sum(seconds) / len(seconds),
        difference=bootstrap_mean(differences),
        wilcoxon=wilcoxon_signed_rank(differences),
        permutation=sign_flip_test(differences),
        better=sum(one > 0 for one in differences),
    )


def write_comparison(comparison: Comparison, *, count: int = 5) -> str:
    """Return the page in Markdown.

    Args:
        comparison: what was found.
        count: how many tracks are listed that rose or fell most.
    """
    first, second = comparison.titles
    lines = [
        f"# {second} against {first}: {comparison.score}\n",
        "Means over tracks that both have; the difference is the second less the first, with its 95 % bootstrap "
        "interval over tracks, p-values are two-sided.\n",
        f"| mode | target | tracks | {first} | {second} | difference | better in | Wilcoxon p | permutation p |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in comparison.contrasts:
        name = f"**{ALL}**" if one.target == ALL else one.target
        cells = (f"{one.first:.2f}", f"{one.second:.2f}", one.difference, one.better)
        p_values = (f"{one.wilcoxon:.3g}", f"{one.permutation:.3g}")
        lines.append(row_of(one.mode, name, one.difference.count, *cells, *p_values))
    risen = [move for move in reversed(comparison.moves) if move.difference > 0][:count]
    fallen = [move for move in comparison.moves if move.difference < 0][:count]
    for title, moves in (("Rose most", risen), ("Fell most", fallen)):
        if moves:
            lines += [f"\n## {title}\n", f"| item | mode | target | {first} | {second} | difference |",
                      "|---|---|---|--:|--:|--:|"]  # fmt: skip
            lines += [
                row_of(
                    f"{move.item_set}: {move.item}", move.mode, move.target, f"{move.first:.2f}", f"{move.second:.2f}",
                    f"{move.difference:+.2f}",
                )
                for move in moves
            ]  # fmt: skip
    left = {
        f"only in {first}": comparison.only_first,
        f"only in {second}": comparison.only_second,
        "of other recordings or truth": comparison.changed,
    }
    told = [f"{number} {where}" for where, number in left.items() if number]
    return "\n".join([*lines, *(["\nLeft out: " + ", ".join(told) + "."] if told else [])]) + "\n"


def comparison_document(comparison: Comparison, *, count: int = 5) -> Mapping[str, object]:
    """Return the same as values of JSON."""
    ordered = comparison.moves
    return {
        "first": comparison.titles[0],
        "second": comparison.titles[1],
        "score": comparison.score,
        "targets": [
            {
                "mode": one.mode,
                "target": one.target,
                "tracks": one.difference.count,
                "first": one.first,
                "second": one.second,
                "difference": one.difference.value,
                "interval": one.difference.interval,
                "better_in": one.better,
                "wilcoxon_p": one.wilcoxon,
                "permutation_p": one.permutation,
            }
            for one in comparison.contrasts
        ],
        "rose_most": [_move(move) for move in reversed(ordered) if move.difference > 0][:count],
        "fell_most": [_move(move) for move in ordered if move.difference < 0][:count],
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "changed": comparison.changed,
    }


def _move(move: Move) -> dict[str, object]:
    return {
        "item_set": move.item_set, "item": move.item, "mode": move.mode, "target": move.target,
        "first": move.first, "second": move.second, "difference": move.difference,
    }  # fmt: skip
