"""Make the packs of GuideSep: ``python recipes/packs/make_mimicry_packs.py RECORDINGS OUT [SONGS ...]``.

RECORDINGS is a folder of folders of MIDI files, single notes, songs, speech and effects ("" for composed music alone);
SONGS are folders of multitracks of your own: those with MIDI files (Slakh2100) give targets, the others (MoisesDB)
backgrounds. What is there already is kept. Packs whose names end in "train" are trained with, those in "valid" are
not: they hold composed songs of other seeds and every fourteenth MIDI file. UNBRAID_SCALE (default 1) multiplies the
numbers of composed songs and of windows of each stem.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from unbraid.datasets.folders import StemFile
from unbraid.datasets.melody_songs import (
    ComposedSong,
    FolderSong,
    MidiSong,
    Solo,
    Song,
    folder_songs,
    recorded_notes,
)
from unbraid.datasets.mimicry_packing import ImitationSettings, pack_melodies
from unbraid.datasets.mimicry_players import PROGRAMS
from unbraid.datasets.multitrack_packing import read_multitracks

SCALE = float(os.environ.get("UNBRAID_SCALE", "1"))
HELD_OUT = slice(7, None, 14)
N_SHARDS = 4
TRAIN = ImitationSettings(n_windows=max(1, round(6 * SCALE)), seed=1)
VALID = ImitationSettings(n_windows=3, seed=2)
SPEECH, EFFECTS = "speech_librispeech/**/*.ogg", "sfx_*/*.ogg"
LONG_BYTES = 40_000  # of a compressed effect: shorter ones are over before a window is


def backgrounds(recordings: Path) -> list[FolderSong]:
    """Return recorded songs, speech and effects, which are never targets."""
    songs = [
        song for folder in ("multitrack", "multitrack_kira") for song in folder_songs(stems_of(recordings, folder))
    ]
    for label, pattern in (("speech", SPEECH), ("effects", EFFECTS)):
        files = [file for file in sorted(recordings.glob(pattern)) if file.stat().st_size > LONG_BYTES]
        stems = [StemFile(file, file.stem, label, f"{label}-{file.stem}") for file in files]
        songs.extend(FolderSong(stem.track, (stem,)) for stem in stems)
    return songs


def stems_of(recordings: Path, folder: str) -> list[StemFile]:
    """Return the stems of a folder of songs, if it is there."""
    return read_multitracks(recordings / folder) if (recordings / folder).is_dir() else []


def main(recordings: str, out: Path, songs: list[str]) -> None:
    """Render, imitate and pack."""
    packs: dict[str, tuple[Sequence[Song], ImitationSettings]] = {
        "composed_valid": ([ComposedSong(90_000 + number) for number in range(8)], VALID)
    }
    for folder in songs:
        packs[f"{Path(folder).stem}_train"] = (folder_songs(read_multitracks(Path(folder))), TRAIN)
    if recordings:
        source = Path(recordings)
        files = sorted(source.rglob("*.mid"))
        held_out = files[HELD_OUT]
        learned = [MidiSong(file) for file in files if file not in held_out]
        packs["midi_valid"] = ([MidiSong(file) for file in held_out], VALID)
        packs |= {f"midi{shard}_train": (learned[shard::N_SHARDS], TRAIN) for shard in range(N_SHARDS)}
    packs["solo_train"] = ([Solo(program, 1) for program in PROGRAMS], TRAIN)
    n_composed = round(120 * SCALE)
    composed = [ComposedSong(40_000 + number) for number in range(n_composed)]
    packs |= {f"composed{shard}_train": (composed[shard::N_SHARDS], TRAIN) for shard in range(N_SHARDS)}
    if recordings:
        packs["recorded_train"] = ([*recorded_notes(source, n_each=2), *backgrounds(source)], TRAIN)
    for name, (mine, settings) in packs.items():
        if mine and not (out / name).exists():
            began = time.monotonic()
            print(
                name,
                pack_melodies(mine, out / name, settings=settings),
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
