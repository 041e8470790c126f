"""From what a client asks for to takes and jobs: everything that can be refused is refused here, before any work."""

from __future__ import annotations

from pathlib import Path

from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Guide, Mask, Mimicry, Score, Span, Target, spell_targets
from unbraid.guides.region import snap_region
from unbraid.guides.spec import (
    ExamplesSpec,
    FileSpec,
    MaskSpec,
    MimicrySpec,
    RequestSpec,
    ScoreSpec,
    TargetSpec,
    TaughtSpec,
    document_of,
    load_targets,
    read_request_spec,
    spec_files,
    taught_specs,
)
from unbraid.server.folder import check_id, new_id
from unbraid.server.labels import facts_of_request
from unbraid.server.limits import in_words
from unbraid.server.records import FileRow, JobRow, TakeRow
from unbraid.server.refusals import Conflict, DiskFull, Invalid, NotFound, QuotaExceeded
from unbraid.server.schemas import NewTake, Region
from unbraid.server.shelf import ModelChoice
from unbraid.server.sounds import SoundFormat
from unbraid.server.studio import Studio
from unbraid.server.worker import settings_of

_UNKNOWN = 1e6  # seconds, longer than any song: of one that has not been opened yet
_KIND_WORDS = {"audio": "a recording", "midi": "MIDI", "mask": "a painted mask", "label": "a taught label"}


def begin_take(studio: Studio, session_id: str, body: NewTake) -> TakeRow:
    """Keep a take, and queue its jobs: the region first, if there is one.

    Raises:
        NotFound: if there is no such session, song or file in it.
        GuideError: if a guide is malformed, or the model does not take it.
        QuotaExceeded: if the session holds, or waits for, too much.
    """
    studio.session(session_id)
    if len(studio.store.takes(session_id)) >= studio.limits.session_takes:
        raise QuotaExceeded(f"this session has {studio.limits.session_takes} takes, which is the limit: remove some")
    song = _song(studio, session_id, body.song)
    if body.parent is not None and studio.store.take(check_id(body.parent, "take")).session != session_id:
        raise NotFound("there is no such take in this session: leave parent out")
    request, files = _named(studio, session_id, tuple(body.targets), song.duration)
    values = body.settings.model_dump(exclude_none=True)
    guides = load_targets(request, files=lambda word: Path(files[word].name), duration=song.duration)
    labels = facts_of_request(studio.folder, taught_specs(request), files)
    offer = studio.catalog.choose(guides, body.model, settings_of(values), labels, choice=ModelChoice.of(values))
    take = TakeRow(
        id=new_id(),
        session=session_id,
        song=song.id,
        targets=document_of(request),
        model=offer.name,
        settings=values,
        title=body.title,
        parent=body.parent,
    )
    is_whole = body.region is None if body.whole is None else body.whole
    if not is_whole and body.region is None:
        raise Invalid("there is nothing to separate: give a region, or let whole be true")
    regions = [] if body.region is None else [_snap(body.region, song)]
    jobs = [_job(studio, take, region, files) for region in [*regions, *([None] if is_whole else [])]]
    with studio.store.transaction():  # what is asked for at once shares one quota
        _check_room(studio, take, song, jobs, n_stems=len(spell_targets(guides)) + 1)
        studio.store.add_take(take, list(files))
        for job in jobs:
            studio.store.add_job(job)
    studio.tell_take(take.id)
    studio.scheduler.poke()
    return take


def add_job(studio: Studio, take_id: str, region: Region | None) -> JobRow:
    """Queue another part of a take, or all of it.

    Raises:
        NotFound: if there is no such take.
        QuotaExceeded: if the session holds, or waits for, too much.
    """
    take = studio.store.take(check_id(take_id, "take"))
    studio.session(take.session)
    song = studio.store.file(take.song)
    files = {row.id: row for row in studio.store.files_of_take(take.id)}
    job = _job(studio, take, None if region is None else _snap(region, song), files)
    request = read_request_spec(take.targets)
    guides = load_targets(request, files=lambda word: Path(files[word].name), duration=song.duration)
    with studio.store.transaction():
        _check_room(studio, take, song, [job], n_stems=len(spell_targets(guides)) + 1)
        studio.store.add_job(job)
    studio.tell_take(take.id)
    studio.scheduler.poke()
    return studio.store.job(job.id)


def remove_take(studio: Studio, take_id: str) -> None:
    """Cancel the jobs of a take, and remove it with what only it needs."""
    take = studio.store.take(check_id(take_id, "take"))
    keys = [job.key for job in studio.store.jobs(take=take.id)]
    studio.store.remove_take(take.id)
    studio.tell_gone(take.session, "take", take.id)
    studio.scheduler.forget(keys)
    studio.remove_orphans()


def _song(studio: Studio, session_id: str, file_id: str) -> FileRow:
    song = _file(studio, session_id, file_id)
    if song.state == "failed":
        raise Conflict(song.error or f"{song.name} cannot be used: choose another song")
    if song.kind not in {None, "audio"}:
        raise GuideError(f"{song.name} is {_KIND_WORDS[song.kind]}, and a song is a recording: choose another one")
    return song


def _file(studio: Studio, session_id: str, file_id: str) -> FileRow:
    row = studio.store.file(check_id(file_id, "file"))
    if row.session != session_id:
        raise NotFound("there is no such file in this session: upload it here, too")
    return row


def _named(
    studio: Studio, session_id: str, request: RequestSpec, duration: float | None
) -> tuple[RequestSpec, dict[str, FileRow]]:
    """Look all files up, and name targets that would be called after an id by the name of the file."""
    files = {word: _file(studio, session_id, word) for word in spec_files(request)}
    for item in request:
        for guide in item.guides if isinstance(item, TargetSpec) else (item,):
            _check_kinds(guide, files)
    loaded = load_targets(request, files=lambda word: Path(files[word].name), duration=duration)
    return tuple(_with_name(item, guide) for item, guide in zip(request, loaded, strict=True)), files


def _with_name(item: object, loaded: Guide | Target) -> TargetSpec:
    if isinstance(loaded, Mimicry | Score | Mask | Examples | Span):
        return TargetSpec(loaded.title, (item,))  # type: ignore[arg-type]
    return item  # type: ignore[return-value]


def _check_kinds(guide: object, files: dict[str, FileRow]) -> None:
    """Refuse a file that is something else than its guide needs."""
    if isinstance(guide, ExamplesSpec):
        wanted = {one.file: "audio" for one in (*guide.positive, *guide.negative) if isinstance(one, FileSpec)}
    elif isinstance(guide, MimicrySpec):
        wanted = {guide.file: "audio"}
    elif isinstance(guide, ScoreSpec):
        wanted = {guide.file: "midi"}
    elif isinstance(guide, TaughtSpec):
        wanted = {guide.file: "label"}
    elif isinstance(guide, MaskSpec):
        wanted = dict.fromkeys((side for side in (guide.positive, guide.negative) if side is not None), "mask")
    else:
        return
    for word, kind in wanted.items():
        row = files[word]
        if row.state == "failed":
            raise GuideError(row.error or f"{row.name} cannot be used: choose another file")
        if row.kind not in {None, kind}:
            raise GuideError(f"{row.name} is {_KIND_WORDS[row.kind]}, and this guide needs {_KIND_WORDS[kind]}")


def _snap(region: Region, song: FileRow) -> tuple[float, float]:
    return snap_region(region.start, region.stop, duration=song.duration or _UNKNOWN)


def _job(studio: Studio, take: TakeRow, region: tuple[float, float] | None, files: dict[str, FileRow]) -> JobRow:
    start, stop = (None, None) if region is None else region
    key = studio.key_of(take, region, files)
    return JobRow(new_id(), take.id, take.session, key, region_start=start, region_stop=stop)


def _check_room(studio: Studio, take: TakeRow, song: FileRow, jobs: list[JobRow], *, n_stems: int) -> None:
    """Refuse what the session, or the disk, has no room for."""
    limits = studio.limits
    n_open = len(studio.store.open_jobs(take.session))
    if n_open + len(jobs) > limits.session_waiting:
        raise QuotaExceeded(f"{n_open} jobs of this session wait or run already: wait for them, or cancel some")
    rate = song.sample_rate or 44_100
    seconds = sum((song.duration or 0.0) if job.region is None else job.region[1] - job.region[0] for job in jobs)
    needed = n_stems * SoundFormat(rate, song.n_channels or 2, round(rate * seconds)).stored_bytes
    if studio.store.stored_bytes(take.session) + needed > limits.session_bytes:
        raise QuotaExceeded(
            f"the stems would take {in_words(needed)}, and the session may hold {in_words(limits.session_bytes)} "
            "in all (--quota): remove takes, or separate a region"
        )
    if studio.folder.free_bytes() < needed + limits.free_bytes:
        raise DiskFull(
            f"the stems would take {in_words(needed)}, and the disk of the data folder has not that much left"
        )
