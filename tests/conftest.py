"""What all tests share."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings

# Repeatable random examples, without deadlines that a busy machine would miss.
settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session")
def debug_weights(tmp_path_factory):
    """A weights file of the smallest network, with random weights."""
    from unbraid.zoo import debug_model, save_weights

    path = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_weights(debug_model(), path)
    return path


@pytest.fixture
def shipped(monkeypatch, debug_weights):
    """Make sure that there is a tuss-small to load: random weights take its place until it ships."""
    from unbraid import zoo

    if "tuss-small" not in zoo.ZOO:
        stand_in = replace(zoo.ZOO["tuss-debug"], name="tuss-small", file=str(debug_weights))
        monkeypatch.setitem(zoo.ZOO, "tuss-small", stand_in)
