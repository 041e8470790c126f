"""``unbraid import-checkpoint``: turn a checkpoint that a paper's authors publish into our own format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import UsageError

if TYPE_CHECKING:
    from unbraid.models.separator import Separator

SUFFIX = ".safetensors"


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="The published .pth or .ckpt file.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where to write, such as tuss-medium.safetensors.", show_default=False)
    ],
    hparams: Annotated[
        Path | None,
        typer.Option(
            help="The hparams.yaml, config.yaml or config.json beside it; found if it lies near.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="What a prior of InstGlow is of. [default: the name of its folder]", show_default=False),
    ] = None,
) -> None:
    """Turn a checkpoint of TUSS, LaSAFT, GuideSep or InstGlow into weights that `-m` takes; no code in it is run."""
    if out.suffix != SUFFIX:
        raise UsageError(f"--out {out}: the name of a weights file ends in {SUFFIX}")
    from unbraid.models.instglow import Instglow
    from unbraid.zoo import save_weights

    model = _reader(file, source)(file, hparams=hparams)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot make the folder ({error.strerror}): choose another") from error
    digest = save_weights(model, out, card={"imported_from": file.name})
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    what = f"{type(model).__name__} with {n_parameters / 1e6:.2f} M parameters"
    use = f"unbraid priors add {out}" if isinstance(model, Instglow) else f"use it with -m {out}"
    typer.echo(f"{out}: {what}, SHA-256 {digest}; {use}")


def _reader(file: Path, source: str | None) -> Callable[..., Separator]:
    """Tell by the names of its tensors whose checkpoint a file is, and return what reads it."""
    from unbraid.models.published import import_tuss
    from unbraid.models.published_files import read_inert, tensors_of
    from unbraid.models.published_guidesep import import_guidesep, is_guidesep
    from unbraid.models.published_instglow import holds_prior, import_instglow
    from unbraid.models.published_lasaft import import_lasaft, is_lasaft

    content = read_inert(file)
    if holds_prior(content):
        return partial(import_instglow, source=source)
    if source is not None:
        raise UsageError(f"--source {source} is for priors of InstGlow, and {file} is none: leave it out")
    tensors = tensors_of(content, file)
    if is_guidesep(tensors):
        return import_guidesep
    return import_lasaft if is_lasaft(tensors) else import_tuss
