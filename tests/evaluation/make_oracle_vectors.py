"""Ask the public programs for the numbers that the metrics are held to, and store them beside the signals.

    pip install museval log-wmse-audio-quality pesq pystoi
    python tests/evaluation/make_oracle_vectors.py

writes ``oracle_vectors.npz``. Signals are 16-bit integers ``[S, C, N]``; scores are float64. museval 0.4.1 and
log-wmse-audio-quality 0.2.0 made the stored file.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BSS_CASES = {  # name: stems, channels, samples, window, hop, taps
    "noise": (2, 2, 500, 120, 120, 16),
    "mono": (3, 1, 500, 150, 150, 32),
    "overlapping frames": (2, 2, 360, 120, 40, 16),
    "long filters": (2, 2, 500, 120, 120, 128),
    "shorter than a frame": (2, 2, 70, 120, 120, 16),
    "one sample": (2, 2, 1, 300, 300, 16),
    "one stem": (1, 2, 360, 120, 120, 16),
    "silent frame of a reference": (2, 2, 360, 120, 120, 16),
    "silent frame of an estimate": (2, 2, 360, 120, 120, 16),
    "silent channel": (2, 2, 360, 120, 120, 16),
    "equal channels": (2, 2, 360, 120, 120, 16),
    "smooth": (2, 2, 500, 120, 120, 64),
    "perfect": (2, 2, 360, 120, 120, 16),
}
WMSE_CASES = {  # name: channels, samples, gain of the error
    "noise": (2, 800, 0.3),
    "faint": (2, 800, 0.001),
    "inaudible": (1, 800, 0.0003),
    "perfect": (1, 800, 0.0),
    "silent reference": (2, 800, 0.1),
    "silent estimate": (2, 800, 0.1),
    "both silent": (1, 800, 0.1),
    "one sample": (1, 1, 0.5),
    "rumble": (1, 800, 0.3),
}


def bss_signals(name: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return estimates and references as 16-bit integers ``[S, C, N]``."""
    stems, channels, samples = BSS_CASES[name][:3]
    dice = np.random.RandomState(number)
    reference = 3000 * dice.standard_normal((stems, channels, samples))
    if name == "smooth":
        reference = np.cumsum(reference, axis=-1) / 8
    if name == "equal channels":
        reference[:, 1] = reference[:, 0]
    if name == "silent channel":
        reference[0, 1] = 0
    if name == "silent frame of a reference":
        reference[0, :, :120] = 0
    estimate = reference + 0.2 * np.roll(reference, 1, 0) + 0.1 * np.roll(reference, 3, -1)
    estimate += 500 * dice.standard_normal(reference.shape)
    if name == "silent frame of an estimate":
        estimate[1, :, 120:240] = 0
    if name == "perfect":
        estimate = reference
    return tuple(np.round(signal).clip(-32768, 32767).astype(np.int16) for signal in (estimate, reference))


def wmse_signals(name: str, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimate, reference and mixture as 16-bit integers ``[C, N]``."""
    channels, samples, gain = WMSE_CASES[name]
    dice = np.random.RandomState(100 + number)
    reference, rest, error = 4000 * dice.standard_normal((3, channels, samples))
    if name == "rumble":
        error = np.cumsum(error, axis=-1) / 10
    reference = np.zeros_like(reference) if name in {"silent reference", "both silent"} else reference
    estimate = reference + gain * error
    estimate = np.zeros_like(estimate) if name in {"silent estimate", "both silent"} else estimate
    mixture = (reference + rest) * np.linspace(1, 0.3, channels)[:, None]
    return tuple(np.round(signal).clip(-32768, 32767).astype(np.int16) for signal in (estimate, reference, mixture))


def main() -> None:
    from log_wmse_audio_quality import calculate_log_wmse
    from museval.metrics import bss_eval

    stored: dict[str, np.ndarray] = {"bss": np.array(json.dumps(BSS_CASES)), "wmse": np.array(json.dumps(WMSE_CASES))}
    for number, (name, (_, _, _, window, hop, taps)) in enumerate(BSS_CASES.items()):
        estimate, reference = bss_signals(name, number)
        arrays = [signal.transpose(0, 2, 1) / 32768 for signal in (reference, estimate)]
        scores = bss_eval(*arrays, window=window, hop=hop, compute_permutation=False, filters_len=taps)[:4]
        stored |= {f"bss/{name}/estimate": estimate, f"bss/{name}/reference": reference}
        stored[f"bss/{name}/scores"] = np.stack(scores)
    for number, name in enumerate(WMSE_CASES):
        signals = wmse_signals(name, number)
        as_float = [(signal / 32768).astype(np.float32) for signal in signals]
        score = calculate_log_wmse(as_float[2], as_float[0], as_float[1], 44100)
        names = ("estimate", "reference", "mixture")
        stored |= {f"wmse/{name}/{part}": one for part, one in zip(names, signals, strict=True)}
        stored[f"wmse/{name}/score"] = np.float64(score)
    np.savez_compressed(HERE / "oracle_vectors.npz", **stored)


if __name__ == "__main__":
    main()
