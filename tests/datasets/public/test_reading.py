import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.audio.files import read_audio
from unbraid.datasets.public import headers as headers_module
from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.headers import Header, cache_file, probe, recordings_of, survey
from unbraid.datasets.public.reading import read_mixture, read_recording, read_stem
from unbraid.datasets.public.sources import source_of, sources_of
from unbraid.errors import DatasetError

RATE = 44100


def noise(n_samples: int, n_channels: int, seed: int) -> np.ndarray:
    """Samples [N, C] of 16 bits."""
    return (np.random.default_rng(seed).integers(-9000, 9000, (n_samples, n_channels)) / 32768).astype(np.float32)


def write(path: Path, *, n_samples: int = 5000, n_channels: int = 2, seed: int = 0, rate: int = RATE) -> Recording:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(n_samples, n_channels, seed), rate)
    return Recording(path, rate, n_samples, n_channels)


def test_a_range_is_that_piece_of_the_file(tmp_path):
    recording = write(tmp_path / "späte Stücke.flac", seed=1)
    samples = read_recording(recording, 100, 350)
    assert samples.dtype == np.float32
    assert np.array_equal(samples, noise(5000, 2, 1)[100:350].T)


def test_a_recording_can_be_a_piece_of_a_file_with_a_gain(tmp_path):
    whole = write(tmp_path / "a.wav", seed=2)
    piece = Recording(whole.path, RATE, 1000, 2, start=300, gain=0.5)
    assert np.array_equal(read_recording(piece), noise(5000, 2, 2)[300:1300].T * np.float32(0.5))
    with pytest.raises(DatasetError, match="lie outside of its 1000"):
        read_recording(piece, 0, 1001)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".aiff", ".wav", ".flac"])
def test_ranges_of_every_format_equal_the_whole(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, noise(90_000, 2, 3), RATE)
    header = probe(path)
    assert header == Header(RATE, 90_000, 2)
    recording = Recording(path, RATE, 90_000, 2)
    whole = read_recording(recording)
    assert whole.shape == (2, 90_000)
    for start, stop in ((0, 10), (1, 3000), (50_123, 60_000), (89_990, 90_000)):
        assert np.array_equal(read_recording(recording, start, stop), whole[:, start:stop])


def test_formats_without_a_length_and_with_many_channels_are_read_from_the_beginning(tmp_path):
    streamed = tmp_path / "streamed.flac"
    soundfile.write(streamed, noise(9000, 2, 4), RATE)
    content = bytearray(streamed.read_bytes())
    content[21] &= 0xF0  # the number of samples, as a pipe leaves it
    content[22:26] = bytes(4)
    streamed.write_bytes(content)
    assert probe(streamed) == Header(RATE, 9000, 2)
    assert np.array_equal(read_recording(Recording(streamed, RATE, 9000, 2), 70, 90), noise(9000, 2, 4)[70:90].T)
    surround = tmp_path / "surround.ogg"
    soundfile.write(surround, noise(9000, 6, 5), RATE)
    recording = Recording(surround, RATE, 9000, 6)
    assert np.array_equal(read_recording(recording, 5000, 5050), read_audio(surround).samples[:, 5000:5050].numpy())


def test_a_file_that_became_shorter_is_told(tmp_path):
    recording = write(tmp_path / "a.wav")
    soundfile.write(recording.path, noise(100, 2, 0), RATE)
    with pytest.raises(DatasetError, match="too early"):
        read_recording(recording, 0, 5000)
    recording.path.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        read_recording(recording, 0, 50)


def test_a_stem_is_the_sum_of_its_recordings_and_silent_after_their_ends(tmp_path):
    stem = Stem("S00", "Piano", (write(tmp_path / "a.wav", seed=1), write(tmp_path / "b.wav", n_samples=60, seed=2)))
    samples = read_stem(stem, 40, 6000)
    expected = noise(5000, 2, 1)[40:].T.copy()
    expected[:, :20] += noise(60, 2, 2)[40:].T
    assert samples.shape == (2, 5960)
    assert np.allclose(samples[:, :4960], expected, atol=1e-6)
    assert not samples[:, 4960:].any()


def test_the_mixture_is_the_sum_of_all_stems_mono_ones_on_both_sides(tmp_path):
    wide, mono = write(tmp_path / "a.wav", seed=1), write(tmp_path / "b.wav", n_channels=1, seed=2)
    track = Track("song", "test", "train", (Stem("a", "drums", (wide,)), Stem("b", "bass", (mono,))))
    assert np.allclose(read_mixture(track, 7, 90), (noise(5000, 2, 1) + noise(5000, 1, 2))[7:90].T, atol=1e-6)
    assert (track.sample_rate, track.n_samples, track.n_channels) == (RATE, 5000, 2)
    with pytest.raises(DatasetError, match="no mixture of its own"):
        read_mixture(track, 0, 5, distributed=True)


def test_the_datasets_own_mixture_is_read_where_it_is_asked_for(tmp_path):
    stem, mixture = write(tmp_path / "a.wav", seed=1), write(tmp_path / "mix.wav", seed=9)
    track = Track("song", "test", "train", (Stem("a", "drums", (stem,)),), mixture)
    assert np.array_equal(read_mixture(track, 0, 50, distributed=True), noise(5000, 2, 9)[:50].T)


def test_different_rates_or_channels_are_no_mixture(tmp_path):
    one, other = write(tmp_path / "a.wav"), write(tmp_path / "b.wav", rate=22050)
    wide = write(tmp_path / "c.wav", n_channels=3)
    with pytest.raises(DatasetError, match="have rates"):
        read_mixture(Track("s", "t", "train", (Stem("a", "a", (one,)), Stem("b", "b", (other,)))), 0, 10)
    with pytest.raises(DatasetError, match="2 channels beside 3"):
        read_mixture(Track("s", "t", "train", (Stem("a", "a", (one,)), Stem("c", "c", (wide,)))), 0, 10)


def test_headers_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav").path
    assert probe(path) == Header(RATE, 5000, 2)
    assert cache_file().is_file()
    read = []
    original = headers_module._read
    monkeypatch.setattr(headers_module, "_read", lambda path: read.append(path) or original(path))
    assert probe(path) == Header(RATE, 5000, 2)
    assert read == []
    write(path, n_samples=70)
    assert probe(path) == Header(RATE, 70, 2)
    assert read == [path]
    stamp = path.stat().st_mtime_ns
    write(path, n_samples=70, rate=8000)  # of the same size
    os.utime(path, ns=(stamp, stamp + 1))
    assert probe(path).sample_rate == 8000
    write(path, n_samples=70, rate=16000)
    os.utime(path, ns=(stamp, stamp + 1))  # as archives and copies do, which restore the time
    assert probe(path).sample_rate == 16000


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_a_damaged_cache_is_made_anew(tmp_path, content):
    path = write(tmp_path / "a.wav").path
    cache_file().parent.mkdir(parents=True)
    cache_file().write_bytes(content)
    assert probe(path) == probe(path) == Header(RATE, 5000, 2)
    connection = sqlite3.connect(cache_file())
    assert connection.execute("SELECT count(*) FROM headers").fetchone() == (1,)
    connection.close()


def test_a_cache_of_another_form_is_made_anew(tmp_path):
    path = write(tmp_path / "a.wav").path
    probe(path)
    connection = sqlite3.connect(cache_file())
    connection.execute("UPDATE headers SET streams = 'nonsense'")
    connection.commit()
    connection.close()
    assert probe(path) == Header(RATE, 5000, 2)


def test_where_no_cache_can_be_written_it_works_without(tmp_path, cache_folder, monkeypatch):
    (cache_folder / "unbraid").write_text("a file is in the way")
    assert probe(write(tmp_path / "a.wav").path) == Header(RATE, 5000, 2)


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path):
    good, cut, text, empty = (tmp_path / name for name in ("good.wav", "cut.wav", "text.flac", "empty.wav"))
    write(good)
    write(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    text.write_text("<html>404</html>")
    soundfile.write(empty, np.zeros((0, 1), np.float32), RATE)
    found = survey([good, cut, text, empty, tmp_path / "missing.wav"])
    assert list(found.headers) == [good]
    reasons = {path.name: reason for path, reason in found.broken.items()}
    assert "cut off" in reasons["cut.wav"]
    assert "damaged" in reasons["text.flac"] or "not a recording" in reasons["text.flac"]
    assert "no samples" in reasons["empty.wav"]
    assert "no such file" in reasons["missing.wav"]
    with pytest.raises(DatasetError, match="unbraid datasets check musdb18 ROOT"):
        recordings_of([good, cut], dataset="musdb18")


def test_stems_become_sources_that_read_lazily(tmp_path):
    drums, bass = write(tmp_path / "d.wav", seed=1), write(tmp_path / "b.wav", seed=2)
    track = Track("song", "test", "train", (Stem("d", "kick", (drums,)), Stem("x", "unknown", (bass,))))
    (source,) = sources_of([track], lambda track, stem: {"kick": "drums"}.get(stem.label, ""))
    assert (source.name, source.prompt, source.track) == ("test/song/d", "drums", "test/song")
    assert np.array_equal(source.read(10, 20, 1), noise(5000, 2, 1)[10:20, 1])
    assert np.allclose(source.read(10, 20, -1), noise(5000, 2, 1)[10:20].mean(axis=1), atol=1e-7)
    assert source_of(track, track.stems[1], "bass").n_channels == 2
