"""LaSAFT-Net: a U-Net on complex spectrograms that is told by a query which source to draw out.

Source: Choi et al., JAES 70(9), 2022 (version 2, which listens to the mixture), and "LaSAFT: latent source attentive
frequency transformation for conditioned source separation", ICASSP 2021 (version 1). Where paper and published weights
differ, the weights count. The query is a learned vector for each label, or made from recordings by a query net.

Axes: B batch, S stems, C channels, N samples, F bins, T frames, D features, E size of a query, L latent sources.
Spectrograms ``[B, 4, T, F]`` hold left real, right real, left imaginary, right imaginary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from unbraid.audio.stft import Stft
from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Target, output_names
from unbraid.models.lasaft_network import FastNetwork, LasaftConfig, LasaftNetwork, initialize
from unbraid.models.layers.latent_attention import LatentAttention
from unbraid.models.layers.query_net import QueryNet, QueryNetConfig
from unbraid.models.layers.recordings import WindowCutter
from unbraid.models.separator import Estimates, Separator


@dataclass(frozen=True, eq=False)
class LasaftCondition:
    """The targets of one track: names of the outputs, and their queries ``[S, E]``."""

    names: tuple[str, ...]
    queries: Tensor
    groups: tuple[tuple[int, ...], ...] = ()

    def crop(self, start: float, stop: float) -> LasaftCondition:
        """Return itself: queries hold for the whole track."""
        del start, stop
        return self


class PresenceHead(nn.Module):
    """Tell whether a target sounds: from its query, and from how much of the mixture was drawn out for it.

    The evidence is the energy of the estimate in relation to the mixture's, in eight bands and in all.
    """

    def __init__(self, n_bins: int, query_size: int) -> None:
        super().__init__()
        edges = sorted({round(n_bins ** (octave / 8)) for octave in range(1, 9)})
        self.widths = tuple(stop - start for start, stop in zip([0, *edges], edges, strict=False))
        self.layers = nn.Sequential(nn.Linear(len(self.widths) + 1 + query_size, 12), nn.SiLU(), nn.Linear(12, 1))

    def forward(self, mixture: Tensor, estimate: Tensor, queries: Tensor) -> Tensor:
        """Return logits ``[B]`` for spectrograms ``[B, 4, T, F]`` and queries ``[B, E]``."""
        with torch.autocast(mixture.device.type, enabled=False):
            whole, drawn = (self._energy(one.detach().float()) for one in (mixture, estimate))
            bands = torch.log10((drawn + 1e-8) / (whole + 1e-8)).clamp(-6, 2)
            total = torch.log10((drawn.sum(-1) + 1e-8) / (whole.sum(-1) + 1e-8)).clamp(-6, 2)
            evidence = torch.cat([bands, total[:, None], queries.detach().float()], dim=-1)
            logits: Tensor = self.layers(evidence)
        return logits.squeeze(-1)

    def _energy(self, spectrogram: Tensor) -> Tensor:
        energy = spectrogram.square().mean(dim=(1, 2))  # [B, F]
        return torch.stack([part.sum(-1) for part in energy.split(self.widths, dim=-1)], dim=-1)


class Lasaft(Separator):
    """The separator: waveform to waveforms, at 44.1 kHz in stereo.

    One channel goes in twice, and the mean of both answers comes out; more than two are taken in pairs, an odd last
    one alone. Nothing is normalized, so that loudness matters, as published; a window of pure silence is answered with
    silence.

    Example:
        >>> model = Lasaft(PRESETS["lasaft-debug"]).eval()
        >>> condition = model.condition([Target("lead", Label("vocals"))])
        >>> model(torch.zeros(1, 2, 4410), condition).stems.shape
        torch.Size([1, 1, 2, 4410])
    """

    def __init__(self, config: LasaftConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.segment = config.segment
        self.query_size = config.query_size
        self.vocabulary = config.labels
        self.accepts = frozenset({Label, Examples} if config.query_net else {Label})
        self.stft = Stft(config.n_fft, config.hop_length, window="hann", reflect=True)
        self.network = LasaftNetwork(config)
        net = config.query_net
        self.embedding: nn.Embedding | QueryNet = (
            QueryNet(net, n_features=config.n_features, n_bins=config.n_fft // 2, query_size=config.query_size)
            if net
            else nn.Embedding(len(config.labels), config.query_size)
        )
        initialize(self, version=config.version)
        self.presence = PresenceHead(config.n_fft // 2 + 1, config.query_size) if config.presence else None
        self._fast: tuple[tuple[object, ...], FastNetwork] | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.last.weight.device

    def condition(self, targets: Sequence[Target]) -> LasaftCondition:
        """Make the query of each target; it needs exactly one guide, a label or examples.

        Raises:
            GuideError: if a label is unknown or asked for twice, a guide is of another kind, or an example is too
                short.
        """
        asked = [guide.name for target in targets for guide in target.guides if isinstance(guide, Label)]
        repeated = next((name for name in asked if asked.count(name) > 1), None)
        if repeated is not None:
            raise GuideError(f"label {repeated!r} is asked for twice: this model gives all of it at once, ask once")
        queries = [self._query_of(target) for target in targets]
        device = self.device
        stacked = torch.stack(queries).to(device) if queries else torch.empty(0, self.config.query_size, device=device)
        return LasaftCondition(output_names(targets), stacked)

    def _query_of(self, target: Target) -> Tensor:
        if len(target.guides) != 1:
            raise GuideError(f"target {target.name!r} has {len(target.guides)} guides: this model takes one for each")
        (guide,) = target.guides
        if isinstance(guide, Examples) and self.config.query_net:
            return self.embed(guide)
        if not isinstance(guide, Label):
            kinds = "labels and examples" if self.config.query_net else "labels"
            raise GuideError(f"target {target.name!r}: this model takes {kinds}, not {type(guide).__name__}")
        if guide.name in self.vocabulary:
            with torch.no_grad():
                return self.embed_labels([guide.name])[0]
        if guide.name not in self.taught:
            known = " ".join([*self.vocabulary, *self.taught]) or "no labels"
            raise GuideError(f"unknown label {guide.name!r}: this model knows {known}")
        return self.taught[guide.name]

    def embed(self, examples: Examples) -> Tensor:
        """Return the query ``[E]`` of recordings: the mean over recordings of the mean over their windows.

        A recording is cut into the fewest windows of a segment's length that cover it, evenly spaced; silent ones are
        left out, and of very many 120 are taken (`WindowCutter`). One channel goes in twice; of more than two, the mean
        does.

        Raises:
            GuideError: if this model takes labels only, a recording is shorter than ``n_fft`` samples at the model's
                rate, or there are negative examples.
        """
        if not self.config.query_net:
            raise GuideError(f"{self.name or 'this model'} takes labels, not examples: choose a model that takes them")
        positive, negative = examples.recordings
        if negative:
            raise GuideError("this model takes no negative examples: leave them out; few-shot models take them")
        cutter = WindowCutter(self.sample_rate, self.segment, min_samples=self.config.n_fft, is_stereo=True)
        with torch.no_grad():
            means = [
                torch.cat([self.embed_waveforms(windows.to(self.device)) for windows in cutter.cut(recording)]).mean(0)
                for recording in positive
            ]
        return torch.stack(means).mean(dim=0)

    def embed_labels(self, names: Sequence[str]) -> Tensor:
        """Return the learned queries ``[B, E]`` of labels of the vocabulary, with gradients."""
        if isinstance(self.embedding, QueryNet):
            raise GuideError("this model has no labels of its own: give examples")
        unknown = [name for name in names if name not in self.vocabulary]
        if unknown:
            raise GuideError(f"unknown label {unknown[0]!r}: this model knows {' '.join(self.vocabulary)}")
        indices = torch.tensor([self.vocabulary.index(name) for name in names], device=self.device)
        queries: Tensor = self.embedding(indices)
        return queries

    def embed_waveforms(self, waveform: Tensor) -> Tensor:
        """Return the queries ``[B, E]`` of recordings ``[B, 2, N]``, with gradients; for networks with a query net."""
        if not isinstance(self.embedding, QueryNet):
            raise GuideError("this model has no query net: give labels")
        with torch.autocast(waveform.device.type, enabled=False):
            queries: Tensor = self.embedding(self._transform(waveform))
        return queries

    def forward(self, mixture: Tensor, condition: LasaftCondition) -> Estimates:  # type: ignore[override]
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]`` of the same length.

        Raises:
            GuideError: if the condition asks for nothing.
        """
        if not condition.names:
            raise GuideError("nothing is asked for: give at least one label or example")
        n_batch, n_channels, n_samples = mixture.shape
        n_stems = len(condition.queries)
        even = mixture if n_channels % 2 == 0 else torch.cat([mixture, mixture[:, -1:]], dim=1)
        pairs = even.reshape(-1, 2, n_samples)  # [B P, 2, N]
        spectrogram = self.analyze(pairs)
        drawn = self._estimate_all(spectrogram, condition.queries)  # S times [B P, 4, T, F]
        sounds = (pairs != 0).flatten(1).any(dim=1)
        stems = torch.stack([self.synthesize(one, n_samples) for one in drawn], dim=1) * sounds[:, None, None, None]
        stems = stems.view(n_batch, -1, n_stems, 2, n_samples).transpose(1, 2).flatten(2, 3)  # [B, S, 2 P, N]
        if n_channels % 2:
            alone = stems[:, :, -2:].mean(dim=2, keepdim=True)
            stems = torch.cat([stems[:, :, :-2], alone], dim=2)
        if self.presence is None:
            return Estimates(stems, None)
        rows = condition.queries[:, None].expand(-1, len(pairs), -1)
        logits = [self.presence(spectrogram, one, row) for one, row in zip(drawn, rows, strict=True)]
        presence = torch.stack(logits, dim=1).sigmoid() * sounds[:, None]
        return Estimates(stems, presence.view(n_batch, -1, n_stems).amax(dim=1))

    def _estimate_all(self, spectrogram: Tensor, queries: Tensor) -> list[Tensor]:
        """Estimate ``[B, 4, T, F]`` for each of the queries ``[S, E]``, with one way down for all if it is the same."""
        place = spectrogram.device.type
        if self.config.version == 2 and place == "cpu" and not (self.training or torch.is_grad_enabled()):
            narrow = torch.is_autocast_enabled(place)
            fast = self._fast_network(torch.get_autocast_dtype(place) if narrow else torch.float32)
            with torch.autocast(place, enabled=False):
                return fast(spectrogram, queries)
        rows = queries[:, None].expand(-1, len(spectrogram), -1)  # [S, B, E]
        if self.config.version == 1:
            return [self.estimate(spectrogram, row) for row in rows]
        levels = self.network.go_down(spectrogram, rows[0])
        return [self.network.go_up(levels, row) for row in rows]

    def _fast_network(self, dtype: torch.dtype) -> FastNetwork:
        """Return the network in its fast form, made anew if its weights have changed, moved or been replaced."""
        tensors = itertools.chain(self.network.parameters(), self.network.buffers())
        key = (dtype, *((one.data_ptr(), 0 if one.is_inference() else one._version) for one in tensors))
        if self._fast is None or self._fast[0] != key:
            with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
                self._fast = (key, FastNetwork(self.network, dtype))
        return self._fast[1]

    def attention(self, mixture: Tensor, condition: LasaftCondition) -> list[Tensor]:
        """Tell which latent sources each target drew on, for explanations.

        Args:
            mixture: ``[C, N]`` at the model's rate; two channels are taken as they are, otherwise their mean.
            condition: of S targets.

        Returns:
            For each block of the way up, from the coarsest to the finest, weights ``[S, T, L]`` that sum to one over
            L; a frame lasts ``hop_length`` samples in the last one, and twice as long in each before. They are constant
            over T where neither query nor key listens.
        """
        stereo = mixture if len(mixture) == 2 else mixture.mean(dim=0, keepdim=True).expand(2, -1)
        seen: list[Tensor] = []
        handles = [
            module.register_forward_hook(lambda _, __, weights: seen.append(weights[0]))
            for module in self.network.decoders.modules()
            if isinstance(module, LatentAttention)
        ]
        was_training = self.training
        try:
            with torch.no_grad():
                spectrogram = self.eval().analyze(stereo[None])
                for query in condition.queries:
                    self.estimate(spectrogram, query[None])
        finally:
            self.train(was_training)
            for handle in handles:
                handle.remove()
        n_blocks, n_frames = len(handles), mixture.shape[-1] // self.config.hop_length + 1
        found = []
        for index in range(n_blocks):
            factor = 1 << (n_blocks - 1 - index)
            rows = [weights.expand(spectrogram.shape[2] // factor, -1) for weights in seen[index::n_blocks]]
            found.append(torch.stack(rows)[:, : -(-n_frames // factor)])
        return found

    def analyze(self, waveform: Tensor) -> Tensor:
        """Transform ``[B, 2, N]`` into ``[B, 4, T, F]``; zeros at the end complete what the levels need of T.

        T is the smallest multiple of ``2 ** n_levels`` for which ``hop_length * (T - 1) >= N``.
        """
        step, hop = 2**self.config.n_levels, self.config.hop_length
        n_frames = -(-(-(-waveform.shape[-1] // hop) + 1) // step) * step
        return self._transform(nn.functional.pad(waveform, (0, hop * (n_frames - 1) - waveform.shape[-1])))

    def _transform(self, waveform: Tensor) -> Tensor:
        with torch.autocast(waveform.device.type, enabled=False):
            spectrogram = self.stft(waveform).transpose(-1, -2)  # [B, 2, T, F]
            return torch.cat([spectrogram.real, spectrogram.imag], dim=1)

    def synthesize(self, spectrogram: Tensor, length: int) -> Tensor:
        """Transform ``[B, 4, T, F]`` back into ``[B, 2, length]``."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            real, imaginary = spectrogram.float().transpose(-1, -2).chunk(2, dim=1)
            return self.stft.inverse(torch.complex(real, imaginary), length=length)

    def estimate(self, spectrogram: Tensor, queries: Tensor) -> Tensor:
        """Estimate the spectrogram of one target for each mixture.

        Args:
            spectrogram: ``[B, 4, T, F]``, T a multiple of ``2 ** n_levels``.
            queries: ``[B, E]``.

        Returns:
            ``[B, 4, T, F]``.
        """
        estimate: Tensor = self.network(spectrogram, queries)
        return estimate

    def separate_windows(self, mixture: Tensor, queries: Tensor) -> Tensor:
        """Estimate spectrograms ``[B, 4, T, F]`` from windows ``[B, 2, N]``: the forward pass of training."""
        return self.estimate(self.analyze(mixture), queries)


def spectrogram_mse(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean squared error of spectrograms ``[B, 4, T, F]``: the published training loss.

    Example:
        >>> spectrogram_mse(estimate=torch.ones(1, 4, 2, 3), reference=torch.zeros(1, 4, 2, 3))
        tensor(1.)
    """
    return nn.functional.mse_loss(estimate.float(), reference)


def waveform_mae(*, estimate: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute error of waveforms ``[B, 2, N]``: what the published validation compares.

    Example:
        >>> waveform_mae(estimate=torch.ones(1, 2, 3), reference=torch.zeros(1, 2, 3))
        tensor(1.)
    """
    return nn.functional.l1_loss(estimate.float(), reference)


SMALL = LasaftConfig()
LARGE = replace(SMALL, n_fft=4096, n_blocks=9, query_size=64)
LIGHT = replace(SMALL, n_features=20, n_latent=12, activation="leaky_relu")
AUDIO = replace(SMALL, labels=(), query_net=QueryNetConfig())
FIRST = replace(SMALL, version=1, light=False, n_latent=6, query_listening=False, key_listening=False)
DEBUG = replace(
    SMALL,
    n_fft=256,
    hop_length=128,
    n_frames=32,
    n_blocks=5,
    n_features=6,
    n_layers=2,
    n_latent=4,
    query_size=8,
    key_size=8,
    smallest_bottleneck=4,
)
PRESETS: dict[str, LasaftConfig] = {
    "lasaft-debug": DEBUG,
    "lasaft-audio-debug": replace(DEBUG, labels=(), query_net=QueryNetConfig((4, 4, 6, 6), (2, 1, 1, 2), 8)),
    "lasaft-baseline": replace(SMALL, query_listening=False, key_listening=False),
    "lasaft-query": replace(SMALL, key_listening=False),
    "lasaft-key": replace(SMALL, query_listening=False),
    "lasaft-small": SMALL,
    "lasaft-large": LARGE,
    "lasaft-large-32": replace(LARGE, query_size=32),
    "lasaft-light": LIGHT,
    "lasaft-light-16": replace(LIGHT, n_features=16, n_layers=3, normalize=True, presence=True),
    "lasaft-light-16-audio": replace(
        LIGHT, n_features=16, n_layers=3, labels=(), query_net=QueryNetConfig(), normalize=True, presence=True
    ),
    "lasaft-audio-released": replace(AUDIO, query_listening=False, key_listening=False),
    "lasaft-audio-key": replace(AUDIO, query_listening=False),
    "lasaft-audio": AUDIO,
    "lasaft-v1-small": FIRST,
    "lasaft-v1-large": replace(FIRST, n_fft=4096, n_blocks=9, query_size=64),
    "lightsaft-v1-small": replace(FIRST, light=True),
    "lightsaft-v1-large": replace(FIRST, light=True, n_fft=4096, n_blocks=9, query_size=64),
}
