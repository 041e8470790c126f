import numpy as np
import pytest
import torch

from unbraid.datasets.composer import MIN_DURATION, compose, draw_track
from unbraid.datasets.instruments import CATEGORIES, INSTRUMENTS
from unbraid.datasets.styles import STYLES, Role
from unbraid.errors import DatasetError


@pytest.mark.parametrize("style", STYLES)
def test_every_style_composes_and_stays_within_time_and_range(style):
    for seed in range(3):
        draw = draw_track(seed, duration=25.0, style=style)
        parts = compose(draw)
        assert draw.style == style
        assert STYLES[style].tempo[0] <= draw.tempo <= STYLES[style].tempo[1]
        assert parts
        for part in parts:
            assert part.notes == tuple(sorted(part.notes, key=lambda note: (note.start, note.pitch)))
            for note in part.notes:
                assert 0 <= note.start < note.stop <= 25.0 + 1e-9
                assert 1 <= note.velocity <= 127
                if not part.instrument.is_drum:
                    assert part.instrument.low - 12 <= note.pitch <= part.instrument.high + 12


def test_the_same_draw_gives_the_same_notes():
    assert compose(draw_track(5, duration=20.0)) == compose(draw_track(5, duration=20.0))


def test_a_generator_moves_on_and_replays():
    first = torch.Generator().manual_seed(3)
    second = torch.Generator().manual_seed(3)
    draws = [draw_track(first), draw_track(first)]
    assert draws == [draw_track(second), draw_track(second)]
    assert draws[0] != draws[1]


def test_seeds_differ():
    songs = {tuple(part.notes for part in compose(draw_track(seed, duration=10.0, style="pop"))) for seed in range(8)}
    assert len(songs) == 8


def test_styles_differ():
    heard = {
        style: {part.instrument for seed in range(6) for part in compose(draw_track(seed, duration=10.0, style=style))}
        for style in ("metal", "orchestral", "house")
    }
    assert heard["metal"] != heard["orchestral"] != heard["house"] != heard["metal"]


def test_sixty_songs_have_all_categories_styles_and_at_least_twelve_classes():
    draws = [draw_track(seed, duration=15.0) for seed in range(60)]
    instruments = {part.instrument for draw in draws for part in compose(draw)}
    assert {instrument.category for instrument in instruments} == set(CATEGORIES)
    assert len({instrument.inst_class for instrument in instruments}) >= 12
    assert {draw.style for draw in draws} == set(STYLES)
    assert len({draw.key for draw in draws}) == 12
    assert all(0 <= draw.key < 12 for draw in draws)


def test_parts_rest_in_some_sections_of_long_songs():
    gaps = 0
    for seed in range(6):
        for part in compose(draw_track(seed, duration=90.0, style="rock")):
            starts = np.array([0.0, *(note.start for note in part.notes), 90.0])
            gaps += np.diff(starts).max() > 8.0
    assert gaps > 6


def test_timing_is_human_but_close_to_the_beat():
    draw = draw_track(2, duration=40.0, style="house")
    drums = next(part for part in compose(draw) if part.draw.role is Role.DRUMS)
    step = 60 / draw.tempo / 4
    offsets = np.array([note.start / step - round(note.start / step) for note in drums.notes]) * step
    assert np.std(offsets) > 0
    assert np.percentile(np.abs(offsets), 80) < 0.01


def test_backing_singers_sing_the_rhythm_of_the_lead():
    draw = next(
        draw
        for draw in (draw_track(seed, duration=30.0, style="pop") for seed in range(100))
        if {Role.LEAD, Role.BACKING} <= {part.role for part in draw.parts}
        and {Role.LEAD, Role.BACKING} <= {part.draw.role for part in compose(draw)}
    )
    parts = {part.draw.role: part for part in compose(draw)}
    lead = np.array([note.start for note in parts[Role.LEAD].notes])
    backing = np.array([note.start for note in parts[Role.BACKING].notes])
    near = [np.abs(lead - start).min() < 0.1 for start in backing if lead[0] <= start <= lead[-1]]
    assert np.mean(near) > 0.4  # they rest in sections of their own


def test_no_backing_without_lead():
    for seed in range(60):
        roles = {part.role for part in draw_track(seed).parts}
        assert Role.LEAD in roles or Role.BACKING not in roles


def test_every_drawn_instrument_is_known():
    for seed in range(40):
        assert all(part.instrument in INSTRUMENTS for part in draw_track(seed).parts)


def test_the_shortest_song():
    draw = draw_track(1, duration=MIN_DURATION, style="ballad")
    assert all(note.stop <= MIN_DURATION for part in compose(draw) for note in part.notes)


@pytest.mark.parametrize("duration", [0.0, -1.0, 0.99, float("inf"), float("nan")])
def test_impossible_durations(duration):
    with pytest.raises(DatasetError, match="too short or endless"):
        draw_track(0, duration=duration)


def test_unknown_style_and_negative_seed():
    with pytest.raises(DatasetError, match="unknown style 'polka'"):
        draw_track(0, style="polka")
    with pytest.raises(DatasetError, match="negative"):
        draw_track(-1)
