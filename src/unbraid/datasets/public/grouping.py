"""Stems of a track summed by what they are: the instrument tracks and sub-mixes that the papers examine.

Nothing is read: a grouped stem holds the recordings of all that went into it.

Sources: Wang et al., "Few-shot musical source separation", ICASSP 2022, sections 3.1 and 3.3 (instrument tracks; one
stem per class of the songs of MedleyDB without bleed); Zhu et al., "Music source separation with generative flow", IEEE
SPL 2022, section IV-A (Slakh2100-submix: piano, bass, guitar and drums).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.labels import FOUR, meaning

SUBMIX_CLASSES = {"Piano": "piano", "Bass": "bass", "Guitar": "guitar", "Drums": "drums"}
"""The classes of Slakh2100 that its sub-mix consists of, and what their sums are called."""

ACCOMPANIMENT = "accompaniment"
Naming = Callable[[Track, Stem], str]
"""Gives a stem the name of the sum that it goes into; "" leaves it out."""


def regroup(track: Track, naming: Naming) -> Track | None:
    """Sum the stems that have the same name; the mixture is what is left, as the sum.

    Args:
        track: of any dataset.
        naming: of its stems.

    Returns:
        A track whose stems are named and labeled so, in the order in which the names occur, and which bleed where one
        of their parts does; None where every stem was left out. It has the dataset's own mixture only where no stem was
        left out.

    Example:
        >>> from pathlib import Path
        >>> from unbraid.datasets.public.dataset import Recording
        >>> one, two = (Stem(name, "piano", (Recording(Path(name), 8000, 10, 1),)) for name in ("a", "b"))
        >>> grouped = regroup(Track("t", "set", "all", (one, two)), lambda track, stem: "keys")
        >>> [(stem.name, len(stem.recordings)) for stem in grouped.stems]
        [('keys', 2)]
    """
    members: dict[str, list[Stem]] = {}
    for stem in track.stems:
        members.setdefault(naming(track, stem), []).append(stem)
    left_out = members.pop("", [])
    if not members:
        return None
    stems = tuple(_sum(name, parts) for name, parts in members.items())
    return replace(track, stems=stems, mixture=None if left_out else track.mixture)


def by_four(track: Track) -> Track:
    """Sum the stems to vocals, drums, bass and other, in this order; those that are none of them are other.

    Raises:
        DatasetError: if it is not clear what a label means.
    """
    grouped = regroup(track, lambda track, stem: meaning(track, stem).four or "other") or track
    return replace(grouped, stems=tuple(sorted(grouped.stems, key=lambda stem: FOUR.index(stem.name))))


def by_instrument(track: Track) -> Track:
    """Sum the stems by their few-shot classes; those of no class stay in the mixture, one by one, labeled "".

    Raises:
        DatasetError: if it is not clear what a label means.
    """
    grouped = regroup(track, lambda track, stem: meaning(track, stem).instrument or f"/{stem.name}") or track
    stems = tuple(replace(stem, label="") if stem.name.startswith("/") else stem for stem in grouped.stems)
    return replace(grouped, stems=stems)


def few_shot_submixes(tracks: Iterable[Track]) -> list[Track]:
    """Return the sub-mixes in which few-shot separation is examined on MedleyDB.

    Songs in which microphones heard other instruments are left out; of the others, only one stem of each class is kept
    (the first in the order of the dataset: the paper does not say which), and songs with fewer than two classes are
    left out, since there is nothing to separate.

    Raises:
        DatasetError: if it is not clear what a label means.
    """
    kept = []
    for track in tracks:
        if any(stem.bleeds for stem in track.stems):
            continue
        first: dict[str, Stem] = {}
        for stem in track.stems:
            instrument = meaning(track, stem).instrument
            if instrument:
                first.setdefault(instrument, replace(stem, label=instrument))
        if len(first) > 1:
            kept.append(replace(track, stems=tuple(first.values()), mixture=None))
    return kept


def slakh_submix(track: Track) -> Track | None:
    """Return the sub-mix of a track of Slakh2100 on which InstGlow is examined; None where it has none of its stems.

    Example:
        >>> slakh_submix(Track("Track00001", "slakh2100", "test", (Stem("S00", "Pipe/Flute", ()),))) is None
        True
    """
    return regroup(track, lambda track, stem: SUBMIX_CLASSES.get(stem.label.partition("/")[0], ""))


def singing_and_accompaniment(track: Track) -> Track:
    """Sum the stems to vocals and accompaniment, which is everything else.

    Raises:
        DatasetError: if it is not clear what a label means.
    """
    grouped = regroup(track, lambda track, stem: "vocals" if meaning(track, stem).four == "vocals" else ACCOMPANIMENT)
    return grouped or track


def _sum(name: str, parts: list[Stem]) -> Stem:
    return Stem(
        name,
        name,
        tuple(recording for part in parts for recording in part.recordings),
        bleeds=any(part.bleeds for part in parts),
        score=parts[0].score if len(parts) == 1 else None,
        group=parts[0].group,
    )
