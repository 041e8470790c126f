"""Make the packs that tuss_small is trained with: ``python recipes/packs/make_packs.py RECORDINGS packs``.

RECORDINGS is a folder of folders of speech, effects, instruments and songs, as `datasets.recordings` describes it;
leave it out ("") to train with composed music and synthesized sounds alone. What is there already is kept.
"""

import sys
from pathlib import Path

from unbraid.datasets.folders import read_folder
from unbraid.datasets.packing import PackSettings, build_pack
from unbraid.datasets.recordings import pack_recordings
from unbraid.datasets.render import render_sounds, render_stems

SETTINGS = PackSettings(sample_rate=44100)
MUSIC = {  # name of the pack: tracks, seed, SoundFont ("" synthesizes everything, None takes an installed one)
    "music_sf": (130, 1, None),
    "music_syn": (60, 2, ""),
    "music2_sf": (80, 11, None),
    "music2_syn": (40, 12, ""),
}


def main(recordings: str, out: Path) -> None:
    """Render, then pack."""
    rendered = out.with_name(f"{out.name}-rendered")
    for name, (tracks, seed, soundfont) in MUSIC.items():
        render_stems(rendered / name, tracks=tracks, seed=seed, duration=60.0, soundfont=soundfont)
    render_sounds(rendered / "sounds", count=300, seed=1)
    for name in (*MUSIC, "sounds"):
        if not (out / name).exists():
            print(name, build_pack(read_folder(rendered / name), out / name, settings=SETTINGS))
    if recordings and not (out / "recordings").exists():
        print("recordings", pack_recordings(Path(recordings), out / "recordings", settings=SETTINGS))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
