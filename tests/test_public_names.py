"""The public names are these, and nothing else."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import unbraid

PUBLIC = [
    "Audio",
    "AudioError",
    "AudioReadError",
    "AudioWriteError",
    "Cancelled",
    "DatasetError",
    "Examples",
    "GuideError",
    "Label",
    "Mask",
    "Mimicry",
    "ModelError",
    "Prompts",
    "RecipeError",
    "Sampling",
    "Score",
    "Separation",
    "Settings",
    "SettingsError",
    "Span",
    "Target",
    "UnbraidError",
    "WrongRootError",
    "__version__",
    "load_model",
    "separate",
    "separate_stream",
]


def test_the_list():
    assert sorted(unbraid.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(unbraid))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_documented(name):
    value = getattr(unbraid, name)
    if name != "__version__":
        assert inspect.getdoc(value)
        assert value.__name__ == name


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = unbraid.nonsense


def test_type_checkers_see_the_same_homes():
    tree = ast.parse(Path(unbraid.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == unbraid._HOMES


def test_every_error_of_ours_is_public():
    errors = importlib.import_module("unbraid.errors")
    ours = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert ours <= set(unbraid.__all__)
