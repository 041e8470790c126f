"""``unbraid evaluate``: examine models on recordings whose true sources are known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.datasets.track import SourcePool
    from unbraid.evaluation.items import ItemSource
    from unbraid.evaluation.pointed import PointedPlan
    from unbraid.evaluation.pointed_records import PointedFile
    from unbraid.evaluation.pointed_windows import WindowSource
    from unbraid.evaluation.protocols import Contestant
    from unbraid.evaluation.records import RecordFile
    from unbraid.evaluation.tracks import Labels, TrackSource
    from unbraid.separation import Settings

DRAWN_ITEMS = 200
DRAWN_TRACKS = 20


class Protocol(StrEnum):
    """The examinations that there are."""

    TUSS = "tuss"
    EXAMPLES = "examples"
    LABELS = "labels"
    POINTED = "pointed"
    POINTED_STEPS = "pointed-steps"
    POINTED_HUM = "pointed-hum"
    POINTED_SONGS = "pointed-songs"

    @property
    def is_pointed(self) -> bool:
        """Whether mimicry and masks point at targets."""
        return self.value.startswith("pointed")


class Classes(StrEnum):
    """What the stems of a track are called."""

    INSTRUMENTS = "instruments"
    STEMS = "stems"


class Precision(StrEnum):
    """The arithmetic of the network."""

    FP32 = "fp32"
    BF16 = "bf16"


def evaluate(  # noqa: PLR0913 - one parameter per option
    protocol: Annotated[Protocol, typer.Argument(help="Which examination.")],
    *,
    data: Annotated[
        Path | None, typer.Option(help="A tree of folders with stems, or packs to draw mixtures from.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Name or file; repeat it to compare.")
    ] = None,
    tracks: Annotated[
        int | None, typer.Option(min=1, help="So many items, chosen by the seed; pointed: windows of each group.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of items and of drawn mixtures.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of results.jsonl and report.md; a killed run continues.")] = Path(
        "evaluation"
    ),
    single_prompt: Annotated[
        bool, typer.Option("--single-prompt", help="Also ask for one category at a time.")
    ] = False,
    absent: Annotated[bool, typer.Option("--absent", help="Also ask for what is not there.")] = False,
    distributed_mixture: Annotated[
        bool, typer.Option("--distributed-mixture", help="Take mixture files, not the sum of the stems.")
    ] = False,
    held_out: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of packs: only this fraction of its tracks, as in training."),
    ] = None,
    composed: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="All but tuss: also compose N songs; without --data, only these."),
    ] = 0,
    classes: Annotated[
        Classes, typer.Option(help="Examples, labels: ask for 18 instruments, or for vocals, drums, bass and other.")
    ] = Classes.INSTRUMENTS,
    examples: Annotated[int, typer.Option(min=1, max=20, help="Examples: up to so many of each sound.")] = 5,
    duration: Annotated[
        float, typer.Option(min=1.0, help="Examples, labels: seconds of a song that is composed, or cut out of a pack.")
    ] = 12.0,
    taught: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Labels: one that `unbraid teach` made; repeat it.")
    ] = None,
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Of the windows.")] = 0.25,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, ...")] = "cpu",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the network.")] = Precision.FP32,
) -> None:
    """Score models on recordings whose true sources are known, and write a report."""
    from unbraid.evaluation.records import RecordFile
    from unbraid.separation import Settings

    if protocol is Protocol.TUSS and data is None:
        raise typer.BadParameter("the protocol tuss needs recordings: give --data")
    settings = Settings(overlap=overlap, precision=precision.value)
    if protocol.is_pointed:
        pointed = _Pointed(protocol, data, tracks, composed, seed, out)
        typer.echo(pointed.examine(model or ["guidesep-small"], device=device, settings=settings))
        return
    contestants = _contestants(model or ["tuss-small"], device=device)
    _add_taught(contestants, taught or [])
    records = RecordFile(out / "results.jsonl")
    if data is not None and protocol is Protocol.TUSS:
        items = _items(data, tracks=tracks, seed=seed, distributed_mixture=distributed_mixture, held_out=held_out)
        page, summary = _examine_prompts(
            items, contestants, records, settings=settings, seed=seed, single=single_prompt, absent=absent
        )
    else:
        songs = _Songs(data, tracks, composed, held_out, classes, duration)
        page, summary = _examine_guided(
            protocol, songs.find(seed), contestants, records, settings=settings, seed=seed, examples=examples
        )
    report = out / "report.md"
    report.write_text(page, encoding="utf-8")
    typer.echo(summary)
    typer.echo(f"\n{report}")


def _examine_prompts(
    items: list[ItemSource],
    contestants: list[Contestant],
    records: RecordFile,
    *,
    settings: Settings,
    seed: int,
    single: bool,
    absent: bool,
) -> tuple[str, str]:
    """Go through the protocol ``tuss``; return the page, and what is worth a look at once."""
    from unbraid.evaluation.protocols import Mode, Plan, evaluate_tuss
    from unbraid.evaluation.report import score_tables, write_report

    modes = (Mode.ALL, *((Mode.SINGLE,) if single else ()), *((Mode.ABSENT,) if absent else ()))
    plan = Plan(modes=modes, settings=settings, seed=seed)
    with ProgressLine(1) as line:
        line.begin("evaluate")
        result = evaluate_tuss(items, contestants, records=records, plan=plan, progress=line.update)
    return write_report(result), score_tables(result.records)


def _examine_guided(
    protocol: Protocol,
    tracks: list[TrackSource],
    contestants: list[Contestant],
    records: RecordFile,
    *,
    settings: Settings,
    seed: int,
    examples: int,
) -> tuple[str, str]:
    """Go through the protocol ``examples`` or ``labels``; return the page, and what is worth a look at once."""
    from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
    from unbraid.evaluation.guided_report import condition_tables, write_guided_report
    from unbraid.evaluation.questions import all_conditions

    if protocol is Protocol.LABELS:
        plan = GuidedPlan.of_labels(settings=settings, seed=seed)
    else:
        plan = GuidedPlan(conditions=all_conditions(range(1, examples + 1)), settings=settings, seed=seed)
    with ProgressLine(1) as line:
        line.begin("evaluate")
        result = evaluate_guided(tracks, contestants, records=records, plan=plan, progress=line.update)
    return write_guided_report(result), condition_tables(result.records)


def _add_taught(contestants: list[Contestant], files: list[Path]) -> None:
    """Let every model know the labels that were taught to it.

    Raises:
        GuideError: if a file is no taught label, or was taught to none of the models.
    """
    from unbraid.models.queries import add_query, is_for, load_query

    for file in files:
        query = load_query(file)
        pupils = [contestant.model for contestant in contestants if is_for(query, contestant.model)]
        for pupil in pupils or [contestants[0].model]:  # who refuses it, with the reason
            add_query(pupil, query)


def _contestants(names: list[str], *, device: str) -> list[Contestant]:
    """Load the models; a file is called by its name without folder and suffix, where that is unique."""
    from unbraid.evaluation.protocols import Contestant
    from unbraid.zoo import ZOO, load_model, weights_hash

    loaded = {}
    for name in dict.fromkeys(names):
        entry = ZOO.get(name)
        short = name if entry is not None or Path(name).stem in loaded else Path(name).stem
        path = Path(name) if entry is None else entry.path
        loaded[short] = Contestant.enter(
            short, load_model(name, device=device), weights=weights_hash(path) if path else None
        )
    return list(loaded.values())


def _items(
    data: Path, *, tracks: int | None, seed: int, distributed_mixture: bool, held_out: float | None
) -> list[ItemSource]:
    """Draw from a pack or a folder of packs, or find folders of stems."""
    from unbraid.evaluation.drawn import drawn_items
    from unbraid.evaluation.items import choose_items, find_items

    pool = _pool(data, held_out)
    if pool is not None:
        return drawn_items(pool, count=tracks or DRAWN_ITEMS, seed=seed)
    return choose_items(find_items(data, distributed_mixture=distributed_mixture), count=tracks, seed=seed)


def _pool(data: Path, held_out: float | None) -> SourcePool | None:
    """Return the sources of a pack or a folder of packs; None if it is neither."""
    from unbraid.datasets.pack import read_pack
    from unbraid.datasets.track import SourcePool

    packs = sorted(samples.parent for pattern in ("samples.i16", "*/samples.i16") for samples in data.glob(pattern))
    if not packs:
        return None
    pool = SourcePool(source for pack in packs for source in read_pack(pack))
    return pool if held_out is None else pool.split(held_out)[1]


@dataclass(frozen=True)
class _Songs:
    """Where the tracks of the guided protocols come from."""

    data: Path | None
    tracks: int | None
    composed: int
    held_out: float | None
    classes: Classes
    duration: float

    def find(self, seed: int) -> list[TrackSource]:
        """Find folders of stems, cut passages out of packs, and compose songs."""
        from unbraid.datasets.soundfont import open_player
        from unbraid.evaluation.tracks import by_instrument, by_stem, composed_tracks

        if self.data is None and not self.composed:
            raise typer.BadParameter("there is nothing to listen to: give --data, --composed, or both")
        labels = by_instrument if self.classes is Classes.INSTRUMENTS else by_stem
        found = [] if self.data is None else self._recorded(self.data, labels, seed)
        if self.composed:
            found += composed_tracks(
                labels=labels, count=self.composed, seed=seed, duration=self.duration, player=open_player()
            )
        return found

    def _recorded(self, data: Path, labels: Labels, seed: int) -> list[TrackSource]:
        from unbraid.evaluation.items import choose_items
        from unbraid.evaluation.tracks import find_tracks, pool_tracks

        pool = _pool(data, self.held_out)
        if pool is not None:
            count = self.tracks or DRAWN_TRACKS
            return pool_tracks(pool, labels=labels, count=count, seed=seed, duration=self.duration)
        return choose_items(find_tracks(data, labels=labels), count=self.tracks, seed=seed)


@dataclass(frozen=True)
class _Pointed:
    """What is examined in the pointed protocols, and where it is written."""

    protocol: Protocol
    data: Path | None
    tracks: int | None
    composed: int
    seed: int
    out: Path

    def examine(self, names: list[str], *, device: str, settings: Settings) -> str:
        """Go through one of the protocols, write its page and that of the claims; return what was written."""
        from unbraid.evaluation.pointed import PointedPlan
        from unbraid.evaluation.pointed_claims import write_claims
        from unbraid.evaluation.pointed_records import PointedFile

        contestants = _contestants(names, device=device)
        trained = {
            one.name: steps
            for one, name in zip(contestants, dict.fromkeys(names), strict=True)
            if (steps := _steps(name))
        }
        plan = PointedPlan(seed=self.seed, trained=trained, separation=settings)
        records = PointedFile(self.out / "results.jsonl")
        with ProgressLine(1) as line:
            line.begin("evaluate")
            page = self._page(contestants, records, plan, line.update)
        written = [self.out / f"{self.protocol.value}.md"]
        written[0].write_text(page, encoding="utf-8")
        present = {(one.name, one.weights) for one in contestants}
        mine = [one for one in records.pointed if (one.model, one.weights) in present]
        if any(one.settings.get("kind") == "diffusion" for one in mine):
            written.append(self.out / "pointed-claims.md")
            written[1].write_text(write_claims(mine), encoding="utf-8")
        return "\n".join(map(str, written))

    def _page(
        self,
        contestants: list[Contestant],
        records: PointedFile,
        plan: PointedPlan,
        progress: Callable[[float], None],
    ) -> str:
        from unbraid.evaluation import pointed_report
        from unbraid.evaluation.items import choose_items
        from unbraid.evaluation.pointed import evaluate_pointed
        from unbraid.evaluation.pointed_recordings import evaluate_imitated, find_imitated
        from unbraid.evaluation.pointed_sampler import evaluate_sampler
        from unbraid.evaluation.pointed_songs import evaluate_songs
        from unbraid.evaluation.tracks import by_stem, find_tracks

        if self.protocol is Protocol.POINTED_HUM:
            folders = find_imitated(self._folder())
            hums, skipped = evaluate_imitated(folders, contestants, records=records, plan=plan, progress=progress)
            return pointed_report.write_door_report(hums, skipped, title=self.protocol.value)
        if self.protocol is Protocol.POINTED_SONGS:
            tracks = choose_items(find_tracks(self._folder(), labels=by_stem), count=self.tracks, seed=self.seed)
            songs = evaluate_songs(tracks, contestants, records=records, plan=plan, progress=progress)
            return pointed_report.write_door_report(songs, (), title=self.protocol.value)
        windows = self._windows()
        if self.protocol is Protocol.POINTED_STEPS:
            drawn = evaluate_sampler(windows, contestants, records=records, plan=plan, progress=progress)
            return pointed_report.write_sampler_report(drawn)
        asked = evaluate_pointed(windows, contestants, records=records, plan=plan, progress=progress)
        return pointed_report.write_windows_report(asked)

    def _folder(self) -> Path:
        if self.data is None:
            raise typer.BadParameter(f"the protocol {self.protocol.value} needs recordings: give --data")
        return self.data

    def _windows(self) -> list[WindowSource]:
        """Choose windows of packs, and of songs that are composed."""
        from unbraid.evaluation.pointed_windows import choose_windows, composed_melodies, pack_melodies

        if self.data is None and not self.composed:
            raise typer.BadParameter("there is nothing to listen to: give --data, --composed, or both")
        sets = [] if self.data is None else pack_melodies(self.data)
        if self.composed:
            sets.append(composed_melodies(count=self.composed, seed=self.seed))
        return [window for one in sets for window in choose_windows(one, count=self.tracks, seed=self.seed)]


def _steps(name: str) -> int | None:
    """Return for how many steps a model was trained, if its file tells."""
    import json

    from unbraid.zoo import ZOO, read_file

    entry = ZOO.get(name)
    path = Path(name) if entry is None else entry.path
    if path is None:
        return None
    steps = json.loads(read_file(path)[0].get("card", "{}")).get("steps")
    return steps if isinstance(steps, int) else None
