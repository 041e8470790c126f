import sys

import pytest

from unbraid.errors import RecipeError
from unbraid.training.place import Place, make_fabric


def test_unknown_devices_and_missing_fabric_are_explained(monkeypatch):
    with pytest.raises(RecipeError, match="device 'abacus' cannot be used"):
        make_fabric("fp32", Place("abacus"))
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(RecipeError, match=r"pip install 'unbraid\[train\]'"):
        make_fabric("fp32", Place("cpu"))
