"""Whole data sets of synthetic music on disk, made in parallel, resumable, the same with any number of jobs."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from unbraid.datasets.soundfont import Player, find_soundfont, open_player
from unbraid.datasets.spectral import SAMPLE_RATE, Samples
from unbraid.datasets.synthetic import RenderedTrack, draw_track, render_track
from unbraid.errors import DatasetError

_SETTINGS = "render.json"


@dataclass(frozen=True)
class Plan:
    """What decides the content of a rendered data set.

    ``soundfont`` is a path, ``""`` for built-in synthesis, or None for whatever is installed; ``style`` None
    draws one for each track; ``channels`` is 1 or 2.
    """

    seed: int
    duration: float
    soundfont: str | None
    style: str | None
    channels: int
    layout: str

    def render(self, index: int) -> RenderedTrack:
        """Draw and render the track with a number; the same whoever asks, and in whatever order."""
        seed = int(np.random.SeedSequence([self.seed, index]).generate_state(1, np.uint64)[0] >> 2)
        draw = draw_track(seed, duration=self.duration, style=self.style)
        return render_track(draw, player=_open_once(self.soundfont))


@lru_cache(maxsize=1)
def _open_once(soundfont: str | None) -> Player | None:
    """Load the SoundFont once per process."""
    return None if soundfont == "" else open_player(soundfont)


def quantize(samples: Samples, *, channels: int) -> npt.NDArray[np.int16]:
    """Round ``[2, N]`` to 16 bits, ``[N, channels]``; one channel is the mean of both."""
    folded = samples if channels == 2 else samples.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.round(np.clip(folded.T, -1, 1) * 32767).astype(np.int16)


def write_flac(path: Path, integers: npt.NDArray[np.int16]) -> None:
    """Write ``[N, C]`` integers as 16-bit FLAC."""
    soundfile.write(path, integers, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=0.3)


def _write_pack(folder: Path, plan: Plan, index: int) -> None:
    """Write one file per category that sounds in the track."""
    track = plan.render(index)
    for name in track.categories:
        write_flac(folder / f"{name}.flac", quantize(track.category(name), channels=plan.channels))


Writer = Callable[[Path, Plan, int], None]


def _make(out: Path, plan: Plan, index: int, writer: Writer) -> int:
    """Make one track in a hidden folder, and give it its name when it is whole."""
    hidden = out / f".Track{index:05d}.part"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    try:
        writer(hidden, plan, index)
        hidden.rename(track_folder(out, index))
    except OSError as error:
        raise DatasetError(f"cannot write {hidden}: {error.strerror or error}: free some space and resume") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return index


def track_folder(out: Path, index: int) -> Path:
    """Return the folder of a track, counted from 1.

    Example:
        >>> track_folder(Path("slakh"), 1).name
        'Track00001'
    """
    return out / f"Track{index:05d}"


def _settle(out: Path, plan: Plan) -> None:
    """Note the settings in the folder, or compare with those that its tracks were made with."""
    mine = asdict(plan)
    file = out / _SETTINGS
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")
        theirs = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot render into {out}: {error}: choose another folder") from error
    if theirs != mine:
        different = ", ".join(key for key in mine if theirs.get(key) != mine[key])
        raise DatasetError(
            f"{out} holds tracks made with another {different}: choose another folder or the same values"
        )


def render_tracks(
    out: Path, plan: Plan, writer: Writer, *, tracks: int, jobs: int | None, progress: Callable[[float], None] | None
) -> int:
    """Make tracks 1..n that are not there yet; returns how many were made.

    Raises:
        DatasetError: if a number is out of range, the folder belongs to other settings, or a worker dies.
    """
    if tracks < 1:
        raise DatasetError(f"cannot render {tracks} tracks: ask for 1 or more")
    if jobs is not None and jobs < 1:
        raise DatasetError(f"cannot render with {jobs} jobs: ask for 1 or more")
    _settle(out, plan)
    missing = [index for index in range(1, tracks + 1) if not track_folder(out, index).exists()]
    n_jobs = min(jobs or os.cpu_count() or 1, len(missing))
    report = progress or (lambda fraction: None)
    report(1 - len(missing) / tracks)
    if n_jobs <= 1:
        for done, index in enumerate(missing, start=1):
            _make(out, plan, index, writer)
            report(1 - (len(missing) - done) / tracks)
        return len(missing)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_jobs, mp_context=context) as pool:
        waiting = [pool.submit(_make, out, plan, index, writer) for index in missing]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                report(1 - (len(missing) - done) / tracks)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return len(missing)


def plan_render(
    *,
    seed: int,
    duration: float,
    soundfont: str | os.PathLike[str] | None,
    style: str | None,
    channels: int,
    layout: str,
) -> Plan:
    """Check the settings and settle the SoundFont once, so that every worker and every resumption uses the same.

    Raises:
        DatasetError: if a value is out of range, or the SoundFont or the style does not exist.
    """
    if seed < 0:
        raise DatasetError(f"seed {seed} is negative: give 0 or more")
    if channels not in (1, 2):
        raise DatasetError(f"cannot render {channels} channels: choose 1 or 2")
    draw_track(0, duration=duration, style=style)
    found = "" if soundfont == "" else str(find_soundfont(soundfont) or "")
    return Plan(seed=seed, duration=duration, soundfont=found, style=style, channels=channels, layout=layout)


def render_stems(
    out: str | os.PathLike[str],
    *,
    tracks: int,
    seed: int,
    duration: float = 60.0,
    soundfont: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    channels: int = 1,
    style: str | None = None,
) -> int:
    """Write songs as ``TrackNNNNN/{drums,bass,vocals,other}.flac``: what training needs, and no more.

    A category that does not sound in a song has no file. The songs are those of ``slakh.render_dataset``
    with the same seed.

    Args:
        out: folder to write to; finished tracks in it are kept.
        tracks: how many tracks shall be there.
        seed: of everything.
        duration: of each track in seconds.
        soundfont: path of a SoundFont; None takes an installed one, "" synthesizes everything.
        jobs: number of processes; None takes one per core.
        channels: 1 or 2.
        style: a name in ``styles.STYLES``; None draws one for each track.

    Returns:
        How many tracks were made now.

    Raises:
        DatasetError: if a value is out of range, or the folder holds tracks of other settings.
    """
    plan = plan_render(
        seed=seed, duration=duration, soundfont=soundfont, style=style, channels=channels, layout="stems"
    )
    return render_tracks(Path(out), plan, _write_pack, tracks=tracks, jobs=jobs, progress=None)
