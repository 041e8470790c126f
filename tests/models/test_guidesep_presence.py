"""How sure GuideSep is that a target sounds: guides fit in their place, and not elsewhere."""

from __future__ import annotations

import pytest
import torch

from unbraid.guides.mask_grid import hear_mel
from unbraid.guides.notes import Note
from unbraid.guides.pseudo_masks import outline_mask
from unbraid.guides.tones import render_tones
from unbraid.models.guidesep_presence import N_MASK, N_MELODY, judge, likeness, mask_evidence, melody_evidence

N_SAMPLES = 65280
MELODIES = ((60, 64, 67, 65, 62, 69, 72, 71), (61, 63, 70, 66, 68, 58, 63, 73), (55, 48, 52, 57, 50, 53, 48, 55))


def play(pitches: tuple[int, ...], *, up: int = 0, late: float = 0.0) -> torch.Tensor:
    notes = [Note(0.5 * at + late, 0.45, pitch + up, 100) for at, pitch in enumerate(pitches)]
    played = render_tones(notes, sample_rate=16000)
    return torch.nn.functional.pad(played, (0, N_SAMPLES))[:N_SAMPLES]


def paint(sound: torch.Tensor) -> torch.Tensor:
    return outline_mask(hear_mel(sound), threshold=0.1, sigma=1.0)[None]


@pytest.fixture(scope="module")
def mixture() -> torch.Tensor:
    hiss = 0.01 * torch.randn(N_SAMPLES, generator=torch.Generator().manual_seed(0))
    return (play(MELODIES[0]) + play(MELODIES[2]) + hiss)[None]


def test_likeness_tells_what_is_there_from_what_is_made_up():
    source = torch.Generator().manual_seed(0)

    def draw(n_bins):
        sound = torch.zeros(1, 256, 100, dtype=torch.complex64)
        rows = torch.randperm(256, generator=source)[:n_bins]
        sound[:, rows] = torch.randn(1, n_bins, 100, dtype=torch.complex64, generator=source)
        return sound

    target, rest, other = draw(20), draw(20), draw(20)
    mixture = target + rest
    assert float(likeness(target, mixture)) > 0.9
    assert float(likeness(other, mixture)) < 0.3
    assert float(likeness(torch.zeros_like(target), mixture)) == 0


@pytest.mark.parametrize("change", [{}, {"up": 12}, {"up": -12}, {"late": 0.1}])
def test_a_melody_that_sounds_fits_better_than_one_that_does_not(mixture, change):
    sounding, strange = (melody_evidence(play(one, **change)[None], mixture) for one in MELODIES[:2])
    assert sounding.shape == strange.shape == (1, N_MELODY)
    assert bool((sounding[0, :2] > strange[0, :2] + 0.1).all())
    if "up" not in change:  # the key is compared as it is
        assert float(sounding[0, 2]) > float(strange[0, 2]) + 0.1


def test_the_moment_tells_where_there_is_no_pitch():
    source = torch.Generator().manual_seed(0)
    beats = torch.zeros(2, N_SAMPLES)
    for start in (3000, 15000, 21000, 30000, 48000, 54000):
        beats[:, start : start + 1600] = torch.randn(2, 1600, generator=source)
    hummed, drums = beats
    moved = hummed.roll(8000)
    own, other = (melody_evidence(one[None], (drums + play(MELODIES[0]))[None])[0, 3] for one in (hummed, moved))
    assert float(own) > float(other) + 0.1


def test_a_mask_fits_where_its_sound_is(mixture):
    painted = paint(play(MELODIES[0]))
    own = mask_evidence(painted, mixture)
    late = mask_evidence(painted.roll(40, dims=2), mixture)
    high = mask_evidence(painted.roll(4, dims=1), mixture)
    assert own.shape == (1, N_MASK)
    assert bool((own[0, :2] > late[0, :2] + 0.05).all())
    assert float(own[0, 2]) > float(high[0, 2]) + 0.05


def test_neither_level_nor_company_matters(mixture):
    mimicry, painted = torch.stack([play(one) for one in MELODIES[:2]]), paint(play(MELODIES[0]))
    pair = torch.cat([mixture, mixture.roll(1000)])
    together = melody_evidence(0.01 * mimicry, 3 * pair)
    torch.testing.assert_close(together[:1], melody_evidence(mimicry[:1], mixture), atol=2e-3, rtol=2e-3)
    louder = mask_evidence(painted.repeat(2, 1, 1), 100 * pair)
    torch.testing.assert_close(louder[:1], mask_evidence(painted, mixture), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("n_samples", [1600, 20000])
def test_short_windows_are_judged(n_samples):
    sound = torch.randn(2, n_samples, generator=torch.Generator().manual_seed(0))
    painted = torch.zeros(2, 80, n_samples // 256)
    painted[:, 20:40] = 1
    assert bool(melody_evidence(sound, sound).isfinite().all())
    assert bool(mask_evidence(painted, sound).isfinite().all())


def test_what_says_nothing_does_not_count(mixture):
    silent, hummed = torch.zeros(1, N_SAMPLES), play(MELODIES[0])[None]
    nothing = [melody_evidence(silent, mixture), melody_evidence(hummed, silent)]
    nothing += [mask_evidence(torch.zeros(1, 80, 255), mixture), mask_evidence(paint(hummed[0]), silent)]
    assert all(float(one.abs().max()) < 1e-3 for one in nothing)
    told = melody_evidence(hummed, mixture)
    melody, mask = (0.0, 0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 5.0)
    torch.testing.assert_close(judge([told, nothing[2]], [melody, mask]), torch.tensor([1.0]).sigmoid())
    assert float(judge([nothing[0], nothing[2]], [melody, mask])) == 0
