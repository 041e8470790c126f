"""What is taken away is, sample for sample, what the command line writes."""

import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from studio_server import RATE, wav_bytes

from unbraid.audio.files import read_audio
from unbraid.delivery import DeliveryOptions, separate_file
from unbraid.guides.kinds import Prompts
from unbraid.server import exports
from unbraid.server.exports import encoding_for

NAMES = ["vocals", "drums", "residual"]


@pytest.fixture(scope="module", params=["PCM_16", "PCM_24", "FLOAT"])
def separated(request, server):
    session = server.session()
    data = wav_bytes(1.5, subtype=request.param, seed=30)
    song = server.upload(session, data, "my song.wav")["id"]
    take = server.finished(server.take(session, song)["id"])
    return data, take["jobs"][0]["id"], take


@pytest.mark.parametrize(("container", "depth"), [(None, None), ("flac", "16"), ("wav", "24"), ("flac", None)])
def test_stems_are_those_of_the_command_line(server, separated, debug_weights, tmp_path, container, depth):
    data, job, _ = separated
    (tmp_path / "my song.wav").write_bytes(data)
    manifest = separate_file(
        tmp_path / "my song.wav", Prompts("vocals drums"), tmp_path, model=str(debug_weights),
        options=DeliveryOptions(container=container, depth=depth),
    )  # fmt: skip
    params = {name: value for name, value in (("format", container), ("depth", depth)) if value}
    for index, record in enumerate(manifest.outputs):
        answer = server.get(f"/api/jobs/{job}/stems/{index}", params=params)
        expected = (manifest.path.parent / record.file).read_bytes()
        if record.container == "wav":
            assert answer.content == expected, record.name
        found, written = (soundfile.read(io.BytesIO(one), dtype="float32")[0] for one in (answer.content, expected))
        assert np.array_equal(found, written), record.name
        assert f"my%20song%20-%20{record.name}.{record.container}" in answer.headers["content-disposition"]


def test_a_zip_holds_all_stems_and_says_how_they_were_made(server, separated):
    _, job, take = separated
    answer = server.get(f"/api/jobs/{job}/zip", params={"format": "flac", "depth": "16"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [*(f"{name}.flac" for name in NAMES), "take.json"]
        described = json.loads(archive.read("take.json"))
        samples, rate = soundfile.read(io.BytesIO(archive.read("vocals.flac")))
    assert (rate, len(samples)) == (RATE, round(1.5 * RATE))
    assert described["song"] == "my song.wav"
    assert described["targets"] == take["targets"]
    assert "--prompts 'vocals drums'" in described["code"]["command"]
    server.until("/health", lambda _: not list((server.data_dir / "uploads").iterdir()))  # removed once it is sent


@pytest.fixture(scope="module")
def tonal(server, debug_weights, tmp_path_factory):
    """Chords in stereo, which lossy formats keep well: separated by the server, and as the command line does it."""
    time = np.arange(4 * 44_100) / 44_100
    sides = [sum(0.1 * np.sin(2 * np.pi * pitch * time) for pitch in chord) for chord in ((220, 277, 440), (330, 554))]
    folder = tmp_path_factory.mktemp("tonal")
    soundfile.write(folder / "chords.wav", np.stack(sides, axis=1) * np.minimum(1, time * 4)[:, None], 44_100)
    session = server.session()
    song = server.upload(session, (folder / "chords.wav").read_bytes(), "chords.wav")["id"]
    job = server.finished(server.take(session, song)["id"])["jobs"][0]["id"]

    def written(container):
        manifest = separate_file(
            folder / "chords.wav", Prompts("vocals drums"), folder / container, model=str(debug_weights),
            options=DeliveryOptions(container=container),
        )  # fmt: skip
        return {record.name: manifest.path.parent / record.file for record in manifest.outputs}

    return job, folder, written


def alike(found, expected, *, level_db):
    """Whether two signals have one shape and one level, silence aside."""
    correlation = float((found * expected).sum() / np.sqrt((found**2).sum() * (expected**2).sum()))
    level = 10 * np.log10((found**2).sum() / (expected**2).sum())
    assert correlation > 0.999, correlation
    assert abs(level) < level_db, level


def test_mp3_is_that_of_the_command_line(server, tonal):
    job, _, written = tonal
    lossless = written("wav")
    for index, (name, path) in enumerate(written("mp3").items()):
        answer = server.get(f"/api/jobs/{job}/stems/{index}", params={"format": "mp3"})
        assert answer.headers["content-type"] == "audio/mpeg"
        found, rate = soundfile.read(io.BytesIO(answer.content))
        expected, _ = soundfile.read(path)
        assert rate == 44_100
        assert np.array_equal(found, expected), name
        exact, _ = soundfile.read(lossless[name])
        assert len(found) == len(exact) == 4 * 44_100, "without the silence that MP3 puts around it"
        alike(found, exact, level_db=0.1)


def test_a_stem_file_holds_what_the_command_line_writes(server, tonal):
    pytest.importorskip("av", reason="needs unbraid[video]")
    job, folder, written = tonal
    answer = server.get(f"/api/jobs/{job}/stem-mp4")
    assert "chords.stem.mp4" in answer.headers["content-disposition"]
    path = folder / "chords.stem.mp4"
    path.write_bytes(answer.content)
    start = answer.content.rindex(b'{"version"')
    listed = json.JSONDecoder().raw_decode(answer.content[start:].decode("utf-8", "ignore"))[0]["stems"]
    assert [stem["name"] for stem in listed] == [*NAMES, "-"], "titles, and one that fills up"
    tracks = [read_audio(path, track=track) for track in range(5)]
    assert [(one.sample_rate, one.samples.shape) for one in tracks] == [(44_100, (2, 4 * 44_100))] * 5
    mixture, _ = soundfile.read(folder / "chords.wav")
    stems = written("wav")
    for track, exact in zip(tracks, [mixture, *(soundfile.read(stems[name])[0] for name in NAMES)], strict=False):
        alike(track.samples.numpy().T, exact, level_db=0.2)
    assert float(tracks[4].samples.abs().max()) < 1e-3


def test_five_stems_are_no_stem_file(server):
    session = server.session()
    song = server.upload(session, wav_bytes(0.3))["id"]
    names = ["vocals", "drums", "bass", "other", "speech"]
    job = server.finished(server.take(session, song, [{"kind": "prompts", "names": names}])["id"])["jobs"][0]
    error = server.refused("GET", f"/api/jobs/{job['id']}/stem-mp4", 409)
    assert error["message"] == "a stem file holds 4 stems, not 5: ask for fewer targets"
    assert not list((server.data_dir / "uploads").iterdir())


def test_many_downloads_leave_threads_for_everybody_else(server, separated, monkeypatch):
    making, go_on = threading.Semaphore(0), threading.Event()
    make = exports.make

    def wait(*words, **named):
        making.release()
        assert go_on.wait(600)
        return make(*words, **named)

    monkeypatch.setattr(exports, "make", wait)
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(server.http.get, f"/api/jobs/{separated[1]}/stems/0") for _ in range(50)]
        try:
            for _ in range(4):
                assert making.acquire(timeout=600)
            server.get("/health", timeout=600)
        finally:
            go_on.set()
    assert {answer.result().status_code for answer in answers} == {200}


@pytest.mark.parametrize("container", ["mp3", "ogg"])
def test_lossy_files_have_the_right_length(server, separated, container):
    answer = server.get(f"/api/jobs/{separated[1]}/stems/0", params={"format": container})
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert (rate, len(samples)) == (RATE, 1.5 * RATE)


@pytest.mark.parametrize(
    ("where", "status"),
    [("stems/3", 404), ("stems/-1", 404), ("stems/x", 422), ("stems/0?format=aiff", 422), ("stems/0?depth=8", 422)],
)
def test_what_is_not_there_is_refused(server, separated, where, status):
    server.refused("GET", f"/api/jobs/{separated[1]}/{where}", status)


def test_a_format_that_cannot_hold_it_is_refused(server):
    session = server.session()
    song = server.upload(session, wav_bytes(0.5, channels=4))["id"]
    job = server.finished(server.take(session, song)["id"])["jobs"][0]["id"]
    error = server.refused("GET", f"/api/jobs/{job}/stems/0", 422, params={"format": "mp3"})
    assert error == {"type": "AudioWriteError", "message": "MP3 holds at most 2 channels, not 4: use wav, flac or ogg"}
    error = server.refused("GET", f"/api/jobs/{job}/stems/0", 422, params={"format": "flac", "depth": "float"})
    assert "flac cannot hold depth 'float'" in error["message"]


def test_a_region_is_as_long_as_it_says(server):
    session = server.session()
    song = server.upload(session, wav_bytes(1.5, seed=31))["id"]
    job = server.finished(server.take(session, song, region={"start": 0.48, "stop": 0.96})["id"])["jobs"][0]
    parts = [server.get(f"/api/jobs/{job['id']}/stems/{index}").content for index in range(3)]
    samples = [soundfile.read(io.BytesIO(part), dtype="int16")[0].astype(int) for part in parts]
    mixture = soundfile.read(io.BytesIO(wav_bytes(1.5, seed=31)), dtype="int16")[0].astype(int)
    first, last = round(0.48 * RATE), round(0.96 * RATE)
    assert np.array_equal(sum(samples), mixture[first:last])  # to the bit


def test_mp3_has_no_depth_and_float_has_a_home():
    assert encoding_for("16", container="mp3", wanted=None).depth == "-"
    assert encoding_for(None, container=None, wanted=None).depth == "float"
