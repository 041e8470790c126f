"""Files: what they are found to be, what is refused, and what is left of that."""

import io
import json
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import mido
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from studio_server import RATE, wav_bytes

from unbraid.server.analysis import in_users_words
from unbraid.server.sounds import SoundFolder, SoundFormat, SoundWriter
from unbraid.server.streaming import _bytes
from unbraid.server.uploads import shown_name


def midi_bytes():
    track = mido.MidiTrack([
        mido.MetaMessage("track_name", name="Flute"),
        mido.Message("note_on", note=69, velocity=90),
        mido.Message("note_off", note=69, time=480),
    ])  # fmt: skip
    buffer = io.BytesIO()
    mido.MidiFile(tracks=[track]).save(file=buffer)
    return buffer.getvalue()


def png_bytes(*, green=255):
    picture = np.zeros((80, 126, 3), np.uint8)
    picture[20:30, 40:60, 1] = green
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_recording_is_described_and_kept_exactly(server):
    data = wav_bytes(1.5, rate=44100)
    file = server.upload(server.session(), data, "Café.wav")
    assert (file["kind"], file["state"], file["name"]) == ("audio", "ready", "Café.wav")
    assert (file["sample_rate"], file["n_channels"], file["n_samples"]) == (44100, 2, 66150)
    assert (file["duration"], file["final_samples"], file["progress"]) == (1.5, 66150, 1.0)
    assert server.get(f"/api/files/{file['id']}/content").content == data


def test_samples_come_back_as_they_are_in_the_file(server):
    for subtype in ("PCM_16", "PCM_24", "FLOAT"):
        data = wav_bytes(0.5, subtype=subtype, seed=3)
        file = server.upload(server.session(), data)
        answer = server.get(f"/api/sounds/{file['id']}/samples", params={"start": 100, "stop": 200})
        expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", start=100, stop=200)
        assert np.array_equal(np.frombuffer(answer.content, "<f4").reshape(-1, 2), expected), subtype


def test_the_wav_of_a_sound_takes_ranges(server):
    data = wav_bytes(2.0, rate=44100)
    sound = server.upload(server.session(), data)["id"]
    where = f"/api/sounds/{sound}/audio"
    whole = server.get(where).content
    samples, rate = soundfile.read(io.BytesIO(whole))
    assert (rate, samples.shape) == (44100, (88200, 2))
    assert np.array_equal(samples, soundfile.read(io.BytesIO(data))[0])
    for named, part in (
        ("bytes=0-0", whole[:1]),
        ("bytes=50-149", whole[50:150]),
        ("bytes=1000-", whole[1000:]),
        ("bytes=-77", whole[-77:]),
        (f"bytes=300000-{len(whole) + 5}", whole[300000:]),
    ):
        answer = server.get(where, 206, headers={"range": named})
        assert answer.content == part, named
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")
    for named in (f"bytes={len(whole)}-", "bytes=-0"):
        answer = server.http.get(where, headers={"range": named})
        assert (answer.status_code, answer.json()["error"]["type"]) == (416, "NotFinal")
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
    for named in ("bytes=9-3", "bytes=-", "seconds=0-1", "bytes=0-1,5-6", "bytes=" + "9" * 40 + "-"):
        assert server.get(where, headers={"range": named}).content == whole, named
    etag = server.get(where).headers["etag"]
    for named in (etag, f"W/{etag}", f'"another", {etag}', "*"):
        assert server.http.get(where, headers={"if-none-match": named}).status_code == 304, named
    assert server.get(where, headers={"if-none-match": '"another"'}).content == whole
    assert server.get(where, headers={"range": "bytes=0-9", "if-range": '"another"'}).content == whole


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (6, 5), (-1, 5), (0, 1 << 30)])
def test_samples_that_make_no_sense_are_refused(server, start, stop):
    sound = server.upload(server.session(), wav_bytes(0.2))["id"]
    server.refused("GET", f"/api/sounds/{sound}/samples", 422, params={"start": start, "stop": stop})


def test_midi_shows_its_notes(server):
    file = server.upload(server.session(), midi_bytes(), "song.mid")
    assert (file["kind"], file["state"], file["sample_rate"]) == ("midi", "ready", None)
    [track] = server.get(f"/api/files/{file['id']}/notes").json()["tracks"]
    assert (track["number"], track["name"], track["is_drum"]) == (1, "Flute", False)
    assert track["notes"] == [[0.0, 0.5, 69, 90]]
    assert server.refused("GET", f"/api/sounds/{file['id']}", 409)["type"] == "Conflict"


def test_paint_is_recognized(server):
    file = server.upload(server.session(), png_bytes(), "paint.png")
    assert (file["kind"], file["state"]) == ("mask", "ready")
    shapes = json.dumps({"positive": [{"start": 1, "stop": 2}]}).encode()
    assert server.upload(server.session(), shapes, "shapes.json")["kind"] == "mask"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"this is no sound", "broken.bin: "),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "broken.bin: "),
        (wav_bytes(1.0)[:5000], "broken.bin: the file is cut off"),
        (b"MThd\x00\x00\x00\x06\x00\x01", "broken.bin: "),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 50, "broken.bin is a damaged picture"),
        (b'{"positive": 3}', "broken.bin positive is no list"),
        (b'{"a": ' * 5000, "broken.bin is no valid JSON"),
    ],
)
def test_what_cannot_be_read_says_why_in_words(server, data, message):
    file = server.upload(server.session(), data, "broken.bin")
    assert file["state"] == "failed"
    assert file["error"].startswith(message)
    assert str(server.data_dir) not in file["error"]
    assert "original" not in file["error"]


def test_an_unpainted_mask_is_refused(server):
    file = server.upload(server.session(), png_bytes(green=0), "paint.png")
    assert (file["state"], file["error"]) == (
        "failed",
        "paint.png: nothing is painted on it: paint what is the sound in green",
    )


def test_an_empty_file_is_refused(server):
    session = server.session()
    error = server.refused("POST", f"/api/sessions/{session}/files?name=a.wav", 422, content=b"")
    assert error["type"] == "Invalid"
    assert server.get(f"/api/sessions/{session}").json()["files"] == []


def test_the_demo_song_is_a_file_like_any_other(server):
    session = server.session()
    file = server.post(f"/api/sessions/{session}/demo").json()
    assert server.settled(file["id"])["state"] == "ready"


def test_a_residual_is_fed_back_in(server):
    session = server.session()
    song = server.upload(session)["id"]
    job = server.finished(server.take(session, song)["id"])["jobs"][0]
    residual = job["stems"][-1]["sound"]
    file = server.post(f"/api/sessions/{session}/files/from-sound", json={"sound": residual}).json()
    assert file["name"] == "residual.wav"
    assert server.settled(file["id"])["n_samples"] == 2 * RATE
    window = {"start": 0, "stop": 2 * RATE}
    one, other = (server.get(f"/api/sounds/{sound}/samples", params=window).content for sound in (residual, file["id"]))
    assert one == other
    server.refused("POST", f"/api/sessions/{server.session()}/files/from-sound", 404, json={"sound": residual})


def test_a_file_that_a_take_uses_stays(server):
    session = server.session()
    song = server.upload(session)["id"]
    spare = server.upload(session, wav_bytes(0.3), "spare.wav")["id"]
    server.finished(server.take(session, song)["id"])
    assert server.refused("DELETE", f"/api/files/{song}", 409)["type"] == "Conflict"
    assert server.http.delete(f"/api/files/{spare}").status_code == 204
    assert not server.studio.folder.file(spare).exists()
    server.refused("GET", f"/api/files/{spare}", 404)


def test_too_large_and_too_long_files_are_refused_with_the_limit(start):
    with start(upload_bytes=100_000, duration=3.0) as server:
        session = server.session()
        where = f"/api/sessions/{session}/files?name=a.wav"
        error = server.refused("POST", where, 413, content=b"x" * 100_001)
        assert error["type"] == "TooLarge"
        assert "97.7 KiB (--max-upload)" in error["message"]

        def pieces():  # no length is told beforehand
            yield from [b"x" * 60_000] * 3

        assert server.refused("POST", where, 413, content=pieces())["type"] == "TooLarge"
        assert not list((server.data_dir / "uploads").iterdir())
        file = server.upload(session, wav_bytes(4.0, channels=1), "long.wav")
        assert file["state"] == "failed"
        assert "long.wav is 0.1 minutes long, and the limit is 0.05 minutes (--max-minutes)" in file["error"]
        assert server.get(f"/api/sessions/{session}").json()["stored_bytes"] < 100_000


def test_a_session_has_a_quota(start):
    with start(session_bytes=400_000, session_files=2, session_takes=2, session_waiting=1, sessions=2) as server:
        session = server.session()
        song = server.upload(session)["id"]
        body = {"song": song, "targets": [{"kind": "label", "name": "bass"}], "model": "debug"}
        takes = f"/api/sessions/{session}/takes"
        error = server.refused("POST", takes, 429, json={**body, "targets": body["targets"] * 4})
        assert error["type"] == "QuotaExceeded"
        assert "--quota" in error["message"]
        both = {**body, "region": {"start": 0, "stop": 0.1}, "whole": True}
        assert "wait or run already" in server.refused("POST", takes, 429, json=both)["message"]
        server.upload(session, wav_bytes(0.1))
        where = f"/api/sessions/{session}/files?name=a.wav"
        assert "2 files" in server.refused("POST", where, 429, content=wav_bytes(0.1))["message"]
        server.session()
        assert "2 sessions" in server.refused("POST", "/api/sessions", 429, json={})["message"]
        other = server.get("/api/sessions").json()[0]["id"]
        large = server.refused("POST", f"/api/sessions/{other}/files?name=a.wav", 429, content=b"x" * 500_000)
        assert "may hold 391 KiB (--quota)" in large["message"]


def test_a_decoder_that_takes_too_much_memory_is_stopped(start):
    with start(decode_bytes=1 << 20) as server:
        file = server.upload(server.session(), wav_bytes(60.0), "large.wav")
        assert file["state"] == "failed"
        assert "large.wav" in file["error"]
        assert "memory" in file["error"]
        assert server.get("/health").json()["status"] == "ok"


def test_a_small_file_that_is_a_large_sound_is_refused(start):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros((60 * 192_000, 2), np.int16), 192_000, format="FLAC")
    with start(session_bytes=5_000_000) as server:
        session = server.session()
        file = server.upload(session, silence.getvalue(), "bomb.flac")
        assert (file["state"], len(silence.getvalue()) < 500_000) == ("failed", True)
        assert "bomb.flac takes 46" in file["error"]
        assert "--quota" in file["error"]
        assert server.get(f"/api/sessions/{session}").json()["stored_bytes"] < 500_000


def test_nothing_is_left_of_a_sound_that_cannot_be_read(server):
    samples = np.zeros((20_000, 1), np.float32)
    samples[15_000] = np.nan
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="FLOAT")
    file = server.upload(server.session(), buffer.getvalue(), "broken.wav")
    assert "not a finite number" in file["error"]
    assert [path.name for path in server.studio.folder.file(file["id"]).iterdir()] == ["original"]
    assert server.refused("GET", f"/api/sounds/{file['id']}/audio", 416, headers={"range": "bytes=500-"})


def test_uploads_at_once_share_one_quota(start):
    data = wav_bytes(1.0)
    with start(session_files=2, session_bytes=10_000_000) as server, ThreadPoolExecutor(6) as pool:
        where = f"/api/sessions/{server.session()}/files?name=a.wav"
        barrier = Barrier(6)

        def pieces():
            yield data[:1000]
            barrier.wait(30)  # nobody is done before everybody has begun
            yield data[1000:]

        answers = list(pool.map(lambda _: server.http.post(where, content=pieces()), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429, 429, 429]


def test_a_picture_that_unpacks_to_gigabytes_is_refused(server):
    size = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(bytes(30_001))), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    file = server.upload(server.session(), b"\x89PNG\r\n\x1a\n" + data, "bomb.png")
    assert file["state"] == "failed"
    assert "bomb.png is a damaged picture" in file["error"] or "make it smaller" in file["error"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.wav", "a.wav"),
        ("x/../b c.wav", "b c.wav"),
        ("", "recording"),
        ("\u202eevil", "evil"),
        ("音楽.mp3", "音楽.mp3"),
    ],
)
def test_names_are_shown_in_one_piece(name, shown):
    assert shown_name(name) == shown


def test_messages_name_the_file_once(tmp_path):
    from unbraid.server.analysis import Upload
    from unbraid.server.limits import Limits

    upload = Upload(tmp_path, "a.wav", Limits(), 0)
    assert in_users_words(f"{tmp_path}/original: is cut off", upload) == "a.wav: is cut off"
    assert in_users_words("is cut off", upload) == "a.wav: is cut off"


def test_a_session_that_is_removed_during_an_upload_leaves_nothing(server):
    session = server.session()
    before = set(server.studio.folder.files())

    def pieces():
        data = wav_bytes(2.0, rate=44100)
        yield data[:1000]
        while not list((server.data_dir / "uploads").iterdir()):
            time.sleep(0.01)
        server.studio.remove_session(session)
        yield data[1000:]

    error = server.refused("POST", f"/api/sessions/{session}/files?name=a.wav", 404, content=pieces())
    assert error["type"] == "NotFound"
    assert set(server.studio.folder.files()) == before
    assert not list((server.data_dir / "uploads").iterdir())


def test_an_upload_ends_when_the_server_goes_down(start):
    with start() as server:
        session = server.session()
        begun = Event()

        def pieces():
            for _ in range(2000):
                yield b"x" * 1000
                begun.set()
                time.sleep(0.01)

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(server.http.post, f"/api/sessions/{session}/files?name=a.wav", content=pieces())
            assert begun.wait(30)
            server.studio.bus.close()
            error = answer.result(60)
        assert (error.status_code, error.json()["error"]["type"]) == (503, "Stopping")
        assert not list((server.data_dir / "uploads").iterdir())


def test_a_sound_is_sent_to_its_end_although_it_moves_meanwhile(tmp_path):
    sound = SoundFormat(RATE, 1, 400_000)
    with SoundWriter(tmp_path / "here", sound) as writer:
        writer.write(torch.linspace(-1, 1, 400_000)[None])
    held = SoundFolder(tmp_path / "here", sound)
    expected = held.read_bytes(0, 400_000)
    pieces = _bytes(held, b"head", 2, 4 + len(expected))
    (tmp_path / "here").rename(tmp_path / "there")
    assert b"".join(pieces) == b"ad" + expected
