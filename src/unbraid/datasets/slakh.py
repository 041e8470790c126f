"""Writing rendered songs in the layout of Slakh2100 (extra ``render``).

Manilow, Wichern, Seetharaman and Le Roux, "Cutting Music Source Separation Some Slakh: A Dataset to Study the
Impact of Training Data Quality and Quantity", WASPAA 2019.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.datasets.midi import write_midi
from unbraid.datasets.render import Plan, quantize, render_tracks, write_flac
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.synthetic import RenderedStem, RenderedTrack


def _describe_stem(stem: RenderedStem, loudness: float, soundfont: str) -> dict[str, Any]:
    instrument = stem.part.instrument
    sampled = stem.part.draw.sampled and soundfont
    return {
        "audio_rendered": True,
        "inst_class": instrument.inst_class,
        "integrated_loudness": loudness,
        "is_drum": instrument.is_drum,
        "midi_program_name": instrument.name,
        "midi_saved": True,
        "plugin_name": Path(soundfont).name if sampled else f"unbraid {instrument.family.value}",
        "program_num": 128 if instrument.is_drum else instrument.program,
    }


def _describe(track: RenderedTrack, stems: dict[str, Any], peak: float) -> dict[str, Any]:
    draw = track.draw
    return {
        "UUID": uuid.uuid5(uuid.NAMESPACE_OID, repr(draw)).hex,
        "audio_dir": "stems",
        "lmd_midi_dir": "",
        "midi_dir": "MIDI",
        "normalization_factor": float(20 * np.log10(track.gain)),
        "normalized": True,
        "overall_gain": float(track.gain),
        "stems": stems,
        "target_peak": float(20 * np.log10(max(peak, 1e-6))),
        "draw": {
            "seed": draw.seed,
            "style": draw.style,
            "tempo": draw.tempo,
            "key": draw.key,
            "mode": draw.mode,
            "duration": draw.duration,
        },
    }


def write_track(folder: Path, plan: Plan, index: int) -> None:
    """Render one track of a plan into an empty folder: mixture, stems, MIDI and metadata.

    ``mix.flac`` is the exact sum of the stems, in integers.
    """
    import torch
    import yaml

    from unbraid.audio.loudness import loudness_lufs

    track = plan.render(index)
    for name in ("stems", "MIDI"):
        (folder / name).mkdir()
    total = np.zeros((track.n_samples, plan.channels), np.int32)
    described = {}
    for name, stem in track.stems.items():
        integers = quantize(stem.samples, channels=plan.channels)
        total += integers
        write_flac(folder / "stems" / f"{name}.flac", integers)
        score = [(stem.part.instrument, stem.notes)]
        write_midi(folder / "MIDI" / f"{name}.mid", score, tempo=track.draw.tempo)
        loudness = loudness_lufs(torch.from_numpy(integers.T / np.float32(32768)), SAMPLE_RATE)
        described[name] = _describe_stem(stem, float(loudness), plan.soundfont or "")
    write_flac(folder / "mix.flac", total.astype(np.int16))
    everyone = [(stem.part.instrument, stem.notes) for stem in track.stems.values()]
    write_midi(folder / "all_src.mid", everyone, tempo=track.draw.tempo)
    facts = _describe(track, described, float(np.abs(total).max()) / 32768)
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    (folder / "metadata.yaml").write_text(text, encoding="utf-8")


def render_dataset(
    out: str | os.PathLike[str],
    *,
    tracks: int,
    seed: int,
    duration: float = 60.0,
    soundfont: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    channels: int = 2,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write songs in the layout of Slakh2100.

    ``TrackNNNNN/`` holds ``mix.flac``, ``stems/S00.flac`` …, ``MIDI/S00.mid`` …, ``all_src.mid`` and
    ``metadata.yaml``. Finished tracks are kept, half-written ones made again; the files do not depend on the
    number of processes.

    Args:
        out: folder to write to.
        tracks: how many tracks shall be there.
        seed: of everything.
        duration: of each track in seconds.
        soundfont: path of a SoundFont; None takes an installed one, "" synthesizes everything.
        jobs: number of processes; None takes one per core.
        channels: 1 or 2 (Slakh2100 itself is mono).
        progress: called with the fraction done.

    Returns:
        How many tracks were made now.

    Raises:
        DatasetError: if a value is out of range, or the folder holds tracks of other settings.
    """
    plan = Plan(seed, duration, None if soundfont is None else os.fspath(soundfont), channels)
    return render_tracks(Path(out), plan, write_track, layout="slakh", tracks=tracks, jobs=jobs, progress=progress)
