"""Taught labels: uploaded or taken over from the library, asked for, and named in what reproduces a take."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from studio_server import PROMPTS, wav_bytes

from unbraid import Label, load_model, separate
from unbraid.models.queries import Query, add_query, load_query, save_query, tensors_sha256


@pytest.fixture(scope="module")
def model(debug_weights):
    return load_model(debug_weights)


@pytest.fixture(scope="module")
def riff(model, tmp_path_factory):
    """A label that was taught to the model that the server offers, as a file."""
    path = tmp_path_factory.mktemp("taught") / "riff.unbraid"
    vector = torch.linspace(-1.0, 1.0, model.query_size)
    save_query(Query("riff", "wherever/it/was.safetensors", tensors_sha256(model), vector), path)
    return path


@pytest.fixture(scope="module")
def desk(server, riff):
    session = server.session()
    song = server.upload(session)["id"]
    return session, song, server.upload(session, riff.read_bytes(), "my riff.unbraid")


def asked(file, name="riff"):
    return [{"kind": "taught", "name": name, "file": file["id"]}]


def test_a_taught_file_is_told_by_what_is_in_it(server, desk, model):
    _, _, file = desk
    assert (file["kind"], file["state"], file["n_samples"]) == ("label", "ready", None)
    assert file["label"] == {
        "name": "riff", "model": "wherever/it/was.safetensors", "model_sha256": tensors_sha256(model),
    }  # fmt: skip
    offered = {one["name"]: one for one in server.get("/api/models").json()}
    assert offered["debug"]["model_sha256"] == file["label"]["model_sha256"]
    assert offered["tuss-small"]["model_sha256"] != file["label"]["model_sha256"]


def test_the_stems_are_those_of_the_label(server, desk, riff, debug_weights, tmp_path):
    session, song, file = desk
    take = server.finished(server.take(session, song, asked(file), model=None)["id"])
    assert take["model"] == "debug", "the label chooses the model that learned it"
    [job] = take["jobs"]
    assert (job["state"], [stem["name"] for stem in job["stems"]]) == ("done", ["riff", "residual"]), job
    taught = load_model(debug_weights)
    add_query(taught, load_query(riff))
    (tmp_path / "song.wav").write_bytes(wav_bytes())
    expected = separate(tmp_path / "song.wav", Label("riff"), model=taught)
    sound = job["stems"][0]["sound"]
    data = server.get(f"/api/sounds/{sound}/samples", params={"start": 0, "stop": 16_000}).content
    assert np.array_equal(np.frombuffer(data, "<f4").reshape(-1, 2).T, expected.stems["riff"].samples.numpy())
    # The model in the worker forgets it again: to everybody else the name means nothing.
    error = server.take(session, song, [{"kind": "label", "name": "riff"}], status=422)["error"]
    assert "unknown label 'riff'" in error["message"]


def test_what_reproduces_it_names_the_file_and_runs(server, desk, riff, debug_weights, tmp_path, monkeypatch, capsys):
    session, song, file = desk
    take = server.take(session, song, asked(file))
    code = server.get(f"/api/takes/{take['id']}/code").json()
    assert code["command"].endswith("--label riff --taught 'my riff.unbraid'")
    assert "add_query(model, load_query('my riff.unbraid'))" in code["python"]
    assert "model=model)" in code["python"]
    for name, data in (("song.wav", wav_bytes()), ("my riff.unbraid", riff.read_bytes())):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "debug.safetensors").write_bytes(debug_weights.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(code["python"], {})
    assert capsys.readouterr().out == "['riff']\n"
    assert code["files"]["my riff.unbraid"] == file["id"]


def test_a_session_file_takes_labels_along(server, desk):
    session, song, file = desk
    server.finished(server.take(session, song, asked(file))["id"])
    data = server.get(f"/api/sessions/{session}/export").content
    opened = server.post("/api/sessions/import", content=data).json()
    label = next(one for one in opened["files"] if one["name"] == "my riff.unbraid")
    assert label["id"] != file["id"]
    assert opened["takes"][0]["targets"] == asked(label)
    again = server.until(f"/api/files/{label['id']}", lambda one: one["state"] != "analyzing")
    assert again["label"] == file["label"]


def test_labels_of_the_library_are_offered_and_taken_over(server, desk, riff, model, tmp_path, monkeypatch):
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path))
    assert server.get("/api/labels").json() == []
    (tmp_path / "called otherwise.unbraid").write_bytes(riff.read_bytes())
    (tmp_path / "damaged.unbraid").write_bytes(b"x" * 100)
    [label] = server.get("/api/labels").json()
    assert (label["name"], label["model_sha256"]) == ("riff", tensors_sha256(model))
    wanted = {"name": "riff", "model_sha256": label["model_sha256"]}
    file = server.post(f"/api/sessions/{desk[0]}/files/from-library", json=wanted).json()
    assert file["name"] == "called otherwise.unbraid"
    assert server.settled(file["id"])["label"] == label
    take = server.finished(server.take(desk[0], desk[1], asked(file))["id"])
    assert take["jobs"][0]["cached"], "the same label gives the same stems, wherever it came from"


@pytest.mark.parametrize("name", ["../riff", "/etc/passwd", "called otherwise", "riff.unbraid", "nothing"])
def test_what_is_asked_of_the_library_is_never_a_path(server, desk, riff, tmp_path, monkeypatch, name):
    (tmp_path / "library").mkdir()
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    for place in (tmp_path, tmp_path / "library"):
        (place / "called otherwise.unbraid").write_bytes(riff.read_bytes())
    body = {"name": name, "model_sha256": load_query(riff).model_sha256}
    error = server.refused("POST", f"/api/sessions/{desk[0]}/files/from-library", 404, json=body)
    assert "no label" in error["message"]


def test_a_label_of_another_model_or_name_is_refused(server, desk, tmp_path):
    session, song, file = desk
    save_query(Query("solo", "few-shot-small", "0" * 64, torch.zeros(8)), tmp_path / "solo.unbraid")
    other = server.upload(session, (tmp_path / "solo.unbraid").read_bytes(), "solo.unbraid")
    error = server.take(session, song, asked(other, "solo"), status=422)["error"]
    assert "'solo' was taught to few-shot-small, not to debug" in error["message"]
    error = server.take(session, song, asked(file), model="tuss-small", status=422)["error"]
    assert "not to tuss-small" in error["message"]
    error = server.take(session, song, asked(file, "lick"), status=422)["error"]
    assert "holds the label 'riff', not 'lick'" in error["message"]
    error = server.take(session, song, asked({"id": song}), status=422)["error"]
    assert "is a recording, and this guide needs a taught label" in error["message"]
    assert server.take(session, song, [*asked(file), *PROMPTS])["model"] == "debug", "labels and prompts together"


def pickled(path):
    import pickle

    return pickle.dumps(path)


@pytest.mark.parametrize("data", [
    struct.pack("<Q", 12) + b'{"query": 1}' + b"x" * 50, struct.pack("<Q", 1 << 19) + b"{" + b" " * 100,
    pickled({"query": [1.0]}), b"",
], ids=["no tensor", "cut off", "pickle", "empty"])  # fmt: skip
def test_what_is_no_taught_label_fails_in_words(server, desk, data):
    if not data:
        server.refused("POST", f"/api/sessions/{desk[0]}/files", 422, params={"name": "x.unbraid"}, content=data)
        return
    file = server.upload(desk[0], data, "x.unbraid")
    assert file["state"] == "failed"
    assert "x.unbraid" in file["error"], file
    error = server.http.post(
        f"/api/sessions/{desk[0]}/takes", json={"song": desk[1], "targets": asked(file), "model": "debug"}
    )
    assert error.status_code in {409, 422}
    assert "x.unbraid" in error.json()["error"]["message"]


def test_a_label_without_finite_numbers_or_with_a_strange_name_is_refused(server, desk, model, tmp_path):
    facts = {"format": "unbraid-query-1", "model": "m", "model_sha256": tensors_sha256(model), "facts": json.dumps({})}
    for name, value in (("nan", float("nan")), ("two\nlines", 0.0)):
        save_file({"query": torch.full((8,), value)}, tmp_path / "x.unbraid", metadata={**facts, "name": name})
        file = server.upload(desk[0], (tmp_path / "x.unbraid").read_bytes(), "x.unbraid")
        assert file["state"] == "failed", name


def test_models_say_whether_examples_may_be_negative(server):
    found = {one["name"]: one["takes_negatives"] for one in server.get("/api/models").json()}
    assert found["few-shot-small"] is True
    assert not any(takes for name, takes in found.items() if name != "few-shot-small")
