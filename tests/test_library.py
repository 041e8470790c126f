"""The user's library: what can be a file's name in it (where it lies is tested with the labels in it)."""

import pytest

from unbraid.library import is_file_name


@pytest.mark.parametrize("name", ["riff", "Gitarre 2", "ギター", "a", "x" * 100])
def test_names(name):
    assert is_file_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "AC/DC", "a\\b", " riff", "riff.", "a\nb", "x" * 101, "é" * 51, "caf\udce9"]
)
def test_what_is_no_name(name):
    assert not is_file_name(name)
