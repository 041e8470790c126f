"""Take the voice out of a song: the residual of asking for the vocals is the backing track.

python examples/karaoke.py song.mp3 backing.wav
"""

import argparse

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.writing import write_audio

parser = argparse.ArgumentParser(description="Take the voice out of a song.")
parser.add_argument("song")
parser.add_argument("backing")
parser.add_argument("--model", default="tuss-small")
options = parser.parse_args()

separation = unbraid.separate(options.song, unbraid.Prompts("vocals"), model=options.model)
written = write_audio(options.backing, separation.residual, encoding=Encoding("wav", "24"))
print(f"{written.path}: {separation.residual.duration:.1f} s without the voice")
