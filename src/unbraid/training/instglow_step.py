"""How priors of InstGlow are trained and measured, for use in recipes.

Axes: B clips, N samples, F bins, C channels, T frames.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, section 3.1; data-dependent
initialization: Kingma, Dhariwal, "Glow", NeurIPS 2018, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from unbraid.audio.stft import Stft
from unbraid.models.instglow_network import Latents, Prior, negative_log_likelihood
from unbraid.training.recipe import BatchSource


class ClipBatch(Protocol):
    """Clips ``[B, N]`` of one source; see `datasets.solo_clips.SoloBatch`."""

    @property
    def mixture(self) -> Tensor:
        """Clips ``[B, N]``."""
        ...

    @property
    def lengths(self) -> Tensor:
        """How many samples ``[B]`` of each count."""
        ...


class PriorHolder(Protocol):
    """A separator of one prior, which can be trained here: `models.instglow.Instglow`."""

    @property
    def priors(self) -> Sequence[Prior]:
        """The prior."""
        ...


@dataclass(frozen=True)
class PriorStep:
    """Loss and scores of a prior on clips of its source.

    Args:
        n_batches: the first scales are those of so many batches together.
        variance_floor: quieter channels begin with the scale of this part of the mean variance, so that whitening does
            not blow up what is hardly ever heard; without it an inversion in 32 bits is not exact where a mixture is
            loud and the source is not.
    """

    n_batches: int = 8
    variance_floor: float = 1e-3

    def prepare(self, model: nn.Module, batches: BatchSource) -> None:
        """Let a new prior begin with whitened channels; not to be called for one that has learned already."""
        prior = prior_of(model)
        heard = [features_of(prior, cast(ClipBatch, batches[index])) for index in range(self.n_batches)]
        clips = [
            clip[:, :n_frames]
            for features, lengths in heard
            for clip, n_frames in zip(features, lengths.tolist(), strict=True)
        ]
        features, lengths = _stack(clips)
        prior.eval()
        prior.initialize(features, lengths, variance_floor=self.variance_floor)
        prior.train()

    def loss(self, model: nn.Module, batch: ClipBatch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the negative log-likelihood of a batch, in nats per channel and frame."""
        prior = prior_of(model)
        features, lengths = features_of(prior, batch)
        latents: Latents = prior(features, lengths)
        return negative_log_likelihood(latents), {"latents": latents.values.detach().square().mean().sqrt()}

    def score(self, model: nn.Module, batch: ClipBatch) -> dict[str, list[float]]:
        """Return what is validated, one number for each clip.

        "loss" is its negative log-likelihood in nats per channel and frame, "inversion" the largest difference between
        its magnitudes and what its latents are turned back into.
        """
        prior = prior_of(model)
        features, lengths = features_of(prior, batch)
        scores: dict[str, list[float]] = {"loss": [], "inversion": []}
        for clip, n_frames in zip(features, lengths.tolist(), strict=True):
            whole = clip[None, :, : n_frames - n_frames % prior.config.n_squeeze]
            latents: Latents = prior(whole)
            scores["loss"].append(float(negative_log_likelihood(latents)))
            scores["inversion"].append(float((prior.inverse(latents.values)[0] - whole).abs().max()))
        return scores


def prior_of(model: nn.Module) -> Prior:
    """Return the prior that a separator holds."""
    return cast(PriorHolder, model).priors[0]


def features_of(prior: Prior, batch: ClipBatch) -> tuple[Tensor, Tensor]:
    """Return the features ``[B, C, T]`` of clips, and how many frames ``[B]`` of each count.

    Every clip is mirrored at its own ends.
    """
    shape = prior.config
    stft = Stft(shape.n_fft, shape.hop_length, window="hann", reflect=True).to(batch.mixture.device)
    with torch.autocast(batch.mixture.device.type, enabled=False):
        clips = zip(batch.mixture, batch.lengths.tolist(), strict=True)
        return _stack([prior.features(stft(clip[None, :n_samples]).abs())[0] for clip, n_samples in clips])


def _stack(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Put features ``[C, T]`` of different lengths on top of each other, with zeros after them."""
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    padded = nn.utils.rnn.pad_sequence([clip.T for clip in clips], batch_first=True)
    return padded.transpose(1, 2).contiguous(), lengths
