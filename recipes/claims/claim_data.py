"""What all runs of the claims are trained and examined with: one split of the packs of multitracks.

The packs are made by recipes/packs/make_multitrack_packs.py: 22.05 kHz, one channel, one stem per instrument. A quarter
of the songs is held out. LaSAFT is given the same songs, with every instrument that is not vocals, drums or bass as
"other".
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from unbraid.datasets.multitracks import Ensembles, Solos, Songs
from unbraid.datasets.pack import read_pack
from unbraid.datasets.track import Source, SourcePool
from unbraid.evaluation.tracks import Labels, TrackSource, pool_tracks

SAMPLE_RATE = 22050
HELD_OUT = 0.25
SONGS = ("synth_composed", "synth_midi")
SOLOS = ("solo_played", "solo_recorded")
STEMS = ("vocals", "drums", "bass")
N_TRACKS = {"synth_composed": 8, "synth_midi": 4}
DURATION = 12.0


@cache
def split(packs: Path, name: str) -> tuple[SourcePool, SourcePool]:
    """Return the sources of a pack to train with, and those that are held out."""
    return SourcePool(read_pack(packs / name)).split(HELD_OUT)


def ensembles(packs: Path) -> dict[str, Ensembles]:
    """Return the multitracks of the few-shot networks, by the name of their set."""
    songs = [source for name in SONGS for source in split(packs, name)[0].sources.values()]
    solos = [source for name in SOLOS for source in split(packs, name)[0].sources.values()]
    return {"synth": Songs(songs), "solo": Solos(solos)}


@cache
def stems(packs: Path) -> SourcePool:
    """Return the songs to train LaSAFT with."""
    sources = [source for name in SONGS for source in split(packs, name)[0].sources.values()]
    return SourcePool(_as_stem(source) for source in sources)


def _as_stem(source: Source) -> Source:
    return replace(source, prompt=source.prompt if source.prompt in STEMS else "other")


def tracks(packs: Path, labels: Labels) -> list[TrackSource]:
    """Return the songs that every run is examined on: no run has seen them."""
    return [
        track
        for name, count in N_TRACKS.items()
        for track in pool_tracks(split(packs, name)[1], labels=labels, count=count, seed=0, duration=DURATION)
    ]
