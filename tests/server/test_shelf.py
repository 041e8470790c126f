"""Models stay in memory up to the limit, and as long as they are in use."""

import pytest

from unbraid.models.instglow import PRESETS, Instglow
from unbraid.server.shelf import ModelChoice, Shelf, bytes_of

MODEL = Instglow(PRESETS["instglow-debug"])
SIZE = bytes_of(MODEL)


class Loader:
    """Loads one small network under any name, and knows what was loaded."""

    def __init__(self):
        self.loaded = []

    def __call__(self, choice):
        self.loaded.append(choice.source)
        return Instglow(PRESETS["instglow-debug"])


def use(shelf, *names):
    for name in names:
        with shelf.lend(ModelChoice(name), n_bytes=SIZE):
            assert shelf.n_bytes <= 2 * SIZE


def test_bytes_are_those_of_the_tensors():
    assert bytes_of(MODEL) == 4 * sum(one.numel() for one in MODEL.parameters()) + sum(
        one.numel() * one.element_size() for one in MODEL.buffers()
    )


def test_the_one_that_rested_longest_goes():
    load = Loader()
    shelf = Shelf(load, most_bytes=2 * SIZE)
    use(shelf, "a", "b", "a", "c", "a", "b")
    assert load.loaded == ["a", "b", "c", "b"]
    assert (len(shelf), shelf.n_bytes) == (2, 2 * SIZE)


def test_what_is_in_use_stays():
    load = Loader()
    shelf = Shelf(load, most_bytes=SIZE)
    with shelf.lend(ModelChoice("a"), n_bytes=SIZE) as model:
        with shelf.lend(ModelChoice("b"), n_bytes=SIZE):
            assert len(shelf) == 2
        use(shelf, "c")
        with shelf.lend(ModelChoice("a"), n_bytes=SIZE) as again:
            assert again is model
    assert load.loaded == ["a", "b", "c"]
    use(shelf, "d")
    assert (len(shelf), shelf.n_bytes) == (1, SIZE)


def test_a_model_that_is_put_together_in_another_way_is_another_one():
    load = Loader()
    shelf = Shelf(load, most_bytes=9 * SIZE)
    for priors, search in ((None, None), (("vocals", "drums"), None), (None, "quick"), (None, None)):
        with shelf.lend(ModelChoice("a", priors, search), n_bytes=SIZE):
            pass
    assert len(shelf) == 3


def test_a_model_that_cannot_be_loaded_leaves_nothing():
    def fail(choice):
        raise OSError(choice.source)

    shelf = Shelf(fail, most_bytes=SIZE)
    with pytest.raises(OSError, match="a"):
        use(shelf, "a")
    assert len(shelf) == 0


def test_other_weights_in_place_of_the_old_ones_are_another_model():
    load = Loader()
    shelf = Shelf(load, most_bytes=2 * SIZE)
    for sha256 in ("old", "new", "new"):
        with shelf.lend(ModelChoice.of({}, "a", sha256), n_bytes=SIZE):
            pass
    assert load.loaded == ["a", "a"]
