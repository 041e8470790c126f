"""Make the packs of the few-shot recipes: ``python recipes/packs/make_multitrack_packs.py RECORDINGS OUT [SONGS ...]``.

RECORDINGS is a folder of folders of notes, phrases, songs and MIDI files ("" for composed music alone); SONGS are
folders of multitracks of your own, such as MoisesDB or Slakh2100. What is there already is kept. A pack whose name
begins with "solo" holds solos, which are mixed at random; "real" holds recorded, "synth" rendered songs.
"""

import sys
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from unbraid.datasets.folders import StemFile
from unbraid.datasets.multitrack_packing import (
    Track,
    compose_songs,
    open_songs,
    pack_multitracks,
    play_songs,
    read_multitracks,
)
from unbraid.datasets.solos import play_solos, record_solos, sing_solos
from unbraid.datasets.soundfont import open_player

REAL = {"multitrack": {"other": "synthesizer"}, "multitrack_kira": {"pad": "synthesizer", "lead": "synthesizer"}}


def real_songs(recordings: Path) -> list[StemFile]:
    """Return the stems of the few recorded songs; what they call other is a synthesizer."""
    stems = []
    for folder, labels in REAL.items():
        for stem in read_multitracks(recordings / folder):
            label = labels.get(stem.path.stem, stem.prompt)
            stems.append(StemFile(stem.path, stem.name, label, f"{folder}-{stem.track}"))
    return stems


def main(recordings: str, out: Path, songs: list[str]) -> None:
    """Render and pack."""
    player = open_player()
    packs: dict[str, Callable[[], Iterable[Track]]] = {
        "synth_composed": lambda: compose_songs(range(9000, 9045), duration=36.0, player=player),
    }
    for song in songs:
        packs[f"real_{Path(song).stem}"] = lambda song=song: open_songs(read_multitracks(Path(song)))
    if player is not None:
        packs["solo_played"] = lambda: chain(play_solos(1, n_each=9, player=player), sing_solos(1, n_each=9))
    if recordings:
        source = Path(recordings)
        packs["real_open"] = lambda: open_songs(real_songs(source))
        packs["solo_recorded"] = lambda: record_solos(source)
        if player is not None:
            packs["synth_midi"] = lambda: play_songs(sorted(source.rglob("*.mid")), duration=36.0, player=player)
    for name, tracks in packs.items():
        if not (out / name).exists():
            print(name, pack_multitracks(tracks(), out / name, train_only=name == "real_open"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
