"""How much arithmetic TUSS asks for, counted from its config."""

from __future__ import annotations

from unbraid.models.layers.locoformer import PathConfig, StackConfig
from unbraid.models.tuss import TussConfig


def path_flop(config: PathConfig, *, n_features: int, n_sequences: int, length: int) -> float:
    """Count the arithmetic of one path over all sequences, two operations per multiplication."""
    total = 0.0
    for part in config.feed_forward:
        total += 3 * (length + part.kernel - 1) * part.kernel * n_features * part.width
    total += 4 * length * n_features * config.attention + 2 * length**2 * config.attention
    return 2 * n_sequences * total


def stack_flop(config: StackConfig, *, n_features: int, n_bands: int, length: int) -> float:
    """Count the arithmetic of a stack over one spectrogram."""
    frequency = path_flop(config.frequency, n_features=n_features, n_sequences=length, length=n_bands)
    along_time = path_flop(config.time, n_features=n_features, n_sequences=n_bands, length=length)
    return config.n_blocks * (frequency + along_time)


def network_flop(config: TussConfig, *, n_frames: int, n_prompts: int) -> float:
    """Count the arithmetic of the matrix products of one mono pass, computed in the straightforward way.

    Transforms, norms, activations and masks are not counted, nor is anything computed twice.
    """
    n_features, n_bands = config.n_features, len(config.bands)
    prompted = bool(config.prompts)
    n_tokens = n_prompts + int(config.sos) if prompted else 0
    n_streams = n_prompts if prompted else 1
    n_outputs = max(1, len(config.outputs))
    inner = config.expansion * n_features
    encoder = 2 * n_frames * sum(2 * width * n_features for width in config.bands)
    decoder = 2 * n_frames * sum(
        n_features * inner + inner**2 + inner * 4 * width * n_outputs for width in config.bands
    )  # fmt: skip
    cross = stack_flop(config.cross, n_features=n_features, n_bands=n_bands, length=n_frames + n_tokens)
    extraction = stack_flop(config.extraction, n_features=n_features, n_bands=n_bands, length=n_frames)
    heard = n_features + 2 * n_bands  # what the head of presence looks at
    presence = 2 * n_prompts * (heard * n_features + n_features) if config.presence else 0
    return encoder + cross + n_streams * (extraction + decoder) + presence


def n_frames(config: TussConfig, n_samples: int) -> int:
    """Return the number of frames of a window."""
    return -(-n_samples // config.hop_length) + 1
