import io
import struct
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import soundfile
import torch

from unbraid.audio import wav
from unbraid.audio.files import read_audio
from unbraid.audio.wav import WavSink


def written_wav(file: BinaryIO, depth: str = "24") -> bytes:
    sink = WavSink(file, sample_rate=8000, n_channels=1, depth=depth)
    sink.write(torch.arange(101, dtype=torch.int32 if depth != "float" else torch.float32)[None])
    sink.finish()
    file.seek(0)
    return file.read()


@pytest.mark.parametrize("depth", ["16", "24", "float"])
def test_files_that_outgrow_riff_become_rf64(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, depth: str) -> None:
    small = written_wav(io.BytesIO(), depth)
    monkeypatch.setattr(wav, "RIFF_LIMIT", 300 if depth != "16" else 200)
    large = written_wav(io.BytesIO(), depth)
    assert (small[:4], large[:4]) == (b"RIFF", b"RF64")
    assert len(small) == len(large)
    riff_bytes, data_bytes, n_samples = struct.unpack("<QQQ", large[20:44])
    assert (riff_bytes, n_samples) == (len(large) - 8, 101)
    assert data_bytes == 101 * {"16": 2, "24": 3, "float": 4}[depth]
    (tmp_path / "large").write_bytes(large)
    (tmp_path / "small").write_bytes(small)
    assert soundfile.info(tmp_path / "large").format == "RF64"
    assert torch.equal(read_audio(tmp_path / "large").samples, read_audio(tmp_path / "small").samples)


def test_the_change_to_rf64_is_at_four_gibibytes() -> None:
    class Counting(io.BytesIO):
        """Keeps the header only."""

        def write(self, data: Any) -> int:
            return super().write(data) if len(data) < 200 else len(data)

    for n_blocks, name in [(4096, b"RF64"), (4095, b"RIFF")]:
        file = Counting()
        sink = WavSink(file, sample_rate=44100, n_channels=2, depth="float")
        sink.n_samples = n_blocks * (1 << 17)  # blocks of 1 MiB
        sink.finish()
        assert file.getvalue()[:4] == name


@pytest.mark.parametrize("block_samples", [1, 7, 1000])
def test_a_float_file_is_read_back_in_blocks(block_samples: int) -> None:
    signal = torch.randn(3, 100, generator=torch.Generator().manual_seed(0))
    sink = WavSink(io.BytesIO(), sample_rate=8000, n_channels=3, depth="float")
    sink.write(signal[:, :30])
    sink.write(signal[:, 30:])
    sink.finish()
    assert torch.equal(torch.cat(list(sink.blocks(block_samples)), dim=1), signal)


@pytest.mark.parametrize(("depth", "subtype"), [("16", "PCM_16"), ("24", "PCM_24")])
def test_integers_are_stored_as_they_are(tmp_path: Path, depth: str, subtype: str) -> None:
    top = 1 << (int(depth) - 1)
    values = torch.tensor([[-top, -1, 0, 1, top - 1]], dtype=torch.int32)
    with (tmp_path / "a.wav").open("w+b") as file:
        sink = WavSink(file, sample_rate=8000, n_channels=1, depth=depth)
        sink.write(values)
        sink.finish()
    assert soundfile.info(tmp_path / "a.wav").subtype == subtype
    frames, _ = soundfile.read(tmp_path / "a.wav", dtype="int32")
    assert (frames >> (32 - int(depth))).tolist() == values[0].tolist()
