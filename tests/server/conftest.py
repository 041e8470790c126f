"""A real server on loopback, with the debug model."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.importorskip("fastapi", reason="needs unbraid[studio]")
pytest.importorskip("httpx", reason="needs httpx")

from studio_server import serving


@pytest.fixture(scope="session")
def server(tmp_path_factory, debug_weights):
    """A server that many tests share; none of them relies on what others have left there."""
    with serving(tmp_path_factory.mktemp("studio"), debug_weights) as client:
        yield client


@pytest.fixture
def start(tmp_path, debug_weights):
    """Start servers with limits, doors or data folders of a test's own."""

    def begin(data_dir=None, **options):
        return serving(data_dir or tmp_path / "studio", debug_weights, **options)

    return begin
