"""The network that turns recordings of a sound into a vector that stands for it.

Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 2.2.

Axes: B recordings, D features, F bins, K bands, T frames, E size of an embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from unbraid.audio.mel import mel_filter_bank
from unbraid.models.layers.folding import Fold, folds

FRONT_ENDS = ("mel", "linear")


@dataclass(frozen=True)
class EncoderShape:
    """What shapes an example encoder.

    Args:
        embedding_size: E; if it is not what the blocks give, a linear layer turns one into the other.
        n_features: of each block, which halves both axes.
        front_end: ``"mel"``: the blocks hear bands; ``"linear"``: bins.
        n_mels: number of bands K.
        mel_scale: see `unbraid.audio.mel.hz_to_mel`.
        mel_norm: see `unbraid.audio.mel.mel_filter_bank`.

    Raises:
        ValueError: if a value is out of range.

    Example:
        >>> EncoderShape().flat_size(n_fft=1024), EncoderShape(front_end="linear").flat_size(n_fft=1024)
        (512, 2048)
    """

    embedding_size: int = 512
    n_features: tuple[int, ...] = (64, 64, 64, 64)
    front_end: str = "mel"
    n_mels: int = 128
    mel_scale: str = "slaney"
    mel_norm: str = "peak"

    def __post_init__(self) -> None:
        if self.front_end not in FRONT_ENDS:
            raise ValueError(f"front_end must be one of {', '.join(FRONT_ENDS)}, got {self.front_end!r}")
        if not self.n_features or min(self.embedding_size, self.n_mels, *self.n_features) < 1:
            raise ValueError("an example encoder needs at least one block, and features in each")

    @property
    def min_frames(self) -> int:
        """Frames that leave one after all blocks."""
        return 1 << len(self.n_features)

    def flat_size(self, *, n_fft: int) -> int:
        """Return the number of features that the blocks give, times that of the rows that they leave."""
        rows = self.n_mels if self.front_end == "mel" else n_fft // 2 + 1
        return self.n_features[-1] * (rows // self.min_frames)


class Block(nn.Module):
    """3x3 convolution, batch norm, ReLU, and the larger of two in both axes."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_outputs)
        self.fold = Fold()
        nn.init.normal_(self.conv.weight, std=0.02)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, D_in, K, T]`` to ``[B, D, K // 2, T // 2]``."""
        if folds(self):  # the larger of two is the same before and after ReLU
            x = functional.conv2d(x, *self.fold(self.conv, self.norm), padding=1)
            return functional.max_pool2d(x, 2).relu_()
        return functional.max_pool2d(functional.relu(self.norm(self.conv(x)), inplace=True), 2)


class ExampleEncoder(nn.Module):
    """Convolutions on a spectrogram, the maximum over time, and what is left of frequency laid out flat.

    Args:
        shape: its sizes.
        sample_rate: of the recordings.
        n_fft: of their spectrograms.

    Raises:
        ValueError: if too few bands or bins are left after the blocks.

    Example:
        >>> encoder = ExampleEncoder(EncoderShape(), sample_rate=22050, n_fft=1024)
        >>> encoder(torch.rand(2, 513, 259)).shape
        torch.Size([2, 512])
    """

    bank: Tensor

    def __init__(self, shape: EncoderShape, *, sample_rate: int, n_fft: int) -> None:
        super().__init__()
        self.shape = shape
        flat_size = shape.flat_size(n_fft=n_fft)
        if flat_size == 0:
            raise ValueError(f"{len(shape.n_features)} blocks leave nothing of so few rows: use fewer blocks")
        bank = torch.empty(0)
        if shape.front_end == "mel":
            bank = mel_filter_bank(
                sample_rate=sample_rate,
                n_fft=n_fft,
                n_mels=shape.n_mels,
                scale=shape.mel_scale,
                norm=shape.mel_norm,
            )
        self.register_buffer("bank", bank, persistent=False)
        sizes = (1, *shape.n_features)
        self.block = nn.ModuleList(Block(n_in, n_out) for n_in, n_out in pairwise(sizes))
        needed = flat_size != shape.embedding_size
        self.project = nn.Linear(flat_size, shape.embedding_size) if needed else None

    def forward(self, magnitude: Tensor) -> Tensor:
        """Map magnitudes ``[B, F, T]``, of at least `EncoderShape.min_frames` frames, to embeddings ``[B, E]``."""
        with torch.autocast(magnitude.device.type, enabled=False):
            rows = self.bank @ magnitude if self.shape.front_end == "mel" else magnitude
            x = rows.log1p()[:, None]
        for block in self.block:
            x = block(x)
        flat = x.amax(dim=-1).flatten(1)  # [B, D * K]
        embedding: Tensor = flat if self.project is None else self.project(flat)
        return embedding.float()
