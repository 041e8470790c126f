"""The choice of a beginning, the climb, and what vectors are compared on; with networks of one line."""

import torch

from unbraid.teaching.lessons import Lesson, Material, Scenery
from unbraid.teaching.tuning import Pulse, TeachSettings, Verdict, judge, n_beats, nearest, tune

SETTINGS = TeachSettings(steps=30, check_every=5, learning_rate=0.05, p_absent=0.0)
N = 800


def sound(seed=0, n=N):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


NOTHING = ((torch.zeros(N),),)
MATERIAL = Material(positive=(sound(),), scenery=Scenery(NOTHING, NOTHING))
CHECKS = [Lesson(sound(1)[None], sound(1)[None])]


def scale(mixture, query):
    """A network that turns the volume to the first number; it cannot be moved unless the second one is above 1/2."""
    moves = (query[1] > 0.5).float()
    return mixture * (query[0] * moves + query[0].detach() * (1 - moves)), None


def climb(starts, *, settings=SETTINGS, ask=scale):
    beats = []
    pulse = Pulse(n_beats(len(starts), settings), beats.append, None)
    vectors = {name: torch.tensor(vector) for name, vector in starts.items()}
    tuned = tune(ask, vectors, MATERIAL, CHECKS, n_samples=N, settings=settings, pulse=pulse)
    assert beats[-1] == 1.0
    assert len(beats) == n_beats(len(starts), settings)
    return tuned


def test_the_best_start_is_where_the_climb_begins():
    tuned = climb({"stuck": [0.3, 0.0], "slow": [0.6, 1.0], "far": [0.1, 1.0]})
    assert tuned.start == "slow"
    assert tuned.vector[0] > 0.7
    assert tuned.after.loss < tuned.before.loss
    assert tuned.step % SETTINGS.check_every == 0


def test_only_the_best_one_is_moved():
    asked = []

    def watched(mixture, query):
        if query.requires_grad:
            asked.append(float(query[0].detach()))
        return scale(mixture, query)

    climb({"a": [0.1, 0.0], "b": [0.6, 0.0], "c": [0.5, 0.0], "d": [0.2, 0.0]}, ask=watched)
    assert {round(one, 1) for one in asked} == {0.6}
    assert len(asked) == SETTINGS.steps


def test_one_start_needs_no_choice():
    tuned = climb({"slow": [0.6, 1.0]})
    assert tuned.start == "slow"
    assert n_beats(1, SETTINGS) == 2 + SETTINGS.steps


def test_what_is_better_on_average_only_by_chance_is_not_kept():
    before = Verdict((1.0, 1.0, 1.0, 1.0), 0.0)
    assert not Verdict((-3.0, 2.0, 2.0, 2.0), 0.0).beats(before)
    assert Verdict((0.8, 0.9, 0.7, 0.8), 0.0).beats(before)
    assert not before.beats(before)


def test_the_nearest_vector_gives_the_sound_alone_back_best():
    vectors = {"half": torch.tensor([0.5, 0.0]), "right": torch.tensor([0.9, 0.0]), "silent": torch.tensor([0.0, 0.0])}
    assert nearest(scale, vectors, [sound(1, 3 * N), sound(2, N // 2)], N) == "right"
    assert nearest(scale, {}, [sound()], N) is None


def test_where_nothing_gets_better_the_start_is_kept():
    tuned = climb({"right": [1.0, 0.0], "wrong": [0.1, 0.0]})
    assert (tuned.start, tuned.step, float(tuned.vector[0])) == ("right", 0, 1.0)


def test_a_sound_alone_has_a_loss_but_no_gain():
    beside = Lesson((sound(1) + sound(2))[None], sound(1)[None])
    half = torch.tensor([0.5, 0.0])
    both, alone, mixed = (judge(scale, half, lessons) for lessons in ([*CHECKS, beside], CHECKS, [beside]))
    assert alone.si_sdr_improvement == 0.0
    assert both.si_sdr_improvement == mixed.si_sdr_improvement
    assert abs(both.loss - (alone.loss + mixed.loss) / 2) < 1e-6
