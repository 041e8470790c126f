"""Routes of takes and jobs, and the short way for scripts."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from unbraid.guides.spec import load_targets
from unbraid.separation import DEFAULTS
from unbraid.server import takes
from unbraid.server.documents import job_document, take_document
from unbraid.server.folder import check_id
from unbraid.server.records import TakeRow
from unbraid.server.refusals import Invalid
from unbraid.server.reproduce import code_of
from unbraid.server.routes_sessions import BODY, begin_session, check_sessions
from unbraid.server.schemas import (
    CodeDocument,
    JobDocument,
    NewJob,
    NewTake,
    SeparateDocument,
    TakeChange,
    TakeDocument,
)
from unbraid.server.studio import Studio
from unbraid.server.uploads import Incoming, arriving, keep_upload, shown_name
from unbraid.server.wiring import ERRORS, CurrentStudio

router = APIRouter(prefix="/api", responses=ERRORS, tags=["takes"])
Word = Annotated[str | None, Query(max_length=1000)]


@router.post("/sessions/{session}/takes", status_code=201)
def create_take(studio: CurrentStudio, session: str, body: NewTake) -> TakeDocument:
    """Begin a take."""
    return take_document(studio, takes.begin_take(studio, check_id(session, "session"), body))


@router.get("/takes/{take}")
def get_take(studio: CurrentStudio, take: str) -> TakeDocument:
    """Return a take with its jobs."""
    return take_document(studio, studio.store.take(check_id(take, "take")))


@router.patch("/takes/{take}")
def change_take(studio: CurrentStudio, take: str, body: TakeChange) -> TakeDocument:
    """Give a take another title."""
    studio.store.take(check_id(take, "take"))
    studio.store.change_take(take, title=body.title)
    studio.tell_take(take)
    return take_document(studio, studio.store.take(take))


@router.delete("/takes/{take}", status_code=204)
def delete_take(studio: CurrentStudio, take: str) -> Response:
    """Cancel the jobs of a take, and remove it."""
    takes.remove_take(studio, take)
    return Response(status_code=204)


@router.post("/takes/{take}/jobs", status_code=201)
def create_job(studio: CurrentStudio, take: str, body: NewJob) -> JobDocument:
    """Add a job to a take: a region, or the whole song."""
    return job_document(studio, takes.add_job(studio, take, body.region))


@router.get("/takes/{take}/code")
def get_code(studio: CurrentStudio, take: str) -> CodeDocument:
    """Return the command line and the Python code that do the same."""
    return code_of(studio, studio.store.take(check_id(take, "take")))


@router.get("/jobs/{job}")
def get_job(studio: CurrentStudio, job: str) -> JobDocument:
    """Return a job."""
    return job_document(studio, studio.store.job(check_id(job, "job")))


@router.post("/jobs/{job}/cancel")
def cancel_job(studio: CurrentStudio, job: str) -> JobDocument:
    """Stop a job."""
    return job_document(studio, studio.scheduler.cancel(check_id(job, "job")))


@router.post("/separate", status_code=202, openapi_extra=BODY)
async def separate(
    studio: CurrentStudio,
    request: Request,
    name: Annotated[str, Query(max_length=1000)],
    prompts: Word = None,
    task: Word = None,
    label: Word = None,
    model: Word = None,
    targets: Annotated[str | None, Query(max_length=20_000)] = None,
) -> SeparateDocument:
    """Separate the body of the request: a session, a file, a take and a job in one call."""
    asked = _asked(prompts=prompts, task=task, label=label, targets=targets)
    await run_in_threadpool(_check, studio, asked, model)
    title = shown_name(name)
    async with arriving(studio, title, request, room=studio.limits.session_bytes) as incoming:
        take = await run_in_threadpool(_begin, studio, incoming, title, asked, model)
    document = await run_in_threadpool(take_document, studio, take)
    return SeparateDocument(session=take.session, file=take.song, take=document, job=document.jobs[0])


def _begin(studio: Studio, incoming: Incoming, title: str, asked: list[object], model: str | None) -> TakeRow:
    """Keep session, file and take all at once: whatever ends the server in between leaves none of them."""
    try:
        with studio.store.transaction():
            session = begin_session(studio, title)
            file = keep_upload(studio, incoming.row(session.id, title), incoming.place)
            return takes.begin_take(studio, session.id, _body(file.id, asked, model))
    except BaseException:
        studio.remove_orphans()
        raise


def _asked(*, prompts: str | None, task: str | None, label: str | None, targets: str | None) -> list[object]:
    """Return the targets that the address asks for."""
    asked: list[object] = []
    if targets is not None:
        try:
            asked = list(json.loads(targets))
        except (ValueError, TypeError, RecursionError) as error:
            raise Invalid("targets is no list in JSON: see docs/server.md") from error
    if prompts is not None:
        asked.append({"kind": "prompts", "names": prompts.replace(",", " ").split()})
    asked += [{"kind": "task", "task": task}] if task is not None else []
    asked += [{"kind": "label", "name": label}] if label is not None else []
    if not asked:
        raise Invalid("nothing is asked for: give prompts, task, label or targets")
    return asked


def _body(song: str, asked: list[object], model: str | None) -> NewTake:
    try:
        return NewTake.model_validate({"song": song, "targets": asked, "model": model})
    except ValidationError as error:
        raise Invalid("targets are malformed: see docs/server.md") from error


def _check(studio: Studio, asked: list[object], model: str | None) -> None:
    """Refuse what cannot be separated before the song is on its way."""
    check_sessions(studio)
    studio.catalog.choose(load_targets(tuple(_body("0" * 32, asked, model).targets)), model, DEFAULTS)
