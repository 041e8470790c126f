import numpy as np
import pytest
import torch

from unbraid.datasets.effects import (
    EFFECTS,
    MAX_SECONDS,
    EffectDraw,
    draw_ambience,
    draw_effect,
    render_ambience,
    render_effect,
)
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.errors import DatasetError


def test_there_are_more_than_twenty_kinds():
    assert len(set(EFFECTS)) >= 20
    assert len({draw_effect(seed).kind for seed in range(300)}) > 20


@pytest.mark.parametrize("kind", EFFECTS)
def test_effects_are_short_and_leave_headroom(kind):
    sound = render_effect(draw_effect(3, kind=kind))
    assert 0 < len(sound) < MAX_SECONDS * SAMPLE_RATE
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == pytest.approx(0.7, abs=1e-4)
    assert abs(sound[0]) < 1e-3
    assert abs(sound[-1]) < 1e-3


def test_effects_replay_and_seeds_differ():
    assert np.array_equal(render_effect(draw_effect(1)), render_effect(draw_effect(1)))
    first, second = (render_effect(draw_effect(seed, kind="bell")) for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert draw_effect(torch.Generator().manual_seed(1)) == draw_effect(torch.Generator().manual_seed(1))


def test_a_limit_cuts_an_event():
    assert len(render_effect(EffectDraw("siren", 1, 0.5))) == SAMPLE_RATE // 2


def test_ambiences_fill_their_time():
    kinds = set()
    for seed in range(8):
        draw = draw_ambience(seed, duration=2.5)
        sound = render_ambience(draw)
        assert draw == draw_ambience(seed, duration=2.5)
        assert sound.shape == (2, round(2.5 * SAMPLE_RATE))
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() == pytest.approx(0.7, abs=1e-4)
        blocks = sound[:, : SAMPLE_RATE * 2].reshape(2, 4, -1)
        assert np.sqrt(np.mean(blocks**2, axis=(0, 2))).min() > 1e-5
        kinds |= {name for name, _ in draw.textures}
    assert len(kinds) > 3
    assert np.array_equal(sound, render_ambience(draw))


def test_errors():
    with pytest.raises(DatasetError, match="unknown effect 'tuba'"):
        draw_effect(1, kind="tuba")
    with pytest.raises(DatasetError, match="too short or endless"):
        draw_ambience(1, duration=0.0)
    with pytest.raises(DatasetError, match="negative"):
        draw_effect(-5)
