"""Many people at one studio: what fails, how long they wait, and whether the server grows.

    python benchmarks/soak.py --sessions 50 --rounds 2 --seconds 600

Starts `unbraid studio` on loopback with the smallest network and random weights, and lets sessions come and go, a few
at a time: upload, events, a region, the whole song, tiles, downloads, the same again from the cache, and removal. Ends
after the rounds; when the time is over, no more sessions come. The memory is that of the server and all its processes,
after each round.
"""

import argparse
import io
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import soundfile

from unbraid.zoo import debug_model, save_weights

RATE = 8000
TARGETS = [{"kind": "prompts", "names": ["vocals", "drums"]}]
MEGABYTE = 1 << 20
GRACE_SECONDS = 120


@dataclass
class Tally:
    """What all sessions met; shared by threads."""

    errors: list[str] = field(default_factory=list)
    region_seconds: list[float] = field(default_factory=list)
    session_seconds: list[float] = field(default_factory=list)
    n_events: int = 0
    n_requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitor:
    """One session from its beginning to its end."""

    def __init__(self, address: str, number: int, tally: Tally, deadline: float) -> None:
        self._http = httpx.Client(base_url=address, timeout=120)
        self._number = number
        self._tally = tally
        self._deadline = deadline

    def run(self) -> None:
        """Do it all, and note what fails."""
        began = time.monotonic()
        if began > self._deadline:
            return
        try:
            with self._http:
                self._visit()
        except Exception as error:
            with self._tally.lock:
                self._tally.errors.append(f"session {self._number}: {type(error).__name__}: {error}")
        with self._tally.lock:
            self._tally.session_seconds.append(time.monotonic() - began)

    def _ask(self, method: str, where: str, **more: object) -> httpx.Response:
        answer = self._http.request(method, where, **more)
        with self._tally.lock:
            self._tally.n_requests += 1
        answer.raise_for_status()
        return answer

    def _visit(self) -> None:
        session = self._ask("POST", "/api/sessions", json={"title": f"visitor {self._number}"}).json()["id"]
        listening = threading.Thread(target=self._listen, args=(session,))
        listening.start()
        song = self._ask(
            "POST", f"/api/sessions/{session}/files", params={"name": "song.wav"}, content=noise(self._number)
        ).json()["id"]
        body = {
            "song": song,
            "targets": TARGETS,
            "model": "debug",
            "region": {"start": 0.5, "stop": 1.0},
            "whole": True,
        }
        began = time.monotonic()
        take = self._ask("POST", f"/api/sessions/{session}/takes", json=body).json()
        region, whole = (job["id"] for job in take["jobs"])
        self._wait(region)
        with self._tally.lock:
            self._tally.region_seconds.append(time.monotonic() - began)
        for name in ("peaks", "spectrogram"):
            self._ask("GET", f"/api/sounds/{song}/{name}/0/0")
            self._ask("GET", f"/api/sounds/{region}-0/{name}/0/0")
        self._ask("GET", f"/api/sounds/{region}-0/audio", headers={"range": "bytes=0-999"})
        self._wait(whole)
        self._ask("GET", f"/api/jobs/{whole}/zip", params={"format": "flac"})
        again = self._ask("POST", f"/api/sessions/{session}/takes", json=body).json()
        assert all(job["cached"] for job in again["jobs"]), "the cache does not answer"
        self._ask("DELETE", f"/api/sessions/{session}")
        listening.join(60)
        assert not listening.is_alive(), "the connection for events does not end"

    def _listen(self, session: str) -> None:
        """Count events until the session is gone."""
        with suppress(httpx.TransportError), self._http.stream("GET", f"/api/sessions/{session}/events") as answer:
            for line in answer.iter_lines():
                with self._tally.lock:
                    self._tally.n_events += line.startswith("event: ")
                if line.startswith("data: ") and '"kind":"session"' in line:
                    return

    def _wait(self, job: str) -> None:
        while (found := self._ask("GET", f"/api/jobs/{job}").json())["state"] in {"waiting", "running"}:
            assert time.monotonic() < self._deadline + GRACE_SECONDS, f"a job is still {found['state']}"
            time.sleep(0.2)
        assert found["state"] == "done", found["error"]


def noise(seed: int) -> bytes:
    """Return two seconds of noise as a file."""
    buffer = io.BytesIO()
    samples = np.random.default_rng(seed).normal(0, 0.1, (2 * RATE, 2))
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@contextmanager
def studio(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a server; yield its address and its process."""
    save_weights(debug_model(), folder / "debug.safetensors")
    words = ["--no-browser", "--port", "0", "--device", "cpu", "--data-dir", str(folder / "data")]
    process = subprocess.Popen(
        [sys.executable, "-m", "unbraid", "studio", *words, "--model", str(folder / "debug.safetensors")],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            raise SystemExit(line + process.stderr.read())
        yield match[0], process.pid
    finally:
        process.terminate()
        print("the server ended with", process.wait(60), process.stderr.read().strip())


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and of all below it; what they share is counted once, by its share (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return own + sum(resident_bytes(int(child)) for child in children)


def main() -> None:
    """Print what happened, and fail if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=600.0)
    arguments = parser.parse_args()
    tally, deadline = Tally(), time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory() as name, studio(Path(name)) as (address, pid):
        print(f"{'round':>5}  {'sessions':>8}  {'errors':>6}  {'memory':>10}")
        print(f"{'-':>5}  {0:>8}  {0:>6}  {resident_bytes(pid) / MEGABYTE:>6.0f} MiB")
        for turn in range(arguments.rounds):
            if time.monotonic() > deadline:
                break
            with ThreadPoolExecutor(arguments.at_once) as pool:
                for number in range(turn * arguments.sessions, (turn + 1) * arguments.sessions):
                    pool.submit(Visitor(address, number, tally, deadline).run)
            n_done = len(tally.session_seconds)
            print(f"{turn:>5}  {n_done:>8}  {len(tally.errors):>6}  {resident_bytes(pid) / MEGABYTE:>6.0f} MiB")
        left = httpx.get(f"{address}api/sessions").json()
        kept = sum(path.stat().st_size for path in Path(name, "data").rglob("*") if path.is_file())
        print(f"left behind: {len(left)} sessions, {kept / MEGABYTE:.1f} MiB in the data folder")
    print(f"{tally.n_requests} requests, {tally.n_events} events")
    if tally.region_seconds:
        print(f"region heard after {statistics.median(tally.region_seconds):.1f} s (median)")
    for error in tally.errors:
        print(error)
    raise SystemExit(1 if tally.errors or left else 0)


if __name__ == "__main__":
    main()
