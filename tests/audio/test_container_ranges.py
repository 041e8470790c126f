from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from unbraid.audio.container_ranges import SoundTrack, read_range, sound_tracks
from unbraid.audio.files import read_audio
from unbraid.errors import AudioReadError

av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'unbraid[video]'")

N = 200_003


def encode(path: Path, codec: str, n_tracks: int, *, rate: int = 44100, n_samples: int = N) -> Path:
    """Write sound tracks, each a swelling tone of its own pitch, two channels."""
    time = np.arange(n_samples) / rate
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=rate, layout="stereo", bit_rate=256_000) for _ in range(n_tracks)]
        for number, stream in enumerate(streams):
            swell = 0.3 * np.sin(np.pi * time / time[-1] * 3)
            pitches = 200.0 * (number + 1) * np.array([[1.0], [1.5]])
            samples = (swell * np.sin(2 * np.pi * pitches * time)).astype(np.float32)
            converter = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size or 4096)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for piece in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    return path


def test_the_length_of_every_track_is_exact_without_decoding(tmp_path):
    path = encode(tmp_path / "song.stem.mp4", "aac", 5)
    assert sound_tracks(path) == (SoundTrack(44100, N, 2),) * 5


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.mp4", "aac", 44100), ("a.m4a", "alac", 44100), ("a.mkv", "aac", 44100), ("a.webm", "libopus", 48000)],
)
def test_ranges_equal_those_of_the_whole_track(tmp_path, name, codec, rate):
    path = encode(tmp_path / name, codec, 2, rate=rate)
    whole = read_audio(path, track=1).samples.numpy()
    assert sound_tracks(path)[1] == SoundTrack(rate, whole.shape[1], 2)
    for start, stop in ((0, 500), (1, 9000), (8193, 8200), (100_000, 120_000), (whole.shape[1] - 5, whole.shape[1])):
        assert np.allclose(read_range(path, start, stop, track=1), whole[:, start:stop], atol=1e-6)


def test_behind_the_end_there_are_fewer_samples(tmp_path):
    path = encode(tmp_path / "a.mp4", "aac", 1)
    assert read_range(path, N - 10, N + 500).shape == (2, 10)


def test_a_track_that_is_not_there_and_a_damaged_file_are_told(tmp_path):
    path = encode(tmp_path / "a.mp4", "aac", 2)
    with pytest.raises(AudioReadError, match="no sound track 2"):
        read_range(path, 0, 10, track=2)
    broken = tmp_path / "b.mp4"
    broken.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AudioReadError, match="damaged"):
        sound_tracks(broken)
