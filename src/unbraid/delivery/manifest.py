"""The manifest beside the stems: what they were made of, how, and what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.errors import AudioReadError
from unbraid.guides.kinds import Examples, Guide, Label, Mask, Mimicry, Target
from unbraid.models.queries import tensors_sha256
from unbraid.models.separator import Separator
from unbraid.settings import Settings

FORMAT = "unbraid-manifest-1"


@dataclass(frozen=True)
class Provenance:
    """All that decides how stems sound: equal provenance, equal stems.

    Args:
        input_sha256: of the file, byte for byte.
        model: the model's class, its config if it has one, and the SHA-256 of its weights.
        targets: name and guides of each target; recordings are told by the hash of their samples.
        settings: windows and precision.
        container: of the files.
        depth: of the files.
    """

    input_sha256: str
    model: dict[str, Any]
    targets: list[dict[str, Any]]
    settings: dict[str, Any]
    container: str
    depth: str


@dataclass(frozen=True)
class StemRecord:
    """One output, and its file.

    Args:
        name: of the stem, or ``"residual"``.
        file: path from the manifest's folder, with ``/`` between its parts.
        container: of this file; differs from what was asked for where the level did not fit.
        depth: of this file.
        n_samples: in each channel.
        duration: in seconds.
        rms_db: root mean square over all channels in dBFS; None for silence.
        peak_db: largest magnitude in dBFS; None for silence.
        presence: probability that the target sounds; None where the model does not know, and for the residual.
        size_bytes: of the file.
        warning: one line for the user, or None.
    """

    name: str
    file: str
    container: str
    depth: str
    n_samples: int
    duration: float
    rms_db: float | None
    peak_db: float | None
    presence: float | None
    size_bytes: int
    warning: str | None = None


@dataclass(frozen=True)
class Manifest:
    """One separated file.

    Args:
        input: name, rate, channels, samples and seconds of the input.
        model: what the caller calls the model.
        provenance: what decides how the stems sound.
        stems: in the order of the targets.
        residual: what the stems leave, or None if it was not wanted.
        versions: of Unbraid, torch and Python.
        path: of the manifest itself; not stored in it.
        skipped: whether the stems had been there already; not stored.

    Example:
        >>> provenance = Provenance("00", {}, [], {}, "wav", "16")
        >>> manifest = Manifest({"name": "a.wav"}, "tuss-small", provenance, (), None, {})
        >>> json.loads(manifest.to_json())["input"]["name"]
        'a.wav'
    """

    input: dict[str, Any]
    model: str
    provenance: Provenance
    stems: tuple[StemRecord, ...]
    residual: StemRecord | None
    versions: dict[str, str]
    path: Path = field(default=Path("manifest.json"), compare=False)
    skipped: bool = field(default=False, compare=False)

    @property
    def outputs(self) -> tuple[StemRecord, ...]:
        """Stems and residual."""
        return self.stems if self.residual is None else (*self.stems, self.residual)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one line each."""
        return tuple(record.warning for record in self.outputs if record.warning)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest in the form in which it is stored."""
        stored = asdict(self)
        del stored["path"], stored["skipped"]
        return {"format": FORMAT, **stored, "stems": list(stored["stems"])}

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Store it; bytes of a file name that are no UTF-8 are kept as escapes.

        Raises:
            OSError: if that cannot be done.
        """
        path.write_bytes(self.to_json().encode("utf-8", errors="backslashreplace"))

    def is_complete(self) -> bool:
        """Whether every file that it lists exists, in the size that it had."""
        try:
            return all((self.path.parent / one.file).stat().st_size == one.size_bytes for one in self.outputs)
        except OSError:
            return False


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None if there is none, or it is damaged or of another format."""
    try:
        stored = json.loads(path.read_bytes())
        if stored.pop("format") != FORMAT:
            return None
        residual = stored.pop("residual")
        return Manifest(
            provenance=Provenance(**stored.pop("provenance")),
            stems=tuple(StemRecord(**record) for record in stored.pop("stems")),
            residual=None if residual is None else StemRecord(**residual),
            path=path,
            **stored,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def provenance_of(
    path: Path, model: Separator, targets: Sequence[Target], *, settings: Settings, encoding: Encoding
) -> Provenance:
    """Gather what decides how the stems of a file will sound.

    Raises:
        AudioReadError: if the file cannot be read.
    """
    made = Provenance(
        input_sha256=file_sha256(path),
        model=describe_model(model),
        targets=[{"name": one.name, "guides": [describe_guide(g, model) for g in one.guides]} for one in targets],
        settings=asdict(settings),
        container=encoding.container,
        depth=encoding.depth,
    )
    return Provenance(**json.loads(json.dumps(asdict(made))))  # lists where there were tuples, as when it is read


def describe_guide(guide: Guide, model: Separator) -> dict[str, Any]:
    """Tell a guide by its words; recordings by their samples, masks and taught labels by their values, as SHA-256."""
    kind = {"kind": type(guide).__name__.lower()}
    if isinstance(guide, Examples):
        positive, negative = ([describe_audio(one) for one in side] for side in guide.recordings)
        return {**kind, "positive": positive, "negative": negative}
    if isinstance(guide, Mimicry):
        assert isinstance(guide.recording, Audio)
        return {**kind, "recording": describe_audio(guide.recording), "offset": guide.offset}
    if isinstance(guide, Mask):
        return {**kind, **{name: _hash(side) for name, side in zip(("positive", "negative"), guide.sides, strict=True)}}
    if isinstance(guide, Label) and guide.name in model.taught and guide.name not in model.vocabulary:
        return {**kind, **asdict(guide), "taught_sha256": _hash(model.taught[guide.name])}
    return {**kind, **asdict(guide)}


def _hash(tensor: Tensor | None) -> str | None:
    """SHA-256 of the values of a tensor."""
    return None if tensor is None else hashlib.sha256(tensor.cpu().float().contiguous().numpy().tobytes()).hexdigest()


def describe_audio(audio: Audio) -> dict[str, Any]:
    """Tell a recording by its rate, its length and its samples."""
    samples = audio.samples.contiguous().numpy().tobytes()
    return {
        "sample_rate": audio.sample_rate,
        "n_channels": audio.n_channels,
        "duration": round(audio.duration, 6),
        "sha256": hashlib.sha256(samples).hexdigest(),
    }


def describe_model(model: Separator) -> dict[str, Any]:
    """Tell a model by its class, its config (where it has a dataclass called so) and the SHA-256 of its tensors."""
    config = getattr(model, "config", None)
    described = asdict(config) if dataclasses.is_dataclass(config) and not isinstance(config, type) else None
    return {"class": type(model).__name__, "config": described, "weights_sha256": tensors_sha256(model)}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Raises:
        AudioReadError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioReadError(
            f"{path}: cannot be read ({os.strerror(error.errno or 0).lower()}): check the file"
        ) from error


def versions() -> dict[str, str]:
    """Versions of what stems are made with."""
    return {"unbraid": unbraid.__version__, "torch": str(torch.__version__), "python": platform.python_version()}


def decibels(power: float) -> float | None:
    """Power in dB, None for silence.

    Example:
        >>> decibels(0.25), decibels(0.0)
        (-6.02, None)
    """
    return round(10 * math.log10(power), 2) if power > 0 else None
