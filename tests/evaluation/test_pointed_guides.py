import math

import pytest
import torch
from torch import Tensor

from unbraid.evaluation.metrics import si_sdr
from unbraid.evaluation.pointed_guides import (
    ABSENT,
    OFF,
    Balance,
    Pointing,
    Question,
    ask_about,
    exact_mimicry,
)
from unbraid.evaluation.pointed_windows import N_SAMPLES, PointedWindow
from unbraid.guides.notes import Note

RATE = 16000


@pytest.fixture
def window() -> PointedWindow:
    seconds = torch.arange(N_SAMPLES) / RATE
    return PointedWindow(
        name="song/a@32000",
        item_set="set",
        group="Piano",
        target=0.1 * torch.sin(2 * math.pi * 440 * seconds),
        rest=0.4 * torch.sin(2 * math.pi * 2000 * seconds),
        notes=(Note(2.0, 5.0, 69, 90), Note(2.0, 1.0, 45, 90)),
        start=2.0,
        played=torch.sin(2 * math.pi * 441 * seconds),
        sung=torch.sin(2 * math.pi * 442 * seconds),
        stranger=torch.sin(2 * math.pi * 600 * seconds),
    )


def asked(window: PointedWindow, pointing: Pointing, balance: Balance = Balance.SONG) -> Question:
    question = ask_about(window, pointing, balance, seed=0)
    assert question is not None
    return question


def mimicry(window: PointedWindow, pointing: Pointing) -> Tensor:
    found = asked(window, pointing).guides.mimicry
    assert found is not None
    return found


def hertz(samples: Tensor) -> float:
    """Return the frequency of the loudest bin, refined by a parabola."""
    power = torch.fft.rfft(samples[4000:36768] * torch.hann_window(32768)).abs().log()
    power[:200] = -math.inf
    top = int(power.argmax())
    left, middle, right = power[top - 1 : top + 2].tolist()
    return (top + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / 32768


def test_balances_are_those_of_the_song_and_of_equal_peaks(window: PointedWindow) -> None:
    song, peaks = (asked(window, Pointing.NONE, balance) for balance in (Balance.SONG, Balance.PEAKS))
    assert torch.equal(song.mixture, window.target + window.rest)
    assert song.reference is not None
    assert torch.equal(song.reference, window.target)
    assert peaks.reference is not None
    assert peaks.reference.abs().max() == peaks.rest.abs().max() == 1
    assert torch.allclose(peaks.mixture, peaks.reference + peaks.rest)


def test_each_way_gives_what_its_name_says(window: PointedWindow) -> None:
    given = {one: tuple(part is not None for part in asked(window, one).guides.parts) for one in Pointing}
    assert given[Pointing.FULL] == given[Pointing.PSEUDO] == (True, True, True)
    assert given[Pointing.POSITIVE] == (False, True, False)
    assert given[Pointing.NEGATIVE] == (False, False, True)
    assert given[Pointing.NONE] == (False, False, False)
    others = set(Pointing) - {Pointing.FULL, Pointing.PSEUDO, Pointing.POSITIVE, Pointing.NEGATIVE, Pointing.NONE}
    assert {given[one] for one in others} == {(True, False, False)}
    assert mimicry(window, Pointing.SUNG) is window.sung
    assert mimicry(window, Pointing.STRANGER) is window.stranger


def test_masks_lie_where_target_and_rest_sound_and_are_the_same_every_time(window: PointedWindow) -> None:
    full, alone = asked(window, Pointing.FULL).guides, asked(window, Pointing.POSITIVE).guides
    assert full.positive is not None
    assert full.negative is not None
    assert alone.positive is not None
    assert torch.equal(full.positive, alone.positive)
    assert full.positive.shape == (80, 256)
    rows = [int(side.sum(dim=1).argmax()) for side in (full.positive, full.negative)]
    assert rows[0] < 20
    assert rows[1] > 40
    pseudo = asked(window, Pointing.PSEUDO).guides
    assert pseudo.negative is not None
    assert pseudo.negative[rows[1]].mean() > 0.5


def test_mimicry_that_is_off_differs_in_one_thing_from_the_exact_melody(window: PointedWindow) -> None:
    exact = mimicry(window, Pointing.EXACT)
    for pointing, seconds in ((Pointing.LATE_50, 0.05), (Pointing.LATE_150, 0.15), (Pointing.LATE_400, 0.4)):
        late, n_late = mimicry(window, pointing), round(seconds * RATE)
        assert not late[:n_late].any()
        assert torch.equal(late[n_late:], exact[: N_SAMPLES - n_late])
    half = mimicry(window, Pointing.HALF)
    assert torch.equal(half[: N_SAMPLES // 2], exact[: N_SAMPLES // 2])
    assert not half[N_SAMPLES // 2 + 320 :].any()
    flat = hertz(mimicry(window, Pointing.FLAT_30)) / hertz(exact)
    assert 1200 * math.log2(flat) == pytest.approx(-30, abs=2)


@pytest.mark.parametrize(("octave", "pitch"), [(-1, 220.0), (0, 440.0), (1, 880.0)])
def test_the_highest_of_a_chord_is_played(window: PointedWindow, octave: int, pitch: float) -> None:
    played = exact_mimicry(window, seed=0, octave=octave)
    bins = torch.fft.rfft(played[4000:36768] * torch.hann_window(32768)).abs()
    near = round(pitch * 32768 / RATE)
    assert bins[near - 3 : near + 4].max() > 50 * bins[round(110 * 32768 / RATE) - 3 :][:7].max()
    assert bins[near - 3 : near + 4].max() > 20 * bins[: round(0.4 * near)].max()


def test_nothing_should_come_out_where_the_target_rests_or_somebody_plays_another_song(window: PointedWindow) -> None:
    assert all(asked(window, one).reference is None for one in ABSENT)
    assert torch.equal(asked(window, Pointing.RESTING).mixture, window.rest)
    assert torch.equal(asked(window, Pointing.STRANGER).mixture, window.target + window.rest)
    assert all(asked(window, one).reference is not None for one in Pointing if one not in ABSENT)


def test_questions_that_nobody_recorded_anything_for_are_left_out(window: PointedWindow) -> None:
    alone = PointedWindow(**{**vars(window), "played": None, "sung": None, "stranger": None})
    missing = {one for one in Pointing if ask_about(alone, one, Balance.SONG, seed=0) is None}
    assert missing == {Pointing.FULL, Pointing.MIMICRY, Pointing.PSEUDO, Pointing.SUNG, *ABSENT}
    assert set(OFF) & missing == set()


def test_another_timbre_may_play_the_melody_with_another_seed(window: PointedWindow) -> None:
    made = [exact_mimicry(window, seed=seed) for seed in range(6)]
    assert torch.equal(made[0], exact_mimicry(window, seed=0))
    assert min(float(si_sdr(estimate=one, reference=made[0])) for one in made) < 20
