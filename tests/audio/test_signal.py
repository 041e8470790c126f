import numpy as np
import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import AudioError


def test_describes_its_samples() -> None:
    audio = Audio(torch.zeros(3, 4000), 16000)
    assert (audio.n_channels, audio.n_samples, audio.duration) == (3, 4000, 0.25)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (torch.zeros(8), 8000),
        (torch.zeros(1, 2, 3), 8000),
        (torch.zeros(0, 8), 8000),
        (torch.zeros(1, 8, dtype=torch.float64), 8000),
        (torch.zeros(1, 8), 0),
        (torch.zeros(1, 8), -1),
    ],
)
def test_refuses_what_is_no_recording(samples: torch.Tensor, rate: int) -> None:
    with pytest.raises(AudioError):
        Audio(samples, rate)


def test_zero_samples_are_a_recording() -> None:
    assert Audio(torch.zeros(2, 0), 8000).duration == 0.0


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.5, -0.25]),
        np.array([0.5, -0.25], dtype=np.float16),
        np.array([0.5, -0.25], dtype=">f4"),
        np.array([1 << 14, -(1 << 13)], dtype=np.int16),
        np.array([1 << 14, -(1 << 13)], dtype=">i2"),
        np.array([1 << 30, -(1 << 29)], dtype=np.int32),
        np.array([64, -32], dtype=np.int8),
        np.array([192, 96], dtype=np.uint8),
        np.array([49152, 24576], dtype=np.uint16),
        torch.tensor([0.5, -0.25], dtype=torch.bfloat16),
        torch.tensor([1 << 14, -(1 << 13)], dtype=torch.int16),
        [0.5, -0.25],
    ],
)
def test_every_type_is_scaled_to_full_scale_one(array: object) -> None:
    audio = Audio.from_array(array, 8000)  # type: ignore[arg-type]
    assert audio.samples.tolist() == [[0.5, -0.25]]


@pytest.mark.parametrize(
    "array",
    [
        np.array([1j]),
        torch.tensor([1j]),
        np.array([1, 2]),
        [1, 2],
        np.array([True]),
        np.array(["a"]),
        np.array([object()]),
        [[0.0], [0.0, 1.0]],
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(array: object) -> None:
    with pytest.raises(AudioError) as caught:
        Audio.from_array(array, 8000)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_converted_array_is_not_shared() -> None:
    array = np.zeros((1, 4), np.float32)
    audio = Audio.from_array(array, 8000)
    audio.samples[0, 0] = 1.0
    assert array[0, 0] == 0.0
