"""Session files reopen everything; what is wrong with one does no harm."""

import io
import json
import zipfile
from threading import Thread

import pytest
from studio_server import PROMPTS, wav_bytes


@pytest.fixture(scope="module")
def exported(server):
    session = server.session("My songs")
    song = server.upload(session, wav_bytes(1.0, seed=40), "song.wav")["id"]
    server.http.patch(f"/api/sessions/{session}", json={"page": {"zoom": 2}})
    first = server.take(session, song, title="one", region={"start": 0.2, "stop": 0.4}, whole=True)
    server.finished(first["id"])
    second = server.take(session, song, title="two", parent=first["id"], settings={"overlap": 0.5})
    server.finished(second["id"])
    answer = server.get(f"/api/sessions/{session}/export")
    assert "My%20songs.unbraid-session" in answer.headers["content-disposition"]
    return session, answer.content


def plain(document):
    """Return what a session says, with ids replaced by their places."""
    text = json.dumps({key: document[key] for key in ("title", "page", "files", "takes")})
    ids = [document["id"], *(one["id"] for one in document["files"])]
    for take in document["takes"]:
        ids += [take["id"], *(job["id"] for job in take["jobs"])]
    for index, one in enumerate(ids):
        text = text.replace(one, f"#{index}")
    told = json.loads(text)
    for one in [*told["files"], *told["takes"], *(job for take in told["takes"] for job in take["jobs"])]:
        one.pop("created")
        one.pop("cached", None)
    return told


def test_everything_reopens(server, exported):
    session, data = exported
    opened = server.post("/api/sessions/import", content=data).json()
    for file in opened["files"]:
        server.settled(file["id"])
    opened = server.get(f"/api/sessions/{opened['id']}").json()
    before = server.get(f"/api/sessions/{session}").json()
    assert opened["id"] != session
    assert plain(opened) == plain(before)
    for one, other in zip(before["takes"], opened["takes"], strict=True):
        for job, copy in zip(one["jobs"], other["jobs"], strict=True):
            where = [f"/api/jobs/{each['id']}/stems/1" for each in (job, copy)]
            assert server.get(where[0]).content == server.get(where[1]).content
            tile = [f"/api/sounds/{each['id']}-2/spectrogram/0/0" for each in (job, copy)]
            assert server.get(tile[0]).content == server.get(tile[1]).content


def test_it_outlives_the_session_that_it_came_from(server):
    session = server.session()
    song = server.upload(session, wav_bytes(0.6, seed=41))["id"]
    server.finished(server.take(session, song)["id"])
    data = server.get(f"/api/sessions/{session}/export").content
    server.http.delete(f"/api/sessions/{session}")
    opened = server.post("/api/sessions/import", content=data).json()
    server.settled(opened["files"][0]["id"])
    job = opened["takes"][0]["jobs"][0]
    assert (job["state"], len(job["stems"])) == ("done", 3)
    assert server.get(f"/api/sounds/{job['stems'][0]['sound']}/peaks/0/0").content


def test_without_stems_it_is_small_and_finds_them_again_where_they_are(server, exported):
    session, data = exported
    small = server.get(f"/api/sessions/{session}/export", params={"results": False}).content
    assert len(small) < len(data) / 3
    opened = server.post("/api/sessions/import", content=small).json()
    assert [job["state"] for take in server.get(f"/api/sessions/{opened['id']}").json()["takes"]
            for job in take["jobs"]] == ["done"] * 3  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(small)) as archive:
        description = json.loads(archive.read("session.json"))
    for take in description["takes"]:
        take["settings"]["overlap"] = 0.33
    opened = server.post("/api/sessions/import", content=changed(small, description)).json()
    jobs = [job for take in opened["takes"] for job in take["jobs"]]
    assert {job["state"] for job in jobs} == {"cancelled"}
    assert "separate again" in jobs[0]["error"]


def test_stems_that_came_in_answer_no_other_session(server, exported):
    """A session file may hold anything as stems: they must stay in its own session."""
    with zipfile.ZipFile(io.BytesIO(exported[1])) as archive:
        description = json.loads(archive.read("session.json"))
    song = server.upload(session := server.session(), wav_bytes(1.0, seed=42))["id"]
    server.post("/api/sessions/import", content=changed(exported[1], description, song=wav_bytes(1.0, seed=42)))
    job = server.take(session, song)["jobs"][0]
    assert job["cached"] is False
    server.finished(job["take"])


def test_nobody_takes_stems_that_come_in_for_orphans(server, exported, monkeypatch):
    add_job, sweepers = server.studio.store.add_job, []

    def add(row):
        sweepers.append(Thread(target=server.studio.remove_orphans))
        sweepers[-1].start()
        sweepers[-1].join(0.3)  # it waits for the job
        add_job(row)

    monkeypatch.setattr(server.studio.store, "add_job", add)
    opened = server.post("/api/sessions/import", content=exported[1]).json()
    for sweeper in sweepers:
        sweeper.join(30)
    [job, *_] = opened["takes"][0]["jobs"]
    assert server.get(f"/api/jobs/{job['id']}/stems/0").content[:4] == b"RIFF"


def changed(data, description, *, song=None):
    """Return a session file with another description, or another song."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        new.writestr("session.json", json.dumps(description))
        for name in old.namelist():
            if name != "session.json":
                new.writestr(name, song if song is not None and name.startswith("files/") else old.read(name))
    return buffer.getvalue()


def damaged(data, change):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        description = json.loads(archive.read("session.json"))
    change(description)
    return changed(data, description)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(format="unbraid-session-9"),
        lambda told: told.update(title=5),
        lambda told: told["files"][0].update(id="../../../etc/passwd"),
        lambda told: told["files"][0].update(id="0" * 32),
        lambda told: told["takes"][0].update(song="0" * 32),
        lambda told: told["takes"][0].update(targets=[{"kind": "mimicry", "file": "/etc/passwd"}]),
        lambda told: told["takes"][0].update(targets=[{"kind": "lable"}]),
        lambda told: told["jobs"][0].update(take="0" * 32),
        lambda told: told["jobs"][0]["result"].update(stems=[]),
        lambda told: told["jobs"][0]["result"]["stems"].append(told["jobs"][0]["result"]["stems"][0]),
        lambda told: told["jobs"][0].update(region_start=0.4, region_stop=0.2),
        lambda told: told["jobs"][0].update(region_start=None),
        lambda told: told["jobs"][0].update(region_stop=1e300),
        lambda told: told["jobs"].append(told["jobs"][0]),
        lambda told: told["takes"].append(told["takes"][0]),
    ],
)
def test_a_damaged_one_leaves_nothing_behind(server, exported, change):
    before = {one["id"] for one in server.get("/api/sessions").json()}
    answer = server.http.post("/api/sessions/import", content=damaged(exported[1], change))
    if answer.status_code == 201:  # a job or take that is there twice is two
        server.http.delete(f"/api/sessions/{answer.json()['id']}")
    else:
        assert answer.status_code == 422, answer.text
    assert {one["id"] for one in server.get("/api/sessions").json()} == before
    assert not list((server.data_dir / "uploads").iterdir())
    assert not list((server.data_dir / "work").iterdir())


@pytest.mark.parametrize("data", [b"no archive", b"PK\x03\x04" + b"x" * 100, b""])
def test_what_is_no_archive_is_refused(server, data):
    assert server.refused("POST", "/api/sessions/import", 422, content=data)["type"] == "Invalid"


def test_a_bomb_is_stopped_at_the_quota(start):
    with start(session_bytes=1 << 20) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(0.2))["id"]
        server.finished(server.take(session, song, PROMPTS)["id"])
        data = server.get(f"/api/sessions/{session}/export", params={"results": False}).content
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            description = json.loads(archive.read("session.json"))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
            bomb.writestr("session.json", json.dumps(description))
            bomb.writestr(f"files/{song}", bytes(50 << 20))
        assert server.refused("POST", "/api/sessions/import", 413, content=buffer.getvalue())["type"] == "TooLarge"
        assert len(server.get("/api/sessions").json()) == 1
