"""What shapes a FiLM U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unbraid.errors import ModelError
from unbraid.models.layers.compressed_mask import INPUTS, MASKS
from unbraid.models.layers.example_encoder import EncoderShape
from unbraid.models.layers.room import N_NUMBERS
from unbraid.models.layers.unet import UnetShape


@dataclass(frozen=True)
class FilmUnetConfig:
    """Everything that shapes a network.

    Args:
        classes: names that it knows, each one a query of its own; empty for a network that takes examples.
        encoder: makes queries from recordings; None for a network of classes.
        negatives: examples may say what the target is not.
        presence: estimate whether the target sounds; needs an encoder.
        room: weights of what tells that (`layers.room`): slopes and a bias; fitted, or empty: a head tells it.
        n_shot: positive examples of each mixture in training.
        segment: length of the windows in training, in seconds.
        input: ``"complex"``: the U-Net is given real and imaginary parts; ``"magnitude"``: the magnitude alone.
        compression: g in ``ln(1 + g |X|)``.
        mask: how the two outputs O become a complex mask: ``"tanh"``: magnitude tanh(|O| / 2) and the phase of O;
            ``"sigmoid"``: the sigmoid of one is the magnitude, the other is the phase in radians.
        n_features: of each level of the U-Net.
        kernel_size: of its convolutions.
        decoder_activation: ``"leaky_relu"`` or ``"relu"``.
        decoder_dropout: probability in the second to the fourth block of the decoder.

    Raises:
        ModelError: if values contradict each other.

    Example:
        >>> FilmUnetConfig(classes=("bass", "drums")).query_size, FilmUnetConfig(encoder=EncoderShape()).query_size
        (2, 512)
    """

    classes: tuple[str, ...] = ()
    encoder: EncoderShape | None = None
    negatives: bool = False
    presence: bool = False
    room: tuple[float, ...] = ()
    n_shot: int = 5
    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 256
    segment: float = 3.0
    input: str = "complex"
    compression: float = 1.0
    mask: str = "tanh"
    n_features: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    kernel_size: int = 5
    decoder_activation: str = "leaky_relu"
    decoder_dropout: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.classes) == (self.encoder is not None) or len(set(self.classes)) < len(self.classes):
            raise ModelError("a FiLM U-Net needs either classes, each once, or an encoder of examples")
        if self.encoder is None and (self.negatives or self.presence):
            raise ModelError("negative examples and presence need an encoder of examples")
        if self.room and (len(self.room) != N_NUMBERS + 1 or not self.presence):
            raise ModelError(f"room must be {N_NUMBERS} slopes and a bias of a network that estimates presence")
        for name, value, known in (("input", self.input, INPUTS), ("mask", self.mask, MASKS)):
            if value not in known:
                raise ModelError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        if min(self.sample_rate, self.n_fft, self.hop_length, self.n_shot, self.compression, self.segment) <= 0:
            raise ModelError("every number of a FiLM U-Net config must be positive")
        if self.n_fft % 2 or self.hop_length > self.n_fft // 2:
            raise ModelError(f"hop_length must be at most half of n_fft, got {self.hop_length} and {self.n_fft}")
        try:
            self.unet_shape()
        except ValueError as error:
            raise ModelError(str(error)) from error
        if self.encoder is not None and self.encoder.flat_size(n_fft=self.n_fft) == 0:
            raise ModelError(f"the {len(self.encoder.n_features)} blocks of the encoder leave no rows: use fewer")

    @property
    def query_size(self) -> int:
        """E."""
        return len(self.classes) if self.encoder is None else self.encoder.embedding_size

    def unet_shape(self) -> UnetShape:
        """Return the sizes of the U-Net."""
        return UnetShape(
            n_inputs=2 if self.input == "complex" else 1,
            n_outputs=2,
            n_features=self.n_features,
            kernel_size=self.kernel_size,
            activation=self.decoder_activation,
            dropout=self.decoder_dropout,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FilmUnetConfig:
        """Build from what `dataclasses.asdict` gave, after a round trip through JSON.

        Raises:
            ModelError: if it is something else.
        """
        try:
            encoder = values["encoder"]
            if encoder is not None:
                encoder = EncoderShape(**{**encoder, "n_features": tuple(encoder["n_features"])})
            tuples = {name: tuple(values[name]) for name in ("classes", "n_features")}
            tuples["room"] = tuple(values.get("room", ()))  # older files have none
            return cls(**{**values, **tuples, "encoder": encoder})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the config of a FiLM U-Net: {error}") from error
