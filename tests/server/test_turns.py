"""The time of a worker is shared as it was promised."""

from collections import Counter

import pytest

from unbraid.server.turns import Turns


def played(turns, seconds, n_turns):
    """Take turns that last as long as they do, and return the time that each had."""
    had = Counter()
    for _ in range(n_turns):
        token = turns.next()
        turns.spend(token, seconds[token])
        had[token] += seconds[token]
    return had


def test_slow_models_get_no_more_time_than_fast_ones():
    turns = Turns()
    seconds = {"slow": 10.0, "fast": 1.0, "other": 2.0}
    for token in seconds:
        turns.join(token, is_urgent=False)
    had = played(turns, seconds, 1600)
    assert max(had.values()) - min(had.values()) <= 10.0, had


def test_who_comes_late_is_not_served_alone_until_even():
    turns = Turns()
    turns.join("early", is_urgent=False)
    played(turns, {"early": 1.0}, 1000)
    turns.join("late", is_urgent=False)
    had = played(turns, {"early": 1.0, "late": 1.0}, 10)
    assert had == {"early": 5.0, "late": 5.0}


def test_a_row_of_urgent_ones_leaves_turns_to_the_others():
    turns = Turns()
    turns.join("song", is_urgent=False)
    had = Counter()
    for number in range(20):
        turns.join(str(number), is_urgent=True)
        for _ in range(3):  # windows of the region, and of the song in between
            had += played(turns, {str(number): 1.0, "song": 1.0}, 1)
        assert turns.next() == str(number), "a region that is under way is not held up"
        turns.leave(str(number))
    assert had["song"] == 19.0


@pytest.mark.parametrize("n_songs", [1, 3])
def test_urgent_ones_go_first(n_songs):
    turns = Turns()
    for number in range(n_songs):
        turns.join(f"song {number}", is_urgent=False)
    played(turns, {f"song {number}": 1.0 for number in range(n_songs)}, 5)
    turns.join("region", is_urgent=True)
    assert set(played(turns, {"region": 1.0}, 50)) == {"region"}
