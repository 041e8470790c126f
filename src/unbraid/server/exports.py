"""Stems as files to take away, made in a process of their own: sample for sample what `unbraid separate` writes.

Axes: C channels, n samples of one block.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unbraid.audio.encoding import Encoding, check_holds, output_encoding
from unbraid.audio.stem_mp4 import N_STEMS, write_stem_mp4
from unbraid.audio.writing import AudioWriter
from unbraid.delivery.names import free_name
from unbraid.errors import AudioWriteError, UnbraidError
from unbraid.separation import residual_of
from unbraid.server.folder import new_id, remove
from unbraid.server.processes import begin, messages
from unbraid.server.refusals import Conflict, Stopping
from unbraid.server.sounds import SoundFolder

_PATIENCE_SECONDS = 1800.0


@dataclass(frozen=True)
class Stems:
    """What a job has made, and the part of the song that it was made of.

    Args:
        song: its samples.
        start: first sample of the job in the song.
        stems: one for each name, without the residual.
        names: of the stems, the residual last.
        encoding: of the files to write.
    """

    song: SoundFolder
    start: int
    stems: tuple[SoundFolder, ...]
    names: tuple[str, ...]
    encoding: Encoding

    @property
    def sound(self) -> SoundFolder:
        """One of them, for rate, channels and length."""
        return self.stems[0]


def encoding_for(depth: str | None, *, container: str | None, wanted: str | None) -> Encoding:
    """Choose the format of files: WAV of the song's own depth, unless another is asked for.

    Raises:
        AudioWriteError: if the format cannot hold the depth.

    Example:
        >>> encoding_for("24", container=None, wanted=None), encoding_for("float", container="flac", wanted=None)
        (Encoding(container='wav', depth='24'), Encoding(container='flac', depth='24'))
    """
    return output_encoding(Encoding("wav", depth or "float"), container=container, depth=wanted)


def check(stems: Stems) -> None:
    """Refuse a format that cannot hold the rate or the channels of the song.

    Raises:
        AudioWriteError: with the formats that can.
    """
    sound = stems.sound.sound
    try:
        check_holds(Path("stem"), stems.encoding, sample_rate=sound.sample_rate, n_channels=sound.n_channels)
    except AudioWriteError as error:
        raise AudioWriteError(str(error).removeprefix("stem: ")) from error


def make(what: str, stems: Stems, *words: object, folder: Path) -> Path:
    """Make a file in a process of its own and return where it is; nothing is left of one that cannot be made.

    Args:
        what: ``stem`` (and its number), ``zip`` (and what to describe in it), or ``stem-mp4``.
        stems: of the job.
        words: see `what`.
        folder: a new one, for this file alone.

    Raises:
        UnbraidError: if it cannot be written.
    """
    process, connection = begin(main, what, stems, *words, folder)
    try:
        for word, value in messages(process, connection, patience=_PATIENCE_SECONDS, stopped=lambda: False):
            if word == "done":
                return Path(value)
            raise Conflict(value)
        raise Stopping("the file was not finished: try again")
    except UnbraidError:
        remove(folder)
        raise


def main(connection: Connection, what: str, stems: Stems, *words: Any) -> None:
    """Make one file and say where it is."""
    torch.set_num_threads(1)
    try:
        writers: dict[str, Callable[..., Path]] = {"stem": write_stem, "zip": write_zip, "stem-mp4": write_stem_file}
        connection.send(("done", str(writers[what](stems, *words))))
    except UnbraidError as error:
        connection.send(("failed", str(error).replace(f"{words[-1]}/", "")))
    except OSError as error:
        connection.send(("failed", f"the file cannot be stored ({error.strerror}): free some space"))


def write_stem(stems: Stems, index: int, folder: Path) -> Path:
    """Write one stem, or the residual, and return the file; its ending tells the format.

    A level that an integer format cannot hold makes it a float WAV.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sound = stems.sound.sound
    with AudioWriter(
        folder / f"{new_id()}{stems.encoding.suffix}",
        sample_rate=sound.sample_rate,
        n_channels=sound.n_channels,
        encoding=stems.encoding,
    ) as writer:
        for block in _blocks(stems, index, writer):
            writer.write(block)
        return writer.close().path


def _blocks(stems: Stems, index: int, writer: AudioWriter) -> Iterator[Tensor]:
    """Yield a stem rounded to its format; the residual is what the rounded stems leave of the rounded mixture."""
    if index < len(stems.stems):
        yield from (writer.quantize(block) for block in stems.stems[index].blocks())
        return
    sources = [stem.blocks() for stem in stems.stems]
    for mixture in stems.song.blocks(stems.start, stems.start + stems.sound.sound.n_samples):
        rounded = [writer.quantize(next(blocks)).double() for blocks in sources]
        yield residual_of(writer.quantize(mixture).double(), rounded).float()


def write_zip(stems: Stems, description: dict[str, Any], folder: Path) -> Path:
    """Write all stems and the residual into one ZIP, with a description, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{new_id()}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for index, name in enumerate(stems.names):
            made = write_stem(stems, index, folder)
            archive.write(made, free_name(f"{name}{made.suffix}", archive.namelist()))
            made.unlink()
        archive.writestr("take.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    return path


def write_stem_file(stems: Stems, folder: Path) -> Path:
    """Write the mixture and the stems, with the residual where there is room for it, as ``.stem.mp4``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{new_id()}.stem.mp4"
    length = stems.sound.sound.n_samples
    tracks = [(name, stem.blocks()) for name, stem in zip(stems.names, stems.stems, strict=False)]
    if len(tracks) < N_STEMS:
        tracks.append((stems.names[-1], _residual(stems)))
    mixture = stems.song.blocks(stems.start, stems.start + length)
    try:
        write_stem_mp4(path, mixture, tracks, sample_rate=stems.sound.sound.sample_rate)
    except AudioWriteError as error:
        raise AudioWriteError(str(error).removeprefix(f"{path}: ")) from error
    return path


def _residual(stems: Stems) -> Iterator[Tensor]:
    sources = [stem.blocks() for stem in stems.stems]
    for mixture in stems.song.blocks(stems.start, stems.start + stems.sound.sound.n_samples):
        yield residual_of(mixture, [next(blocks) for blocks in sources])
