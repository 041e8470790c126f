"""``unbraid doctor``: what this machine has and what is missing, to paste into a bug report."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any

import typer

from unbraid.cli import console

REQUIRED = ("torch", "numpy", "soundfile", "soxr", "safetensors", "typer", "rich")
STUDIO = ("fastapi", "uvicorn", "pydantic")
MEASURING = {  # packages of `unbraid evaluate`: the module, what for, and the extra that has it
    "librosa": ("librosa", "published methods to compare with", "references"),
    "scikit-learn": ("sklearn", "published methods to compare with", "references"),
    "pesq": ("pesq", "PESQ of speech", "perceptual"),
    "pystoi": ("pystoi", "STOI of speech", "perceptual"),
}
OPTIONAL = ("av", "lightning-fabric", "mido", "matplotlib", "pillow", "huggingface_hub", *STUDIO, *MEASURING)
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "bf16", "sve")
WRITTEN = {"WAV": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}


@dataclass(frozen=True)
class Missing:
    """Something that this machine does not have, what for, and how to get it."""

    what: str
    use: str
    cure: str


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Report versions, devices, codecs and tools, and what is missing; paste it into a bug report."""
    report = examine()
    if as_json:
        console.emit(report)
        return
    for title, lines in report.items():
        if title == "missing":
            continue
        typer.echo(title)
        for name, value in lines.items():
            typer.echo(f"  {name:<18} {_readable(value)}")
    typer.echo("missing")
    for missing in report["missing"]:
        typer.echo(f"  {missing['what']:<18} {missing['use']}: {missing['cure']}")
    if not report["missing"]:
        typer.echo("  nothing")


def examine() -> dict[str, Any]:
    """Return the report: sections of names and plain values, and a list of what is missing."""
    tools = _tools()
    codecs = _codecs()
    return {
        "versions": _versions(),
        "machine": _machine(),
        "devices": _devices(),
        "codecs": codecs,
        "tools": tools,
        "missing": [asdict(missing) for missing in _missing(tools, codecs)],
    }


def _versions() -> dict[str, str | None]:
    import unbraid

    found: dict[str, str | None] = {"unbraid": unbraid.__version__, "python": sys.version.split()[0]}
    for package in (*REQUIRED, *OPTIONAL):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _machine() -> dict[str, Any]:
    import torch

    fields = _cpu_fields()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "platform": platform.platform(),
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "usable cores": len(affinity(0)) if affinity else os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "cpu features": [flag for flag in CPU_FLAGS if flag in flags],
        "torch kernels": torch.backends.cpu.get_cpu_capability(),
        "memory GiB": _memory_gib(),
    }


def _cpu_fields() -> dict[str, str]:
    """Return what Linux says about the first core; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n", maxsplit=1)[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _devices() -> dict[str, Any]:
    import torch

    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"cpu": True, "cuda": cuda, "mps": torch.backends.mps.is_available(), "cuda build": torch.version.cuda}


def _codecs() -> dict[str, Any]:
    import soundfile

    formats = sorted(soundfile.available_formats())
    found: dict[str, Any] = {
        "libsndfile": soundfile.__libsndfile_version__,
        "reads": formats,
        "writes": [name for format_, name in WRITTEN.items() if format_ in formats],
        "opus": "OPUS" in soundfile.available_subtypes("OGG"),
        "ffmpeg (PyAV)": None,
        "video sound": [],
    }
    if util.find_spec("av") is not None:
        import av

        found["ffmpeg (PyAV)"] = ".".join(map(str, av.library_versions["libavcodec"]))
        found["video sound"] = [codec for codec in ("aac", "ac3", "alac", "opus") if codec in av.codecs_available]
    return found


def _tools() -> dict[str, Any]:
    from unbraid.datasets.soundfont import find_soundfont

    soundfont = find_soundfont()
    return {
        "espeak-ng": shutil.which("espeak-ng"),
        "fluidsynth": shutil.which("fluidsynth"),
        "tinysoundfont": util.find_spec("tinysoundfont") is not None,
        "soundfont": None if soundfont is None else str(soundfont),
    }


def _missing(tools: dict[str, Any], codecs: dict[str, Any]) -> list[Missing]:
    """Say what is not there, what it would be used for, and how to get it; all of it is optional."""
    apt = "apt install"
    checks = [
        (
            codecs["ffmpeg (PyAV)"],
            Missing("av", "reads M4A, MP4, MKV and WebM", "pip install 'unbraid[video]'"),
        ),
        (
            "mp3" in codecs["writes"],
            Missing("MP3", "reads and writes MP3", "pip install 'soundfile>=0.13', whose libsndfile can"),
        ),
        (
            util.find_spec("lightning_fabric"),
            Missing("lightning-fabric", "unbraid train", "pip install 'unbraid[train]'"),
        ),
        (util.find_spec("matplotlib"), Missing("matplotlib", "unbraid explain", "pip install 'unbraid[plot]'")),
        (
            util.find_spec("huggingface_hub"),
            Missing("huggingface_hub", "-m hf:OWNER/REPO, models on the Hub", "pip install 'unbraid[hub]'"),
        ),
        *((util.find_spec(name), Missing(name, "unbraid studio", "pip install 'unbraid[studio]'")) for name in STUDIO),
        *(
            (util.find_spec(module), Missing(name, f"unbraid evaluate, {use}", f"pip install 'unbraid[{extra}]'"))
            for name, (module, use, extra) in MEASURING.items()
        ),
        (
            tools["fluidsynth"] or tools["tinysoundfont"],
            Missing("fluidsynth", "unbraid render with a SoundFont", f"{apt} fluidsynth, or pip install tinysoundfont"),
        ),
        (
            tools["soundfont"],
            Missing("soundfont", "unbraid render with real instruments", f"{apt} fluid-soundfont-gm"),
        ),
        (tools["espeak-ng"], Missing("espeak-ng", "synthetic speech of unbraid render", f"{apt} espeak-ng")),
    ]
    return [missing for there, missing in checks if not there]


def _readable(value: object) -> str:
    if value is None:
        return "not found"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
