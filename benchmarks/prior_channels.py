"""Ways to hear the channels of a song with priors: ``python benchmarks/prior_channels.py SONGS [--composed 6]``.

SONGS is a tree of evaluation items (see docs/evaluation.md), of which those of two channels are taken; composed songs
that no training has heard can be added. One passage of each, at 44.1 kHz, is separated with priors of vocals, drums,
bass and other; channels are scored alone and averaged. The table has, for each way, the improvement of SI-SDR over the
mixture by source, its mean and that of SDR over all sources of all songs, in dB; and seconds of the process for a
second of audio. The first table says how much there is to gain: the level of the side below that of the middle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from unbraid.audio.resample import resample
from unbraid.evaluation.items import find_items
from unbraid.evaluation.metrics import sdr, si_sdr_improvement
from unbraid.evaluation.records import provenance
from unbraid.evaluation.tracks import Part, by_stem, composed_tracks
from unbraid.models.instglow import BAND, Instglow, widen
from unbraid.models.instglow_search import SEARCHES
from unbraid.zoo import load_model

LABELS = ("vocals", "drums", "bass", "other")
RATE, SEED = 44100, 7
SOUNDING = 1e-6  # mean square


class Passage(NamedTuple):
    """The true sources ``[C, N]`` by label, those that sound."""

    name: str
    sources: dict[str, Tensor]

    @property
    def mixture(self) -> Tensor:
        """Their sum, ``[C, N]``."""
        return torch.stack(list(self.sources.values())).sum(dim=0)


def shares(model: Instglow, heard: Tensor) -> Tensor:
    """Search in spectrograms ``[B, G, T]``, and return masks ``[B, S, G, T]``."""
    shape, n_frames = model.config.priors[0], heard.shape[2]
    magnitude = pad(heard.abs()[:, : shape.n_bins] / BAND, (0, -n_frames % shape.n_squeeze))
    return widen(model.share(model.search(magnitude), magnitude), heard.shape[1])[..., :n_frames]


def mean(model: Instglow, channels: Tensor) -> Tensor:
    """Search in the mean of the channels ``[B, C, G, T]``, as shipped; ``[B, S, C, G, T]``."""
    return shares(model, channels.mean(dim=1))[:, :, None] * channels[:, None]


def level(model: Instglow, channels: Tensor) -> Tensor:
    """Search in their root mean square in each bin: nothing cancels."""
    return shares(model, channels.abs().square().mean(dim=1).sqrt())[:, :, None] * channels[:, None]


def apart(model: Instglow, channels: Tensor) -> Tensor:
    """Search in each channel."""
    masks = shares(model, channels.flatten(0, 1)).unflatten(0, channels.shape[:2])  # [B, C, S, G, T]
    return masks.transpose(1, 2) * channels[:, None]


def averaged(model: Instglow, channels: Tensor) -> Tensor:
    """Search in each channel, and average the masks."""
    masks = shares(model, channels.flatten(0, 1)).unflatten(0, channels.shape[:2]).mean(dim=1)
    return masks[:, :, None] * channels[:, None]


def mid_side(model: Instglow, channels: Tensor) -> Tensor:
    """Search in the sum and in the difference of two channels."""
    left, right = channels.unbind(dim=1)
    middle, side = apart(model, torch.stack([left + right, left - right], dim=1) / 2).unbind(dim=2)
    return torch.stack([middle + side, middle - side], dim=2)


WAYS: dict[str, Callable[[Instglow, Tensor], Tensor]] = {
    "mean of channels (shipped)": mean,
    "level of channels": level,
    "each channel": apart,
    "each channel, masks averaged": averaged,
    "middle and side": mid_side,
}


def passages(folder: Path, *, n_composed: int, start: float, seconds: float) -> Iterator[Passage]:
    """Yield passages of two channels."""
    for item in (source.read() for source in find_items(folder)):
        part = slice(round(start * item.sample_rate), round((start + seconds) * item.sample_rate))
        yield from _passage(item.name, {one.prompt: one.samples[:, part] for one in item.references}, item.sample_rate)
    composed = composed_tracks(labels=by_stem, count=n_composed, seed=SEED, duration=start + seconds + 2, player=None)
    for track in (source.read() for source in composed):
        part = Part(round(start * track.sample_rate), round((start + seconds) * track.sample_rate))
        sources = {label: track.reference(label, part).samples for label in track.labels}
        yield from _passage(track.name, sources, track.sample_rate)


def _passage(name: str, sources: dict[str, Tensor], rate: int) -> Iterator[Passage]:
    sounding = {label: one for label, one in sources.items() if float(one.square().mean()) > SOUNDING}
    if all(len(one) == 2 for one in sounding.values()):
        at_rate = {label: resample(one, source_rate=rate, target_rate=RATE) for label, one in sounding.items()}
        yield Passage(name, at_rate)


def row(model: Instglow, way: str, songs: list[Passage]) -> str:
    """Separate all songs in one way, and write a line of the table."""
    mixtures = torch.stack([song.mixture for song in songs])
    started = time.process_time()
    with torch.inference_mode():
        stems = model.stft.inverse(WAYS[way](model, model.stft(mixtures)), length=mixtures.shape[-1])
    factor = (time.process_time() - started) / (len(songs) * mixtures.shape[-1] / RATE)
    si_sdrs: dict[str, list[float]] = {label: [] for label in LABELS}
    sdrs = []
    for song, estimates in zip(songs, stems, strict=True):
        for label, source in song.sources.items():
            one, mixture = estimates[LABELS.index(label)], song.mixture
            audible = source.square().mean(dim=1) > SOUNDING
            gains = si_sdr_improvement(estimate=one, reference=source, mixture=mixture)[audible]
            si_sdrs[label].append(float(gains.mean()))
            sdrs.append(float(sdr(estimate=one, reference=source) - sdr(estimate=mixture, reference=source)))
    cells = [f"{statistics.mean(values):+.2f}" if values else "" for values in si_sdrs.values()]
    overall = statistics.mean(value for values in si_sdrs.values() for value in values)
    return f"| {way} | {' | '.join(cells)} | {overall:+.2f} | {statistics.mean(sdrs):+.2f} | {factor:.2f} |"


def side_below_middle(song: Passage) -> float:
    """Return how many decibels the side of a mixture is below its middle."""
    left, right = song.mixture
    return float(10 * torch.log10((left + right).square().mean() / (left - right).square().mean().clamp_min(1e-12)))


def main() -> None:
    """Separate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--composed", type=int, default=0, metavar="N", help="composed songs to add")
    parser.add_argument("--search", choices=SEARCHES, default="default")
    parser.add_argument("--start", type=float, default=2.0, help="of the passages, in seconds")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of the passages")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    length = {"start": arguments.start, "seconds": arguments.seconds}
    songs = list(passages(arguments.songs, n_composed=arguments.composed, **length))
    print("| song | side below middle |\n|---|--:|")
    print("\n".join(f"| {song.name} | {side_below_middle(song):.1f} |" for song in songs), end="\n\n")
    model = cast(Instglow, load_model("instglow", priors=LABELS))
    model.config = replace(model.config, search=SEARCHES[arguments.search])
    print(f"| way | {' | '.join(LABELS)} | SI-SDR | SDR | x real time |\n|---|{7 * '--:|'}")
    for way in WAYS:
        print(row(model, way, songs), flush=True)
    print(f"\n- search {arguments.search}; made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")


if __name__ == "__main__":
    main()
