"""Ways to search with priors: ``python benchmarks/priors.py SONGS PRIOR.safetensors ... [--ways mle map default]``.

SONGS is a tree of evaluation items (see docs/evaluation.md); composed songs that no training has heard can be added. Of
each, one passage is heard at the priors' rate, in the mean of its channels, and separated by itself, as in whole songs.
Priors of vocals, drums and bass answer for themselves, the sum of all others for the rest of a song. The tables
have, for each way, the improvement of SI-SDR over the mixture by source, its mean and that of SDR over all sources of
all songs, in dB; the divergence at the end, in thousandths of that of the published search at its beginning;
the mean of iterations; and seconds of one thread (those of the process) for a second of audio. Last come differences
from the first way on the same sources of the same songs, with 95 % bootstrap intervals over songs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.audio.stft import Stft
from unbraid.evaluation.items import find_items
from unbraid.evaluation.metrics import sdr, si_sdr_improvement
from unbraid.evaluation.records import provenance
from unbraid.evaluation.report import bootstrap_mean
from unbraid.evaluation.tracks import Part, by_stem, composed_tracks
from unbraid.models.instglow import Instglow, Memory, combine, share
from unbraid.models.instglow_search import SEARCHES, Found, SearchConfig, divergence, search
from unbraid.zoo import load_model

LABELS = ("vocals", "drums", "bass", "other")
REST = "other"
SOUNDING = 1e-6  # mean square


class Way(NamedTuple):
    """A search, and the precision of its products."""

    search: SearchConfig
    precision: str = "fp32"


MLE, DEFAULT, CURVATURE = SEARCHES["mle"], SEARCHES["default"], SEARCHES["curvature"]
ROOTS = replace(MLE, exponent=0.5)
FAST: dict[str, Any] = {"learning_rate": 0.05, "slowing": 0.0, "n_iterations": 20, "power": 0.5}
HURRIED = replace(ROOTS, **FAST)
WAYS: dict[str, Way] = {
    **{name: Way(search) for name, search in SEARCHES.items()},
    "default, bf16": Way(DEFAULT, "bf16"),
    "default, to the end": Way(replace(DEFAULT, tolerance=0.0)),
    "curvature, bf16": Way(CURVATURE, "bf16"),
    "curvature, to the end": Way(replace(CURVATURE, tolerance=0.0)),
    "curvature, equal steps": Way(replace(CURVATURE, slowing=1.0, n_iterations=60, tolerance=0.0)),
    "curvature, memory of 4": Way(replace(CURVATURE, memory=4)),
    "curvature, steps of 0.1": Way(replace(CURVATURE, learning_rate=0.1)),
    "curvature, exponent 1": Way(replace(CURVATURE, exponent=1.0)),
    "curvature, exponent 0.3": Way(replace(CURVATURE, exponent=0.3)),
    "curvature, anchored": Way(replace(CURVATURE, anchor=0.5)),
    "mle, 75 steps by curvature": Way(replace(CURVATURE, slowing=1.0, n_iterations=75, tolerance=0.0, exponent=1.0)),
    "mle, 75 steps of 0.02": Way(replace(MLE, learning_rate=0.02, n_iterations=75)),
    "roots": Way(ROOTS),
    "roots, bf16": Way(ROOTS, "bf16"),
    "roots, until flat": Way(replace(ROOTS, tolerance=0.005)),
    "roots, exponent 0.3": Way(replace(ROOTS, exponent=0.3)),
    "roots, exponent 2": Way(replace(ROOTS, exponent=2.0)),
    "roots, anchored": Way(replace(ROOTS, anchor=0.5)),
    "expected alone": Way(replace(ROOTS, anchor=1.0)),
    "roots, compared": Way(replace(ROOTS, power=0.5)),
    "roots, 75 steps of 0.02": Way(replace(ROOTS, learning_rate=0.02, n_iterations=75)),
    "roots, 80 steps from 0.02 to 0": Way(replace(ROOTS, learning_rate=0.02, slowing=0.0, n_iterations=80)),
    "roots, 40 steps from 0.05 to 0": Way(replace(ROOTS, learning_rate=0.05, slowing=0.0, n_iterations=40)),
    "hurried": Way(HURRIED),
    "hurried, anchored": Way(replace(HURRIED, anchor=0.5)),
    "hurried, exponent 1": Way(replace(HURRIED, exponent=1.0)),
    "roots, prior in latent space": Way(replace(ROOTS, prior_weight=0.03)),
    "roots, prior in data space": Way(replace(ROOTS, prior_weight=0.001, space="data", spread=0.1)),
    "roots, masked": Way(replace(ROOTS, masked=True)),
    "mle, quick": Way(replace(MLE, **FAST)),
    "map, quick": Way(replace(SEARCHES["map"], **FAST)),
}


@dataclass(frozen=True, eq=False)
class Song:
    """A passage at the priors' rate: the true sources ``[N]`` by label, those that sound."""

    name: str
    kind: str
    sources: dict[str, Tensor]

    @property
    def mixture(self) -> Tensor:
        """Their sum, ``[N]``."""
        return torch.stack(list(self.sources.values())).sum(dim=0)


class Answer(NamedTuple):
    """How a way did on one song: improvements in dB by label."""

    kind: str
    si_sdr: dict[str, float]
    sdr: dict[str, float]


class Outcome(NamedTuple):
    """How a way did on all songs: what is left of the divergence, and what it took."""

    answers: list[Answer]
    left: float
    n_iterations: float
    factor: float


class Searched(NamedTuple):
    """What was found in all passages, the mean of iterations, and the seconds of all."""

    found: Found
    n_iterations: float
    seconds: float


def joined(found: Sequence[Found]) -> Found:
    """Put what was found in windows into one batch."""
    expected = [one.expected for one in found if one.expected is not None]
    sources, latents = (torch.cat([getattr(one, name) for one in found]) for name in ("sources", "latents"))
    return Found(sources, latents, (), torch.cat(expected) if expected else None)


def mean_length(found: Sequence[Found]) -> float:
    """Return the mean of the iterations of searches."""
    return statistics.mean(len(one.objectives) for one in found)


def songs(folder: Path, rate: int, *, n_composed: int, start: float, seconds: float) -> Iterator[Song]:
    """Yield the passages."""
    for item in (source.read() for source in find_items(folder)):
        part = slice(round(start * item.sample_rate), round((start + seconds) * item.sample_rate))
        sources = {one.prompt: one.samples[:, part] for one in item.references}
        yield _song(item.name, "recorded", sources, (item.sample_rate, rate))
    composed = composed_tracks(labels=by_stem, count=n_composed, seed=7, duration=start + seconds + 2, player=None)
    for track in (source.read() for source in composed):
        part = Part(round(start * track.sample_rate), round((start + seconds) * track.sample_rate))
        sources = {label: track.reference(label, part).samples for label in track.labels}
        yield _song(track.name, "composed", sources, (track.sample_rate, rate))


def _song(name: str, kind: str, sources: dict[str, Tensor], rates: tuple[int, int]) -> Song:
    narrow = {
        label: resample(samples.mean(dim=0, keepdim=True), source_rate=rates[0], target_rate=rates[1])[0]
        for label, samples in sources.items()
    }
    return Song(name, kind, {label: one for label, one in narrow.items() if float(one.square().mean()) > SOUNDING})


def label_of(name: str) -> str:
    """Return the label that a prior answers for."""
    return name if name in LABELS else REST


class Benchmark:
    """Passages of one length, and the priors that separate them; what was found is kept for other masks."""

    def __init__(self, model: Instglow, passages: Sequence[Song]) -> None:
        self.model, self.passages = model, passages
        shape = model.config.priors[0]
        self.stft = Stft(shape.n_fft, shape.hop_length, window="hann", reflect=True)
        self.mixtures = torch.stack([song.mixture for song in passages])
        self.spectrograms = self.stft(self.mixtures)
        self._found: dict[Way, Searched] = {}
        self._worst = self.divergence(self.find(Way(replace(MLE, n_iterations=1))).found)

    def find(self, way: Way) -> Searched:
        """Search passage by passage, or remember."""
        way = way._replace(search=replace(way.search, exponent=1.0, anchor=1.0))
        if way not in self._found:
            started = time.process_time()
            found = [self.search(way, magnitude[None]) for magnitude in self.spectrograms.abs()]
            self._found[way] = Searched(joined(found), mean_length(found), time.process_time() - started)
        return self._found[way]

    def search(self, way: Way, magnitude: Tensor, start: Tensor | None = None) -> Found:
        """Search for one window ``[1, F, T]``."""
        generator = torch.Generator().manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=way.precision == "bf16"):
            return search(self.model.by_name, magnitude, config=way.search, start=start, generator=generator)

    def n_iterations(self, way: Way, *, overlap: float) -> dict[str, float]:
        """Return the mean of iterations by the kind of a window that the passages begin.

        Args:
            way: how to search.
            overlap: part of a passage that the next window hears again.
        """
        shape, n_frames = self.model.config.priors[0], self.spectrograms.shape[-1] // 2 * 2
        known = round((1 - overlap) * n_frames)
        early = torch.arange(self.spectrograms.shape[-1]) < overlap * n_frames
        found: dict[str, list[Found]] = {"cold": [], "warm": [], "heard before": [], "at a hundredth": [], "sparse": []}
        for magnitude in self.spectrograms.abs():
            window = magnitude[None]
            first = self.search(way, window)
            found["cold"].append(first)
            found["heard before"].append(self.search(way, window, first.latents))
            found["at a hundredth"].append(self.search(way, 0.01 * window))
            found["sparse"].append(self.search(way, early * window))
            later = window.roll(-known, dims=-1)  # its beginning is the end of the one before
            memory = Memory()
            memory.keep(0.0, first.latents)
            fresh = torch.zeros(1, len(self.model.priors), shape.n_channels, n_frames)
            found["warm"].append(self.search(way, later, memory.recall(known, fresh, 1.0)))
        return {kind: mean_length(own) for kind, own in found.items()}

    def divergence(self, found: Found) -> float:
        """Return that of the sum of the sources from the mixture, as published, whatever was searched with."""
        heard = self.model.priors[0].features(self.spectrograms.abs())
        total = found.sources.sum(dim=1).abs()
        return float(divergence(heard + 1e-8, total + 1e-8, n_bins=self.model.config.priors[0].n_bins).mean())

    def answer(self, way: Way) -> Outcome:
        """Separate all passages and score them."""
        found, n_iterations, seconds = self.find(way)
        n_bins, n_frames = self.spectrograms.shape[1], found.sources.shape[3]
        masks = share(found.anchored(way.search.anchor)[:, :, :n_bins], exponent=way.search.exponent)
        masked = masks * self.spectrograms[:, None, :, :n_frames]
        stems = self.stft.inverse(masked, length=self.mixtures.shape[-1])  # [B, S, N]
        answers = [self._score(song, own) for song, own in zip(self.passages, stems, strict=True)]
        factor = seconds * self.model.config.priors[0].sample_rate / self.mixtures.numel()
        return Outcome(answers, 1000 * self.divergence(found) / self._worst, n_iterations, factor)

    def _score(self, song: Song, stems: Tensor) -> Answer:
        mixture = song.mixture
        estimates = {label: torch.zeros_like(mixture) for label in LABELS}
        for name, stem in zip(self.model.config.names, stems, strict=True):
            estimates[label_of(name)] += stem
        si_sdrs, sdrs = {}, {}
        for label, source in song.sources.items():
            one = estimates[label]
            si_sdrs[label] = float(si_sdr_improvement(estimate=one, reference=source, mixture=mixture))
            before = sdr(estimate=mixture[None], reference=source[None])
            sdrs[label] = float(sdr(estimate=one[None], reference=source[None]) - before)
        return Answer(song.kind, si_sdrs, sdrs)


def table(outcomes: dict[str, Outcome], kind: str) -> str:
    """Write what the ways did on one kind of song as a Markdown table."""
    lines = [
        f"| {kind} | {' | '.join(LABELS)} | SI-SDR | SDR | left | iterations | x real time |",
        "|---" + (len(LABELS) + 5) * "|--:" + "|",
    ]
    for name, outcome in outcomes.items():
        own = [one for one in outcome.answers if one.kind == kind]
        by_label = [[one.si_sdr[label] for one in own if label in one.si_sdr] for label in LABELS]
        cells = [f"{statistics.mean(values):+.2f}" if values else "" for values in by_label]
        cells.append(f"{statistics.mean(value for values in by_label for value in values):+.2f}")
        cells.append(f"{statistics.mean(value for one in own for value in one.sdr.values()):+.2f}")
        cells += [f"{outcome.left:.0f}", f"{outcome.n_iterations:.0f}", f"{outcome.factor:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def differences(outcomes: dict[str, Outcome]) -> str:
    """Write by how much each way differs from the first one, in SI-SDR, as a Markdown table."""
    (first, base), *others = outcomes.items()
    lines = [
        f"| less {first} | {' | '.join(LABELS)} | all sources |",
        "|---" + (len(LABELS) + 1) * "|--:" + "|",
    ]
    for name, outcome in others:
        pairs = [(one.si_sdr, other.si_sdr) for one, other in zip(outcome.answers, base.answers, strict=True)]
        by_song = [{label: one[label] - other[label] for label in one} for one, other in pairs]
        by_label = [[song[label] for song in by_song if label in song] for label in LABELS]
        columns = [*by_label, [statistics.mean(song.values()) for song in by_song]]
        cells = (str(bootstrap_mean(values)) if values else "" for values in columns)
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
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, metavar="WAY", help="; ".join(WAYS))
    parser.add_argument("--composed", type=int, default=0, metavar="N", help="composed songs to add")
    parser.add_argument("--start", type=float, default=2.0, help="of the passages, in seconds")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the passages, which all must have")
    parser.add_argument("--windows", action="store_true", help="count iterations of kinds of windows instead")
    return parser.parse_args(arguments)


def main() -> None:
    """Separate, and print the tables."""
    arguments = parse()
    torch.set_num_threads(1)
    model = read_priors(arguments.priors)
    length = {"start": arguments.start, "seconds": arguments.seconds}
    rate = model.config.priors[0].sample_rate
    passages = list(songs(arguments.songs, rate, n_composed=arguments.composed, **length))
    benchmark = Benchmark(model, passages)
    if arguments.windows:
        for name in arguments.ways:
            counts = benchmark.n_iterations(WAYS[name], overlap=0.25)
            print(f"{name}: " + ", ".join(f"{kind} {count:.1f}" for kind, count in counts.items()))
        print(f"\n- made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")
        return
    outcomes = {name: benchmark.answer(WAYS[name]) for name in arguments.ways}
    for kind in dict.fromkeys(song.kind for song in passages):
        print(f"{table(outcomes, kind)}\n")
    if len(outcomes) > 1:
        print(f"{differences(outcomes)}\n")
    print(f"- made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")


if __name__ == "__main__":
    main()
