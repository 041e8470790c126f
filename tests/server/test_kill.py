"""kill -9 at any point loses no session and no finished result; what was under way is done after the next start."""

import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from studio_server import Client, wav_bytes


@contextmanager
def running(data_dir, weights):
    """Run `unbraid studio` as its user does; yield the process and a client."""
    words = ["studio", "--no-browser", "--port", "0", "--data-dir", str(data_dir), "--model", str(weights)]
    process = subprocess.Popen(
        [sys.executable, "-m", "unbraid", *words, "--device", "cpu"], stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stderr.readline()
        match = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert match, line + process.stderr.read()
        with httpx.Client(base_url=match[0], timeout=600) as http:
            yield process, Client(http, data_dir)
    finally:
        process.kill()
        process.wait(30)
        process.stderr.close()


def descendants(pid):
    """Return the processes below one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return set()
    return {int(child) for child in children} | {one for child in children for one in descendants(child)}


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(process):
    """Kill a server, and see that all its processes follow."""
    below = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    deadline = time.monotonic() + 120
    while any(is_there(pid) for pid in below):
        assert time.monotonic() < deadline, "processes are left behind"
        time.sleep(0.05)


def test_nothing_is_lost(tmp_path, debug_weights):
    with running(tmp_path, debug_weights) as (process, server):
        session = server.session("kept")
        song = server.upload(session)["id"]
        done = server.finished(server.take(session, song)["id"])
        samples = server.get(f"/api/jobs/{done['jobs'][0]['id']}/stems/0").content
        long = server.upload(session, wav_bytes(60.0, seed=1))["id"]
        under_way = server.take(session, long, region={"start": 0, "stop": 5}, whole=True)
        whole = under_way["jobs"][1]["id"]
        server.until(f"/api/jobs/{whole}", lambda one: one["final_samples"] > 0)
        fresh = server.upload(session, wav_bytes(30.0, seed=2), wait=False)["id"]
        lesson = {"name": "riff", "model": "debug", "positive": [{"file": song}]}
        taught = server.post(f"/api/sessions/{session}/files/taught", json=lesson).json()["id"]
        server.until(f"/api/files/{taught}", lambda one: one["progress"] > 0, 300)
        kill(process)
    with running(tmp_path, debug_weights) as (process, server):
        document = server.get(f"/api/sessions/{session}").json()
        assert document["title"] == "kept"
        assert [one["id"] for one in document["files"]] == [song, long, fresh, taught]
        assert document["takes"][0] == done
        assert server.get(f"/api/jobs/{done['jobs'][0]['id']}/stems/0").content == samples
        assert server.settled(fresh)["state"] == "ready"
        assert server.get(f"/api/files/{taught}").json()["state"] == "teaching", "it is taught again"
        server.until(f"/api/files/{taught}", lambda one: one["progress"] > 0, 300)
        server.http.delete(f"/api/files/{taught}")
        again = server.until(f"/api/jobs/{whole}", lambda one: one["state"] in {"running", "done"})
        assert again["error"] is None
        region = server.until(f"/api/takes/{under_way['id']}", lambda one: one["jobs"][0]["state"] == "done")
        assert region["jobs"][0]["final_samples"] > 0
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert not process.stderr.read()


def test_a_worker_that_dies_is_replaced_and_its_job_run_again(start):
    with start() as server:
        session = server.session()
        song = server.upload(session, wav_bytes(20.0, seed=3))["id"]
        take = server.take(session, song)
        job = take["jobs"][0]["id"]
        server.until(f"/api/jobs/{job}", lambda one: one["final_samples"] > 0)
        [station] = server.studio.scheduler._stations
        station.process.kill()
        server.until("/health", lambda one: one["status"] == "ok" and server.studio.scheduler.n_restarts == 1)
        server.until(f"/api/jobs/{job}", lambda one: one["final_samples"] > 0)
        for _ in range(2):  # three times are enough
            process = station.process
            process.kill()
            server.until("/health", lambda one: one["status"] == "ok" and station.process is not process)  # noqa: B023
            server.until(f"/api/jobs/{job}", lambda one: one["state"] == "failed" or one["final_samples"] > 0)
        found = server.get(f"/api/jobs/{job}").json()
        assert found["state"] == "failed"
        assert "ended 3 times" in found["error"]
        other = server.upload(session, wav_bytes(0.5, seed=4))["id"]
        assert server.finished(server.take(session, other)["id"])["jobs"][0]["state"] == "done"


@pytest.mark.slow
def test_a_hundred_seconds_of_kills(tmp_path, debug_weights):
    dice = random.Random(0)
    promised = {}
    for turn in range(8):
        with running(tmp_path, debug_weights) as (process, server):
            for session, takes in promised.items():
                document = server.get(f"/api/sessions/{session}").json()
                assert [one["id"] for one in document["takes"]] == takes
            session = server.session(f"turn {turn}")
            promised[session] = []
            stop = time.monotonic() + dice.uniform(0.5, 5)
            while time.monotonic() < stop:
                song = server.upload(session, wav_bytes(dice.uniform(0.2, 3), seed=turn), wait=False)["id"]
                promised[session].append(server.take(session, song)["id"])
            kill(process)
    with running(tmp_path, debug_weights) as (_, server):
        for takes in promised.values():
            for take in takes:
                assert server.finished(take)["jobs"][0]["state"] == "done"
