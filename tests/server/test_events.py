"""Server-sent events: a snapshot, then what changes; slow listeners hold nothing up."""

import asyncio
import json
import threading
import time

import pytest
from studio_server import wav_bytes

from unbraid.server.events import Bus, stream
from unbraid.server.refusals import QuotaExceeded, Stopping


def read_events(answer, *, until, seconds=600):
    """Return the events of a connection up to the first one that holds."""
    events, name, deadline = [], None, time.monotonic() + seconds
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            events.append((name, json.loads(line[6:])))
            if until(*events[-1]):
                return events
        assert time.monotonic() < deadline, events
    return events


def test_a_session_is_told_from_upload_to_stems(server):
    session = server.session()
    with server.http.stream("GET", f"/api/sessions/{session}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        song = server.upload(session, wav_bytes(2.0, seed=20))["id"]
        take = server.take(session, song)
        events = read_events(answer, until=lambda name, told: name == "job" and told["state"] == "done")
    assert events[0][0] == "snapshot"
    assert (events[0][1]["id"], events[0][1]["files"]) == (session, [])
    told = {name for name, _ in events}
    assert {"snapshot", "file", "take", "job"} <= told
    assert [one["state"] for name, one in events if name == "file"][-1] == "ready"
    jobs = [one for name, one in events if name == "job"]
    assert jobs[-1] == server.get(f"/api/takes/{take['id']}").json()["jobs"][0]
    assert [one["progress"] for one in jobs] == sorted(one["progress"] for one in jobs)


def test_a_new_connection_begins_with_everything(server):
    session = server.session("again")
    song = server.upload(session)["id"]
    take = server.finished(server.take(session, song)["id"])
    with server.http.stream("GET", f"/api/sessions/{session}/events") as answer:
        [(name, snapshot)] = read_events(answer, until=lambda *_: True)
    assert name == "snapshot"
    assert snapshot == server.get(f"/api/sessions/{session}").json()
    assert snapshot["takes"] == [take]


def test_changes_and_removals_are_told(server):
    session = server.session()
    with server.http.stream("GET", f"/api/sessions/{session}/events") as answer:
        file = server.upload(session, wav_bytes(0.2))["id"]
        server.http.patch(f"/api/sessions/{session}", json={"title": "new", "page": {"zoom": 3}})
        server.http.delete(f"/api/files/{file}")
        events = read_events(answer, until=lambda name, _: name == "gone")
    assert ("gone", {"kind": "file", "id": file}) in events
    assert [one["title"] for name, one in events if name == "session"] == ["new"]
    assert server.get(f"/api/sessions/{session}").json()["page"] == {"zoom": 3}


def test_a_session_hears_nothing_of_others(server):
    session, other = server.session(), server.session()
    with server.http.stream("GET", f"/api/sessions/{session}/events") as answer:
        server.upload(other)
        server.http.patch(f"/api/sessions/{session}", json={"title": "own"})
        events = read_events(answer, until=lambda name, _: name == "session")
    assert [name for name, _ in events] == ["snapshot", "session"]


def test_those_who_leave_are_forgotten(server):
    session = server.session()
    for _ in range(3):
        with server.http.stream("GET", f"/api/sessions/{session}/events") as answer:
            read_events(answer, until=lambda *_: True)
    deadline = time.monotonic() + 120
    while server.studio.bus.has_listeners(session):
        server.http.patch(f"/api/sessions/{session}", json={"title": "x"})
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_page_may_not_keep_too_much(server):
    where = f"/api/sessions/{server.session()}"
    error = server.refused("PATCH", where, 413, json={"page": {"x": "y" * 300_000}})
    assert "256 KiB" in error["message"]


def test_only_the_latest_of_each_thing_waits():
    async def listen():
        bus = Bus(most=2)
        listener = bus.listen("s")
        thread = threading.Thread(
            target=lambda: [bus.publish("s", "job", f"j{index % 3}", str(index)) for index in range(1000)]
        )
        thread.start()
        await asyncio.to_thread(thread.join)
        return await listener.take()

    assert asyncio.run(listen()) == [("job", "997"), ("job", "998"), ("job", "999")]


def test_listeners_are_counted_and_told_goodbye():
    async def talk():
        bus = Bus(most=1)
        listener = bus.listen("s")
        with pytest.raises(QuotaExceeded, match="close one"):
            bus.listen("s")
        lines = stream(bus, "s", listener, lambda: "{}")
        first = await anext(lines)
        bus.publish("s", "file", "f", '{"id": 1}')
        second = await anext(lines)
        bus.close()
        rest = "".join([line async for line in lines])
        with pytest.raises(Stopping):
            bus.listen("s")
        return first, second, rest, bus.n_listeners

    first, second, rest, left = asyncio.run(talk())
    assert first == "retry: 1000\nevent: snapshot\ndata: {}\n\n"
    assert second == 'event: file\ndata: {"id": 1}\n\n'
    assert rest.endswith("event: bye\ndata: {}\n\n")
    assert left == 0
