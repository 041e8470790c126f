from pathlib import Path

import pytest

from unbraid.audio.encoding import Encoding, check_holds, output_encoding
from unbraid.errors import AudioWriteError


@pytest.mark.parametrize(
    ("source", "container", "depth", "expected"),
    [
        (("wav", "16"), None, None, ("wav", "16")),
        (("wav", "24"), None, None, ("wav", "24")),
        (("wav", "float"), None, "16", ("wav", "16")),
        (("wav", "16"), "flac", None, ("flac", "16")),
        (("wav", "24"), "flac", None, ("flac", "24")),
        (("wav", "float"), "flac", None, ("flac", "24")),
        (("wav", "24"), "mp3", None, ("mp3", "-")),
        (("wav", "24"), "ogg", None, ("ogg", "-")),
        (("mp3", "-"), "wav", None, ("wav", "float")),
    ],
)
def test_outputs_are_like_the_input_unless_asked(
    source: tuple[str, str], container: str | None, depth: str | None, expected: tuple[str, str]
) -> None:
    assert output_encoding(Encoding(*source), container=container, depth=depth) == Encoding(*expected)


@pytest.mark.parametrize(
    ("container", "depth"), [("flac", "float"), ("mp3", "16"), ("ogg", "24"), ("wav", "8"), ("aac", None), ("", "32")]
)
def test_impossible_wishes_are_refused(container: str, depth: str | None) -> None:
    with pytest.raises(AudioWriteError):
        output_encoding(Encoding("wav", "16"), container=container, depth=depth)


@pytest.mark.parametrize(("container", "depth"), [("aac", "16"), ("wav", "8"), ("flac", "float"), ("mp3", "16")])
def test_formats_that_do_not_exist(container: str, depth: str) -> None:
    with pytest.raises(AudioWriteError, match=r"use|leave"):
        Encoding(container, depth)


@pytest.mark.parametrize(
    ("encoding", "full_scale", "suffix"),
    [
        (Encoding("wav", "16"), 1 << 15, ".wav"),
        (Encoding("flac", "24"), 1 << 23, ".flac"),
        (Encoding("wav", "float"), None, ".wav"),
        (Encoding("mp3", "-"), None, ".mp3"),
    ],
)
def test_what_an_encoding_knows_of_itself(encoding: Encoding, full_scale: int | None, suffix: str) -> None:
    assert encoding.suffix == suffix
    assert encoding.is_integer is (full_scale is not None)
    if full_scale is not None:
        assert encoding.full_scale == full_scale


@pytest.mark.parametrize(
    ("encoding", "sample_rate", "n_channels"),
    [
        (Encoding("mp3", "-"), 44100, 2),
        (Encoding("ogg", "-"), 44056, 8),
        (Encoding("flac", "16"), 96_000, 8),
        (Encoding("flac", "16"), 44_101, 1),
        (Encoding("wav", "16"), 192_000, 8),
    ],
)
def test_what_fits_passes(encoding: Encoding, sample_rate: int, n_channels: int) -> None:
    check_holds(Path("a"), encoding, sample_rate=sample_rate, n_channels=n_channels)


@pytest.mark.parametrize(
    ("encoding", "sample_rate", "n_channels"),
    [
        (Encoding("mp3", "-"), 96_000, 2),
        (Encoding("mp3", "-"), 44_100, 3),
        (Encoding("ogg", "-"), 44_100, 6),
        (Encoding("flac", "16"), 96_001, 1),
        (Encoding("wav", "16"), 192_001, 1),
        (Encoding("wav", "16"), 7_999, 1),
        (Encoding("wav", "16"), 44_100, 9),
        (Encoding("wav", "16"), 44_100, 0),
    ],
)
def test_what_does_not_fit_is_refused_with_a_cure(encoding: Encoding, sample_rate: int, n_channels: int) -> None:
    with pytest.raises(AudioWriteError, match=r"^a: .*: use ") as caught:
        check_holds(Path("a"), encoding, sample_rate=sample_rate, n_channels=n_channels)
    assert "\n" not in str(caught.value)
