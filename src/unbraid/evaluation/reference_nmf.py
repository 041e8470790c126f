"""Non-negative matrix factorization with bases that were learned from solo recordings of each instrument.

The classical way to separate with knowledge of single sources alone: bases of an instrument are learned from nothing
but that instrument, and those of all instruments that are asked for explain the mixture together. The factorization is
scikit-learn's (extra ``references``).

Axes: C channels, N samples, F bins, T frames, K bases.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.audio.signal import Audio
from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.extras import load_package
from unbraid.evaluation.reference_masks import in_blocks, stft_of

KIND = "nmf-bases"
_LOSS = "kullback-leibler"
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NmfSettings:
    """How bases are learned, and mixtures explained.

    Args:
        n_bases: K, of each instrument.
        window_seconds: length of the analysis window.
        max_frames: so many frames of an instrument's recordings are learned from, chosen by the seed.
        n_iterations: of the multiplicative updates, in learning and in separation.
        seed: of the choice of frames and of the start.
    """

    n_bases: int = 40
    window_seconds: float = 4096 / 44100
    max_frames: int = 4000
    n_iterations: int = 100
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Nmf:
    """Explains the magnitudes of a mixture by the bases of all that is asked for, and masks it accordingly.

    The Kullback-Leibler divergence is least; the masks of all targets sum to one, and so the answers to the mixture.
    Every channel is explained alone. A target that is asked for alone gets the whole mixture: nothing else was offered.

    Source: Smaragdis, Raj, Shashanka, "Supervised and semi-supervised separation of sounds from single-channel
    mixtures", ICA 2007; Lee and Seung, "Algorithms for non-negative matrix factorization", NeurIPS 2000.

    Args:
        bases: by label, ``[K, F]``, not negative.
        sample_rate: of the recordings that they were learned from.
        settings: of learning and separation.

    Raises:
        SettingsError: when asked, if scikit-learn is not installed.
    """

    bases: Mapping[str, Tensor] = field(repr=False)
    sample_rate: int
    settings: NmfSettings
    name: str = "nmf"
    needs_truth: bool = False

    def __repr__(self) -> str:
        digest = hashlib.sha256()
        for label, rows in sorted(self.bases.items()):
            digest.update(label.encode() + rows.contiguous().numpy().tobytes())
        return f"Nmf({digest.hexdigest()[:16]}, {self.sample_rate}, {self.settings})"

    def knows(self, label: str) -> bool:
        """Say whether bases of the label were learned."""
        return label in self.bases

    def separate(self, mixture: Audio, references: Mapping[str, Audio]) -> dict[str, Audio]:
        """Mask the mixture for every name; see `ReferenceMethod`."""
        names = list(references)
        bases = torch.cat([self.bases[name] for name in names]).numpy()
        owners = np.repeat(np.arange(len(names)), [len(self.bases[name]) for name in names])
        stft = stft_of(self.sample_rate, self.settings.window_seconds)

        def change(block: Tensor) -> Tensor:  # [C, n] -> [S, C, n]
            spectrogram = stft(block)
            masks = np.stack([self._masks(one.abs().numpy(), bases, owners) for one in spectrogram], axis=1)
            return stft.inverse(torch.from_numpy(masks) * spectrogram, length=block.shape[-1])

        here = resample(mixture.samples, source_rate=mixture.sample_rate, target_rate=self.sample_rate)
        stems = in_blocks(here, change, stft=stft)
        answers = {}
        for name, stem in zip(names, stems, strict=True):
            back = resample(stem, source_rate=self.sample_rate, target_rate=mixture.sample_rate)
            missing = mixture.n_samples - back.shape[-1]  # rounding of two lengths, at most a sample or so
            fitted = torch.nn.functional.pad(back, (0, max(0, missing)))[..., : mixture.n_samples]
            answers[name] = Audio(fitted, mixture.sample_rate)
        return answers

    def _masks(self, magnitude: Matrix, bases: Matrix, owners: npt.NDArray[np.int64]) -> Matrix:
        """Return the factor ``[S, F, T]`` of each target for magnitudes ``[F, T]``."""
        n_targets = int(owners.max()) + 1
        level = float(magnitude.max())
        if level == 0:
            return np.full((n_targets, *magnitude.shape), 1 / n_targets, dtype=np.float32)
        decomposition = load_package("sklearn.decomposition", extra="references")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the number of iterations was not enough: it was asked for
            gains, _, _ = decomposition.non_negative_factorization(
                (magnitude / level).T, H=bases, n_components=len(bases), init="random", update_H=False, solver="mu",
                beta_loss=_LOSS, max_iter=self.settings.n_iterations, random_state=self.settings.seed,
            )  # fmt: skip
        parts = np.stack([(gains[:, owners == one] @ bases[owners == one]).T for one in range(n_targets)])
        total = parts.sum(axis=0)
        even = np.full_like(parts, 1 / n_targets)
        masks: Matrix = np.divide(parts, total, out=even, where=total > 0).astype(np.float32)
        return masks

    def save(self, path: Path) -> None:
        """Write a file that `load` reads.

        Example:
            >>> import tempfile
            >>> method = Nmf({"bass": torch.ones(2, 9)}, 8000, NmfSettings(n_bases=2))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     method.save(Path(folder) / "bases.safetensors")
            ...     again = Nmf.load(Path(folder) / "bases.safetensors")
            >>> repr(again) == repr(method)
            True
        """
        header = {"kind": KIND, "sample_rate": str(self.sample_rate), "settings": json.dumps(vars(self.settings))}
        save_file({label: rows.contiguous() for label, rows in self.bases.items()}, path, metadata=header)

    @classmethod
    def load(cls, path: Path) -> Nmf:
        """Read a file of bases.

        Raises:
            SettingsError: if it is not one.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                bases = {label: file.get_tensor(label) for label in file.keys()}  # noqa: SIM118 - it is no mapping
        except (OSError, SafetensorError) as error:
            raise SettingsError(f"{path}: not a file of bases ({error}): make one with train_bases") from error
        if header.get("kind") != KIND:
            raise SettingsError(f"{path}: not a file of bases but of something else: make one with train_bases")
        return cls(bases, int(header["sample_rate"]), NmfSettings(**json.loads(header["settings"])))


def train_bases(recordings: Mapping[str, Sequence[Audio]], *, settings: NmfSettings = NmfSettings()) -> Nmf:
    """Learn the bases of each instrument from recordings of it alone.

    Args:
        recordings: by label; all at one rate. Channels are learned from as if they were recordings of their own.
        settings: how many bases, of which frames.

    Returns:
        The method, ready to separate.

    Raises:
        DatasetError: if there are no recordings, their rates differ, or a label has nothing that sounds.
        SettingsError: if scikit-learn is not installed.
    """
    rates = {audio.sample_rate for audios in recordings.values() for audio in audios}
    if len(rates) != 1:
        found = " and ".join(map(str, sorted(rates))) or "no"
        raise DatasetError(f"bases need recordings of one rate, got {found} Hz: resample them first")
    (sample_rate,) = rates
    bases = {label: _learn(label, audios, settings) for label, audios in recordings.items()}
    return Nmf(bases, sample_rate, settings)


def _learn(label: str, recordings: Sequence[Audio], settings: NmfSettings) -> Tensor:
    """Learn ``[K, F]`` from recordings of one instrument."""
    frames = [_frames(audio, settings) for audio in recordings]
    sounding = np.concatenate([one[one.max(axis=1) > 0] for one in frames]) if frames else np.empty((0, 0))
    if len(sounding) == 0:
        raise DatasetError(f"{label}: none of its recordings sounds: give it others")
    dice = np.random.default_rng(settings.seed)
    chosen = dice.choice(len(sounding), size=min(len(sounding), settings.max_frames), replace=False)
    model = load_package("sklearn.decomposition", extra="references").NMF(
        settings.n_bases, init="random", solver="mu", beta_loss=_LOSS, max_iter=settings.n_iterations,
        random_state=settings.seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the number of iterations was not enough: it was asked for
        model.fit(sounding[np.sort(chosen)])
    rows = model.components_
    rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return torch.from_numpy(rows.astype(np.float32))


def _frames(audio: Audio, settings: NmfSettings) -> Matrix:
    """Return the magnitudes of all frames of all channels ``[T, F]``, of a peak of one."""
    stft = stft_of(audio.sample_rate, settings.window_seconds)
    magnitude = stft(audio.samples).abs().permute(0, 2, 1).reshape(-1, stft.n_fft // 2 + 1).numpy()
    peak = float(magnitude.max(initial=0.0))
    scaled: Matrix = magnitude / peak if peak > 0 else magnitude
    return scaled
