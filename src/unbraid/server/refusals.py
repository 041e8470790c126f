"""What the server refuses, each with the status of the answer; the messages say what to do."""

from __future__ import annotations

import errno
from typing import ClassVar

from unbraid.errors import Cancelled, UnbraidError


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


def full_disk(error: OSError) -> UnbraidError:
    """Turn what a system refuses into words, without any path."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return DiskFull("the disk of the data folder is full: remove old sessions, or free some space")
    return Conflict(f"the data folder cannot be used ({error.strerror or 'unknown reason'}): check it on the server")
