"""Miniature copies of public music datasets: real file formats and names, sounds of a second, and what systems leave.

Each ``make_…(root)`` writes one dataset below a folder. Stems are tones of 16-bit steps, so that the sum of stems
equals a mixture exactly where the dataset's own does.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import soundfile
import yaml

RATE = 44100
N_SAMPLES = 44100
MUSDB_STEMS = ("drums", "bass", "other", "vocals")
MUSDB_SONGS = {
    "train": ("A Classic Education - NightOwl", "Müller & Söhne - Café", "Leaf - Summerghost", "Meaxic - Take A Step"),
    "test": ("AM Contra - Heart Peripheral", "Al James - Schoolboy Facination"),
}
MOISES_SONGS = ("0b8c3d2e-1111", "5f1c7a90-2222", "c0ffee00-3333", "d00d1e55-4444", "e1e2e3e4-5555")
SLAKH_STEMS: Mapping[str, Mapping[str, object]] = {
    "S00": {"inst_class": "Guitar", "midi_program_name": "Distortion Guitar", "program_num": 30},
    "S01": {"inst_class": "Bass", "midi_program_name": "Fretless Bass", "program_num": 35},
    "S02": {"inst_class": "Drums", "midi_program_name": "Drums", "program_num": 128, "is_drum": True},
    "S03": {"inst_class": "Strings (continued)", "midi_program_name": "String Ensemble 1", "program_num": 48},
    "S04": {"inst_class": "Piano", "midi_program_name": "Acoustic Grand Piano", "program_num": 0},
    "S05": {"inst_class": "Sound Effects", "midi_program_name": "Seashore", "program_num": 122, "lost": True},
    "S06": {"inst_class": "Organ", "midi_program_name": "Church Organ", "program_num": 19, "audio_rendered": False},
}
MEDLEY_STEMS = (("drum set", 2), ("electric bass", 1), ("clean electric guitar", 2), ("female singer", 1))
FMA_ROWS = (
    (2, "training", "small"),
    (5, "validation", "small"),
    (10, "training", "medium"),
    (1482, "test", "medium"),
    (99134, "training", "medium"),  # published without sound
    (155320, "training", "large"),
)


def tone(seed: int, *, n_channels: int = 2, n_samples: int = N_SAMPLES, rate: int = RATE) -> np.ndarray:
    """Samples [N, C] on 16-bit steps, below 0.15: a decaying tone that differs with the seed, and a little noise."""
    dice = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    pitch = 110.0 * 2 ** (dice.integers(0, 36) / 12)
    wave = np.sin(2 * np.pi * pitch * time + dice.uniform(0, 6)) * np.exp(-((time * 2) % 1.0))
    samples = 0.1 * wave[:, None] * dice.uniform(0.6, 1.0, n_channels) + 0.01 * dice.standard_normal((n_samples, 1))
    return (np.clip(np.round(samples * 32768), -4900, 4900) / 32768).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, *, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def write_litter(folder: Path) -> None:
    """Write what macOS and Windows leave in folders."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "._vocals.wav").write_bytes(b"\0\5\26\7")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf")


def write_notes(path: Path, starts: Sequence[float], *, pitch: int = 60, duration: float = 0.2) -> None:
    """Write a MIDI file with one note at each start, in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    events = sorted([(one, True) for one in starts] + [(one + duration, False) for one in starts])
    file, track, before = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack(), 0
    for seconds, is_on in events:  # 120 beats per minute: 960 ticks per second
        ticks = round(seconds * 960)
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=90, time=ticks - before))
        before = ticks
    file.tracks.append(track)
    file.save(path)


def make_musdb18_hq(root: Path) -> None:
    """Four songs of ``train``, two of which are for validation, and two of ``test``."""
    for part, songs in MUSDB_SONGS.items():
        for number, song in enumerate(songs):
            stems = {name: tone(100 * number + k) for k, name in enumerate(MUSDB_STEMS)}
            write_sound(root / part / song / "mixture.wav", np.sum(list(stems.values()), axis=0))
            for name, samples in stems.items():
                write_sound(root / part / song / f"{name}.wav", samples)
            write_litter(root / part / song)
        write_litter(root / part)
        (root / part / "empty folder").mkdir()
    (root / "README.txt").write_text("MUSDB18-HQ")


def make_musdb18(root: Path) -> None:
    """The songs of `make_musdb18_hq` as ``.stem.mp4``; needs PyAV."""
    for part, songs in MUSDB_SONGS.items():
        write_litter(root / part)
        for number, song in enumerate(songs):
            stems = [tone(100 * number + k) for k in range(4)]
            write_stem_mp4(root / part / f"{song}.stem.mp4", [np.sum(stems, axis=0), *stems])


def write_stem_mp4(path: Path, streams: Sequence[np.ndarray]) -> None:
    """Write samples [N, C] as AAC streams of one file."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        tracks = [container.add_stream("aac", rate=RATE, layout="stereo", bit_rate=256_000) for _ in streams]
        for track, samples in zip(tracks, streams, strict=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            converter = av.AudioResampler("fltp", "stereo", RATE, 1024)
            for piece in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(track.encode(piece))
            container.mux(track.encode(None))


def make_moisesdb(root: Path) -> None:
    """Five songs in ``moisesdb_v0.1``, one of them with bleed, some files mono."""
    base = root / "moisesdb_v0.1"
    parts = (
        *(("vocals", "lead_female_singer", 1), ("vocals", "background_vocals", 2), ("bass", "bass_guitar", 1)),
        *(("drums", "kick_drum", 1), ("drums", "overheads", 2), ("guitar", "distorted_electric_guitar", 2)),
        *(("percussion", "a-tonal_percussion_(claps,_shakers,_congas,_cowbell_etc)", 2),),
    )
    for number, song in enumerate(MOISES_SONGS):
        stems: dict[str, list[dict[str, object]]] = {}
        for k, (stem, kind, n_channels) in enumerate(parts):
            identifier = f"{number}{k}aa-{kind[:3]}"
            write_sound(base / song / stem / f"{identifier}.wav", tone(1000 + 10 * number + k, n_channels=n_channels))
            bleeds = {"drums": ["kick_drum"]} if number == 1 and kind == "overheads" else [False] if k else False
            track = {"id": identifier, "trackType": kind, "extension": "wav", "has_bleed": bleeds}
            stems.setdefault(stem, []).append(track)
        facts = {
            "song": f"Canción {number}",
            "artist": "Ångström",
            "genre": "rock",
            "stems": [{"id": f"s{stem}", "stemName": stem, "tracks": tracks} for stem, tracks in stems.items()],
        }
        (base / song / "data.json").write_text(json.dumps(facts), encoding="utf-8")
        write_litter(base / song / "vocals")
    write_litter(base)


def make_slakh2100(root: Path) -> None:
    """Tracks of all splits in one folder, as the first edition comes out of its archive."""
    for number in (1, 2, 1501, 1876):
        write_slakh_track(root / f"Track{number:05}", seed=number)
    write_litter(root)


def make_slakh2100_redux(root: Path) -> None:
    """Two tracks to train with, one of each other split, one of them omitted."""
    for split, numbers in {"train": (1, 3), "validation": (1501,), "test": (1876,), "omitted": (2,)}.items():
        for number in numbers:
            write_slakh_track(root / "slakh2100_flac_redux" / split / f"Track{number:05}", seed=number)
        write_litter(root / "slakh2100_flac_redux" / split)


def write_slakh_track(folder: Path, *, seed: int) -> None:
    """Write one track: S05 was rendered but has no file, S06 was not rendered."""
    total = np.zeros((N_SAMPLES, 1), np.float32)
    described = {}
    for k, (name, facts) in enumerate(SLAKH_STEMS.items()):
        rendered = facts.get("audio_rendered", True)
        described[name] = {
            "audio_rendered": rendered,
            "inst_class": facts["inst_class"],
            "integrated_loudness": -20.5,
            "is_drum": facts.get("is_drum", False),
            "midi_program_name": facts["midi_program_name"],
            "midi_saved": True,
            "plugin_name": "elektrik_guitar.nkm",
            "program_num": facts["program_num"],
        }
        write_notes(folder / "MIDI" / f"{name}.mid", [0.0, 0.3, 0.6])
        if rendered and not facts.get("lost"):
            samples = tone(10_000 * k + seed, n_channels=1)
            total += samples
            write_sound(folder / "stems" / f"{name}.flac", samples)
    write_sound(folder / "mix.flac", total)
    write_notes(folder / "all_src.mid", [0.0, 0.3, 0.6])
    facts = {"UUID": f"{seed:032x}", "audio_dir": "stems", "midi_dir": "MIDI", "normalized": True, "overall_gain": 0.18}
    (folder / "metadata.yaml").write_text(yaml.safe_dump({**facts, "stems": described}), encoding="utf-8")


def make_medleydb(root: Path) -> None:
    """Three songs of the first edition, their metadata beside them; the second bleeds, the third has a duet stem."""
    _write_medley_songs(root / "V1", ("AClassicEducation_NightOwl", "Phoenix_ScotchMorris", "AimeeNorwich_Child"))


def make_medleydb2(root: Path) -> None:
    """Two songs of the second edition, their metadata in a folder of its own."""
    _write_medley_songs(root / "V2", ("Allegria_MendelssohnMovement1", "FallingSparks_Improvisation1"), apart=True)


def _write_medley_songs(base: Path, songs: Sequence[str], *, apart: bool = False) -> None:
    for number, song in enumerate(songs):
        total, stems = np.zeros((N_SAMPLES, 2), np.float32), {}
        for k, (instrument, n_raw) in enumerate(MEDLEY_STEMS, start=1):
            raws, stem = {}, np.zeros((N_SAMPLES, 1), np.float32)
            for r in range(1, n_raw + 1):
                samples = tone(3000 + 100 * number + 10 * k + r, n_channels=1)
                stem += samples
                name = f"{song}_RAW_{k:02}_{r:02}.wav"
                write_sound(base / song / f"{song}_RAW" / name, samples)
                raws[f"R{r:02}"] = {"filename": name, "instrument": instrument}
            name = f"{song}_STEM_{k:02}.wav"
            write_sound(base / song / f"{song}_STEMS" / name, np.repeat(stem, 2, axis=1) / 2)
            total += stem / 2
            duet = ["male singer", "female singer"] if number == 2 and instrument == "female singer" else instrument
            stems[f"S{k:02}"] = {"component": "", "filename": name, "instrument": duet, "raw": raws}
        write_sound(base / song / f"{song}_MIX.wav", total * 0.9)  # mixed once more
        facts = {
            "artist": "Phoenix",
            "has_bleed": "yes" if number == 1 else "no",
            "instrumental": "no",
            "mix_filename": f"{song}_MIX.wav",
            "raw_dir": f"{song}_RAW",
            "stem_dir": f"{song}_STEMS",
            "stems": stems,
            "title": "Rainfall",
        }
        folder = base.parent / "Metadata" if apart else base / song
        folder.mkdir(exist_ok=True)
        (folder / f"{song}_METADATA.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    write_litter(base)


def make_fma_small(root: Path) -> None:
    """Two clips, and the table of all."""
    _write_fma(root, "fma_small", ("small",))


def make_fma_medium(root: Path) -> None:
    """Five clips, one of which has no sound, and the table of all."""
    _write_fma(root, "fma_medium", ("small", "medium"))


def _write_fma(root: Path, folder: str, subsets: Sequence[str]) -> None:
    (root / "fma_metadata").mkdir(parents=True, exist_ok=True)
    columns = (
        ("", ""),
        ("artist", "bio"),
        ("artist", "name"),
        ("set", "split"),
        ("set", "subset"),
        ("track", "genre_top"),
    )
    with (root / "fma_metadata" / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows(zip(*columns, strict=True))
        writer.writerow(["track_id"] + [""] * (len(columns) - 1))
        for number, split, subset in FMA_ROWS:
            writer.writerow([number, "née\nin " * 20_000, "Ölaf", split, subset, "Hip-Hop"])
    for number, _, subset in FMA_ROWS:
        if subset in subsets:
            path = root / folder / f"{number // 1000:03}" / f"{number:06}.mp3"
            write_sound(path, tone(number))
            if number == 99134:
                path.write_bytes(b"")
    write_litter(root / folder / "000")
    (root / folder / "checksums").write_text("")


def make_humtrans(root: Path) -> None:
    """Four recordings with their melodies, and the list of splits."""
    names = {
        "TRAIN": ["F01_0005_0001_1", "F04_0055_0001_2_DD"],
        "VALID": ["M02_0100_0002_1"],
        "TEST": ["M03_0200_0001_1_U"],
    }
    for number, name in enumerate(name for part in names.values() for name in part):
        write_sound(root / "all_wav" / f"{name}.wav", tone(7000 + number, n_channels=1))
        write_notes(root / "all_midi" / f"{name}.mid", [0.0, 0.25, 0.5])
    (root / "train_valid_test_keys.json").write_text(json.dumps(names))
    write_litter(root / "all_wav")


def make_song_folders(root: Path) -> None:
    """Two songs to train with, whose stems have names that people give, and one to validate with."""
    for number, song in enumerate(("train/Ein Lied", "train/two", "valid/three")):
        stems = {name: tone(8000 + 10 * number + k) for k, name in enumerate(("Lead Vox", "kick_in", "gtr 2"))}
        for name, samples in stems.items():
            write_sound(root / song / f"{name}.wav", samples)
        write_sound(root / song / "mixture.wav", np.sum(list(stems.values()), axis=0))
        write_litter(root / song)


def make_stem_folders(root: Path) -> None:
    """Two folders of stems, of which one has mono files."""
    for number, name in enumerate(("a", "ß", "c")):
        write_sound(root / "drums" / f"{name}.flac", tone(8100 + number))
        write_sound(root / "vocals" / f"take {name}.wav", tone(8200 + number, n_channels=1))
    write_litter(root / "drums")


def make_table(root: Path) -> None:
    """Two tables of files, whose names say nothing."""
    for number in range(4):
        write_sound(root / "audio" / f"{number:04}.wav", tone(8300 + number))
    rows = {
        "train": [("0000", "kick", "one"), ("0001", "E-Bass", "one")],
        "valid": [("0002", "lead vox", ""), ("0003", "rain", "")],
    }
    for split, found in rows.items():
        lines = [f"audio/{name}.wav,{'sfx' if label == 'rain' else label},{track}" for name, label, track in found]
        (root / f"{split}.csv").write_text("\n".join(["path,label,track", *lines, ""]), encoding="utf-8")


def make_aligned_pairs(root: Path) -> None:
    """Mixtures, and their vocals under the same names."""
    for number, name in enumerate(("one", "zwölf")):
        vocals, rest = tone(8400 + number), tone(8500 + number)
        write_sound(root / "mixture" / f"{name}.wav", vocals + rest)
        write_sound(root / "vocals" / f"{name}.wav", vocals)
    write_litter(root / "vocals")


def make_random_pairs(root: Path) -> None:
    """Backgrounds and targets that have nothing to do with each other."""
    for number in range(3):
        write_sound(root / "noisy" / f"street {number}.wav", tone(8600 + number))
        write_sound(root / "speech" / f"speaker {number}.wav", tone(8700 + number, n_channels=1))


def beyond_size(faults: list) -> list:
    """Leave out the faults that a miniature has because it is small."""
    return [fault for fault in faults if "were published" not in fault.problem]
