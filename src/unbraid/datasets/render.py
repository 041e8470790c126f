"""Whole data sets of synthetic music and sounds on disk: in parallel, resumable, the same with any number of jobs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from unbraid.datasets.effects import draw_ambience, draw_effect, render_ambience, render_effect
from unbraid.datasets.parallel import Item, run_all
from unbraid.datasets.soundfont import Player, choose_soundfont, open_player
from unbraid.datasets.spectral import SAMPLE_RATE, Samples
from unbraid.datasets.speech import draw_speech, find_espeak, render_speech
from unbraid.datasets.synthetic import RenderedTrack, draw_track, render_track
from unbraid.errors import DatasetError, SettingsError

_SETTINGS = "render.json"
_FULL_SCALE = 32767


@dataclass(frozen=True)
class Plan:
    """What decides the content of a rendered data set.

    ``duration`` is the length of a track in seconds, ``soundfont`` is a path, ``""`` for built-in synthesis,
    or None for whatever is installed, ``channels`` is 1 or 2.
    """

    seed: int
    duration: float
    soundfont: str | None
    channels: int

    def check(self) -> Plan:
        """Return the plan with its SoundFont found, so that every process and every resumption takes the same.

        Raises:
            DatasetError: if a value is out of range, or the SoundFont does not exist or cannot be played.
        """
        if self.channels not in (1, 2):
            raise DatasetError(f"cannot render {self.channels} channels: choose 1 or 2")
        draw_track(self.seed, duration=self.duration)
        found = "" if self.soundfont == "" else str(choose_soundfont(self.soundfont) or "")
        return Plan(self.seed, self.duration, found, self.channels)

    def item_seed(self, index: int) -> int:
        """Return the seed of one item: the same whoever asks, and in whatever order."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1, np.uint64)[0] >> 2)

    def render(self, index: int) -> RenderedTrack:
        """Draw and render the track with a number."""
        draw = draw_track(self.item_seed(index), duration=self.duration)
        return render_track(draw, player=_open_once(self.soundfont))


@lru_cache(maxsize=1)
def _open_once(soundfont: str | None) -> Player | None:
    """Load the SoundFont once per process."""
    return None if soundfont == "" else open_player(soundfont)


def quantize(samples: Samples, *, channels: int) -> npt.NDArray[np.int16]:
    """Round ``[2, N]`` to 16 bits, ``[N, channels]``; one channel is the mean of both.

    Example:
        >>> quantize(np.ones((2, 3), np.float32), channels=1).ravel().tolist()
        [32767, 32767, 32767]
    """
    folded = samples if channels == 2 else samples.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.round(np.clip(folded.T, -1, 1) * _FULL_SCALE).astype(np.int16)


def write_flac(path: Path, integers: npt.NDArray[np.int16]) -> None:
    """Write ``[N, C]`` integers as 16-bit FLAC at 44.1 kHz."""
    soundfile.write(path, integers, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=0.3)


def track_folder(out: Path, index: int) -> Path:
    """Return the folder of a track, counted from 1.

    Example:
        >>> track_folder(Path("slakh"), 1).name
        'Track00001'
    """
    return out / f"Track{index:05d}"


Writer = Callable[[Path, Plan, int], None]


def _make(index: int, *, out: Path, plan: Plan, writer: Writer) -> None:
    """Make one track in a hidden folder, and give it its name when it is whole."""
    hidden = out / f".Track{index:05d}.part"
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir()
        writer(hidden, plan, index)
        hidden.rename(track_folder(out, index))
    except (OSError, soundfile.SoundFileError) as error:
        raise DatasetError(f"cannot write {hidden}: {error}: make room there and resume") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _settle(out: Path, plan: Plan, layout: str) -> None:
    """Note the settings in the folder, or compare with those that its tracks were made with."""
    mine = {"layout": layout, **asdict(plan)}
    file = out / _SETTINGS
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")
        theirs = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot render into {out}: {error}: choose another folder") from error
    if theirs != mine:
        known = theirs if isinstance(theirs, dict) else {}
        different = ", ".join(key for key in {**mine, **known} if key not in known or known[key] != mine.get(key))
        raise SettingsError(f"{out} was rendered with another {different}: choose another folder or the same values")


def render_tracks(
    out: Path,
    plan: Plan,
    writer: Writer,
    *,
    layout: str,
    tracks: int,
    jobs: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Make tracks 1..n that are not there yet, each with a writer; returns how many were made.

    Raises:
        DatasetError: if a number is out of range, or writing fails.
        SettingsError: if the folder cannot be made, or belongs to other settings.
    """
    if tracks < 1:
        raise DatasetError(f"cannot render {tracks} tracks: ask for 1 or more")
    checked = plan.check()
    _settle(out, checked, layout)
    missing = [index for index in range(1, tracks + 1) if not track_folder(out, index).exists()]
    work = partial(_make, out=out, plan=checked, writer=writer)
    return _make_missing(work, missing, n_wanted=tracks, jobs=jobs, progress=progress)


def _make_missing(
    work: Callable[[Item], None],
    missing: Sequence[Item],
    *,
    n_wanted: int,
    jobs: int | None,
    progress: Callable[[float], None] | None,
) -> int:
    """Make what is not there yet of all that is wanted, telling the fraction that is; returns how many were made."""
    before = n_wanted - len(missing)
    report = progress or (lambda fraction: None)
    report(before / n_wanted)
    run_all(work, missing, jobs=jobs, progress=lambda done: report((before + done) / n_wanted))
    return len(missing)


def _write_categories(folder: Path, plan: Plan, index: int) -> None:
    track = plan.render(index)
    for name in track.categories:
        write_flac(folder / f"{name}.flac", quantize(track.category(name), channels=plan.channels))


def render_stems(
    out: str | os.PathLike[str],
    *,
    tracks: int,
    seed: int,
    duration: float = 60.0,
    soundfont: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    channels: int = 1,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write songs as ``TrackNNNNN/{drums,bass,vocals,other}.flac``: what training needs, and no more.

    A category that does not sound in a song has no file. The songs are those of the Slakh layout
    (``slakh.render_dataset``) with the same seed and duration.

    Args:
        out: folder to write to; finished tracks in it are kept.
        tracks: how many tracks shall be there.
        seed: of everything.
        duration: of each track in seconds.
        soundfont: path of a SoundFont; None takes an installed one, "" synthesizes everything.
        jobs: number of processes; None takes one per core.
        channels: 1 or 2.
        progress: called with the fraction done.

    Returns:
        How many tracks were made now.

    Raises:
        DatasetError: if a value is out of range, or writing fails.
        SettingsError: if the folder cannot be made, or holds tracks of other settings.
    """
    plan = Plan(seed, duration, None if soundfont is None else os.fspath(soundfont), channels)
    return render_tracks(
        Path(out), plan, _write_categories, layout="stems", tracks=tracks, jobs=jobs, progress=progress
    )


@dataclass(frozen=True)
class _Sound:
    """One file of a collection of sounds."""

    path: Path
    prompt: str
    seed: int


def _sfx(seed: int) -> Samples:
    sound = render_effect(draw_effect(seed))
    return np.stack([sound, sound])


def _ambience(seed: int) -> Samples:
    rng = np.random.default_rng([20, seed])
    return render_ambience(draw_ambience(seed, duration=round(float(rng.uniform(10.0, 30.0)), 2)))


def _speech(seed: int) -> Samples:
    return render_speech(draw_speech(seed))


_SOUNDS: dict[str, Callable[[int], Samples]] = {"sfx": _sfx, "sfx-mix": _ambience, "speech": _speech}


def _make_sound(sound: _Sound, *, channels: int) -> None:
    hidden = sound.path.with_name(f".{sound.path.name}.part")
    try:
        write_flac(hidden, quantize(_SOUNDS[sound.prompt](sound.seed), channels=channels))
        hidden.rename(sound.path)
    except (OSError, soundfile.SoundFileError) as error:
        raise DatasetError(f"cannot write {hidden}: {error}: make room there and resume") from error
    finally:
        hidden.unlink(missing_ok=True)


def render_sounds(
    out: str | os.PathLike[str],
    *,
    count: int,
    seed: int,
    jobs: int | None = None,
    channels: int = 1,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write sounds as ``{sfx,sfx-mix,speech}/NNNNN.flac``: effects, ambiences, and speech where espeak-ng is installed.

    Args:
        out: folder to write to; finished files in it are kept.
        count: how many files of each kind shall be there.
        seed: of everything.
        jobs: number of processes; None takes one per core.
        channels: 1 or 2.
        progress: called with the fraction done.

    Returns:
        How many files were made now.

    Raises:
        DatasetError: if a value is out of range, or writing fails.
        SettingsError: if the folder cannot be made, or holds sounds of other settings.
    """
    if count < 1:
        raise DatasetError(f"cannot render {count} sounds: ask for 1 or more")
    plan = Plan(seed, 1.0, "", channels).check()
    folder = Path(out)
    _settle(folder, plan, "sounds")
    kinds = [name for name in _SOUNDS if name != "speech" or find_espeak() is not None]
    for name in kinds:
        (folder / name).mkdir(exist_ok=True)
    sounds = [
        _Sound(folder / name / f"{index:05d}.flac", name, plan.item_seed(index))
        for index in range(1, count + 1)
        for name in kinds
    ]
    missing = [sound for sound in sounds if not sound.path.exists()]
    work = partial(_make_sound, channels=channels)
    return _make_missing(work, missing, n_wanted=len(sounds), jobs=jobs, progress=progress)
