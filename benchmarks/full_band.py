"""Ways from a narrow mono estimate to a stereo stem: ``python benchmarks/full_band.py FOLDER [--every N]``.

FOLDER is a tree of evaluation items (see docs/evaluation.md); six composed songs are added. One window of 4.08 s is
taken of each. Estimates are the true mean of the channels of a stem at 16 kHz, and that made worse in two ways: with
15 % of the rest, magnitudes that are off by 2 dB and phases by 0.25 rad; and with noise on compressed magnitudes, as a
diffusion model makes it. The table has means over stems: SDR of all channels, below and above 8 kHz (of stems that
hold 1 % of what the mixture has there), error above 8 kHz relative to the mixture there (of all stems), SDR of the
residual, and how far the balance of left and right is off (of stereo mixtures).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.audio.stft import Stft
from unbraid.datasets.synthetic import draw_track, render_track
from unbraid.evaluation.items import find_items
from unbraid.evaluation.metrics import sdr, si_sdr
from unbraid.models.guidesep import match_level
from unbraid.models.guidesep_conditions import compress, expand
from unbraid.models.layers.full_band import (
    EDGE,
    EPS,
    HOP,
    NARROW_RATE,
    SAMPLE_RATE,
    analyze,
    auditory_bands,
    full_band,
    in_bands,
    power,
    ratio_mask,
    shares_above,
    wiener,
)

N_SAMPLES = 180_000
COLUMNS = ("SDR", "< 8 kHz", "> 8 kHz", "error > 8 kHz", "residual", "left/right")
Method = Callable[[Tensor, Tensor], Tensor]  # estimate [1, n] and mixture [1, C, N] to stem [1, C, N]
Low = Callable[[Tensor, Tensor], Tensor]  # narrow [1, F, T] and low [1, C, F, T] to stem [1, C, F, T]
High = Callable[[Tensor, Tensor], Tensor]  # stem below and whole mixture to shares above


class Case(NamedTuple):
    """A stem in its mixture, ``[C, N]`` each at 44.1 kHz, and estimates of it ``[n]`` at 16 kHz by their kind."""

    stem: Tensor
    mixture: Tensor
    estimates: dict[str, Tensor]


def songs(folder: Path) -> Iterator[list[Tensor]]:
    """Yield the stems of each song, a window of them, ``[C, N_SAMPLES]``."""
    for item in (source.read() for source in find_items(folder)):
        width = max(len(stem.samples) for stem in item.references)
        stems = [
            resample(stem.samples, source_rate=item.sample_rate, target_rate=SAMPLE_RATE) for stem in item.references
        ]
        yield [stem.expand(width, -1)[:, SAMPLE_RATE : SAMPLE_RATE + N_SAMPLES] for stem in stems]
    for seed in range(6):
        parts = [torch.from_numpy(stem.samples) for stem in render_track(draw_track(seed, duration=8.0)).stems.values()]
        yield [part[:, 2 * SAMPLE_RATE : 2 * SAMPLE_RATE + N_SAMPLES] for part in parts]


def cases(folder: Path, every: int) -> list[Case]:
    """Return every so-manieth stem that is not more than 30 dB below its mixture."""
    found = []
    for stems in songs(folder):
        mixture = torch.stack(stems).sum(dim=0)
        found += [(stem, mixture) for stem in stems if stem.square().sum() > 1e-3 * mixture.square().sum()]
    return [
        Case(stem, mixture, estimates(stem, mixture, torch.Generator().manual_seed(index)))
        for index, (stem, mixture) in enumerate(found[::every])
    ]


def estimates(stem: Tensor, mixture: Tensor, chance: torch.Generator) -> dict[str, Tensor]:
    """Return the true estimate and worse ones."""
    narrow = partial(resample, source_rate=SAMPLE_RATE, target_rate=NARROW_RATE)
    true, whole = (narrow(one.mean(dim=0, keepdim=True))[0] for one in (stem, mixture))
    stft = Stft(510, 256, window="hann")
    clean, rest = stft(true), stft(whole - true)

    def noise() -> Tensor:
        return torch.randn(clean.shape, generator=chance)

    leaky = (clean + 0.15 * rest) * 10 ** (noise() / 10)
    leaky = leaky * torch.polar(torch.ones(clean.shape), 0.25 * noise())
    scale = true.abs().max() * 510**0.5
    noisy = compress(clean / scale, exponent=0.2, scale=0.6) + 0.045 * torch.complex(noise(), noise())
    worse = {"leaky": leaky, "noisy": expand(noisy, exponent=0.2, scale=0.6) * scale}
    waves = {kind: stft.inverse(one, length=len(true)) for kind, one in worse.items()}
    return {"true": true, **{kind: match_level(estimate=one, mixture=whole) for kind, one in waves.items()}}


def as_it_is(estimate: Tensor, mixture: Tensor) -> Tensor:
    """Resample the estimate into all channels."""
    wave = resample(estimate, source_rate=NARROW_RATE, target_rate=SAMPLE_RATE)
    return wave[:, None, : mixture.shape[-1]].expand_as(mixture)


def by_parts(estimate: Tensor, mixture: Tensor, *, low: Low, high: High = shares_above) -> Tensor:
    """Draw the stem out below the edge in one way, and above it in another."""
    narrow, whole = analyze(estimate, mixture)
    stem = low(narrow, whole[..., :EDGE, :])
    stem = torch.cat([stem, high(stem, whole) * whole[..., EDGE:, :]], dim=-2)
    return Stft(4 * HOP, HOP).inverse(stem, length=mixture.shape[-1])


def magnitude_ratio(narrow: Tensor, low: Tensor) -> Tensor:
    """Mask with the ratio of magnitudes."""
    target, rest = narrow.abs(), (low.mean(dim=1) - narrow).abs()
    return (target / (target + rest + EPS))[:, None] * low


def power_ratio(narrow: Tensor, low: Tensor) -> Tensor:
    """Mask with the ratio of powers."""
    return ratio_mask(narrow, low) * low


def complex_mask(narrow: Tensor, low: Tensor) -> Tensor:
    """Mask with the complex ratio of estimate and mean of the channels, at most 1."""
    middle = low.mean(dim=1)
    mask = narrow * middle.conj() / (power(middle) + EPS)
    return (mask / mask.abs().clamp_min(1))[:, None] * low


def panned(narrow: Tensor, low: Tensor) -> Tensor:
    """Pan the estimate as fits each band of each channel best, and mask each channel with what that gives."""
    bands = auditory_bands(low.shape[-2])
    n_bands = int(bands[-1]) + 1
    common = (low * narrow.conj()[:, None]).real.sum(dim=-1)
    gains = common.new_zeros(*low.shape[:2], n_bands).index_add_(2, bands, common)
    gains = gains / (torch.zeros(1, n_bands).index_add_(1, bands, power(narrow).sum(dim=-1))[:, None] + EPS)
    image = gains[..., bands, None] * narrow[:, None]
    return power(image) / (power(image) + power(low - image) + EPS) * low


def iterated(narrow: Tensor, low: Tensor, *, n_iterations: int, doubt: float) -> Tensor:
    """Filter with covariances of the mask, and then with those of what was drawn out."""
    stem = power_ratio(narrow, low)
    for _ in range(n_iterations):
        stem = wiener(narrow, low, first=stem, doubt=doubt)
    return stem


def nothing(stem: Tensor, whole: Tensor) -> Tensor:
    """Leave everything above the edge in the residual."""
    return torch.zeros_like(whole[..., EDGE:, :].real)


def balance(stem: Tensor, whole: Tensor, *, energy: bool) -> Tensor:
    """Carry the share at 4 to 7.2 kHz up: that of the energy, or the mean of those of bins."""
    low = whole[..., 320:EDGE, :]
    target, rest = power(stem[..., 320:, :]), power(low - stem[..., 320:, :])
    if energy:
        target, rest = (in_bands(one, (0, EDGE - 320)) for one in (target, rest))
    shares: Tensor = (target / (target + rest + EPS)).mean(dim=-2, keepdim=True)
    return shares.expand(*whole.shape[:2], whole.shape[2] - EDGE, -1)


def methods() -> dict[str, Method]:
    """Name every way that is compared."""
    chosen = partial(iterated, n_iterations=1, doubt=2.0)
    lows: dict[str, Low] = {
        "ratio of magnitudes": magnitude_ratio,
        "ratio of powers": power_ratio,
        "complex mask": complex_mask,
        "panned estimate, ratio of powers": panned,
        "Wiener, 1 iteration": partial(iterated, n_iterations=1, doubt=torch.inf),
        "Wiener, 2 iterations": partial(iterated, n_iterations=2, doubt=torch.inf),
    }
    highs: dict[str, High] = {
        "nothing": nothing,
        "mean share": partial(balance, energy=False),
        "share of energy": partial(balance, energy=True),
    }
    return {
        "estimate as it is": as_it_is,
        **{f"{name}; explained": partial(by_parts, low=low) for name, low in lows.items()},
        **{f"Wiener and wave, doubt {doubt}; explained": partial(full_band, doubt=doubt) for doubt in (0, 1, 2, 4)},
        **{
            f"Wiener and wave, doubt 2; {name}": partial(by_parts, low=chosen, high=high)
            for name, high in highs.items()
        },
    }


def decibels(wanted: Tensor, other: Tensor) -> float:
    """Energy over energy."""
    return float(10 * torch.log10((wanted.square().sum() + 1e-12) / (other.square().sum() + 1e-12)))


def halves(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Split at 8 kHz."""
    spectrum = torch.fft.rfft(samples.double())
    edge = round(8000 * samples.shape[-1] / SAMPLE_RATE)
    spectrum[..., edge:] = 0
    low = torch.fft.irfft(spectrum, n=samples.shape[-1])
    return low, samples - low


def score(stem: Tensor, case: Case) -> list[float]:
    """Return the columns of the table."""
    pairs = list(zip(halves(stem), halves(case.stem), strict=True))
    above = halves(case.mixture)[1]
    quality = [sdr(estimate=stem, reference=case.stem), *(sdr(estimate=one, reference=two) for one, two in pairs)]
    values = [float(one.clamp(-30, 40)) for one in quality]
    if decibels(pairs[1][1], above) < -20:
        values[2] = torch.nan
    values.append(decibels(pairs[1][0] - pairs[1][1], above))
    values.append(float(sdr(estimate=case.mixture - stem, reference=case.mixture - case.stem).clamp(-30, 40)))
    stereo = float((case.mixture - case.mixture.mean(dim=0)).abs().max()) > 1e-3
    off = decibels(stem[0], stem[-1]) - decibels(case.stem[0], case.stem[-1])
    return [*values, abs(off) if stereo else torch.nan]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every N-th stem only")
    arguments = parser.parse_args()
    found = cases(arguments.folder, arguments.every)
    print(f"{len(found)} stems, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    for kind in ("leaky", "noisy"):
        one = torch.stack([si_sdr(estimate=case.estimates[kind], reference=case.estimates["true"]) for case in found])
        print(f"SI-SDR of {kind} estimates: {one.mean():.1f} ± {one.std():.1f} dB")
    print("\n| below; above 7.2 kHz | estimate | " + " | ".join(COLUMNS) + " | x real time |")
    print("|---|---|" + "--:|" * (len(COLUMNS) + 1))
    for name, method in methods().items():
        rows: dict[str, list[list[float]]] = {"true": [], "worse": []}
        spent = 0.0
        for case in found:
            for kind, estimate in case.estimates.items():
                began = time.process_time()
                stem = method(estimate[None], case.mixture[None])[0]
                spent += time.process_time() - began
                rows["true" if kind == "true" else "worse"].append(score(stem, case))
        pace = spent / (3 * len(found) * N_SAMPLES / SAMPLE_RATE)
        for kind, values in rows.items():
            means = torch.tensor(values).nanmean(dim=0).tolist()
            print(
                f"| {name} | {kind} | " + " | ".join(f"{mean:.2f}" for mean in means) + f" | {pace:.4f} |", flush=True
            )


if __name__ == "__main__":
    main()
