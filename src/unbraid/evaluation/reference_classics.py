"""Separation without training: harmonic against percussive, and repeating against varying sounds.

Both take a music mixture in two; a label gets the half that it belongs to. Their algorithms are librosa's (extra
``references``).

Axes: C channels, N samples, F bins, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.audio.stft import Stft
from unbraid.datasets.taxonomy import prompt_of
from unbraid.evaluation.extras import load_package
from unbraid.evaluation.reference_masks import in_blocks, stft_of

Magnitude = npt.NDArray[np.float32]
HARMONIC = frozenset({"bass", "vocals", "other"})
FOREGROUND = frozenset({"vocals", "speech"})
BACKGROUND = frozenset({"drums", "bass", "other", "music-mix", "sfx-mix"})


@dataclass(frozen=True)
class Hpss:
    """Harmonic-percussive separation by median filters: drums get what is percussive, all else what is harmonic.

    Source: Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010; computed by librosa.

    Args:
        window_seconds: length of the analysis window.
        kernel_size: of both filters, in bins and frames.
        section_seconds: a longer mixture is taken in sections.

    Raises:
        SettingsError: when asked, if librosa is not installed.
    """

    window_seconds: float = 2048 / 44100
    kernel_size: int = 31
    section_seconds: float = 60.0
    name: str = "hpss"
    needs_truth: bool = False

    def knows(self, label: str) -> bool:
        """Say whether the label is a part of music."""
        return prompt_of(label) in HARMONIC | {"drums"}

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Give each name its half; see `ReferenceMethod`."""
        decompose = load_package("librosa.decompose", extra="references")

        def mask(magnitude: Magnitude) -> Magnitude:
            harmonic, _ = decompose.hpss(magnitude, kernel_size=self.kernel_size, mask=True)
            return np.asarray(harmonic, dtype=np.float32)

        stft = stft_of(mixture.sample_rate, self.window_seconds)
        harmonic = mask_by_magnitude(mixture, mask, stft=stft, section_seconds=self.section_seconds)
        return _halves(mixture, harmonic, {name: prompt_of(name) in HARMONIC for name in references})


@dataclass(frozen=True)
class Repet:
    """REPET-SIM: what comes again is background; voices get what does not, all else what does.

    Every frame is replaced by the median of the frames that resemble it; what exceeds that is foreground.

    Source: Rafii and Pardo, "Music/voice separation using the similarity matrix", ISMIR 2012; the nearest frames and
    their median, and the soft mask, are librosa's.

    Args:
        window_seconds: length of the analysis window.
        gap_seconds: frames that resemble each other are at least so far apart.
        margins: how far the background and the foreground must exceed the other one to be masked in full.
        section_seconds: a longer mixture is taken in sections, as memory grows with the square of the length.

    Raises:
        SettingsError: when asked, if librosa is not installed.
    """

    window_seconds: float = 2048 / 44100
    gap_seconds: float = 2.0
    margins: tuple[float, float] = (2.0, 10.0)
    section_seconds: float = 120.0
    name: str = "repet"
    needs_truth: bool = False

    def knows(self, label: str) -> bool:
        """Say whether the label is a voice, or what accompanies voices."""
        return prompt_of(label) in FOREGROUND | BACKGROUND

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Give each name its half; see `ReferenceMethod`."""
        decompose, spectra = (load_package(f"librosa.{one}", extra="references") for one in ("decompose", "util"))
        stft = stft_of(mixture.sample_rate, self.window_seconds)
        gap = round(self.gap_seconds * mixture.sample_rate / stft.hop_length)

        def mask(magnitude: Magnitude) -> Magnitude:
            n_frames = magnitude.shape[1]
            width = max(1, min(gap, n_frames // 4))
            if n_frames < 3 or not magnitude.any():
                return np.ones_like(magnitude)
            alike = decompose.nn_filter(magnitude, aggregate=np.median, metric="cosine", width=width)
            background = np.minimum(magnitude, alike)
            foreground = magnitude - background
            low, high = self.margins
            wins = spectra.softmask(background, low * foreground, power=2)
            loses = spectra.softmask(foreground, high * background, power=2)
            total = wins + loses
            return np.asarray(np.divide(wins, total, out=np.ones_like(total), where=total > 0), dtype=np.float32)

        background = mask_by_magnitude(mixture, mask, stft=stft, section_seconds=self.section_seconds)
        return _halves(mixture, background, {name: prompt_of(name) not in FOREGROUND for name in references})


def mask_by_magnitude(
    mixture: Audio, mask: Callable[[Magnitude], Magnitude], *, stft: Stft, section_seconds: float
) -> Tensor:
    """Multiply a mixture with a mask that is made from its magnitude; all channels get the same mask.

    Args:
        mixture: ``[C, N]``.
        mask: from the root mean square over channels of the magnitudes ``[F, T]`` to factors ``[F, T]``.
        stft: the transform.
        section_seconds: sections are masked one by one.

    Returns:
        ``[C, N]``.
    """

    def change(block: Tensor) -> Tensor:
        spectrogram = stft(block)  # [C, F, T]
        magnitude = spectrogram.abs().square().mean(dim=0).sqrt().numpy()
        return stft.inverse(torch.from_numpy(mask(magnitude)) * spectrogram, length=block.shape[-1])

    n_frames = max(1, round(section_seconds * mixture.sample_rate / stft.hop_length))
    return in_blocks(mixture.samples, change, stft=stft, n_frames=n_frames)


def _halves(mixture: Audio, half: Tensor, first: Mapping[str, bool]) -> dict[str, Audio]:
    """Give the half to those who want it, and what it leaves of the mixture to the others."""
    return {
        name: Audio(half.clone() if wanted else mixture.samples - half, mixture.sample_rate)
        for name, wanted in first.items()
    }
