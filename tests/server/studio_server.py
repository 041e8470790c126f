"""A real server on loopback, with the debug model, in a thread of the tests."""

import io
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import soundfile
import uvicorn

from unbraid.server.app import make_app
from unbraid.server.limits import Limits
from unbraid.server.run import StudioServer, open_socket
from unbraid.server.security import Door
from unbraid.server.studio import Studio, StudioOptions

RATE = 8000
PROMPTS = [{"kind": "prompts", "names": ["vocals", "drums"]}]


def wav_bytes(seconds=2.0, *, seed=0, channels=2, rate=RATE, subtype="PCM_16"):
    """Return noise as a file."""
    samples = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * rate), channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


@dataclass
class Client:
    """Requests to a server, and the few steps that all tests take."""

    http: httpx.Client
    data_dir: Path
    studio: object = None

    def get(self, where, status=200, **more):
        answer = self.http.get(where, **more)
        assert answer.status_code == status, answer.text
        return answer

    def post(self, where, status=201, **more):
        answer = self.http.post(where, **more)
        assert answer.status_code == status, answer.text
        return answer

    def refused(self, method, where, status, **more):
        """Return the error of a request that must be refused."""
        answer = self.http.request(method, where, **more)
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    def session(self, title="test"):
        return self.post("/api/sessions", json={"title": title}).json()["id"]

    def upload(self, session, data=None, name="song.wav", *, wait=True):
        data = wav_bytes() if data is None else data
        file = self.post(f"/api/sessions/{session}/files", params={"name": name}, content=data).json()
        return self.settled(file["id"]) if wait else file

    def settled(self, file):
        return self.until(f"/api/files/{file}", lambda one: one["state"] != "analyzing")

    def take(self, session, song, targets=PROMPTS, status=201, **more):
        body = {"song": song, "targets": targets, "model": "debug", **more}
        return self.post(f"/api/sessions/{session}/takes", status, json=body).json()

    def finished(self, take):
        return self.until(
            f"/api/takes/{take}", lambda one: all(job["state"] not in {"waiting", "running"} for job in one["jobs"])
        )

    def until(self, where, holds, seconds=600.0):
        deadline = time.monotonic() + seconds
        while not holds(found := self.get(where).json()):
            assert time.monotonic() < deadline, found
            time.sleep(0.03)
        return found


@contextmanager
def serving(data_dir, weights, *, door=None, headers=None, models_bytes=1 << 30, **limits):
    """Serve until the block ends."""
    options = StudioOptions(data_dir, models=(weights,), models_bytes=models_bytes, limits=Limits(**limits))
    studio = Studio(options)
    listening = open_socket("127.0.0.1", 0, is_fixed=True)
    port = listening.getsockname()[1]
    app = make_app(lambda: studio, door=door or Door(), port=port)
    server = StudioServer(uvicorn.Config(app, log_level="critical", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, headers=headers) as http:
            yield Client(http, data_dir, studio)
    finally:
        studio.bus.close()
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()
