"""Separate a recording of any length in bounded memory, block by block.

This is the loop inside `unbraid separate`, for programs that take sound from elsewhere or send it elsewhere.

    python examples/long_recording.py lecture.flac speech.wav
"""

import argparse

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import open_audio
from unbraid.audio.writing import AudioWriter

parser = argparse.ArgumentParser(description="Keep only the speech of a long recording.")
parser.add_argument("recording")
parser.add_argument("speech")
parser.add_argument("--model", default="tuss-small")
options = parser.parse_args()

model = unbraid.load_model(options.model)
with open_audio(options.recording) as reader:
    stream = unbraid.separate_stream(
        model,
        reader.blocks(),
        unbraid.Prompts("speech sfx-mix"),
        sample_rate=reader.sample_rate,
        n_samples=reader.n_samples,
    )
    with AudioWriter(
        options.speech,
        sample_rate=reader.sample_rate,
        n_channels=reader.n_channels,
        encoding=Encoding("wav", "float"),
    ) as writer:
        for block in stream:
            writer.write(block.stems[stream.names.index("speech")])

print(f"{options.speech}: presence of speech {stream.presence['speech']}")
