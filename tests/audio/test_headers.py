import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio.headers import Family, family_of, missing_bytes, mp3_tag

KINDS = [
    ("WAV", "PCM_24", Family.WAV),
    ("RF64", "PCM_16", Family.WAV),
    ("AIFF", "PCM_16", Family.AIFF),
    ("FLAC", "PCM_16", Family.FLAC),
    ("OGG", "VORBIS", Family.OGG),
    ("OGG", "OPUS", Family.OGG),
    ("MP3", "MPEG_LAYER_III", Family.OTHER),
]


def recording(container: str, subtype: str) -> bytes:
    file = io.BytesIO()
    frames = np.random.default_rng(0).uniform(-0.5, 0.5, (30_001, 1))
    soundfile.write(file, frames, 48000, subtype=subtype, format=container)
    return file.getvalue()


@pytest.mark.parametrize(("container", "subtype", "family"), KINDS)
def test_whole_files_are_known_and_miss_nothing(container: str, subtype: str, family: Family) -> None:
    data = recording(container, subtype)
    assert family_of(data[:16]) is family
    assert not family.is_container
    assert missing_bytes(io.BytesIO(data), family) == 0


@pytest.mark.parametrize(("container", "subtype", "family"), [kind for kind in KINDS if kind[0] != "FLAC"])
def test_every_missing_end_is_noticed(container: str, subtype: str, family: Family) -> None:
    data = recording(container, subtype)
    for kept in np.linspace(len(data) // 8, len(data) - 2, 40, dtype=int):
        assert missing_bytes(io.BytesIO(data[:kept]), family) > 0


@pytest.mark.parametrize(
    ("head", "family"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0", Family.MP4),
        (b"\0\0\0\x08wide\0\0\0\0mdat", Family.MP4),
        (b"\x1a\x45\xdf\xa3" + bytes(12), Family.MATROSKA),
        (b"RIFF\0\0\0\0AVI LIST", Family.OTHER_CONTAINER),
        (b"\xff\xf1" + bytes(14), Family.OTHER_CONTAINER),
        (b"\xff\xf9" + bytes(14), Family.OTHER_CONTAINER),
    ],
)
def test_containers_are_known(head: bytes, family: Family) -> None:
    assert family_of(head) is family
    assert family.is_container


@pytest.mark.parametrize("head", [b"", b"\xff", b"\xff\xfb\x90\x64" + bytes(12), b"ID3\x04" + bytes(12), b"text"])
def test_the_rest_is_not(head: bytes) -> None:
    assert family_of(head) is Family.OTHER


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400), family=st.sampled_from(Family))
def test_any_bytes_are_survived(data: bytes, family: Family) -> None:
    family_of(data[:16])
    assert missing_bytes(io.BytesIO(data), family) >= 0


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (box(b"ftyp", b"M4A ") + box(b"mdat", bytes(50)), 0),
        ((box(b"ftyp", b"M4A ") + box(b"mdat", bytes(50)))[:-7], 7),
        (box(b"ftyp", b"M4A ") + struct.pack(">I4sQ", 1, b"mdat", 1 << 33) + bytes(10), (1 << 33) - 26),
        (box(b"ftyp", b"M4A ") + struct.pack(">I4s", 0, b"mdat") + bytes(10), 0),  # reaches to the end of the file
        (box(b"ftyp", b"M4A ") + b"\0\0\0\x03junk" + bytes(10), 0),
    ],
)
def test_boxes_of_mp4(data: bytes, missing: int) -> None:
    assert missing_bytes(io.BytesIO(data), Family.MP4) == missing


EBML = b"\x1a\x45\xdf\xa3\x84" + bytes(4)
SEGMENT = b"\x18\x53\x80\x67"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (EBML + SEGMENT + b"\x8a" + bytes(10), 0),
        (EBML + SEGMENT + b"\x8a" + bytes(6), 4),
        (EBML + SEGMENT + b"\x01\0\0\0\0\0\x01\0" + bytes(250), 6),
        (EBML + SEGMENT + b"\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(6), 0),  # length unknown
        (EBML, 0),
    ],
)
def test_elements_of_matroska(data: bytes, missing: int) -> None:
    assert missing_bytes(io.BytesIO(data), Family.MATROSKA) == missing


def test_tag_of_mp3_behind_the_names_of_song_and_artist() -> None:
    data = recording("MP3", "MPEG_LAYER_III")
    start, n_frames, n_bytes = mp3_tag(io.BytesIO(data))
    assert start == 0
    assert n_frames is not None
    assert 30_001 <= n_frames * 1152 <= 30_001 + 4 * 1152
    assert n_bytes == len(data)
    titled = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + data
    assert mp3_tag(io.BytesIO(titled)) == (267, n_frames, n_bytes)
    assert mp3_tag(io.BytesIO(data[data.index(data[:2], 100) :])) == (0, None, None)


def test_tag_of_mp3_that_promises_more_frames_than_fit() -> None:
    data = bytearray(recording("MP3", "MPEG_LAYER_III"))
    at = max(data.find(b"Xing"), data.find(b"Info"))
    data[at + 8 : at + 12] = b"\x7f\xff\xff\xff"
    assert missing_bytes(io.BytesIO(data), Family.OTHER) > 1 << 32
