"""Mixtures to learn from: drawn first, made afterwards, and of what they should be."""

import pytest
import torch

from unbraid.datasets.dice import Dice
from unbraid.teaching.lessons import Material, Scenery, draw_lesson, make_lesson, render_scenery

N = 800


def dice(seed=0):
    return Dice(torch.Generator().manual_seed(seed))


def noise(n_samples, seed):
    return torch.randn(n_samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def material():
    song = (noise(2000, 1), noise(2000, 2))
    return Material((noise(3000, 3), noise(100, 4)), Scenery((song,), ((noise(2000, 5),),)), ((noise(300, 6),),))


def test_the_same_draw_makes_the_same_mixture(material):
    draws = [draw_lesson(dice(), material, N, absent=False) for _ in range(2)]
    assert draws[0] == draws[1]
    one, other = (make_lesson([draw], material, N) for draw in draws)
    assert torch.equal(one.mixture, other.mixture)
    assert torch.equal(one.reference, other.reference)
    assert one.mixture.shape == one.reference.shape == (1, N)


def test_the_target_lies_over_the_rest_as_drawn(material):
    source = dice()
    for _ in range(20):
        draw = draw_lesson(source, material, N, absent=False)
        mixture, target = (one[0] for one in make_lesson([draw], material, N))
        rest = mixture - target
        balance = 10 * torch.log10(target.square().mean() / rest.square().mean())
        assert float(balance) == pytest.approx(draw.balance_db, abs=0.01)
        assert float(10 * torch.log10(mixture.square().mean())) == pytest.approx(draw.level_dbfs, abs=0.01)


def test_an_absent_target_is_silent_and_the_rest_is_not(material):
    draw = draw_lesson(dice(), material, N, absent=True)
    lesson = make_lesson([draw], material, N)
    assert not lesson.reference.any()
    assert lesson.mixture.any()


def test_negative_examples_sound_in_half_of_the_mixtures_and_songs_in_the_others(material):
    source = dice()
    groups = [[back.group for back in draw_lesson(source, material, N, absent=False).back] for _ in range(300)]
    assert 0.4 < sum(2 in heard for heard in groups) / 300 < 0.6
    assert 0.4 < sum(bool({0, 1} & set(heard)) for heard in groups) / 300 < 0.95


def test_a_short_example_sounds_whole_and_up_to_four_times():
    material = Material((torch.ones(100),), Scenery(((noise(N, 1),),), ((noise(N, 2),),)))
    source, counts = dice(), set()
    for _ in range(40):
        draw = draw_lesson(source, material, N, absent=False)
        assert all(0 <= piece.offset <= N - 100 for piece in draw.target)
        counts.add(len(draw.target))
    assert counts == {1, 2, 3, 4}
    assert material.groups == (*material.scenery.songs, *material.scenery.scenes)


def test_pauses_in_a_long_example_are_avoided():
    sound = torch.cat([torch.zeros(4 * N), noise(8 * N, 0)])
    source = dice()
    material = Material((sound,), Scenery((), ((noise(N, 1),),)))
    draws = [draw_lesson(source, material, N, absent=False) for _ in range(50)]
    assert all(sound[draw.target[0].start : draw.target[0].start + N].any() for draw in draws)


def test_songs_and_scenes_are_made_here_and_again_the_same():
    done = []
    rendered = [
        render_scenery(seed, 1, duration=1.0, sample_rate=8000, done=lambda: done.append(1)) for seed in (0, 0, 1)
    ]
    songs, scenes = ([one.songs for one in rendered], [one.scenes for one in rendered])
    for once, again, other in (songs, scenes):
        assert all(
            torch.equal(a, b) for one, two in zip(once, again, strict=True) for a, b in zip(one, two, strict=True)
        )
        assert len(once[0]) != len(other[0]) or not torch.equal(once[0][0], other[0][0])
    assert {part.shape for group in songs[0] for part in group} == {(8000,)}
    assert len(songs[0]) == 1
    assert set(rendered[0].parts[0]) <= {"vocals", "drums", "bass"}
    left = rendered[0].without(rendered[0].parts[0][0])
    assert len(left.songs[0]) == len(songs[0][0]) - 1
    assert len(scenes[0]) == 2
    assert len(done) == 6
