"""Ways to search with priors: ``python benchmarks/priors.py SONGS PRIOR.safetensors ... [--ways mle map default]``.

SONGS is a tree of evaluation items (see docs/evaluation.md); composed songs that no training has heard can be added. Of
each, one passage is separated by all priors together, in the way of `unbraid.separate`. Priors of vocals, drums and
bass answer for themselves, the sum of all others for the rest of a song. The tables have, for each way, the improvement
of SI-SDR over the mixture by source, its mean and that of SDR over all sources of all songs, in dB; what is left of the
divergence that the search of the paper began with, in the middle (median) of all songs; iterations; and seconds of one
thread (those of the process) for a second of audio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.evaluation.items import find_items
from unbraid.evaluation.metrics import sdr, si_sdr_improvement
from unbraid.evaluation.records import provenance
from unbraid.evaluation.tracks import Part, by_stem, composed_tracks
from unbraid.guides.kinds import Label
from unbraid.models.instglow import Instglow, combine
from unbraid.models.instglow_search import SEARCHES, Progress, SearchConfig
from unbraid.separation import Settings, separate
from unbraid.zoo import load_model

LABELS = ("vocals", "drums", "bass", "other")
REST = "other"
SOUNDING = 1e-6  # mean square


class Way(NamedTuple):
    """A search, and the precision of its products."""

    search: SearchConfig
    precision: str = "fp32"


MLE, DEFAULT = SEARCHES["mle"], SEARCHES["default"]
WAYS: dict[str, Way] = {
    **{name: Way(search) for name, search in SEARCHES.items()},
    "default, bf16": Way(DEFAULT, "bf16"),
    "default, until flat": Way(replace(DEFAULT, tolerance=1e-3)),
    "default, shares of magnitudes": Way(replace(DEFAULT, exponent=1.0)),
    "default, magnitudes as they are": Way(replace(DEFAULT, power=1.0)),
    "default, prior in latent space": Way(replace(DEFAULT, prior_weight=0.01)),
    "default, prior in data space": Way(replace(DEFAULT, prior_weight=0.001, space="data")),
    "default, masked": Way(replace(DEFAULT, masked=True)),
    "mle, shares of powers": Way(replace(MLE, exponent=2.0)),
    "mle, larger steps": Way(replace(MLE, learning_rate=0.05, slowing=0.0, n_iterations=40)),
    "mle, until flat": Way(replace(MLE, tolerance=1e-3)),
}


@dataclass(frozen=True, eq=False)
class Song:
    """A passage: the true sources ``[C, N]`` by label, those that sound."""

    name: str
    kind: str
    sample_rate: int
    sources: dict[str, Tensor]

    @property
    def mixture(self) -> Tensor:
        """Their sum, ``[C, N]``."""
        return torch.stack(list(self.sources.values())).sum(dim=0)


class Answer(NamedTuple):
    """How a way did on one song: improvements in dB by label, the rest of the divergence, and what it took."""

    kind: str
    si_sdr: dict[str, float]
    sdr: dict[str, float]
    left: float
    n_iterations: int
    factor: float


def songs(folder: Path, *, n_composed: int, start: float, seconds: float) -> Iterator[Song]:
    """Yield the passages."""
    for item in (source.read() for source in find_items(folder)):
        part = slice(round(start * item.sample_rate), round((start + seconds) * item.sample_rate))
        sources = {one.prompt: one.samples[:, part] for one in item.references}
        yield _song(item.name, "recorded", item.sample_rate, sources)
    composed = composed_tracks(labels=by_stem, count=n_composed, seed=7, duration=start + seconds + 2, player=None)
    for track in (source.read() for source in composed):
        part = Part(round(start * track.sample_rate), round((start + seconds) * track.sample_rate))
        sources = {label: track.reference(label, part).samples for label in track.labels}
        yield _song(track.name, "composed", track.sample_rate, sources)


def _song(name: str, kind: str, rate: int, sources: dict[str, Tensor]) -> Song:
    sounding = {label: samples for label, samples in sources.items() if float(samples.square().mean()) > SOUNDING}
    return Song(name, kind, rate, sounding)


def label_of(name: str) -> str:
    """Return the label that a prior answers for."""
    return name if name in LABELS else REST


def answer(model: Instglow, song: Song, way: Way) -> Answer:
    """Separate a passage and score it."""
    config = replace(model.config, search=way.search, segment=60.0)
    one = Instglow(config).eval()
    one.load_state_dict(model.state_dict())
    seen: list[Progress] = []
    one.watch = seen.append
    mixture = song.mixture
    started = time.process_time()
    separation = separate(
        Audio(mixture, song.sample_rate),
        [Label(name) for name in one.config.names],
        model=one,
        settings=Settings(precision=way.precision),
    )
    elapsed = time.process_time() - started
    estimates = {label: torch.zeros_like(mixture) for label in LABELS}
    for name, stem in separation.stems.items():
        estimates[label_of(name)] += stem.samples
    gains = {
        label: float(si_sdr_improvement(estimate=estimates[label].flatten(), reference=source.flatten(),
                                        mixture=mixture.flatten()))
        for label, source in song.sources.items()
    }  # fmt: skip
    above = {
        label: float(sdr(estimate=estimates[label], reference=source) - sdr(estimate=mixture, reference=source))
        for label, source in song.sources.items()
    }
    left = seen[-1].objective / seen[0].objective
    return Answer(song.kind, gains, above, left, len(seen), elapsed * song.sample_rate / mixture.shape[-1])


def table(answers: dict[str, list[Answer]], kind: str) -> str:
    """Write what the ways did on one kind of song as a Markdown table."""
    lines = [
        f"| {kind} | {' | '.join(LABELS)} | SI-SDR | SDR | left | iterations | x real time |",
        "|---" + (len(LABELS) + 5) * "|--:" + "|",
    ]
    for name, all_answers in answers.items():
        own = [one for one in all_answers if one.kind == kind]
        by_label = [[one.si_sdr[label] for one in own if label in one.si_sdr] for label in LABELS]
        cells = [f"{statistics.mean(values):+.2f}" if values else "" for values in by_label]
        cells.append(f"{statistics.mean(value for values in by_label for value in values):+.2f}")
        cells.append(f"{statistics.mean(value for one in own for value in one.sdr.values()):+.2f}")
        cells.append(f"{statistics.median(one.left for one in own):.4f}")
        cells.append(f"{statistics.mean(one.n_iterations for one in own):.0f}")
        cells.append(f"{statistics.mean(one.factor for one in own):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def read_priors(paths: Sequence[Path]) -> Instglow:
    """Put the priors of several files together."""
    found = [load_model(path) for path in paths]
    return combine([one for one in found if isinstance(one, Instglow)])


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="folder of evaluation items")
    parser.add_argument("priors", type=Path, nargs="+", help="files of priors")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--composed", type=int, default=0, metavar="N", help="composed songs to add")
    parser.add_argument("--start", type=float, default=2.0, help="of the passages, in seconds")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the passages")
    return parser.parse_args(arguments)


def main() -> None:
    """Separate, and print the tables."""
    arguments = parse()
    torch.set_num_threads(1)
    model = read_priors(arguments.priors)
    passages = list(
        songs(arguments.songs, n_composed=arguments.composed, start=arguments.start, seconds=arguments.seconds)
    )
    answers = {name: [answer(model, song, WAYS[name]) for song in passages] for name in arguments.ways}
    for kind in dict.fromkeys(song.kind for song in passages):
        print(f"{table(answers, kind)}\n")
    print(f"- made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")


if __name__ == "__main__":
    main()
