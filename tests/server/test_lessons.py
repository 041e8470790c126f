"""Sounds are taught on the server: a name from then on, in a file that outlives whatever happens to the server."""

import io
import sqlite3
from contextlib import closing

import pytest
import torch
from studio_server import wav_bytes

from unbraid.models.queries import load_query, tensors_sha256
from unbraid.zoo import load_model

LONG = {"model": "debug"}  # is tuned for a while; few-shot-small listens once


@pytest.fixture(scope="module")
def desk(server):
    session = server.session("lessons")
    return session, server.upload(session, wav_bytes(3.0, seed=31))["id"]


def lesson(server, session, song, status=201, **more):
    body = {"name": "riff", "positive": [{"file": song, "start": 0.5, "stop": 1.5}], **more}
    return server.post(f"/api/sessions/{session}/files/taught", status, json=body).json()


def ended(server, file):
    return server.until(f"/api/files/{file}", lambda one: one["state"] != "teaching", 300)


def test_a_sound_is_taught_and_asked_for_by_name(server, desk, tmp_path):
    begun = lesson(server, *desk)
    assert (begun["name"], begun["kind"], begun["state"]) == ("riff.unbraid", "label", "teaching")
    file = ended(server, begun["id"])
    assert (file["state"], file["progress"]) == ("ready", 1.0), file["error"]
    model = load_model("few-shot-small")
    assert file["label"] == {"name": "riff", "model": "few-shot-small", "model_sha256": tensors_sha256(model)}
    content = server.get(f"/api/files/{begun['id']}/content").content
    assert len(content) == file["size_bytes"]
    (tmp_path / "riff.unbraid").write_bytes(content)
    query = load_query(tmp_path / "riff.unbraid")
    assert query.facts["examples"][0]["duration"] == 1.0
    assert model.holds(query.vector) if hasattr(model, "holds") else query.vector.shape == (model.query_size,)
    targets = [{"kind": "taught", "name": "riff", "file": begun["id"]}]
    take = server.take(*desk, targets, model=None, region={"start": 0, "stop": 0.5})
    [job] = server.finished(take["id"])["jobs"]
    assert (take["model"], job["state"], job["stems"][0]["name"]) == ("few-shot-small", "done", "riff"), job["error"]
    again = server.refused("POST", f"/api/sessions/{desk[0]}/files/taught", 409, json={
        "name": "riff", "positive": [{"file": desk[1]}],
    })  # fmt: skip
    assert "already" in again["message"]


def test_a_lesson_tells_how_far_it_is_and_is_cancelled(server):
    session = server.session()
    song = server.upload(session, wav_bytes(3.0, seed=32))["id"]
    file = lesson(server, session, song, **LONG)["id"]
    server.until(f"/api/files/{file}", lambda one: one["progress"] > 0, 300)
    second = {"name": "other", "positive": [{"file": song}]}
    error = server.refused("POST", f"/api/sessions/{session}/files/taught", 429, json=second)
    assert "another sound of this session is being taught" in error["message"]
    assert "being taught" in server.refused("GET", f"/api/files/{file}/content", 409)["message"]
    asked = {"song": song, "targets": [{"kind": "taught", "name": "riff", "file": file}]}
    assert "being taught" in server.refused("POST", f"/api/sessions/{session}/takes", 409, json=asked)["message"]
    assert server.get(f"/api/sessions/{session}/export").content, "it has no file yet, and the others are taken along"
    assert server.http.delete(f"/api/files/{file}").status_code == 204
    assert not server.studio.folder.file(file).exists()
    assert ended(server, lesson(server, session, song)["id"])["state"] == "ready", "the next one has its turn at once"
    assert server.get(f"/api/sessions/{session}").json()["files"][-1]["label"]["name"] == "riff"


def test_a_server_that_stops_teaches_again(start, tmp_path):
    with start(tmp_path) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(2.0, seed=33))["id"]
        file = lesson(server, session, song, **LONG)["id"]
        server.until(f"/api/files/{file}", lambda one: one["progress"] > 0, 300)
    with start(tmp_path) as server:
        assert server.studio.store.file(file).attempts <= 1, "stopping in good order uses up no attempt"
        server.until(f"/api/files/{file}", lambda one: one["progress"] > 0, 300)
        server.http.delete(f"/api/files/{file}")


def test_a_lesson_under_which_the_server_died_three_times_is_given_up(start, tmp_path):
    with start(tmp_path) as server:
        session = server.session()
        song = server.upload(session, wav_bytes(2.0, seed=34))["id"]
        file = lesson(server, session, song, **LONG)["id"]
        server.until(f"/api/files/{file}", lambda one: one["progress"] > 0, 300)
    with closing(sqlite3.connect(tmp_path / "studio.sqlite3")) as database, database:
        database.execute("UPDATE files SET attempts = 3 WHERE id = ?", (file,))
    with start(tmp_path) as server:
        found = ended(server, file)
        assert (found["state"], "stopped 3 times" in found["error"]) == ("failed", True)


def test_an_example_that_has_gone_is_told(start):
    with start() as server:
        session = server.session()
        songs = [server.upload(session, wav_bytes(2.0, seed=seed))["id"] for seed in (35, 36)]
        other = server.session()
        first = server.upload(other, wav_bytes(2.0, seed=37))["id"]
        long = lesson(server, other, first, **LONG)["id"]  # the other session is first
        file = lesson(server, session, songs[0])["id"]
        assert server.http.delete(f"/api/files/{songs[0]}").status_code == 204
        server.http.delete(f"/api/files/{long}")
        found = ended(server, file)
        assert (found["state"], "no such file" in found["error"]) == ("failed", True)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"name": "AC/DC"}, 422, "cannot be a file name"),
        ({"name": "vocals", "model": "tuss-small"}, 422, "the model knows 'vocals' already"),
        ({"model": "guidesep-small"}, 422, "cannot be taught new labels: choose tuss-small"),
        ({"model": "../../etc/passwd"}, 422, "there is no model"),
        ({"positive": []}, 422, "positive"),
        ({"positive": [{"file": "/etc/passwd"}]}, 404, "ids are 32 letters"),
        ({"positive": [{"file": "0" * 32}]}, 404, "no such file"),
        ({"positive": [{"start": 1.0, "stop": 2.0}]}, 422, "file"),
        ({"start": 1.0}, 422, "start"),
    ],
)
def test_what_cannot_be_taught_is_refused_at_once(server, desk, body, status, message):
    whole = {"name": "tune", "positive": [{"file": desk[1]}], **body}
    error = server.refused("POST", f"/api/sessions/{desk[0]}/files/taught", status, json=whole)
    assert message in error["message"]


def test_too_much_too_little_and_foreign_examples_are_refused(server, desk):
    def refusal(status, *examples, session=desk[0]):
        body = {"name": "tune", "positive": list(examples)}
        return server.refused("POST", f"/api/sessions/{session}/files/taught", status, json=body)["message"]

    assert "lasts 0.05 s" in refusal(422, {"file": desk[1], "start": 1.0, "stop": 1.05})
    assert "lasts 0.00 s" in refusal(422, {"file": desk[1], "start": 9.0})
    assert "in this session" in refusal(404, {"file": desk[1]}, session=server.session())
    long = server.upload(desk[0], wav_bytes(300.0, seed=38, channels=1))["id"]
    assert "600 s are allowed" in refusal(422, *3 * [{"file": long}])
    broken = server.upload(desk[0], b"RIFF" + b"nonsense" * 40, "broken.wav")["id"]
    assert "broken.wav cannot be an example" in refusal(409, {"file": broken})


def test_silence_teaches_nothing_and_says_so(server, desk):
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, torch.zeros(16000).numpy(), 8000, format="WAV")
    silent = server.upload(desk[0], buffer.getvalue(), "silence.wav")["id"]
    file = ended(server, lesson(server, desk[0], silent, name="nothing")["id"])
    assert file["state"] == "failed"
    assert "silent" in file["error"]
    assert server.http.delete(f"/api/files/{file['id']}").status_code == 204
