"""Routes to take stems away."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

import unbraid
from unbraid.delivery.names import file_name
from unbraid.server import exports
from unbraid.server.documents import bounds_of, file_sound, find_sound, stem_names
from unbraid.server.exports import Stems, encoding_for
from unbraid.server.folder import check_id, remove
from unbraid.server.records import JobRow
from unbraid.server.refusals import Conflict, NotFound
from unbraid.server.reproduce import code_of
from unbraid.server.schemas import Depth, Format
from unbraid.server.studio import Studio
from unbraid.server.wiring import ERRORS, CurrentStudio, Makers, files_of

router = APIRouter(prefix="/api/jobs", responses=ERRORS, tags=["downloads"])
_SOUND_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_TYPES = {**_SOUND_TYPES, ".zip": "application/zip", ".mp4": "audio/mp4"}


@dataclass(frozen=True)
class _Plan:
    """A file to make: what it is called, and what `exports.make` is told."""

    title: str
    what: str
    stems: Stems
    words: tuple[object, ...] = ()


@router.get("/{job}/stems/{index}", response_class=FileResponse, responses=files_of(*_SOUND_TYPES.values()))
async def download_stem(
    studio: CurrentStudio,
    makers: Makers,
    job: str,
    index: int,
    format: Format | None = None,  # noqa: A002 - the name in the address
    depth: Depth | None = None,
) -> FileResponse:
    """Return one stem as a file."""

    def plan() -> _Plan:
        row, stems = _stems(studio, job, format, depth)
        if not 0 <= index < len(stems.names):
            raise NotFound(f"there is no such stem: the job has {len(stems.names)}, and they are counted from 0")
        return _Plan(f"{_title(studio, row)} - {stems.names[index]}", "stem", stems, (index,))

    return await _send(studio, makers, plan)


@router.get("/{job}/zip", response_class=FileResponse, responses=files_of("application/zip"))
async def download_zip(
    studio: CurrentStudio,
    makers: Makers,
    job: str,
    format: Format | None = None,  # noqa: A002 - the name in the address
    depth: Depth | None = None,
) -> FileResponse:
    """Return all stems and the residual in one ZIP, with a description of the take."""

    def plan() -> _Plan:
        row, stems = _stems(studio, job, format, depth)
        return _Plan(_title(studio, row), "zip", stems, (_describe(studio, row),))

    return await _send(studio, makers, plan)


@router.get("/{job}/stem-mp4", response_class=FileResponse, responses=files_of("audio/mp4"))
async def download_stem_mp4(studio: CurrentStudio, makers: Makers, job: str) -> FileResponse:
    """Return the mixture and up to four stems in one file, for players that know stems."""

    def plan() -> _Plan:
        row, stems = _stems(studio, job, "wav", "float")
        return _Plan(f"{_title(studio, row)}.stem", "stem-mp4", stems)

    return await _send(studio, makers, plan)


async def _send(studio: Studio, makers: Semaphore, plan: Callable[[], _Plan]) -> FileResponse:
    """Have a file made, a few at a time so that threads are left for everybody else, and send it."""
    planned = await run_in_threadpool(plan)
    make = partial(exports.make, planned.what, planned.stems, *planned.words, folder=studio.folder.upload())
    async with makers:
        path = await run_in_threadpool(make)
    return FileResponse(
        path,
        media_type=_TYPES[path.suffix],
        filename=file_name(f"{planned.title}{path.suffix}"),
        background=BackgroundTask(remove, path.parent),
    )


def _stems(studio: Studio, job_id: str, container: str | None, depth: str | None) -> tuple[JobRow, Stems]:
    """Gather what a job has made.

    Raises:
        Conflict: if it has not made all of it yet.
        AudioWriteError: if the format cannot hold it.
    """
    row = studio.store.job(check_id(job_id, "job"))
    if row.state != "done":
        raise Conflict("the stems are not complete yet: wait until the job is done")
    song = studio.store.file(studio.store.take(row.take).song)
    sound = file_sound(studio, song)
    start, _ = bounds_of(row, song.duration or 0.0)
    names = stem_names(studio, row)
    stems = Stems(
        song=sound,
        start=round(start * sound.sound.sample_rate),
        stems=tuple(find_sound(studio, f"{row.id}-{index}").held for index in range(len(names) - 1)),
        names=tuple(names),
        encoding=encoding_for(song.depth, container=container, wanted=depth),
    )
    exports.check(stems)
    return row, stems


def _title(studio: Studio, row: JobRow) -> str:
    song = studio.store.file(studio.store.take(row.take).song)
    where = "" if row.region is None else f" {row.region[0]:.1f}-{row.region[1]:.1f}s"
    return f"{PurePath(song.name).stem}{where}"


def _describe(studio: Studio, row: JobRow) -> dict[str, Any]:
    """Return what goes along with the stems: what was asked for, what came of it, and how to do it again."""
    take = studio.store.take(row.take)
    offer = studio.catalog.offer(take.model)
    return {
        "song": studio.store.file(take.song).name,
        "targets": take.targets,
        "settings": take.settings,
        "region": row.region,
        "model": {"name": offer.name, "sha256": offer.sha256, "licence": offer.licence},
        "stems": (row.result or {}).get("stems", []),
        "versions": {"unbraid": unbraid.__version__, **(row.result or {}).get("versions", {})},
        "code": code_of(studio, take).model_dump(),
    }
