"""Guides of every kind reach the model, on the clock of the region that is separated."""

import io
from multiprocessing import Pipe
from threading import Thread

import mido
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from studio_server import RATE, serving, wav_bytes

from unbraid import Audio, Mimicry, Settings, Target, separate
from unbraid.guides.mask import Mask
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.models.separator import Sampling
from unbraid.server import worker
from unbraid.server.shelf import ModelChoice
from unbraid.server.sounds import SoundFormat
from unbraid.zoo import save_weights

SECONDS = 6.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that follows melodies and masks, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Guidesep(PRESETS["guidesep-debug"]).eval()
    path = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_weights(model, path)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory, weights):
    with serving(tmp_path_factory.mktemp("studio"), weights) as client:
        yield client


def hum_bytes(seconds=2.0):
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, RATE, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def paint_bytes(first, last):
    """Return a mask with paint from one second to another."""
    picture = np.zeros((80, round(SECONDS * 62.5) + 1, 3), np.uint8)
    picture[20:40, round(first * 62.5) : round(last * 62.5), 1] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def score_bytes():
    tracks = [
        mido.MidiTrack([
            mido.MetaMessage("track_name", name=name),
            mido.Message("note_on", note=note),
            mido.Message("note_off", note=note, time=960),
        ])
        for name, note in (("Flute", 69), ("Bass", 45))
    ]  # fmt: skip
    buffer = io.BytesIO()
    mido.MidiFile(tracks=tracks).save(file=buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def desk(server):
    session = server.session()
    upload = {"song.wav": wav_bytes(SECONDS, seed=50), "hum.wav": hum_bytes(), "paint.png": paint_bytes(1, 2)}
    upload["tune.mid"] = score_bytes()
    return session, {name: server.upload(session, data, name)["id"] for name, data in upload.items()}


def separated(server, desk, targets, **more):
    session, files = desk
    take = server.take(session, files["song.wav"], targets, settings={"steps": 1, "seed": 3}, **more)
    return server.finished(take["id"])["jobs"][0]


def samples_of(server, sound):
    window = {"start": 0, "stop": round(SECONDS * RATE)}
    return np.frombuffer(server.get(f"/api/sounds/{sound}/samples", params=window).content, "<f4").reshape(-1, 2).T


def test_a_hum_and_paint_do_what_they_do_in_python(server, desk, weights, tmp_path):
    files = desk[1]
    guides = [{"kind": "mimicry", "file": files["hum.wav"], "offset": 1.5}]
    guides += [{"kind": "mask", "positive": files["paint.png"]}]
    job = separated(server, desk, [{"name": "lead", "guides": guides}])
    assert job["state"] == "done", job["error"]
    for name, data in (("song", wav_bytes(SECONDS, seed=50)), ("hum", hum_bytes()), ("paint", paint_bytes(1, 2))):
        (tmp_path / name).write_bytes(data)
    expected = separate(
        tmp_path / "song",
        Target("lead", [Mimicry(tmp_path / "hum", offset=1.5), Mask(tmp_path / "paint")]),
        model=str(weights),
        settings=Settings(sampling=Sampling(seed=3, steps=1)),
    )
    assert np.array_equal(samples_of(server, job["stems"][0]["sound"]), expected.stems["lead"].samples.numpy())


def test_in_a_region_everything_lies_where_it_did(server, desk, weights):
    """A region as long as the window is separated as a song of its own, with the guides moved."""
    files = desk[1]
    guides = [{"kind": "mimicry", "file": files["hum.wav"], "offset": 1.5}]
    job = separated(server, desk, [{"name": "lead", "guides": guides}], region={"start": 0.8, "stop": 4.88})
    assert (job["state"], job["start"], job["stop"]) == ("done", 0.8, 4.88), job["error"]
    song, _ = soundfile.read(io.BytesIO(wav_bytes(SECONDS, seed=50)), dtype="float32")
    hum, _ = soundfile.read(io.BytesIO(hum_bytes()), dtype="float32")
    part = Audio(torch.from_numpy(song[round(0.8 * RATE) : round(4.88 * RATE)].T.copy()), RATE)
    expected = separate(
        part,
        Target("lead", Mimicry((hum, RATE), offset=0.7)),
        model=str(weights),
        settings=Settings(sampling=Sampling(seed=3, steps=1)),
    )
    found = samples_of(server, job["stems"][0]["sound"])
    assert np.allclose(found, expected.stems["lead"].samples.numpy(), atol=1e-5)


def test_a_short_region_is_heard_in_its_surroundings(server, desk):
    guides = [{"kind": "mimicry", "file": desk[1]["hum.wav"], "offset": 1.5}]
    job = separated(server, desk, [{"name": "lead", "guides": guides}], region={"start": 2.0, "stop": 2.16})
    assert job["state"] == "done", job["error"]
    stems = [samples_of(server, stem["sound"]) for stem in job["stems"]]
    assert stems[0].shape == (2, round(0.16 * RATE))
    song = soundfile.read(io.BytesIO(wav_bytes(SECONDS, seed=50)), dtype="float32")[0].T
    assert np.allclose(sum(stems), song[:, 2 * RATE : round(2.16 * RATE)], atol=1e-6)


@pytest.mark.parametrize(
    ("guide", "region", "message"),
    [
        ({"kind": "mask", "positive": "paint.png"}, (3.0, 6.0), "'paint': nothing is painted between"),
        ({"kind": "mimicry", "file": "hum.wav", "offset": 9.0}, None, "lies outside of the mixture"),
        ({"kind": "score", "file": "tune.mid"}, None, "tune.mid has 2 tracks: choose one"),
        ({"kind": "score", "file": "tune.mid", "track": "Oboe"}, None, "tune.mid has no track 'Oboe'"),
    ],
)
def test_what_only_the_song_tells_fails_the_job_in_the_users_words(server, desk, guide, region, message):
    named = {key: desk[1].get(value, value) if isinstance(value, str) else value for key, value in guide.items()}
    more = {} if region is None else {"region": {"start": region[0], "stop": region[1]}}
    job = separated(server, desk, [named], **more)
    assert job["state"] == "failed"
    assert message in job["error"]
    assert str(server.data_dir) not in job["error"]


@pytest.mark.parametrize(
    "guide",
    [
        {"kind": "score", "file": "tune.mid", "track": "Flute"},
        {"kind": "mask", "positive": "paint.png"},
        {"kind": "mask", "shapes": {"positive": [{"start": 1, "stop": 2}], "negative": [{"start": 3, "stop": 4}]}},
    ],
)
def test_other_guides_work_too(server, desk, guide):
    named = {key: desk[1].get(value, value) if isinstance(value, str) else value for key, value in guide.items()}
    job = separated(server, desk, [named], region={"start": 0.5, "stop": 3.0})
    assert job["state"] == "done", job["error"]
    assert job["stems"][0]["name"] in {"tune", "paint", "mask"}


def test_a_mask_of_another_song_is_told(server, desk):
    other = server.session()
    song = server.upload(other, wav_bytes(2.0))["id"]
    paint = server.upload(other, paint_bytes(1, 2), "paint.png")["id"]
    take = server.take(other, song, [{"kind": "mask", "positive": paint}])
    job = server.finished(take["id"])["jobs"][0]
    assert job["state"] == "failed"
    assert "mask paint.png is of another song: it lasts 6.00 s, the mixture 2.00 s" in job["error"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 264 bytes"), "enough memory"),
        (ValueError("something odd"), "the server made a mistake with this"),
    ],
)
def test_what_nobody_foresaw_ends_one_job_and_not_the_process(monkeypatch, tmp_path, error, message):
    def fail(self, order):
        if order.token == "bad":
            raise error
        yield

    monkeypatch.setattr(worker._Worker, "_separate", fail)
    (tmp_path / worker.RESULT).write_text("{}")
    ours, theirs = Pipe()
    thread = Thread(target=worker.main, args=(theirs, "cpu", 1))
    thread.start()
    song = SoundFormat(RATE, 1, RATE)
    told = {}
    for token in ("bad", "good"):
        ours.send(("run", worker.Order(token, tmp_path, tmp_path, song, {}, [], ModelChoice("debug"), 1, {})))
        while token not in told:
            assert ours.poll(60)
            word, about, *values = ours.recv()
            if word in {"failed", "done"}:
                told[about] = (word, *values)
    ours.send(("stop",))
    thread.join(60)
    assert told["bad"][:2] == ("failed", "ModelError")
    assert message in told["bad"][2]
    assert told["good"] == ("done", {})
