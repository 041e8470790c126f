"""`unbraid.client` does against a real server what docs/server.md shows."""

import re
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("fastapi", reason="needs unbraid[studio]")
pytest.importorskip("httpx", reason="needs httpx")
sys.path.insert(0, str(Path(__file__).parent / "server"))

import soundfile
import torch
from studio_server import PROMPTS, serving, wav_bytes

from unbraid.client import Studio
from unbraid.errors import Cancelled, GuideError, UnbraidError
from unbraid.models.queries import Query, load_query, save_query, tensors_sha256
from unbraid.server.security import Door
from unbraid.zoo import load_model

TOKEN = "a-token-of-many-letters"


@pytest.fixture(scope="module")
def server(tmp_path_factory, debug_weights):
    headers = {"authorization": f"Bearer {TOKEN}"}
    with serving(tmp_path_factory.mktemp("studio"), debug_weights, door=Door(token=TOKEN), headers=headers) as client:
        yield client


@pytest.fixture
def studio(server):
    return Studio(str(server.http.base_url), token=TOKEN)


@pytest.fixture
def song(tmp_path):
    (tmp_path / "song.wav").write_bytes(wav_bytes(1.0))
    return tmp_path / "song.wav"


def test_a_song_is_separated_and_downloaded(studio, song, tmp_path):
    told = []
    job = studio.separate(song, PROMPTS, model="debug")
    assert studio.wait(job, progress=told.append, timeout=600)["state"] == "done"
    assert told[-1] == 1.0
    paths = studio.download(job, tmp_path / "stems", container="flac")
    assert [path.name for path in paths] == ["vocals.flac", "drums.flac", "residual.flac"]
    assert soundfile.info(paths[0]).frames == 8000


def test_guides_may_name_files_of_this_machine(studio, song):
    session = studio.begin_session("guides")
    targets = [{"name": "x", "guides": [{"kind": "examples", "positive": [{"file": str(song)}], "negative": []}]}]
    take = studio.begin_take(session, studio.upload(session, song), targets, region=(0.0, 0.1))
    assert take["model"] == "few-shot-small"
    assert re.fullmatch("[0-9a-f]{32}", take["targets"][0]["guides"][0]["positive"][0]["file"])
    assert take["jobs"][0]["region"] is not None


def test_a_taught_label_may_be_a_file_of_this_machine(studio, song, debug_weights, tmp_path):
    model = load_model(debug_weights)
    label = tmp_path / "riff.unbraid"
    save_query(Query("riff", "debug", tensors_sha256(model), torch.zeros(model.query_size)), label)
    job = studio.separate(song, [{"kind": "taught", "name": "riff", "file": str(label)}])
    assert [stem["name"] for stem in studio.wait(job, timeout=600)["stems"]] == ["riff", "residual"]


def test_a_sound_is_taught_with_files_of_this_machine(studio, song, tmp_path):
    session, told = studio.begin_session("lessons"), []
    label = studio.teach(session, "riff", [{"file": str(song), "start": 0.25, "stop": 0.75}, {"file": str(song)}])
    assert label["state"] == "teaching"
    label = studio.wait_for_label(label, progress=told.append, timeout=600)
    assert (label["label"]["name"], told[-1]) == ("riff", 1.0)
    path = studio.save_label(label, tmp_path / "riff.unbraid")
    assert [one["duration"] for one in load_query(path).facts["examples"]] == [0.5, 1.0]
    studio.cancel_label(label)
    with pytest.raises(UnbraidError, match="no such file"):
        studio.save_label(label, tmp_path / "again.unbraid")
    assert [one.name for one in tmp_path.glob("again*")] == []


def test_a_lesson_is_told_of_and_cancelled(studio, song):
    session = studio.begin_session("cancelled")
    label = studio.teach(session, "riff", [{"file": str(song)}], model="debug")  # is tuned for a while
    with pytest.raises(TimeoutError, match=r"riff\.unbraid is still teaching"):
        studio.wait_for_label(label, timeout=0.0)
    studio.cancel_label(label)
    with pytest.raises(UnbraidError, match="no such file"):
        studio.wait_for_label(label)
    with pytest.raises(GuideError, match="cannot be taught"):
        studio.teach(session, "riff", [{"file": str(song)}], model="guidesep-small")


def test_examples_that_cannot_be_read_or_teach_nothing_are_told(studio, tmp_path):
    session = studio.begin_session("failures")
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + b"nonsense" * 40)
    with pytest.raises(UnbraidError, match=r"broken\.wav"):
        studio.teach(session, "riff", [{"file": str(tmp_path / "broken.wav")}])
    soundfile.write(tmp_path / "silence.wav", torch.zeros(16000).numpy(), 8000)
    label = studio.teach(session, "riff", [{"file": str(tmp_path / "silence.wav")}])
    with pytest.raises(UnbraidError, match="silen"):
        studio.wait_for_label(label, timeout=600)


def test_errors_are_those_of_the_library(studio, song):
    with pytest.raises(GuideError, match="did you mean 'vocals'"):
        studio.separate(song, [{"kind": "label", "name": "vocal"}], model="debug")
    with pytest.raises(UnbraidError, match="there is no such job"):
        studio.job("0" * 32)


def test_a_wrong_token_and_a_wrong_address_are_told(studio, tmp_path):
    with pytest.raises(UnbraidError, match="token is missing or wrong"):
        Studio(studio.address).models()
    with pytest.raises(UnbraidError, match="no studio answers"):
        Studio("http://127.0.0.1:9").models()
    with pytest.raises(FileNotFoundError):
        studio.separate(tmp_path / "none.wav", PROMPTS)


def test_a_cancelled_job_and_one_that_takes_long_are_told(studio, server, tmp_path):
    (tmp_path / "long.wav").write_bytes(wav_bytes(60.0))
    job = studio.separate(tmp_path / "long.wav", PROMPTS, model="debug")
    with pytest.raises(TimeoutError, match="is still"):
        studio.wait(job, timeout=0.01)
    server.post(f"/api/jobs/{job['id']}/cancel", 200)
    with pytest.raises(Cancelled):
        studio.wait(job)


def test_names_that_are_one_file_become_two(studio, song, tmp_path):
    names = ["AC/DC", "ac:dc", "x" * 500]
    targets = [{"name": name, "guides": [{"kind": "label", "name": "bass"}]} for name in names]
    paths = studio.download(studio.separate(song, targets, model="debug"), tmp_path / "stems")
    assert [path.name for path in paths] == ["AC_DC.wav", "ac_dc-2.wav", f"{'x' * 200}.wav", "residual.wav"]
    assert all(path.is_file() for path in paths)


@contextmanager
def answering(*answers):
    """Answer one request after the other with these bytes, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield Studio(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join(30)


JOB = b'{"id": "0", "state": "done", "progress": 1, "stems": [{"name": "vocals"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


def test_a_download_that_breaks_off_leaves_nothing(tmp_path):
    with answering(HEAD % len(JOB) + JOB, HEAD % 1000 + b"RIFF") as studio:
        with pytest.raises(UnbraidError, match="broke off"):
            studio.download({"id": "0"}, tmp_path)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"no HTTP\r\n\r\n"])
def test_an_answer_that_breaks_off_is_told(answer):
    with answering(answer) as studio, pytest.raises(UnbraidError, match="broke off"):
        studio.models()


def test_the_examples_of_the_docs_run(server, monkeypatch, tmp_path, capsys):
    """With the shipped models in place of the debug one, on a short song."""
    page = (Path(__file__).parents[1] / "docs" / "server.md").read_text(encoding="utf-8")
    snippet = "".join(re.findall(r"```py\n(.*?)```", page, flags=re.DOTALL))
    address = str(server.http.base_url).rstrip("/")
    snippet = snippet.replace('Studio("http://127.0.0.1:8642")', f"Studio({address!r}, token={TOKEN!r})")
    assert TOKEN in snippet
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song.mp3").write_bytes(wav_bytes(13.0))
    exec(snippet, {})
    assert capsys.readouterr().out.split() == ["stems/vocals.wav", "stems/drums.wav", "stems/residual.wav"]
    assert load_query(tmp_path / "riff.unbraid").name == "riff"
    assert sorted(path.name for path in (tmp_path / "riff").iterdir()) == ["residual.wav", "riff.wav"]


def test_the_short_way_is_one_request(server):
    where = "/api/separate?name=song.wav&prompts=vocals+drums&model=debug"
    begun = server.post(where, 202, content=wav_bytes(0.5)).json()
    server.finished(begun["take"]["id"])
    assert server.get(f"/api/jobs/{begun['job']['id']}").json()["state"] == "done"
    before = len(server.get("/api/sessions").json())
    for query, message in (
        ("", "nothing is asked for"),
        ("&targets=x", "no list in JSON"),
        ("&targets=[{}]", "has no name"),
        ("&label=vocal", "did you mean"),
        ("&prompts=", "prompts"),
    ):
        error = server.refused("POST", f"/api/separate?name=a.wav{query}", 422, content=wav_bytes(0.1))
        assert message in error["message"], query
    server.refused("POST", "/api/separate?name=a.wav&label=vocals", 422, content=b"")
    assert len(server.get("/api/sessions").json()) == before
