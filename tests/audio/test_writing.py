import contextlib
import errno
import io
import math
import os
import struct
import subprocess
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

from unbraid.audio import writing
from unbraid.audio.files import AudioWriter, Encoding, open_audio, read_audio, write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import AudioWriteError, Cancelled

ENCODINGS = [
    Encoding("wav", "16"),
    Encoding("wav", "24"),
    Encoding("wav", "float"),
    Encoding("flac", "16"),
    Encoding("flac", "24"),
    Encoding("ogg", "-"),
    Encoding("mp3", "-"),
]
INTEGERS = [encoding for encoding in ENCODINGS if encoding.is_integer]
LOSSLESS = [encoding for encoding in ENCODINGS if encoding.depth != "-"]
every_encoding = pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: f"{e.container}-{e.depth}")
every_integer = pytest.mark.parametrize("encoding", INTEGERS, ids=lambda e: f"{e.container}-{e.depth}")
every_lossless = pytest.mark.parametrize("encoding", LOSSLESS, ids=lambda e: f"{e.container}-{e.depth}")


def noise(n_channels: int = 2, n_samples: int = 20_011, *, seed: int = 0, scale: float = 0.5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n_channels, n_samples, generator=generator) * 2 - 1) * scale


def writer_for(path: Path, encoding: Encoding, **options: Any) -> AudioWriter:
    settings: dict[str, Any] = {"sample_rate": 44100, "n_channels": 2, **options}
    return AudioWriter(path, encoding=encoding, **settings)


def step(encoding: Encoding) -> float:
    return 1 / encoding.full_scale if encoding.is_integer else 0.0


def complaint(action: Callable[[], object], path: Path | str) -> str:
    with pytest.raises(AudioWriteError) as caught:
        action()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


# Round trips ---------------------------------------------------------------------------------------------------------


@every_encoding
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 2, 20_011])
def test_what_is_written_comes_back(tmp_path: Path, encoding: Encoding, n_channels: int, n_samples: int) -> None:
    time = torch.arange(n_samples) / 44100
    signal = torch.stack([0.3 * torch.sin(2 * math.pi * 220 * (c + 1) * time) for c in range(n_channels)])
    before = signal.clone()
    path = tmp_path / f"a{encoding.suffix}"
    written = write_audio(path, Audio(signal, 44100), encoding=encoding)
    assert (written.path, written.encoding, written.n_samples, written.warning) == (path, encoding, n_samples, None)
    assert written.peak == pytest.approx(float(signal.abs().max()))
    assert torch.equal(signal, before)
    assert os.listdir(tmp_path) == [path.name]
    back = read_audio(path)
    assert (back.sample_rate, back.samples.shape) == (44100, signal.shape)
    if encoding.depth != "-":
        assert (back.samples - signal).abs().max() <= step(encoding) / 2
    elif n_samples > 1000:
        assert (back.samples - signal)[:, 1000:-1000].square().mean().sqrt() < 0.01


@every_lossless
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), min_size=1, max_size=6).filter(any), n_channels=st.integers(1, 3))
def test_files_do_not_depend_on_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, encoding: Encoding, cuts: list[int], n_channels: int
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    signal = noise(n_channels, sum(cuts))
    write_audio(folder / "whole", Audio(signal, 44100), encoding=encoding)
    with writer_for(folder / "cut", encoding, n_channels=n_channels) as writer:
        for block in signal.split(cuts, dim=1):
            writer.write(block)
    assert (folder / "whole").read_bytes() == (folder / "cut").read_bytes()


@every_encoding
def test_a_file_of_some_minutes(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "long"
    n_samples = 3 * 60 * 8000 + 1
    with writer_for(path, encoding, sample_rate=8000, n_channels=1) as writer:
        writer.write(noise(1, n_samples, scale=0.2))  # in one block, which OGG encoders cannot take
    with open_audio(path) as reader:
        assert sum(block.shape[1] for block in reader.blocks()) == n_samples


@every_lossless
@pytest.mark.parametrize("n_channels", range(1, 9))
def test_channels_keep_their_places(tmp_path: Path, encoding: Encoding, n_channels: int) -> None:
    signal = noise(n_channels, 1000)
    write_audio(tmp_path / "a", Audio(signal, 44100), encoding=encoding)
    assert (read_audio(tmp_path / "a").samples - signal).abs().max() <= step(encoding) / 2


@pytest.mark.parametrize("container", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [8000, 11025, 37_800, 48000, 96000, 192_000])
@pytest.mark.parametrize("n_channels", [1, 8])
def test_all_rates_and_channels_are_kept(tmp_path: Path, container: str, rate: int, n_channels: int) -> None:
    encoding = Encoding(container, "-" if container == "ogg" else "16")
    write_audio(tmp_path / "a", Audio(noise(n_channels, 500), rate), encoding=encoding)
    with open_audio(tmp_path / "a") as reader:
        assert (reader.sample_rate, reader.n_channels, reader.n_samples) == (rate, n_channels, 500)


@pytest.mark.parametrize("n_channels", [3, 4, 5, 7, 8])
def test_channels_lie_in_ogg_files_where_players_look_for_them(tmp_path: Path, n_channels: int) -> None:
    time = torch.arange(24_000) / 48000
    signal = torch.stack([(c + 1) / 10 * torch.sin(2 * math.pi * 1000 * time) for c in range(n_channels)])
    write_audio(tmp_path / "a.ogg", Audio(signal, 48000), encoding=Encoding("ogg", "-"))
    places = {  # of the channels of a WAV file in the stream, as the Vorbis specification orders them
        3: "LCR",
        4: "LRlr",
        5: "LCRlr",
        7: "LCRlrcf",
        8: "LCRstlrf",
    }[n_channels]
    wav_order = {3: "LRC", 4: "LRlr", 5: "LRClr", 7: "LRCfclr", 8: "LRCflrst"}[n_channels]
    stream, _ = soundfile.read(tmp_path / "a.ogg")
    levels = np.abs(stream[2000:-2000]).max(axis=0)
    assert [round(level * 10) for level in levels] == [wav_order.index(place) + 1 for place in places]
    back = read_audio(tmp_path / "a.ogg").samples
    assert (back - signal)[:, 2000:-2000].abs().max() < 0.05


@every_lossless
def test_other_programs_read_the_same(tmp_path: Path, encoding: Encoding) -> None:
    signal = noise(2, 999)
    write_audio(tmp_path / "a", Audio(signal, 44100), encoding=encoding)
    frames, rate = soundfile.read(tmp_path / "a", dtype="float32")
    info = soundfile.info(tmp_path / "a")
    assert rate == 44100
    assert info.format == encoding.container.upper()
    assert info.subtype == {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}[encoding.depth]
    assert np.abs(frames.T - signal.numpy()).max() <= step(encoding) / 2


def test_python_s_own_wave_module_reads_the_header(tmp_path: Path) -> None:
    import wave

    write_audio(tmp_path / "a.wav", Audio(noise(1, 333), 22050), encoding=Encoding("wav", "24"))
    assert (tmp_path / "a.wav").stat().st_size % 2 == 0  # chunks are padded
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getparams()[:4] == (1, 3, 22050, 333)
    data = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8


def test_float_files_hold_every_bit_and_any_level(tmp_path: Path) -> None:
    signal = noise(2, 5000, scale=7.0)
    written = write_audio(tmp_path / "a.wav", Audio(signal, 44100), encoding=Encoding("wav", "float"))
    assert written.warning is None
    assert torch.equal(read_audio(written.path).samples, signal)


@pytest.mark.parametrize("container", ["ogg", "mp3"])
def test_lossy_files_keep_a_level_above_full_scale_and_warn(tmp_path: Path, container: str) -> None:
    signal = 1.5 * torch.sin(torch.arange(44100) * 0.06)[None]
    written = write_audio(tmp_path / "a", Audio(signal, 44100), encoding=Encoding(container, "-"))
    assert written.warning is not None
    assert "players may clip" in written.warning
    assert read_audio(written.path).samples.abs().max() == pytest.approx(1.5, abs=0.08)


def test_samples_of_other_types_are_taken(tmp_path: Path) -> None:
    with writer_for(tmp_path / "a.wav", Encoding("wav", "float"), n_channels=1) as writer:
        writer.write(torch.tensor([[0.5]], dtype=torch.float64))
        writer.write(torch.tensor([[0.25]], dtype=torch.bfloat16))
        writer.write(torch.tensor([[0.125]], requires_grad=True))
        writer.write(torch.tensor([[9.0, 8.0, 7.0], [6.0, 5.0, 4.0]])[1:, ::2])
    assert read_audio(tmp_path / "a.wav").samples.tolist() == [[0.5, 0.25, 0.125, 6.0, 4.0]]


# Integer sums --------------------------------------------------------------------------------------------------------


@every_integer
def test_stems_and_residual_add_up_to_the_mixture_bit_for_bit(tmp_path: Path, encoding: Encoding) -> None:
    rng = np.random.default_rng(3)
    scale = encoding.full_scale
    integers = rng.integers(-scale, scale, (5000, 2))  # the whole range of the format, both ends included
    integers[0], integers[1] = -scale, scale - 1
    shift = 32 - int(encoding.depth)
    mixture_path = tmp_path / "mixture"
    kind = f"PCM_{encoding.depth}"
    soundfile.write(
        mixture_path, (integers << shift).astype(np.int32), 44100, subtype=kind, format=encoding.container.upper()
    )
    with open_audio(mixture_path) as reader, contextlib.ExitStack() as stack:
        assert reader.encoding.depth == encoding.depth
        names = ("vocals", "drums", "residual")
        writers = [stack.enter_context(writer_for(tmp_path / name, encoding)) for name in names]
        for mixture in reader.blocks(777):
            estimates = [mixture * 0.41 + 0.013 * noise(2, mixture.shape[1], seed=s, scale=1.0) for s in (1, 2)]
            stems = [w.quantize(e) for w, e in zip(writers, estimates, strict=False)]
            for w, samples in zip(writers, [*stems, mixture - stems[0] - stems[1]], strict=True):
                w.write(samples)
    files = [soundfile.read(tmp_path / name, dtype="int32")[0] >> shift for name in names]
    assert all(soundfile.info(tmp_path / name).subtype == kind for name in names)
    np.testing.assert_array_equal(sum(files), integers)


@every_encoding
def test_quantize_gives_exactly_what_the_file_will_hold(tmp_path: Path, encoding: Encoding) -> None:
    signal = noise(2, 4000, scale=0.999)
    before = signal.clone()
    with writer_for(tmp_path / "a", encoding) as writer:
        rounded = writer.quantize(signal)
        writer.write(signal)
    assert torch.equal(signal, before)
    if encoding.is_integer:
        assert not torch.equal(rounded, signal)
        assert torch.equal(writer.quantize(rounded), rounded)
        assert (rounded - signal).abs().max() <= step(encoding) / 2
        assert torch.equal(read_audio(tmp_path / "a").samples, rounded)
    else:
        assert torch.equal(rounded, signal)


# Full scale ----------------------------------------------------------------------------------------------------------


@every_integer
@pytest.mark.parametrize(
    ("steps_from_top", "fits"), [(-1.0, True), (-0.51, True), (-0.49, False), (0.0, False), (1.0, False)]
)
def test_the_edge_of_full_scale(tmp_path: Path, encoding: Encoding, steps_from_top: float, fits: bool) -> None:
    if encoding.depth == "24" and steps_from_top not in (-1.0, 0.0, 1.0):
        pytest.skip("float32 has no values between the steps of 24 bits near full scale")
    top = torch.tensor([[1.0 + steps_from_top * step(encoding), -0.5]])
    written = write_audio(tmp_path / f"a{encoding.suffix}", Audio(top, 8000), encoding=encoding)
    assert (written.encoding == encoding) is fits
    assert (written.warning is None) is fits
    samples = read_audio(written.path).samples
    assert torch.equal(samples, torch.round(top / step(encoding)) * step(encoding) if fits else top)


@every_integer
def test_the_lower_edge_of_full_scale(tmp_path: Path, encoding: Encoding) -> None:
    for lowest, fits in [(-1.0, True), (-1.0 - 2 * step(encoding), False)]:
        written = write_audio(tmp_path / "a", Audio(torch.tensor([[lowest, 0.5]]), 8000), encoding=encoding)
        assert (written.encoding == encoding) is fits
        assert read_audio(written.path).samples[0, 0] == lowest


@pytest.mark.parametrize(
    ("name", "encoding", "becomes"),
    [
        ("a.flac", Encoding("flac", "16"), "a.wav"),
        ("a.FLAC", Encoding("flac", "24"), "a.wav"),
        ("a.wav", Encoding("wav", "16"), "a.wav"),
        ("a.WAV", Encoding("wav", "16"), "a.WAV"),
        ("track 1.2", Encoding("flac", "16"), "track 1.2.wav"),
    ],
)
def test_what_does_not_fit_becomes_a_float_wav(tmp_path: Path, name: str, encoding: Encoding, becomes: str) -> None:
    signal = noise(2, 3000, scale=1.5)
    written = write_audio(tmp_path / name, Audio(signal, 44100), encoding=encoding)
    assert os.listdir(tmp_path) == [becomes]
    assert written.path == tmp_path / becomes
    assert written.encoding == Encoding("wav", "float")
    assert written.peak == float(signal.abs().max())
    assert written.warning is not None
    assert written.warning.startswith(f"{tmp_path / name}: exceeds full scale (peak +3.5")
    assert becomes in written.warning
    assert torch.equal(read_audio(written.path).samples, signal)


@every_integer
def test_insisting_raises_at_the_first_loud_block(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "a"
    writer = writer_for(path, encoding, insist=True)
    writer.write(noise(2, 100))
    assert "full scale" in complaint(lambda: writer.write(noise(2, 100, scale=1.5)), path)
    assert os.listdir(tmp_path) == []
    complaint(writer.close, path)


# Whole files only ----------------------------------------------------------------------------------------------------


@every_encoding
def test_the_name_appears_at_the_end(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "a"
    path.write_text("the former file")
    with writer_for(path, encoding) as writer:
        writer.write(noise())
        assert path.read_text() == "the former file"
    assert read_audio(path).n_samples == 20_011
    assert os.listdir(tmp_path) == ["a"]


@every_encoding
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, Cancelled])
def test_nothing_is_left_of_work_that_fails(tmp_path: Path, encoding: Encoding, failure: type[BaseException]) -> None:
    (tmp_path / "a").write_text("the former file")

    def work() -> None:
        with writer_for(tmp_path / "a", encoding) as writer:
            writer.write(noise())
            raise failure

    with pytest.raises(failure):
        work()
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "the former file"


@every_encoding
def test_closing_twice_returns_the_same(tmp_path: Path, encoding: Encoding) -> None:
    with writer_for(tmp_path / "a", encoding) as writer:
        writer.write(noise())
        written = writer.close()
    assert writer.close() is written
    writer.discard()
    assert written.path.exists()
    assert "closed" in complaint(lambda: writer.write(noise()), tmp_path / "a")


def test_files_without_samples_are_refused(tmp_path: Path) -> None:
    writer = writer_for(tmp_path / "a.wav", Encoding("wav", "16"))
    writer.write(torch.zeros(2, 0))
    assert "no samples" in complaint(writer.close, tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("block", [torch.zeros(1, 4), torch.zeros(4), torch.zeros(2, 2, 2)])
def test_blocks_of_the_wrong_shape_are_refused(tmp_path: Path, block: torch.Tensor) -> None:
    writer = writer_for(tmp_path / "a.wav", Encoding("wav", "16"))
    assert "[2, samples]" in complaint(lambda: writer.write(block), tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    writer = writer_for(tmp_path / "a.wav", Encoding("wav", "float"), sample_rate=8000, n_channels=1)
    writer.write(torch.zeros(1, 4000))
    assert "0.500 s" in complaint(lambda: writer.write(torch.tensor([[0.0, value]])), tmp_path / "a.wav")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("encoding", "options"),
    [
        (Encoding("mp3", "-"), {"n_channels": 3}),
        (Encoding("ogg", "-"), {"n_channels": 6}),
        (Encoding("mp3", "-"), {"sample_rate": 96000}),
        (Encoding("mp3", "-"), {"sample_rate": 44056}),
        (Encoding("flac", "16"), {"sample_rate": 96001}),
        (Encoding("wav", "16"), {"n_channels": 9}),
        (Encoding("wav", "16"), {"n_channels": 0}),
        (Encoding("wav", "16"), {"sample_rate": 4000}),
        (Encoding("ogg", "-"), {"sample_rate": 384_000}),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before_work(
    tmp_path: Path, encoding: Encoding, options: dict[str, int]
) -> None:
    message = complaint(lambda: writer_for(tmp_path / "a", encoding, **options), tmp_path / "a")
    assert ": use " in message
    assert os.listdir(tmp_path) == []


# What the system refuses ---------------------------------------------------------------------------------------------


def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.wav"
    assert write_audio(path, Audio(noise(), 44100), encoding=Encoding("wav", "16")).path.exists()


@pytest.mark.parametrize("name", ["Größe 日本 🎵.wav", "a" * 251 + ".wav", "-dash.wav", " .wav", "日" * 83 + ".wav"])
def test_unusual_names_are_written(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, Audio(noise(), 44100), encoding=Encoding("wav", "16"))
    assert os.listdir(tmp_path) == [name]


def test_impossible_names_are_refused_before_work(tmp_path: Path) -> None:
    encoding = Encoding("wav", "16")
    long = tmp_path / ("a" * 300 + ".wav")
    assert "shorter name" in complaint(lambda: writer_for(long, encoding), long)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    below = tmp_path / "file" / "a.wav"
    assert "is a file" in complaint(lambda: writer_for(below, encoding), below)
    deeper = tmp_path / "file" / "b" / "a.wav"
    assert "is a file" in complaint(lambda: writer_for(deeper, encoding), deeper)
    folder = tmp_path / "folder"
    assert "another name" in complaint(lambda: writer_for(folder, encoding), folder)
    with pytest.raises(AudioWriteError) as caught:
        writer_for(tmp_path / "a\0b", encoding)
    assert "\0" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.EACCES, "may write"),
        (errno.EROFS, "may write"),
        (errno.ENOSPC, "free some space"),
        (errno.EIO, "another folder"),
    ],
)
def test_refusals_are_told_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, cure: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", refuse)
    path = tmp_path / "a.wav"
    assert cure in complaint(lambda: writer_for(path, Encoding("wav", "16")), path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    path = tmp_path / "a.wav"
    assert "may write" in complaint(lambda: writer_for(path, Encoding("wav", "16")), path)


class FullDisk(io.FileIO):
    """A file on a disk with room for some bytes only."""

    room = 0

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def fill_disk(monkeypatch: pytest.MonkeyPatch, *, file_number: int, room: int) -> None:
    """Let the n-th file that is opened for writing run out of space."""
    real_open = Path.open
    opened = 0

    def limited(path: Path, mode: str = "r", *rest: Any) -> Any:
        nonlocal opened
        if "x" not in mode:
            return real_open(path, mode, *rest)
        opened += 1
        if opened != file_number:
            return real_open(path, mode, *rest)
        disk = FullDisk(path, mode.replace("b", ""))
        disk.room = room
        return disk

    monkeypatch.setattr(Path, "open", limited)


@every_encoding
@pytest.mark.parametrize("room", [0, 50, 1000, 30_000])
def test_disk_that_is_full_while_samples_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: Encoding, room: int
) -> None:
    fill_disk(monkeypatch, file_number=1, room=room)

    def work() -> None:
        with writer_for(tmp_path / "a", encoding) as writer:
            for _ in range(5):
                writer.write(noise())

    assert "free some space" in complaint(work, tmp_path / "a")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("encoding", [e for e in ENCODINGS if e.depth != "float"], ids=lambda e: e.container + e.depth)
@pytest.mark.parametrize("room", [0, 50, 5000, 20_000])
def test_disk_that_is_full_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: Encoding, room: int
) -> None:
    fill_disk(monkeypatch, file_number=2, room=room)

    def work() -> None:
        with writer_for(tmp_path / "a", encoding) as writer:
            for _ in range(5):
                writer.write(noise())

    assert "free some space" in complaint(work, tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_disk_that_is_full_in_the_last_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in (Encoding("flac", "16"), Encoding("ogg", "-"), Encoding("mp3", "-")):
        whole = write_audio(tmp_path / "whole", Audio(noise(), 44100), encoding=encoding)
        size = whole.path.stat().st_size
        whole.path.unlink()
        with monkeypatch.context() as patch:
            fill_disk(patch, file_number=2, room=size - 100)
            complaint(lambda e=encoding: write_audio(tmp_path / "a", Audio(noise(), 44100), encoding=e), tmp_path / "a")  # type: ignore[misc]
        assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are those of POSIX")
def test_limit_of_the_system_on_file_sizes(tmp_path: Path) -> None:
    program = (
        "import resource, torch\n"
        "from unbraid.audio.files import *\n"
        "from unbraid.audio.signal import Audio\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for container in ('wav', 'flac'):\n"
        "    try:\n"
        "        write_audio('a', Audio(torch.rand(2, 50_000), 44100), encoding=Encoding(container, '16'))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("AudioWriteError a: cannot be written (file too large)") for line in lines)
    assert result.stderr == ""
    assert os.listdir(tmp_path) == []


@pytest.fixture
def _failing_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(writing.soundfile, "SoundFile", refuse)


@pytest.mark.usefixtures("_failing_encoder")
def test_an_encoder_that_refuses_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    action = lambda: write_audio(path, Audio(noise(), 44100), encoding=Encoding("flac", "16"))  # noqa: E731
    assert "choose wav" in complaint(action, path)
    assert os.listdir(tmp_path) == []
