"""A pack: all sources of a data set in one folder, as 16-bit samples that are mapped into memory.

A pack is ``samples.i16`` (little-endian 16-bit samples, one channel of one source after another, each source
at its own peak) and ``index.json`` (what lies where). Nothing in it is executable.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch

from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.track import MID_CHANNEL, LayeredStore, Samples, SampleStore, Source
from unbraid.errors import DatasetError

FORMAT = "unbraid-pack"
VERSION = 1
FULL_SCALE = 32767


class PackFile:
    """The samples of a pack, mapped when first read; a copy sent to another process maps them again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._samples: npt.NDArray[np.int16] | None = None

    def __reduce__(self) -> tuple[type[PackFile], tuple[Path]]:
        return PackFile, (self.path,)

    def read(self, start: int, stop: int) -> npt.NDArray[np.int16]:
        """Return stored samples."""
        if self._samples is None:
            self._samples = np.memmap(self.path, dtype="<i2", mode="r")
        return self._samples[start:stop]


@dataclass(frozen=True)
class PackStore:
    """Where in a pack the samples of one source lie; ``scale`` turns stored numbers into samples."""

    file: PackFile
    offset: int
    n_samples: int
    n_channels: int
    scale: float

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop of one channel, or of the mean of all (channel -1)."""
        if channel == MID_CHANNEL:
            channels = [self.read(start, stop, index) for index in range(self.n_channels)]
            return np.asarray(np.mean(channels, axis=0), dtype=np.float32)
        if channel >= self.n_channels:
            raise DatasetError(f"{self.file.path}: channel {channel} of {self.n_channels} was asked for")
        begin = self.offset + channel * self.n_samples
        stored = self.file.read(begin + start, begin + stop)
        return np.multiply(stored, np.float32(self.scale), dtype=np.float32)


class PackWriter:
    """Writes a pack beside its final place and puts it there when all is well.

    Args:
        path: the folder to make; it must not exist.
        sample_rate: rate of all stored samples in hertz; None keeps each source's own. Sources remember the
            rate that they had.
        channel: FIRST and MID store one channel, RANDOM stores all, to be chosen when mixtures are drawn.

    Raises:
        DatasetError: if the folder exists.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with PackWriter(folder / "pack", sample_rate=8000) as writer:
        ...     writer.add("hum", Audio(torch.ones(1, 16000), 16000), prompt="vocals", track="me")
        >>> [(source.name, source.n_samples, source.band_rate) for source in read_pack(folder / "pack")]
        [('pack/hum', 8000, 8000)]
    """

    def __init__(
        self, path: Path, *, sample_rate: int | None = None, channel: ChannelChoice = ChannelChoice.FIRST
    ) -> None:
        if path.exists():
            raise DatasetError(f"{path}: it exists already: remove it or choose another name")
        self.path, self.sample_rate, self.channel = path, sample_rate, channel
        self._partial = path.with_name(path.name + ".partial")
        self._entries: dict[str, dict[str, Any]] = {}
        self._n_written = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> PackWriter:
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        self._file = (self._partial / "samples.i16").open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self._file.close()
        if kind is not None or not self._entries:
            shutil.rmtree(self._partial)
            if kind is None:
                raise DatasetError(f"{self.path}: nothing was added: give at least one recording")
            return
        index = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.path.name,
            "n_samples": self._n_written,
            "sources": list(self._entries.values()),
        }
        (self._partial / "index.json").write_text(json.dumps(index), encoding="utf-8")
        self._partial.rename(self.path)

    def convert(self, audio: Audio) -> Audio:
        """Return a recording as ``add`` stores it: its channels chosen and its rate changed."""
        return convert(audio, sample_rate=self.sample_rate, channel=self.channel)

    def add(
        self,
        name: str,
        audio: Audio,
        *,
        prompt: str,
        track: str = "",
        spans: tuple[tuple[int, int], ...] = (),
        band_rate: int = 0,
        train_only: bool = False,
    ) -> None:
        """Add a recording; spans count samples of the converted recording (see ``Source`` for the words).

        Raises:
            DatasetError: if the name is taken, the recording is empty or silent, or the disk is full.
        """
        converted = self.convert(audio)
        peak = float(converted.samples.abs().max()) if converted.n_samples else 0.0
        if not 0 < peak < float("inf"):
            raise DatasetError(f"{name}: the recording is silent or not finite: leave it out")
        stored = (converted.samples * (FULL_SCALE / peak)).round().to(torch.int16).numpy().astype("<i2")
        self._enter(
            name,
            {
                "prompt": prompt,
                "track": track or name,
                "sample_rate": converted.sample_rate,
                "band_rate": min(band_rate or audio.sample_rate, audio.sample_rate, converted.sample_rate),
                "n_samples": converted.n_samples,
                "n_channels": converted.n_channels,
                "spans": spans,
                "train_only": train_only,
                "offset": self._n_written,
                "scale": peak / FULL_SCALE,
            },
        )
        assert self._file is not None
        try:
            stored.tofile(self._file)
        except OSError as error:
            raise DatasetError(f"{self.path}: the samples cannot be written ({error}): make room") from error
        self._n_written += stored.size

    def add_layers(
        self, name: str, layers: list[str], *, prompt: str, track: str = "", spans: tuple[tuple[int, int], ...] = ()
    ) -> None:
        """Add the sum of recordings that were added before and run on one clock.

        Raises:
            DatasetError: if the name is taken, a layer is unknown, or rates or channels differ.
        """
        unknown = [layer for layer in layers if layer not in self._entries or "layers" in self._entries[layer]]
        if unknown or not layers:
            raise DatasetError(f"{name}: {', '.join(unknown) or 'no layer'} was added before: add the layers first")
        entries = [self._entries[layer] for layer in layers]
        if len({(entry["sample_rate"], entry["n_channels"]) for entry in entries}) > 1:
            raise DatasetError(f"{name}: the layers differ in rate or channels: convert them first")
        self._enter(
            name,
            {
                "prompt": prompt,
                "track": track or name,
                "sample_rate": entries[0]["sample_rate"],
                "band_rate": min(entry["band_rate"] for entry in entries),
                "n_samples": min(entry["n_samples"] for entry in entries),
                "n_channels": entries[0]["n_channels"],
                "spans": spans,
                "train_only": any(entry["train_only"] for entry in entries),
                "layers": layers,
            },
        )

    def _enter(self, name: str, entry: dict[str, Any]) -> None:
        if name in self._entries:
            raise DatasetError(f"{self.path}: two recordings are called {name}: give them different names")
        self._entries[name] = {"name": name, **entry}


def convert(audio: Audio, *, sample_rate: int | None, channel: ChannelChoice) -> Audio:
    """Return a recording with its channels chosen (RANDOM keeps all) and its rate changed (None keeps it)."""
    samples = audio.samples
    if channel is ChannelChoice.FIRST:
        samples = samples[:1]
    elif channel is ChannelChoice.MID:
        samples = samples.mean(dim=0, keepdim=True)
    if sample_rate is None or sample_rate == audio.sample_rate:
        return Audio(samples, audio.sample_rate)
    return Audio(resample(samples, source_rate=audio.sample_rate, target_rate=sample_rate), sample_rate)


def read_pack(path: Path) -> list[Source]:
    """Return the sources of a pack; their names and tracks begin with the name of the pack.

    Raises:
        DatasetError: if there is no pack, it was damaged, or it was written by a newer version.
    """
    try:
        index = json.loads((path / "index.json").read_text(encoding="utf-8"))
        size = (path / "samples.i16").stat().st_size
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: this is not a pack ({error}): build one from a folder of recordings") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT or index.get("version") != VERSION:
        raise DatasetError(f"{path}: this is not a pack of version {VERSION}: build it again")
    if size != 2 * index["n_samples"]:
        raise DatasetError(f"{path}: samples.i16 has {size} bytes, not {2 * index['n_samples']}: build it again")
    file = PackFile(path / "samples.i16")
    stores: dict[str, SampleStore] = {}
    sources = []
    for entry in index["sources"]:
        name = entry["name"]
        if "layers" in entry:
            stores[name] = LayeredStore(tuple(stores[layer] for layer in entry["layers"]))
        else:
            stores[name] = PackStore(file, entry["offset"], entry["n_samples"], entry["n_channels"], entry["scale"])
        sources.append(
            Source(
                name=f"{index['name']}/{name}",
                prompt=entry["prompt"],
                sample_rate=entry["sample_rate"],
                n_samples=entry["n_samples"],
                store=stores[name],
                band_rate=entry["band_rate"],
                n_channels=entry["n_channels"],
                track=f"{index['name']}/{entry['track']}",
                spans=tuple((start, stop) for start, stop in entry["spans"]),
                train_only=entry["train_only"],
            )
        )
    return sources
