"""Stem files: five tracks that are read back, and names that players find."""

import json
import struct

import pytest
import torch

from unbraid.audio.files import read_audio
from unbraid.audio.stem_mp4 import RATE, write_stem_mp4
from unbraid.errors import AudioWriteError

av = pytest.importorskip("av", reason="needs unbraid[video]")


def tone(hertz, *, seconds=1.0, rate=RATE, channels=2):
    seconds = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (0.2 * torch.sin(2 * torch.pi * hertz * seconds)).float().expand(channels, -1)


def box(data, *path):
    """Return the content of a box in boxes."""
    for kind in path:
        position = 0
        while data[position + 4 : position + 8] != kind:
            position += struct.unpack_from(">I", data, position)[0]
        data = data[position + 8 : position + struct.unpack_from(">I", data, position)[0]]
    return data


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 2), (16_000, 1)])
def test_mixture_and_stems_come_back_from_their_tracks(tmp_path, rate, channels):
    tones = [tone(hertz, rate=rate, channels=channels) for hertz in (300, 600, 900)]
    mixture = sum(tones)
    path = tmp_path / "a.stem.mp4"
    named = [(f"tone {index}", one.split(7000, dim=1)) for index, one in enumerate(tones)]
    write_stem_mp4(path, mixture.split(4000, dim=1), named, sample_rate=rate)
    for track, hertz in ((1, 300), (2, 600), (3, 900)):
        audio = read_audio(path, track=track)
        assert (audio.sample_rate, audio.n_channels) == (RATE, 2)
        assert abs(audio.n_samples - RATE) <= 2048
        middle = audio.samples[0, 10_000:30_000]
        peak = torch.fft.rfft(middle).abs().argmax() * RATE / len(middle)
        assert float(peak) == pytest.approx(hertz, abs=3)
        assert float(middle.abs().max()) == pytest.approx(0.2, rel=0.05)
    assert float(read_audio(path, track=4).samples.abs().max()) < 1e-3
    error = read_audio(path).samples[0, 10_000:30_000] - sum(
        read_audio(path, track=track).samples[0, 10_000:30_000] for track in (1, 2, 3)
    )
    assert float(error.abs().max()) < 0.05


def test_players_find_the_names(tmp_path):
    path = tmp_path / "a.stem.mp4"
    write_stem_mp4(path, [tone(300)], [("Drüms", [tone(300)])], sample_rate=RATE)
    told = json.loads(box(path.read_bytes(), b"moov", b"udta", b"stem"))
    assert told["version"] == 1
    assert [stem["name"] for stem in told["stems"]] == ["Drüms", "-", "-", "-"]
    assert all(stem["color"].startswith("#") for stem in told["stems"])
    assert told["mastering_dsp"]["limiter"]["enabled"] is False


def test_players_that_know_no_stems_play_the_mixture(tmp_path):
    path = tmp_path / "a.stem.mp4"
    write_stem_mp4(path, [tone(300)], [("a", [tone(300)])], sample_rate=RATE)
    with av.open(str(path)) as container:
        flags = [bool(_number(stream.disposition) & 1) for stream in container.streams.audio]
    assert flags == [True, False, False, False, False]


def test_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "a.stem.mp4"
    with pytest.raises(AudioWriteError, match="4 stems, not 5"):
        write_stem_mp4(path, [tone(300)], [("a", [tone(300)])] * 5, sample_rate=RATE)
    with pytest.raises(AudioWriteError, match="2 channels, not 3"):
        write_stem_mp4(path, [tone(300, channels=3)], [], sample_rate=RATE)
    with pytest.raises(AudioWriteError, match="cannot be written"):
        write_stem_mp4(tmp_path / "none" / "a.mp4", [tone(300)], [], sample_rate=RATE)


def _number(disposition):
    """Return a number for a set of flags: newer PyAV's are numbers, older ones have one."""
    return int(getattr(disposition, "value", disposition))
