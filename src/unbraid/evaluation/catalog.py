"""The list of all examinations: those of this project, the papers' tables, and anybody's folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from unbraid.errors import SettingsError
from unbraid.evaluation.choice import Choice
from unbraid.evaluation.examination import Examination
from unbraid.evaluation.examinations import GuidedExamination, PointedExamination, Pointing, PromptExamination
from unbraid.evaluation.folder import FolderExamination
from unbraid.evaluation.protocols import Mode
from unbraid.evaluation.questions import find_kinds
from unbraid.evaluation.table_fewshot import PLANS as FEWSHOT_PLANS
from unbraid.evaluation.table_fewshot import FewshotTable, FewshotTitle
from unbraid.evaluation.table_guidesep import GuidesepTable, HummingTest
from unbraid.evaluation.table_instglow import InstglowFigure, InstglowTable
from unbraid.evaluation.table_lasaft import TITLES as LASAFT_TITLES
from unbraid.evaluation.table_lasaft import LasaftTable, LasaftTitle
from unbraid.evaluation.table_tuss import TussTable


@dataclass(frozen=True)
class Wishes:
    """What only some examinations offer.

    Args:
        single: also ask for one category at a time.
        absent: also ask for what is not there.
        examples: up to so many of each sound.
        repeats: how often few-shot tables are repeated with other examples.
        only: names of the conditions of ``examples``; none is all.
        search: the one search of priors of ``instglow-table1``, by its name; None is both of the paper's.
    """

    single: bool = False
    absent: bool = False
    examples: int = 5
    repeats: int = 10
    only: tuple[str, ...] = ()
    search: str | None = None


@dataclass(frozen=True)
class Entry:
    """One examination that can be asked for by name.

    Args:
        summary: what it examines, in one line.
        needs: the recordings that it needs, in words.
        build: makes it.
        models: who is examined where nobody is named.
    """

    summary: str
    needs: str
    build: Callable[[Choice, Wishes], Examination]
    models: tuple[str, ...] = ("tuss-small",)


def _prompts(choice: Choice, wishes: Wishes) -> Examination:
    extra = ((Mode.SINGLE,) if wishes.single else ()) + ((Mode.ABSENT,) if wishes.absent else ())
    return PromptExamination(choice, (Mode.ALL, *extra))


OWN: dict[str, Entry] = {
    "tuss": Entry("sources by prompts, after TUSS", "folders of stems, or packs", _prompts),
    "labels": Entry(
        "labels that sound and labels that do not",
        "folders of stems, packs, or --composed",
        lambda choice, wishes: GuidedExamination(choice),
    ),
    "examples": Entry(
        "whether an example matters",
        "folders of stems, packs, or --composed",
        lambda choice, wishes: GuidedExamination(choice, wishes.examples, find_kinds(wishes.only)),
    ),
    "pointed": Entry(
        "windows pointed at by mimicry and masks",
        "packs of melodies, or --composed",
        lambda choice, wishes: PointedExamination(choice, Pointing.WINDOWS),
        ("guidesep-small",),
    ),
    "pointed-steps": Entry(
        "samplers and steps of a diffusion model",
        "packs of melodies, or --composed",
        lambda choice, wishes: PointedExamination(choice, Pointing.STEPS),
        ("guidesep-small",),
    ),
    "pointed-hum": Entry(
        "recorded humming",
        "folders of mixture, target, rest and hum",
        lambda choice, wishes: PointedExamination(choice, Pointing.HUM),
        ("guidesep-small",),
    ),
    "pointed-songs": Entry(
        "all stems of whole songs by painted masks",
        "folders of stems",
        lambda choice, wishes: PointedExamination(choice, Pointing.SONGS),
        ("guidesep-small",),
    ),
}


def _lasaft(which: LasaftTitle) -> Entry:
    return Entry(
        LASAFT_TITLES[which],
        "musdb18-hq or musdb18",
        lambda choice, wishes: LasaftTable(choice, which),
        ("lasaft-light-16",),
    )


def _fewshot(which: FewshotTitle) -> Entry:
    needs = "medleydb and medleydb2, or one of them" if which is FewshotTitle.FIGURE2 else "musdb18-hq or musdb18"
    return Entry(
        FEWSHOT_PLANS[which].heading,
        needs,
        lambda choice, wishes: FewshotTable(choice, which, wishes.repeats),
        ("few-shot-small",),
    )


def _likelihoods(choice: Choice, wishes: Wishes) -> Examination:
    if wishes.search is not None:
        raise SettingsError("instglow-figure2 measures likelihoods, and searches for nothing: leave --search out")
    return InstglowFigure(choice)


PAPERS: dict[str, Entry] = {
    "tuss-table3": Entry(
        "Table III of the TUSS paper: five tasks, all prompts and one at a time",
        "vctk-demand, whamr-anechoic or wham, fuss, musdb18-hq or musdb18, dnr; any of them",
        lambda choice, wishes: TussTable(choice),
    ),
    **{which.value: _lasaft(which) for which in LasaftTitle},
    **{which.value: _fewshot(which) for which in FewshotTitle},
    "guidesep-table1": Entry(
        "Table 1 of the GuideSep paper: ten groups of instruments",
        "slakh2100 or slakh2100-redux",
        lambda choice, wishes: GuidesepTable(choice),
        ("guidesep-small",),
    ),
    "guidesep-humming": Entry(
        "the humming test of the GuideSep paper",
        "humtrans and moisesdb",
        lambda choice, wishes: HummingTest(choice),
        ("guidesep-small",),
    ),
    "instglow-table1": Entry(
        "Table I of the InstGlow paper",
        "musdb18-hq or musdb18, slakh2100 or slakh2100-redux; any of them",
        lambda choice, wishes: InstglowTable(choice, wishes.search),
        ("instglow",),
    ),
    "instglow-figure2": Entry(
        "Figure 2 of the InstGlow paper: likelihoods of sources by priors",
        "musdb18-hq or musdb18",
        _likelihoods,
        ("instglow",),
    ),
}


def all_entries() -> dict[str, Entry]:
    """Return every examination that has a name."""
    return {**OWN, **PAPERS}


def find_examination(name: str, choice: Choice, wishes: Wishes = Wishes()) -> Examination:
    """Return an examination by its name, or that of a folder.

    Args:
        name: of an examination, or a path.
        choice: where recordings come from.
        wishes: what only some examinations offer.

    Raises:
        SettingsError: if there is neither.
    """
    entry = all_entries().get(name)
    if entry is not None:
        return entry.build(choice, wishes)
    if Path(name).is_dir():
        return FolderExamination(replace(choice, data=Path(name)))
    near = difflib.get_close_matches(name, all_entries(), n=1)
    advice = f"did you mean {near[0]}?" if near else "unbraid evaluate --list lists what there is"
    raise SettingsError(f"{name!r} is neither a folder nor an examination: {advice}")


def default_models(name: str) -> tuple[str, ...]:
    """Return who is examined where nobody is named."""
    entry = all_entries().get(name)
    return ("tuss-small",) if entry is None else entry.models


def describe_all() -> str:
    """Return the list: name, what is examined, what it needs."""
    width = max(len(name) for name in all_entries())
    lines = [
        f"{name:{width}}  {entry.summary}\n{'':{width}}  needs {entry.needs}" for name, entry in all_entries().items()
    ]
    folder = f"{'FOLDER':{width}}  every stem by the name that a model has for it\n{'':{width}}  needs stems there"
    return "\n".join([folder, *lines])
