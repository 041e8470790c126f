"""``unbraid separate``: files in, stems out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unbraid.cli import console
from unbraid.cli.console import ProgressLine, UsageError
from unbraid.cli.inputs import Input, check_places, gather
from unbraid.cli.request import (
    ORDER,
    add_taught,
    check_labels,
    prior_labels,
    read_priors,
    read_targets,
    spell,
    taught_model,
)
from unbraid.errors import Cancelled, UnbraidError

if TYPE_CHECKING:
    from unbraid.delivery import DeliveryOptions, Manifest, StemRecord
    from unbraid.guides.kinds import Request, Target
    from unbraid.models.separator import Sampling, Separator

Words = list[str] | None
PromptsOption = Annotated[
    Words, typer.Option("--prompts", "-p", metavar="NAMES", help="Sounds it was taught, such as 'vocals drums'.")
]
TaskOption = Annotated[
    Words, typer.Option(metavar="TASK", help="Prompts of a task: enhance, music, cinema, speakers=N, events=N.")
]
LabelOption = Annotated[Words, typer.Option(metavar="NAME", help="One sound by its name; repeat it for several.")]
PriorsOption = Annotated[
    Words,
    typer.Option(
        metavar="LIST",
        help="Separate with these priors alone (see `unbraid priors`): sources or files, with commas; residual is what "
        "they leave.",
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How priors search: default, curvature, quick; as published: mle, map, mle-slow, map-latent. Settings may "
        "follow: map,prior_weight=0.01,n_iterations=50.",
    ),
]
TargetOption = Annotated[
    Words, typer.Option(metavar="NAME", help="Begin a target: the guides that follow point at it.")
]
ExampleOption = Annotated[
    Words,
    typer.Option(metavar="SOUND", help="A recording of the sound, or where it is heard in the song: 0:12-0:16."),
]
NotOption = Annotated[
    Words, typer.Option("--not", metavar="SOUND", help="Of what the sound is not: a recording, or such a span.")
]
HumOption = Annotated[
    Words, typer.Option(metavar="FILE", help="The sound's melody, hummed, sung, whistled or played along.")
]
ScoreOption = Annotated[Words, typer.Option(metavar="FILE", help="The sound's melody as MIDI.")]
TrackOption = Annotated[
    Words, typer.Option(metavar="N", help="Track of the --score before it: its number or name, where it has several.")
]
AtOption = Annotated[
    Words,
    typer.Option(
        metavar="TIME", help="Where in the song the --hum or --score before it begins: 12.5, 1:02, or auto to find it."
    ),
]
MaskOption = Annotated[
    Words,
    typer.Option(metavar="FILE", help="Where the sound is on the spectrogram: a painted image (see `unbraid mask`)."),
]
NotMaskOption = Annotated[
    Words, typer.Option("--not-mask", metavar="FILE", help="Where it is not, if --mask does not say so, too.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, metavar="N", help="Of random draws; 0 if left out.")]
StepsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="GuideSep: evaluations of the network for each draw.")
]
CandidatesOption = Annotated[
    int | None, typer.Option(min=1, metavar="K", help="GuideSep: draws, of which the best is taken.")
]
TaughtOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A label that `unbraid teach` made, for --label; found if it lies here."),
]
AsOption = Annotated[
    Words, typer.Option("--as", metavar="NAME", help="What the stem of --example, --hum, --mask … is called.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A name from `unbraid models`, a weights file, or hf:OWNER/REPO/FILE; chosen by the guides if left out.",
        show_default=False,
    ),
]
ContainerOption = Annotated[
    Literal["wav", "flac", "ogg", "mp3"] | None,
    typer.Option("--format", help="Format of the stems; wav by default."),
]
DepthOption = Annotated[
    Literal["16", "24", "float"] | None, typer.Option(help="Bits of a sample; the input's own by default.")
]
ChannelModeOption = Annotated[
    Literal["each", "mid"] | None,
    typer.Option(help="TUSS: every channel alone, or masks from their mean; the model's own by default."),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out files whose stems are there, made in the same way.")
]
TemplateOption = Annotated[
    str, typer.Option(help="Path of a stem below the output folder; {track} and {stem} are filled in.")
]


@dataclass(frozen=True)
class Loading:
    """How a model is loaded: where to, in which channel mode, of which priors and how they search, where it can be."""

    device: str
    channel_mode: str | None
    priors: list[str] | None
    search: str | None


@dataclass(frozen=True)
class Job:
    """What is the same for every file of a call."""

    model: Separator
    targets: tuple[Target, ...]
    out: Path
    options: DeliveryOptions


def separate(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Files, folders and globs.")],
    prompts: PromptsOption = None,
    task: TaskOption = None,
    label: LabelOption = None,
    example: ExampleOption = None,
    negative: NotOption = None,
    hum: HumOption = None,
    score: ScoreOption = None,
    track: TrackOption = None,
    at: AtOption = None,
    mask: MaskOption = None,
    anti_mask: NotMaskOption = None,
    named: AsOption = None,
    taught: TaughtOption = None,
    target: TargetOption = None,
    model: ModelOption = None,
    priors: PriorsOption = None,
    search: SearchOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the stems.")] = Path("separated"),
    container: ContainerOption = None,
    depth: DepthOption = None,
    overlap: Annotated[float, typer.Option(help="Share of a window that the next one covers again, 0 to 0.9.")] = 0.25,
    device: Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="Arithmetic of the network.")] = "fp32",
    channel_mode: ChannelModeOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    candidates: CandidatesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file on stdout.")] = False,
    skip_existing: SkipOption = False,
    residual: Annotated[bool, typer.Option(help="Write what is left of the mixture, too.")] = True,
    name_template: TemplateOption = "{track}/{stem}",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only complaints.")] = False,
) -> None:
    """Separate recordings into the sounds asked for and the rest; stems keep rate, length, channels and level."""
    words = {"prompts": prompts, "task": task, "label": label, "target": target}
    words |= {"example": example, "negative": negative, "named": named, "hum": hum, "score": score}
    words |= {"track": track, "at": at, "mask": mask, "anti_mask": anti_mask}
    try:
        inputs, problems = gather(files, out=out)
        named_priors = read_priors(priors)
        spelled = spell(ctx.meta[ORDER], {name: given or [] for name, given in words.items()})
        if named_priors:
            check_labels(named_priors, spelled, delivered=residual)
        request = prior_labels(named_priors) if named_priors and not spelled else read_targets(spelled)
        from unbraid.delivery import DeliveryOptions
        from unbraid.settings import Settings

        options = DeliveryOptions(
            settings=Settings(overlap=overlap, precision=precision, sampling=_sampling(seed, steps, candidates)),
            container=container,
            depth=depth,
            insist=container is not None or depth is not None,
            name_template=name_template,
            residual=residual,
            skip_existing=skip_existing,
            protected=tuple(one.path for one in inputs),
            model_name=model or ("instglow" if named_priors else None),
        )
        check_places(inputs, options.name_template)
        job = _prepare(request, taught or (), out, options, Loading(device, channel_mode, named_priors, search))
    except UnbraidError as error:
        if as_json:
            console.emit(console.error_document(error))
        console.complain(error)
        raise typer.Exit(console.MISUSED) from error
    for word, problem in problems:
        _report_failure(problem, word, as_json=as_json)
    n_failed = len(problems) + _separate_all(inputs, job, as_json=as_json, quiet=quiet)
    raise typer.Exit(console.FAILED if n_failed else 0)


def _sampling(seed: int | None, steps: int | None, candidates: int | None) -> Sampling | None:
    """Return what is asked for of random draws; None if nothing is."""
    if seed is None and steps is None and candidates is None:
        return None
    from unbraid.models.separator import Sampling

    return Sampling(seed=seed or 0, steps=steps, candidates=candidates or 1)


def _prepare(
    request: Request,
    taught: Sequence[Path],
    out: Path,
    options: DeliveryOptions,
    loading: Loading,
) -> Job:
    """Read the guides, load the model, and refuse what no file could be separated with.

    Raises:
        GuideError: if a guide cannot be used, or the model does not take a guide.
        ModelError: if there is no such model, or its weights are damaged.
        UsageError: if there is no such device.
    """
    from unbraid.allocator import keep_freed_memory
    from unbraid.guides.kinds import spell_targets
    from unbraid.guides.on_clock import guide_files, read_guides
    from unbraid.teaching import learned_by
    from unbraid.zoo import default_model

    keep_freed_memory()
    asked = spell_targets(request)
    name = options.model_name or taught_model(taught) or learned_by(asked) or default_model(asked)
    told = f"{name} ({', '.join(loading.priors)})" if loading.priors else name
    options = replace(options, model_name=told, protected=(*options.protected, *guide_files(asked)))
    targets = read_guides(asked)
    job = Job(_load(name, loading), targets, out, options)
    add_taught(job.model, targets, taught)
    _check_request(job)
    return job


def _check_request(job: Job) -> None:
    """Refuse before any work what no file could be separated with; spans wait for the file that they are cut from.

    Raises:
        GuideError: if the model does not take a guide, or two outputs would be written to one file.
        SettingsError: if random draws are asked for of a model that makes none.
    """
    from unbraid.delivery.files import RESIDUAL
    from unbraid.delivery.names import NameTemplate, check_distinct
    from unbraid.guides.kinds import output_names
    from unbraid.zoo import check_targets

    check_targets(job.model, job.targets)
    if job.options.settings.sampling is not None:
        job.model.check_sampling(job.options.settings.sampling)
    template = NameTemplate(job.options.name_template)
    outputs = [(name, template.stem("track", name)) for name in output_names(job.targets)]
    residual = [("the residual", template.stem("track", RESIDUAL))] if job.options.residual else []
    check_distinct([*outputs, *residual])
    whole = [target for target in job.targets if not _waits(target)]
    if whole:
        job.model.condition(whole)


def _waits(target: Target) -> bool:
    """Whether a target has a guide that only the song itself makes complete: a span, a melody to place, a mask."""
    from unbraid.guides.kinds import Examples, Mask, Mimicry, Span

    examples = [guide for guide in target.guides if isinstance(guide, Examples)]
    return any(isinstance(one, Span) for held in examples for one in (*held.positive, *held.negative)) or any(
        isinstance(guide, Mask) or (isinstance(guide, Mimicry) and guide.offset is None) for guide in target.guides
    )


def _load(name: str, loading: Loading) -> Separator:
    """Load a model onto a device, in the channel mode and of the priors asked for.

    Raises:
        UsageError: if there is no such device, or the model has no channel modes.
        ModelError: if there is no such model, or its weights are damaged.
        SettingsError: if it does not search, or not so.
    """
    from unbraid.models.instglow import choose_search
    from unbraid.models.instglow_searches import read_search
    from unbraid.models.tuss import Tuss
    from unbraid.zoo import load_model

    model = load_model(name, device=_pick_device(loading.device), priors=loading.priors)
    if loading.channel_mode is not None:
        if not isinstance(model, Tuss):
            raise UsageError(f"--channel-mode is for TUSS models, and {name} is none: leave it out")
        model.config = replace(model.config, channel_mode=loading.channel_mode)
    if loading.search is not None:
        choose_search(model, read_search(loading.search))
    return model


def _pick_device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {name}: this machine has no such device: unbraid doctor lists them") from error
    return name


@contextmanager
def _hear_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield the question whether Ctrl-C was pressed; pressing it again stops at once."""
    pressed = threading.Event()

    def press(number: int, frame: FrameType | None) -> None:
        del number, frame
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    previous = signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


def _separate_all(inputs: Sequence[Input], job: Job, *, as_json: bool, quiet: bool) -> int:
    """Separate file by file and return how many failed; each file's outcome is told as soon as it is known.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed; what is finished is whole, what is not is gone.
    """
    from unbraid.delivery import separate_file

    n_failed = 0
    with ProgressLine(len(inputs), quiet=quiet) as line, _hear_interrupt() as interrupted:
        for one in inputs:
            line.begin(one.path.name)
            try:
                manifest = separate_file(
                    one.path,
                    job.targets,
                    job.out,
                    model=job.model,
                    options=job.options,
                    track=one.track,
                    progress=line.update,
                    cancel=interrupted,
                )
            except Cancelled:
                raise KeyboardInterrupt from None
            except UnbraidError as error:
                n_failed += 1
                _report_failure(error, str(one.path), as_json=as_json)
                continue
            _report_success(manifest, one, line, as_json=as_json)
    return n_failed


def _report_failure(error: UnbraidError, file: str, *, as_json: bool) -> None:
    if as_json:
        console.emit(console.error_document(error, file=file))
    console.complain(error, file=file)


def _report_success(manifest: Manifest, one: Input, line: ProgressLine, *, as_json: bool) -> None:
    """Tell what was written: as JSON if asked for, in words on a terminal; warnings in any case."""
    if as_json:
        place = {"manifest_path": str(manifest.path), "skipped": manifest.skipped}
        console.emit({"file": str(one.path), **place, "manifest": manifest.to_dict()})
    for warning in manifest.warnings:
        console.warn(warning, file=str(one.path))
    found = "there already" if manifest.skipped else ", ".join(map(_describe, manifest.stems))
    line.say(f"{one.path.name}: {found} -> {manifest.path.parent}")


def _describe(record: StemRecord) -> str:
    return record.name if record.presence is None else f"{record.name} (presence {record.presence:.2f})"
