"""The FiLM U-Net written out plainly from the paper's description: float64, step by step, no layer of the package.

Convolutions are computed by unfolding, transposed ones by scattering, the Fourier transform frame by frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.audio.mel import mel_filter_bank
from unbraid.models.film_unet_config import FilmUnetConfig


class PlainFilmUnet:
    """Weights by name, and what is computed with them."""

    def __init__(self, config: FilmUnetConfig, weights: Mapping[str, Tensor]) -> None:
        self.config = config
        self.weights = {key: value.double() for key, value in weights.items()}

    def query(self, positive: Sequence[Tensor], negative: Sequence[Tensor] = ()) -> Tensor:
        """Query ``[E]`` of recordings ``[N]`` of any length, of what the target is and of what it is not."""
        mean = self._hear(positive)
        if not self.config.negatives:
            return mean
        told = self._hear(negative) if len(negative) else torch.zeros_like(mean)
        weight, bias = self.weights["neg.fc.weight"], self.weights["neg.fc.bias"]
        return (weight @ torch.cat([mean, told]) + bias).clamp_min(0)

    def separate(self, mixture: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate ``[N]`` of a mixture ``[N]`` by a query ``[E]``, and its compressed magnitude."""
        config, spectrum = self.config, self._stft(mixture)
        compressed = torch.polar((1 + config.compression * spectrum.abs()).log(), spectrum.angle())
        parts = [compressed.real, compressed.imag] if config.input == "complex" else [compressed.abs()]
        first, second = self._unet(torch.stack(parts), query)
        radius = (first**2 + second**2).sqrt()
        if config.mask == "tanh":
            mask = torch.polar(2 / (1 + (-radius).exp()) - 1, torch.atan2(second, first))
        else:
            mask = torch.polar(1 / (1 + (-first).exp()), second)
        masked = mask * compressed
        linear = torch.polar((masked.abs().exp() - 1) / config.compression, masked.angle())
        return self._istft(linear, len(mixture)), masked.abs()

    def _unet(self, x: Tensor, query: Tensor) -> Tensor:
        n_levels, levels = len(self.config.n_features), []
        for i in range(n_levels):
            x = self._leaky(self._norm(self._conv(x, f"unet.enc.{i}.conv", 2), f"unet.enc.{i}.norm"), 0.2)
            levels.append(x)
        gamma, beta = (
            self.weights[f"film.{n}.weight"] @ query + self.weights[f"film.{n}.bias"] for n in ("gamma", "beta")
        )
        x = gamma[:, None, None] * x + beta[:, None, None]
        n_bins = self.config.n_fft // 2 + 1
        sizes = [tuple(level.shape[1:]) for level in levels[-2::-1]]
        slope = 0.2 if self.config.decoder_activation == "leaky_relu" else 0.0
        for i in range(n_levels):
            if i:
                x = torch.cat([x, levels[n_levels - 1 - i]])
            last = i == n_levels - 1
            x = self._deconv(x, f"unet.dec.{i}.conv", (n_bins, self.n_frames) if last else sizes[i])
            if not last:
                x = self._leaky(self._norm(x, f"unet.dec.{i}.norm"), slope)
        return x

    def _hear(self, recordings: Sequence[Tensor]) -> Tensor:
        """Mean embedding of recordings, each of which is the mean of the fewest windows that cover it."""
        longest = round(self.config.segment * self.config.sample_rate)
        means = []
        for recording in recordings:
            length = min(longest, len(recording))
            n_windows = math.ceil(len(recording) / length)
            starts = [round((len(recording) - length) * i / max(1, n_windows - 1)) for i in range(n_windows)]
            means.append(torch.stack([self._embed(recording[start : start + length]) for start in starts]).mean(0))
        return torch.stack(means).mean(0)

    def _embed(self, recording: Tensor) -> Tensor:
        config, shape = self.config, self.config.encoder
        assert shape is not None
        rows = self._stft(recording).abs()
        if shape.front_end == "mel":
            bank = mel_filter_bank(sample_rate=config.sample_rate, n_fft=config.n_fft, n_mels=shape.n_mels)
            rows = bank.double() @ rows
        x = (1 + rows).log()[None]
        for i in range(len(shape.n_features)):
            x = self._norm(self._conv(x, f"encoder.block.{i}.conv", 1), f"encoder.block.{i}.norm").clamp_min(0)
            _, height, width = x.shape
            x = x[:, : height // 2 * 2, : width // 2 * 2]
            x = torch.stack([x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]).amax(0)
        flat = x.amax(dim=2).reshape(-1)
        if "encoder.project.weight" in self.weights:
            flat = self.weights["encoder.project.weight"] @ flat + self.weights["encoder.project.bias"]
        return flat

    def _conv(self, x: Tensor, name: str, stride: int) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        size = weight.shape[-1]
        _, height, width = x.shape
        out = (math.ceil(height / stride), math.ceil(width / stride))
        patches = functional.unfold(x[None], size, padding=size // 2, stride=stride)[0]
        return (weight.flatten(1) @ patches).view(-1, *out) + bias[:, None, None]

    def _deconv(self, x: Tensor, name: str, wanted: tuple[int, int]) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]  # [in, out, size, size]
        size = weight.shape[-1]
        canvas = torch.zeros(weight.shape[1], wanted[0] + 2 * size, wanted[1] + 2 * size, dtype=x.dtype)
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                stamp = torch.einsum("i,iohw->ohw", x[:, row, column], weight)
                canvas[:, 2 * row : 2 * row + size, 2 * column : 2 * column + size] += stamp
        margin = size // 2
        return canvas[:, margin : margin + wanted[0], margin : margin + wanted[1]] + bias[:, None, None]

    def _norm(self, x: Tensor, name: str) -> Tensor:
        w = {
            part: self.weights[f"{name}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        return (x - w["running_mean"]) / (w["running_var"] + 1e-5).sqrt() * w["weight"] + w["bias"]

    @staticmethod
    def _leaky(x: Tensor, slope: float) -> Tensor:
        return torch.where(x > 0, x, slope * x)

    def _stft(self, signal: Tensor) -> Tensor:
        n_fft, hop = self.config.n_fft, self.config.hop_length
        half = n_fft // 2
        signal = functional.pad(signal.double(), (0, max(0, half + 1 - len(signal))))
        padded = torch.cat([signal[1 : half + 1].flip(0), signal, signal[-half - 1 : -1].flip(0)])
        window = 0.5 - 0.5 * (2 * math.pi * torch.arange(n_fft, dtype=torch.float64) / n_fft).cos()
        self.n_frames = len(signal) // hop + 1
        frames = [torch.fft.rfft(window * padded[t * hop : t * hop + n_fft]) for t in range(self.n_frames)]
        return torch.stack(frames, dim=1)

    def _istft(self, spectrum: Tensor, length: int) -> Tensor:
        n_fft, hop = self.config.n_fft, self.config.hop_length
        window = 0.5 - 0.5 * (2 * math.pi * torch.arange(n_fft, dtype=torch.float64) / n_fft).cos()
        total, weight = torch.zeros(2, length + 2 * n_fft, dtype=torch.float64)
        for t in range(spectrum.shape[1]):
            part = slice(t * hop, t * hop + n_fft)
            total[part] += window * torch.fft.irfft(spectrum[:, t], n_fft)
            weight[part] += window**2
        kept = slice(n_fft // 2, n_fft // 2 + length)
        return total[kept] / weight[kept]
