"""Takes and jobs over HTTP: regions first, results that grow, cancelling, sharing, refusals."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
import torch
from studio_server import PROMPTS, RATE, wav_bytes

from unbraid import Prompts, separate
from unbraid.server.sounds import SoundFormat
from unbraid.server.worker import settings_of


@pytest.fixture(scope="module")
def desk(server):
    """A session with a song that has been separated: a region, and the whole."""
    session = server.session()
    song = server.upload(session)["id"]
    take = server.take(session, song, region={"start": 0.5, "stop": 1.0}, whole=True)
    return session, song, server.finished(take["id"])


@pytest.fixture(autouse=True)
def leaves_nothing_running(server):
    yield
    for job in server.studio.store.open_jobs():
        server.studio.scheduler.cancel(job.id)


def samples_of(server, sound):
    found = server.get(f"/api/sounds/{sound}").json()
    data = server.get(f"/api/sounds/{sound}/samples", params={"start": 0, "stop": found["n_samples"]}).content
    return np.frombuffer(data, "<f4").reshape(-1, found["n_channels"]).T


def test_the_whole_song_is_what_separate_returns(server, desk, debug_weights, tmp_path):
    _, _, take = desk
    region, whole = take["jobs"]
    assert (region["state"], whole["state"]) == ("done", "done"), take
    (tmp_path / "song.wav").write_bytes(wav_bytes())
    expected = separate(tmp_path / "song.wav", Prompts("vocals drums"), model=str(debug_weights))
    assert [stem["name"] for stem in whole["stems"]] == ["vocals", "drums", "residual"]
    for stem, audio in zip(whole["stems"], [*expected.stems.values(), expected.residual], strict=True):
        assert np.array_equal(samples_of(server, stem["sound"]), audio.samples.numpy())
        assert stem["presence"] == expected.presence.get(stem["name"])
    assert whole["presence_curve"] == [[start, *values] for start, values in expected.presence_curve]


def test_a_region_begins_where_it_says_and_adds_up_to_the_song(server, desk):
    _, song, take = desk
    region = take["jobs"][0]
    assert region["region"] == {"start": 0.496, "stop": 1.008}  # whole frames of masks
    first, last = (round(second * RATE) for second in (region["start"], region["stop"]))
    stems = [samples_of(server, stem["sound"]) for stem in region["stems"]]
    mixture = samples_of(server, song)[:, first:last]
    assert stems[0].shape == mixture.shape
    assert np.allclose(sum(stems), mixture, atol=1e-6)
    assert server.get(f"/api/sounds/{region['stems'][0]['sound']}").json()["start"] == 0.496


def test_stems_have_waveforms_and_spectrograms(server, desk):
    stem = desk[2]["jobs"][1]["stems"][2]["sound"]
    document = server.get(f"/api/sounds/{stem}").json()
    assert document["peaks"][0]["count"] == -(-2 * RATE // 256)
    assert document["spectrogram"][0]["count"] == 251
    tile = server.get(f"/api/sounds/{stem}/peaks/0/0")
    assert "immutable" in tile.headers["cache-control"]
    found = np.frombuffer(tile.content, "<i2").reshape(-1, 2, 2)
    expected = samples_of(server, stem)[:, :256]
    assert np.array_equal(found[0, :, 1], np.round(expected.max(axis=1).clip(-1, 1) * 32767))
    assert len(server.get(f"/api/sounds/{stem}/spectrogram/0/0").content) == 251 * 216
    assert server.refused("GET", f"/api/sounds/{stem}/spectrogram/0/1", 404)["type"] == "NotFound"


def test_the_same_request_is_answered_from_what_is_there(server, desk):
    again = server.take(desk[0], desk[1], region={"start": 0.5, "stop": 1.0}, whole=True)
    assert [(job["state"], job["cached"]) for job in again["jobs"]] == [("done", True)] * 2
    other = server.take(desk[0], desk[1], settings={"overlap": 0.5})
    assert server.finished(other["id"])["jobs"][0]["cached"] is False


def test_the_same_song_in_another_session_shares_the_result(server, desk):
    session = server.session()
    song = server.upload(session, name="other name.wav")["id"]
    assert server.take(session, song)["jobs"][0]["cached"] is True


def test_takes_are_listed_renamed_and_removed(server):
    session = server.session()
    song = server.upload(session, wav_bytes(seed=5))["id"]
    first = server.take(session, song, title="first")
    second = server.take(session, song, parent=first["id"], targets=[{"kind": "label", "name": "bass"}])
    server.http.patch(f"/api/takes/{first['id']}", json={"title": "better"})
    listed = server.get(f"/api/sessions/{session}").json()["takes"]
    assert [(one["title"], one["parent"]) for one in listed] == [("better", None), ("", first["id"])]
    server.finished(second["id"])
    job = server.finished(first["id"])["jobs"][0]["id"]
    place = server.studio.folder.result(server.studio.store.job(job).key)
    assert place.exists()
    assert server.http.delete(f"/api/takes/{first['id']}").status_code == 204
    server.refused("GET", f"/api/takes/{first['id']}", 404)
    server.refused("GET", f"/api/jobs/{job}", 404)
    assert not place.exists()


def test_priors_separate_by_the_names_of_their_sources(server, desk):
    """The real priors take long: here the take is only accepted, and cancelled."""
    drums = [{"kind": "label", "name": "drums"}]
    take = server.take(desk[0], desk[1], targets=drums, model="instglow")
    server.post(f"/api/jobs/{take['jobs'][0]['id']}/cancel", 200)
    assert take["model"] == "instglow"
    error = server.take(desk[0], desk[1], targets=[{"kind": "label", "name": "theremin"}], model="instglow", status=422)
    assert "instglow knows" in error["error"]["message"]


@pytest.mark.slow
def test_priors_take_a_song_apart(server, desk):
    drums = [{"kind": "label", "name": "drums"}]
    take = server.take(desk[0], desk[1], targets=drums, model="instglow")
    [job] = server.until(f"/api/takes/{take['id']}", lambda one: one["jobs"][0]["state"] != "running", 500)["jobs"]
    assert (job["state"], [stem["name"] for stem in job["stems"]]) == ("done", ["drums", "residual"])
    stems = [samples_of(server, stem["sound"]) for stem in job["stems"]]
    assert np.allclose(sum(stems), samples_of(server, desk[1]), atol=1e-6)
    assert np.abs(stems[0]).max() > 0


def test_a_region_of_next_to_nothing_is_a_frame(server, desk):
    take = server.take(desk[0], desk[1], region={"start": 0.0, "stop": 5e-324})
    assert take["jobs"][0]["region"] == {"start": 0.0, "stop": 0.016}
    assert server.finished(take["id"])["jobs"][0]["state"] == "done"
    added = server.post(f"/api/takes/{take['id']}/jobs", json={"region": {"start": 1.9999999999, "stop": 3.0}}).json()
    assert added["region"] == {"start": 1.984, "stop": 2.0}
    server.get(f"/api/sessions/{desk[0]}/export")


def test_a_job_can_be_added_to_a_take(server, desk):
    take = server.take(desk[0], desk[1], region={"start": 0, "stop": 0.5})
    assert len(take["jobs"]) == 1
    added = server.post(f"/api/takes/{take['id']}/jobs", json={}).json()
    assert (added["state"], added["region"]) == ("done", None)  # the fixture has made it
    assert len(server.finished(take["id"])["jobs"]) == 2


def test_a_take_waits_for_its_song_to_be_looked_at(server):
    session = server.session()
    song = server.upload(session, wav_bytes(seed=6), wait=False)
    take = server.take(session, song["id"])
    assert server.finished(take["id"])["jobs"][0]["state"] == "done"


def test_a_song_that_cannot_be_read_fails_its_jobs_with_its_words(server):
    session = server.session()
    song = server.upload(session, b"RIFF" + b"nonsense" * 40, name="broken.wav", wait=False)
    answer = server.http.post(
        f"/api/sessions/{session}/takes", json={"song": song["id"], "targets": PROMPTS, "model": "debug"}
    )
    if answer.status_code == 201:  # it had not been looked at yet
        job = server.finished(answer.json()["id"])["jobs"][0]
        assert job["state"] == "failed"
        assert "broken.wav" in job["error"]
    else:
        assert answer.status_code == 409
        assert "broken.wav" in answer.json()["error"]["message"]


def test_a_running_job_grows_and_is_cancelled(server):
    session = server.session()
    song = server.upload(session, wav_bytes(120.0, seed=7))["id"]
    take = server.take(session, song)
    job = take["jobs"][0]["id"]
    running = server.until(f"/api/jobs/{job}", lambda one: one["final_samples"] > 0)
    assert 0 < running["progress"] < 1
    stem = running["stems"][0]["sound"]
    final = server.get(f"/api/sounds/{stem}").json()["final_samples"]
    assert 0 < final < 120 * RATE
    part = server.get(f"/api/sounds/{stem}/audio", 206, headers={"range": "bytes=0-"})
    header = SoundFormat(RATE, 2, 120 * RATE).wav_header
    assert part.content.startswith(header)
    assert part.headers["content-range"].endswith(f"/{120 * RATE * 2 * 4 + len(header)}")
    assert len(part.content) >= final * 8
    assert server.refused("GET", f"/api/sounds/{stem}/audio", 409)["type"] == "Conflict"
    behind = {"start": 120 * RATE - 10, "stop": 120 * RATE}
    assert server.refused("GET", f"/api/sounds/{stem}/samples", 416, params=behind)["type"] == "NotFinal"
    assert server.refused("GET", f"/api/jobs/{job}/zip", 409)["type"] == "Conflict"
    assert server.post(f"/api/jobs/{job}/cancel", 200).json()["state"] == "cancelled"
    server.until("/health", lambda _: not server.studio.scheduler.live(server.studio.store.job(job).key))
    assert server.get(f"/api/jobs/{job}").json()["state"] == "cancelled"
    assert not list((server.data_dir / "work").iterdir())


def test_a_region_overtakes_a_whole_song(server):
    session, other = server.session(), server.session()
    long = server.upload(session, wav_bytes(120.0, seed=8))["id"]
    song = server.upload(other, wav_bytes(seed=9))["id"]
    whole = server.take(session, long)["jobs"][0]["id"]
    server.until(f"/api/jobs/{whole}", lambda one: one["state"] == "running")
    region = server.finished(server.take(other, song, region={"start": 0, "stop": 1})["id"])
    assert region["jobs"][0]["state"] == "done"
    assert server.get(f"/api/jobs/{whole}").json()["state"] == "running"
    server.post(f"/api/jobs/{whole}/cancel", 200)


def test_whole_songs_of_several_sessions_take_turns(server):
    sessions = [server.session() for _ in range(2)]
    long = server.upload(sessions[0], wav_bytes(120.0, seed=11))["id"]
    short = server.upload(sessions[1], wav_bytes(seed=12))["id"]
    whole = server.take(sessions[0], long)["jobs"][0]["id"]
    server.until(f"/api/jobs/{whole}", lambda one: one["state"] == "running")
    second = server.take(sessions[0], long, [{"kind": "label", "name": "bass"}])["jobs"][0]["id"]
    other = server.finished(server.take(sessions[1], short)["id"])
    assert other["jobs"][0]["state"] == "done", "it does not wait for two minutes of somebody else"
    assert server.get(f"/api/jobs/{whole}").json()["state"] == "running"
    assert server.get(f"/api/jobs/{second}").json()["state"] == "waiting", "one session has one turn"
    for job in (second, whole):
        server.post(f"/api/jobs/{job}/cancel", 200)


def test_turns_do_not_change_what_comes_out(server, debug_weights, tmp_path):
    takes = []
    for seed in (13, 14, 15):
        session = server.session()
        takes.append(server.take(session, server.upload(session, wav_bytes(4.0, seed=seed), wait=False)["id"]))
    for seed, take in zip((13, 14, 15), takes, strict=True):
        [job] = server.finished(take["id"])["jobs"]
        (tmp_path / "song.wav").write_bytes(wav_bytes(4.0, seed=seed))
        expected = separate(tmp_path / "song.wav", Prompts("vocals drums"), model=str(debug_weights))
        assert np.array_equal(samples_of(server, job["stems"][0]["sound"]), expected.stems["vocals"].samples.numpy())


def test_one_of_two_who_share_a_job_can_cancel(server):
    sessions = [server.session() for _ in range(2)]
    songs = [server.upload(one, wav_bytes(5.0, seed=10))["id"] for one in sessions]
    takes = [server.take(one, song) for one, song in zip(sessions, songs, strict=True)]
    server.post(f"/api/jobs/{takes[0]['jobs'][0]['id']}/cancel", 200)
    assert server.finished(takes[1]["id"])["jobs"][0]["state"] == "done"
    assert server.finished(takes[0]["id"])["jobs"][0]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"targets": []}, 422, "targets: 0 are given"),
        ({"targets": [{"kind": "lable"}]}, 422, "did you mean 'label'"),
        ({"targets": [{"kind": "label", "name": "vocal"}]}, 422, "did you mean 'vocals'"),
        ({"targets": [{"kind": "prompts", "names": ["music-mix", "drums"]}]}, 422, "contradict each other"),
        ({"targets": [{"kind": "span", "start": 0, "stop": 1}]}, 422, "takes Label and Prompts, not Examples: use one"),
        ({"model": "../../etc/passwd"}, 422, "there is no model"),
        ({"settings": {"overlap": 2}}, 422, "overlap"),
        ({"settings": {"seed": 1}}, 422, "draws nothing at random"),
        ({"settings": {"overlapp": 0.5}}, 422, "overlapp"),
        ({"settings": {"segment": 1e-9}}, 422, "segment 1e-09 is out of range: use 0.1 to 600.0"),
        ({"settings": {"batch_size": 10**12}}, 422, "batch_size 1000000000000 is out of range: use 1 to 64"),
        ({"settings": {"search": "quick"}}, 422, "a search is for priors, and debug has none"),
        ({"settings": {"priors": ["vocals", "drums"]}}, 422, "debug is not put together of priors"),
        ({"targets": [{"name": "residual", "guides": [{"kind": "label", "name": "bass"}]}]}, 422, "give it another"),
        ({"region": {"start": 2, "stop": 1}}, 422, "empty or lies outside"),
        ({"region": {"start": 5, "stop": 6}}, 422, "empty or lies outside"),
        ({"whole": False}, 422, "nothing to separate"),
        ({"song": "0" * 32}, 404, "no such file"),
        ({"song": "../x"}, 404, "ids are 32 letters"),
        ({"parent": "0" * 32}, 404, "no such take"),
        ({"targets": [{"kind": "mimicry", "file": "0" * 32}]}, 404, "no such file"),
        ({"targets": [{"kind": "mimicry", "file": "/etc/passwd"}]}, 404, "ids are 32 letters"),
        ({"targets": "vocals"}, 422, 'targets is "vocals": give a list'),
        ({"title": "x" * 300}, 422, "title"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(server, desk, body, status, message):
    whole = {"song": desk[1], "targets": PROMPTS, "model": "debug", **body}
    error = server.refused("POST", f"/api/sessions/{desk[0]}/takes", status, json=whole)
    assert message in error["message"]
    assert str(server.data_dir) not in error["message"]


@pytest.mark.parametrize(
    "name", [b'"\\ud800"', b"NaN", b"1e999", b"[" * 300 + b"]" * 300, b'{"\\udfff": 1}'],
    ids=["half a letter", "no number", "too large a number", "too deep", "half a letter in a name"],
)  # fmt: skip
def test_what_python_reads_but_is_no_json_is_refused(server, name):
    session = server.session()
    song = server.upload(session, wav_bytes(0.1), wait=False)["id"]
    target = b'{"name": %s, "guides": [{"kind": "label", "name": "bass"}]}' % name
    body = b'{"song": "%s", "model": "debug", "targets": [%s]}' % (song.encode(), target)
    as_json = {"content-type": "application/json"}
    server.refused("POST", f"/api/sessions/{session}/takes", 422, content=body, headers=as_json)
    error = server.refused(
        "PATCH", f"/api/sessions/{session}", 422, content=b'{"page": {"a": %s}}' % name, headers=as_json
    )
    assert "is no JSON" in error["message"]
    assert server.get(f"/api/sessions/{session}").json()["page"] == {}


def test_a_result_that_could_not_be_noted_down_is_not_lost(start, monkeypatch):
    with start() as server:
        session = server.session()
        song = server.upload(session, wav_bytes(1.0, seed=16))["id"]
        change, refused = server.studio.store.change_job, []

        def refuse_once(job, **values):
            if values.get("state") == "done" and not refused:
                refused.append(job)
                raise sqlite3.OperationalError("database or disk is full")
            return change(job, **values)

        monkeypatch.setattr(server.studio.store, "change_job", refuse_once)
        job = server.take(session, song)["jobs"][0]["id"]
        server.until("/health", lambda _: refused)
        other = server.take(session, song, settings={"overlap": 0.5})
        assert server.finished(other["id"])["jobs"][0]["state"] == "done"
        assert server.until(f"/api/jobs/{job}", lambda one: one["state"] != "running")["state"] == "done"


def test_takes_at_once_share_one_quota(start):
    with start(session_waiting=2) as server, ThreadPoolExecutor(8) as pool:
        session = server.session()
        song = server.upload(session, wav_bytes(30.0, seed=15))["id"]
        body = {"song": song, "targets": PROMPTS, "model": "debug"}
        answers = list(pool.map(lambda _: server.http.post(f"/api/sessions/{session}/takes", json=body), range(8)))
        assert sum(answer.status_code == 201 for answer in answers) <= 2
        assert {answer.status_code for answer in answers} == {201, 429}
        server.http.delete(f"/api/sessions/{session}")


def test_files_of_other_sessions_are_not_there(server, desk):
    error = server.refused("POST", f"/api/sessions/{server.session()}/takes", 404, json={
        "song": desk[1], "targets": PROMPTS, "model": "debug",
    })  # fmt: skip
    assert "in this session" in error["message"]


def test_a_guide_of_the_wrong_kind_is_refused(server, desk):
    targets = [{"kind": "score", "file": desk[1]}]
    error = server.refused("POST", f"/api/sessions/{desk[0]}/takes", 422, json={"song": desk[1], "targets": targets})
    assert error == {"type": "GuideError", "message": "song.wav is a recording, and this guide needs MIDI"}


def test_the_model_is_chosen_by_the_guides(server, desk):
    example = [{"kind": "examples", "positive": [{"file": desk[1]}]}]
    take = server.post(f"/api/sessions/{desk[0]}/takes", json={
        "song": desk[1], "targets": example, "region": {"start": 0, "stop": 0.1},
    }).json()  # fmt: skip
    assert take["model"] == "few-shot-small"
    assert take["targets"][0]["name"] == "song"  # not the id
    server.http.delete(f"/api/takes/{take['id']}")


def test_settings_are_those_of_separate():
    assert settings_of({"precision": "bf16"}).precision == "bf16"
    assert settings_of({"steps": 3}).sampling.steps == 3


def test_what_is_written_to_disk_is_what_came(server, desk):
    data = server.get(f"/api/files/{desk[1]}/content").content
    assert data == wav_bytes()
    samples, rate = soundfile.read(server.studio.folder.file(desk[1]) / "original", dtype="float32")
    assert rate == RATE
    assert torch.equal(torch.from_numpy(samples.T), torch.from_numpy(samples_of(server, desk[1]).copy()))
