from unbraid.datasets.instruments import CATEGORIES, INSTRUMENTS, Family
from unbraid.datasets.timbres import TIMBRES


def test_categories_and_classes():
    assert {instrument.category for instrument in INSTRUMENTS.values()} == set(CATEGORIES)
    assert len({instrument.inst_class for instrument in INSTRUMENTS.values()}) >= 12
    assert INSTRUMENTS["Fretless Bass"].category == "bass"
    assert INSTRUMENTS["Fretless Bass"].inst_class == "Bass"
    assert INSTRUMENTS["Jazz Kit"].inst_class == "Drums"
    assert INSTRUMENTS["Male Voice"].category == "vocals"
    assert INSTRUMENTS["Violin"].inst_class == "Strings"
    assert INSTRUMENTS["String Ensemble 1"].inst_class == "Strings (continued)"


def test_every_bass_and_only_basses_have_bass_programs():
    for instrument in INSTRUMENTS.values():
        if instrument.category == "bass":
            assert 32 <= instrument.program < 40


def test_programs_and_ranges():
    for name, instrument in INSTRUMENTS.items():
        assert name == instrument.name
        assert 0 <= instrument.program < 128
        assert 0 <= instrument.low < instrument.high <= 127
        assert instrument.high - instrument.low >= 12


def test_every_pitched_family_has_a_timbre():
    assert set(TIMBRES) == set(Family) - {Family.DRUMS, Family.VOICE}
