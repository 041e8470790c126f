"""Pseudo-masks, against a plain rendering and the vectors of the published implementation."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unbraid.guides.mask_grid import blur, hear_mel
from unbraid.guides.pseudo_masks import pseudo_masks, to_one

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "guidesep" / "frontend.safetensors"


@pytest.mark.skipif(not GOLDEN.exists(), reason="the vectors of the published implementation are not here")
def test_golden_pseudo_masks():
    content = load_file(GOLDEN)
    mel = hear_mel(content["in.wav"])
    torch.testing.assert_close(to_one(mel)[0], content["out.mel"], atol=1e-5, rtol=1e-5)
    positive, negative = pseudo_masks(3 * mel, 0.01 * mel)
    torch.testing.assert_close(positive[0], content["out.pseudo_mask"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(negative, positive, atol=1e-5, rtol=1e-5)


def test_each_side_is_the_blurred_outline_of_its_own_sound():
    mimicry, mixture = torch.zeros(80, 60), torch.zeros(80, 60)
    mimicry[10, 20], mimicry[40, 30], mimicry[60, 30] = 50.0, 6.0, 4.0  # the last one is below a tenth
    mixture[:, 40:] = 0.01
    positive, negative = pseudo_masks(mimicry, mixture, sigma=3.0)
    outline = torch.zeros(80, 60)
    outline[10, 20] = outline[40, 30] = 1
    torch.testing.assert_close(positive, blur(outline, 3.0) / blur(outline, 3.0).max())
    assert float(positive[60, 30]) < 0.01
    assert float(negative[40, 59]) == pytest.approx(1, abs=1e-4)
    assert float(negative[40, :20].max()) == 0


def test_batches_are_scaled_one_by_one_and_silence_stays_silent():
    mel = torch.rand(3, 80, 40, generator=torch.Generator().manual_seed(0)) ** 4
    mel[1] *= 100
    mel[2] = 0
    positive, _ = pseudo_masks(mel, mel)
    for index in range(3):
        torch.testing.assert_close(positive[index], pseudo_masks(mel[index], mel[index])[0])
    assert float(positive[0].max()) == pytest.approx(1)
    assert float(positive[2].abs().max()) == 0
