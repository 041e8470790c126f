"""What the server lets a client do, in one place."""

from __future__ import annotations

from dataclasses import dataclass

GIGABYTE = 1 << 30
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of everything that a client can make grow.

    Args:
        upload_bytes: of one uploaded file.
        duration: of one recording, in seconds.
        body_bytes: of any other request.
        page_bytes: of what the page keeps in a session.
        paint_bytes: of what the page keeps of the paint on a song.
        session_bytes: that the files and stems of a session take on the disk.
        session_files: files of a session.
        session_takes: takes of a session.
        session_waiting: jobs of a session that wait or run.
        sessions: in all.
        streams: connections for events, of one session.
        keep_days: after which a session that nobody used is removed.
        decode_seconds: of the processor, for one uploaded file.
        decode_bytes: of memory, for one uploaded file.
        free_bytes: that stay free on the disk.

    Example:
        >>> Limits(keep_days=7).duration
        10800.0
    """

    upload_bytes: int = 4 * GIGABYTE
    duration: float = 3 * 3600.0
    body_bytes: int = 4 * MEGABYTE
    page_bytes: int = 256 * 1024
    paint_bytes: int = 64 * MEGABYTE
    session_bytes: int = 50 * GIGABYTE
    session_files: int = 200
    session_takes: int = 1000
    session_waiting: int = 20
    sessions: int = 1000
    streams: int = 16
    keep_days: float = 30.0
    decode_seconds: int = 900
    decode_bytes: int = 2 * GIGABYTE
    free_bytes: int = GIGABYTE // 2


def in_words(n_bytes: float) -> str:
    """Say a number of bytes.

    Example:
        >>> in_words(4 << 30), in_words(1500)
        ('4 GiB', '1.46 KiB')
    """
    value, unit = float(n_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.3g} {unit}"
