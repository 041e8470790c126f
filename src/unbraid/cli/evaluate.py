"""``unbraid evaluate``: examine models on recordings whose true sources are known."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import ProgressLine

if TYPE_CHECKING:
    from unbraid.evaluation.items import ItemSource
    from unbraid.evaluation.protocols import Contestant

DRAWN_ITEMS = 200


class Protocol(StrEnum):
    """The examinations that there are."""

    TUSS = "tuss"


class Precision(StrEnum):
    """The arithmetic of the network."""

    FP32 = "fp32"
    BF16 = "bf16"


def evaluate(  # noqa: PLR0913 - one parameter per option
    protocol: Annotated[Protocol, typer.Argument(help="Which examination.")],
    *,
    data: Annotated[Path, typer.Option(help="A tree of folders with stems, or packs to draw mixtures from.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Name or file; repeat it to compare.")
    ] = None,
    tracks: Annotated[int | None, typer.Option(min=1, help="So many items, chosen by the seed.")] = None,
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
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Of the windows.")] = 0.25,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, ...")] = "cpu",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the network.")] = Precision.FP32,
) -> None:
    """Score models on recordings whose true sources are known, and write a report."""
    del protocol  # there is one so far
    from unbraid.evaluation.protocols import Mode, Plan, evaluate_tuss
    from unbraid.evaluation.records import RecordFile
    from unbraid.evaluation.report import score_tables, write_report
    from unbraid.separation import Settings

    items = _items(data, tracks=tracks, seed=seed, distributed_mixture=distributed_mixture, held_out=held_out)
    contestants = _contestants(model or ["tuss-small"], device=device)
    modes = (Mode.ALL, *((Mode.SINGLE,) if single_prompt else ()), *((Mode.ABSENT,) if absent else ()))
    settings = Settings(overlap=overlap, precision=precision.value)
    with ProgressLine(1) as line:
        line.begin("evaluate")
        result = evaluate_tuss(
            items,
            contestants,
            records=RecordFile(out / "results.jsonl"),
            plan=Plan(modes=modes, settings=settings, seed=seed),
            progress=line.update,
        )
    report = out / "report.md"
    report.write_text(write_report(result), encoding="utf-8")
    typer.echo(score_tables(result.records))
    typer.echo(f"\n{report}")


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
    from unbraid.datasets.pack import read_pack
    from unbraid.datasets.track import SourcePool
    from unbraid.evaluation.drawn import drawn_items
    from unbraid.evaluation.items import choose_items, find_items

    packs = sorted(samples.parent for pattern in ("samples.i16", "*/samples.i16") for samples in data.glob(pattern))
    if packs:
        pool = SourcePool(source for pack in packs for source in read_pack(pack))
        if held_out is not None:
            _, pool = pool.split(held_out)
        return drawn_items(pool, count=tracks or DRAWN_ITEMS, seed=seed)
    return choose_items(find_items(data, distributed_mixture=distributed_mixture), count=tracks, seed=seed)
