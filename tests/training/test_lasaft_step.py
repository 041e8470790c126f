import math
from dataclasses import replace
from typing import ClassVar, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.training.lasaft_step import ByClass, LasaftStep, by_label, by_recording, class_queries

LABELS = ("vocals", "drums", "bass", "other")


class Batch(NamedTuple):
    mixture: Tensor
    references: Tensor
    labels: list[tuple[str, ...]]
    queries: Tensor


class Gain(nn.Module):
    """Answers the mixture times a gain of the query; a spectrogram is the waveform itself, twice, cut into frames."""

    presence = None
    config = PRESETS["lasaft-debug"]
    GAINS: ClassVar = {"vocals": 0.5, "drums": 1.0, "bass": 0.0, "other": 0.1}

    def analyze(self, waveform):
        return waveform.reshape(len(waveform), 2, -1, 10).repeat(1, 2, 1, 1)

    def synthesize(self, spectrogram, length):
        return spectrogram[:, :2].flatten(2)[..., :length]

    @property
    def network(self):
        return self

    def go_down(self, spectrogram, queries):
        assert len(spectrogram) == len(queries)
        return [spectrogram]

    def go_up(self, levels, queries):
        return levels[0] * queries[:, :1, None, None]

    def embed_labels(self, labels):
        return torch.tensor([[self.GAINS[label]] for label in labels])

    def embed_waveforms(self, waveforms):
        return waveforms.mean(dim=(1, 2))[:, None]


def batch_of(*labels, n_samples=400, seed=0):
    generator = torch.Generator().manual_seed(seed)
    references = torch.randn(len(labels), len(labels[0]), 2, n_samples, generator=generator)
    mixture = references.sum(dim=1) + torch.randn(len(labels), 2, n_samples, generator=generator)
    return Batch(mixture, references, list(labels), references)


def test_the_loss_is_the_mean_squared_error_of_spectrograms():
    batch = batch_of(("vocals", "drums"), ("bass", "other"))
    total, numbers = LasaftStep().loss(Gain(), batch)
    gains = torch.tensor([[0.5, 1.0], [0.0, 0.1]])[..., None, None]
    expected = (batch.mixture[:, None] * gains - batch.references).square().mean()
    torch.testing.assert_close(total, expected)
    errors = (batch.mixture[:, None] * gains - batch.references).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(numbers["loss/relative"], (errors / batch.mixture.square().mean(dim=(1, 2))).mean())


def test_relative_errors_do_not_depend_on_loudness():
    batch = batch_of(("vocals", "drums"))
    loud = batch._replace(mixture=10 * batch.mixture, references=10 * batch.references)
    step = LasaftStep(relative=True)
    torch.testing.assert_close(step.loss(Gain(), batch)[0], step.loss(Gain(), loud)[0])
    plain, _ = LasaftStep().loss(Gain(), batch)
    torch.testing.assert_close(step.loss(Gain(), batch)[0], plain / batch.mixture.square().mean())


def test_presence_is_added_with_its_weight():
    class Knows(Gain):
        def presence(self, mixture, estimate, queries):
            assert mixture.shape == estimate.shape
            return torch.tensor([2.0, -2.0])[: len(queries)]

    batch = batch_of(("vocals", "drums"))
    batch.references[0, 1] = 0
    plain, _ = LasaftStep().loss(Knows(), batch)
    total, numbers = LasaftStep(presence_weight=0.5).loss(Knows(), batch)
    expected = nn.functional.softplus(torch.tensor(-2.0))
    torch.testing.assert_close(total, plain + 0.5 * expected)
    torch.testing.assert_close(numbers["loss/presence"], expected)
    assert LasaftStep().score(Knows(), batch)["presence"] == [1.0, 1.0]
    with pytest.raises(RecipeError, match="presence=True"):
        LasaftStep(presence_weight=0.5).loss(Gain(), batch)


def test_recordings_ask_for_targets():
    batch = batch_of(("vocals",), ("drums",))
    batch = batch._replace(queries=torch.full_like(batch.references, 0.25))
    total, _ = LasaftStep(by_recording).loss(Gain(), batch)
    torch.testing.assert_close(total, (0.25 * batch.mixture[:, None] - batch.references).square().mean())


def test_scores_are_per_target():
    batch = batch_of(("drums", "bass"), ("other", "drums"))
    batch.references[1, 0] = 0
    scores = LasaftStep().score(Gain(), batch)
    assert len(scores["loss"]) == 2
    errors = (batch.mixture[0] - batch.references[0, 0]).abs().mean(), batch.references[0, 1].abs().mean()
    assert scores["loss"][0] == pytest.approx(float(sum(errors)) / 2)
    assert len(scores["si_sdr"]) == 4
    assert math.isnan(scores["si_sdr"][2])
    assert scores["si_sdr_improvement/drums"] == pytest.approx([0, 0], abs=1e-4)  # it answers the mixture
    assert scores["false_output"] == pytest.approx([-20.0], abs=1e-3)
    assert {name for name in scores if "/" in name} == {
        f"si_sdr_improvement/{label}" for label in ("drums", "bass", "other")
    }


def test_a_perfect_answer_scores_high():
    references = batch_of(("drums",)).references
    batch = Batch(references[:, 0], references, [("drums",)], references)
    scores = LasaftStep().score(Gain(), batch)
    assert scores["loss"] == [0.0]
    assert scores["si_sdr"][0] > 60


def test_class_queries_are_means_over_windows_that_sound():
    windows = []
    for level in (1.0, 3.0):
        references = torch.stack([torch.full((2, 40), level), torch.zeros(2, 40)])[None]
        windows.append(Batch(references.sum(dim=1), references, [("vocals", "bass")], references))
    windows.append(Batch(*(one * 0 for one in windows[0][:2]), [("vocals", "bass")], references))
    queries = class_queries(Gain(), windows)
    assert queries.keys() == {"vocals"}
    torch.testing.assert_close(queries["vocals"], torch.tensor([2.0]))
    scores = LasaftStep(by_recording, ByClass({"vocals": torch.tensor([1.0]), "bass": torch.tensor([0.0])})).score(
        Gain(), windows[0]
    )
    assert scores["loss"] == [0.0]
    with pytest.raises(RecipeError, match="no window sounds"):
        class_queries(Gain(), windows[2:])


@pytest.mark.parametrize("version", [1, 2])
def test_targets_of_one_mixture_are_estimated_as_if_alone(version):
    torch.manual_seed(0)
    config = replace(PRESETS["lasaft-debug"], version=version, query_listening=False, key_listening=False)
    model = Lasaft(config).eval()
    batch = batch_of(LABELS[:2], LABELS[2:], n_samples=128 * 15)
    with torch.no_grad():
        total, _ = LasaftStep().loss(model, batch)
        queries = model.embed_labels([*LABELS])
        mixture = model.analyze(batch.mixture.repeat_interleave(2, dim=0))
        expected = (model.estimate(mixture, queries) - model.analyze(batch.references.flatten(0, 1))).square().mean()
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize(("preset", "querying"), [("lasaft-debug", by_label), ("lasaft-audio-debug", by_recording)])
def test_a_real_network_learns_from_a_step(preset, querying):
    torch.manual_seed(0)
    model = Lasaft(replace(PRESETS[preset], presence=True))
    batch = batch_of(LABELS[:2], LABELS[2:], n_samples=128 * 15)
    batch = batch._replace(mixture=0.1 * batch.mixture)
    batch = batch._replace(references=batch.mixture[:, None] * torch.tensor([1.0, 0.0])[:, None, None])
    batch = batch._replace(queries=batch.references + 0.1 * torch.randn(2, 2, 2, 128 * 15))
    step = LasaftStep(querying, presence_weight=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(10):
        loss, _ = step.loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
    with torch.no_grad():
        scores = step.score(model.eval(), batch)
    assert math.isfinite(scores["si_sdr"][0])
    assert len(scores["presence"]) == 4
