"""Draw docs/picture.png, the spectrograms of the demo recording and of its stems: `make picture`."""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt

import unbraid
from unbraid.audio.files import read_audio
from unbraid.audio.stft import Stft

DOCS = Path(__file__).parent
RECORDING = DOCS.parent / "demo" / "francium" / "mixture.flac"
PROMPTS = "vocals drums other"
N_FFT, HOP_LENGTH = 2048, 512
SHOWN_HZ = (40, 16_000)
RANGE_DB = 70


def levels_db(audio: unbraid.Audio) -> npt.NDArray[np.float32]:
    """Return the level of the mean of the channels in each bin and frame, in dB."""
    magnitude = Stft(N_FFT, HOP_LENGTH)(audio.samples.mean(dim=0)).abs()
    levels: npt.NDArray[np.float32] = (20 * magnitude.clamp_min(1e-6).log10()).numpy()
    return levels


def main() -> None:
    """Separate the recording and draw it."""
    parser = argparse.ArgumentParser(description="Draw the spectrograms of the demo recording and of its stems.")
    parser.add_argument("--model", default="tuss-small")
    parser.add_argument("--out", type=Path, default=DOCS / "picture.png")
    options = parser.parse_args()

    mixture = read_audio(RECORDING)
    separation = unbraid.separate(mixture, unbraid.Prompts(PROMPTS), model=options.model)
    panels = {"mixture": mixture, **separation.stems, "residual": separation.residual}

    top = max(levels_db(audio).max() for audio in panels.values())
    frequencies = np.linspace(0, mixture.sample_rate / 2, N_FFT // 2 + 1)
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 3), sharey=True, layout="constrained")
    for axis, (name, audio) in zip(axes, panels.items(), strict=True):
        levels = levels_db(audio)
        times = np.arange(levels.shape[1]) * HOP_LENGTH / audio.sample_rate
        axis.pcolormesh(times, frequencies, levels, vmin=top - RANGE_DB, vmax=top, cmap="magma", rasterized=True)
        axis.set(title=name, yscale="log", ylim=SHOWN_HZ, xlabel="seconds")
    axes[0].set_ylabel("hertz")
    figure.savefig(options.out, dpi=100)


if __name__ == "__main__":
    main()
