"""The tree of errors is the one drawn at its top, and the exit code tells."""

import inspect

import pytest

from unbraid import errors
from unbraid.audio.segments import WindowLayout
from unbraid.cli import console
from unbraid.delivery import DeliveryOptions
from unbraid.delivery.names import NameTemplate
from unbraid.separation import Settings

ALL = [value for value in vars(errors).values() if inspect.isclass(value)]


def test_the_tree_is_the_one_that_is_drawn():
    depths = {}
    for line in errors.__doc__.splitlines():
        name = line.lstrip("│├└─ ").partition(" ")[0]
        if name in vars(errors):
            depths[name] = (len(line) - len(line.lstrip("│├└─ "))) // 4
    assert depths == {one.__name__: one.__mro__.index(errors.UnbraidError) for one in ALL}


@pytest.mark.parametrize(
    "refused",
    [
        lambda: Settings(overlap=0.95),
        lambda: Settings(precision="fp8"),
        lambda: DeliveryOptions(name_template="{track}"),
        lambda: NameTemplate("../{stem}"),
        lambda: WindowLayout(0),
    ],
)
def test_settings_that_cannot_be_are_misuse(refused):
    with pytest.raises(errors.SettingsError) as caught:
        refused()
    assert console.exit_code(caught.value) == console.MISUSED
    assert "\n" not in str(caught.value)
