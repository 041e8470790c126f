"""The sources that TUSS is trained with, out of the public datasets: all of them in one pool, as they lie on disk.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025, Table I, and the data preparation that was
published with it. Every item of a prompt is drawn equally often, so big datasets dominate small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unbraid.datasets.activity import MOISES_ACTIVITY, MUSDB_ACTIVITY, ActivityRule, active_spans
from unbraid.datasets.prompt_chain import INSTRUMENTS
from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.labels import meaning
from unbraid.datasets.public.measurements import measure
from unbraid.datasets.public.reading import read_stem
from unbraid.datasets.public.sources import source_of
from unbraid.datasets.public.speech_preparation import (
    band_rates,
    fsd50k_prompt,
    listed,
    silent_stems,
    trimmed_stems,
    windows,
)
from unbraid.datasets.public.wsj0 import read_mixing_list
from unbraid.datasets.track import Source
from unbraid.errors import DatasetError

KEPT_LIST = "keep.txt"
MIXING_LIST = "mix_2_spk_tr.txt"


def speech_sources(tracks: Sequence[Track], *, narrow: bool = False, trim: bool = False) -> list[Source]:
    """Return utterances as ``speech``; all of one speaker go to one side of a division.

    Args:
        tracks: with one stem each.
        narrow: estimate the band of each recording, which may be narrower than its rate.
        trim: take the silence off both ends.
    """
    stems = [track.stems[0] for track in tracks]
    stems = trimmed_stems(stems) if trim else stems
    rates = band_rates(stems) if narrow else [0] * len(stems)
    return [
        replace(source_of(track, stem, "speech"), track=_together(track, "speaker"), band_rate=rate)
        for track, stem, rate in zip(tracks, stems, rates, strict=True)
    ]


def noise_sources(tracks: Iterable[Track]) -> list[Source]:
    """Return long recordings of noise as ``sfx-mix``, in windows of 8 s, 4 s apart; of DEMAND the first microphone."""
    sources = []
    for track in tracks:
        if track.details.get("channel", 1) == 1:
            source = source_of(track, track.stems[0], "sfx-mix")
            spans = windows(source.n_samples, source.sample_rate)
            sources.append(replace(source, spans=spans, track=_together(track, "place")))
    return sources


def effect_sources(tracks: Iterable[Track]) -> list[Source]:
    """Return clips of FSD50K as ``sfx`` and ``sfx-mix``; all of one uploader go to one side of a division.

    Raises:
        DatasetError: if the metadata are not there.
    """
    prompts = ((track, fsd50k_prompt(track)) for track in tracks)
    return [
        replace(source_of(track, track.stems[0], prompt), track=_together(track, "uploader"))
        for track, prompt in prompts
        if prompt
    ]


def instrument_sources(tracks: Iterable[Track], *, activity: ActivityRule) -> list[Source]:
    """Return the stems of songs as ``bass``, ``drums``, ``vocals`` and ``other``, where they sound.

    Stems are told by their labels (`unbraid.datasets.public.labels`); what is none of the four is left out. Of MoisesDB
    each recorded track is a source. Files are read once to find where they sound, and that is remembered.

    Args:
        tracks: of songs.
        activity: which windows count.
    """
    found = [(track, stem, meaning(track, stem).prompt) for track in tracks for stem in track.stems]
    found = [(track, stem, prompt) for track, stem, prompt in found if prompt in INSTRUMENTS]
    spans = measure([stem for _, stem, _ in found], f"active {activity}", lambda stem: _active(stem, activity))
    return [
        replace(source_of(track, stem, prompt), spans=tuple((start, stop) for start, stop in pieces))
        for (track, stem, prompt), pieces in zip(found, spans, strict=True)
        if pieces
    ]


def music_sources(tracks: Iterable[Track]) -> list[Source]:
    """Return clips of music as ``music-mix``; silent ones are left out, all of one artist go to one side."""
    tracks = list(tracks)
    silent = silent_stems([track.stems[0] for track in tracks])
    return [
        replace(source_of(track, track.stems[0], "music-mix"), track=_together(track, "artist"))
        for track, is_silent in zip(tracks, silent, strict=True)
        if not is_silent
    ]


def tuss_sources(roots: Mapping[str, Path]) -> list[Source]:
    """Return all sources for training out of the datasets that are there.

    Args:
        roots: where datasets lie, by their names; those of `TRAINING` are taken. In that of ``wsj0`` a file
            ``mix_2_spk_tr.txt`` (of wsj0-2mix) chooses the utterances, in that of ``librivox`` a file ``keep.txt``.

    Raises:
        DatasetError: if none of them is there, or one is not what it should be.
    """
    sources = [source for name, prepare in TRAINING.items() if name in roots for source in prepare(roots[name])]
    if not sources:
        raise DatasetError(f"there is none of {', '.join(TRAINING)}: put them into folders of these names")
    return sources


def roots_in(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder that have the names of datasets.

    Raises:
        DatasetError: if there is none.
    """
    wanted = (*TRAINING, "vctk-demand", "wham", "whamr-anechoic", "fuss", "dnr")
    found = {name: folder / name for name in wanted if (folder / name).is_dir()}
    if not found:
        raise DatasetError(f"{folder}: it holds none of {', '.join(wanted)}: put each into a folder of its name")
    return found


def _wsj0(root: Path) -> list[Source]:
    tracks = find("wsj0").index(root, "si_tr_s")
    if (root / MIXING_LIST).is_file():
        names = read_mixing_list(root / MIXING_LIST)
        tracks = [track for track in tracks if track.name in names]
    return speech_sources(tracks)


def _librivox(root: Path) -> list[Source]:
    tracks = find("librivox").index(root, "all")
    if (root / KEPT_LIST).is_file():
        tracks = listed(tracks, root / KEPT_LIST)
    return speech_sources(tracks, narrow=True)


TRAINING: Mapping[str, Callable[[Path], list[Source]]] = {
    "vctk": lambda root: speech_sources(find("vctk").index(root, "train")),
    "vctk-0.80": lambda root: speech_sources(find("vctk-0.80").index(root, "train"), trim=True),
    "wsj0": _wsj0,
    "librivox": _librivox,
    "fsd50k": lambda root: effect_sources(find("fsd50k").index(root, "dev")),
    "wham-noise": lambda root: noise_sources(find("wham-noise").index(root, "train")),
    "demand": lambda root: noise_sources(find("demand").index(root, "train")),
    "musdb18-hq": lambda root: instrument_sources(find("musdb18-hq").index(root, "train"), activity=MUSDB_ACTIVITY),
    "moisesdb": lambda root: instrument_sources(find("moisesdb").index(root, "train"), activity=MOISES_ACTIVITY),
    "fma-medium": lambda root: music_sources(find("fma-medium").index(root, "train")),
}
"""How each dataset becomes sources for training, by its name."""


def _together(track: Track, detail: str) -> str:
    """Name what belongs together: the tracks of one speaker, place, uploader or artist."""
    who = track.details.get(detail)
    return f"{track.dataset}/{who or track.name}"


def _active(stem: Stem, activity: ActivityRule) -> list[tuple[int, int]]:
    samples = read_stem(stem, 0, stem.n_samples)[0]
    return list(active_spans(samples, stem.recordings[0].sample_rate, rule=activity))
