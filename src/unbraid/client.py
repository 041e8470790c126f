"""A studio's server from Python, with the standard library alone: upload, separate, teach, wait, download.

The routes are those of docs/server.md; documents are plain dictionaries.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from unbraid import errors
from unbraid.errors import Cancelled, UnbraidError

Document = dict[str, Any]
_UNDER_WAY = frozenset({"waiting", "running", "analyzing", "teaching"})
_FILE_KEYS = frozenset({"file", "positive", "negative"})
_POLL_SECONDS = 0.5
_FORBIDDEN = str.maketrans(dict.fromkeys([*'<>:"/\\|?*', *map(chr, range(32))], "_"))
_NAME_BYTES = 200
_BROKEN_OFF = "the connection to the studio broke off: look whether it still runs, and whether it takes files so large"


class Studio:
    """A server that was started with `unbraid studio`.

    Args:
        address: of the server.
        token: that it was started with, if it was.
        timeout: in seconds, of every single request.

    Example:
        >>> Studio("http://127.0.0.1:8642/").address
        'http://127.0.0.1:8642'
    """

    def __init__(
        self, address: str = "http://127.0.0.1:8642", *, token: str | None = None, timeout: float = 600.0
    ) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._timeout = timeout

    def models(self) -> list[Document]:
        """Return the models that the server offers."""
        found: list[Document] = self._json("GET", "/api/models")
        return found

    def begin_session(self, title: str = "") -> str:
        """Begin a session and return its id."""
        return str(self._json("POST", "/api/sessions", {"title": title})["id"])

    def upload(self, session: str, path: str | os.PathLike[str]) -> str:
        """Upload a recording, MIDI or a painted mask, and return its id.

        Raises:
            UnbraidError: if the server refuses it.
            OSError: if it cannot be read.
        """
        where = f"/api/sessions/{quote(session, safe='')}/files?{urlencode({'name': Path(path).name})}"
        with open(path, "rb") as file:
            return str(self._json("POST", where, file)["id"])

    def begin_take(
        self,
        session: str,
        song: str,
        targets: Sequence[Document],
        *,
        model: str | None = None,
        settings: Document | None = None,
        region: tuple[float, float] | None = None,
    ) -> Document:
        """Begin to separate a song, or a region of it, and return the take.

        Args:
            session: id.
            song: id of an uploaded recording.
            targets: as in docs/server.md; files are ids, or paths of files on this machine, which are uploaded.
            model: a name; None lets the guides choose.
            settings: as in docs/server.md.
            region: first and last second; None is the whole song.
        """
        body: Document = {"song": song, "targets": self._with_uploads(session, list(targets)), "model": model}
        if settings is not None:
            body["settings"] = settings
        if region is not None:
            body |= {"region": {"start": region[0], "stop": region[1]}, "whole": False}
        take: Document = self._json("POST", f"/api/sessions/{quote(session, safe='')}/takes", body)
        return take

    def separate(
        self, path: str | os.PathLike[str], targets: Sequence[Document], *, model: str | None = None
    ) -> Document:
        """Upload a song into a session of its own, begin to separate it, and return the job.

        Args:
            path: of the song.
            targets: as for `begin_take`.
            model: a name; None lets the guides choose.
        """
        session = self.begin_session(Path(path).name)
        take = self.begin_take(session, self.upload(session, path), targets, model=model)
        job: Document = take["jobs"][0]
        return job

    def job(self, job_id: str) -> Document:
        """Return what has become of a job."""
        found: Document = self._json("GET", f"/api/jobs/{quote(job_id, safe='')}")
        return found

    def wait(
        self, job: Document, *, progress: Callable[[float], None] | None = None, timeout: float | None = None
    ) -> Document:
        """Wait until a job is done, and return it.

        Args:
            job: from `separate`, or of a take.
            progress: called with the fraction done.
            timeout: in seconds; None waits for ever.

        Raises:
            UnbraidError: if it failed; `Cancelled`, if somebody stopped it; `TimeoutError`, if it takes too long.
        """
        job = self._settled("jobs", job["id"], "the job", progress=progress, timeout=timeout)
        if job["state"] == "cancelled":
            raise Cancelled(job["error"] or "the job was cancelled")
        return job

    def download(
        self, job: Document, folder: str | os.PathLike[str], *, container: str | None = None, depth: str | None = None
    ) -> list[Path]:
        """Wait for a job, write its stems and the residual into a folder, and return the files.

        Args:
            job: from `separate`, or of a take.
            folder: made if it is missing.
            container: ``wav``, ``flac``, ``ogg`` or ``mp3``.
            depth: ``16``, ``24`` or ``float``; the song's own if left out.
        """
        job = self.wait(job)
        asked = {name: value for name, value in (("format", container), ("depth", depth)) if value is not None}
        Path(folder).mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        for index, stem in enumerate(job["stems"]):
            where = f"/api/jobs/{quote(job['id'], safe='')}/stems/{index}?{urlencode(asked)}"
            with self._open("GET", where) as answer:
                path = _free(Path(folder), _file_name(stem["name"]), _suffix_of(answer.headers), written)
                _store(answer, path)
            written.append(path)
        return written

    def teach(
        self,
        session: str,
        name: str,
        positive: Sequence[Document],
        *,
        negative: Sequence[Document] = (),
        model: str | None = None,
    ) -> Document:
        """Begin to teach a sound under a name, and return the file that will be its taught label.

        Args:
            session: id.
            name: of the sound, from then on.
            positive: recordings of it, ``{"file": …}``, or a part of one, ``{"file": …, "start": 12, "stop": 16}``;
                files are ids, or paths of files on this machine, which are uploaded.
            negative: recordings of what it is not.
            model: a name; None is one that is done at once.
        """
        sides = {"positive": list(positive), "negative": list(negative)}
        body: Document = {"name": name, "model": model} | self._with_uploads(session, sides)
        for example in (*body["positive"], *body["negative"]):
            self._settled("files", example["file"], "the example")
        label: Document = self._json("POST", f"/api/sessions/{quote(session, safe='')}/files/taught", body)
        return label

    def wait_for_label(
        self, label: Document, *, progress: Callable[[float], None] | None = None, timeout: float | None = None
    ) -> Document:
        """Wait until a sound is taught, and return its label, whose id can be the file of a taught guide.

        Args:
            label: from `teach`.
            progress: called with the fraction done.
            timeout: in seconds; None waits for ever.

        Raises:
            UnbraidError: if it failed, or was cancelled; `TimeoutError`, if it takes too long.
        """
        return self._settled("files", label["id"], f"the label {label['name']}", progress=progress, timeout=timeout)

    def cancel_label(self, label: Document) -> None:
        """Stop teaching a sound; of one that is taught, remove the label.

        Args:
            label: from `teach`.
        """
        self._open("DELETE", f"/api/files/{quote(label['id'], safe='')}").close()

    def save_label(self, label: Document, path: str | os.PathLike[str]) -> Path:
        """Wait until a sound is taught, and write its label to a file, as `unbraid teach` does.

        Args:
            label: from `teach`.
            path: of the file, such as ``riff.unbraid``.
        """
        label = self.wait_for_label(label)
        with self._open("GET", f"/api/files/{quote(label['id'], safe='')}/content") as answer:
            _store(answer, Path(path))
        return Path(path)

    def _with_uploads(self, session: str, value: Any) -> Any:
        """Upload the files of this machine that guides name, and put their ids in place of them."""
        if isinstance(value, list):
            return [self._with_uploads(session, one) for one in value]
        if not isinstance(value, dict):
            return value
        sent = {
            key: self.upload(session, one)
            if key in _FILE_KEYS and isinstance(one, str) and os.path.isfile(one)
            else self._with_uploads(session, one)
            for key, one in value.items()
        }
        if sent.get("kind") == "taught":
            self._settled("files", str(sent.get("file")), "the label")  # until then nobody knows whose it is
        return sent

    def _settled(
        self,
        kind: str,
        thing: str,
        what: str,
        *,
        progress: Callable[[float], None] | None = None,
        timeout: float | None = None,
    ) -> Document:
        """Wait until nothing more happens to a job or a file, and return it unless it failed."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            found: Document = self._json("GET", f"/api/{kind}/{quote(thing, safe='')}")
            if progress is not None:
                progress(found["progress"])
            if found["state"] == "failed":
                raise UnbraidError(found["error"])
            if found["state"] not in _UNDER_WAY:
                return found
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"{what} is still {found['state']} after {timeout:g} s")
            time.sleep(_POLL_SECONDS)

    def _json(self, method: str, where: str, body: Document | BinaryIO | None = None) -> Any:
        with self._open(method, where, body) as answer, _told():
            return json.load(answer)

    def _open(self, method: str, where: str, body: Document | BinaryIO | None = None) -> Any:
        """Send a request and return the answer, to be read and closed."""
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        data: Any = body
        if isinstance(body, dict):
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        elif body is not None:
            headers["Content-Type"] = "application/octet-stream"
            headers["Content-Length"] = str(os.fstat(body.fileno()).st_size)
        request = urllib.request.Request(f"{self.address}{where}", data, headers, method=method)
        try:
            with _told():
                return urllib.request.urlopen(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise _error_of(error) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, BrokenPipeError | ConnectionResetError):
                raise UnbraidError(_BROKEN_OFF) from error
            raise UnbraidError(
                f"no studio answers at {self.address} ({error.reason}): start it with unbraid studio"
            ) from error


@contextmanager
def _told() -> Iterator[None]:
    """Tell a connection that breaks off, or takes too long, as an error of the library."""
    try:
        yield
    except urllib.error.URLError:
        raise
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise UnbraidError(_BROKEN_OFF) from error


def _store(answer: Any, path: Path) -> None:
    """Write the body of an answer; what breaks off leaves nothing that looks like a finished file."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file, _told():
            shutil.copyfileobj(answer, file)
            if file.tell() != int(answer.headers["content-length"]):
                raise http.client.IncompleteRead(b"")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _free(folder: Path, name: str, suffix: str, taken: Sequence[Path]) -> Path:
    """Return a path that none of this download has, also where the file system does not tell A from a."""
    known = {path.name.casefold() for path in taken}
    number, free = 2, f"{name}{suffix}"
    while free.casefold() in known:
        free, number = f"{name}-{number}{suffix}", number + 1
    return folder / free


def _error_of(answer: urllib.error.HTTPError) -> UnbraidError:
    """Return the error that an answer tells, as the type that the server raised where Python code knows it."""
    try:
        told = json.load(answer)["error"]
        kind = getattr(errors, str(told["type"]), UnbraidError)
        return (kind if issubclass(kind, UnbraidError) else UnbraidError)(str(told["message"]))
    except (ValueError, KeyError, TypeError):
        return UnbraidError(f"the server answered {answer.code} {answer.reason}: is it a studio?")


def _suffix_of(headers: Message) -> str:
    """Return the ending of the file that comes down: a level that does not fit makes it WAV."""
    return Path(headers.get_filename() or "stem.wav").suffix


def _file_name(name: str) -> str:
    """Return a name that the server gave as one part of a path, short enough for any file system.

    Example:
        >>> _file_name("../AC/DC")
        '_AC_DC'
    """
    short = name.translate(_FORBIDDEN).lstrip(".").encode()[:_NAME_BYTES].decode(errors="ignore")
    return short.strip() or "stem"
