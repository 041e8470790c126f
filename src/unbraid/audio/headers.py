"""What the first bytes of a file tell: its family, and whether all of it is there.

Decoders forgive a file that was cut off in a download; a separator must not, or the last minute of a song would be
missing without a word. The checks read a few headers, never the sound itself.
"""

from __future__ import annotations

import os
import struct
from enum import Enum
from typing import BinaryIO

_STREAMED = 0x7FFF_F000  # recorders that write to a pipe put about this, or all ones, where the size should be
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11")
_MP3_FRAME_MIN = 24  # bytes: 24 kHz at 8 kbit/s
_OGG_PAGE_MAX = 65_307  # bytes: a header of 27, 255 lacing values, 255 * 255 bytes of body


class Family(Enum):
    """Who reads a file."""

    WAV = "WAV"
    AIFF = "AIFF"
    FLAC = "FLAC"
    OGG = "OGG"
    MP4 = "MP4"
    MATROSKA = "Matroska"
    OTHER_CONTAINER = "container"
    OTHER = "unknown"

    @property
    def is_container(self) -> bool:
        """Whether the file is of the kind that carries pictures, which libsndfile does not read."""
        return self in (Family.MP4, Family.MATROSKA, Family.OTHER_CONTAINER)


def family_of(head: bytes) -> Family:
    """Tell the family from the first 16 bytes; MP3, which has no signature, is ``OTHER``.

    Example:
        >>> family_of(b"fLaC" + bytes(12)).value
        'FLAC'
    """
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return Family.WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Family.AIFF
    if head[4:8] in _MP4_BOXES:
        return Family.MP4
    signatures = {b"fLaC": Family.FLAC, b"OggS": Family.OGG, _EBML: Family.MATROSKA}
    if head[:4] in signatures:
        return signatures[head[:4]]
    is_adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0  # raw AAC: MPEG sync, layer bits zero
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    if is_adts or is_avi or head[:8] == _ASF:
        return Family.OTHER_CONTAINER
    return Family.OTHER


def missing_bytes(file: BinaryIO, family: Family) -> int:
    """Count the bytes that the headers promise and the file does not hold; 0 where nothing is missing or known.

    Args:
        file: open for reading, seekable; its position is moved.
        family: from :func:`family_of`.

    Example:
        >>> import io
        >>> head = b"RIFF" + struct.pack("<I", 136) + b"WAVEdata" + struct.pack("<I", 100)
        >>> missing_bytes(io.BytesIO(head + bytes(60)), Family.WAV)
        40
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    check = _CHECKS.get(family)
    return max(0, check(file, size)) if check else 0


def mp3_tag(file: BinaryIO) -> tuple[int, int | None, int | None]:
    """Read the Xing or Info tag of an MP3 file.

    Returns:
        Where the sound begins in bytes, number of frames, and number of bytes; None where the tag does not say. A
        file without a tag does not tell its length at all.
    """
    start = 0
    file.seek(0)
    head = file.read(10)
    while head[:3] == b"ID3" and len(head) == 10:
        tag_size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start += 10 + tag_size + (10 if head[5] & 0x10 else 0)
        file.seek(start)
        head = file.read(10)
    file.seek(start)
    frame = file.read(256)
    found = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
    if found < 0 or len(frame) < found + 16:
        return start, None, None
    flags, first, second = struct.unpack(">III", frame[found + 4 : found + 16])
    n_frames = first if flags & 1 else None
    n_bytes = (second if flags & 1 else first) if flags & 2 else None
    return start, n_frames, n_bytes


def _missing_in_mp3(file: BinaryIO, size: int) -> int:
    start, n_frames, n_bytes = mp3_tag(file)
    return start + max(n_bytes or 0, _MP3_FRAME_MIN * (n_frames or 0)) - size


def _missing_in_wav(file: BinaryIO, size: int) -> int:
    order = ">" if file.read(12)[:4] == b"RIFX" else "<"
    long_size: int | None = None
    while len(head := file.read(8)) == 8:
        name, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        here = file.tell()
        if name == b"ds64":
            fields = file.read(16)
            long_size = struct.unpack("<Q", fields[8:])[0] if len(fields) == 16 else None
        if name == b"data":
            if length == 0xFFFF_FFFF and long_size is not None:
                length = long_size
            elif length >= 0xFFFF_F000 or _STREAMED <= length <= 0x8000_0000:
                return 0
            return here + int(length) - size
        file.seek(here + length + length % 2)
    return 0


def _missing_in_aiff(file: BinaryIO, size: int) -> int:
    file.read(12)
    while len(head := file.read(8)) == 8:
        length = struct.unpack(">I", head[4:])[0]
        if head[:4] == b"SSND":
            return file.tell() + int(length) - size
        file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _missing_in_ogg(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - 2 * _OGG_PAGE_MAX))
    tail = file.read()
    last = tail.rfind(b"OggS")
    page = tail[last:]
    if last < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return 1  # the header of the last page is cut: how much is gone is not known
    return 27 + page[26] + sum(page[27 : 27 + page[26]]) - len(page)


def _missing_in_mp4(file: BinaryIO, size: int) -> int:
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            wide = file.read(8)
            length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 16
        if length == 0:  # this box reaches to the end of the file, however long that is
            return 0
        if length < 8 or not name.isascii():
            return 0  # not a box: bytes that some programs append
        start += length
    return start - size


def _missing_in_matroska(file: BinaryIO, size: int) -> int:
    start = 0
    while start < size:
        file.seek(start)
        name = file.read(4)
        length, width = _ebml_size(file.read(8))
        if length is None:
            return 0  # written to a pipe: the length was not known
        start += 4 + width + length
        if name == _SEGMENT:
            return start - size
        if name != _EBML:
            return 0
    return 0


def _ebml_size(field: bytes) -> tuple[int | None, int]:
    """Decode a variable-length EBML size: the value, None where it is unknown, and its width in bytes."""
    if not field or field[0] == 0:
        return None, 0
    width = 9 - field[0].bit_length()
    mask = (1 << (7 * width)) - 1
    value = int.from_bytes(field[:width], "big") & mask
    return (None if value == mask else value), width


_CHECKS = {
    Family.WAV: _missing_in_wav,
    Family.AIFF: _missing_in_aiff,
    Family.OGG: _missing_in_ogg,
    Family.MP4: _missing_in_mp4,
    Family.MATROSKA: _missing_in_matroska,
    Family.OTHER: _missing_in_mp3,
}
