"""Whether the windows of a song agree: ``python benchmarks/window_agreement.py FOLDER -m MODEL [--stems N]``.

FOLDER is a tree of folders with stems (see docs/evaluation.md). Every stem is pointed at by a mask painted on it, and
drawn window by window out of the mean of the channels at 16 kHz, in three ways: from noise of its own for each window;
from one noise for the whole song, cut on the grid of frames, as the separator does; and from that noise, with the
denoised spectrograms of overlapping windows averaged at every step of the sampler. Windows are cross-faded afterwards.

The table has means over stems: by how much neighboring windows differ where they overlap, relative to the stem there
(so 3 dB is what two answers have that have nothing in common, if each is as loud as the stem), and how good the
cross-faded stem is. A mask prediction, which draws nothing, has one row.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.signal import Audio
from unbraid.evaluation.metrics import sdr_bss_eval, si_sdr
from unbraid.evaluation.pointed_recordings import narrow
from unbraid.evaluation.report import bootstrap_mean
from unbraid.evaluation.tracks import Part, by_stem, dice_of, find_tracks
from unbraid.guides.mask_draws import draw_mask, simulate_mask
from unbraid.guides.mask_grid import crop_mask, hear_mel
from unbraid.models.diffusion import karras_sigmas
from unbraid.models.guidesep import Guidesep, match_level
from unbraid.models.guidesep_pointers import track_noise
from unbraid.zoo import load_model


class Case(NamedTuple):
    """A stem ``[n]`` in its mixture ``[n]`` at 16 kHz, and the mask ``[K, T]`` that is painted on it."""

    name: str
    stem: Tensor
    mixture: Tensor
    mask: Tensor


class Layout(NamedTuple):
    """First frames of windows of T frames, and how many samples a frame and a window have."""

    starts: list[int]
    n_frames: int
    hop: int

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return (self.n_frames - 1) * self.hop


Way = Callable[[Guidesep, list[Tensor], Layout], Tensor]  # channels of each window to spectrograms [B, 2, F, T]


def read_cases(folder: Path, count: int) -> Iterator[Case]:
    """Yield stems of songs, one song after the other: first one of each."""
    tracks = [(source.name, source.read()) for source in find_tracks(folder, labels=by_stem)]
    places = itertools.zip_longest(*([(name, track, stem) for stem in track.stems] for name, track in tracks))
    chosen = [place for turn in places for place in turn if place is not None][:count]
    for name, track, stem in chosen:
        rate = track.sample_rate
        target, mixture = (narrow(Audio(one, rate)) for one in (stem.samples, track.mixture(Part(0, track.n_samples))))
        draw = draw_mask(dice_of("mask", 0, name, stem.name).generator)
        yield Case(f"{name}/{stem.name}", target, mixture, simulate_mask(hear_mel(target), draw))


def lay_out(n_samples: int, model: Guidesep, overlap: float) -> Layout:
    """Place windows so that the last one reaches the end."""
    hop, n_frames = model.config.hop_length, model.config.n_frames
    stride = max(1, round((1 - overlap) * (n_frames - 1)))
    n_windows = 1 + max(0, -(-(n_samples - (n_frames - 1) * hop) // (stride * hop)))
    return Layout([index * stride for index in range(n_windows)], n_frames, hop)


def window_noise(model: Guidesep, start: int, layout: Layout, *, seed: int) -> Tensor:
    """Return noise ``[1, 2, F, T]`` from a frame of a track on."""
    return track_noise(seed, 0, model.config.n_bins, start, layout.n_frames)[None].to(model.device)


def own_noise(model: Guidesep, channels: list[Tensor], layout: Layout) -> Tensor:
    """Draw every window from noise of its own."""
    noise = [window_noise(model, 0, layout, seed=1 + index) for index in range(len(channels))]
    return torch.cat([sample(model, told, one) for told, one in zip(channels, noise, strict=True)])


def shared_noise(model: Guidesep, channels: list[Tensor], layout: Layout) -> Tensor:
    """Draw every window from its part of one noise."""
    noise = [window_noise(model, start, layout, seed=0) for start in layout.starts]
    return torch.cat([sample(model, told, one) for told, one in zip(channels, noise, strict=True)])


def sample(model: Guidesep, told: Tensor, noise: Tensor) -> Tensor:
    """Draw one window as the separator does."""
    return model.sample(told, noise, n_steps=1 + model.config.n_evaluations)


def inside_sampler(model: Guidesep, channels: list[Tensor], layout: Layout) -> Tensor:
    """Draw all windows together: what is denoised is averaged where they overlap, at every step."""
    assert model.config.noise is not None
    total = layout.starts[-1] + layout.n_frames
    fade = hump(layout.n_frames).to(model.device)
    weights = sum(functional.pad(fade, (start, total - start - layout.n_frames)) for start in layout.starts)
    sigmas = karras_sigmas(1 + model.config.n_evaluations, model.config.noise).to(model.device)
    denoisers = [model.conditioned(told) for told in channels]
    noisy = sigmas[0] * track_noise(0, 0, model.config.n_bins, 0, total)[None].to(model.device)
    for sigma, following in itertools.pairwise(sigmas):
        mean = torch.zeros_like(noisy)
        for denoiser, start in zip(denoisers, layout.starts, strict=True):
            span = slice(start, start + layout.n_frames)
            mean[..., span] += fade * denoiser(noisy[..., span], sigma)
        noisy = noisy + (following - sigma) * (noisy - mean / weights) / sigma
    drawn = noisy.clamp(-1, 1)
    return torch.cat([drawn[..., start : start + layout.n_frames] for start in layout.starts])


def hump(length: int) -> Tensor:
    """Return the weights of a cross-fade, none of which is zero."""
    return torch.sin(torch.pi * (torch.arange(length) + 0.5) / length).square()


WAYS: dict[str, Way] = {
    "noise of its own for each window": own_noise,
    "one noise for the song": shared_noise,
    "one noise, averaged inside the sampler": inside_sampler,
}


@torch.no_grad()
def draw_windows(model: Guidesep, case: Case, layout: Layout, way: Way | None) -> Tensor:
    """Return what is drawn in each window ``[B, n]``; without a way, what mask prediction leaves."""
    length = layout.starts[-1] * layout.hop + layout.n_samples
    padded = functional.pad(case.mixture, (0, length - len(case.mixture)))
    cuts = [start * layout.hop for start in layout.starts]
    mixture = torch.stack([padded[cut : cut + layout.n_samples] for cut in cuts]).to(model.device)
    masks = [crop_mask(case.mask, start, layout.n_frames)[None].to(model.device) for start in layout.starts]
    if way is None:
        generator = torch.Generator()
        return torch.cat([model.separate_window(one[None], None, mask, generator=generator).cpu()
                          for one, mask in zip(mixture, masks, strict=True)])  # fmt: skip
    channels = []
    for one, mask in zip(mixture, masks, strict=True):
        given = model.listen(one[None], None, mask, None)
        assert given.mixture is not None
        channels.append(model.channels(given, given.mixture))
    drawn = model.synthesize(way(model, channels, layout), layout.n_samples)
    return match_level(estimate=drawn, mixture=mixture).cpu()


def disagreement(windows: Tensor, case: Case, layout: Layout) -> float:
    """Return the energy of differences in overlaps over that of the stem there, in dB."""
    wrong = true = 0.0
    for index, (first, second) in enumerate(itertools.pairwise(layout.starts)):
        ahead = (second - first) * layout.hop
        place = second * layout.hop
        n_both = min(layout.n_samples - ahead, len(case.stem) - place)
        pair = windows[index, ahead : ahead + n_both], windows[index + 1, :n_both]
        wrong += float((pair[0] - pair[1]).square().sum())
        true += float(case.stem[place : place + n_both].square().sum())
    return float(10 * torch.log10(torch.tensor(wrong / max(true, 1e-12)).clamp_min(1e-12)))


def cross_fade(windows: Tensor, layout: Layout, length: int) -> Tensor:
    """Add windows up to one signal ``[length]``."""
    fade = hump(layout.n_samples)
    total = layout.starts[-1] * layout.hop + layout.n_samples
    found, weights = torch.zeros(total), torch.zeros(total)
    for start, window in zip(layout.starts, windows, strict=True):
        span = slice(start * layout.hop, start * layout.hop + layout.n_samples)
        found[span] += fade * window
        weights[span] += fade
    return (found / weights)[:length]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--stems", type=int, default=9)
    parser.add_argument("--overlap", type=float, default=0.5)
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, float, float, float]]] = defaultdict(list)
    for name in arguments.model:
        model = load_model(name)
        assert isinstance(model, Guidesep)
        ways: dict[str, Way | None] = {"nothing is drawn": None} if model.config.noise is None else {**WAYS}
        for case in read_cases(arguments.folder, arguments.stems):
            layout = lay_out(len(case.mixture), model, arguments.overlap)
            for title, way in ways.items():
                began = time.perf_counter()
                windows = draw_windows(model, case, layout, way)
                seconds = (time.perf_counter() - began) / len(layout.starts)
                whole = cross_fade(windows, layout, len(case.stem))
                scores = (float(metric(estimate=whole, reference=case.stem)) for metric in (sdr_bss_eval, si_sdr))
                found[Path(name).stem, title].append((disagreement(windows, case, layout), *scores, seconds))
    n_threads = torch.get_num_threads()
    print(f"{arguments.stems} stems, overlap {arguments.overlap:g}, positive masks, {n_threads} threads\n")
    print("| model | way | difference of neighbors dB | SDR | SI-SDR | seconds for a window |")
    print("|---|---|--:|--:|--:|--:|")
    for (name, title), rows in found.items():
        cells = [str(bootstrap_mean(column)) for column in list(zip(*rows, strict=True))[:3]]
        print(f"| {name} | {title} | {' | '.join(cells)} | {sum(row[3] for row in rows) / len(rows):.2f} |")


if __name__ == "__main__":
    main()
