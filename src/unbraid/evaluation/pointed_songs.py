"""GuideSep on whole songs, in stereo and with their full band, through the door that everyone uses.

Every stem is pointed at by a mask that is painted on it. What lies above 8 kHz, which the network does not hear, is
scored apart. Protocol ``pointed-songs``.

Axes: C channels, N samples, K mel bands, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.evaluation.pointed import PointedPlan
from unbraid.evaluation.pointed_recordings import narrow
from unbraid.evaluation.pointed_records import Pass, PointedFile, PointedRecord, Scored, fingerprint_of
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.scoring import Answer, ask
from unbraid.evaluation.tracks import Part, StemTrack, TrackSource, TrackStem, dice_of
from unbraid.guides.kinds import Mask, Target
from unbraid.guides.mask_draws import draw_mask, simulate_mask
from unbraid.guides.mask_grid import hear_mel

PROTOCOL = "pointed-songs"
SPLIT_HZ = 8000.0
WHOLE, BELOW, ABOVE = "full band", "below 8 kHz", "above 8 kHz"
BANDS = {WHOLE: (0.0, float("inf")), BELOW: (0.0, SPLIT_HZ), ABOVE: (SPLIT_HZ, float("inf"))}
LEAST_SHARE = 0.01  # of what the mixture has in a band; a stem that has less is not scored there
TINY = 1e-12
OTHER = "other"


@dataclass(frozen=True, eq=False)
class _Song:
    """A track, the sum ``[C, N]`` of its stems, and the masks ``[K, T]`` that are painted on them."""

    name: str
    track: StemTrack
    mixture: Tensor
    painted: Mapping[str, Tensor]


def evaluate_songs(
    tracks: Sequence[TrackSource],
    contestants: Sequence[Contestant],
    *,
    records: PointedFile,
    plan: PointedPlan,
    progress: Callable[[float], None] | None = None,
) -> tuple[PointedRecord, ...]:
    """Ask for every stem of songs by a mask that is painted on it; all stems of a song at once.

    Args:
        tracks: read one at a time.
        contestants: models.
        records: the file that results go to.
        plan: seed of the masks, and settings of the separation; questions and steps are not read.
        progress: called with the fraction done, 0..1.

    Returns:
        The records of exactly these songs and models, three for each stem.
    """
    found: list[PointedRecord] = []
    for number, source in enumerate(tracks):
        song = _paint(source.name, source.read(), plan.seed)
        for contestant in contestants:
            found.extend(_examine(contestant, song, records=records, plan=plan))
        if progress is not None:
            progress((number + 1) / len(tracks))
    return tuple(found)


def band_of(samples: Tensor, sample_rate: int, low: float, high: float) -> Tensor:
    """Return what samples ``[C, N]`` have from ``low`` up to ``high`` hertz.

    Example:
        >>> bool(band_of(torch.ones(1, 100), 100, 1.0, 50.0).abs().max() < 1e-6)
        True
    """
    spectrum = torch.fft.rfft(samples)
    hertz = torch.fft.rfftfreq(samples.shape[-1], 1 / sample_rate)
    band: Tensor = torch.fft.irfft(spectrum * ((hertz >= low) & (hertz < high)), samples.shape[-1])
    return band


def _paint(name: str, track: StemTrack, seed: int) -> _Song:
    painted = {}
    for stem in track.stems:
        draw = draw_mask(dice_of("mask", seed, name, stem.name).generator)
        painted[stem.name] = simulate_mask(hear_mel(narrow(Audio(stem.samples, track.sample_rate))), draw)
    return _Song(name, track, track.mixture(Part(0, track.n_samples)), painted)


def _examine(
    contestant: Contestant, song: _Song, *, records: PointedFile, plan: PointedPlan
) -> Iterator[PointedRecord]:
    """Ask a model for all stems of a song, or find its answers in the file."""
    passes = {
        (index, band): Pass(
            protocol=PROTOCOL, mode=f"positive mask, {band}", item_set=song.track.item_set,
            item=f"{song.name}/{stem.name}", group=stem.label or OTHER,
            fingerprint=fingerprint_of((song.mixture, stem.samples, song.painted[stem.name])),
            settings={**plan.settings(contestant), **asdict(plan.separation)}, seed=plan.seed,
        )
        for index, stem in enumerate(song.track.stems) for band in BANDS
    }  # fmt: skip
    missing = [place for place, entry in passes.items() if records.found(entry.key(contestant)) is None]
    if missing:
        by_label = isinstance(contestant.model, ReferenceModel)  # to which names of files say nothing
        names = [stem.label or OTHER if by_label else stem.name for stem in song.track.stems]
        masks = (Mask(song.painted[stem.name], soft=False) for stem in song.track.stems)
        targets = [Target(name, mask) for name, mask in zip(names, masks, strict=True)]
        mixture = Audio(song.mixture, song.track.sample_rate)
        truth = [stem.samples for stem in song.track.stems]
        given = ask(contestant.model, mixture, targets, settings=plan.separation, truth=truth)
        for index, band in missing:
            scored = _in_band(given, index, song.track.stems[index], song, band)
            record = passes[index, band].record(contestant, scored, sample_rate=song.track.sample_rate)
            records.keep(record, scored)
    for entry in passes.values():
        record_of_pass = records.found(entry.key(contestant))
        assert record_of_pass is not None
        yield record_of_pass


def _in_band(given: Answer, index: int, stem: TrackStem, song: _Song, band: str) -> Scored:
    """Return one band of an answer beside the truth; without a reference where the stem has next to nothing there."""
    low, high = BANDS[band]
    whole = (given.stems[index], stem.samples, song.mixture - stem.samples, song.mixture)
    estimate, truth, rest, mixture = (band_of(one, song.track.sample_rate, low, high) for one in whole)
    sounds = float(truth.square().sum()) >= LEAST_SHARE * max(float(mixture.square().sum()), TINY)
    return Scored(
        estimate=estimate,
        reference=truth if sounds else None,
        rest=rest,
        mixture=mixture,
        presence=given.presence[index],
        seconds=given.seconds / len(song.track.stems),
    )
