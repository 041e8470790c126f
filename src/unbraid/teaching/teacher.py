"""From examples of a sound to a label of a model."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.datasets.composer import MIN_DURATION
from unbraid.datasets.dice import Dice
from unbraid.errors import GuideError
from unbraid.guides.examples import resolve_examples
from unbraid.guides.kinds import Examples, GivenRecordings, Recording, Span, Target
from unbraid.models.lasaft import Lasaft
from unbraid.models.layers.recordings import down_mix
from unbraid.models.queries import Query, tensors_sha256
from unbraid.models.separator import Separator
from unbraid.models.tuss import Tuss
from unbraid.teaching.lessons import Lesson, Material, Scenery, draw_lesson, make_lesson, n_pairs, render_scenery
from unbraid.teaching.library import check_name
from unbraid.teaching.tuning import DEFAULTS, Ask, Pulse, TeachSettings, Tuned, n_beats, nearest, tune
from unbraid.zoo import ZOO

SHORTEST = 0.1  # seconds of an example
SPREAD = 4  # times as long as a mixture
MEAN = "mean"
STEMS = ("vocals", "drums", "bass", "other")


class Sceneries(NamedTuple):
    """What plays beside a sound in the lessons, and in the mixtures that vectors are compared on."""

    lessons: Scenery
    checks: Scenery


def teach(
    model: Separator,
    name: str,
    examples: Examples | GivenRecordings,
    *,
    start: str | None = None,
    settings: TeachSettings = DEFAULTS,
    scenery: Sceneries | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Query:
    """Make a label of examples: the model itself stays as it is, in every bit.

    A model that takes examples listens to them once. Any other is asked, over and over, for the sound in mixtures that
    are made of the examples, of the negative ones, and of synthesized songs and scenes, and the vector that it is
    asked with is tuned until it draws the sound.

    Args:
        model: the separator; its ``taught`` is left alone, see `add_query`.
        name: of the label; what is allowed in file names.
        examples: of the sound, and of what it is not, each 0.1 s or longer; recordings, not spans.
        start: label of the vocabulary to begin at; None begins at the best of them and their mean. Only for models
            that are tuned.
        settings: of the tuning.
        scenery: what `render_sceneries` returned for these settings, to teach several labels; None renders it here.
        progress: called with the fraction done.
        cancel: called between steps; True stops the work.

    Returns:
        The query; the same for the same seed, examples, model and machine.

    Raises:
        GuideError: before any work, if the name is taken or unsafe, an example is missing, damaged, silent or too
            short, or the model cannot be taught.
        Cancelled: if ``cancel`` said so.

    Example:
        >>> from unbraid.zoo import debug_model
        >>> riff = Audio(torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)), 16000)
        >>> query = teach(debug_model(), "riff", riff, settings=TeachSettings(steps=1, n_songs=1, n_checks=2))
        >>> query.name, tuple(query.vector.shape)
        ('riff', (8,))
    """
    check_name(name, model)
    given = examples if isinstance(examples, Examples) else Examples(examples)
    listens = Examples in model.accepts
    ask = None if listens else _asking(copy.deepcopy(model).eval().requires_grad_(False))
    if start is not None and (listens or start not in model.vocabulary):
        words = f"it knows {' '.join(model.vocabulary)}" if not listens else "it listens to the examples instead"
        raise GuideError(f"{_called(model)} cannot begin at {start!r}: {words}")
    resolved = _resolve(name, given)
    facts: dict[str, object] = {"examples": _describe(given, resolved)}
    if ask is None:
        vector = model.remember(resolved)
        facts["method"] = "listened"
    else:
        starts = _starts(model, start)
        n_rendered = 0 if scenery else 2 * (settings.n_songs + n_pairs(settings.n_songs))
        pulse = Pulse(n_rendered + n_beats(len(starts), settings), progress, cancel)
        heard = scenery or render_sceneries(settings, model.sample_rate, done=pulse.beat)
        tuned = _tune(ask, starts, resolved, heard, model.sample_rate, settings, pulse)
        vector = tuned.vector
        facts |= {"method": "tuned", "steps": settings.steps, "seed": settings.seed, **_tell(tuned)}
    if progress is not None:
        progress(1.0)
    return Query(name, _home(model), tensors_sha256(model), vector.detach().cpu().float().clone(), facts)


def _called(model: Separator) -> str:
    return model.name or type(model).__name__


def _home(model: Separator) -> str:
    """Return what `load_model` takes, wherever it is called from."""
    name = _called(model)
    return str(Path(name).absolute()) if name not in ZOO and Path(name).exists() else name


def _asking(model: Separator) -> Ask:
    """Return how a network is asked for the sound that a vector stands for.

    Raises:
        GuideError: if it knows no vectors.
    """
    if model.query_size is None or not isinstance(model, Tuss | Lasaft):
        raise GuideError(f"{_called(model)} cannot be taught new labels: choose another model")
    if isinstance(model, Tuss):
        return lambda mixture, query: _ask_tuss(model, mixture, query)
    return lambda mixture, query: _ask_lasaft(model, mixture, query)


def _ask_tuss(model: Tuss, mixture: Tensor, query: Tensor) -> tuple[Tensor, Tensor | None]:
    estimates, logits = model.separate_queries(mixture, query.expand(len(mixture), 1, -1))
    return estimates[:, 0], None if logits is None else logits[:, 0]


def _ask_lasaft(model: Lasaft, mixture: Tensor, query: Tensor) -> tuple[Tensor, Tensor | None]:
    spectrogram = model.analyze(mixture[:, None].expand(-1, 2, -1))
    queries = query.expand(len(mixture), -1)
    drawn = model.estimate(spectrogram, queries)
    logits = None if model.presence is None else model.presence(spectrogram, drawn, queries)
    return model.synthesize(drawn, mixture.shape[-1]).mean(dim=1), logits


def _starts(model: Separator, start: str | None) -> dict[str, Tensor]:
    """Return the vectors of the vocabulary and their mean, or the one that was chosen."""
    assert isinstance(model, Tuss | Lasaft)
    with torch.no_grad():
        table = model.prompts if isinstance(model, Tuss) else model.embed_labels(model.vocabulary)
        vectors = dict(zip(model.vocabulary, table.detach().clone(), strict=True))
    return {start: vectors[start]} if start is not None else {**vectors, MEAN: table.detach().mean(dim=0)}


def _resolve(name: str, examples: Examples) -> Examples:
    """Read the examples, and refuse what is too short to learn from."""
    spans = [one for one in (*examples.positive, *examples.negative) if isinstance(one, Span)]
    if spans:
        raise GuideError(f"{spans[0].title} is a span of a mixture: teach with recordings, cut it out first")
    (target,) = resolve_examples([Target(name, examples)])
    (resolved,) = target.guides
    assert isinstance(resolved, Examples)
    for given, read in _pairs(examples, resolved):
        if read.duration < SHORTEST:
            raise GuideError(
                f"example {_name_of(given)} lasts {read.duration:.3f} s: give at least {SHORTEST} s of the sound"
            )
    return resolved


def _pairs(given: Examples, resolved: Examples) -> list[tuple[Recording, Audio]]:
    positive, negative = resolved.recordings
    return list(zip((*given.positive, *given.negative), (*positive, *negative), strict=True))


def _name_of(recording: Recording) -> str:
    return recording.name if isinstance(recording, Path) else "recording"


def _describe(given: Examples, resolved: Examples) -> list[dict[str, object]]:
    """Tell the recordings by name, length and hash of their samples."""
    n_positive = len(given.positive)
    return [
        {
            "name": _name_of(recording),
            "sounds": index < n_positive,
            "duration": round(audio.duration, 3),
            "sha256": hashlib.sha256(audio.samples.contiguous().numpy().tobytes()).hexdigest(),
        }
        for index, (recording, audio) in enumerate(_pairs(given, resolved))
    ]


def _tell(tuned: Tuned) -> dict[str, object]:
    scores = {
        side: {"loss": round(verdict.loss, 3), "si_sdr_improvement": round(verdict.si_sdr_improvement, 3)}
        for side, verdict in (("before", tuned.before), ("after", tuned.after))
    }
    return {"start": tuned.start, "best_step": tuned.step, **scores}


def render_sceneries(
    settings: TeachSettings, sample_rate: int, *, done: Callable[[], None] = lambda: None
) -> Sceneries:
    """Return what plays beside a sound in the lessons, and in the mixtures that vectors are compared on.

    Args:
        settings: of the tuning.
        sample_rate: of the model.
        done: called after each song and scene.
    """
    duration = max(MIN_DURATION, SPREAD * settings.seconds)
    lessons, checks = (
        render_scenery(seed, settings.n_songs, duration=duration, sample_rate=sample_rate, done=done)
        for seed in (2 * settings.seed, 2 * settings.seed + 1)
    )
    return Sceneries(lessons, checks)


def _tune(
    ask: Ask,
    starts: dict[str, Tensor],
    examples: Examples,
    scenery: Sceneries,
    sample_rate: int,
    settings: TeachSettings,
    pulse: Pulse,
) -> Tuned:
    n_samples = round(settings.seconds * sample_rate)
    positive, negative = ([_mono(one, sample_rate) for one in side] for side in examples.recordings)
    kin = nearest(ask, {part: starts[part] for part in STEMS if part in starts}, positive, n_samples)
    lessons, held_out = (
        Material(tuple(positive), one.without(kin) if kin else one, tuple((sound,) for sound in negative))
        for one in scenery
    )
    checks = _checks(held_out, n_samples, settings)
    return tune(ask, starts, lessons, checks, n_samples=n_samples, settings=settings, pulse=pulse)


def _checks(material: Material, n_samples: int, settings: TeachSettings) -> list[Lesson]:
    """Draw mixtures that no step sees; every seventh is without the target. Every fifth is the target alone."""
    dice = Dice(torch.Generator().manual_seed(settings.seed + (1 << 32)))
    draws = []
    for index in range(settings.n_checks):
        draws.append(draw_lesson(dice, material, n_samples, absent=index % 7 == 6))
        if index % 4 == 0:
            draws.append(draw_lesson(dice, material, n_samples, alone=True))
    return [make_lesson([draw], material, n_samples) for draw in draws]


def _mono(recording: Audio, sample_rate: int) -> Tensor:
    """Return the middle of a recording ``[N]`` at the model's rate."""
    mono = down_mix(recording.samples[None])
    return resample(mono, source_rate=recording.sample_rate, target_rate=sample_rate)[0]
