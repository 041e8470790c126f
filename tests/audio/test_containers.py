import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from unbraid.audio.files import Encoding, open_audio, read_audio
from unbraid.errors import AudioReadError

av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'unbraid[video]'")

N = 50_003


def tone(n_channels: int = 2, *, rate: int = 44100, n_samples: int = N, pitch: float = 300.0) -> np.ndarray:
    """Samples [C, N]: a tone that swells, so that a shift shows."""
    time = np.arange(n_samples) / rate
    pitches = pitch * (1 + np.arange(n_channels))[:, None]
    return (0.4 * np.sin(2 * np.pi * pitches * time) * np.sin(np.pi * time / time[-1] * 3)).astype(np.float32)


LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def encode(
    path: Path,
    codec: str,
    *tracks: np.ndarray,
    rate: int = 44100,
    options: dict[str, str] | None = None,
    with_picture: bool = False,
) -> Path:
    """Write samples [C, N] as the sound tracks of a container."""
    with av.open(str(path), "w", options=options or {}) as container:
        if with_picture:
            picture = container.add_stream("mpeg4", rate=10)
            picture.width, picture.height, picture.pix_fmt = 16, 16, "yuv420p"
        streams = [
            container.add_stream(codec, rate=rate, layout=LAYOUTS[len(track)], bit_rate=192_000) for track in tracks
        ]
        if with_picture:
            for i in range(30):
                frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
                frame.pts = i
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        for stream, track in zip(streams, tracks, strict=True):
            converter = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size or 4096)
            frame = av.AudioFrame.from_ndarray(track, format="fltp", layout=LAYOUTS[len(track)])
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for piece in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    return path


def complaint(action: Callable[[], object], path: Path) -> str:
    with pytest.raises(AudioReadError) as caught:
        action()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def is_open(path: Path) -> bool:
    folder = Path("/proc/self/fd")
    return folder.exists() and str(path) in {os.readlink(link) for link in folder.iterdir() if link.is_symlink()}


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 44100),
        ("a.mp4", "aac", 22050),
        ("a.mov", "aac", 48000),
        ("a.mp4", "libopus", 48000),
        ("a.webm", "libopus", 48000),
        ("a.mkv", "libopus", 48000),
        ("a.m4a", "alac", 44100),
        ("a.mkv", "flac", 44100),
        ("a.mkv", "pcm_s16le", 8000),
        ("a.mkv", "pcm_f32le", 192_000),
    ],
)
def test_the_sound_comes_in_at_its_length_and_place(
    tmp_path: Path, name: str, codec: str, rate: int, n_channels: int
) -> None:
    signal = tone(n_channels, rate=rate)
    path = encode(tmp_path / name, codec, signal, rate=rate)
    with open_audio(path) as reader:
        assert (reader.sample_rate, reader.n_channels, reader.n_samples) == (rate, n_channels, N)
        samples = torch.cat(list(reader.blocks(4096)), dim=1)
    assert samples.shape == (n_channels, N)
    assert (samples - torch.from_numpy(signal)).square().mean().sqrt() < 0.01
    assert not is_open(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.aac", "aac")])
def test_padding_stays_where_the_file_does_not_tell_it(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, codec, tone())
    with open_audio(path) as reader:
        assert N <= reader.n_samples < N + 3 * 1024
        assert sum(block.shape[1] for block in reader.blocks()) == reader.n_samples


@pytest.mark.parametrize(
    ("name", "codec", "depth"),
    [
        ("a.m4a", "aac", "float"),
        ("a.mkv", "flac", "16"),
        ("a.mkv", "pcm_s16le", "16"),
        ("a.mkv", "pcm_u8", "16"),
        ("a.mkv", "pcm_s24le", "24"),
        ("a.mkv", "pcm_s32le", "float"),
        ("a.mkv", "pcm_f64le", "float"),
    ],
)
def test_lossless_tracks_keep_their_depth(tmp_path: Path, name: str, codec: str, depth: str) -> None:
    path = encode(tmp_path / name, codec, tone())
    with open_audio(path) as reader:
        assert reader.encoding == Encoding("wav", depth)
        samples = torch.cat(list(reader.blocks()), dim=1)
    if codec != "aac":
        tolerance = {"pcm_u8": 2**-7, "pcm_s16le": 2**-15, "flac": 2**-15}.get(codec, 2**-23)
        assert (samples - torch.from_numpy(tone())).abs().max() <= tolerance


def test_surround_comes_in_the_order_of_wav_files(tmp_path: Path) -> None:
    signal = tone(6)
    path = encode(tmp_path / "a.mkv", "pcm_f32le", signal)
    assert torch.equal(read_audio(path).samples, torch.from_numpy(signal))


def test_any_part_in_any_blocks_is_the_same(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "aac", tone())
    whole = read_audio(path).samples
    rng = np.random.default_rng(0)
    with open_audio(path) as reader:
        for block_samples in (97, 1024, 65_536):
            start = int(rng.integers(N))
            stop = start + int(rng.integers(1, N))
            blocks = list(reader.blocks(block_samples, start=start, stop=stop))
            assert torch.equal(torch.cat(blocks, dim=1), whole[:, start:stop])
            assert all(block.shape[1] == block_samples for block in blocks[:-1])
            assert all(block.is_contiguous() for block in blocks)
    assert read_audio(path, start=0.5, stop=0.75).n_samples == 11_025


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", "pcm_s16le", np.full((2, 1), 0.5, np.float32))
    assert read_audio(path).samples.tolist() == [[0.5], [0.5]]


def test_stem_files_have_several_tracks_and_the_mixture_is_the_first(tmp_path: Path) -> None:
    tracks = [tone(pitch=pitch) for pitch in (200.0, 300.0, 500.0)]
    path = encode(tmp_path / "song.stem.mp4", "aac", *tracks)
    for i, track in enumerate(tracks):
        samples = read_audio(path, track=i).samples
        assert (samples - torch.from_numpy(track)).square().mean().sqrt() < 0.01
    assert torch.equal(read_audio(path).samples, read_audio(path, track=0).samples)
    for missing in (3, -1):
        assert "use 0 to 2" in complaint(lambda i=missing: open_audio(path, track=i), path)  # type: ignore[misc]


def test_pictures_are_passed_over(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "aac", tone(), with_picture=True)
    assert read_audio(path).n_samples == N


def test_a_film_without_sound(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "aac", with_picture=True)
    assert "no sound track" in complaint(lambda: open_audio(path), path)
    assert not is_open(path)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def with_itunes_length(mp4: bytes, *, n_samples: int) -> bytes:
    """Tell delay and length as iTunes does: a note among the tags, and no edit list."""
    note = f" 00000000 00000400 00000000 {n_samples:016X}" + " 00000000" * 8
    freeform = box(b"mean", bytes(4) + b"com.apple.iTunes") + box(b"name", bytes(4) + b"iTunSMPB")
    tags = box(b"ilst", box(b"----", freeform + box(b"data", struct.pack(">II", 1, 0) + note.encode())))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    user_data = box(b"udta", box(b"meta", bytes(4) + handler + tags))
    start = mp4.rindex(b"moov") - 4
    moov = mp4[start:].replace(b"edts", b"free").replace(b"udta", b"free")
    assert struct.unpack(">I", moov[:4])[0] == len(moov)  # it is the last box, so that nothing moves
    return mp4[:start] + struct.pack(">I", len(moov) + len(user_data)) + moov[4:] + user_data


def test_length_that_itunes_noted(tmp_path: Path) -> None:
    signal = tone()
    path = encode(tmp_path / "a.m4a", "aac", signal)
    path.write_bytes(with_itunes_length(path.read_bytes(), n_samples=N))
    samples = read_audio(path).samples
    assert samples.shape == (2, N)
    assert (samples - torch.from_numpy(signal)).square().mean().sqrt() < 0.01


def test_without_pyav_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.m4a", "aac", tone())
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'unbraid[video]'" in complaint(lambda: open_audio(path), path)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.m4a", "aac", {}),
        ("a.mp4", "aac", {"movflags": "faststart"}),
        ("a.mkv", "flac", {}),
        ("a.webm", "libopus", {}),
    ],
)
@pytest.mark.parametrize("kept", [0.95, 0.5, 0.02])
def test_files_that_were_cut_off_are_refused_at_once(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], kept: float
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.3, 0.3, (2, 2 * 48000)).astype(np.float32)
    path = encode(tmp_path / name, codec, noise, rate=48000, options=options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    complaint(lambda: open_audio(path), path)
    assert not is_open(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\0\x20ftypM4A " + bytes(20),
        b"\0\0\0\x20ftypM4A " + bytes(4000),
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"\xff\xf1" + b"no sound at all " * 40,
        bytes.fromhex("3026b2758e66cf11") + bytes(100),
    ],
)
def test_what_only_looks_like_a_container(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    complaint(lambda: open_audio(path), path)
    assert not is_open(path)


def test_values_that_are_not_finite_are_found(tmp_path: Path) -> None:
    signal = np.zeros((1, 16_000), np.float32)
    signal[0, 12_000] = np.nan
    path = encode(tmp_path / "a.mkv", "pcm_f32le", signal, rate=8000)
    assert "1.500 s" in complaint(lambda: read_audio(path), path)


def test_limits_are_told(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", "pcm_s16le", tone(), rate=4000)
    assert "4000 Hz" in complaint(lambda: open_audio(path), path)
    assert not is_open(path)
