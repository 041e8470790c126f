"""The studio in a real browser: every step that a person takes, on a real song and with the models that ship."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fastapi")

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "francium"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLAYWRIGHT = ROOT / "studio" / "node_modules" / "playwright-core"
PATIENCE = 5400

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not PLAYWRIGHT.is_dir() or shutil.which("node") is None, reason="npm ci in studio/ comes first"),
]


def write_guides(folder):
    """Write what is dropped on the page: the song, a hum of its singer, a passage of it, and notes."""
    import mido

    folder.mkdir()
    shutil.copy(DEMO / "mixture.flac", folder / "song.flac")
    vocals, rate = soundfile.read(DEMO / "vocals.flac", always_2d=True)
    soundfile.write(folder / "hum.wav", vocals.mean(axis=1), rate, subtype="PCM_16")
    soundfile.write(folder / "riff.wav", vocals[rate : 3 * rate], rate)
    file = mido.MidiFile(tracks=[mido.MidiTrack()])
    for pitch in (60, 64, 67, 72):
        file.tracks[0].append(mido.Message("note_on", note=pitch, velocity=90))
        file.tracks[0].append(mido.Message("note_off", note=pitch, time=480))
    file.save(folder / "tune.mid")
    clicks = np.zeros(31 * 60 * 8000, np.float32)
    clicks[::8000] = 0.5
    soundfile.write(folder / "long.flac", clicks, 8000)
    write_label("my singer", folder / "riff.wav", folder)


def write_label(name, recording, folder):
    """Write a taught label as `unbraid teach` does without tuning: the query of a recording."""
    from unbraid.guides.examples import resolve_examples
    from unbraid.guides.kinds import Examples, Target
    from unbraid.models.queries import Query, save_query, tensors_sha256
    from unbraid.zoo import load_model

    model = load_model("few-shot-small")
    [target] = resolve_examples([Target(name, Examples(recording))])
    query = Query(name, "few-shot-small", tensors_sha256(model), model.embed(target.guides[0]))
    save_query(query, folder / f"{name}.unbraid")


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A studio as `unbraid studio` opens it, and its address."""
    data = tmp_path_factory.mktemp("studio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write_label("at home", DEMO / "vocals.flac", data)
    command = [sys.executable, "-m", "unbraid", "studio", "--no-browser", "--port", str(port), "--data-dir", str(data)]
    process = subprocess.Popen(command, env={**os.environ, "UNBRAID_LIBRARY": str(data)})
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 600
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the studio did not open"
                assert time.monotonic() < deadline, "the studio did not open"
                time.sleep(0.3)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def walked(studio, tmp_path_factory):
    """Screenshots and downloads of a walk through the page; UNBRAID_SHOTS keeps them."""
    files = tmp_path_factory.mktemp("walk") / "files"
    write_guides(files)
    out = Path(os.environ.get("UNBRAID_SHOTS") or files.parent / "out")
    values = {"STUDIO_URL": studio, "CHROMIUM": CHROMIUM, "STUDIO_OUT": str(out), "STUDIO_FILES": str(files)}
    ran = subprocess.run(
        ["node", "e2e/run.mjs"], cwd=ROOT / "studio", env={**os.environ, **values}, timeout=PATIENCE, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (out / "report.json").is_file(), ran.stdout + ran.stderr
    return out, files, ran.stdout


def test_every_step_works(walked):
    out, _, log = walked
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert [one for one in report if not one["passed"]] == [], log
    assert len(report) >= 20


def test_what_is_taken_away_is_what_the_command_line_writes(walked, tmp_path):
    out, files, _ = walked
    command = [sys.executable, "-m", "unbraid", "separate", str(files / "song.flac"), "--task", "music", "-q"]
    subprocess.run([*command, "-m", "tuss-small", "-o", str(tmp_path)], check=True, timeout=PATIENCE)
    with zipfile.ZipFile(out / "stems.zip") as archive:
        archive.extractall(tmp_path / "zip")
    expected = {path.name: path for path in tmp_path.joinpath("song").glob("*.wav")}
    assert set(expected) == {"vocals.wav", "drums.wav", "bass.wav", "other.wav", "residual.wav"}
    for name, path in expected.items():
        (found,) = (tmp_path / "zip").rglob(name)
        np.testing.assert_array_equal(soundfile.read(found)[0], soundfile.read(path)[0], err_msg=name)
    np.testing.assert_array_equal(soundfile.read(out / "drums.wav")[0], soundfile.read(expected["drums.wav"])[0])
    flac, _ = soundfile.read(out / "drums.flac")
    assert np.abs(flac - soundfile.read(expected["drums.wav"])[0]).max() <= 2**-15


def alike(found, expected):
    """Whether what a lossy format kept has the shape and the level of what went in."""
    assert found.shape == expected.shape
    level = np.sqrt(np.mean(found**2) / np.mean(expected**2))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98
    assert abs(20 * np.log10(level)) < 0.5, level


def test_lossy_downloads_are_what_the_command_line_writes(walked, tmp_path):
    from unbraid.audio.files import read_audio

    out, files, _ = walked
    command = [sys.executable, "-m", "unbraid", "separate", str(files / "song.flac"), "--task", "music", "-q"]
    for container in ("mp3", "wav"):
        words = ["-m", "tuss-small", "--format", container, "-o", str(tmp_path / container)]
        subprocess.run([*command, *words], check=True, timeout=PATIENCE)
    written = soundfile.read(tmp_path / "mp3" / "song" / "drums.mp3")[0]
    np.testing.assert_array_equal(soundfile.read(out / "drums.mp3")[0], written)
    alike(written, soundfile.read(tmp_path / "wav" / "song" / "drums.wav")[0])
    if not (out / "song.stem.mp4").exists():
        return  # without PyAV
    names = ["vocals", "drums", "bass", "other"]
    content = (out / "song.stem.mp4").read_bytes()
    box = json.JSONDecoder().raw_decode(content[content.rindex(b'{"version"') :].decode("utf-8", "ignore"))[0]
    assert [stem["name"] for stem in box["stems"]] == names
    exact = [files / "song.flac", *(tmp_path / "wav" / "song" / f"{name}.wav" for name in names)]
    for track, path in enumerate(exact):
        alike(read_audio(out / "song.stem.mp4", track=track).samples.numpy().T, soundfile.read(path)[0])
