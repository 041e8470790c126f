"""What all tests share."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# Repeatable random examples, without deadlines that a busy machine would miss.
settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def hears_interrupts():
    """Hear Ctrl-C, also in a background job of a shell, which is started deaf to it and would pass that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def malloc(monkeypatch):
    """Leave malloc as it is: what commands ask of it would hold for all tests that follow in this process."""
    asked = []
    monkeypatch.setattr("unbraid.allocator.keep_freed_memory", lambda: asked.append(True))
    return asked


@pytest.fixture(scope="session")
def debug_weights(tmp_path_factory):
    """A weights file of the smallest network, with random weights."""
    from unbraid.zoo import debug_model, save_weights

    path = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_weights(debug_model(), path)
    return path
