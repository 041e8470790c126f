"""Packs of melodies: what is stored, and that the same songs give the same pack."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from unbraid.audio.signal import Audio
from unbraid.datasets import mimicry_packing
from unbraid.datasets.guided_packs import read_melodies
from unbraid.datasets.melody_songs import NotedStem, NotedTrack
from unbraid.datasets.mimicry_packing import ImitationSettings, imitate_stem, pack_melodies
from unbraid.errors import DatasetError
from unbraid.guides.mimicry_draws import MimicryDraw
from unbraid.guides.notes import Note
from unbraid.guides.render import Synthesizer, render_mimicry

RATE = 16000


def tone(notes, seconds) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    total = np.zeros(len(time), np.float32)
    for note in notes:
        sounds = (time >= note.start) & (time < note.stop)
        total += (sounds * np.sin(2 * np.pi * note.hertz * time)).astype(np.float32)
    return 0.2 * total


@dataclass(frozen=True)
class ToneSong:
    """A piano and a bass that play a scale, and noise for drums."""

    name: str
    seed: int
    seconds: float = 3.0

    def make(self) -> NotedTrack:
        rng = np.random.default_rng(self.seed)
        steps = [Note(0.25 * step, 0.2, 60 + int(rng.integers(12)), 90) for step in range(int(4 * self.seconds))]
        low = [Note(note.start, note.duration, note.pitch - 24, 90) for note in steps]
        noise = 0.1 * rng.standard_normal(round(self.seconds * RATE)).astype(np.float32)
        return NotedTrack(
            self.name,
            (
                NotedStem("piano", "piano", audio(tone(steps, self.seconds)), "Piano", 0, tuple(steps)),
                NotedStem("bass", "bass", audio(tone(low, self.seconds)), "Bass", 33, tuple(low)),
                NotedStem("drums", "drums", audio(noise)),
            ),
        )


def audio(samples: np.ndarray) -> Audio:
    return Audio.from_array(samples, RATE)


SETTINGS = ImitationSettings(n_samples=16000, n_windows=3)
PLAYERS = (Synthesizer(),)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(mimicry_packing, "_players", lambda: PLAYERS)


@pytest.fixture
def pack(tmp_path):
    pack_melodies([ToneSong("one", 1), ToneSong("two", 2)], tmp_path / "pack", settings=SETTINGS, jobs=1)
    return tmp_path / "pack"


def test_what_is_a_target_and_what_only_sounds(pack):
    melodies, sources = read_melodies(pack)
    assert [melody.source.name for melody in melodies] == [
        f"pack/{song}/{stem}" for song in ("one", "two") for stem in ("piano", "bass")
    ]
    assert {melody.group for melody in melodies} == {"Piano", "Bass"}
    assert {source.prompt for source in sources} == {"piano", "bass", "drums"}
    assert {source.track for source in sources} == {"pack/one", "pack/two"}


def test_windows_begin_with_notes_and_are_different(pack):
    for melody in read_melodies(pack)[0]:
        starts = [window.start for window in melody.windows]
        assert len(set(starts)) == 3
        assert set(starts) <= {round(note.start * 16000) for note in melody.notes}


def test_imitations_are_what_their_draws_say(pack):
    melody = read_melodies(pack)[0][0]
    for window in melody.windows:
        assert len(window.imitations) == 2
        for imitation in window.imitations:
            draw = MimicryDraw.from_json(imitation.draw)
            assert (imitation.kind == "instrument") == (draw.voice is None)
            wanted = render_mimicry(
                melody.notes, draw, start=window.start / 16000, duration=1.0, sample_rate=16000, players=PLAYERS
            )
            stored = melody.mimicry.read(imitation.start, imitation.start + 16000)
            assert np.abs(stored - wanted).max() < 1e-3


def test_the_same_songs_give_the_same_pack(pack, tmp_path):
    again = tmp_path / "again" / "pack"
    pack_melodies([ToneSong("one", 1), ToneSong("two", 2)], again, settings=SETTINGS, jobs=1)
    for name in ("samples.i16", "index.json", "melodies.json"):
        assert (pack / name).read_bytes() == (again / name).read_bytes()
    assert not list(again.parent.glob("*.parts"))


def test_a_stem_that_is_quiet_where_its_notes_are_is_no_target():
    notes = tuple(Note(0.25 * step, 0.2, 60, 90) for step in range(4))
    loud_later = np.concatenate([np.zeros(32000, np.float32), tone([Note(0, 1, 60, 90)], 1.0)])
    stem = NotedStem("late", "piano", audio(loud_later), "Piano", 0, notes)
    assert not imitate_stem(stem, SETTINGS, players=PLAYERS, seed=0).windows


def test_without_a_melody_there_is_no_pack(tmp_path):
    class Drums:
        def make(self):
            return NotedTrack("drums", ToneSong("x", 0).make().stems[2:])

    with pytest.raises(DatasetError, match="no song has a melody"):
        pack_melodies([Drums()], tmp_path / "pack", settings=SETTINGS, jobs=1)


def test_damaged_melodies_are_reported(pack):
    table = json.loads((pack / "melodies.json").read_text())
    table["melodies"][0]["source"] = "nobody"
    (pack / "melodies.json").write_text(json.dumps(table))
    with pytest.raises(DatasetError, match="build the pack again"):
        read_melodies(pack)
    (pack / "melodies.json").unlink()
    with pytest.raises(DatasetError, match=r"melodies\.json cannot be used"):
        read_melodies(pack)
