"""What the server tells of itself, and what becomes of sessions that nobody uses."""

import errno
import json
import sqlite3
import time
from contextlib import closing

import pytest
from studio_server import wav_bytes

import unbraid
from unbraid.errors import ModelError, SettingsError
from unbraid.server.catalog import Catalog
from unbraid.server.records import JobRow, SessionRow, TakeRow
from unbraid.server.store import Store


def test_it_is_well(server):
    assert server.get("/health").json() == {"status": "ok", "version": unbraid.__version__, "workers": {"cpu": True}}


def test_numbers_are_in_the_form_of_prometheus(server):
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(values["unbraid_sessions"]) == len(server.get("/api/sessions").json())
    assert values['unbraid_worker_up{device="cpu"}'] == "1"
    assert float(values["process_resident_memory_bytes"]) > 1e7
    names = {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    assert names == {name.partition("{")[0] for name in values}


def test_the_page_learns_what_it_needs(server):
    about = server.get("/api/about").json()
    assert about["formats"] == {"wav": ["16", "24", "float"], "flac": ["16", "24"], "ogg": [], "mp3": []}
    assert about["mask"] == {"n_bands": 80, "frames_per_second": 62.5, "top_hz": 8000, "max_columns": 32000}
    assert about["spectrogram"]["frames_per_second"] == 125
    assert about["tasks"]["speakers=N"] == ["speech", "sfx-mix"]
    assert about["limits"]["duration"] == 10800


def test_models_say_what_they_take(server):
    models = {one["name"]: one for one in server.get("/api/models").json()}
    assert {"tuss-small", "few-shot-small", "guidesep-small", "debug"} <= set(models)
    assert models["few-shot-small"]["guides"] == ["Examples", "Label", "Span"]
    assert models["guidesep-small"]["draws"]
    assert not models["tuss-small"]["draws"]
    assert "vocals" in models["tuss-small"]["vocabulary"]
    assert models["tuss-small"]["licence"] == "CC-BY-4.0"
    assert models["instglow"]["guides"] == ["Label"]
    assert {"vocals", "drums", "bass", "other"} <= set(models["instglow"]["vocabulary"])


def test_a_damaged_model_leaves_the_others_as_they_are(tmp_path, caplog):
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    catalog = Catalog([tmp_path / "broken.safetensors"])
    assert "tuss-small" in {offer.name for offer in catalog.offers()}
    assert "broken" not in {offer.name for offer in catalog.offers()}
    assert "broken is not offered" in caplog.text
    with pytest.raises(ModelError, match="safetensors"):
        catalog.offer("broken")


def test_every_route_is_described_for_machines_and_for_people(server):
    from pathlib import Path

    described = server.get("/api/openapi.json").json()
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert f"| `{method.upper()} {path}" in page, f"docs/server.md lacks {method} {path}"
            assert operation["summary"], path
            assert operation["responses"]["404"], path
    guides = described["components"]["schemas"]
    assert {"LabelSpec", "ExamplesSpec", "MimicrySpec", "MaskSpec", "NewTake", "TakeDocument"} <= set(guides)
    assert guides["LabelSpec"]["properties"]["kind"]["const"] == "label"
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(set(ids)) == len(ids)


def test_what_is_not_there_is_told_in_the_same_form(server):
    assert server.refused("GET", "/api/nothing", 404)["type"] == "NotFound"
    assert server.refused("PUT", "/api/sessions", 405)["type"] == "NotFound"
    assert server.refused("POST", "/api/sessions", 422, content=b"{")["type"] == "Invalid"
    assert server.refused("POST", "/api/sessions", 422, json={"titel": "x"})["message"].startswith("titel: ")
    assert server.refused("GET", "/api/sessions/" + "0" * 32, 404)["message"].startswith("there is no such session")


def test_unused_sessions_expire_with_all_that_is_theirs(start):
    with start(keep_days=30) as server:
        old, new = server.session("old"), server.session("new")
        songs = [server.upload(one, wav_bytes(0.3))["id"] for one in (old, new)]
        takes = [server.take(one, song)["id"] for one, song in zip((old, new), songs, strict=True)]
        own = server.take(old, songs[0], targets=[{"kind": "label", "name": "bass"}])["id"]
        jobs = [server.finished(one)["jobs"][0]["id"] for one in (*takes, own)]
        places = [server.studio.folder.result(server.studio.store.job(job).key) for job in jobs]
        assert places[0] == places[1] != places[2]
        month_ago = time.time() - 31 * 86400
        for session in (old, new):
            server.studio.store.change_session(session, used=month_ago)
        server.get(f"/api/sessions/{new}")  # is being used
        server.studio.sweep()
        assert [one["id"] for one in server.get("/api/sessions").json()] == [new]
        assert not server.studio.folder.file(songs[0]).exists()
        assert (places[1].exists(), places[2].exists()) == (True, False)
        assert server.get(f"/api/takes/{takes[1]}").json()["jobs"][0]["state"] == "done"


def test_what_no_session_has_is_swept_away_at_the_start(start):
    with start() as server:
        folder = server.studio.folder
        session = server.session()
        kept = server.upload(session, wav_bytes(0.2))["id"]
        data_dir = server.data_dir
    for name in ("files/" + "a" * 32, "results/" + "b" * 64, "work/" + "c" * 32, "uploads/" + "d" * 32):
        (data_dir / name).mkdir()
    with start(data_dir) as server:
        folder = server.studio.folder
        assert list(folder.files()) == [kept]
        assert list(folder.results()) == []
        assert not list((data_dir / "work").iterdir())
        assert not list((data_dir / "uploads").iterdir())


def test_what_runs_at_a_stop_in_good_order_is_run_again(start):
    with start() as server:
        session = server.session()
        song = server.upload(session, wav_bytes(30.0))["id"]
        job = server.take(session, song)["jobs"][0]["id"]
        server.until(f"/api/jobs/{job}", lambda one: one["state"] == "running")
        database = server.studio.folder.database
    store = Store(database)
    row = store.job(job)
    store.close()
    assert (row.state, row.attempts) == ("waiting", 0)  # it was nobody's fault
    with start() as server:
        server.until(f"/api/jobs/{job}", lambda one: one["state"] == "running")


@pytest.fixture
def queue(tmp_path):
    """A data base with three sessions, and what makes a job wait in one of them."""
    store = Store(tmp_path / "base.sqlite3")
    for index, session in enumerate("abc"):
        store.add_session(SessionRow(session))
        store._insert("files", {
            "id": f"f{session}", "session": session, "name": "x", "state": "ready", "created": 0.0, "size_bytes": 1,
            "stored_bytes": 10, "sha256": "", "attempts": 0,
        })  # fmt: skip
        store.add_take(TakeRow(f"t{session}", session, f"f{session}", [], "m", {}, created=float(index)), [])

    def wait(job, session, created, region=None, key=None):
        start, stop = region or (None, None)
        store.add_job(JobRow(job, f"t{session}", session, key or job, region_start=start, region_stop=stop,
                             created=created, stored_bytes=5))  # fmt: skip

    yield store, wait
    store.close()


def test_sessions_take_turns_and_regions_come_first(queue):
    store, wait = queue
    wait("a1", "a", 1.0)
    wait("a2", "a", 2.0, (0.0, 1.0))
    wait("b1", "b", 3.0)
    wait("c1", "c", 4.0, (0.0, 1.0))
    store.change_session("a", served=100.0)
    store.change_session("c", served=50.0)
    assert [job.id for job in store.open_jobs()] == ["b1", "c1", "a2", "a1"]
    store.change_job("b1", state="done")
    assert [job.id for job in store.open_jobs("a")] == ["a2", "a1"]


def test_a_result_that_two_takes_share_counts_once(queue):
    store, wait = queue
    wait("a1", "a", 1.0, key="k")
    wait("a2", "a", 2.0, key="k")
    wait("a3", "a", 3.0)
    assert store.stored_bytes("a") == 10 + 5 + 5


def test_a_transaction_is_whole_or_nothing(queue):
    store, wait = queue
    with pytest.raises(ValueError, match="JSON"), store.transaction():  # noqa: PT012
        wait("a1", "a", 1.0)
        store.change_job("a1", result={"peak_db": float("nan")})
    assert store.open_jobs() == []
    with store.transaction(), store.transaction():
        wait("a1", "a", 1.0)
    assert [job.id for job in store.open_jobs()] == ["a1"]


def test_a_damaged_and_a_held_data_base_are_told_before_anything_begins(tmp_path):
    path = tmp_path / "base"
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SettingsError, match=r"is locked.*close what else uses it"):
            Store(path)
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(SettingsError, match=r"is damaged.*--data-dir"):
        Store(path)


def test_what_follows_a_transaction_that_could_not_be_completed_is_kept(tmp_path):
    store = Store(tmp_path / "base")
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as base:  # noqa: PT012
        base.execute("PRAGMA defer_foreign_keys = ON")  # so that it fails no sooner than at its end
        store.add_job(JobRow("job", "no take", "no session", "key"))
    store.add_session(SessionRow("after"))
    with closing(sqlite3.connect(tmp_path / "base")) as other:
        assert other.execute("SELECT id FROM sessions").fetchall() == [("after",)]
        assert other.execute("SELECT id FROM jobs").fetchall() == []
    store.close()


def test_rows_come_back_as_they_were(queue):
    store, _ = queue
    row = SessionRow("d", title="Café", page={"zoom": [1, None, "x"]})
    store.add_session(row)
    assert store.session("d") == row
    assert json.loads(json.dumps(store.session("d").page)) == row.page


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "disk of the data folder is full"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/secret/place"), 409, "has just been removed"),
        (PermissionError(errno.EACCES, "Permission denied", "/secret/place"), 409, "(Permission denied)"),
    ],
)
def test_what_the_disk_refuses_is_told_in_words(server, monkeypatch, error, status, message):
    def refuse(*_):
        raise error

    monkeypatch.setattr(server.studio.store, "sessions", refuse)
    told = server.refused("GET", "/api/sessions", status)
    assert message in told["message"]
    assert "secret" not in told["message"]


def test_a_full_and_a_locked_data_base_are_told_in_words(start):
    with start() as server:
        base = server.studio.store._base
        [pages] = base.execute("PRAGMA page_count").fetchone()
        base.execute(f"PRAGMA max_page_count = {pages}")
        title = {"title": "x" * 200}
        answers = [server.http.post("/api/sessions", json=title) for _ in range(200)]
        full = next(answer for answer in answers if answer.status_code != 201)
        assert (full.status_code, full.json()["error"]["type"]) == (507, "DiskFull")
        base.execute("PRAGMA max_page_count = 1000000")
        base.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(server.studio.folder.database)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = server.refused("POST", "/api/sessions", 409, json=title)
            assert "close what else uses it" in told["message"]
        server.session()
