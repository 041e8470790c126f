"""Take the recording in demo/ apart and say how well: what `make demo` runs.

The table compares each stem with the true one, which the recording comes with. The song has no bass, so the bass is
asked for as well: its stem should be close to silence, and its presence low.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio
from unbraid.audio.loudness import loudness_lufs, rms_db
from unbraid.audio.writing import write_audio
from unbraid.evaluation.metrics import si_sdr, si_sdr_improvement

RECORDING = Path(__file__).parents[1] / "demo" / "francium"


@dataclass(frozen=True)
class Row:
    """One line of the table; the scores are None where no true stem ships."""

    name: str
    audio: unbraid.Audio
    presence: float | None
    si_sdr: float | None
    improvement: float | None


def score(separation: unbraid.Separation, mixture: unbraid.Audio) -> list[Row]:
    """Hold each stem against the true one of its name, where there is one."""
    rows = []
    for name, audio in separation.stems.items():
        true = RECORDING / f"{name}.flac"
        scores: list[float | None] = [None, None]
        if true.exists():
            estimate, reference = audio.samples, read_audio(true).samples
            improvement = si_sdr_improvement(estimate=estimate, reference=reference, mixture=mixture.samples)
            scores = [float(si_sdr(estimate=estimate, reference=reference).mean()), float(improvement.mean())]
        rows.append(Row(name, audio, separation.presence[name], *scores))
    rows.append(Row("residual", separation.residual, None, None, None))
    return rows


def draw_table(rows: list[Row]) -> Table:
    """Put the rows into a table for the terminal."""
    table = Table("stem", title="Francium, taken apart")
    for heading in ("seconds", "LUFS", "dBFS", "presence", "SI-SDR dB", "SI-SDRi dB"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.audio.duration:.2f}",
            f"{loudness_lufs(row.audio.samples, row.audio.sample_rate):.1f}",
            f"{rms_db(row.audio.samples):.1f}",
            "-" if row.presence is None else f"{row.presence:.2f}",
            "-" if row.si_sdr is None else f"{row.si_sdr:.1f}",
            "-" if row.improvement is None else f"{row.improvement:+.1f}",
        )
    return table


def main() -> None:
    """Separate, write, compare, print."""
    parser = argparse.ArgumentParser(description="Take the recording in demo/ apart and say how well.")
    parser.add_argument("--model", default="tuss-small")
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    options = parser.parse_args()
    console = Console()

    mixture = read_audio(RECORDING / "mixture.flac")
    model = unbraid.load_model(options.model)
    began = time.perf_counter()
    separation = unbraid.separate(mixture, unbraid.Prompts.task("music"), model=model)
    seconds = time.perf_counter() - began

    rows = score(separation, mixture)
    for row in rows:
        write_audio(options.out / f"{row.name}.wav", row.audio, encoding=Encoding("wav", "16"))
    console.print(draw_table(rows))
    console.print(
        f"{mixture.duration:.1f} s of stereo took {seconds:.2f} s ({seconds / mixture.duration:.3f} times real time, "
        f"{torch.get_num_threads()} threads). The recording has no bass. Listen: {options.out}/",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
