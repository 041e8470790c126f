import pytest

from unbraid.datasets.instruments import INSTRUMENTS, Family
from unbraid.datasets.styles import MODES, STYLES, Role


@pytest.mark.parametrize("name", STYLES)
def test_the_table_is_sound(name):
    style = STYLES[name]
    assert 0 < style.tempo[0] < style.tempo[1]
    assert set(style.modes) <= set(MODES)
    assert all(0 <= degree < 7 for progression in style.progressions for degree in progression)
    assert all(set(pattern) <= set("Xxo.") for groove in style.grooves for pattern in groove.values())
    assert all(set(pattern) <= set("13578aw-.") for pattern in style.basses)
    assert all(set(pattern) <= set("xs-.") for pattern in style.compings)
    assert all(set(pattern) <= set("0123456789-.") for pattern in style.arpeggios)
    assert 0 <= style.swing < 0.5


@pytest.mark.parametrize("name", STYLES)
def test_seats_are_taken_by_fitting_instruments(name):
    for seat in STYLES[name].seats:
        assert 0 < seat.probability <= 1
        for instrument in (INSTRUMENTS[name] for name in seat.instruments):
            drums = seat.role in (Role.DRUMS, Role.PERCUSSION)
            voice = seat.role in (Role.LEAD, Role.BACKING)
            assert instrument.is_drum == drums
            assert (instrument.family is Family.VOICE) == voice
            assert (instrument.category == "bass") == (seat.role is Role.BASS)


def test_there_are_at_least_six_styles_with_singers():
    assert sum(any(seat.role is Role.LEAD for seat in style.seats) for style in STYLES.values()) >= 6


def test_modes_have_seven_rising_steps():
    for steps in MODES.values():
        assert len(steps) == 7
        assert list(steps) == sorted(set(steps))
        assert steps[0] == 0
        assert steps[-1] < 12
