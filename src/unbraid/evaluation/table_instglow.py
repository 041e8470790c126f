"""Table I of the InstGlow paper, and its figure 2: how likely every prior finds every source.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, section IV. Mono at 22.05 kHz in
segments of a minute, what is left joins the last one; the SDR of the whole segment, the median over segments, silent
ones left out. Accompaniment is the sum of what was separated beside vocals. Only the priors of a dataset's four sources
take part, in two searches, maximum likelihood and maximum a posteriori, or in another one.

Axes: C channels (always 1), N samples, F bins, T frames.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor, nn

from unbraid.audio.resample import resample
from unbraid.audio.stft import Stft
from unbraid.datasets.public.dataset import Track
from unbraid.datasets.public.grouping import slakh_submix
from unbraid.datasets.public.song_segments import is_silent, segments_of
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.items import Reference
from unbraid.evaluation.paper_instglow import ACCOMPANIMENT, COLUMNS, MUSDB, SLAKH, TABLE
from unbraid.evaluation.paper_table import PaperTable, Reading, median_over_items, write_table
from unbraid.evaluation.pointed_records import fingerprint_of
from unbraid.evaluation.protocols import Contestant, Evaluation, Skipped
from unbraid.evaluation.public_items import Need, missing_note, samples_of, tracks_of
from unbraid.evaluation.records import Record, RecordFile, finite, pass_key, provenance
from unbraid.evaluation.report import describe_origin, distinct_values, row_of, skipped_table
from unbraid.evaluation.sheets import Asked, Sheet, examine_sheets, no_more, settings_of
from unbraid.guides.kinds import Label
from unbraid.models.instglow import Instglow
from unbraid.models.instglow_network import Prior, negative_log_likelihood
from unbraid.models.instglow_searches import SearchConfig, read_search

SAMPLE_RATE = 22050
N_PIECES = 100  # of figure 2
NEEDS = (
    Need(MUSDB, {"musdb18-hq": "test", "musdb18": "test"}),
    Need(SLAKH, {"slakh2100": "test", "slakh2100-redux": "test"}),
)
SOURCES = ("vocals", "bass", "drums", "other")
SUMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {MUSDB: {ACCOMPANIMENT: ("bass", "drums", "other")}, SLAKH: {}}
TARGETS = {MUSDB: SOURCES, SLAKH: ("bass", "drums", "guitar", "piano")}
LABEL, MLE, MAP = "label", "MLE", "MAP"
LIKELIHOOD = "likelihood"

PAPER = PaperTable(
    title="Table I of the InstGlow paper",
    source="Median SDR in dB of whole segments of a minute, mono at 22.05 kHz.",
    columns=COLUMNS,
    rows=TABLE,
    against={"MAP": "InstGlow-MAP", "": "InstGlow-MLE"},
)
READING = Reading(
    lambda record: f"{record.item_set} {record.prompt}", lambda record: record.sdr, median_over_items
)  # every segment is an item


class InstglowTitle(StrEnum):
    """The table and the figure."""

    TABLE1 = "instglow-table1"
    FIGURE2 = "instglow-figure2"


def read_segment(track: Track, start: int, stop: int) -> dict[str, Tensor]:
    """Read a segment of every stem, ``[1, N]`` at 22.05 kHz, by its label."""
    found = {}
    for stem in track.stems:
        mono = samples_of(stem, track, start, stop).mean(dim=0, keepdim=True)
        found[stem.label] = resample(mono, source_rate=track.sample_rate, target_rate=SAMPLE_RATE)
    return found


@dataclass(frozen=True)
class InstglowTable(Examination):
    """Separation of MUSDB18 and of Slakh2100's four most frequent instruments, whichever is there.

    Args:
        choice: where the datasets are.
        search: the one search of priors, as `read_search` reads it; None is both of the paper's.
        n_iterations: of the searches; None is as many as in the paper.
    """

    choice: Choice
    search: str | None = None
    n_iterations: int | None = None

    @property
    def title(self) -> str:
        """What it is called."""
        return InstglowTitle.TABLE1.value

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr"

    def units(self) -> list[Unit]:
        """One for each track."""
        found = []
        for name, tracks in tracks_of(self.choice, self.title, NEEDS).items():
            mixed = tracks if name == MUSDB else [one for one in map(slakh_submix, tracks) if one is not None]
            found += [Unit(track.name, functools.partial(self._examine, name, track)) for track in mixed]
        return found

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the table."""
        del records
        found = evaluation.records
        sections = [
            f"# {PAPER.title}\n\n{describe_origin(found)}\n{missing_note(self.choice, self.title, NEEDS)}",
            f"## The table\n\n{write_table(found, PAPER, READING)}",
            f"## Left out\n\n{skipped_table(evaluation.skipped)}",
        ]
        return {f"{self.title}.md": "\n\n".join(one for one in sections if not one.endswith("\n\n")) + "\n"}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the table."""
        return write_table(evaluation.records, PAPER, READING)

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the row that a search is held against."""
        rival = PAPER.rival(mode)
        cell = None if rival is None else PAPER.rows[rival].get(f"{item_set} {target}")
        return {} if cell is None or rival is None else {rival: cell.value}

    def _examine(
        self, dataset: str, track: Track, contestants: Sequence[Contestant], records: RecordFile
    ) -> Evaluation:
        """Put every segment to priors in each search, and to other models once."""
        priors = [one for one in contestants if isinstance(one.model, Instglow)]
        passes = {LABEL: [one for one in contestants if one not in priors]}
        for mode, search in self._searches().items():
            passes[mode] = [replace(one, model=choose_priors(one.model, TARGETS[dataset], search)) for one in priors]
        found = [
            examine_sheets(
                self._sheets(dataset, track, mode), able, records=records, settings=self.choice.settings, scorer=no_more
            )
            for mode, able in passes.items()
            if able
        ]
        return Evaluation(
            tuple(record for one in found for record in one.records),
            tuple(skipped for one in found for skipped in one.skipped),
        )

    def _searches(self) -> dict[str, SearchConfig]:
        """Return the searches by what they are called in the table."""
        titles = {"mle": MLE, "map": MAP}
        names = tuple(titles) if self.search is None else (self.search,)
        found = {titles.get(name, name): read_search(name) for name in names}
        return {title: replace(one, n_iterations=self.n_iterations or one.n_iterations) for title, one in found.items()}

    def _sheets(self, dataset: str, track: Track, mode: str) -> Iterator[Sheet]:
        """Yield every segment in which something sounds; a silent source is asked for, but there is no truth of it."""
        for number, (start, stop) in enumerate(segments_of(track)):
            sources = read_segment(track, start, stop)
            truth = {name: torch.zeros_like(one) if is_silent(one.numpy()) else one for name, one in sources.items()}
            if any(one.any() for one in truth.values()):
                asked = tuple(Asked(Label(name), Reference(name, one, (name,))) for name, one in truth.items())
                mixture = torch.stack(list(sources.values())).sum(dim=0)
                item = f"{track.name} {number}"
                yield Sheet(
                    self.title, mode, dataset, item, SAMPLE_RATE, mixture, asked, SUMS[dataset], self.choice.seed
                )


def choose_priors(model: object, names: Sequence[str], search: SearchConfig) -> Instglow:
    """Return a separator with the priors of some sources, of those that a model has, and another search.

    The priors are the same objects. A model that has none of these keeps what it has, and will not be asked.
    """
    assert isinstance(model, Instglow)
    mine = [name for name in model.config.names if name in names] or list(model.config.names)
    shapes = dict(zip(model.config.names, model.config.priors, strict=True))
    config = replace(model.config, names=tuple(mine), priors=tuple(shapes[name] for name in mine), search=search)
    chosen = Instglow(config)
    chosen.priors = nn.ModuleList(model.by_name[name] for name in mine)
    chosen.name = model.name
    return chosen.to(next(model.parameters()).device).eval()


@dataclass(frozen=True)
class InstglowFigure(Examination):
    """Figure 2: the negative log-likelihood of a hundred pieces of every source, by every prior."""

    choice: Choice

    @property
    def title(self) -> str:
        """What it is called."""
        return InstglowTitle.FIGURE2.value

    @property
    def score(self) -> str:
        """What is drawn."""
        return "nll"

    def units(self) -> list[Unit]:
        """One for each piece of a minute."""
        (tracks,) = tracks_of(self.choice, self.title, NEEDS[:1]).values()
        pieces = [(track, *ends) for track in tracks for ends in segments_of(track)][:N_PIECES]
        return [
            Unit(f"{track.name} {start}", functools.partial(self._examine, track, start, stop))
            for track, start, stop in pieces
        ]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the medians; the page for a browser has the boxes."""
        del records
        found = evaluation.records
        sections = [
            f"# Figure 2 of the InstGlow paper\n\n{describe_origin(found)}",
            f"## Likelihoods\n\n{likelihood_table(found)}",
            f"## Left out\n\n{skipped_table(evaluation.skipped)}",
        ]
        return {f"{self.title}.md": "\n\n".join(one for one in sections if not one.endswith("\n\n")) + "\n"}

    def summary(self, evaluation: Evaluation) -> str:
        """Return the medians."""
        return likelihood_table(evaluation.records)

    def _examine(
        self, track: Track, start: int, stop: int, contestants: Sequence[Contestant], records: RecordFile
    ) -> Evaluation:
        read = read_segment(track, start, stop)
        sources = {name: samples for name, samples in read.items() if not is_silent(samples.numpy())}
        found: list[Record] = []
        skipped: list[Skipped] = []
        for contestant in contestants:
            if not isinstance(contestant.model, Instglow):
                skipped.append(Skipped(contestant.name, LIKELIHOOD, track.name, "it has no priors of single sources"))
                continue
            for name, samples in sources.items():
                item = f"{track.name} {start / track.sample_rate:.0f}"
                found.extend(self._judge(contestant, contestant.model, item, name, samples, records))
        return Evaluation(tuple(found), tuple(skipped))

    def _judge(
        self, contestant: Contestant, model: Instglow, item: str, source: str, samples: Tensor, records: RecordFile
    ) -> tuple[Record, ...]:
        """Measure one piece with all priors; a record for each."""
        settings, seed = settings_of(contestant, self.choice.settings), self.choice.seed
        fingerprint = fingerprint_of([samples])
        key = pass_key(
            protocol=self.title, mode=LIKELIHOOD, item=item, item_set=MUSDB, fingerprint=fingerprint, prompt=source,
            model=contestant.name, weights=contestant.weights, settings=settings, seed=seed,
        )  # fmt: skip
        finished = records.find(key)
        if finished:
            return finished
        made = []
        for name, prior in model.by_name.items():
            began = time.perf_counter()
            value = likelihood_of(prior, samples)
            made.append(Record(
                key=key, block=len(model.by_name), protocol=self.title, mode=LIKELIHOOD, item_set=MUSDB, item=item,
                fingerprint=fingerprint, prompt=source, asked=(name,), model=f"{contestant.name}, prior of {name}",
                weights=contestant.weights, settings=settings, seed=seed, n_channels=1, sample_rate=SAMPLE_RATE,
                duration=samples.shape[-1] / SAMPLE_RATE, seconds=time.perf_counter() - began, si_sdr=None,
                si_sdr_improvement=None, snr=None, sdr=None, level_db=None, presence=None, sources=(),
                provenance=provenance(), more={"nll": finite(value)},
            ))  # fmt: skip
        records.append(made)
        return tuple(made)


@torch.no_grad()
def likelihood_of(prior: Prior, samples: Tensor) -> float:
    """Return the negative log-likelihood of ``[1, N]`` at 22.05 kHz, in nats per bin and frame."""
    weight = next(prior.parameters())
    shape = prior.config
    stft = Stft(shape.n_fft, shape.hop_length, window="hann", reflect=True).to(weight.device)
    magnitude = stft(samples.to(weight.device)).abs()
    return float(negative_log_likelihood(prior(prior.features(magnitude))))


def likelihood_table(records: Sequence[Record]) -> str:
    """Write medians of the negative log-likelihood: priors down, sources across."""
    sources = [name for name in SOURCES if any(one.prompt == name for one in records)]
    lines = [
        "Median negative log-likelihood over pieces of a minute, in nats per bin and frame, with a 95 % bootstrap "
        "interval. The paper draws boxes only; it says that the priors' likelihoods are correlated and overlap.\n",
        "| prior | " + " | ".join(sources) + " |",
        "|---|" + "--:|" * len(sources),
    ]
    for model in distinct_values(records, lambda one: one.model):
        cells = [
            median_over_items([one for one in records if one.model == model and one.prompt == name], _likelihood)
            for name in sources
        ]
        lines.append(row_of(model, *("–" if cell is None else cell for cell in cells)))
    return "\n".join(lines)


def _likelihood(record: Record) -> float | None:
    return record.more.get("nll")
