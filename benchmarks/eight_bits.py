"""What eight bits do to stems: ``python benchmarks/eight_bits.py SONGS -m MODEL``.

SONGS holds folders of ``mixture.flac`` and true stems such as ``vocals.flac``. Each song is separated by the weights as
they are and by the same weights in eight bits. "Error" is what the stems of both have not in common, next to the stem;
the difference in SI-SDR is counted where the true stem is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from unbraid.audio.files import read_audio
from unbraid.evaluation.metrics import si_sdr
from unbraid.evaluation.records import provenance
from unbraid.guides.kinds import Prompts
from unbraid.models.eight_bits import narrow, widen
from unbraid.separation import separate
from unbraid.zoo import load_model


def main() -> None:
    """Separate all songs twice, and print a line of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="folder of songs")
    parser.add_argument("-m", "--model", default="tuss-small", help="one that knows vocals, drums, bass and other")
    arguments = parser.parse_args()
    exact, narrowed = load_model(arguments.model), load_model(arguments.model)
    narrowed.load_state_dict(widen(narrow(narrowed.state_dict())))
    errors, differences = [], []
    for folder in sorted(path.parent for path in arguments.songs.glob("*/mixture.flac")):
        mixture = read_audio(folder / "mixture.flac")
        first, second = (separate(mixture, Prompts.task("music"), model=model) for model in (exact, narrowed))
        for name, stem in first.stems.items():
            one, other = stem.samples, second.stems[name].samples
            errors.append(10 * float(((one - other).square().sum() / one.square().sum()).log10()))
            if (folder / f"{name}.flac").is_file():
                truth = read_audio(folder / f"{name}.flac").samples
                change = si_sdr(estimate=other, reference=truth) - si_sdr(estimate=one, reference=truth)
                differences.append(float(change.mean()))
    print(
        f"| {arguments.model} | {statistics.mean(errors):.1f}, worst {max(errors):.1f} ({len(errors)} stems) "
        f"| {statistics.mean(differences):+.4f}, largest {max(map(abs, differences)):.4f} ({len(differences)}) |"
    )
    print(f"\n- made by: `{json.dumps(provenance(), sort_keys=True)}`")


if __name__ == "__main__":
    main()
