import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import GuideError
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.models.losses import cosine_loss, magnitude_loss, negative_sdr_loss
from unbraid.training.film_unet_step import FilmUnetStep, by_class, by_examples

N = 2205


class Batch(NamedTuple):
    mixture: Tensor
    owner: Tensor
    references: Tensor
    labels: list[str]
    examples: Tensor
    positive: Tensor
    negative: Tensor


def signals(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def a_batch(silent=()):
    """Return four targets of two mixtures, with three examples each that two share."""
    references = signals(4, N)
    mixture = torch.stack([references[:2].sum(dim=0), references[2:].sum(dim=0)])
    references[list(silent)] = 0
    positive = torch.zeros(4, 6)
    positive[0, :3] = positive[2, :3] = positive[1, 3:] = positive[3, 3:] = 1 / 3
    owner = torch.tensor([0, 0, 1, 1])
    return Batch(mixture, owner, references, ["vocals", "drums"] * 2, signals(6, N, seed=1), positive, positive.flip(0))


class Answers(nn.Module):
    """A network that answers what it was given, and remembers what it was asked."""

    def __init__(self, estimates):
        super().__init__()
        self.estimates, self.embedded, self.queries, self.rejected = estimates, [], None, None

    def embed_examples(self, recordings):
        self.embedded.append(recordings)
        return recordings[:, :3]

    def combine(self, positive, negative=None):
        self.queries, self.rejected = positive, negative
        return positive

    def embed_classes(self, names):
        return torch.tensor([[float(len(name))] for name in names])

    def separate_windows(self, mixture, query):
        self.mixture, self.query = mixture, query
        return self.estimates, self.compress(self.estimates)

    def compress(self, signal):
        return signal.abs().log1p().reshape(len(signal), 5, -1)


def test_the_loss_is_that_of_waveforms_and_magnitudes():
    batch = a_batch()
    estimates = batch.references + signals(4, N, seed=2)
    model = Answers(estimates)
    total, numbers = FilmUnetStep().loss(model, batch)
    waveform = cosine_loss(estimate=estimates, reference=batch.references)
    magnitude = magnitude_loss(estimate=model.compress(estimates), reference=model.compress(batch.references))
    torch.testing.assert_close(total, (waveform + magnitude).mean())
    torch.testing.assert_close(numbers["loss/waveform"], waveform.mean())
    torch.testing.assert_close(numbers["loss/magnitude"], magnitude.mean())
    torch.testing.assert_close(model.mixture, batch.mixture[[0, 0, 1, 1]])


def test_other_losses_and_weights():
    batch = a_batch(silent=[1])
    estimates = batch.references + signals(4, N, seed=2)
    model = Answers(estimates)
    step = FilmUnetStep(sdr_loss=negative_sdr_loss, magnitude_weight=2.0, silent_weight=3.0)
    total, _ = step.loss(model, batch)
    waveform = negative_sdr_loss(estimate=estimates, reference=batch.references)
    magnitude = magnitude_loss(estimate=model.compress(estimates), reference=model.compress(batch.references))
    torch.testing.assert_close(total, (waveform + magnitude * torch.tensor([2.0, 6.0, 2.0, 2.0])).mean())
    assert waveform[1] == 0


def test_every_example_is_embedded_once_and_weighed():
    batch = a_batch()
    model = Answers(batch.references)
    FilmUnetStep().loss(model, batch)
    (embedded,) = model.embedded
    assert torch.equal(embedded, batch.examples)
    torch.testing.assert_close(model.queries[0], batch.examples[:3, :3].mean(dim=0))
    torch.testing.assert_close(model.rejected[0], batch.examples[3:, :3].mean(dim=0))
    FilmUnetStep().loss(model, batch._replace(negative=torch.zeros(4, 6)))
    assert model.rejected is None


def test_classes_are_asked_for_by_name():
    batch = a_batch()
    model = Answers(batch.references)
    FilmUnetStep(by_class).loss(model, batch)
    assert model.query.tolist() == [[6.0], [5.0], [6.0], [5.0]]
    assert not model.embedded


def test_scores():
    batch = a_batch(silent=[1])
    estimates = batch.references + 0.01 * signals(4, N, seed=3)
    estimates[1] = 0.01 * batch.mixture[0]
    scores = FilmUnetStep().score(Answers(estimates), batch)
    assert len(scores["loss"]) == 4
    assert len(scores["si_sdr"]) == 3
    assert scores["si_sdr"] == pytest.approx([40, 40, 40], abs=1.0)
    assert scores["si_sdr_improvement"] == pytest.approx([40, 40, 40], abs=2.0)
    assert len(scores["si_sdr_improvement/vocals"]) == 2
    assert len(scores["si_sdr_improvement/drums"]) == 1
    assert scores["false_output"] == pytest.approx([-40.0], abs=1e-3)


@pytest.mark.parametrize(
    ("preset", "querying"), [("few-shot-debug", by_examples), ("film-unet-classes-debug", by_class)]
)
def test_a_real_network_learns_from_a_step(preset, querying):
    torch.manual_seed(0)
    model = FilmUnet(PRESETS[preset])
    time = torch.arange(8820) / 22050
    tones = 0.2 * torch.stack([torch.sin(2 * math.pi * hertz * time) for hertz in (300.0, 3000.0)])
    batch = Batch(
        tones.sum(dim=0, keepdim=True),
        torch.zeros(3, dtype=torch.long),
        torch.cat([tones, torch.zeros(1, 8820)]),
        ["vocals", "drums", "bass"],
        torch.cat([tones.flip(-1), signals(1, 8820)]),
        torch.eye(3),
        torch.zeros(3, 3),
    )
    step = FilmUnetStep(querying)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss, _ = step.loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.3
    scores = step.score(model, batch)
    assert set(scores) >= {"loss", "si_sdr", "false_output"}
    with torch.no_grad():
        swapped = batch._replace(positive=torch.eye(3)[[1, 0, 2]], labels=["drums", "vocals", "bass"])
        exchanged = step.score(model, swapped)
    assert sum(scores["si_sdr_improvement"]) > sum(exchanged["si_sdr_improvement"]) + 3


def test_negative_examples_need_a_network_that_takes_them():
    with pytest.raises(GuideError, match="no negative examples"):
        FilmUnetStep().loss(FilmUnet(PRESETS["few-shot"]), a_batch())
