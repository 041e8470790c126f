"""Fit what tells presence by the room for examples: ``python recipes/presence/fit_example_presence.py IN OUT``.

The tensors stay as they are; what is fitted goes into the config. Episodes are drawn as in few_shot_small, but half of
the targets do not sound, and examples of other tracks count as much as those of the same one (UNBRAID_BATCHES batches,
default 160); each mixture is asked for noise, too. A logistic regression on `layers.room.room_evidence` is then scaled
and shifted so that the presence of whole songs is a probability: of songs composed with a seed that neither trains nor
examines (UNBRAID_SONGS of them, default 8).
"""

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unbraid.audio.signal import Audio
from unbraid.datasets.episode_draws import EpisodeDraw
from unbraid.datasets.episodes import EpisodeBatch, EpisodeSet
from unbraid.evaluation.choice import by_instrument, composed_tracks, open_player
from unbraid.evaluation.questions import Condition, Examiner, Kind, fill_shelf
from unbraid.guides.kinds import Target
from unbraid.models.film_unet import FilmUnet
from unbraid.models.layers.room import unit
from unbraid.separation import separate
from unbraid.training.recipe import load_recipe
from unbraid.zoo import load_model, read_file, save_weights

BATCHES, SONGS = int(os.environ.get("UNBRAID_BATCHES", "160")), int(os.environ.get("UNBRAID_SONGS", "8"))
SEED, SONG_SEED = 77, 101
SAME, OTHER, RESTING, ABSENT, NOISE = "same track", "another track", "silent there", "another instrument", "noise"
WEIGHTS = {SAME: 0.25, OTHER: 0.25, RESTING: 0.15, ABSENT: 0.25, NOISE: 0.1}
QUESTIONS = [Condition(kind, count) for kind in (Kind.SAME_TRACK, Kind.OTHER_TRACK, Kind.ABSENT) for count in (1, 5)]
Song = tuple[Tensor, bool]  # the logits of its windows, and whether what was asked for sounds in it


def noise(count: int, n_samples: int, generator: torch.Generator) -> Tensor:
    """Draw noise ``[count, N]``: white, or falling with frequency."""
    slopes = torch.rand(count, 1, generator=generator) * 1.8 - 0.6
    spectrum = torch.fft.rfft(torch.randn(count, n_samples, generator=generator))
    frequency = torch.linspace(0, 1, spectrum.shape[-1]).clamp_min(1e-3)
    samples = torch.fft.irfft(spectrum * frequency ** -slopes.clamp_min(0), n=n_samples)
    return 0.1 * samples / samples.square().mean(dim=-1, keepdim=True).sqrt()


def questions_of(draws: Iterable[EpisodeDraw]) -> Iterator[str]:
    """Tell what kind of question each target of a batch is."""
    for draw in draws:
        here = {_track(name) for chunk in draw.instruments for name in chunk.sources}
        for target in draw.targets:
            chunk = draw.examples[target.positive[0]].chunk
            if target.place is None:
                yield RESTING if {_track(name) for name in chunk.sources} & here else ABSENT
            else:
                yield SAME if chunk.sources == draw.instruments[target.place].sources else OTHER


def _track(source: str) -> str:
    return source.rsplit("/", 1)[0]


def show(model: FilmUnet, batch: EpisodeBatch, noises: Tensor) -> Tensor:
    """Separate a batch, and return what the room tells of its targets, and of noise in each mixture, ``[n, 3]``."""
    n_noises = len(noises)
    positive = torch.block_diag(batch.positive, torch.eye(n_noises))
    negative = torch.block_diag(batch.negative, torch.zeros(n_noises, n_noises))
    owner = torch.cat([batch.owner, torch.arange(n_noises)])
    examples = torch.cat([batch.examples, noises])
    embeddings = model.embed_examples(examples)
    query = model.combine(positive @ embeddings, negative @ embeddings if model.neg is not None else None)
    mixture = batch.mixture[owner]
    estimate, _ = model.separate_windows(mixture, query)
    envelopes = positive @ unit(model.envelope(model.stft(examples)[:, None]))
    return model.room_evidence(mixture[:, None], estimate[:, None, None], envelopes[:, None])[:, 0]


def collect(model: FilmUnet, source: EpisodeSet, n_batches: int) -> tuple[Tensor, list[str]]:
    """Return the evidence of many batches, and which question each row belongs to."""
    generator = torch.Generator().manual_seed(source.seed)
    rows, questions = [], []
    for index in range(n_batches):
        draws = source.draw(index)
        batch = source.apply(draws)
        noises = noise(len(batch.mixture), batch.mixture.shape[-1], generator)
        rows.append(show(model, batch, noises))
        questions.extend([*questions_of(draws), *[NOISE] * len(noises)])
    return torch.cat(rows), questions


def fit(evidence: Tensor, questions: list[str]) -> tuple[float, ...]:
    """Return the slopes and the bias of a logistic regression in which each kind of question has its weight."""
    weight = torch.tensor([WEIGHTS[one] / questions.count(one) for one in questions])
    sounds = torch.tensor([float(one in {SAME, OTHER}) for one in questions])
    middle, spread = evidence.mean(dim=0), evidence.std(dim=0)
    found = torch.zeros(evidence.shape[1] + 1, requires_grad=True)

    def loss() -> Tensor:
        logits = (evidence - middle) / spread @ found[:-1] + found[-1]
        return cross_entropy(logits, sounds, weight=weight, reduction="sum") + 1e-2 * found[:-1].square().sum()

    minimize(loss, found)
    slopes = found[:-1].detach() / spread
    return (*slopes.tolist(), float(found[-1].detach() - (slopes * middle).sum()))


def minimize(loss: Callable[[], Tensor], numbers: Tensor) -> None:
    """Find the numbers for which a loss is least."""
    optimizer = torch.optim.LBFGS([numbers], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def ask_songs(model: FilmUnet, count: int) -> Iterator[Song]:
    """Ask composed songs for what sounds in them, by examples of the same and of other songs, and for what does not."""
    tracks = composed_tracks(labels=by_instrument, count=count, seed=SONG_SEED, duration=12.0, player=open_player())
    shelf = fill_shelf(tracks, duration=3.0, seed=SONG_SEED)
    for source in tracks:
        track = source.read()
        for part in track.parts(2):
            examiner = Examiner(track, part, shelf, 3.0, SONG_SEED, source.name)
            asked = [one for condition in QUESTIONS for one in examiner.questions(condition)]
            targets = [Target(f"{index}", one.guide) for index, one in enumerate(asked)]
            curve = separate(Audio(track.mixture(part), track.sample_rate), targets, model=model).presence_curve
            windows = torch.tensor([values for _, values in curve]).logit(eps=1e-6)
            yield from zip(windows.T, [one.reference is not None for one in asked], strict=True)


def calibrate(songs: list[Song]) -> tuple[float, float]:
    """Return the factor and the shift of logits that make what is known of songs likeliest, absent or not alike."""
    n_there = sum(there for _, there in songs)
    numbers = torch.tensor([0.0, 0.0], requires_grad=True)

    def loss() -> Tensor:
        total = torch.zeros(())
        for logits, there in songs:
            presence = (numbers[0].exp() * logits + numbers[1]).sigmoid()
            highest = presence.sort(descending=True).values[: math.ceil(len(presence) / 4)].mean()
            total = total - (highest.log() / n_there if there else (1 - highest).log() / (len(songs) - n_there))
        return total

    minimize(loss, numbers)
    scale, shift = numbers.detach().tolist()
    return math.exp(scale), shift


def judge(songs: list[Song], scale: float, shift: float) -> dict[str, float]:
    """Return how often calibrated presence is right about the songs that it was calibrated on."""
    found = [(scale * logits + shift).sigmoid() for logits, _ in songs]
    presence = [float(one.sort(descending=True).values[: math.ceil(len(one) / 4)].mean()) for one in found]
    sides = [[value for value, (_, there) in zip(presence, songs, strict=True) if there == side] for side in (0, 1)]
    return {
        "right_where_absent": sum(value < 0.5 for value in sides[0]) / len(sides[0]),
        "right_where_present": sum(value > 0.5 for value in sides[1]) / len(sides[1]),
    }


def main(source: str, target: str) -> None:
    """Collect, fit, calibrate, and write."""
    model = load_model(source)
    assert isinstance(model, FilmUnet)
    drawn = load_recipe(Path(__file__).parents[1] / "few_shot_small.py").batches()
    assert isinstance(drawn, EpisodeSet)
    settings = replace(drawn.settings, p_absent=0.5, p_other_track=0.6, n_positive=(1, 5), n_negative=(1, 2))
    with torch.no_grad():
        evidence, questions = collect(model, replace(drawn, settings=settings, seed=SEED), BATCHES)
    weights = fit(evidence, questions)
    print(weights, {one: questions.count(one) for one in WEIGHTS}, flush=True)
    model.config = replace(model.config, room=weights)
    songs = list(ask_songs(model, SONGS))
    scale, shift = calibrate(songs)
    *slopes, bias = weights
    room = (*(round(scale * slope, 4) for slope in slopes), round(scale * bias + shift, 4))
    result = {"questions": len(questions), "songs": len(songs), "scale": scale, "shift": shift}
    result = {key: round(value, 3) for key, value in (result | judge(songs, scale, shift)).items()}
    print(room, result)
    model.config = replace(model.config, room=room)
    card = {**json.loads(read_file(Path(source))[0]["card"]), "presence_fit": result}
    print(save_weights(model, target, card=card, dtype=torch.float16))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
