"""Session files: a ZIP with a description, the files as they were uploaded, and, if wanted, the stems.

What comes in is not trusted: names in the archive are only compared, ids are made anew, sizes are bounded while
reading, and stems that come in never answer the request of another session.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zipfile
import zlib
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from unbraid.errors import UnbraidError
from unbraid.guides.spec import document_of, read_request_spec, spec_files
from unbraid.server import worker
from unbraid.server.folder import ORIGINAL, PAINT, new_id, remove, size_of
from unbraid.server.limits import in_words
from unbraid.server.records import FileRow, JobRow, SessionRow, TakeRow
from unbraid.server.refusals import Invalid, QuotaExceeded, TooLarge
from unbraid.server.schemas import TakeSettings, Title
from unbraid.server.sounds import SAMPLES
from unbraid.server.store import to_text
from unbraid.server.studio import Studio
from unbraid.server.tiles import N_LEVELS
from unbraid.server.uploads import keep_file, shown_name

DESCRIPTION = "session.json"
_PARTS = (SAMPLES, *(f"{name}.{level}" for name in ("peaks", "mel") for level in range(N_LEVELS)))
_MAX_DESCRIPTION = 64 << 20
_MAX_SECONDS = 1e6  # longer than any song
_PIECE = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
_NOT_IN_FILE = "its stems are not in the session file: separate again"

Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class _File(BaseModel):
    id: Id
    name: str


class _Take(BaseModel):
    id: Id
    song: Id
    title: Title
    parent: Id | None
    created: float = Field(allow_inf_nan=False)
    targets: list[Any]
    model: str = Field(max_length=1000)
    settings: TakeSettings


class _Stem(BaseModel):
    name: str = Field(max_length=1000)
    presence: float | None = Field(allow_inf_nan=False)
    peak_db: float | None = Field(allow_inf_nan=False)


class _Result(BaseModel):
    stems: list[_Stem] = Field(min_length=2, max_length=64)
    presence_curve: list[list[float]]
    n_samples: int = Field(ge=1)


class _Job(BaseModel):
    id: Id
    take: Id
    created: float = Field(allow_inf_nan=False)
    region_start: float | None = Field(allow_inf_nan=False, ge=0)
    region_stop: float | None = Field(allow_inf_nan=False, gt=0, le=_MAX_SECONDS)
    result: _Result | None

    @property
    def is_possible(self) -> bool:
        """Whether its region has two ends, the first one first, or there is none."""
        if self.region_start is None or self.region_stop is None:
            return self.region_start is self.region_stop
        return self.region_start < self.region_stop


class Description(BaseModel):
    """What a session file says about what is in it."""

    format: Literal["unbraid-session-1"] = "unbraid-session-1"
    title: Title
    page: dict[str, Any]
    files: list[_File]
    takes: list[_Take]
    jobs: list[_Job]


def write_session(studio: Studio, row: SessionRow, *, with_results: bool) -> Path:
    """Write a session into a new file and return where it is; whoever asked removes it."""
    path = studio.folder.upload()
    description = _describe(studio, row, with_results=with_results)
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.writestr(DESCRIPTION, description.model_dump_json(indent=1))
            for one in description.files:
                place = studio.folder.file(one.id)
                archive.write(place / ORIGINAL, f"files/{one.id}")
                if (place / PAINT).exists():
                    archive.write(place / PAINT, f"paint/{one.id}")
            for job in description.jobs:
                if job.result is None:
                    continue
                place = studio.folder.result(studio.store.job(job.id).key)
                for index in range(len(job.result.stems)):
                    for part in _PARTS:
                        archive.write(place / str(index) / part, f"results/{job.id}/{index}/{part}")
    except BaseException:
        remove(path)
        raise
    return path


def _describe(studio: Studio, row: SessionRow, *, with_results: bool) -> Description:
    takes = studio.store.takes(row.id)
    jobs = studio.store.jobs(session=row.id)
    return Description(
        title=row.title,
        page=row.page,
        files=[
            _File(id=one.id, name=one.name)
            for one in studio.store.files(row.id)
            if (
                studio.folder.file(one.id) / ORIGINAL
            ).exists()  # a label that is being taught has nothing to take along
        ],
        takes=[_Take.model_validate(one, from_attributes=True) for one in takes],
        jobs=[
            _Job(
                id=job.id,
                take=job.take,
                created=job.created,
                region_start=job.region_start,
                region_stop=job.region_stop,
                result=_Result.model_validate(job.result) if with_results and job.state == "done" else None,
            )
            for job in jobs
        ],
    )


def read_session(studio: Studio, path: Path) -> SessionRow:
    """Open a session file as a new session.

    Raises:
        Invalid: if it is none, or damaged.
        TooLarge: if something in it is larger than it may be.
        QuotaExceeded: if there are too many sessions, or too much in this one.
    """
    if studio.store.count("sessions")[""] >= studio.limits.sessions:
        raise QuotaExceeded(f"there are {studio.limits.sessions} sessions, which is the limit: remove some")
    try:
        with zipfile.ZipFile(path) as archive:
            description = _read_description(archive)
            _check_counts(studio, description)
            row = SessionRow(new_id(), title=description.title)
            studio.store.add_session(row)
            try:
                _Opening(studio, archive, description, row).run()
            except BaseException:
                studio.remove_session(row.id)
                raise
    except UnbraidError:
        raise
    except (*_DAMAGE, KeyError) as error:
        raise Invalid("the session file is damaged, or is none: export it again") from error
    studio.scheduler.poke()
    return studio.store.session(row.id)


def _read_description(archive: zipfile.ZipFile) -> Description:
    with archive.open(DESCRIPTION) as member:
        text = member.read(_MAX_DESCRIPTION + 1)
    if len(text) > _MAX_DESCRIPTION:
        raise TooLarge(f"the description of the session is larger than {in_words(_MAX_DESCRIPTION)}")
    try:
        return Description.model_validate_json(text)
    except ValidationError as error:
        raise Invalid("the session file is damaged, or of another version: export it again") from error


def _check_counts(studio: Studio, description: Description) -> None:
    limits = studio.limits
    for listed in (description.files, description.takes):
        if len({one.id for one in listed}) < len(listed):
            raise Invalid("the session file holds the same thing twice: export it again")
    if len(description.files) > limits.session_files or len(description.takes) > limits.session_takes:
        raise QuotaExceeded(
            f"the session file holds more than {limits.session_files} files or {limits.session_takes} takes"
        )
    if not all(job.is_possible for job in description.jobs):
        raise Invalid("the session file holds a region that begins behind its end: export it again")
    if len(description.jobs) > 4 * limits.session_takes:
        raise QuotaExceeded("the session file holds more jobs than a session may")


class _Opening:
    """A session file on its way into a new session."""

    def __init__(self, studio: Studio, archive: zipfile.ZipFile, description: Description, row: SessionRow) -> None:
        self._studio = studio
        self._archive = archive
        self._description = description
        self._session = row.id
        self._room = studio.limits.session_bytes
        self._files: dict[str, str] = {}
        self._takes = {take.id: new_id() for take in description.takes}

    def run(self) -> None:
        """Bring in files, takes, and jobs."""
        for file in self._description.files:
            self._files[file.id] = self._add_file(file)
        for take in self._description.takes:
            self._add_take(take)
        for job in self._description.jobs:
            self._add_job(job)
        self._studio.store.change_session(self._session, page=self._page())

    def _page(self) -> dict[str, Any]:
        """Return what the page kept, with the new ids in place of the old ones; nothing if it is too much."""
        text = to_text(self._description.page)
        if len(text) > self._studio.limits.page_bytes:
            return {}
        for old, new in (self._files | self._takes).items():
            text = text.replace(old, new)
        page: dict[str, Any] = json.loads(text)
        return page

    def _add_file(self, file: _File) -> str:
        place = self._studio.folder.upload()
        try:
            digest = self._copy(f"files/{file.id}", place, most=self._studio.limits.upload_bytes)
            row = FileRow(
                new_id(), self._session, shown_name(file.name), size_bytes=place.stat().st_size, sha256=digest
            )
            self._keep_paint(file.id, keep_file(self._studio, row, place))
            return row.id
        finally:
            remove(place)

    def _keep_paint(self, old: str, row: FileRow) -> None:
        name, place = f"paint/{old}", self._studio.folder.file(row.id) / PAINT
        if name in self._archive.NameToInfo:
            self._copy(name, place, most=self._studio.limits.paint_bytes)
            stored = self._studio.store.file(row.id).stored_bytes
            self._studio.store.change_file(row.id, stored_bytes=stored + place.stat().st_size)

    def _add_take(self, take: _Take) -> None:
        read = read_request_spec(take.targets)
        text, words = json.dumps(document_of(read)), spec_files(read)
        for word in words:
            text = text.replace(json.dumps(word), json.dumps(self._files[word]))
        row = TakeRow(
            id=self._takes[take.id],
            session=self._session,
            song=self._files[take.song],
            targets=json.loads(text),
            model=take.model,
            settings=take.settings.model_dump(exclude_none=True),
            title=take.title,
            parent=self._takes.get(take.parent or ""),
            created=take.created,
        )
        self._studio.store.add_take(row, [self._files[word] for word in words])

    def _add_job(self, job: _Job) -> None:
        """Bring in a job: its stems, if they are there, else what the server has already made for the same request."""
        row = JobRow(new_id(), self._takes[job.take], self._session, secrets.token_hex(32))
        values = {**row.to_columns(), "region_start": job.region_start, "region_stop": job.region_stop}
        values |= {"created": job.created, "result": None}
        if job.result is not None:
            self._add_done(values, job.id, job.result)
        else:
            self._studio.store.add_job(JobRow(**(values | self._found(JobRow(**values)))))

    def _found(self, row: JobRow) -> dict[str, Any]:
        """Return the key by which a job is answered from what is there, or that it was cancelled."""
        studio = self._studio
        files = {one.id: one for one in studio.store.files_of_take(row.take)}
        gone = {"state": "cancelled", "error": _NOT_IN_FILE}
        try:
            key = studio.key_of(studio.store.take(row.take), row.region, files)
        except UnbraidError:
            return gone
        return {"key": key} if studio.folder.result(key).exists() else gone | {"key": key}

    def _add_done(self, values: dict[str, Any], job_id: str, result: _Result) -> None:
        work = self._studio.folder.work()
        try:
            for index in range(len(result.stems)):
                (work / str(index)).mkdir()
                for part in _PARTS:
                    self._copy(f"results/{job_id}/{index}/{part}", work / str(index) / part, most=self._room)
            told = {**result.model_dump(), "stored_bytes": size_of(work)}
            (work / worker.RESULT).write_text(json.dumps(told, allow_nan=False), encoding="utf-8")
            done = {"state": "done", "result": told, "stored_bytes": told["stored_bytes"], "cached": 1}
            with self._studio.store.transaction():  # nobody takes the stems for orphans in between
                work.rename(self._studio.folder.result(values["key"]))
                self._studio.store.add_job(JobRow(**(values | done)))
        finally:
            remove(work)

    def _copy(self, name: str, place: Path, *, most: int) -> str:
        """Copy a member, however large it says it is, within the limits; return its hash."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name) as member, place.open("xb") as file:
            while piece := _read(member):
                size += len(piece)
                self._room -= len(piece)
                if size > most or self._room < 0:
                    raise TooLarge("the session file holds more than a session may (--quota, --max-upload)")
                digest.update(piece)
                file.write(piece)
        return digest.hexdigest()


def _read(member: IO[bytes]) -> bytes:
    return member.read(_PIECE)
