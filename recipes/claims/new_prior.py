"""A new prior beside old ones, before and after: ``python recipes/claims/new_prior.py RECORDINGS [--composed 12]``.

RECORDINGS is a tree of folders of stems (docs/evaluation.md); composed songs that no training has heard can be added.
One passage of each, mono at 44.1 kHz, is separated with priors of vocals, drums, bass and other, and again with that of
a source that is part of other there: beside it, and instead of it. Scored are the new source (before, what stood for it
was other), the sources that had priors already, and the rest, what is other without the new source: SI-SDR in dB, mean
over the passages in which it sounds (how many). At the end the files of all priors are compared with what they were at
the beginning.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.datasets.solo_clips import LABELS
from unbraid.evaluation.metrics import si_sdr
from unbraid.evaluation.records import provenance
from unbraid.evaluation.tracks import Part, StemTrack, by_instrument, by_stem, composed_tracks, find_tracks
from unbraid.evaluation.tracks import sounds as is_heard
from unbraid.guides.kinds import Label, Target
from unbraid.models.instglow import Instglow
from unbraid.models.instglow_search import SEARCHES
from unbraid.priors import find_priors
from unbraid.zoo import load_model, weights_hash

OLD, REST = ("vocals", "drums", "bass"), "other"
NEW = ("guitar", "piano", "strings")
SEED, RATE = 7, 44100


class Passage(NamedTuple):
    """True sources ``[N]``, those that sound, by the prior that is theirs alone; what has none is other."""

    kind: str
    sources: dict[str, Tensor]

    @property
    def mixture(self) -> Tensor:
        """Their sum, ``[N]``."""
        return torch.stack(list(self.sources.values())).sum(dim=0)


def by_prior(names: Sequence[str], kind: str) -> Mapping[str, str]:
    """Label stems by priors, narrow ones where there are."""
    wide, classes = by_stem(names, kind), by_instrument(names, kind)
    narrow = {name: next((new for new in NEW if classes[name] in LABELS.get(new, (new,))), REST) for name in names}
    return {name: narrow[name] if wide[name] == REST else wide[name] for name in names}


def read_passage(track: StemTrack, *, start: float, seconds: float) -> Passage:
    """Cut a passage, and leave out what is silent in it."""
    part = Part(round(start * track.sample_rate), round((start + seconds) * track.sample_rate))
    found = {label: track.reference(label, part).samples.mean(dim=0, keepdim=True) for label in track.labels}
    at_rate = {
        label: resample(samples, source_rate=track.sample_rate, target_rate=RATE)[0]
        for label, samples in found.items()
        if is_heard(samples)
    }
    return Passage("composed" if track.item_set == "composed" else "recorded", at_rate)


def separate(passages: Sequence[Passage], priors: Sequence[str], *, search: str) -> dict[str, Tensor]:
    """Return stems ``[B, N]`` by prior."""
    model = cast(Instglow, load_model("instglow", priors=priors))
    model.config = replace(model.config, search=SEARCHES[search])
    mixtures = torch.stack([one.mixture for one in passages])[:, None]  # [B, C, N]
    with torch.inference_mode():
        stems = model(mixtures, model.condition([Target(name, (Label(name),)) for name in priors])).stems
    return dict(zip(priors, stems[:, :, 0].unbind(dim=1), strict=True))


def scores(passages: Sequence[Passage], stems: Mapping[str, Tensor], new: str) -> dict[str, list[float]]:
    """Return SI-SDR in dB of the new source, of the old ones, and of the rest, where they sound."""
    found: dict[str, list[float]] = {name: [] for name in (new, *OLD, REST)}
    for index, passage in enumerate(passages):
        rest = [samples for label, samples in passage.sources.items() if label not in {new, *OLD}]
        truth = {label: samples for label, samples in passage.sources.items() if label in {new, *OLD}}
        truth |= {REST: torch.stack(rest).sum(dim=0)} if rest and REST in stems else {}
        for label, reference in truth.items():
            estimate = stems.get(label, stems.get(REST))
            assert estimate is not None
            found[label].append(float(si_sdr(estimate=estimate[index][None], reference=reference[None])))
    return found


def rows(passages: Sequence[Passage], new: str, *, search: str) -> list[str]:
    """Separate in three ways, and write what came out as lines of a table."""
    ways = {"before": (*OLD, REST), "beside other": (*OLD, REST, new), "instead of other": (*OLD, new)}
    answers = {"mixture": dict.fromkeys((*OLD, REST, new), torch.stack([one.mixture for one in passages]))}
    answers |= {way: separate(passages, priors, search=search) for way, priors in ways.items()}
    lines = []
    for way, stems in answers.items():
        by_source = scores(passages, stems, new)
        cells = [f"{statistics.mean(values):.2f} ({len(values)})" if values else "" for values in by_source.values()]
        lines.append(f"| {passages[0].kind} | {new} | {way} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Separate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--composed", type=int, default=0, metavar="N", help="composed songs to add")
    parser.add_argument("--search", choices=SEARCHES, default="default")
    parser.add_argument("--start", type=float, default=2.0, help="of the passages, in seconds")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of the passages")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before = {one.name: weights_hash(one.path) for one in find_priors([*OLD, REST])}
    length = {"start": arguments.start, "seconds": arguments.seconds}
    songs = find_tracks(arguments.recordings, labels=by_prior) + composed_tracks(
        labels=by_prior, count=arguments.composed, seed=SEED, duration=sum(length.values()) + 2, player=None
    )
    passages = [read_passage(song.read(), **length) for song in songs]
    print(
        "| songs | new prior | priors | the new source | vocals | drums | bass | the rest |\n|---|---|---|" + 5 * "--:|"
    )
    for kind in ("recorded", "composed"):
        for new in NEW:
            own = [one for one in passages if one.kind == kind and new in one.sources]
            if own:
                print("\n".join(rows(own, new, search=arguments.search)), flush=True)
    after = {one.name: weights_hash(one.path) for one in find_priors([*OLD, REST])}
    print(f"\n- files of {', '.join(before)}: {'identical' if after == before else 'changed'}, before and after")
    print(f"- search {arguments.search}; made by: `{json.dumps(dict(provenance()), sort_keys=True)}`")


if __name__ == "__main__":
    main()
