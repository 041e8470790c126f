import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio import files
from unbraid.audio.files import Encoding, open_audio, read_audio
from unbraid.errors import AudioReadError

N = 20_011


def noise(n_channels: int = 2, n_samples: int = N, *, seed: int = 0) -> np.ndarray:
    """Frames [N, C] on the 8-bit grid, so that every integer format holds them exactly."""
    return np.random.default_rng(seed).integers(-127, 128, (n_samples, n_channels)).astype(np.float32) / 128


def tonal(n_channels: int = 2, n_samples: int = N) -> np.ndarray:
    """Frames [N, C] that survive lossy coding: a few quiet tones."""
    time = np.arange(n_samples)[:, None] / 44100
    pitches = 220 * (1 + np.arange(n_channels))[None]
    return (0.3 * np.sin(2 * np.pi * pitches * time)).astype(np.float32)


def everything(path: Path, **options: Any) -> torch.Tensor:
    with open_audio(path) as reader:
        return torch.cat(list(reader.blocks(**options)), dim=1)


def complaint(action: Callable[[], object], path: Path | str) -> str:
    """The message of the error, which must be one line that begins with the file's name."""
    with pytest.raises(AudioReadError) as caught:
        action()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert ": " in message.removeprefix(str(path) + ": ")
    return message


# What can be read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "subtype", "depth"),
    [
        ("WAV", "PCM_U8", "16"),
        ("WAV", "PCM_16", "16"),
        ("WAV", "PCM_24", "24"),
        ("WAV", "PCM_32", "float"),
        ("WAV", "FLOAT", "float"),
        ("WAV", "DOUBLE", "float"),
        ("WAVEX", "PCM_16", "16"),
        ("WAVEX", "PCM_24", "24"),
        ("WAVEX", "FLOAT", "float"),
        ("RF64", "PCM_16", "16"),
        ("RF64", "FLOAT", "float"),
        ("AIFF", "PCM_S8", "16"),
        ("AIFF", "PCM_16", "16"),
        ("AIFF", "PCM_24", "24"),
        ("AIFF", "FLOAT", "float"),
        ("FLAC", "PCM_S8", "16"),
        ("FLAC", "PCM_16", "16"),
        ("FLAC", "PCM_24", "24"),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_lossless_formats_come_in_exactly(
    tmp_path: Path, container: str, subtype: str, depth: str, n_channels: int
) -> None:
    path = tmp_path / "a.bin"  # the content decides, not the name
    frames = noise(n_channels, N + (container == "AIFF"))  # libsndfile makes the length of 8-bit AIFF even
    soundfile.write(path, frames, 44100, subtype=subtype, format=container)
    with open_audio(path) as reader:
        assert (reader.sample_rate, reader.n_channels, reader.n_samples) == (44100, n_channels, len(frames))
        assert reader.encoding == Encoding("wav", depth)
        assert reader.path == path
        samples = torch.cat(list(reader.blocks()), dim=1)
    assert samples.dtype == torch.float32
    assert torch.equal(samples, torch.from_numpy(frames.T))


@pytest.mark.parametrize(
    ("container", "subtype", "rate"),
    [
        ("OGG", "VORBIS", 44100),
        ("OGG", "OPUS", 48000),
        ("OGG", "OPUS", 16000),
        ("MP3", "MPEG_LAYER_III", 44100),
        ("MP3", "MPEG_LAYER_III", 16000),
    ],
)
@pytest.mark.parametrize("n_samples", [1, 2, 1000, N])
def test_lossy_formats_come_in_at_their_exact_length(
    tmp_path: Path, container: str, subtype: str, rate: int, n_samples: int
) -> None:
    path = tmp_path / "a.bin"
    soundfile.write(path, tonal(2, n_samples), rate, subtype=subtype, format=container)
    with open_audio(path) as reader:
        assert (reader.sample_rate, reader.n_channels, reader.n_samples) == (rate, 2, n_samples)
        assert reader.encoding == Encoding("wav", "float")
        samples = torch.cat(list(reader.blocks(777)), dim=1)
    assert samples.shape == (2, n_samples)
    if n_samples == N:
        error = (samples - torch.from_numpy(tonal(2, N).T))[:, 1000:-1000]
        assert error.square().mean().sqrt() < 0.02


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_surround_comes_in_the_order_of_wav_files(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.ogg"
    # left, center, right, back left, back right, low-frequency: the order in these streams
    levels = np.array([1, 2, 3, 4, 5, 6], np.float32) / 10
    frames = np.sin(np.arange(24_000) * 2 * np.pi * 40 / 48000)[:, None] * levels
    soundfile.write(path, frames, 48000, subtype=subtype, format="OGG")
    found = everything(path)[:, 2000:-2000].abs().amax(1)
    assert [round(float(level) * 10) for level in found[[0, 1, 2, 4, 5]]] == [1, 3, 2, 4, 5]
    assert found[3] > 0.55  # libvorbis makes the low-frequency channel louder


def test_values_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.array([3.5, -2.0]), 8000, subtype="FLOAT")
    assert everything(path).tolist() == [[3.5, -2.0]]


@pytest.mark.parametrize("rate", [8000, 192_000])
@pytest.mark.parametrize("n_channels", [1, 8])
def test_limits_are_inside(tmp_path: Path, rate: int, n_channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(n_channels, 1), rate)
    with open_audio(path) as reader:
        assert (reader.sample_rate, reader.n_channels, reader.n_samples) == (rate, n_channels, 1)


@pytest.mark.parametrize(("rate", "n_channels", "word"), [(7999, 1, "Hz"), (192_001, 1, "Hz"), (8000, 9, "channels")])
def test_limits_are_told(tmp_path: Path, rate: int, n_channels: int, word: str) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(n_channels, 10), rate)
    assert word in complaint(lambda: open_audio(path), path)


def test_file_larger_than_four_gibibytes(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    data_bytes = (1 << 32) + (1 << 20)
    with path.open("wb") as file:
        file.write(b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, data_bytes + 72, data_bytes, 0, 0))
        file.write(b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 44100, 176_400, 4, 16) + b"data\xff\xff\xff\xff")
        end = file.tell() + data_bytes
        file.seek(end - 4)
        file.write(struct.pack("<hh", 1 << 14, -(1 << 13)))  # the rest is a hole
    with open_audio(path) as reader:
        assert reader.n_samples == data_bytes // 4
        last = next(reader.blocks(start=reader.n_samples - 1))
    assert last.tolist() == [[0.5], [-0.25]]


def test_wav_from_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, noise(1), 8000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    for at in (4, data.index(b"data") + 4):
        data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert torch.equal(everything(path), torch.from_numpy(noise(1).T))


def without_length(flac: bytes) -> bytes:
    """Set the number of samples in STREAMINFO to 0, as an encoder that writes to a pipe must."""
    field = int.from_bytes(flac[18:26], "big") & ~((1 << 36) - 1)
    return flac[:18] + field.to_bytes(8, "big") + flac[26:]


def test_flac_from_a_pipe_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "piped.flac"
    soundfile.write(path, noise(2), 44100, subtype="PCM_16")
    path.write_bytes(without_length(path.read_bytes()))
    with open_audio(path) as reader:
        assert reader.n_samples == N
        for start in (0, 12_345):
            samples = torch.cat(list(reader.blocks(1000, start=start)), dim=1)
            assert torch.equal(samples, torch.from_numpy(noise(2).T[:, start:]))


def without_tag(mp3: bytes) -> bytes:
    """Cut the first frame off, which holds the Xing tag instead of sound."""
    return mp3[mp3.index(mp3[:2], 100) :]


def test_mp3_without_a_tag_is_counted(tmp_path: Path) -> None:
    # a loud end after a silent start: what the bit rate of the first frames predicts is far off
    whole, path = tmp_path / "whole.mp3", tmp_path / "a.mp3"
    frames = np.concatenate([np.zeros((60_000, 1), np.float32), noise(1, 60_000)])
    soundfile.write(whole, frames, 44100, format="MP3", bitrate_mode="VARIABLE")
    path.write_bytes(without_tag(whole.read_bytes()))
    with soundfile.SoundFile(path) as guess:
        assert abs(guess.frames - 120_000) > 10_000  # what would be believed otherwise
    with open_audio(path) as reader:
        # all frames of 1152 samples, with the encoder's delay and padding, which only the tag could tell
        assert reader.n_samples % 1152 == 0
        assert 120_000 <= reader.n_samples < 120_000 + 4 * 1152
        samples = torch.cat(list(reader.blocks(5000)), dim=1)
        assert samples.shape[1] == reader.n_samples
        late = torch.cat(list(reader.blocks(start=100_000)), dim=1)
    assert torch.equal(late, samples[:, 100_000:])
    assert samples[:, :58_000].abs().max() < 1e-3
    assert samples[:, 70_000:110_000].square().mean() > 0.1


# Blocks --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    kinds = {"wav": "PCM_24", "flac": "PCM_16", "ogg": "VORBIS", "opus": "OPUS", "mp3": "MPEG_LAYER_III"}
    paths = {}
    for kind, subtype in kinds.items():
        paths[kind] = folder / f"a.{kind}"
        container = {"opus": "OGG"}.get(kind, kind.upper())
        soundfile.write(paths[kind], tonal(2, N), 48000, subtype=subtype, format=container)
    return paths


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3"])
@settings(max_examples=15, deadline=None)
@given(block_samples=st.integers(1, 2 * N), start=st.integers(0, N + 10), length=st.integers(0, N))
def test_any_part_in_any_blocks_is_the_same(
    recordings: dict[str, Path], kind: str, block_samples: int, start: int, length: int
) -> None:
    block_samples = max(block_samples, length // 50)
    with open_audio(recordings[kind]) as reader:
        whole = torch.cat(list(reader.blocks(4096)), dim=1)
        blocks = list(reader.blocks(block_samples, start=start, stop=start + length))
    expected = whole[:, start : start + length]
    assert torch.equal(torch.cat([expected[:, :0], *blocks], dim=1), expected)
    assert all(block.shape[1] == block_samples for block in blocks[:-1])
    assert all(block.is_contiguous() and block.dtype == torch.float32 for block in blocks)


def test_blocks_are_independent_tensors(recordings: dict[str, Path]) -> None:
    with open_audio(recordings["wav"]) as reader:
        first, second = list(reader.blocks(100))[:2]
        expected = second.clone()
        first.zero_()
    assert torch.equal(second, expected)


def test_a_new_iteration_ends_the_former(recordings: dict[str, Path]) -> None:
    path = recordings["wav"]
    with open_audio(path) as reader:
        former = reader.blocks(100)
        next(former)
        assert sum(block.shape[1] for block in reader.blocks(100)) == N
        assert "another iteration" in complaint(lambda: next(former), path)
    assert "closed" in complaint(lambda: next(reader.blocks()), path)


@pytest.mark.parametrize("options", [{"block_samples": 0}, {"start": -1}])
def test_senseless_blocks_are_refused(recordings: dict[str, Path], options: dict[str, int]) -> None:
    with open_audio(recordings["wav"]) as reader:
        complaint(lambda: reader.blocks(**options), recordings["wav"])


def test_seconds_are_rounded_to_samples(recordings: dict[str, Path]) -> None:
    whole = read_audio(recordings["wav"])
    assert (whole.sample_rate, whole.n_samples) == (48000, N)
    part = read_audio(recordings["wav"], start=0.1, stop=0.2)
    assert torch.equal(part.samples, whole.samples[:, 4800:9600])
    assert read_audio(recordings["wav"], start=0.1, stop=1e9).n_samples == N - 4800
    assert read_audio(recordings["wav"], stop=float("inf")).n_samples == N


@pytest.mark.parametrize(
    ("start", "stop"), [(1.0, None), (-0.1, None), (0.2, 0.2), (0.2, 0.1), (float("nan"), None), (float("inf"), None)]
)
def test_empty_parts_are_refused(recordings: dict[str, Path], start: float, stop: float | None) -> None:
    complaint(lambda: read_audio(recordings["wav"], start=start, stop=stop), recordings["wav"])


def open_files() -> set[str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("open files cannot be listed without /proc")
    return {os.readlink(link) for link in folder.iterdir() if link.is_symlink()}


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3"])
def test_files_are_closed(recordings: dict[str, Path], kind: str) -> None:
    with open_audio(recordings[kind]) as reader:
        next(reader.blocks(10, start=5))
    reader.close()  # again: does nothing
    assert str(recordings[kind]) not in open_files()


# What cannot be read -------------------------------------------------------------------------------------------------


def test_missing_files_folders_and_devices(tmp_path: Path) -> None:
    assert "no such file" in complaint(lambda: open_audio(tmp_path / "no.wav"), tmp_path / "no.wav")
    assert "folder" in complaint(lambda: open_audio(tmp_path), tmp_path)
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    assert "empty" in complaint(lambda: open_audio(path), path)
    assert "no such file" in complaint(lambda: open_audio(path / "b.wav"), path / "b.wav")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in complaint(lambda: open_audio(tmp_path / "pipe"), tmp_path / "pipe")


@pytest.mark.parametrize("name", ["a" * 300 + ".wav", "bad\0name.wav", "line\nbreak.wav"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(AudioReadError) as caught:
        open_audio(name)
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("name", ["Größe 日本 🎵.wav", "a" * 251 + ".wav", "-dash.wav", " .wav", "a.raw"])
def test_unusual_names_are_read(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "plain.wav", noise(1, 10), 8000)
    (tmp_path / "plain.wav").rename(tmp_path / name)
    assert read_audio(str(tmp_path / name)).n_samples == 10


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text that someone has renamed, " * 50,
        bytes(4096),
        b"RIFF\x10\x00\x00\x00WAVE" + b"hello world",
        b"RIFF",
        b"\x00",
        b"fLaC" + bytes(100),
        b"OggS" + bytes(100),
        b"ID3\x04\x00\x00\x00\x00\x00\x7f",
        np.random.default_rng(0).bytes(5000),
    ],
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw"])
def test_what_is_no_recording(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    complaint(lambda: open_audio(path), path)
    assert str(path) not in open_files()


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16")])
def test_files_without_samples(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "a.bin"
    soundfile.write(path, noise(1, 0), 8000, subtype=subtype, format=container)
    assert "no samples" in complaint(lambda: open_audio(path), path)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAVEX", "PCM_24"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_files_that_were_cut_off_are_refused_at_once(tmp_path: Path, container: str, subtype: str, kept: float) -> None:
    path = tmp_path / "a.bin"
    frames = np.random.default_rng(1).uniform(-0.5, 0.5, (4 * 48000, 2))
    soundfile.write(path, frames, 48000, subtype=subtype, format=container)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    complaint(lambda: open_audio(path), path)
    assert str(path) not in open_files()


def test_what_breaks_off_in_the_middle_is_told(tmp_path: Path) -> None:
    class Short:
        sample_rate, n_channels, n_samples, encoding = 8000, 1, 8000, Encoding("wav", "16")

        def seek(self, sample: int) -> None: ...

        def read(self, n_samples: int) -> np.ndarray:
            return np.zeros((1, n_samples // 2), np.float32)

        def close(self) -> None: ...

    path = tmp_path / "a.wav"
    message = complaint(lambda: list(files.AudioReader(path, Short()).blocks(8000)), path)
    assert "0.50 s of 1.00 s" in message


def test_damage_inside_a_flac_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, (96_000, 1)), 48000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[60_000:90_000] = bytes(30_000)
    path.write_bytes(data)
    complaint(lambda: everything(path), path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_found(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.wav"
    frames = np.zeros((16_000, 2), np.float32)
    frames[12_000, 1] = value
    soundfile.write(path, frames, 8000, subtype="FLOAT")
    assert "1.500 s" in complaint(lambda: everything(path, block_samples=5000), path)
    assert read_audio(path, stop=1.5).n_samples == 12_000


def test_huge_finite_values_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    frames = np.full((100, 1), 3e38, np.float32)
    soundfile.write(path, frames, 8000, subtype="FLOAT")
    assert torch.equal(everything(path), torch.from_numpy(frames.T))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1, 10), 8000)
    path.chmod(0)
    assert "permission" in complaint(lambda: open_audio(path), path)


def test_a_refusal_of_the_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1, 10), 8000)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert "permission" in complaint(lambda: open_audio(path), path)


def test_sound_files_have_one_track(recordings: dict[str, Path]) -> None:
    assert "track 1" in complaint(lambda: open_audio(recordings["wav"], track=1), recordings["wav"])


def test_reading_sound_files_does_not_need_pyav(recordings: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert read_audio(recordings["flac"]).n_samples == N


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3"])
def test_damage_anywhere_is_an_error_of_ours_or_none(recordings: dict[str, Path], tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    whole = recordings[kind].read_bytes()
    path = tmp_path / "a.bin"
    for _ in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.integers(0, 20)):
            data[rng.integers(min(len(data), int(rng.choice([64, 400, 10**9]))))] = rng.integers(256)
        path.write_bytes(data)
        message = ""
        try:
            with open_audio(path) as reader:
                assert sum(block.shape[1] for block in reader.blocks()) == reader.n_samples
        except AudioReadError as error:
            message = str(error)
        assert message == "" or message.startswith(f"{path}: ")
        assert "\n" not in message
    assert str(path) not in open_files()
