"""Which jobs a worker takes at a time, and who is to blame when it ends."""

from pathlib import Path

import pytest
from studio_server import serving, wav_bytes

from unbraid.server.jobs import LONG_SECONDS, TRUSTED_SECONDS, WHOLE_SONGS, _live_of, _Station
from unbraid.server.records import JobRow
from unbraid.server.shelf import ModelChoice
from unbraid.server.sounds import SoundFormat
from unbraid.server.worker import Order

RATE = 100
MUCH = 10**9


def job(session="s", region=None, attempts=0):
    start, stop = region or (None, None)
    return JobRow("", "", session, session, region_start=start, region_stop=stop, attempts=attempts)


def live(session="s", *, seconds=180.0, model="a", model_bytes=1, region=None, attempts=0):
    sound = SoundFormat(RATE, 1, round(seconds * RATE))
    order = Order(session, Path(), Path(), sound, {}, [], ModelChoice(model), model_bytes, {}, region)
    return _live_of(job(session, region, attempts), order)


def station(*running):
    return _Station("cpu", process=object(), running={str(number): one for number, one in enumerate(running)})


def test_whole_songs_are_of_as_many_sessions():
    assert station().has_room(job("a"))
    assert station(live("a")).has_room(job("b"))
    assert not station(live("a")).has_room(job("a")), "one session has one turn"
    assert not station(*(live(str(number)) for number in range(WHOLE_SONGS))).has_room(job("b"))


def test_a_short_region_has_a_place_of_its_own():
    assert station(*(live(str(number)) for number in range(WHOLE_SONGS))).has_room(job("a", (0.0, 1.0)))
    assert not station(live("a", region=(0.0, 1.0))).has_room(job("b", (0.0, 1.0)))
    assert not station(live("a")).has_room(job("a", (0.0, 3600.0))), "an hour is no short region"


def test_what_a_process_ended_under_runs_alone_until_it_is_trusted():
    assert not station(live("a")).has_room(job("b", attempts=1)), "it waits for the others"
    suspect = live("a", attempts=1)
    assert not station(suspect).has_room(job("b")), "and nobody goes down with it"
    suspect.n_final = round(TRUSTED_SECONDS * RATE)
    assert station(suspect).has_room(job("b")), "three hours of it are not waited for"


def test_three_long_songs_leave_a_place_for_others():
    long = [live(str(number), seconds=3 * 3600.0) for number in range(WHOLE_SONGS - 1)]
    assert not station(*long).admits(live("x", seconds=LONG_SECONDS + 1), models_bytes=MUCH)
    assert station(*long).admits(live("x", seconds=LONG_SECONDS), models_bytes=MUCH)
    assert station(*long[1:]).admits(live("x", seconds=LONG_SECONDS + 1), models_bytes=MUCH)


def test_models_of_songs_that_take_turns_have_room_beside_each_other():
    busy = station(live("a", model="a", model_bytes=60))
    assert busy.admits(live("b", model="a", model_bytes=60), models_bytes=100), "it is the same one"
    assert not busy.admits(live("b", model="b", model_bytes=60), models_bytes=100)
    assert not busy.has_room(job("c")), "nobody slips past who waits for room"
    assert busy.admits(live("b", model="b", model_bytes=60, region=(0.0, 1.0)), models_bytes=100)
    assert station().admits(live("b", model="b", model_bytes=600), models_bytes=100), "alone, any model will do"


def test_a_short_song_does_not_wait_for_long_ones(start, monkeypatch):
    monkeypatch.setattr("unbraid.server.jobs.LONG_SECONDS", 60.0)
    with start() as server:
        whole = []
        for seed in range(WHOLE_SONGS):
            session = server.session()
            song = server.upload(session, wav_bytes(120.0, seed=seed, channels=1))["id"]
            whole.append(server.take(session, song)["jobs"][0]["id"])
        session = server.session()
        short = server.upload(session, wav_bytes(2.0, seed=9))["id"]
        [job] = server.finished(server.take(session, short)["id"])["jobs"]
        states = [server.get(f"/api/jobs/{one}").json()["state"] for one in whole]
        assert (job["state"], states) == ("done", [*["running"] * (WHOLE_SONGS - 1), "waiting"])
        for one in reversed(whole):
            server.post(f"/api/jobs/{one}/cancel", 200)


def test_only_what_had_its_turn_is_to_blame(start):
    with start() as server:
        songs = []
        for seed in (1, 2):
            session = server.session()
            song = server.upload(session, wav_bytes(120.0, seed=seed))["id"]
            songs.append(server.take(session, song)["jobs"][0]["id"])
        for song in songs:
            server.until(f"/api/jobs/{song}", lambda one: one["final_samples"] > 0)
        [place] = server.studio.scheduler._stations
        process = place.process
        process.kill()
        server.until("/health", lambda one: one["status"] == "ok" and place.process is not process)
        attempts = [server.studio.store.job(song).attempts for song in songs]
        running = [server.studio.store.job(song).state == "running" for song in songs]
        assert sorted(attempt - is_on for attempt, is_on in zip(attempts, running, strict=True)) == [0, 1]
        for song in songs:
            server.post(f"/api/jobs/{song}/cancel", 200)


@pytest.mark.parametrize("limit", [1, 10**8])
def test_models_in_memory_are_told(tmp_path, debug_weights, limit):
    with serving(tmp_path, debug_weights, models_bytes=limit) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(0.5))["id"]
        server.finished(server.take(session, song)["id"])
        targets = [{"kind": "examples", "positive": [{"file": song}]}]
        server.finished(server.take(session, song, targets, model="few-shot-small")["id"])
        lines = server.get("/metrics").text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert values['unbraid_models_loaded{device="cpu"}'] == ("1" if limit == 1 else "2")
        assert float(values['unbraid_models_bytes{device="cpu"}']) > 1e6
        assert values["unbraid_models_limit_bytes"] == str(limit)
