"""What the cache of headers keeps, and what it forgets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.headers import cache_file, survey


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def make(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        soundfile.write(folder / name, np.zeros(100), 8000)
    return [folder / name for name in names]


def remembered() -> set[str]:
    with closing(sqlite3.connect(cache_file())) as opened:
        return {Path(path).name for (path,) in opened.execute("SELECT path FROM headers")}


def test_files_that_are_gone_are_forgotten_as_others_are_read(tmp_path):
    old = make(tmp_path / "old", "a.wav", "b.wav", "c.wav")
    survey(old)
    old[0].unlink()
    old[1].unlink()
    assert remembered() == {"a.wav", "b.wav", "c.wav"}
    survey(make(tmp_path / "new", "d.wav"))
    assert remembered() == {"c.wav", "d.wav"}


def test_a_file_that_stays_is_kept_however_many_are_read(tmp_path):
    survey(make(tmp_path / "old", "stays.wav"))
    for number in range(4):
        (gone,) = make(tmp_path / "new", f"{number}.wav")
        survey([gone])
        gone.unlink()
    survey(make(tmp_path / "new", "last.wav", "end.wav"))
    assert remembered() == {"stays.wav", "last.wav", "end.wav"}
