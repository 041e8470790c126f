"""What the server refuses, each with the status of the answer; the messages say what to do."""

from __future__ import annotations

import errno
import sqlite3
from typing import ClassVar

from unbraid.errors import Cancelled, UnbraidError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Refusal(UnbraidError):  # noqa: N818 - not all of them are mistakes
    """A request that cannot be answered; ``status`` is that of HTTP."""

    status: ClassVar[int] = 400


class Invalid(Refusal):
    """The request is malformed."""

    status = 422


class Unauthorized(Refusal):
    """The token is missing or wrong."""

    status = 401


class Forbidden(Refusal):
    """The request comes from another site."""

    status = 403


class NotFound(Refusal):
    """There is no such thing."""

    status = 404


class Conflict(Refusal):
    """The state of things does not allow it."""

    status = 409


class TooLarge(Refusal):
    """A body or a recording is larger than the limit."""

    status = 413


class NotFinal(Refusal):
    """A range lies behind what is there."""

    status = 416


class QuotaExceeded(Refusal):
    """A session holds too much, or waits for too much."""

    status = 429


class TooManyTokens(Refusal):
    """Somebody is guessing the token."""

    status = 429


class Stopping(Refusal):
    """The server is going down."""

    status = 503


class DiskFull(Refusal):
    """The disk of the data folder is full."""

    status = 507


def status_of(error: UnbraidError) -> int:
    """Return the status of an answer that tells an error.

    Example:
        >>> from unbraid.errors import AudioError
        >>> status_of(NotFound("there is no such file")), status_of(AudioError("is empty"))
        (404, 422)
    """
    if isinstance(error, Refusal):
        return error.status
    return Conflict.status if isinstance(error, Cancelled) else Invalid.status


def error_document(error: BaseException) -> dict[str, dict[str, str]]:
    """Return the form in which an error is answered.

    Example:
        >>> error_document(NotFound("there is no such file: reload the page"))
        {'error': {'type': 'NotFound', 'message': 'there is no such file: reload the page'}}
    """
    return {"error": {"type": type(error).__name__, "message": " ".join(str(error).split())}}


def storage_refusal(error: OSError | sqlite3.OperationalError) -> Refusal:
    """Turn what the disk, or the data base on it, refuses into words, without any path.

    Example:
        >>> print(storage_refusal(OSError(errno.ENOSPC, "No space left on device")))
        the disk of the data folder is full: remove old sessions, or free some space
    """
    if error.errno in _FULL if isinstance(error, OSError) else error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return DiskFull("the disk of the data folder is full: remove old sessions, or free some space")
    if isinstance(error, FileNotFoundError):
        return Conflict("what this belongs to has just been removed: reload the page")
    if not isinstance(error, OSError):
        return Conflict(f"the data base of the studio cannot be used ({error}): close what else uses it, and try again")
    return Conflict(f"the data folder cannot be used ({error.strerror or 'unknown reason'}): check it on the server")
