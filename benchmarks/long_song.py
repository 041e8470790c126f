"""A song of hours in the studio: how long it takes to be read, with how much memory, and whether every zoom is there.

    python benchmarks/long_song.py --hours 3 [--keep song.flac]

Starts `unbraid studio` on loopback, uploads a mono FLAC file of 8 kHz in which a click sounds once a minute, and asks
for all tiles of waveform and spectrogram, from the closest to the farthest, and for samples from the end. Seconds are
those of the processor, which other programs on the machine do not lengthen; the memory is the most that was held by the
process that read the song.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import soundfile
from soak import MEGABYTE, studio

RATE = 8000
LOUD = 0.5


class Watch:
    """The most memory, and the time on the processor, of the youngest process of a server while it reads a song."""

    def __init__(self, pid: int) -> None:
        self._known = set(below(pid))
        self._pid = pid
        self._done = threading.Event()
        self.most_bytes = 0
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            for pid in set(below(self._pid)) - self._known:
                try:
                    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
                except OSError:
                    continue
                held = next((int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line), 0)
                self.most_bytes = max(self.most_bytes, held)
                self.seconds = max(self.seconds, (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"))


def below(pid: int) -> list[int]:
    """Return the processes below one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [one for child in map(int, children) for one in (child, *below(child))]


def write_song(path: Path, n_minutes: int) -> None:
    """Write minutes of silence, each of which begins with a click."""
    minute = np.zeros(60 * RATE, np.float32)
    minute[:80] = LOUD
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        for _ in range(n_minutes):
            file.write(minute)


def all_tiles(http: httpx.Client, song: str, about: dict[str, dict[str, float]]) -> dict[str, object]:
    """Ask for every tile, and hold the number of bins and the clicks against what was uploaded."""
    document = http.get(f"/api/sounds/{song}").json()
    waits, n_bytes, n_tiles = [], 0, 0
    for what, per_tile in (
        ("peaks", about["peaks"]["bins_per_tile"]),
        ("spectrogram", about["spectrogram"]["frames_per_tile"]),
    ):
        for level in document[what]:
            n_heard = 0
            for tile in range(-(-level["count"] // int(per_tile))):
                began = time.perf_counter()
                answer = http.get(f"/api/sounds/{song}/{what}/{level['level']}/{tile}").raise_for_status()
                waits.append(time.perf_counter() - began)
                n_tiles, n_bytes = n_tiles + 1, n_bytes + len(answer.content)
                if what == "peaks":
                    n_heard += int((np.frombuffer(answer.content, "<i2").reshape(-1, 2)[:, 1] > 16_000).sum())
            if what == "peaks":
                width = int(about["peaks"]["samples_per_bin"] * about["peaks"]["factor"] ** level["level"])
                clicks = {first // width for first in range(0, document["n_samples"], 60 * RATE)}
                assert n_heard == len(clicks), f"{n_heard} of {len(clicks)} clicks at level {level['level']}"
    return {
        "tiles": n_tiles,
        "tile_mebibytes": round(n_bytes / MEGABYTE, 1),
        "tile_ms_median": round(1000 * statistics.median(waits), 2),
        "farthest_bins": document["peaks"][-1]["count"],
    }


def measure(address: str, pid: int, song: Path, n_minutes: int) -> dict[str, object]:
    """Upload the song and look at all of it."""
    with httpx.Client(base_url=address, timeout=600) as http:
        about = http.get("/api/about").json()
        session = http.post("/api/sessions", json={}).json()["id"]
        watch, began = Watch(pid), time.monotonic()
        with song.open("rb") as data:
            file = http.post(f"/api/sessions/{session}/files", params={"name": "long.flac"}, content=data).json()
        while file["state"] == "analyzing":
            time.sleep(0.2)
            file = http.get(f"/api/files/{file['id']}").json()
        watch.stop()
        assert file["state"] == "ready", file["error"]
        assert file["n_samples"] == n_minutes * 60 * RATE
        last = {"start": file["n_samples"] - 60 * RATE, "stop": file["n_samples"] - 60 * RATE + 100}
        samples = np.frombuffer(http.get(f"/api/sounds/{file['id']}/samples", params=last).content, "<f4")
        assert np.all(samples[:80] > 0.49), "the last click is not where it was"
        assert not samples[80:].any(), "there is sound where there was none"
        return {
            "minutes": n_minutes,
            "read_after_s": round(time.monotonic() - began, 1),
            "processor_s": round(watch.seconds, 1),
            "most_mebibytes": round(watch.most_bytes / MEGABYTE),
            "stored_mebibytes": round(http.get(f"/api/sessions/{session}").json()["stored_bytes"] / MEGABYTE),
            **all_tiles(http, file["id"], about),
        }


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--keep", type=Path, help="keep the song, for node e2e/long.mjs in studio/")
    arguments = parser.parse_args()
    n_minutes = round(60 * arguments.hours)
    with tempfile.TemporaryDirectory() as name, studio(Path(name)) as (address, pid):
        song = arguments.keep or Path(name, "long.flac")
        write_song(song, n_minutes)
        print(json.dumps(measure(address, pid, song, n_minutes), indent=1))


if __name__ == "__main__":
    main()
