"""What an uploaded file is, found out in a process of its own, within limits: sound, notes, paint, or a taught label.

The process says ``("opened", values)``, ``("progress", n_samples)``, and at the end ``("done", values)`` or
``("failed", type, message)``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from unbraid.audio.files import AudioReader, open_audio
from unbraid.errors import AudioReadError, GuideError, UnbraidError
from unbraid.guides.mask_files import load_mask_file
from unbraid.guides.midi import MidiPart, read_parts
from unbraid.server.folder import ORIGINAL, size_of
from unbraid.server.labels import keep_facts, looks_like_label
from unbraid.server.limits import Limits, in_words
from unbraid.server.processes import limit_process
from unbraid.server.refusals import DiskFull, QuotaExceeded, TooLarge
from unbraid.server.sounds import SoundFormat, SoundWriter

NOTES = "notes.json"
_MASKS = (b"\x89PNG", b"\x93NUMPY", b"PK")
_OUT_OF_MEMORY = "takes more memory to read than it may: convert it to WAV or FLAC first"


@dataclass(frozen=True)
class Upload:
    """A file to look at.

    Args:
        folder: of the file; its bytes are there under the name `folder.ORIGINAL`.
        name: that the user knows it by; only for messages.
        limits: of the server.
        room_bytes: that it may take, beside its own, in its session.
    """

    folder: Path
    name: str
    limits: Limits
    room_bytes: int


def main(connection: Connection, upload: Upload) -> None:
    """Look at one file, within limits."""
    torch.set_num_threads(1)
    limits = upload.limits
    most = round(limits.duration * 192_000 * 8 * 4) + limits.upload_bytes
    limit_process(seconds=limits.decode_seconds, memory_bytes=limits.decode_bytes, file_bytes=most)
    try:
        connection.send(("done", _look(connection, upload)))
    except UnbraidError as error:
        connection.send(("failed", type(error).__name__, in_users_words(str(error), upload)))
    except MemoryError:
        connection.send(("failed", "TooLarge", f"{upload.name}: {_OUT_OF_MEMORY}"))
    except RuntimeError as error:  # torch's way of saying that there is no memory
        if "memory" not in str(error):
            raise
        connection.send(("failed", "TooLarge", f"{upload.name}: {_OUT_OF_MEMORY}"))
    except OSError as error:
        connection.send(("failed", "DiskFull", f"{upload.name}: cannot be stored ({error.strerror}): free some space"))


def in_users_words(message: str, upload: Upload) -> str:
    """Name a file as the user does.

    Example:
        >>> in_users_words("/data/files/00/original: is empty", Upload(Path("/data/files/00"), "a.wav", Limits(), 0))
        'a.wav: is empty'
    """
    told = message.replace(str(upload.folder / ORIGINAL), upload.name)
    return told if upload.name in told else f"{upload.name}: {told}"


def _look(connection: Connection, upload: Upload) -> dict[str, Any]:
    path = upload.folder / ORIGINAL
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"MThd"):
        found = _keep_notes(upload, path)
    elif head.startswith(_MASKS) or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        found = _check_mask(upload, path)
    elif looks_like_label(head):
        keep_facts(upload.folder, path)
        found = {"kind": "label"}
    else:
        found = _keep_sound(connection, upload, path)
    return {**found, "stored_bytes": size_of(upload.folder)}


def _keep_notes(upload: Upload, path: Path) -> dict[str, Any]:
    """Write down the notes of MIDI for the page."""
    parts = read_parts(path)
    if not parts:
        raise GuideError(f"{upload.name} has no notes: export it again, with the notes of the target")
    (upload.folder / NOTES).write_text(json.dumps({"tracks": _tracks(parts)}), encoding="utf-8")
    return {"kind": "midi"}


def _tracks(parts: tuple[MidiPart, ...]) -> list[dict[str, Any]]:
    """Describe the parts, in the order and under the numbers that a score's track is chosen by."""
    order = dict.fromkeys((part.track, part.channel) for part in parts)
    tracks = []
    for number, key in enumerate(order, start=1):
        own = [part for part in parts if (part.track, part.channel) == key]
        notes = sorted((note for part in own for note in part.notes), key=lambda note: (note.start, note.pitch))
        tracks.append({
            "number": number,
            "name": own[0].name,
            "is_drum": own[0].is_drum,
            "notes": [[round(note.start, 4), round(note.stop, 4), note.pitch, note.velocity] for note in notes],
        })  # fmt: skip
    return tracks


def _check_mask(upload: Upload, path: Path) -> dict[str, Any]:
    try:
        loaded = load_mask_file(path)
    except GuideError as error:
        raise GuideError(f"{upload.name} {error}") from error
    if loaded.is_empty:
        raise GuideError(f"{upload.name}: nothing is painted on it: paint what is the sound in green")
    return {"kind": "mask"}


def _keep_sound(connection: Connection, upload: Upload, path: Path) -> dict[str, Any]:
    """Decode a recording once, with its waveform and its spectrogram."""
    with open_audio(path) as reader:
        limits = upload.limits
        if reader.duration > limits.duration:
            raise TooLarge(
                f"{upload.name} is {reader.duration / 60:.1f} minutes long, and the limit is "
                f"{limits.duration / 60:g} minutes (--max-minutes): cut it"
            )
        depth = reader.encoding.depth
        sound = SoundFormat(
            reader.sample_rate, reader.n_channels, reader.n_samples, depth="16" if depth == "16" else "float"
        )
        _check_room(upload, sound)
        opened = {
            "kind": "audio",
            "sample_rate": sound.sample_rate,
            "n_channels": sound.n_channels,
            "n_samples": sound.n_samples,
            "depth": depth,
        }
        connection.send(("opened", opened))
        _decode(connection, reader, upload.folder, sound)
    return opened


def _check_room(upload: Upload, sound: SoundFormat) -> None:
    """Refuse a small file that is a large sound, before it takes the disk."""
    needed = sound.stored_bytes
    if needed > upload.room_bytes:
        raise QuotaExceeded(
            f"{upload.name} takes {in_words(needed)} once it is read, and its session has room for "
            f"{in_words(max(0, upload.room_bytes))} (--quota): remove takes or files"
        )
    if shutil.disk_usage(upload.folder).free < needed + upload.limits.free_bytes:
        raise DiskFull(f"{upload.name} takes {in_words(needed)} once it is read, and the disk has not that much left")


def _decode(connection: Connection, reader: AudioReader, folder: Path, sound: SoundFormat) -> None:
    with SoundWriter(folder, sound) as writer:
        for block in reader.blocks():
            writer.write(block)
            connection.send(("progress", writer.n_samples))
    if writer.n_samples != sound.n_samples:
        raise AudioReadError(f"{reader.path}: the sound breaks off: get a complete copy of the file")
