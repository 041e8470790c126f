"""The grid of masks: its frames and bands, and the blur, against plain formulas."""

import math

import pytest
import torch

from unbraid.guides.mask_grid import (
    N_BANDS,
    blur,
    columns_of,
    crop_mask,
    frames_of,
    hear_mel,
    hertz_of,
    rows_of,
    seconds_of,
)


@pytest.mark.parametrize("n_samples", [1, 255, 256, 257, 65279, 65280, 16000 * 600])
def test_a_mixture_has_a_frame_for_every_hop_and_one_more(n_samples):
    assert frames_of(n_samples / 16000) == n_samples // 256 + 1


def test_seconds_and_hertz_have_places_and_come_back():
    for frame in (0, 1, 100):
        assert float(columns_of(torch.tensor(frame * 0.016))) == pytest.approx(frame + 0.5)
    assert seconds_of(float(columns_of(torch.tensor(3.25)))) == pytest.approx(3.25)
    for hertz in (0.0, 100.0, 1000.0, 8000.0):
        assert hertz_of(float(rows_of(torch.tensor(hertz, dtype=torch.float64)))) == pytest.approx(hertz, abs=1e-6)
    step = 2595 * math.log10(1 + 8000 / 700) / (N_BANDS + 1)
    center = 700 * (10 ** (31 * step / 2595) - 1)
    assert float(rows_of(torch.tensor(center))) == pytest.approx(30.5, abs=1e-4)


def test_a_tone_is_heard_in_its_band_and_frame():
    seconds = torch.arange(32000) / 16000
    samples = torch.where(seconds > 1, torch.sin(2 * math.pi * hertz_of(40.5) * seconds), 0)
    mel = hear_mel(samples)
    assert mel.shape == (N_BANDS, frames_of(2.0))
    assert int(mel[:, 100].argmax()) == 40
    assert float(mel[:, :61].max()) < 0.01 * float(mel[:, 65:].max())


def plain_blur(values, sigma):
    """One axis, number by number: weights up to four sigma, borders mirrored about their edges."""
    radius = int(4 * sigma + 0.5)
    weights = {d: math.exp(-d * d / (2 * sigma * sigma)) for d in range(-radius, radius + 1)}
    mirrored = [*values, *reversed(values)]
    return [
        sum(weight * mirrored[(place + d) % len(mirrored)] for d, weight in weights.items()) / sum(weights.values())
        for place in range(len(values))
    ]


@pytest.mark.parametrize("sigma", [0.3, 2.0, 4.7])
@pytest.mark.parametrize("shape", [(7, 11), (3, 300), (1, 1)])
def test_blur(shape, sigma):
    image = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    rows = [plain_blur(row, sigma) for row in image.tolist()]
    expected = torch.tensor([plain_blur(column, sigma) for column in zip(*rows, strict=True)]).T
    torch.testing.assert_close(blur(image, sigma), expected, atol=1e-5, rtol=1e-5)


def test_blur_takes_batches_and_leaves_what_is_given():
    images = torch.rand(2, 3, 80, 600, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    blurred = blur(images, 5.0)
    torch.testing.assert_close(blurred[1, 2], blur(images[1, 2], 5.0))
    assert torch.equal(images, before)
    assert torch.equal(blur(images, 0), before)
    assert float(blurred.mean()) == pytest.approx(float(images.mean()), rel=0.01)


@pytest.mark.parametrize(
    ("start", "n_frames", "expected"),
    [(0, 3, [1, 2, 3]), (1, 1, [2]), (2, 3, [3, 0, 0]), (-2, 4, [0, 0, 1, 2]), (9, 2, [0, 0]), (-9, 2, [0, 0])],
)
def test_windows(start, n_frames, expected):
    side = torch.tensor([[1.0, 2.0, 3.0]]).expand(80, 3)
    window = crop_mask(side, start, n_frames)
    assert window.shape == (80, n_frames)
    assert window[0].tolist() == expected
    window.fill_(9)
    assert side[0].tolist() == [1, 2, 3]
