"""From rows and live progress to what goes over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unbraid.server.folder import split_sound
from unbraid.server.labels import facts_of
from unbraid.server.records import FileRow, JobRow, SessionRow, TakeRow
from unbraid.server.refusals import Conflict, NotFound
from unbraid.server.schemas import (
    FileDocument,
    JobDocument,
    LabelDocument,
    Level,
    Region,
    SessionDocument,
    SessionSummary,
    SoundDocument,
    StemDocument,
    TakeDocument,
    TakeSettings,
)
from unbraid.server.sounds import SoundFolder, SoundFormat
from unbraid.server.tiles import count_records

if TYPE_CHECKING:
    from unbraid.server.studio import Studio


@dataclass(frozen=True)
class HeldSound:
    """A sound: where it is, what it is called, where in the song it begins, and whether it is complete."""

    held: SoundFolder
    name: str
    start: float
    is_complete: bool
    session: str


def file_sound(studio: Studio, row: FileRow) -> SoundFolder:
    """Return the sound of a file.

    Raises:
        Conflict: if it has none, or has not been opened yet.
    """
    if row.sample_rate is None or row.n_channels is None or row.n_samples is None:
        why = "has not been read yet" if row.kind in {None, "audio"} else "is no recording"
        raise Conflict(f"{row.name} {why}: choose a recording that is ready")
    depth = "16" if row.depth == "16" else "float"
    sound = SoundFormat(row.sample_rate, row.n_channels, row.n_samples, depth)
    return SoundFolder(studio.folder.file(row.id), sound)


def find_sound(studio: Studio, sound_id: str) -> HeldSound:
    """Return a sound by its id.

    Raises:
        NotFound: if there is none.
        Conflict: if it cannot be heard yet.
    """
    owner, index = split_sound(sound_id)
    if index is None:
        row = studio.store.file(owner)
        return HeldSound(file_sound(studio, row), row.name, 0.0, row.state == "ready", row.session)
    job = studio.store.job(owner)
    take = studio.store.take(job.take)
    song = file_sound(studio, studio.store.file(take.song)).sound
    names = stem_names(studio, job)
    if not names:
        raise Conflict("this job has no stems yet: wait until it runs")
    if index >= len(names):
        raise NotFound(f"there is no such sound: the job has {len(names)} stems")
    live = studio.scheduler.live(job.key)
    place = studio.folder.result(job.key) if job.state == "done" or live is None else live.folder
    start, stop = bounds_of(job, song.n_samples / song.sample_rate)
    n_samples = round(stop * song.sample_rate) - round(start * song.sample_rate)
    sound = SoundFormat(song.sample_rate, song.n_channels, n_samples)
    return HeldSound(SoundFolder(place / str(index), sound), names[index], start, job.state == "done", job.session)


def bounds_of(job: JobRow, duration: float) -> tuple[float, float]:
    """Return the first and last second of a job."""
    return (0.0, duration) if job.region is None else (job.region[0], min(job.region[1], duration))


def stem_names(studio: Studio, job: JobRow) -> list[str]:
    """Return what the stems of a job are called, the residual last; nothing if it has not begun."""
    if job.result is not None:
        return [str(one["name"]) for one in job.result["stems"]]
    live = studio.scheduler.live(job.key)
    return list(live.names) if live is not None and job.state == "running" else []


def sound_document(sound_id: str, sound: HeldSound) -> SoundDocument:
    """Describe a sound."""
    held, values = sound.held, sound.held.sound
    peaks = count_records(held.folder, "peaks", n_channels=values.n_channels)
    frames = count_records(held.folder, "mel")
    return SoundDocument(
        id=sound_id,
        name=sound.name,
        sample_rate=values.sample_rate,
        n_channels=values.n_channels,
        n_samples=values.n_samples,
        final_samples=held.n_final,
        duration=values.n_samples / values.sample_rate,
        start=sound.start,
        peaks=[Level(level=level, count=count) for level, count in enumerate(peaks)],
        spectrogram=[Level(level=level, count=count) for level, count in enumerate(frames)],
    )


def file_document(studio: Studio, row: FileRow) -> FileDocument:
    """Describe a file."""
    final, progress = None, 1.0 if row.state not in {"analyzing", "teaching"} else 0.0
    if row.state == "teaching":
        progress = studio.lessons.progress(row.id)
    if row.n_samples is not None:
        final = file_sound(studio, row).n_final
        progress = progress if row.state != "analyzing" else final / row.n_samples
    is_label = row.kind == "label" and row.state == "ready"
    return FileDocument(
        id=row.id,
        session=row.session,
        name=row.name,
        kind=row.kind,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        progress=progress,
        error=row.error,
        created=row.created,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        sample_rate=row.sample_rate,
        n_channels=row.n_channels,
        n_samples=row.n_samples,
        duration=row.duration,
        final_samples=final,
        label=LabelDocument(**vars(facts_of(studio.folder, row))) if is_label else None,
    )


def job_document(studio: Studio, row: JobRow, duration: float | None = None) -> JobDocument:
    """Describe a job."""
    if duration is None:
        duration = studio.store.file(studio.store.take(row.take).song).duration or 0.0
    start, stop = bounds_of(row, duration)
    live = studio.scheduler.live(row.key) if row.state == "running" else None
    result = row.result or {}
    final = int(result.get("n_samples", 0)) if live is None else live.n_final
    known = {one["name"]: one for one in result.get("stems", [])}
    stems = [
        StemDocument(
            sound=f"{row.id}-{index}",
            name=name,
            presence=known.get(name, {}).get("presence"),
            peak_db=known.get(name, {}).get("peak_db"),
        )
        for index, name in enumerate(stem_names(studio, row))
    ]
    return JobDocument(
        id=row.id,
        take=row.take,
        session=row.session,
        state=row.state,  # type: ignore[arg-type]
        progress=1.0 if row.state == "done" else 0.0 if live is None else live.progress,
        error=row.error,
        created=row.created,
        region=None if row.region is None else Region(start=row.region[0], stop=row.region[1]),
        start=start,
        stop=stop,
        cached=bool(row.cached),
        final_samples=final,
        stems=stems,
        presence_curve=result.get("presence_curve", []),
    )


def take_document(studio: Studio, row: TakeRow) -> TakeDocument:
    """Describe a take with its jobs."""
    duration = studio.store.file(row.song).duration or 0.0
    return TakeDocument(
        id=row.id,
        session=row.session,
        song=row.song,
        title=row.title,
        parent=row.parent,
        created=row.created,
        targets=row.targets,
        model=row.model,
        settings=TakeSettings(**row.settings),
        jobs=[job_document(studio, job, duration) for job in studio.store.jobs(take=row.id)],
    )


def session_summary(row: SessionRow) -> SessionSummary:
    """Describe a session in a few words."""
    return SessionSummary(id=row.id, title=row.title, created=row.created, used=row.used)


def session_document(studio: Studio, row: SessionRow) -> SessionDocument:
    """Describe a session with all that is in it."""
    return SessionDocument(
        **session_summary(row).model_dump(),
        page=row.page,
        stored_bytes=studio.store.stored_bytes(row.id),
        files=[file_document(studio, one) for one in studio.store.files(row.id)],
        takes=[take_document(studio, one) for one in studio.store.takes(row.id)],
    )
