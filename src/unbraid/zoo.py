"""The models: one plain table, and the way from a name or a file to a separator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Examples, Guide, Label, Prompts, Span, Target
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES, nearest
from unbraid.hub import HubFile, download, is_on_hub
from unbraid.library import library
from unbraid.models.instglow import Instglow, combine
from unbraid.models.instglow_searches import SEARCHES
from unbraid.models.lasaft_network import LABELS
from unbraid.models.queries import SUFFIX, add_query, label_files, load_query
from unbraid.models.separator import Separator
from unbraid.models.tuss import PRESETS, PROMPTS, Tuss
from unbraid.models.weights_files import KINDS, read_file, read_weights, save_weights, weights_hash
from unbraid.priors import RESIDUAL, SHIPPED, find_priors

__all__ = [
    "KINDS",
    "PRIOR_SYSTEM",
    "SYSTEMS",
    "WEIGHTS",
    "ZOO",
    "ZooEntry",
    "check_targets",
    "debug_model",
    "default_model",
    "load_model",
    "read_file",
    "read_weights",
    "save_weights",
    "weights_hash",
]

WEIGHTS = Path(__file__).parent / "weights"
PRIOR_SYSTEM = "instglow"  # put together when it is loaded


@dataclass(frozen=True)
class ZooEntry:
    """One model that ships.

    Attributes:
        name: what `load_model` takes.
        system: the published system that it belongs to.
        file: name of its weights in the package, or None where only the architecture is offered.
        sha256: of that file.
        guides: the kinds of guide that it takes.
        vocabulary: the labels or prompts that it knows.
        licence: of the weights.
        training_data: what it was trained with, and under which licences.
        summary: one line for a list.
    """

    name: str
    system: str
    file: str | None
    sha256: str | None
    guides: tuple[str, ...]
    vocabulary: tuple[str, ...]
    licence: str
    training_data: str
    summary: str

    @property
    def path(self) -> Path | None:
        """Where the weights lie."""
        return None if self.file is None else WEIGHTS / self.file

    @property
    def ships(self) -> bool:
        """Whether it comes with weights: in a file of its own, or as priors."""
        return self.file is not None or (self.name == PRIOR_SYSTEM and bool(SHIPPED))


SYSTEMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # guides and vocabulary of each published system
    "TUSS": (("Label", "Prompts"), PROMPTS),
    "LaSAFT": (("Label",), LABELS),
    "LaSAFT audio query": (("Examples", "Label"), ()),
    "Few-shot": (("Examples", "Label"), ()),
    "Few-shot baseline": (("Label",), INSTRUMENT_CLASSES),
    "GuideSep": (("Mask", "Mimicry", "Score"), ()),
    "GuideSep baseline": (("Mask", "Mimicry", "Score"), ()),
    "InstGlow": (("Label",), tuple(SHIPPED)),
}


def _architecture(name: str, system: str, summary: str) -> ZooEntry:
    guides, vocabulary = SYSTEMS[system]
    return ZooEntry(name, system, None, None, guides, vocabulary, "-", "-", summary)


ZOO: dict[str, ZooEntry] = {
    entry.name: entry
    for entry in (
        ZooEntry(
            name="tuss-small",
            system="TUSS",
            file="tuss-small.safetensors",
            sha256="55d8ada808b43798c1f7202796cf1b67c42017fa6a141ef876d12ef5cff408aa",
            guides=("Label", "Prompts"),
            vocabulary=PROMPTS,
            licence="CC-BY-4.0",
            training_data="composed music, synthesized sounds, and recordings under CC0, CC-BY, MIT; see its card",
            summary="sized for a CPU; 44.1 kHz; reports presence",
        ),
        ZooEntry(
            name="few-shot-small",
            system="Few-shot",
            file="few-shot-small.safetensors",
            sha256="40d1f06b126cd1381b3824916e76a261dcad5f0b9d60dad094ab331ca72f6514",
            guides=("Examples", "Label"),
            vocabulary=(),
            licence="CC-BY-4.0",
            training_data="composed and MIDI music, and recordings under CC0, CC-BY, MIT; see its card",
            summary="sized for a CPU; 22.05 kHz; takes negative examples; reports presence",
        ),
        ZooEntry(
            name="lasaft-light-16",
            system="LaSAFT",
            file="lasaft-light-16.safetensors",
            sha256="aade440c7898c177b5395e0ca68dc8957a17c0b8d30440f754174a6564f6fe53",
            guides=("Label",),
            vocabulary=LABELS,
            licence="CC-BY-4.0",
            training_data="composed and MIDI music, and recordings under CC0, CC-BY, MIT; see its card",
            summary="light, made smaller for a CPU; 44.1 kHz stereo; reports presence",
        ),
        ZooEntry(
            name="guidesep-mask-small",
            system="GuideSep baseline",
            file="guidesep-mask-small.safetensors",
            sha256="e3e5233fde40c54737ddf96f8e2af9a0d20fa0dbe949a62cb3f7aea003e29d21",
            guides=("Mask", "Mimicry", "Score"),
            vocabulary=(),
            licence="CC-BY-4.0",
            training_data="composed and MIDI music, and recordings under CC0, CC-BY, MIT; see its card",
            summary="mask prediction, sized for a CPU; hears 16 kHz, gives full-band stereo",
        ),
        ZooEntry(
            name="guidesep-small",
            system="GuideSep",
            file="guidesep-small.safetensors",
            sha256="e977af97ea16d2300881ad6ef23201358c7ecd745290576bfcbe15f957c48e51",
            guides=("Mask", "Mimicry", "Score"),
            vocabulary=(),
            licence="CC-BY-4.0",
            training_data="composed and MIDI music, and recordings under CC0, CC-BY, MIT; see its card",
            summary="diffusion, sized for a CPU; hears 16 kHz, gives full-band stereo",
        ),
        ZooEntry(
            name=PRIOR_SYSTEM,
            system="InstGlow",
            file=None,
            sha256=None,
            guides=("Label",),
            vocabulary=tuple(SHIPPED),
            licence="CC-BY-4.0",
            training_data="for each source its own solo recordings, under CC0, CC-BY, MIT; see unbraid priors",
            summary="one prior for each source, any number together; 44.1 kHz; add your own (unbraid priors)",
        ),
        _architecture("tuss-debug", "TUSS", "the smallest network, for tests"),
        _architecture("tuss-medium", "TUSS", "the paper's medium size: import the authors' checkpoint, or train it"),
        _architecture("tuss-large", "TUSS", "the paper's large size: import the authors' checkpoint, or train it"),
        _architecture("lasaft-light", "LaSAFT", "the light size of version 2: import the checkpoint, or train it"),
        _architecture("lasaft-small", "LaSAFT", "the paper's small size: train it"),
        _architecture("lasaft-large", "LaSAFT", "the paper's large size: import the authors' checkpoint, or train it"),
        _architecture("lasaft-v1-large", "LaSAFT", "version 1: import the authors' checkpoint, or train it"),
        _architecture("lasaft-audio", "LaSAFT audio query", "a recording instead of a label: train it"),
        _architecture("few-shot", "Few-shot", "the paper's size, without negative examples: train it"),
        _architecture("few-shot-negatives", "Few-shot", "the paper's size, with negative examples: train it"),
        _architecture("film-unet-classes", "Few-shot baseline", "18 classes of instruments: train it"),
        _architecture("guidesep", "GuideSep", "the paper's size: import the authors' checkpoint, or train it"),
        _architecture("guidesep-mask", "GuideSep baseline", "mask prediction of the same size: train it"),
        _architecture("instglow-published", "InstGlow", "priors of the paper's size: import them, or train them"),
    )
}

UNPUBLISHED = {  # no weights were ever published: the recipes to train with
    "few-shot": "recipes/few_shot.py",
    "few-shot-negatives": "recipes/few_shot_negatives.py",
    "film-unet-classes": "recipes/few_shot_classes.py",
}


def load_model(
    name_or_path: str | Path,
    *,
    device: str | torch.device = "cpu",
    priors: Sequence[str | Path] | None = None,
) -> Separator:
    """Load a separator by the name of a shipped model, or from a weights file.

    Args:
        name_or_path: a name that ``unbraid models`` lists, or the path of a ``.safetensors`` file that Unbraid
            wrote; of a ``.unbraid`` file, the model that learned its label, which then knows it; such as
            ``hf:OWNER/REPO/FILE.safetensors@REVISION``, a file on the Hugging Face Hub (`unbraid.hub`).
        device: where its tensors live.
        priors: of ``"instglow"``: sources that there are priors of, or files of priors, at least two, of which one
            may be ``"residual"``, what the others leave; None takes all that ``unbraid priors`` lists.

    Returns:
        The separator, ready for inference.

    Raises:
        ModelError: if there is no such model or prior, it ships without weights, a file is damaged or foreign, priors
            do not fit together, the device does not exist, or the Hub does not have the file or cannot be reached.

    Example:
        >>> load_model("tuss-small").vocabulary[:3]
        ('speech', 'sfx', 'sfx-mix')
    """
    entry = ZOO.get(str(name_or_path))
    path = Path(name_or_path)
    if priors is not None and str(name_or_path) != PRIOR_SYSTEM:
        raise ModelError(f"{name_or_path} takes no priors: leave them out, or use {PRIOR_SYSTEM}")
    if str(name_or_path) == PRIOR_SYSTEM:
        found = [_read_prior(prior.path) for prior in find_priors(priors)]
        leaves = priors is not None and RESIDUAL in priors
        made = combine(found, search_config=SEARCHES["default"], residual=leaves)
        return _place(made, device, name=PRIOR_SYSTEM)
    if entry is None and path.suffix == SUFFIX:
        return _load_taught(path, device=device)
    if entry is not None:
        if entry.path is None:
            recipe = UNPUBLISHED.get(entry.name)
            imported = "import the authors' checkpoint (unbraid import-checkpoint) or train it"
            cure = f"none are published, train it (unbraid train {recipe})" if recipe else imported
            raise ModelError(f"{entry.name} ships without weights: {cure}, then give the file's path")
        path = entry.path
    elif is_on_hub(name_or_path):
        path = download(HubFile.parse(str(name_or_path)))
    elif not path.exists():
        names = ", ".join(one.name for one in ZOO.values() if one.ships) or "none"
        raise ModelError(
            f"unknown model {str(name_or_path)!r}: shipped are {names}; or give the path of a weights file"
        )
    return _place(read_weights(path), device, name=str(name_or_path))


def _read_prior(path: Path) -> Instglow:
    """Read a prior that others rely on: one that is none would take all of a mixture."""
    prior = cast(Instglow, read_weights(path))
    try:
        prior.check_weights()
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return prior


def _place(model: Separator, device: str | torch.device, *, name: str) -> Separator:
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"device {str(device)!r} cannot be used ({reason}): unbraid doctor lists those that can"
        ) from error
    model.name = name
    return model


def _load_taught(path: Path, *, device: str | torch.device) -> Separator:
    """Load the model that learned the label in a file, and add the label."""
    try:
        query = load_query(path)
        if query.model not in ZOO and not is_on_hub(query.model) and not Path(query.model).exists():
            raise GuideError(
                f"{path}: {query.name!r} was taught to {query.model}, which is not there: "
                "give the model with -m and the file with --taught"
            )
        model = load_model(query.model, device=device)
        add_query(model, query)
    except GuideError as error:
        raise ModelError(str(error)) from error
    return model


def default_model(targets: Sequence[Target]) -> str:
    """Choose among the models that ship, by what is asked: the first one that takes every kind of guide given.

    Where none takes them all, the first one that takes any of those that are no names is named, else the first of the
    list, and :func:`check_targets` tells what is wrong.

    Example:
        >>> default_model([Target("lead", Label("vocals"))])
        'tuss-small'
    """
    asked = {_kind_of(guide).__name__ for target in targets for guide in target.guides}
    shipped = [entry for entry in ZOO.values() if entry.ships]
    fitting = [entry for entry in shipped if asked <= set(entry.guides)]
    names = {Label.__name__, Prompts.__name__}
    listening = [entry for entry in shipped if (asked - names) & set(entry.guides)]
    return [*fitting, *listening, *shipped][0].name


def _kind_of(guide: Guide) -> type[Guide]:
    """Return what a model must take for a guide to be of use: spans are cut out as examples."""
    return Examples if isinstance(guide, Span) else type(guide)


def check_targets(model: Separator, targets: Sequence[Target]) -> None:
    """Refuse guides that a model cannot follow, and say which model can.

    Raises:
        GuideError: if a guide is of a kind that the model does not take, or a label of a name that it does not know.

    Example:
        >>> check_targets(debug_model(), [Target("lead", Label("vocal"))])
        Traceback (most recent call last):
        unbraid.errors.GuideError: unknown label 'vocal': did you mean 'vocals'? ...
    """
    for target in targets:
        for guide in target.guides:
            kind = _kind_of(guide)
            if kind not in model.accepts:
                raise GuideError(_foreign(model, kind.__name__))
            if isinstance(guide, Label | Prompts):
                _check_names(model, [guide.name] if isinstance(guide, Label) else guide.names)


def _foreign(model: Separator, kind: str) -> str:
    others = [entry.name for entry in ZOO.values() if entry.ships and kind in entry.guides]
    *most, last = sorted(one.__name__ for one in model.accepts)
    takes = f"{', '.join(most)} and {last}" if most else last
    cure = f"use one of the models {', '.join(others)}" if others else "give another guide"
    without_weights = [entry.name for entry in ZOO.values() if kind in entry.guides]
    if without_weights and not others:
        cure = f"{without_weights[0]} would, and ships without weights; give a file of them with -m, or another guide"
    return f"{model.name or type(model).__name__} takes {takes}, not {kind}: {cure}"


def _check_names(model: Separator, names: Sequence[str]) -> None:
    known = (*model.vocabulary, *model.taught)
    for name in names:
        if name not in known:
            listed = " ".join(known) or "no labels"
            raise GuideError(f"unknown label {name!r}: {_hint(name, model)}{model.name or 'this model'} knows {listed}")


def _hint(name: str, model: Separator) -> str:
    """Tell who knows a label, or one like it; else what to give instead."""
    knows = _who_knows(model)
    if name in knows:
        other = knows[name]
        return f"{other} knows it (-m {other}); " if other else "give the file that it was taught into (--taught); "
    near = [
        f"{label!r} of {knows[label]} (-m {knows[label]})" if knows[label] else repr(label)
        for label in nearest(name, knows)
    ]
    if near:
        return f"did you mean {' or '.join(near)}? "
    return "no model knows one like it, point at the sound with a recording of it (--example); "


def _who_knows(model: Separator) -> dict[str, str]:
    """Return the labels of all models that are at hand, each with a model that knows it; "" for this one."""
    known = [(label, model.name) for label in (*model.vocabulary, *model.taught)]
    known += [(label, entry.name) for entry in ZOO.values() if entry.ships for label in entry.vocabulary]
    for _, query in label_files(Path(), library()):
        ships = ZOO[query.model].ships if query.model in ZOO else Path(query.model).is_file()
        known += [(query.name, query.model)] if ships or query.model == model.name else []
    found: dict[str, str] = {}
    for label, name in known:
        found.setdefault(label, "" if name == model.name else name)
    return found


def debug_model(*, seed: int = 0) -> Tuss:
    """Return the smallest separator with random weights: for tests and examples, it separates nothing.

    The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Tuss(PRESETS["tuss-debug"]).eval()
