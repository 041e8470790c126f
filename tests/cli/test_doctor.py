"""The report to paste into a bug."""

import json
import tomllib
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import unbraid
from unbraid.cli import doctor
from unbraid.cli.main import app


@pytest.fixture(scope="module")
def report():
    return doctor.examine()


def test_what_is_there(report):
    assert report["versions"]["unbraid"] == unbraid.__version__
    assert report["versions"]["torch"] == torch.__version__
    assert {"mido", "matplotlib", "pillow", "fastapi", "scikit-learn", "pystoi"} <= set(report["versions"])
    assert report["machine"]["cores"] >= report["machine"]["usable cores"] >= 1
    assert report["devices"]["cpu"] is True
    assert len(report["devices"]["cuda"]) == torch.cuda.device_count()
    assert {"wav", "flac", "ogg"} <= set(report["codecs"]["writes"])


def test_json_is_the_same_report(report):
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == report


def test_text_names_every_section_and_value(report):
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    for section in report:
        assert section in result.stdout.splitlines()
    assert report["machine"]["platform"] in result.stdout


def test_a_bare_machine_is_told_what_is_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    monkeypatch.setattr("unbraid.datasets.soundfont.find_soundfont", lambda: None)
    monkeypatch.setattr(doctor.metadata, "version", missing_package)
    report = doctor.examine()
    assert report["versions"]["av"] is None
    assert report["codecs"]["ffmpeg (PyAV)"] is None
    missing = {line["what"]: line["cure"] for line in report["missing"]}
    assert {"av", "lightning-fabric", "matplotlib", "fluidsynth", "soundfont", "espeak-ng"} <= set(missing)
    assert "unbraid[video]" in missing["av"]
    assert all("unbraid[studio]" in missing[name] for name in ("fastapi", "uvicorn", "pydantic"))
    assert all("unbraid[references]" in missing[name] for name in ("librosa", "scikit-learn"))
    assert all("unbraid[perceptual]" in missing[name] for name in ("pesq", "pystoi"))
    assert all(missing.values())
    text = CliRunner().invoke(app, ["doctor"]).stdout
    assert "not found" in text
    assert "unbraid[video]" in text


def missing_package(name):
    raise doctor.metadata.PackageNotFoundError(name)


def test_every_extra_for_users_is_looked_for():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {word.partition(">")[0] for name, words in extras.items() if name != "test" for word in words}
    assert wanted <= set(doctor.OPTIONAL)


def test_a_complete_machine_misses_nothing(monkeypatch):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: name)
    tools = {"espeak-ng": "x", "fluidsynth": "x", "tinysoundfont": False, "soundfont": "x"}
    codecs = {"ffmpeg (PyAV)": "62", "writes": ["wav", "mp3"]}
    assert doctor._missing(tools, codecs) == []


def test_no_cpuinfo_is_no_error(monkeypatch):
    def refuse(*_, **__):
        raise OSError

    monkeypatch.setattr(doctor.Path, "read_text", refuse)
    assert doctor._cpu_fields() == {}
    assert doctor._machine()["cpu"]
