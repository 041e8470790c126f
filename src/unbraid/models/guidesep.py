"""GuideSep: draws out of a mixture what a hummed or played melody, and masks painted on its mel spectrogram, point at.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025. A diffusion model makes the complex
spectrogram of the target, whose magnitudes are compressed, out of noise; its mask-prediction baseline with the same
network scales the magnitudes of the mixture. Where paper and published code differ, the code counts. That the answer,
mono at 16 kHz, becomes a stem at the level, with the channels and up to the highest frequency of the mixture, is ours.

Axes: B batch, S targets, C channels, N samples at the mixture's rate, n samples at the network's, F bins, T frames,
K mel bands, D draws of each window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.resample import resample
from unbraid.audio.stft import Stft
from unbraid.errors import ModelError, SettingsError
from unbraid.guides.kinds import Mask, Mimicry, Score, Target
from unbraid.models.diffusion import Multistep, NoiseConfig, Solver, denoise, karras_sigmas
from unbraid.models.guidesep_conditions import (
    MISSING,
    Dropped,
    Given,
    MelProjection,
    as_channels,
    as_complex,
    compress,
    expand,
    fill_missing,
)
from unbraid.models.guidesep_network import FULL_BAND_RATE, GuidesepConfig, TwinShape, TwinUnet
from unbraid.models.guidesep_pointers import GuidesepCondition, point
from unbraid.models.guidesep_presence import judge, likeness, mask_evidence, melody_evidence
from unbraid.models.layers.full_band import full_band
from unbraid.models.separator import Condition, Estimates, Sampling, Separator

TINY = 1e-10
PUBLISHED_SOLVER = Multistep(order=1)
SHORTEST = 4410  # samples at 44.1 kHz; what is shorter is filled up with zeros


class Guidesep(Separator):
    """The separator: windows of any channels at 44.1 kHz in, stems out; inside, one channel at 16 kHz.

    The mean of all channels goes through the network; its answer, matched in level to the mixture, is what the bins of
    every channel are divided by (`layers.full_band`). Windows draw from one noise, so that they agree where they meet.
    A target without masks rests where its mimicry is far.

    Example:
        >>> model = Guidesep(PRESETS["guidesep-debug"]).eval()
        >>> mixture, hummed = torch.zeros(1, 4000), torch.zeros(1, 4000)
        >>> model.separate_window(mixture, hummed, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([1, 4000])
    """

    config: GuidesepConfig

    def __init__(self, config: GuidesepConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = FULL_BAND_RATE
        self.segment = config.segment
        self.step = config.step
        self.vocabulary = ()
        self.accepts = frozenset({Mimicry, Score, Mask})
        self.stft = Stft(config.n_fft, config.hop_length, window="hann", reflect=True)
        self.network = TwinUnet(config.network)
        self.projection = MelProjection(n_mels=config.n_mels, n_hidden=config.n_hidden, n_bins=config.n_bins)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.last.weight.device

    def condition(self, targets: Sequence[Target]) -> GuidesepCondition:
        """Keep what points at each target: a mimicry, a mask, or both, on the mixture's clock.

        Raises:
            GuideError: if a guide is of another kind, given twice for one target, or not on the clock yet.
        """
        return point(targets)

    def sample_with(self, condition: Condition, sampling: Sampling) -> GuidesepCondition:
        """Return a condition that is answered with other random draws.

        Raises:
            SettingsError: as `check_sampling`.
        """
        assert isinstance(condition, GuidesepCondition)
        self.check_sampling(sampling)
        return replace(condition, sampling=sampling)

    def check_sampling(self, sampling: Sampling) -> None:
        """Refuse steps and candidates of a network of mask prediction, which draws nothing.

        Raises:
            SettingsError: if they are given.
        """
        if self.config.noise is None and (sampling.steps is not None or sampling.candidates > 1):
            raise SettingsError(
                "this network predicts masks and draws nothing: leave steps and candidates out, or take guidesep-small"
            )

    def forward(self, mixture: Tensor, condition: Condition) -> Estimates:
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]``.

        Of several draws the one is taken that is found again best in the mixture (`likeness`), from 0 to 1. That is
        its presence, too, unless weights were fitted that judge it by what points at it (`tell_presence`).
        """
        assert isinstance(condition, GuidesepCondition)
        n_samples = mixture.shape[-1]
        padded = functional.pad(mixture.float(), (0, max(0, SHORTEST - n_samples)))
        mean = padded.mean(dim=1).cpu()
        heard = resample(mean, source_rate=FULL_BAND_RATE, target_rate=self.config.sample_rate).to(self.device)
        stems, scores = [], []
        for index in range(len(condition.targets)):
            estimate, score = self._draw(heard, condition, index)
            stems.append(full_band(estimate, padded)[..., :n_samples])
            scores.append(score)
        return Estimates(torch.stack(stems, dim=1), torch.stack(scores, dim=1))

    def _draw(self, mixture: Tensor, condition: GuidesepCondition, index: int) -> tuple[Tensor, Tensor]:
        """Return the best draw ``[B, n]`` of a target in each window, and its presence ``[B]``."""
        if not bool(mixture.any()):
            return torch.zeros_like(mixture), mixture.new_zeros(len(mixture))
        hop, (n_windows, n_samples) = self.config.hop_length, mixture.shape
        told = condition.windows(index, n_samples, hop_length=hop)
        sides = [one if one is None else one.to(self.device) for one in (told.mimicry, told.positive, told.negative)]
        given = self.listen(mixture, *sides)
        spectrogram = self.transform(mixture)
        sampling, n_draws = condition.sampling, condition.sampling.candidates
        if self.config.noise is None:
            drawn = self._mask(mixture, given)[None]
        else:
            n_bins, n_frames = spectrogram.shape[-2:]
            noise = [
                condition.noise(n_bins, n_frames, hop_length=hop, candidate=candidate) for candidate in range(n_draws)
            ]
            told_all = self.channels(given, noise[0].to(self.device))
            n_levels = 1 + (sampling.steps or self.config.n_evaluations)
            found = self.sample(told_all, torch.cat(noise).to(self.device), n_steps=n_levels)
            drawn = self.synthesize(found, n_samples).unflatten(0, (n_draws, n_windows))  # [D, B, n]
            drawn = match_level(estimate=drawn, mixture=mixture)
        if told.reach is not None:
            drawn = drawn * told.reach.to(drawn.device)
        scores = torch.stack([likeness(self.transform(one), spectrogram) for one in drawn])  # [D, B]
        best = scores.argmax(dim=0)
        windows = torch.arange(n_windows, device=best.device)
        presence = self.tell_presence(mixture, mimicry=sides[0], positive=sides[1])
        return drawn[best, windows], scores[best, windows] if presence is None else presence

    def tell_presence(self, mixture: Tensor, *, mimicry: Tensor | None, positive: Tensor | None) -> Tensor | None:
        """Tell how sure it is that a target sounds ``[B]``; None if weights were not fitted, or nothing points at it.

        Args:
            mixture: ``[B, N]`` at the network's rate.
            mimicry: of the same shape, or None.
            positive: mask ``[B, K, T]``, or None.
        """
        if not self.config.presence:
            return None
        found = [
            None if mimicry is None else melody_evidence(mimicry, mixture),
            None if positive is None else mask_evidence(positive, mixture),
        ]
        told = [pair for pair in zip(found, self.config.presence, strict=True) if pair[0] is not None]
        return judge(*zip(*told, strict=True)) if told else None

    def _mask(self, mixture: Tensor, given: Given) -> Tensor:
        """Return what the predicted masks leave of mixtures ``[B, n]``."""
        spectrogram = self.transform(to_peak(mixture))
        magnitude = spectrogram.abs()[:, None]
        estimate = self.estimate_magnitude(magnitude, self.channels(given, magnitude))[:, 0].float()
        drawn = self.inverse(torch.polar(estimate, spectrogram.angle()), mixture.shape[-1])
        return drawn * mixture.abs().amax(dim=-1, keepdim=True)

    def transform(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into complex ``[B, F, T]``, unitary; T is the least that fits the network and holds N.

        Zeros at the end complete the last frames.
        """
        hop, step = self.config.hop_length, self.config.network.step
        n_frames = -(-(-(-waveform.shape[-1] // hop) + 1) // step) * step
        with torch.autocast(waveform.device.type, enabled=False):
            padded = functional.pad(waveform.float(), (0, hop * (n_frames - 1) - waveform.shape[-1]))
            spectrogram: Tensor = self.stft(padded) * self.config.n_fft**-0.5
        return spectrogram

    def inverse(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `transform`: ``[B, length]``."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            return self.stft.inverse(spectrogram * self.config.n_fft**0.5, length=length)

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, N]`` into the network's compressed spectrogram ``[B, 2, F, T]``: real and imaginary part."""
        return as_channels(compress(self.transform(waveform), exponent=self.config.exponent, scale=self.config.scale))

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Undo `analyze`: ``[B, length]``."""
        whole = expand(as_complex(spectrogram.float()), exponent=self.config.exponent, scale=self.config.scale)
        return self.inverse(whole, length)

    def listen(
        self, mixture: Tensor, mimicry: Tensor | None, positive: Tensor | None, negative: Tensor | None
    ) -> Given:
        """Make what the network is told from waveforms ``[B, N]`` and masks ``[B, K, T]``.

        Each waveform is brought to a peak of 1. A diffusion model hears compressed spectrograms, mask prediction
        the magnitude of the mimicry as it is.
        """
        if self.config.noise is None:
            heard = None if mimicry is None else self.transform(to_peak(mimicry)).abs()
            return Given(None, heard, positive, negative)
        heard = None if mimicry is None else as_complex(self.analyze(to_peak(mimicry))).abs()
        return Given(self.analyze(to_peak(mixture)), heard, positive, negative)

    def channels(self, given: Given, like: Tensor, *, dropped: Dropped | None = None) -> Tensor:
        """Put what is given side by side: ``[B, n_conditions, F, T]``.

        Args:
            given: what the user gives.
            like: any ``[B, ..., F, T]``.
            dropped: what each item of the batch goes without, in training.
        """
        n_items, n_bins, n_frames = len(like), *like.shape[-2:]

        def part(values: Tensor | None, without: Tensor | None, *, n_channels: int = 1) -> Tensor:
            if values is None:
                return like.new_full((n_items, n_channels, n_bins, n_frames), MISSING)
            return fill_missing(values, without).view(n_items, n_channels, n_bins, n_frames)

        def spread(mask: Tensor | None) -> Tensor | None:
            if mask is None:
                return None
            spread: Tensor = self.projection(functional.pad(mask, (0, n_frames - mask.shape[-1])))
            return spread

        parts = [
            part(given.mimicry, dropped.mimicry if dropped else None),
            part(spread(given.positive), dropped.positive if dropped else None),
            part(spread(given.negative), dropped.negative if dropped else None),
        ]
        if self.config.noise is not None:
            parts.insert(0, part(given.mixture, dropped.mixture if dropped else None, n_channels=2))
        return torch.cat(parts, dim=1)

    def denoise(self, noisy: Tensor, condition: Tensor, sigma: Tensor) -> Tensor:
        """Denoise spectrograms: the forward pass of training.

        Args:
            noisy: ``[B, 2, F, T]``.
            condition: what `channels` gave.
            sigma: noise levels ``[B]``.

        Returns:
            ``[B, 2, F, T]``, within -1 and 1.
        """
        return denoise(
            lambda scaled, told: self._complete(self.network(scaled, condition, noise=told), condition, told),
            noisy,
            sigma,
            data=self._noise.data,
        )

    def estimate_magnitude(self, magnitude: Tensor, condition: Tensor) -> Tensor:
        """Scale the magnitude of a mixture by the predicted mask: the forward pass of training of mask prediction.

        Args:
            magnitude: ``[B, 1, F, T]``.
            condition: what `channels` gave.
        """
        mask: Tensor = self.network(magnitude, condition).sigmoid()
        return mask * magnitude

    def conditioned(self, condition: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a denoiser for one condition ``[B, ...]`` and one noise level at a time.

        It takes ``[D * B, ...]``, D draws of each window. The network of the condition runs once for each noise level
        and all draws, or once in all if it is told no levels.
        """
        stem = self.network.stem(condition)
        heard: dict[float, list[Tensor]] = {}

        def answer(scaled: Tensor, told: Tensor) -> Tensor:
            level = float(told[0]) if self.config.network.noisy_condition else 0.0
            if level not in heard:
                heard.clear()
                features = self.network.hear(stem, noise=told[: len(stem)])
                heard[level] = [one.repeat(len(scaled) // len(one), 1, 1, 1) for one in features]
            return self._complete(self.network.answer(scaled, heard[level], noise=told), condition, told)

        return lambda noisy, sigma: denoise(answer, noisy, sigma, data=self._noise.data)

    def _complete(self, answer: Tensor, condition: Tensor, told: Tensor) -> Tensor:
        """Add what a mask leaves of the mixture to the answer ``[D * B, ...]``, if the network gives a mask.

        It is scaled so that, preconditioned, the mask counts in full where there is nothing but noise, and not at all
        where there is none.
        """
        if not self.config.network.masked:
            return answer
        answer, mask = answer.float()[:, :-1], answer.float()[:, -1:]
        mixture = condition[:, :2]
        heard = (mixture != MISSING).flatten(1).any(dim=1)[:, None, None, None]
        masked = 2 * mask.sigmoid() * (mixture * heard).repeat(len(mask) // len(mixture), 1, 1, 1)
        sigma, data = (4 * told).exp()[:, None, None, None], self._noise.data
        return answer + masked * sigma / (data * torch.hypot(sigma, torch.full_like(sigma, data)))

    def sample(
        self, condition: Tensor, noise: Tensor, *, n_steps: int = 8, solver: Solver = PUBLISHED_SOLVER
    ) -> Tensor:
        """Make the compressed spectrogram of the target out of noise.

        Args:
            condition: what `channels` gave, ``[B, 5, F, T]``.
            noise: standard normal ``[D * B, 2, F, T]``.
            n_steps: noise levels of the schedule, of which the last is where it ends: 8 as published are 7 evaluations.
            solver: of `diffusion`.

        Returns:
            ``[D * B, 2, F, T]``, within -1 and 1.
        """
        sigmas = karras_sigmas(n_steps, self._noise).to(noise.device)
        return solver(self.conditioned(condition), sigmas[0] * noise, sigmas).clamp(-1, 1)

    @torch.no_grad()
    def separate_window(
        self,
        mixture: Tensor,
        mimicry: Tensor | None = None,
        positive: Tensor | None = None,
        negative: Tensor | None = None,
        *,
        generator: torch.Generator,
        n_steps: int = 8,
        solver: Solver = PUBLISHED_SOLVER,
    ) -> Tensor:
        """Draw the target out of windows, whatever their level.

        Each is brought to a peak of 1, and its answer back to the level of the mixture. A diffusion model's answer is
        scaled to explain as much of the mixture as it can (`match_level`).

        Args:
            mixture: ``[B, N]`` at the network's rate.
            mimicry: of the same shape, or None.
            positive: mask in 0..1, ``[B, K, T]``, of what is the target, or None; frames are ``hop_length`` apart.
            negative: mask of what is not the target.
            generator: of the noise; the answer depends on it. Mask prediction does not read it.
            n_steps: see `sample`; not read by mask prediction.
            solver: likewise.

        Returns:
            ``[B, N]``.
        """
        given = self.listen(mixture, mimicry, positive, negative)
        if self.config.noise is None:
            return self._mask(mixture, given)
        assert given.mixture is not None
        noise = torch.randn(given.mixture.shape, generator=generator, device=generator.device).to(self.device)
        found = self.sample(self.channels(given, noise), noise, n_steps=n_steps, solver=solver)
        return match_level(estimate=self.synthesize(found, mixture.shape[-1]), mixture=mixture)

    @property
    def _noise(self) -> NoiseConfig:
        if self.config.noise is None:
            raise ModelError("a network of mask prediction knows no noise: ask it for magnitudes")
        return self.config.noise


def to_peak(waveform: Tensor) -> Tensor:
    """Bring waveforms ``[..., N]`` to a peak of 1; silence stays silent.

    Example:
        >>> to_peak(torch.tensor([0.0, -0.5]))
        tensor([ 0., -1.])
    """
    return waveform / (waveform.abs().amax(dim=-1, keepdim=True) + TINY)


def match_level(*, estimate: Tensor, mixture: Tensor) -> Tensor:
    """Scale estimates ``[..., N]`` so that as little as possible of the mixture is left without them; never below zero.

    Example:
        >>> match_level(estimate=torch.tensor([4.0, 0.0]), mixture=torch.tensor([1.0, 3.0]))
        tensor([1., 0.])
    """
    common = (estimate * mixture).sum(dim=-1, keepdim=True)
    gain = common / estimate.square().sum(dim=-1, keepdim=True).clamp_min(TINY)
    return gain.clamp_min(0) * estimate


def magnitude_loss(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean squared error of magnitudes, each divided by its largest value in the whole batch: of mask prediction.

    Example:
        >>> magnitude_loss(estimate=torch.tensor([1.0, 2.0]), reference=torch.tensor([2.0, 4.0]))
        tensor(0.)
    """
    return functional.mse_loss(estimate / (estimate.max() + TINY), reference / (reference.max() + TINY))


def baseline(config: GuidesepConfig) -> GuidesepConfig:
    """Return the mask prediction of the same size."""
    shape = replace(config.network, n_inputs=1, n_conditions=3, noisy=False, noisy_condition=False, masked=False)
    return replace(config, network=shape, noise=None, n_evaluations=PUBLISHED.n_evaluations)


PUBLISHED = GuidesepConfig()
SMALL = replace(
    PUBLISHED,
    network=TwinShape(
        n_features=64,
        multipliers=(1, 2, 2),
        attention=(False, True, True),
        n_blocks=1,
        n_heads=4,
        noisy_condition=False,
        patch=4,
        stem_kernels=(1, 3, 5),
        masked=True,
    ),
    noise=NoiseConfig(data=0.07, least=0.0007, most=28.0, log_mean=-0.55),  # as published, for data a third as large
    exponent=0.5,
    scale=0.5,
    n_evaluations=1,
)
DEBUG = replace(
    PUBLISHED,
    network=TwinShape(n_features=6, multipliers=(1, 1), attention=(False, True), n_blocks=1, n_groups=2),
    n_fft=62,
    hop_length=32,
    n_frames=256,
    n_hidden=8,
)
PRESETS: dict[str, GuidesepConfig] = {
    "guidesep-debug": DEBUG,
    "guidesep-mask-debug": baseline(DEBUG),
    "guidesep-small": SMALL,
    "guidesep-mask-small": baseline(SMALL),
    "guidesep": PUBLISHED,
    "guidesep-mask": baseline(PUBLISHED),
}
