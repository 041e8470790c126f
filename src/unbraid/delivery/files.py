"""One file in; stems, residual and manifest out, all of them or none.

Stems of integer formats are rounded first and subtracted from the mixture afterwards, so that the files add up to it
bit for bit (to the mixture rounded to that format, where the input's is finer). Everything is written to a hidden
folder beside its place and gets its name at the end, the manifest last.

Axes: C channels, N samples, n samples of one block.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from torch import Tensor

from unbraid.audio.encoding import check_holds
from unbraid.audio.files import AudioReader, AudioWriter, Encoding, open_audio, output_encoding, read_audio
from unbraid.audio.signal import Audio
from unbraid.delivery.manifest import Manifest, Provenance, StemRecord, decibels, provenance_of, read_manifest, versions
from unbraid.delivery.names import NameTemplate, check_distinct
from unbraid.errors import AudioWriteError, Cancelled
from unbraid.guides.examples import check_span
from unbraid.guides.kinds import Request, Span, spell_targets
from unbraid.guides.on_clock import Recorded, guide_files, put_on_clock
from unbraid.models.separator import Separator
from unbraid.request import pick_separator, read_request
from unbraid.separation import (
    DEFAULTS,
    SeparationStream,
    Settings,
    residual_of,
    separate_stream,
)

RESIDUAL = "residual"
_SPOOL_BYTES = 4  # of a sample while a file is being written, whatever its format will be
_SLACK_BYTES = 1 << 20


@dataclass(frozen=True)
class DeliveryOptions:
    """How stems are made and stored.

    Args:
        settings: windows and precision.
        container: ``"wav"``, ``"flac"``, ``"ogg"`` or ``"mp3"``; None is WAV.
        depth: ``"16"``, ``"24"`` or ``"float"``; None is the input's own as far as the format can hold it.
        insist: fail where a stem exceeds full scale in an integer format, instead of writing that one as float WAV.
        name_template: path of a stem below the output folder, see :class:`~unbraid.delivery.names.NameTemplate`.
        residual: write what the stems leave of the mixture, too.
        skip_existing: do nothing where the manifest tells that the same stems are there already.
        protected: files that must not be overwritten: the other inputs of a call. The input itself and the files of
            guides never are.
        model_name: what the manifest calls the model; None is the name it was given by, or its class.

    Raises:
        AudioWriteError: if the format is unknown or cannot hold the depth.
        SettingsError: if the template makes no sense.

    Example:
        >>> DeliveryOptions(container="flac", depth="24").name_template
        '{track}/{stem}'
    """

    settings: Settings = DEFAULTS
    container: str | None = None
    depth: str | None = None
    insist: bool = False
    name_template: str = "{track}/{stem}"
    residual: bool = True
    skip_existing: bool = False
    protected: tuple[Path, ...] = field(default=(), repr=False)
    model_name: str | None = None

    def __post_init__(self) -> None:
        NameTemplate(self.name_template)
        output_encoding(Encoding("wav", "float"), container=self.container, depth=self.depth)  # refuses these two


DEFAULT_OPTIONS = DeliveryOptions()


@dataclass(frozen=True)
class _Plan:
    """What will be written where; paths are relative to ``out_dir``, without their suffix."""

    out_dir: Path
    options: DeliveryOptions
    provenance: Provenance
    stems: dict[str, PurePosixPath]
    residual: PurePosixPath | None
    manifest: Path

    @classmethod
    def of(
        cls, names: Sequence[str], provenance: Provenance, *, out_dir: Path, options: DeliveryOptions, track: str
    ) -> _Plan:
        """Find a place for everything.

        Raises:
            GuideError: if two outputs would be one file.
        """
        template = NameTemplate(options.name_template)
        stems = {name: template.stem(track, name) for name in names}
        residual = template.stem(track, RESIDUAL) if options.residual else None
        check_distinct([*stems.items(), *([("the residual", residual)] if residual else [])])
        return cls(out_dir, options, provenance, stems, residual, out_dir / template.manifest(track))

    @property
    def encoding(self) -> Encoding:
        """What the files are written as, where their level fits."""
        return Encoding(self.provenance.container, self.provenance.depth)

    @property
    def outputs(self) -> dict[str, PurePosixPath]:
        """All sound files; the residual comes last."""
        return self.stems if self.residual is None else {**self.stems, RESIDUAL: self.residual}

    def existing(self) -> Manifest | None:
        """Return the manifest of the same stems, if they are there, whole."""
        found = read_manifest(self.manifest)
        if found is None or found.provenance != self.provenance or not found.is_complete():
            return None
        places = {one.name: _place(found, one).with_suffix("") for one in found.outputs}
        wanted = {name: Path(os.path.normpath(self.out_dir / path)) for name, path in self.outputs.items()}
        return replace(found, skipped=True) if places == wanted else None

    def outdated(self, new: Manifest) -> list[Path]:
        """Files of the manifest in place that new ones stand in for: a FLAC beside its float WAV, or the reverse.

        One format stays beside another where both were asked for. :meth:`check` has seen that none is an input.
        """
        old = read_manifest(self.manifest)
        if old is None or old.provenance.container != new.provenance.container:
            return []
        written = {_place(new, record) for record in new.outputs}
        stems = {place.with_suffix("") for place in written}
        before = {_place(old, record) for record in old.outputs} - written
        return sorted(place for place in before if place.with_suffix("") in stems)

    def check(self, reader: AudioReader) -> None:
        """Find out before the work starts what would keep the files from being written.

        Raises:
            AudioWriteError: that names the file or folder, and the cure.
        """
        inputs = {one.resolve() for one in (reader.path, *self.options.protected)}
        for path in self.outputs.values():
            final = self.out_dir / f"{path}{self.encoding.suffix}"
            check_holds(final, self.encoding, sample_rate=reader.sample_rate, n_channels=reader.n_channels)
            for place in {final, self.out_dir / f"{path}.wav"}:  # the second, if the level does not fit
                _check_place(place)
                if place.resolve() in inputs:
                    raise AudioWriteError(f"{place}: a stem would overwrite this input: choose another output folder")
        _check_place(self.manifest)
        bytes_needed = (len(self.outputs) + 1) * reader.n_samples * reader.n_channels * _SPOOL_BYTES + _SLACK_BYTES
        disk = shutil.disk_usage(_existing_folder(self.out_dir))
        if disk.total and disk.free < bytes_needed:  # some file systems do not tell
            raise AudioWriteError(
                f"{self.out_dir}: {_size(bytes_needed)} are needed here and {_size(disk.free)} are free: free some "
                "space or choose another disk"
            )


def separate_file(
    path: str | os.PathLike[str],
    targets: Request,
    out_dir: str | os.PathLike[str],
    *,
    model: Separator | str | os.PathLike[str] | None = None,
    options: DeliveryOptions = DEFAULT_OPTIONS,
    track: str | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Manifest:
    """Separate a file of any length into files, in bounded memory.

    Stems have the rate, the channels, the length and the level of the input, and its depth unless another is asked
    for; with the residual they add up to it. An error or an interruption leaves nothing behind.

    Args:
        path: the recording.
        targets: the sounds asked for.
        out_dir: made where it is missing.
        model: a separator, the name of a model, or the path of its weights; None is the one that
            :func:`unbraid.zoo.default_model` chooses by the kinds of guide.
        options: how stems are made and stored.
        track: name of the track in file names, ``/`` makes folders; None is the name of the file without its suffix.
        progress: called with the fraction done, rising, and with 1.0 when everything is in place.
        cancel: asked often; True stops the work.

    Returns:
        What was written, or found where ``skip_existing`` let it be; ``Manifest.warnings`` is for the user.

    Raises:
        AudioReadError: if the recording cannot be read.
        AudioWriteError: if the stems cannot be written, before the work starts where that can be known.
        GuideError: if the model does not understand a guide, or two targets would be written to one file.
        ModelError: if there is no such model.
        Cancelled: if ``cancel`` said so.

    Example:
        >>> import tempfile, torch
        >>> from unbraid.audio.files import write_audio
        >>> from unbraid.audio.signal import Audio
        >>> from unbraid.guides.kinds import Label
        >>> from unbraid.zoo import debug_model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     song = Path(folder, "song.wav")
        ...     _ = write_audio(song, Audio(torch.zeros(1, 8000), 8000), encoding=Encoding("wav", "16"))
        ...     manifest = separate_file(song, Label("bass"), folder, model=debug_model())
        ...     sorted(file.name for file in Path(folder, "song").iterdir())
        ['bass.wav', 'manifest.json', 'residual.wav']
    """
    path, out_dir = Path(path), Path(out_dir)
    separator = pick_separator(model, targets)
    asked = spell_targets(targets)
    wanted = read_request(separator, asked)
    with open_audio(path) as reader:
        wanted = put_on_clock(wanted, _recorded(path, reader))
        stream = separate_stream(
            separator,
            reader.blocks(),
            wanted,
            sample_rate=reader.sample_rate,
            n_samples=reader.n_samples,
            settings=options.settings,
            progress=_until_done(progress),
            cancel=cancel,
        )
        encoding = output_encoding(reader.encoding, container=options.container, depth=options.depth)
        provenance = provenance_of(path, separator, wanted, settings=options.settings, encoding=encoding)
        protected = (*options.protected, *guide_files(asked))
        named = replace(options, model_name=options.model_name or _name_of(separator, model), protected=protected)
        track = path.stem if track is None else track
        plan = _Plan.of(stream.names, provenance, out_dir=out_dir, options=named, track=track)
        found = plan.existing() if options.skip_existing else None
        if found is None:
            plan.check(reader)
            with _staging(out_dir) as staging:
                found = _Delivery(plan, reader, staging).run(stream, cancel)
    if progress is not None:
        progress(1.0)
    return found


def _recorded(path: Path, reader: AudioReader) -> Recorded:
    """Show the input, which may be longer than memory, to the guides."""

    def cut(span: Span) -> Audio:
        check_span(span, reader.duration)
        return read_audio(path, start=span.start, stop=span.stop)

    def blocks() -> Iterator[Tensor]:
        with open_audio(path) as again:
            yield from again.blocks()

    return Recorded(duration=reader.duration, sample_rate=reader.sample_rate, cut=cut, blocks=blocks)


def _name_of(separator: Separator, model: Separator | str | os.PathLike[str] | None) -> str:
    """Return what a model is called: what it was asked for or chosen as, else its class."""
    if isinstance(model, str | os.PathLike):
        return str(model)
    return separator.name if model is None else type(model).__name__


class _Delivery:
    """The outputs of one file while they are written."""

    def __init__(self, plan: _Plan, reader: AudioReader, staging: Path) -> None:
        self._plan = plan
        self._reader = reader
        self._staging = staging
        self._energies = dict.fromkeys(plan.outputs, 0.0)

    def run(self, stream: SeparationStream, cancel: Callable[[], bool] | None) -> Manifest:
        """Do the work, and put everything in place."""
        plan, reader, records = self._plan, self._reader, {}
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(
                    AudioWriter(
                        self._staging / f"{path}{plan.encoding.suffix}",
                        sample_rate=reader.sample_rate,
                        n_channels=reader.n_channels,
                        encoding=plan.encoding,
                        insist=plan.options.insist,
                    )
                )
                for name, path in plan.outputs.items()
            }
            for block in stream:
                self._write(block.mixture, block.stems, list(writers.values()))
            for name, writer in writers.items():
                if cancel is not None and cancel():
                    raise Cancelled("stopped before the files were complete, as asked")
                records[name] = self._record(name, writer, stream.presence.get(name))
        residual = None if plan.residual is None else records.pop(RESIDUAL)
        manifest = Manifest(
            input={
                "name": reader.path.name,
                "sample_rate": reader.sample_rate,
                "n_channels": reader.n_channels,
                "n_samples": reader.n_samples,
                "duration": reader.duration,
            },
            model=plan.options.model_name or "",
            provenance=plan.provenance,
            stems=tuple(records.values()),
            residual=residual,
            versions=versions(),
            path=plan.manifest,
        )
        try:
            self._put_in_place(manifest)
        except OSError as error:
            raise AudioWriteError(f"{plan.out_dir}: {_refused(error)}") from error
        return manifest

    def _write(self, mixture: Tensor, stems: Tensor, writers: Sequence[AudioWriter]) -> None:
        """Append a block to each file; the residual is subtracted in double precision, hence exact on the grid."""
        rounded = [writer.quantize(stem) for writer, stem in zip(writers, stems, strict=False)]
        if self._plan.residual is not None:
            whole = writers[-1].quantize(mixture)
            rounded.append(residual_of(whole.double(), [stem.double() for stem in rounded]).float())
        for name, writer, samples in zip(self._energies, writers, rounded, strict=True):
            writer.write(samples)
            self._energies[name] += float(samples.double().square().sum())

    def _record(self, name: str, writer: AudioWriter, presence: float | None) -> StemRecord:
        """Finish a file, still in its hidden place."""
        written, reader = writer.close(), self._reader
        final = self._plan.out_dir / written.path.relative_to(self._staging)
        return StemRecord(
            name=name,
            file=Path(os.path.relpath(final, self._plan.manifest.parent)).as_posix(),
            container=written.encoding.container,
            depth=written.encoding.depth,
            n_samples=written.n_samples,
            duration=written.n_samples / reader.sample_rate,
            rms_db=decibels(self._energies[name] / (written.n_samples * reader.n_channels)),
            peak_db=decibels(written.peak**2),
            presence=presence,
            size_bytes=written.path.stat().st_size,
            warning=None if written.warning is None else _final_names(written.warning, self._staging),
        )

    def _put_in_place(self, manifest: Manifest) -> None:
        """Give all files their names, the manifest last; an old manifest goes first, so that none ever lies."""
        draft, out_dir = self._staging / "manifest", Path(os.path.normpath(self._plan.out_dir))
        manifest.write(draft)
        manifest.path.parent.mkdir(parents=True, exist_ok=True)
        outdated = self._plan.outdated(manifest)
        manifest.path.unlink(missing_ok=True)
        for record in manifest.outputs:
            final = _place(manifest, record)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._staging / final.relative_to(out_dir), final)
        for path in outdated:
            path.unlink(missing_ok=True)
        os.replace(draft, manifest.path)


def _place(manifest: Manifest, record: StemRecord) -> Path:
    """Where a file that a manifest lists is, or will be."""
    return Path(os.path.normpath(manifest.path.parent / record.file))


@contextmanager
def _staging(out_dir: Path) -> Iterator[Path]:
    """Make a hidden folder for unfinished files, and remove it, whatever happens, with folders made in vain.

    Raises:
        AudioWriteError: if it cannot be made; and the same as in the block, with the final names in the message.
    """
    made = [folder for folder in (out_dir, *out_dir.parents) if not folder.exists()]
    staging = out_dir / f".unbraid-{secrets.token_hex(6)}.part"
    try:
        try:
            staging.mkdir(parents=True)
        except OSError as error:
            raise AudioWriteError(f"{out_dir}: {_refused(error)}") from error
        yield staging
    except AudioWriteError as error:
        raise AudioWriteError(_final_names(str(error), staging)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # the files are there: this is not empty
                folder.rmdir()


def _final_names(message: str, staging: Path) -> str:
    return message.replace(f"{staging}{os.sep}", f"{staging.parent}{os.sep}")


def _until_done(progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    """Hold back the 1.0 that tells the end of the separation: files are still to be finished."""
    if progress is None:
        return None

    def tell(done: float) -> None:
        if done < 1:
            progress(done)

    return tell


def _size(n_bytes: int) -> str:
    """Return a size as people say it.

    Example:
        >>> _size(1_800_000), _size(23_456_000_000)
        ('1.8 MB', '23.5 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _existing_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _check_place(path: Path) -> None:
    """Refuse a file name that is taken by a folder, is too long, or lies where nothing can be written."""
    try:
        if path.is_dir():
            raise AudioWriteError(f"{path}: this is a folder: choose another output folder or name")
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # tells if the name is too long
        folder = _existing_folder(path.parent)
    except OSError as error:
        raise AudioWriteError(f"{path}: {_refused(error)}") from error
    if not folder.is_dir():
        raise AudioWriteError(f"{folder}: this is a file, not a folder: choose another output folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AudioWriteError(f"{folder}: no permission to write here: choose another output folder")


def _refused(error: OSError) -> str:
    return f"cannot be written ({(error.strerror or str(error)).lower()}): choose another output folder"
