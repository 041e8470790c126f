import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.dataset import Recording, Stem
from unbraid.datasets.public.measurements import measure
from unbraid.datasets.public.reading import read_stem


@pytest.fixture
def stems(tmp_path):
    found = []
    for number in range(3):
        soundfile.write(tmp_path / f"ä{number}.wav", np.full(100, 0.25 * number), 8000)
        found.append(Stem(f"S{number}", "", (Recording(tmp_path / f"ä{number}.wav", 8000, 100, 1),)))
    return found


class Meter:
    def __init__(self):
        self.n_heard = 0

    def __call__(self, stem):
        self.n_heard += 1
        return [round(float(read_stem(stem, 0, stem.n_samples).max()), 2), stem.name]


def database(cache_folder: Path) -> Path:
    return cache_folder / "unbraid" / "measurements.sqlite"


def test_nothing_is_heard_twice(stems, cache_folder):
    meter = Meter()
    expected = [[0.0, "S0"], [0.25, "S1"], [0.5, "S2"]]
    assert measure(stems, "peak", meter) == expected
    assert measure([*stems, stems[0]], "peak", meter) == [*expected, expected[0]]
    assert meter.n_heard == 3
    assert measure(stems[:1], "another peak", meter) == expected[:1]
    assert meter.n_heard == 4
    assert database(cache_folder).is_file()


def test_changed_files_and_other_pieces_are_heard_again(stems):
    meter = Meter()
    measure(stems, "peak", meter)
    path = stems[2].recordings[0].path
    soundfile.write(path, np.full(100, 0.75), 8000)
    os.utime(path, ns=(1, 1))
    assert measure(stems, "peak", meter)[2] == [0.75, "S2"]
    assert meter.n_heard == 4
    piece = Stem("S2", "", (Recording(path, 8000, 50, 1, start=50),))
    measure([piece], "peak", meter)
    assert meter.n_heard == 5


def test_a_damaged_cache_is_made_anew(stems, cache_folder):
    meter = Meter()
    measure(stems, "peak", meter)
    database(cache_folder).write_bytes(b"not a database, and longer than the header of one" * 100)
    assert measure(stems, "peak", meter)[1] == [0.25, "S1"]
    assert measure(stems, "peak", meter)[1] == [0.25, "S1"]
    assert meter.n_heard == 6
    with sqlite3.connect(database(cache_folder)) as cache:
        cache.execute("UPDATE measurements SET value = '[broken'")
    cache.close()
    assert measure(stems, "peak", meter)[1] == [0.25, "S1"]


def test_without_a_place_to_write_it_is_measured_every_time(stems, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    meter = Meter()
    assert measure(stems, "peak", meter) == measure(stems, "peak", meter)
    assert meter.n_heard == 6


def test_an_error_comes_through_and_what_was_heard_before_stays(stems):
    def refuse(stem):
        raise ValueError(stem.name)

    with pytest.raises(ValueError, match="S0"):
        measure(stems, "peak", refuse)
