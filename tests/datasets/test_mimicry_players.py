"""A SoundFont that imitates: bends, ranges, and that nothing of one melody rings in the next."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.mimicry_players import PROGRAMS, SoundFontMimic, open_players, range_of
from unbraid.datasets.soundfont import find_soundfont
from unbraid.errors import DatasetError
from unbraid.guides.mimicry_draws import BentNote
from unbraid.guides.render import Synthesizer, playable_ranges

FLUTE = PROGRAMS.index(73)


@pytest.fixture(scope="module")
def mimic():
    pytest.importorskip("tinysoundfont", reason="it plays SoundFonts")
    path = find_soundfont()
    if path is None or path.suffix != ".sf2":
        pytest.skip("there is no SoundFont here")
    return SoundFontMimic(path)


def play(mimic, *notes, seconds=1.5):
    return mimic.play(notes, instrument=FLUTE, variant=0, sample_rate=16000, n_samples=round(16000 * seconds))


def hertz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(spectrum.argmax()) * 16000 / (1 << 17)


@pytest.mark.parametrize("bend", [0.0, 0.4, -0.4])
def test_notes_are_bent(mimic, bend):
    samples = play(mimic, BentNote(0.0, 1.5, 69, 100, bend=bend))
    assert hertz(samples[8000:24000]) == pytest.approx(440 * 2 ** (bend / 12), rel=0.004)


def test_a_bend_does_not_reach_another_note(mimic):
    samples = play(mimic, BentNote(0.0, 0.7, 69, 100, bend=0.4), BentNote(0.7, 0.8, 69, 100))
    assert hertz(samples[14000:24000]) == pytest.approx(440, rel=0.004)


def test_nothing_rings_on_into_the_next_melody(mimic):
    play(mimic, BentNote(0.0, 1.5, 69, 127))
    assert np.abs(play(mimic, BentNote(1.0, 0.5, 69, 100))[:15000]).max() < 1e-3


def test_notes_may_reach_over_the_end(mimic):
    assert play(mimic, BentNote(1.0, 9.0, 69, 100), BentNote(3.0, 1.0, 69, 100)).shape == (24000,)


def test_every_program_has_a_range():
    assert all(0 <= low < high <= 127 for low, high in map(range_of, PROGRAMS))
    assert range_of(33)[1] < range_of(73)[1]


def test_the_synthesizer_is_always_there(monkeypatch):
    monkeypatch.setattr("unbraid.datasets.mimicry_players.find_soundfont", lambda path: None)
    assert [type(player) for player in open_players()] == [Synthesizer]


def test_a_damaged_file_is_reported(tmp_path):
    pytest.importorskip("tinysoundfont", reason="it plays SoundFonts")
    (tmp_path / "bad.sf2").write_bytes(b"nothing")
    players = open_players(tmp_path / "bad.sf2")
    assert len(playable_ranges(players)) > len(PROGRAMS)
    with pytest.raises(DatasetError, match="not a SoundFont"):
        play(players[0], BentNote(0.0, 1.0, 60, 90))
    with pytest.raises(DatasetError, match="no SoundFont"):
        open_players(Path("/nowhere.sf2"))


def test_a_soundfont_that_nothing_here_can_bend_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.datasets.mimicry_players.find_soundfont", lambda path: Path("/some/bank.sf2"))
    monkeypatch.setattr("unbraid.datasets.mimicry_players.plays_tiny", lambda file: False)
    assert [type(player) for player in open_players()] == [Synthesizer]


def test_a_bank_of_another_format_is_refused(tmp_path: Path) -> None:
    bank = tmp_path / "bank.sf3"
    bank.write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"no \.sf2 file"):
        open_players(bank)
