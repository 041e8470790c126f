"""How samples are stored in a file, and which format can hold what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import AudioWriteError

CONTAINERS = ("wav", "flac", "ogg", "mp3")
DEPTHS = {"wav": ("16", "24", "float"), "flac": ("16", "24"), "ogg": ("-",), "mp3": ("-",)}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
MAX_CHANNELS = 8
# Where the channels of a WAV file (left, right, center, low-frequency, back, sides) lie in Vorbis and Opus streams,
# by their number: Vorbis I specification, section 4.3.9. Fewer than 3 and 4 channels lie alike.
OGG_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
MIN_RATE, MAX_RATE = 8000, 192_000


@dataclass(frozen=True)
class Encoding:
    """A file format that Unbraid writes.

    Args:
        container: ``"wav"``, ``"flac"``, ``"ogg"`` (Vorbis) or ``"mp3"``.
        depth: ``"16"`` or ``"24"`` bits, ``"float"`` (32 bits, wav only), or ``"-"`` for the lossy containers.

    Raises:
        AudioWriteError: if there is no such container, or it cannot hold that depth.

    Example:
        >>> Encoding("wav", "24").is_integer, Encoding("mp3", "-").is_integer
        (True, False)
    """

    container: str
    depth: str

    def __post_init__(self) -> None:
        if self.container not in DEPTHS:
            raise AudioWriteError(f"unknown audio format {self.container!r}: use one of {', '.join(CONTAINERS)}")
        if self.depth not in DEPTHS[self.container]:
            known = [depth for depth in DEPTHS[self.container] if depth != "-"]
            cure = f"use {', '.join(known)}" if known else "it has none, leave the depth out"
            raise AudioWriteError(f"{self.container} cannot hold depth {self.depth!r}: {cure}")

    @property
    def is_integer(self) -> bool:
        """Whether samples are stored as integers, so that nothing above full scale fits."""
        return self.depth in ("16", "24")

    @property
    def full_scale(self) -> int:
        """Integer that stands for 1.0 (32768 for 16 bits), the first one that does not fit; integers only."""
        return 1 << (int(self.depth) - 1)

    @property
    def suffix(self) -> str:
        """Usual ending of a file name, with the dot."""
        return f".{self.container}"


def output_encoding(source: Encoding, *, container: str | None = None, depth: str | None = None) -> Encoding:
    """Choose the format of outputs from that of the input and what the user asked for.

    Without a wish, outputs are like ``source``. A container alone keeps the depth of the source as far as it can
    hold it: a float source becomes 24-bit FLAC.

    Args:
        source: what the outputs default to, as ``AudioReader.encoding`` says.
        container: the format that the user asked for, or None.
        depth: the depth that the user asked for (``"16"``, ``"24"``, ``"float"``), or None.

    Raises:
        AudioWriteError: if the format is unknown or cannot hold the depth.

    Example:
        >>> output_encoding(Encoding("wav", "float"), container="flac")
        Encoding(container='flac', depth='24')
    """
    container = container or source.container
    if depth is None and container in DEPTHS:
        depths = DEPTHS[container]
        depth = source.depth if source.depth in depths else depths[-1]
    return Encoding(container, depth or "-")


def check_holds(path: Path, encoding: Encoding, *, sample_rate: int, n_channels: int) -> None:
    """Refuse a rate or channel count that the format cannot store, before any work is done.

    Args:
        path: named in the message.
        encoding: the format to be written.
        sample_rate: in hertz.
        n_channels: C.

    Raises:
        AudioWriteError: with the formats that can.
    """
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise AudioWriteError(f"{path}: {n_channels} channels cannot be written: use 1 to {MAX_CHANNELS}")
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise AudioWriteError(f"{path}: {sample_rate} Hz cannot be written: use {MIN_RATE} to {MAX_RATE} Hz")
    if encoding.container == "mp3" and n_channels > 2:
        raise AudioWriteError(f"{path}: MP3 holds at most 2 channels, not {n_channels}: use wav, flac or ogg")
    if encoding.container == "mp3" and sample_rate not in MP3_RATES:
        raise AudioWriteError(f"{path}: MP3 cannot hold {sample_rate} Hz: use wav, flac or ogg")
    if encoding.container == "ogg" and n_channels == 6:
        # libvorbis takes six channels for 5.1: it cuts the low-frequency channel off at 200 Hz and makes it louder
        raise AudioWriteError(f"{path}: the Vorbis encoder damages the fourth of 6 channels: use wav or flac")
    if encoding.container == "flac" and sample_rate > 65_535 and sample_rate % 10:
        raise AudioWriteError(f"{path}: FLAC cannot hold {sample_rate} Hz: use wav or ogg")
