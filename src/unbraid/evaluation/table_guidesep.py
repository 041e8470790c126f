"""Table 1 of the GuideSep paper on Slakh2100, and its test of humming.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 4, and the configuration
that was published with it. Windows of 4.08 s begin at onsets; target and rest are brought to equal peaks; SDR of BSS
eval with a filter of 512 samples, means over windows. Imitations are played by the instruments that are installed here.

Axes: N samples at 16 kHz.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from unbraid.audio.resample import resample
from unbraid.datasets.dice import Dice
from unbraid.datasets.mimicry_packing import PLAYED
from unbraid.datasets.mimicry_players import open_players
from unbraid.datasets.public.catalog import find
from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.onset_windows import N_SAMPLES, SECONDS, OnsetWindow, hear, hear_solo, notes_of, windows_of
from unbraid.datasets.public.onset_windows import draw_window as draw_onset
from unbraid.datasets.public.reading import read_stem
from unbraid.datasets.track import Samples
from unbraid.errors import DatasetError, GuideError
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination, Unit
from unbraid.evaluation.paper_guidesep import GROUPS, HUMMING, INTERVALS, OVERALL, TABLE, WEIGHTS
from unbraid.evaluation.paper_table import Cell, PaperTable, Reading, mean_over_items, weighted_mean, write_table
from unbraid.evaluation.pointed import DIFFUSION, PREDICTION, PointedPlan, evaluate_pointed
from unbraid.evaluation.pointed_guides import Balance, Pointing
from unbraid.evaluation.pointed_records import PointedFile, PointedRecord
from unbraid.evaluation.pointed_windows import LEAST_ENTROPY, PointedWindow
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.public_items import Need, choice_of, find_roots, tracks_of
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.report import describe_origin
from unbraid.evaluation.tracks import MAX_REDRAWS, dice_of
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.guides.render import Player, amplitude_entropy, draw_audible

TABLE1, HUM = "guidesep-table1", "guidesep-humming"
SLAKH = Need("Slakh2100", {"slakh2100": "test", "slakh2100-redux": "test"})
HUMTRANS = Need("HumTrans", {"humtrans": "all"})
MOISES = Need("MoisesDB", {"moisesdb": "all"})
ROWS = (Pointing.FULL, Pointing.MIMICRY, Pointing.PSEUDO, Pointing.POSITIVE)
HUMMED = "humming"
N_BACKGROUND = (3, 5)


def _rows() -> dict[str, dict[str, Cell]]:
    wide = {name: INTERVALS.get(name, {}) for name in TABLE}
    return {name: {group: Cell(value, wide[name].get(group)) for group, value in row.items()}
            for name, row in TABLE.items()}  # fmt: skip


PAPER = PaperTable(
    title="Table 1 of the GuideSep paper",
    source="SDR in dB of BSS eval with a filter of 512 samples, on windows of 4.08 s; what stands behind ± in the "
    "paper's rows is half of their 95 % interval. Overall weights groups by how often they occur in the paper.",
    columns=(*GROUPS, OVERALL),
    rows=_rows(),
    against={
        **{f"{pointing.value}, {DIFFUSION}": pointing.value for pointing in ROWS},
        f"{Pointing.FULL.value}, {PREDICTION}": "mask prediction, full",
    },
)


def _sdr(record: Record) -> float | None:
    return record.sdr_bss_eval if isinstance(record, PointedRecord) else None


READING = Reading(
    lambda record: record.prompt,
    _sdr,
    mean_over_items,
    whole={OVERALL: functools.partial(weighted_mean, weights=WEIGHTS)},
)


@dataclass(frozen=True)
class GuidesepTable(Examination):
    """Ten groups of instruments of Slakh2100, pointed at in four ways; ``tracks`` counts windows of each group."""

    choice: Choice

    @property
    def title(self) -> str:
        """What it is called."""
        return TABLE1

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr_bss_eval"

    def records(self, path: Path) -> PointedFile:
        """Open the file of records."""
        return PointedFile(path)

    def units(self) -> list[Unit]:
        """One for each window."""
        everything = Choice(data=self.choice.data, seed=self.choice.seed)
        (tracks,) = tracks_of(everything, self.title, (SLAKH,)).values()
        windows = [window for track in tracks for window in windows_of(track)]
        found = []
        for group in GROUPS:
            named = [_Named(window) for window in windows if window.group == group]
            found += [Unit(one.name, functools.partial(self._examine, one)) for one in choice_of(named, self.choice)]
        return found

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the table."""
        del records
        found = evaluation.records
        return {
            f"{TABLE1}.md": f"# {PAPER.title}\n\n{describe_origin(found)}\n\n{write_table(found, PAPER, READING)}\n"
        }

    def summary(self, evaluation: Evaluation) -> str:
        """Return the table."""
        return write_table(evaluation.records, PAPER, READING)

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the paper's value for a way of pointing and a group."""
        del item_set
        value = TABLE.get(mode, {}).get(target)
        return {} if value is None else {f"paper: {mode}": value}

    def _examine(self, named: _Named, contestants: Sequence[Contestant], records: RecordFile) -> Evaluation:
        assert isinstance(records, PointedFile)
        plan = PointedPlan(
            questions=tuple((pointing, Balance.PEAKS) for pointing in ROWS), seed=self.choice.seed, protocol=TABLE1,
            trained={one.name: one.trained for one in contestants if one.trained},
        )  # fmt: skip
        source = functools.partial(imitated_window, named.window, self.choice.seed)
        return Evaluation(evaluate_pointed([source], contestants, records=records, plan=plan), ())


@dataclass(frozen=True)
class _Named:
    """A window that can be chosen by name."""

    window: OnsetWindow

    @property
    def name(self) -> str:
        """Unique in the dataset."""
        return f"{self.window.track.name}/{self.window.stem.name}@{self.window.start:.2f}"


def imitated_window(window: OnsetWindow, seed: int) -> PointedWindow:
    """Hear a window, and let somebody play its melody."""
    heard, name = hear(window), _Named(window).name
    return PointedWindow(
        name=name,
        item_set=SLAKH.title,
        group=window.group,
        target=torch.from_numpy(heard.target.copy()),
        rest=torch.from_numpy(heard.background.copy()),
        notes=notes_of(window.stem),
        start=window.start,
        played=_play(window, dice_of("played", seed, name)),
        sung=None,
        stranger=None,
    )


def _play(window: OnsetWindow, dice: Dice) -> torch.Tensor | None:
    """Return the melody of a window on another instrument, ``[N]``; None where nobody can play it."""
    try:
        _, sound = draw_audible(
            notes_of(window.stem), dice.generator, start=window.start, duration=SECONDS, sample_rate=SAMPLE_RATE,
            players=_players(), settings=PLAYED,
        )  # fmt: skip
    except GuideError:
        return None
    return torch.from_numpy(_fit(sound))


@dataclass(frozen=True)
class HummingTest(Examination):
    """Melodies of HumTrans, rendered before music of MoisesDB, told by the humming that was recorded of them."""

    choice: Choice

    @property
    def title(self) -> str:
        """What it is called."""
        return HUM

    @property
    def score(self) -> str:
        """That of the paper."""
        return "sdr_bss_eval"

    def records(self, path: Path) -> PointedFile:
        """Open the file of records."""
        return PointedFile(path)

    def units(self) -> list[Unit]:
        """One for each recording: a window that begins at one of its notes."""
        folder = self.choice.folder(HUM)
        roots = find_roots(folder, (HUMTRANS, MOISES))
        if len(roots) < 2:
            raise DatasetError(f"{folder} needs humtrans and moisesdb: put each into a folder of its name")
        hummed, music = (
            find(dataset).index(root, "all") for dataset, root in (roots[HUMTRANS.title], roots[MOISES.title])
        )
        with_score = [track for track in hummed if track.stems[0].score is not None]
        backgrounds = tuple(music)
        return [
            Unit(track.name, functools.partial(self._examine, track, backgrounds))
            for track in choice_of(with_score, self.choice)
        ]

    def pages(self, evaluation: Evaluation, records: RecordFile) -> Mapping[str, str]:
        """Return the mean beside the paper's."""
        del records
        return {f"{HUM}.md": f"# Humming, after the GuideSep paper\n\n{describe_origin(evaluation.records)}\n\n"
                f"{self.summary(evaluation)}\n"}  # fmt: skip

    def summary(self, evaluation: Evaluation) -> str:
        """Return the mean beside the paper's."""
        paper = PaperTable(
            "Humming", "SDR in dB of BSS eval on windows of 4.08 s.", (HUMMED,), {"humming": {HUMMED: Cell(HUMMING)}},
            {f"{Pointing.MIMICRY.value}, {DIFFUSION}": "humming"},
        )  # fmt: skip
        return write_table(evaluation.records, paper, Reading(lambda record: record.prompt, _sdr, mean_over_items))

    def marks(self, item_set: str, mode: str, target: str) -> dict[str, float]:
        """Return the paper's mean."""
        del item_set, mode, target
        return {"paper": HUMMING}

    def _examine(
        self, track: Track, backgrounds: tuple[Track, ...], contestants: Sequence[Contestant], records: RecordFile
    ) -> Evaluation:
        assert isinstance(records, PointedFile)
        window = hummed_window(track, backgrounds, self.choice.seed)
        if window is None:
            return Evaluation((), ())
        plan = PointedPlan(
            questions=((Pointing.MIMICRY, Balance.PEAKS),), seed=self.choice.seed, protocol=HUM,
            trained={one.name: one.trained for one in contestants if one.trained},
        )  # fmt: skip
        return Evaluation(evaluate_pointed([lambda: window], contestants, records=records, plan=plan), ())


def hummed_window(track: Track, backgrounds: Sequence[Track], seed: int) -> PointedWindow | None:
    """Draw a window of a recorded humming, play its melody as the target, and put music behind it.

    Returns:
        None where the recording has no note, or nobody can play it.
    """
    dice = dice_of("humming", seed, track.name)
    window = draw_onset(track, dice)
    target = None if window is None else _play(window, dice)
    if window is None or target is None:
        return None
    return PointedWindow(
        name=track.name,
        item_set=HUMTRANS.title,
        group=HUMMED,
        target=target,
        rest=torch.from_numpy(draw_background(backgrounds, dice)),
        notes=notes_of(window.stem),
        start=window.start,
        played=torch.from_numpy(_fit(hear_solo(window))),
        sung=None,
        stranger=None,
    )


def draw_background(tracks: Sequence[Track], dice: Dice) -> Samples:
    """Sum 3 to 5 passages of stems that have nothing to do with each other: a class, a stem of it, a place.

    Raises:
        DatasetError: if nothing sounds.
    """
    classes: dict[str, list[tuple[Track, Stem]]] = {}
    for track in tracks:
        for stem in track.stems:
            classes.setdefault(stem.label.partition("/")[0], []).append((track, stem))
    names = sorted(classes)
    total = np.zeros(N_SAMPLES, np.float32)
    low, high = N_BACKGROUND
    for _ in range(low + dice.integer(high - low + 1)):
        for _ in range(MAX_REDRAWS):
            members = classes[names[dice.integer(len(names))]]
            track, stem = members[dice.integer(len(members))]
            passage = _passage(track, stem, dice)
            if amplitude_entropy(passage) > LEAST_ENTROPY:
                total += passage
                break
    if not total.any():
        raise DatasetError("no stem of MoisesDB sounds where it was looked at: get a complete copy")
    return total


def _passage(track: Track, stem: Stem, dice: Dice) -> Samples:
    length = round(SECONDS * track.sample_rate)
    start = dice.integer(max(1, stem.n_samples - length))
    samples = torch.from_numpy(read_stem(stem, start, start + length)[:1])
    return _fit(resample(samples, source_rate=track.sample_rate, target_rate=SAMPLE_RATE)[0].numpy())


def _fit(samples: Samples) -> Samples:
    """Cut or pad to a window."""
    return np.pad(samples[:N_SAMPLES], (0, max(0, N_SAMPLES - len(samples)))).astype(np.float32)


@functools.cache
def _players() -> tuple[Player, ...]:
    return open_players()
