"""Say when each sound is there, from the presence that a model reports for each window.

python examples/when_does_it_sound.py song.mp3 "speech vocals drums"
"""

import argparse

import unbraid

parser = argparse.ArgumentParser(description="Say when each sound is there.")
parser.add_argument("recording")
parser.add_argument("prompts")
parser.add_argument("--model", default="tuss-small")
options = parser.parse_args()

separation = unbraid.separate(options.recording, unbraid.Prompts(options.prompts), model=options.model)
print("second  " + "  ".join(f"{name:>8}" for name in separation.stems))
for start, presence in separation.presence_curve:
    print(f"{start:6.1f}  " + "  ".join(f"{value:8.2f}" for value in presence))
