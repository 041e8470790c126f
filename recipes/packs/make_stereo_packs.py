"""Make the stereo packs that lasaft_light is trained with: ``python recipes/packs/make_stereo_packs.py SONGS packs``.

SONGS is a folder of recordings as `datasets.recordings` describes it; leave it out ("") to train with composed music
alone. All channels are stored: what has one is placed between the loudspeakers when a mixture is drawn. What is there
already is kept.
"""

import sys
from pathlib import Path

from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.folders import read_folder
from unbraid.datasets.packing import PackSettings, build_pack
from unbraid.datasets.recordings import pack_recordings
from unbraid.datasets.render import render_stems

SETTINGS = PackSettings(sample_rate=44100, channel=ChannelChoice.RANDOM, music_mixes=False)
MUSIC = {  # name of the pack: tracks, seed, SoundFont ("" synthesizes everything, None takes an installed one)
    "stereo_sf": (100, 21, None),
    "stereo_syn": (50, 22, ""),
}


def main(recordings: str, out: Path) -> None:
    """Render, then pack."""
    rendered = out.with_name(f"{out.name}-rendered")
    for name, (tracks, seed, soundfont) in MUSIC.items():
        render_stems(rendered / name, tracks=tracks, seed=seed, duration=60.0, soundfont=soundfont, channels=2)
        if not (out / name).exists():
            print(name, build_pack(read_folder(rendered / name), out / name, settings=SETTINGS))
    if recordings and not (out / "stereo_recordings").exists():
        print(pack_recordings(Path(recordings), out / "stereo_recordings", settings=SETTINGS))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
