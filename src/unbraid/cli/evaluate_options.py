"""The options of ``unbraid evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Classes(StrEnum):
    """What the stems of a track are called."""

    INSTRUMENTS = "instruments"
    STEMS = "stems"


class Precision(StrEnum):
    """The arithmetic of the network."""

    FP32 = "fp32"
    BF16 = "bf16"


Protocol = Annotated[
    str, typer.Argument(help="A folder of recordings and their stems, or an examination that --list lists.")
]
Listed = Annotated[bool, typer.Option("--list", help="List the examinations and the recordings they need.")]
Data = Annotated[
    Path | None,
    typer.Option(help="A tree of folders with stems, or packs; of a paper's table, its dataset, or a folder of them."),
]
Models = Annotated[list[str] | None, typer.Option("--model", "-m", help="Name or file; repeat it to compare.")]
References = Annotated[bool, typer.Option("--references", help="Also the mixture itself, silence, and oracle masks.")]
Tracks = Annotated[
    int | None, typer.Option(min=1, help="So many items, chosen by the seed; pointed: windows of each group.")
]
Seed = Annotated[int, typer.Option(help="Of the choice of items and of drawn mixtures.")]
Out = Annotated[Path, typer.Option(help="Folder of results.jsonl and the reports; a killed run continues.")]
Processes = Annotated[int, typer.Option(min=1, metavar="N", help="So many items at a time.")]
Cases = Annotated[
    int, typer.Option(min=0, metavar="N", help="Of so many targets: best, median and worst case to hear and see.")
]
SinglePrompt = Annotated[bool, typer.Option("--single-prompt", help="Also ask for one category at a time.")]
Absent = Annotated[bool, typer.Option("--absent", help="Also ask for what is not there.")]
DistributedMixture = Annotated[
    bool, typer.Option("--distributed-mixture", help="Take mixture files, not the sum of the stems.")
]
HeldOut = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="Of packs: only this fraction of its tracks, as in training."),
]
Composed = Annotated[
    int, typer.Option(min=0, metavar="N", help="All but tuss: also compose N songs; without --data, only these.")
]
ClassesOption = Annotated[
    Classes, typer.Option(help="Examples, labels: ask for 18 instruments, or for vocals, drums, bass and other.")
]
Examples = Annotated[int, typer.Option(min=1, max=20, help="Examples: up to so many of each sound.")]
Repeats = Annotated[
    int, typer.Option(min=1, metavar="N", help="Few-shot tables: so often, with other examples each time.")
]
Duration = Annotated[
    float, typer.Option(min=1.0, help="Examples, labels: seconds of a song that is composed, or cut out of a pack.")
]
Taught = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Labels: one that `unbraid teach` made; repeat it.")
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help='Examples: such as "two of a kind"; repeat it. All if left out.'),
]
Teach = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="STEPS", help="Examples: teach them, in so many steps, to models that take labels only."
    ),
]
Overlap = Annotated[float, typer.Option(min=0.0, max=0.9, help="Of the windows.")]
Device = Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, ...")]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic of the network.")]
