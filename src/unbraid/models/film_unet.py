"""FiLM U-Net: separates what a class, or a few recordings, point at; only the bottleneck is told which.

Source: Wang, Stoller, Bittner, Bello, "Few-shot musical source separation", ICASSP 2022. What the paper leaves open,
and how it was decided, is in docs/decisions/0009.

Axes: B batch, S stems, C channels, N samples, F bins, T frames, n positive and m negative examples, E size of an
embedding and of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.stft import Stft
from unbraid.errors import GuideError, ModelError
from unbraid.guides.kinds import Examples, Label, Target, output_names
from unbraid.guides.vocabulary import INSTRUMENT_CLASSES
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.layers.compressed_mask import apply_mask, compress, network_input
from unbraid.models.layers.example_encoder import EncoderShape, ExampleEncoder
from unbraid.models.layers.film import Film, NegativeLayer
from unbraid.models.layers.recordings import WindowCutter, down_mix
from unbraid.models.layers.resemblance import Evidence, ResemblanceHead, relative_level
from unbraid.models.layers.room import N_BANDS, Envelope, judge_room, room_evidence, unit
from unbraid.models.layers.unet import Unet
from unbraid.models.separator import Estimates, Separator


@dataclass(frozen=True, eq=False)
class FilmUnetCondition:
    """The targets of one track: names of the outputs, their queries ``[S, E]``, and those of what they are not.

    ``envelopes`` ``[S, K]`` are those of the examples; zeros where they are not known, None where none is.
    """

    names: tuple[str, ...]
    queries: Tensor
    rejected: Tensor
    groups: tuple[tuple[int, ...], ...] = ()
    envelopes: Tensor | None = None

    def crop(self, start: float, stop: float) -> FilmUnetCondition:
        """Return itself: queries hold for the whole track."""
        del start, stop
        return self


class FilmUnet(Separator):
    """The separator: waveform to waveforms, at the network's rate; every channel alone, with the same query.

    Example:
        >>> model = FilmUnet(PRESETS["film-unet-classes-debug"]).eval()
        >>> condition = model.condition([Target("lead", Label("vocals"))])
        >>> model(torch.zeros(1, 2, 4410), condition).stems.shape
        torch.Size([1, 1, 2, 4410])
    """

    config: FilmUnetConfig

    def __init__(self, config: FilmUnetConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.segment = config.segment
        self.vocabulary = config.classes
        self.accepts = frozenset({Label} if config.classes else {Examples, Label})
        self.query_size = None if config.classes else config.query_size
        self.stft = Stft(config.n_fft, config.hop_length, window="hann", reflect=True)
        self.unet = Unet(config.unet_shape())
        self.film = Film(config.query_size, config.n_features[-1])
        shape, rate = config.encoder, config.sample_rate
        self.encoder = None if shape is None else ExampleEncoder(shape, sample_rate=rate, n_fft=config.n_fft)
        self.neg = NegativeLayer(config.query_size) if config.negatives else None
        self.presence = ResemblanceHead(config.query_size) if config.presence else None
        self.envelope = Envelope(rate, config.n_fft)
        self.memory_size = N_BANDS if config.presence else 0
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a tenth faster on a processor

    @property
    def device(self) -> torch.device:
        """Where its tensors live."""
        return self.film.gamma.weight.device

    @property
    def min_samples(self) -> int:
        """Samples of an example, at the network's rate, that the encoder needs at least; 0 without one."""
        shape = self.config.encoder
        return 0 if shape is None else (shape.min_frames - 1) * self.config.hop_length

    @torch.no_grad()
    def condition(self, targets: Sequence[Target]) -> FilmUnetCondition:
        """Make the query of each target: from its class, from what it was taught, or from its examples.

        Raises:
            GuideError: if a target has a guide of another kind, several labels, or a label that is unknown or was
                asked for before; or if an example is too short, or negative where the model takes none.
        """
        asked = [guide.name for target in targets for guide in target.guides if isinstance(guide, Label)]
        repeated = next((name for name in asked if asked.count(name) > 1), None)
        if repeated is not None:
            raise GuideError(f"label {repeated!r} is asked for twice: this model gives all of it at once, ask once")
        sizes = [self.config.query_size, self.memory_size, self.config.query_size]
        rows = [torch.cat(self._queries_of(target)) for target in targets]
        table = torch.stack(rows) if rows else torch.empty(0, sum(sizes))
        queries, envelopes, rejected = table.to(self.device).split(sizes, dim=1)
        return FilmUnetCondition(output_names(targets), queries, rejected, envelopes=envelopes)

    def _queries_of(self, target: Target) -> tuple[Tensor, Tensor]:
        """Return what is known of a target, as `remember` tells it, and the query ``[E]`` of what it is not."""
        accepted = tuple(self.accepts)
        for guide in target.guides:
            if not isinstance(guide, accepted):
                kinds = " and ".join(sorted(kind.__name__ for kind in accepted))
                raise GuideError(f"target {target.name!r}: this model takes {kinds}, not {type(guide).__name__}")
        examples = [guide for guide in target.guides if isinstance(guide, Examples)]
        if len(examples) < len(target.guides):
            return self._query_of_label(target)
        merged = Examples(
            [one for guide in examples for one in guide.positive],
            [one for guide in examples for one in guide.negative],
        )
        positive, negative = self._hear(merged)
        query = self.combine(positive[None], None if negative is None else negative[None])[0]
        rejected = torch.zeros_like(query) if negative is None else self.combine(negative[None])[0]
        return torch.cat([query, self._envelope_of(merged)]), rejected

    def _query_of_label(self, target: Target) -> tuple[Tensor, Tensor]:
        guide = target.guides[0]
        if len(target.guides) > 1 or not isinstance(guide, Label):
            raise GuideError(f"target {target.name!r} has {len(target.guides)} guides: give one label, or examples")
        if guide.name in self.vocabulary:
            query = self.embed_classes([guide.name])[0]
        elif guide.name in self.taught:
            query = self.taught[guide.name].to(self.device)
        else:
            known = " ".join([*self.vocabulary, *self.taught]) or "no labels"
            raise GuideError(f"unknown label {guide.name!r}: this model knows {known}")
        size = self.config.query_size
        return functional.pad(query, (0, size + self.memory_size - len(query))), torch.zeros_like(query[:size])

    @torch.no_grad()
    def remember(self, examples: Examples) -> Tensor:
        """Return the query of examples, see `embed`, and behind it their mean envelope: ``[E + K]``.

        Raises:
            GuideError: as `embed`.
        """
        return torch.cat([self.embed(examples), self._envelope_of(examples)])

    def _envelope_of(self, examples: Examples) -> Tensor:
        """Return the mean envelope ``[K]`` of the positive recordings at one level; nothing without presence."""
        if self.presence is None:
            return self.envelope.bank.new_empty(0)
        cutter = WindowCutter(self.sample_rate, self.segment, min_samples=self.min_samples)
        found = []
        for recording in examples.recordings[0]:
            windows = [self.envelope(self._analyze(batch.to(self.device))[:, None]) for batch in cutter.cut(recording)]
            found.append(unit(torch.cat(windows).mean(dim=0)))
        return torch.stack(found).mean(dim=0)

    @torch.no_grad()
    def embed(self, examples: Examples) -> Tensor:
        """Turn examples into the query ``[E]`` that stands for them; each recording counts once.

        They are mixed down to one channel, brought to the network's rate, and cut into windows as in training
        (`WindowCutter`), whose embeddings are averaged.

        Raises:
            GuideError: if the network takes no examples, or no negative ones; if one is too short.
        """
        positive, negative = self._hear(examples)
        return self.combine(positive[None], None if negative is None else negative[None])[0]

    def _hear(self, examples: Examples) -> tuple[Tensor, Tensor | None]:
        """Return the mean embeddings ``[E]`` of the positive and of the negative recordings."""
        if self.encoder is None:
            raise GuideError(f"{self.name or 'this model'} takes classes, not examples: choose a model that does")
        if examples.negative and self.neg is None:
            raise GuideError(f"{self.name or 'this model'} takes no negative examples: leave them out")
        cutter = WindowCutter(self.sample_rate, self.segment, min_samples=self.min_samples)
        means = []
        for side in examples.recordings:
            windows = ([self.embed_examples(batch.to(self.device)) for batch in cutter.cut(one)] for one in side)
            vectors = [torch.cat(batches).mean(dim=0) for batches in windows]
            means.append(torch.stack(vectors).mean(dim=0) if vectors else None)
        positive, negative = means
        assert positive is not None
        return positive, negative

    def embed_examples(self, recordings: Tensor) -> Tensor:
        """Turn recordings ``[M, N]`` at the network's rate into embeddings ``[M, E]``; short ones get zeros behind.

        Raises:
            ModelError: if the network has no encoder.
        """
        if self.encoder is None:
            raise ModelError("a network of classes has no encoder of examples: ask it for a class")
        missing = max(0, self.min_samples - recordings.shape[-1])
        with torch.autocast(recordings.device.type, enabled=False):
            magnitude = self.stft(functional.pad(recordings, (0, missing))).abs()
        embeddings: Tensor = self.encoder(magnitude)
        return embeddings

    def combine(self, positive: Tensor, negative: Tensor | None = None) -> Tensor:
        """Turn mean embeddings ``[B, E]`` of examples into queries ``[B, E]``.

        Args:
            positive: of what the target is.
            negative: of what it is not; zeros in the rows where nothing is said.

        Raises:
            GuideError: if the network takes no negative examples.
        """
        if self.neg is not None:
            query: Tensor = self.neg(positive, torch.zeros_like(positive) if negative is None else negative)
            return query
        if negative is not None:
            raise GuideError(f"{self.name or 'this model'} takes no negative examples: leave them out")
        return positive

    def embed_classes(self, names: Sequence[str]) -> Tensor:
        """Turn classes into queries ``[B, E]``, which are one-hot.

        Raises:
            GuideError: if a name is no class of this network.

        Example:
            >>> FilmUnet(PRESETS["film-unet-classes-debug"]).embed_classes(["drums"]).argmax()
            tensor(1)
        """
        unknown = next((name for name in names if name not in self.vocabulary), None)
        if unknown is not None:
            raise GuideError(f"unknown label {unknown!r}: this model knows {' '.join(self.vocabulary) or 'no labels'}")
        indices = torch.tensor([self.vocabulary.index(name) for name in names], device=self.device)
        return functional.one_hot(indices, len(self.vocabulary)).float()

    def forward(self, mixture: Tensor, condition: FilmUnetCondition) -> Estimates:  # type: ignore[override]
        """Separate windows ``[B, C, N]`` into ``[B, S, C, N]`` of the same level and length.

        Raises:
            GuideError: if the condition asks for nothing.
        """
        if not len(condition.queries):
            raise GuideError("nothing is asked for: give at least one guide")
        n_batch, n_channels, n_samples = mixture.shape
        spectrogram = self._analyze(mixture.flatten(0, 1))
        bottleneck, levels = self._encode(spectrogram)  # the same for all targets
        modulated = (self.film(bottleneck, query.expand(len(bottleneck), -1)) for query in condition.queries)
        stems = []
        for output in self.unet.decode_each(modulated, levels, size=spectrogram.shape[-2:]):
            drawn, _ = self._masked(spectrogram, output)
            stems.append(self._synthesize(drawn, n_samples).view(n_batch, n_channels, n_samples))
        together = torch.stack(stems, dim=1)
        return Estimates(together, self._presence(mixture, together, condition))

    def separate_windows(self, mixture: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Separate windows of different tracks, each with its own query: the forward pass of training.

        Args:
            mixture: ``[B, N]``.
            query: ``[B, E]``.

        Returns:
            Estimates ``[B, N]``, and their compressed magnitudes ``[B, F, T]`` (see `compress`) before the inverse
            transform.
        """
        spectrogram = self._analyze(mixture)
        bottleneck, levels = self._encode(spectrogram)
        output = self.unet.decode(self.film(bottleneck, query), levels, size=spectrogram.shape[-2:])
        drawn, magnitude = self._masked(spectrogram, output)
        return self._synthesize(drawn, mixture.shape[-1]), magnitude

    def compress(self, signal: Tensor) -> Tensor:
        """Return the compressed magnitudes ``ln(1 + g |X|)`` ``[B, F, T]`` of signals ``[B, N]``."""
        return compress(self._analyze(signal), self.config.compression)

    def presence_evidence(
        self, mixture: Tensor, estimate: Tensor, query: Tensor, rejected: Tensor | None = None
    ) -> Evidence:
        """Return what the presence head is shown of estimates, without gradient.

        Args:
            mixture: ``[B, C, N]``.
            estimate: ``[B, S, C, N]``.
            query: ``[B, S, E]``.
            rejected: ``[B, S, E]``, what `combine` makes of the mean embedding of the negative examples alone; zeros
                where there are none.

        Raises:
            ModelError: if the network has no encoder.
        """
        n_batch, n_stems = estimate.shape[:2]
        with torch.no_grad():
            signals = torch.cat([down_mix(mixture), down_mix(estimate.flatten(0, 1))])
            heard = self.combine(self.embed_examples(signals))
            return Evidence(
                level=relative_level(estimate=estimate, mixture=mixture[:, None]),
                query=query.detach(),
                rejected=torch.zeros_like(query) if rejected is None else rejected.detach(),
                estimate=heard[n_batch:].unflatten(0, (n_batch, n_stems)),
                mixture=heard[:n_batch, None].expand(-1, n_stems, -1),
            )

    def room_evidence(self, mixture: Tensor, estimate: Tensor, envelopes: Tensor) -> Tensor:
        """Return what the room in mixtures ``[B, C, N]`` tells of estimates ``[B, S, C, N]``: ``[B, S, N_NUMBERS]``.

        Args:
            mixture: ``[B, C, N]``.
            estimate: ``[B, S, C, N]``.
            envelopes: of the examples, ``[S, K]`` or ``[B, S, K]``.
        """
        return room_evidence(
            level=relative_level(estimate=estimate, mixture=mixture[:, None]),
            examples=envelopes,
            mixture=self.envelope(self._analyze(mixture)),
            estimate=self.envelope(self._analyze(estimate)),
        )

    def _presence(self, mixture: Tensor, stems: Tensor, condition: FilmUnetCondition) -> Tensor | None:
        """Return the presence ``[B, S]`` of stems ``[B, S, C, N]``; nothing is present where the mixture is silent."""
        if self.presence is None:
            return None
        logits = mixture.new_empty(stems.shape[:2])
        known = torch.zeros(stems.shape[1], dtype=torch.bool, device=stems.device)
        if self.config.room and condition.envelopes is not None:
            known = condition.envelopes.amax(dim=-1) > 0
        if condition.envelopes is not None and bool(known.any()):
            evidence = self.room_evidence(mixture, stems[:, known], condition.envelopes[known])
            logits[:, known] = judge_room(evidence, self.config.room)
        if not bool(known.all()):  # labels that were taught before envelopes were kept
            asked = (one[~known].expand(len(mixture), -1, -1) for one in (condition.queries, condition.rejected))
            logits[:, ~known] = self.presence(self.presence_evidence(mixture, stems[:, ~known], *asked))
        sounds = mixture.flatten(1).abs().amax(dim=-1) > 0  # [B]
        return logits.sigmoid() * sounds[:, None]

    def _encode(self, spectrogram: Tensor) -> tuple[Tensor, list[Tensor]]:
        config = self.config
        return self.unet.encode(network_input(spectrogram, config.compression, config.input))

    def _masked(self, spectrogram: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return what an output of the U-Net draws out of ``[B, F, T]``, and its compressed magnitude."""
        return apply_mask(spectrogram, output, gain=self.config.compression, kind=self.config.mask)

    def _analyze(self, signal: Tensor) -> Tensor:
        with torch.autocast(signal.device.type, enabled=False):
            spectrogram: Tensor = self.stft(signal)
        return spectrogram

    def _synthesize(self, spectrogram: Tensor, n_samples: int) -> Tensor:
        with torch.autocast(spectrogram.device.type, enabled=False):
            return self.stft.inverse(spectrogram, length=n_samples)


PAPER = FilmUnetConfig(encoder=EncoderShape())
SMALL = replace(
    PAPER,
    encoder=EncoderShape(embedding_size=256, n_features=(16, 32, 48, 64), n_mels=64),
    negatives=True,
    presence=True,
    n_features=(16, 24, 40, 72, 128, 224),
)
DEBUG = replace(
    SMALL,
    encoder=EncoderShape(embedding_size=16, n_features=(4, 4, 4), n_mels=32),
    n_fft=256,
    hop_length=128,
    segment=1.0,
    n_features=(4, 6, 8, 12),
)

PRESETS: dict[str, FilmUnetConfig] = {
    "film-unet-classes": replace(PAPER, encoder=None, classes=INSTRUMENT_CLASSES),
    "film-unet-classes-debug": replace(
        DEBUG, encoder=None, classes=INSTRUMENT_CLASSES, negatives=False, presence=False
    ),
    "few-shot": PAPER,
    "few-shot-negatives": replace(PAPER, negatives=True),
    "few-shot-small": SMALL,
    "few-shot-debug": DEBUG,
}
