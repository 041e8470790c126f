"""A listening test in a real browser: from trials to a page, from the page to answers, from answers to a verdict."""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.listening.answers import analyze
from unbraid.listening.questionnaire import PARTS, Written, write_test
from unbraid.listening.stimuli import Stimuli

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLAYWRIGHT = HERE.parents[1] / "studio" / "node_modules" / "playwright-core"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not PLAYWRIGHT.is_dir() or shutil.which("node") is None, reason="npm ci in studio/ comes first"),
]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    generator = torch.Generator().manual_seed(0)
    names = ("mixture", "reference", "anchor", "ours", "theirs")
    noise = [Audio(0.05 * torch.randn(2, 6 * 44_100, generator=generator), 44_100) for _ in names]
    sounds = dict(zip(names, noise, strict=True))
    trials = [Stimuli(title, sounds, -23.0, 0.0) for title in ("one", "two")]
    return write_test(trials, tmp_path / "test", parts=list(PARTS.values()), title="Which is best?")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(written: Written) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(written.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_address[1]}/index.html"
        found.shutdown()


def take(url: str, folder: Path) -> dict:
    folder.mkdir()
    command = ["node", str(HERE / "listening.mjs"), url, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("place", ["disk", "server"])
def test_a_person_takes_the_test(place: str, written: Written, server: str, tmp_path: Path) -> None:
    url = server if place == "server" else (written.folder / "index.html").as_uri()
    found = take(url, tmp_path / "downloads")
    assert found["problems"] == []
    assert found["pages"] == written.n_pages == 4
    answers = tmp_path / "downloads" / found["file"]
    assert found["file"] == "answers-zoë-test.json"
    analysis = analyze(written.key, [answers], screen=False)
    assert analysis.listeners[0].n_pages == 4
    ratings = {(one.part, one.method): one.mean.value for one in analysis.verdicts}
    assert set(ratings) == {("quality", name) for name in ("mixture", "reference", "anchor", "ours", "theirs")} | {
        ("timbre", name) for name in ("reference", "anchor", "ours", "theirs")
    }
    assert sum(value for (part, _), value in ratings.items() if part == "timbre") == 55 + 60 + 65 + 70
