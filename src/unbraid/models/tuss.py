"""TUSS: task-aware unified separation with learnable prompts, and its conventional baseline.

Source: Saijo et al., "Task-aware unified source separation", ICASSP 2025. A prompt is a learned vector that
is put in front of the frames as one more token; the cross-prompt stack lets prompts and frames listen to each
other, then every prompt is multiplied onto the frames, and a stack that all prompts share draws its source.

Axes: B batch, S stems, C channels, N samples, F bins, T frames, K bands, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unbraid.audio.stft import Stft
from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Label, Prompts, Target, output_names
from unbraid.models.layers.bands import BandDecoder, BandEncoder, split_rule
from unbraid.models.layers.channels import align_channels
from unbraid.models.layers.locoformer import FeedForwardConfig, PathConfig, Stack, StackConfig
from unbraid.models.layers.recordings import down_mix
from unbraid.models.separator import Estimates, Separator

PROMPTS = ("speech", "sfx", "sfx-mix", "drums", "bass", "vocals", "other", "music-mix")
CONTRADICTIONS: dict[str, tuple[str, ...]] = {
    "sfx-mix": ("sfx",),
    "music-mix": ("drums", "bass", "vocals", "other"),
}
CHANNEL_MODES = ("each", "mid")


@dataclass(frozen=True)
class TussConfig:
    """Everything that shapes a network.

    Args:
        cross: the stack that prompts and frames share.
        extraction: the stack that every prompted source goes through.
        prompts: names of the learned prompts; empty for the conventional baseline.
        outputs: names of the outputs of the conventional baseline; empty for a prompted network.
        anonymous: the outputs are in no order (the baseline was trained with free permutation).
        bands: widths of the bands in bins, ``n_fft // 2 + 1`` in all; the published rule by default.
        sos: put a learned start token between prompts and frames.
        presence: estimate whether the source of each prompt sounds.
        round_positions: count rotary positions in bfloat16, as the published training did.
        channel_mode: "each" separates every channel alone; "mid" runs once, on the mean of the channels, and
            applies its masks to each of them.
        segment: length of the windows in training, in seconds.
    """

    cross: StackConfig
    extraction: StackConfig
    prompts: tuple[str, ...] = PROMPTS
    outputs: tuple[str, ...] = ()
    anonymous: bool = False
    sample_rate: int = 48000
    n_fft: int = 2048
    hop_length: int = 512
    bands: tuple[int, ...] = ()
    n_features: int = 64
    n_groups: int = 8
    expansion: int = 4
    sos: bool = True
    presence: bool = False
    round_positions: bool = False
    channel_mode: str = "each"
    segment: float = 6.0

    def __post_init__(self) -> None:
        if bool(self.prompts) == bool(self.outputs):
            raise ModelError("a TUSS config needs either prompts or, for the baseline, outputs")
        if self.channel_mode not in CHANNEL_MODES:
            raise ModelError(f"channel_mode must be one of {', '.join(CHANNEL_MODES)}, got {self.channel_mode!r}")
        if not self.bands:
            object.__setattr__(self, "bands", split_rule(self.sample_rate, self.n_fft))
        if sum(self.bands) != self.n_fft // 2 + 1 or min(self.bands) < 1:
            raise ModelError(f"bands must sum to {self.n_fft // 2 + 1} bins, got {sum(self.bands)}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TussConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON."""

        def path(part: dict[str, Any]) -> PathConfig:
            feed_forward = tuple(FeedForwardConfig(**one) for one in part["feed_forward"])
            return PathConfig(part["n_heads"], part["attention"], feed_forward)

        def stack(part: dict[str, Any]) -> StackConfig:
            return StackConfig(part["n_blocks"], path(part["frequency"]), path(part["time"]), part["time_first"])

        try:
            tuples = {name: tuple(values[name]) for name in ("prompts", "outputs", "bands")}
            return cls(
                **{**values, **tuples, "cross": stack(values["cross"]), "extraction": stack(values["extraction"])}
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the config of a TUSS network: {error}") from error


@dataclass(frozen=True)
class TussCondition:
    """The prompts of one track: names of the outputs, which may change places, and the index of each prompt.

    Indices behind the last prompt of the network count the vectors ``[D]`` in ``taught``.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    indices: tuple[int, ...]
    taught: tuple[Tensor, ...] = ()

    def crop(self, start: float, stop: float) -> TussCondition:
        """Return itself: prompts hold for the whole track."""
        del start, stop
        return self


def check_prompts(prompts: Sequence[str], vocabulary: Sequence[str]) -> None:
    """Refuse prompts that a network does not know, or that claim the same sound twice.

    Raises:
        GuideError: that names the prompts and what to ask for instead.
    """
    for prompt in prompts:
        if prompt not in vocabulary:
            raise GuideError(f"unknown prompt {prompt!r}: this model knows {' '.join(vocabulary)}")
    for whole, parts in CONTRADICTIONS.items():
        clashing = [part for part in parts if part in prompts]
        if whole in prompts and clashing:
            raise GuideError(
                f"prompts {whole!r} and {clashing[0]!r} contradict each other: {whole!r} already contains every "
                f"{clashing[0]!r}; ask for one or the other"
            )
        if prompts.count(whole) > 1:
            raise GuideError(f"prompt {whole!r} stands for all of its sounds together: ask for it once")


class PresenceHead(nn.Module):
    """Tell whether a prompted source sounds: from what its token heard, and from what was drawn out for it.

    The evidence of what was drawn is, for each band, its energy in relation to the mixture's in that band, and to
    that of the whole mixture. No gradient flows back into the masks.
    """

    def __init__(self, config: TussConfig) -> None:
        super().__init__()
        self.bands = config.bands
        n_features = config.n_features
        self.layers = nn.Sequential(
            nn.Linear(n_features + 2 * len(config.bands), n_features), nn.SiLU(), nn.Linear(n_features, 1)
        )

    def forward(self, tokens: Tensor, spectrogram: Tensor, masks: Sequence[Tensor]) -> Tensor:
        """Return logits ``[B, S]``.

        Args:
            tokens: what the prompts became, ``[B, S, K, D]``.
            spectrogram: complex ``[B, F, T]``.
            masks: S complex masks ``[B, F, T]``.
        """
        mixture = self._band_energy(spectrogram)  # [B, K]
        drawn = torch.stack([self._band_energy(spectrogram * mask) for mask in masks], dim=1)  # [B, S, K]
        in_band = torch.log10(drawn / (mixture[:, None] + 1e-8) + 1e-4)
        in_all = torch.log10(drawn / (mixture.sum(-1)[:, None, None] + 1e-8) + 1e-6)
        evidence = torch.cat([tokens.mean(dim=2).float(), in_band, in_all], dim=-1)
        with torch.autocast(tokens.device.type, enabled=False):
            logits: Tensor = self.layers(evidence)
        return logits.squeeze(-1)

    def _band_energy(self, spectrogram: Tensor) -> Tensor:
        energy = (spectrogram.real.square() + spectrogram.imag.square()).sum(-1)  # [B, F]
        return torch.stack([part.sum(-1) for part in energy.split(self.bands, dim=-1)], dim=-1)


class Tuss(Separator):
    """The separator: waveform to waveforms, at the network's rate.

    Example:
        >>> model = Tuss(PRESETS["tuss-debug"])
        >>> condition = model.condition([Target("lead", Label("vocals"))])
        >>> model(torch.zeros(1, 2, 4410), condition).stems.shape
        torch.Size([1, 1, 2, 4410])
    """

    config: TussConfig

    def __init__(self, config: TussConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.segment = config.segment
        self.accepts = frozenset({Label, Prompts})
        self.vocabulary = config.prompts or config.outputs
        self.query_size = config.n_features if config.prompts else None
        self.stft = Stft(config.n_fft, config.hop_length)
        self.encoder = BandEncoder(config.bands, config.n_features)
        n_features, n_groups = config.n_features, config.n_groups
        self.cross, self.extraction = (
            Stack(n_features, n_groups, stack, round_positions=config.round_positions)
            for stack in (config.cross, config.extraction)
        )
        self.decoder = BandDecoder(
            config.bands, n_features, expansion=config.expansion, n_outputs=max(1, len(config.outputs))
        )
        self.prompts = nn.Parameter(torch.randn(len(config.prompts), n_features))
        self.sos = nn.Parameter(torch.randn(int(config.sos and bool(config.prompts)), n_features))
        self.presence = PresenceHead(config) if config.presence else None

    def condition(self, targets: Sequence[Target]) -> TussCondition:
        """Look the prompts up; each target needs exactly one guide, a label or a single prompt.

        Labels that were taught contradict nothing.
        """
        wanted = [prompt_of(target) for target in targets]
        taught = [prompt for prompt in dict.fromkeys(wanted) if prompt in self.taught]
        known = (*self.vocabulary, *taught)
        check_prompts([prompt for prompt in wanted if prompt not in taught], (*self.vocabulary, *self.taught))
        if self.config.outputs and len(set(wanted)) < len(wanted):
            raise GuideError("the conventional model gives each output once: ask for no name twice")
        same = {prompt: tuple(i for i, one in enumerate(wanted) if one == prompt) for prompt in wanted}
        groups = [tuple(range(len(wanted)))] if self.config.anonymous else same.values()
        return TussCondition(
            names=output_names(targets),
            groups=tuple(group for group in groups if len(group) > 1),
            indices=tuple(known.index(prompt) for prompt in wanted),
            taught=tuple(self.taught[prompt] for prompt in taught),
        )

    def forward(self, mixture: Tensor, condition: TussCondition) -> Estimates:  # type: ignore[override]
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]`` of the same level and length.

        Raises:
            GuideError: if the condition asks for nothing.
        """
        if not condition.indices:
            raise GuideError("nothing is asked for: give at least one prompt")
        if self.config.channel_mode == "mid" and mixture.shape[1] > 1:
            return self._separate_by_mid(mixture, condition)
        n_batch, n_channels = mixture.shape[:2]
        estimates, presence = self._separate_mono(mixture.flatten(0, 1), condition)
        stems = estimates.view(n_batch, n_channels, *estimates.shape[1:]).transpose(1, 2)  # [B, S, C, N]
        if condition.groups and n_channels > 1:
            stems = align_channels(stems, condition.groups)
        if presence is not None:
            presence = presence.view(n_batch, n_channels, -1).amax(dim=1)
        return Estimates(stems, presence)

    def separate_windows(self, mixture: Tensor, prompts: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor | None]:
        """Separate windows of different tracks, each with its own prompts: the forward pass of training.

        Args:
            mixture: ``[B, N]``.
            prompts: S names for each of the B windows; of no effect in the conventional baseline, which
                answers with all its outputs.

        Returns:
            Estimates ``[B, S, N]`` and logits of presence ``[B, S]``, or None.
        """
        table = [[self.config.prompts.index(name) for name in row] for row in prompts] if self.config.prompts else []
        indices = torch.tensor(table, dtype=torch.long, device=mixture.device)
        return self.separate_queries(mixture, self.prompts[indices])

    def separate_queries(self, mixture: Tensor, queries: Tensor) -> tuple[Tensor, Tensor | None]:
        """Separate windows ``[B, N]`` with vectors ``[B, S, D]`` in the place of prompts, with gradients to them.

        Returns:
            As :meth:`separate_windows`.
        """
        spectrogram, scale = self._analyze(mixture)
        masks, presence = self._masks_at_once(spectrogram, queries)
        return self._synthesize(spectrogram[:, None] * masks, scale, mixture.shape[-1]), presence

    def estimate_masks(self, spectrogram: Tensor, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Estimate the complex masks of all prompts at once.

        Args:
            spectrogram: complex ``[B, F, T]`` of mixtures with unit deviation.
            indices: prompts ``[B, S]``; not read by the conventional baseline.

        Returns:
            Masks ``[B, S, F, T]`` and logits of presence ``[B, S]``, or None.
        """
        return self._masks_at_once(spectrogram, self.prompts[indices] if self.config.prompts else self.prompts)

    def _masks_at_once(self, spectrogram: Tensor, queries: Tensor) -> tuple[Tensor, Tensor | None]:
        tokens, frames = self._tokens_and_frames(spectrogram, queries)
        if not self.config.prompts:
            return self.decoder(self.extraction(frames)).transpose(-1, -2), None
        n_batch, n_stems = tokens.shape[:2]
        prompted = tokens[:, :, None] * frames[:, None]  # [B, S, T, K, D]
        masks = self.decoder(self.extraction(prompted.flatten(0, 1)))
        masks = masks.view(n_batch, n_stems, *masks.shape[2:]).transpose(-1, -2)
        if self.presence is None:
            return masks, None
        return masks, self.presence(tokens, spectrogram, masks.detach().unbind(1))

    def _tokens_and_frames(self, spectrogram: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the prompts ``[B, S, D]`` became ``[B, S, K, D]``, and the frames ``[B, T, K, D]``."""
        bins = torch.view_as_real(spectrogram.transpose(1, 2).contiguous())  # [B, T, F, 2]
        frames = self.encoder(bins)
        if not self.config.prompts:
            return frames[:, :0], self.cross(frames)
        start = self.sos.expand(len(queries), -1, -1)
        tokens = torch.cat([queries, start], dim=1)  # [B, S (+ 1), D]
        tokens = tokens[:, :, None].expand(-1, -1, frames.shape[2], -1)
        heard = self.cross(torch.cat([tokens.to(frames.dtype), frames], dim=1))
        return heard[:, : queries.shape[1]], heard[:, tokens.shape[1] :]

    def _separate_mono(self, mixture: Tensor, condition: TussCondition) -> tuple[Tensor, Tensor | None]:
        """Separate ``[B, N]`` into ``[B, S, N]``, one prompt after the other."""
        spectrogram, scale = self._analyze(mixture)
        masks, presence = self._masks_one_by_one(spectrogram, condition)
        estimates = [self._synthesize((spectrogram * mask)[:, None], scale, mixture.shape[-1]) for mask in masks]
        return torch.cat(estimates, dim=1), presence

    def _separate_by_mid(self, mixture: Tensor, condition: TussCondition) -> Estimates:
        """Estimate masks on the middle of the channels, and apply them to every channel."""
        mid, _ = self._analyze(down_mix(mixture))
        spectrogram, scale = self._analyze(mixture.flatten(0, 1))
        n_batch, n_channels = mixture.shape[:2]
        spectrogram = spectrogram.view(n_batch, n_channels, *spectrogram.shape[1:])
        masks, presence = self._masks_one_by_one(mid, condition)
        stems = [
            self._synthesize((spectrogram * mask[:, None]).flatten(0, 1)[:, None], scale, mixture.shape[-1])
            for mask in masks
        ]  # S times [B C, 1, N]
        together = torch.stack(stems, dim=1).view(n_batch, n_channels, len(stems), -1)
        return Estimates(together.transpose(1, 2), presence)

    def _masks_one_by_one(self, spectrogram: Tensor, condition: TussCondition) -> tuple[list[Tensor], Tensor | None]:
        """Estimate masks ``[B, F, T]`` per prompt; memory does not grow with their number but by the masks."""
        if not self.config.prompts:
            masks, _ = self._masks_at_once(spectrogram, self.prompts)
            return [masks[:, index] for index in condition.indices], None
        table = torch.cat([self.prompts, *(vector[None].to(self.prompts) for vector in condition.taught)])
        queries = table[list(condition.indices)].expand(len(spectrogram), -1, -1)
        tokens, frames = self._tokens_and_frames(spectrogram, queries)
        one_by_one = (self.decoder(self.extraction(tokens[:, i, None] * frames)) for i in range(queries.shape[1]))
        drawn = [mask[:, 0].transpose(-1, -2) for mask in one_by_one]
        return drawn, None if self.presence is None else self.presence(tokens, spectrogram, drawn).sigmoid()

    def _analyze(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """Scale ``[B, N]`` to unit deviation and transform it: ``[B, F, T]`` and the scale ``[B, 1]``."""
        correction = 1 if mixture.shape[-1] > 1 else 0
        scale = mixture.std(dim=-1, keepdim=True, correction=correction) + 1e-8
        with torch.autocast(mixture.device.type, enabled=False):
            return self.stft(mixture / scale), scale

    def _synthesize(self, spectrogram: Tensor, scale: Tensor, n_samples: int) -> Tensor:
        """Return ``[B, S, N]`` at the mixture's level."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            return self.stft.inverse(spectrogram, length=n_samples) * scale[:, None]


def prompt_of(target: Target) -> str:
    """Return the one prompt that a target is pointed at with.

    Raises:
        GuideError: if there are several, or a guide of another kind.
    """
    names: list[str] = []
    for guide in target.guides:
        if not isinstance(guide, Label | Prompts):
            raise GuideError(f"target {target.name!r}: TUSS takes prompts and labels, not {type(guide).__name__}")
        names.extend([guide.name] if isinstance(guide, Label) else guide.names)
    if len(names) != 1:
        raise GuideError(
            f"target {target.name!r} has {len(names)} prompts ({' '.join(names)}): give each its own target"
        )
    return names[0]


def _stack(n_blocks: int, n_heads: int, attention: int, width: int, kernels: tuple[int, int]) -> StackConfig:
    """Two feed-forwards of equal width on both paths; kernels of the frequency and of the time path."""
    frequency, time = (PathConfig(n_heads, attention, (FeedForwardConfig(width, k),) * 2) for k in kernels)
    return StackConfig(n_blocks, frequency, time)


def _outputs(count: int) -> tuple[str, ...]:
    return tuple(f"source-{number}" for number in range(1, count + 1))


MEDIUM = TussConfig(cross=_stack(4, 4, 128, 384, (4, 1)), extraction=_stack(2, 4, 96, 256, (4, 4)))
LARGE = TussConfig(cross=_stack(6, 8, 256, 384, (4, 1)), extraction=_stack(3, 8, 192, 256, (4, 4)), n_features=128)
_SMALL_PATH = PathConfig(2, 64, (FeedForwardConfig(160),))  # a single feed-forward: most audio per second of training
SMALL_BANDS = (4,) * 4 + (8,) * 4 + (16,) * 4 + (32, 48, 64, 96, 192, 481)
SMALL = TussConfig(
    cross=StackConfig(4, _SMALL_PATH, _SMALL_PATH),
    extraction=StackConfig(1, _SMALL_PATH, _SMALL_PATH),
    sample_rate=44100,
    hop_length=1024,
    bands=SMALL_BANDS,
    expansion=2,
    presence=True,
    channel_mode="mid",
    segment=4.0,
)
DEBUG = replace(
    SMALL,
    cross=_stack(1, 2, 8, 16, (2, 1)),
    extraction=_stack(1, 2, 8, 16, (1, 1)),
    n_fft=512,
    hop_length=256,
    bands=(4,) * 4 + (16,) * 3 + (32, 64, 97),
    n_features=8,
    n_groups=2,
    segment=1.0,
)


def conventional(config: TussConfig, outputs: tuple[str, ...], *, anonymous: bool) -> TussConfig:
    """Return the baseline of the same size: no prompts, all outputs from one decoder."""
    return replace(config, prompts=(), outputs=outputs, anonymous=anonymous, presence=False)


PRESETS: dict[str, TussConfig] = {
    "tuss-debug": DEBUG,
    "tuss-small": SMALL,
    "tuss-medium": MEDIUM,
    "tuss-large": LARGE,
    "conventional-small-4": conventional(SMALL, _outputs(4), anonymous=True),
    "conventional-medium-2": conventional(MEDIUM, _outputs(2), anonymous=True),
    "conventional-medium-3": conventional(MEDIUM, _outputs(3), anonymous=True),
    "conventional-medium-4": conventional(MEDIUM, _outputs(4), anonymous=True),
    "conventional-large-4": conventional(
        replace(LARGE, extraction=_stack(2, 8, 96, 256, (4, 4))), _outputs(4), anonymous=True
    ),
}
