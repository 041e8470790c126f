"""Miniature copies of datasets of speech and effects: their folders, names, tables and formats, with short noise.

Every builder leaves litter behind as systems do: ``.DS_Store``, ``._a.wav``, ``Thumbs.db``, an empty folder.
"""

import json
from pathlib import Path

import numpy as np
import soundfile

FSD50K_CLIPS = {
    "dev": {
        # name: (seconds, ground truth, split, collection)
        "64760": (1.0, "Electric_guitar,Guitar,Plucked_string_instrument,Musical_instrument,Music", "train", "Guitar"),
        "1001": (1.0, "Bark,Dog,Domestic_animals_and_pets,Animal", "train", "Bark"),
        "1002": (8.0, "Rain,Water", "train", "Rain"),
        "1003": (9.0, "Traffic_noise_and_roadway_noise,Motor_vehicle_(road),Vehicle", "val", "Car,Traffic_noise"),
        "1004": (1.5, "Dishes_and_pots_and_pans,Domestic_sounds_and_home_sounds", "val", "Dishes,Cutlery"),
        "1005": (1.0, "Speech,Human_voice", "train", "Speech"),
        "1006": (1.0, "Cough,Respiratory_sounds", "train", "Cough"),
        "1007": (1.0, "Applause,Human_group_actions", "train", "Applause"),
        "1008": (1.2, "Door,Domestic_sounds_and_home_sounds", "train", "Door"),
        "1009": (1.0, "Bird,Wild_animals,Animal", "val", "Owl"),
    },
    "eval": {"100": (1.0, "Bark,Dog,Animal", "", "Bark"), "209": (0.5, "Thunder,Thunderstorm", "", "Thunder")},
}


def noise(seconds: float, rate: int, seed: int, *, level: float = 0.1) -> np.ndarray:
    """Gaussian noise [N], float64."""
    return level * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def write(path: Path, samples: np.ndarray, rate: int, *, subtype: str | None = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)


def beyond_size(faults: list) -> list:
    """The faults of a miniature, without those that say that it is one."""
    return [fault for fault in faults if "were published" not in fault.problem]


def litter(folder: Path) -> None:
    """Leave behind what systems leave."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (".DS_Store", "._a.wav", "._a.flac", "Thumbs.db", "README.txt"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")
    (folder / "__MACOSX").mkdir(exist_ok=True)
    (folder / ".hidden").mkdir(exist_ok=True)


def make_fuss(root: Path, *, folder: str = "ssdata", n_mixtures: int = 3, seconds: float = 0.25) -> Path:
    """FUSS: mixtures of 1, 2, 3, 4, 1 … sources; the last foreground of every fourth is silent."""
    base = root / folder
    for number_of_split, split in enumerate(("train", "validation", "eval")):
        lines = []
        for index in range(n_mixtures):
            names = ["background0", *(f"foreground{part}" for part in range(index % 4))]
            sources = [noise(seconds, 16000, 100 * number_of_split + 10 * index + part) for part in range(len(names))]
            if len(names) == 4:
                sources[3] *= 0
            mixture = f"{split}/example{index:05}.wav"
            paths = [f"{split}/example{index:05}_sources/{name}_sound.wav" for name in names]
            for path, samples in zip([mixture, *paths], [np.sum(sources, axis=0), *sources], strict=True):
                write(base / path, samples, 16000)
            (base / mixture).with_suffix(".jams").write_text("{}")
            (base / mixture).with_suffix(".txt").write_text("0.0\t0.1\tsound\n")
            lines.append("\t".join([mixture, *paths]))
        (base / f"{split}_example_list.txt").write_text("\n".join(lines) + "\n")
        litter(base / split)
    litter(base)
    return root


def make_wham(
    root: Path, *, rate: str = "16k", length: str = "max", reverb: bool = False, seconds: float = 0.25
) -> Path:
    """WHAM!, or WHAMR! with both of its rooms: two mixtures in each split, in all three ways of mixing."""
    hertz = {"8k": 8000, "16k": 16000}[rate]
    rooms = ("_anechoic", "_reverb") if reverb else ("",)
    for number_of_split, split in enumerate(("tr", "cv", "tt")):
        base = root / f"wav{rate}" / length / split
        for index, name in enumerate(("01to030v_0.76421_20ga010m_-0.76421.wav", "40na010x_1.9_01xo031a_-1.9.wav")):
            seed = 100 * number_of_split + 10 * index
            background = noise(seconds, hertz, seed, level=0.05)
            write(base / "noise" / name, background, hertz)
            for number, room in enumerate(rooms):
                first, second = (noise(seconds, hertz, seed + 2 * number + part) for part in (1, 2))
                write(base / f"s1{room}" / name, first, hertz)
                write(base / f"s2{room}" / name, second, hertz)
                write(base / f"mix_both{room}" / name, first + second + background, hertz)
                write(base / f"mix_clean{room}" / name, first + second, hertz)
                write(base / f"mix_single{room}" / name, first + background, hertz)
        for folder in ("noise", f"s1{rooms[0]}", f"mix_both{rooms[0]}", ""):
            litter(base / folder)
    return root


def make_wham_noise(root: Path, *, seconds: float = 0.5) -> Path:
    """The noise of WHAM! at 48 kHz: two recordings for training, stereo and mono, and one for each other split."""
    base = root / "high_res_wham"
    rows = ["Filename,Location,Day,File Length (sec),WHAM! Split,Notes"]
    for index, split in enumerate(("Train", "Train", "Valid", "Test")):
        name = f"40na_Day{index}.wav"
        samples = noise(seconds * (1 + index), 48000, index)
        write(base / "audio" / name, samples if index == 1 else np.stack([samples, 0.5 * samples], axis=1), 48000)
        rows.append(f'{name},"Bar, downtown",{index},{seconds * (1 + index)},{split},')
    (base / "high_res_metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    litter(base / "audio")
    return root


def make_vctk_demand(root: Path, *, seconds: float = 0.25) -> Path:
    """VCTK-DEMAND: speakers p226 (28 and 56 speakers), p228, p287, p234 and p232 and p257 for testing."""
    speakers = {
        "trainset_28spk": ("p226", "p228", "p287"),
        "trainset_56spk": ("p234", "p238"),
        "testset": ("p232", "p257"),
    }
    for number, (part, names) in enumerate(speakers.items()):
        lines = []
        for index, name in enumerate(f"{speaker}_{take:03}" for speaker in names for take in (1, 5)):
            clean = np.round(noise(seconds, 48000, 100 * number + index) * 32768) / 32768
            added = np.round(noise(seconds, 48000, 1000 + 100 * number + index, level=0.03) * 32768) / 32768
            write(root / f"clean_{part}_wav" / f"{name}.wav", clean, 48000)
            write(root / f"noisy_{part}_wav" / f"{name}.wav", clean + added, 48000)
            lines.append(f"{name} {('cafe', 'bus')[index % 2]} {2.5 + 5 * (index % 4)}")
        (root / f"log_{part}.txt").write_text("\n".join(lines) + "\n")
        litter(root / f"noisy_{part}_wav")
    return root


def make_vctk(root: Path, *, seconds: float = 0.25) -> Path:
    """VCTK 0.92: p280 has one microphone, p315 has no transcripts either, p362 has one too many."""
    base = root / "wav48_silence_trimmed"
    for index, speaker in enumerate(("p225", "p226", "p232", "p280", "p315", "p362", "s5")):
        for take in ("001", "002"):
            samples = noise(seconds, 48000, 10 * index + int(take))
            write(base / speaker / f"{speaker}_{take}_mic1.flac", samples, 48000)
            if speaker not in ("p280", "p315"):
                write(base / speaker / f"{speaker}_{take}_mic2.flac", 0.5 * samples, 48000)
            if speaker != "p315":
                _text(root / "txt" / speaker / f"{speaker}_{take}.txt")
        litter(base / speaker)
    _text(root / "txt" / "p362" / "p362_400.txt")
    (root / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS \np225  23  F    English    Southern  England\n"
        "p315  18  M    American    New England  (mic2 files unavailable)\ns5  25  M    British\n"
    )
    return root


def make_vctk_080(root: Path, *, seconds: float = 0.25) -> Path:
    """VCTK 0.80 in its folder: p315 has no transcripts, p376_295 is a raw file."""
    base = root / "VCTK-Corpus"
    for index, speaker in enumerate(("p225", "p287", "p315", "p376")):
        quiet = np.zeros(4800)
        for take in ("001", "295"):
            path = base / "wav48" / speaker / f"{speaker}_{take}.wav"
            if (speaker, take) == ("p376", "295"):
                path.with_suffix(".raw").write_bytes(b"\x01\x00" * 480)
            else:
                write(path, np.concatenate([quiet, noise(seconds, 48000, 10 * index), quiet]), 48000)
            if speaker != "p315":
                _text(base / "txt" / speaker / f"{speaker}_{take}.txt")
    (base / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION \n225  23  F    English    Southern  England\n"
    )
    litter(base / "wav48")
    return root


def make_demand(
    root: Path, *, places: tuple[str, ...] = ("DKITCHEN", "DLIVING", "TCAR"), seconds: float = 0.25
) -> Path:
    """DEMAND: 16 mono files for every place."""
    for index, place in enumerate(places):
        for channel in range(1, 17):
            write(root / place / f"ch{channel:02}.wav", noise(seconds, 48000, 100 * index + channel), 48000)
        litter(root / place)
    litter(root)
    return root


def make_dnr(root: Path, *, n_mixtures: int = 2, seconds: float = 0.25) -> Path:
    """DnR v2: 32-bit float files, mixtures as sums in float64, and an empty folder."""
    for number, split in enumerate(("tr", "cv", "tt")):
        for index in range(n_mixtures):
            folder = root / "dnr_v2" / split / str(66831 - 7 * index)
            stems = {
                part: noise(seconds, 44100, 100 * number + 10 * index + k)
                for k, part in enumerate(("speech", "music", "sfx"))
            }
            for part, samples in (stems | {"mix": sum(stems.values())}).items():
                write(folder / f"{part}.wav", samples, 44100, subtype="FLOAT")
            (folder / "annots.csv").write_text(",file,class,annotation\n0,speech/a.wav,speech,HELLO\n")
            litter(folder)
        (root / "dnr_v2" / split / "9").mkdir()
        litter(root / "dnr_v2" / split)
    return root


def make_fsd50k(root: Path, *, metadata: bool = True) -> Path:
    """FSD50K: the clips of FSD50K_CLIPS."""
    tables = root / "FSD50K.ground_truth"
    tables.mkdir(parents=True)
    (tables / "vocabulary.csv").write_text("0,Accelerating_and_revving_and_vroom,/m/07q2z82\n1,Accordion,/m/0mkg\n")
    for part, clips in FSD50K_CLIPS.items():
        rows = ["fname,labels,mids,split" if part == "dev" else "fname,labels,mids"]
        collection = ["fname,labels,mids"]
        for index, (name, (seconds, labels, split, said)) in enumerate(clips.items()):
            write(root / f"FSD50K.{part}_audio" / f"{name}.wav", noise(seconds, 44100, index), 44100)
            rows.append(f'{name},"{labels}","/m/0"' + (f",{split}" if part == "dev" else ""))
            collection.append(f'{name},"{said}","/m/0"')
        (tables / f"{part}.csv").write_text("\n".join(rows) + "\n")
        litter(root / f"FSD50K.{part}_audio")
        if metadata:
            folder = root / "FSD50K.metadata" / "collection"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"collection_{part}.csv").write_text("\n".join(collection) + "\n")
            clip = {"title": "Bärk", "license": "http://creativecommons.org/licenses/by-nc/3.0/", "uploader": "añder"}
            (folder.parent / f"{part}_clips_info_FSD50K.json").write_text(
                json.dumps(dict.fromkeys(clips, clip), ensure_ascii=False), encoding="utf-8"
            )
    return root


def make_librispeech(root: Path, *, splits: tuple[str, ...] = ("train-clean-100", "dev-clean")) -> Path:
    """LibriSpeech: two speakers with one chapter of two utterances in each split."""
    base = root / "LibriSpeech"
    for number, split in enumerate(splits):
        for speaker, chapter in ((f"8{number}", "121123"), (f"197{number}", "0")):
            folder = base / split / speaker / chapter
            lines = []
            for index in range(2):
                name = f"{speaker}-{chapter}-{index:04}"
                write(folder / f"{name}.flac", noise(0.25, 16000, 100 * number + index), 16000)
                lines.append(f"{name} GO DO YOU HEAR {index}")
            (folder / f"{speaker}-{chapter}.trans.txt").write_text("\n".join(lines) + "\n")
            litter(folder)
    (base / "SPEAKERS.TXT").write_text(
        ";ID  |SEX| SUBSET           |MINUTES| NAME\n80   | F | train-clean-100  | 8.02 | Añn\n", encoding="utf-8"
    )
    return root


def make_librivox(root: Path) -> Path:
    """Speech in folders: of all depths, rates and formats, with unicode names, and names of the DNS Challenge."""
    write(root / "book_00000_chp_0009_reader_06709_0_seg_1_seg1.wav", noise(0.5, 48000, 0), 48000)
    write(root / "Zoë Müller" / "глава 1" / "фраза.flac", noise(0.5, 22050, 1), 22050)
    write(root / "Zoë Müller" / "二.WAV", np.stack([noise(0.5, 8000, 2)] * 2, axis=1), 8000)
    write(root / "84" / "121123" / "84-121123-0000.flac", noise(0.5, 16000, 3), 16000)
    write(root / "84" / "121123" / "84-121123-0000.mp3", noise(0.5, 16000, 3), 16000, subtype=None)
    (root / "empty" / "chapter").mkdir(parents=True)
    litter(root)
    litter(root / "84" / "121123")
    return root


def make_wsj0(root: Path, *, converted: bool = True) -> Path:
    """WSJ0 as on the discs: SPHERE files, with WAV beside them where converted."""
    for disc, split, speaker, name in (
        ("11-1.1", "si_tr_s", "01t", "01to030v"),
        ("11-1.1", "si_tr_s", "01t", "01to030w"),
        ("11-2.1", "si_tr_s", "20g", "20ga010m"),
        ("11-6.1", "si_dt_05", "050", "050a0501"),
        ("11-14.1", "si_et_05", "440", "440c0201"),
    ):
        path = root / disc / "wsj0" / split / speaker / f"{name}.wv1"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
        path.write_bytes(header.ljust(1024) + b"\7" * 64)
        if converted:
            write(path.with_suffix(".wav"), noise(0.25, 16000, len(name)), 16000)
        litter(path.parent)
    return root


def _text(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Please call Stella.\n")
